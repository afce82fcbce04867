package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime/pprof"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const mountGone = "this mount has been disabled, or its plugin stopped: try again later"

// waitingLogins begins a login that waits for a push in its request, and one with
// wait=false, of two people of that name.
func (m *mount) waitingLogins(name string) (*oktatest.Factor, *oktatest.Factor, <-chan outcome, string) {
	m.t.Helper()
	pushes := make([]*oktatest.Factor, 2)
	requests := make([]*logical.Request, 2)
	for i := range pushes {
		login := fmt.Sprintf("%s-%d@acme.test", name, i)
		pushes[i] = m.okta.AddUser(login, testPassword).AddPush("WAITING")
		requests[i] = m.request(logical.UpdateOperation, "login/"+login, fields{"password": testPassword, "wait": i == 0})
	}
	blocked := m.background(m.t.Context(), requests[0])
	held := m.state(m.send(m.t.Context(), requests[1]))
	m.eventually(func() bool { return pushes[0].Waiting() == 1 && pushes[1].Waiting() == 1 }, "the logins do not wait")
	return pushes[0], pushes[1], blocked, held.TransactionID
}

// cleanUp ends the mount. On a slow machine that may take longer than clean waits for it.
func (m *mount) cleanUp() {
	began := time.Now()
	m.backend.Cleanup(m.t.Context())
	if time.Since(began) >= cleanPatience {
		m.eventually(m.inner.clients.none, "the connections stay")
	}
}

// A mount that goes takes its logins along: their pushes are taken back, nobody polls
// them, and an approval lets nobody in.
func TestLoginsEndWithTheMount(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.clock.hold(t)
		push, heldPush, blocked, id := m.waitingLogins("mia")
		inner := m.inner
		m.cleanUp()
		for _, p := range []*oktatest.Factor{push, heldPush} {
			assert.Zero(t, p.Waiting())
			assert.Equal(t, 1, p.Withdrawn())
		}
		if o := m.finished(blocked); !m.grpc {
			assert.Equal(t, outcome{status: http.StatusBadRequest, text: mountGone, resp: o.resp}, o)
		} else {
			assert.NotEqual(t, http.StatusOK, o.status)
		}
		before := len(m.okta.Requests())
		for _, req := range []*logical.Request{
			m.request(logical.UpdateOperation, "login/mia-1@acme.test", fields{"transaction_id": id}),
			m.request(logical.UpdateOperation, "login/mia-1@acme.test", fields{"password": testPassword}),
			m.request(logical.ReadOperation, "config", nil),
		} {
			resp, err := inner.HandleRequest(t.Context(), req)
			require.NoError(t, err)
			assert.EqualError(t, resp.Error(), mountGone, req.Path)
		}
		assert.Len(t, m.okta.Requests(), before, "Okta is asked after the end")
		inner.Cleanup(t.Context()) // once more does no harm
	})
}

// A login that Okta lets wait for its first answer when the mount goes does not go on,
// and is not held.
func TestLoginBeginsAsTheMountGoes(t *testing.T) {
	for _, wait := range []bool{true, false} {
		t.Run(fmt.Sprintf("wait %v", wait), func(t *testing.T) {
			t.Parallel()
			m := newMount(t, false)
			m.configure(nil)
			push := m.addUser().AddPush("WAITING")
			m.okta.Fail("authn", oktatest.Hang())
			done := m.background(t.Context(), m.from(callerIP, nil, fields{"wait": wait}))
			m.eventually(func() bool { return m.authnCalls() == 1 }, "no login")
			m.backend.Cleanup(t.Context())
			assert.Equal(t, mountGone, m.finished(done).text)
			assert.Zero(t, push.Pushes())
			assert.Empty(t, m.inner.held.byID)
			m.eventually(m.inner.clients.none, "the connections stay")
		})
	}
}

// The end of a mount does not wait for an Okta that hangs for longer than a moment: the
// SDK lets no request of any mount begin meanwhile.
func TestEndOfTheMountIsShort(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	m.configure(nil)
	m.clock.hold(t)
	_, _, blocked, _ := m.waitingLogins("mia")
	m.okta.Fail("cancel", oktatest.Hang())
	ctx, stop := context.WithCancel(t.Context())
	stop() // no patience
	m.backend.Cleanup(ctx)
	assert.Equal(t, mountGone, m.finished(blocked).text)
	m.eventually(func() bool { return m.inner.clients.none() && m.inner.life.serving.TryRLock() == false }, "the connections stay")
}

// A transaction that no login continues is cancelled within the patience of the end of the
// mount, also where the caller has left: an Okta that hangs holds up neither that end nor,
// where too much goes on already, the answer.
func TestAbandonedTransactionIsCancelledInTime(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	asked := make(chan context.Context, 1)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	login := &loginRequest{backend: m.inner}
	login.abandon(ctx, mfa.Flow{Okta: cancelling{asked: asked}}, okta.Transaction{StateToken: okta.NewSecret("t1")})
	cancel := <-asked
	end, bounded := cancel.Deadline()
	assert.True(t, bounded)
	assert.LessOrEqual(t, time.Until(end), cleanPatience)
}

// cancelling is asked to cancel a transaction, by a context that the caller has not ended.
type cancelling struct {
	mfa.Authn
	asked chan<- context.Context
}

func (c cancelling) Cancel(ctx context.Context, _ okta.Transaction) error {
	if !errors.Is(ctx.Err(), context.Canceled) {
		c.asked <- ctx
	}
	return nil
}

func (c *clientCache) none() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.kept) == 0
}

// 200 mounts that come and go, each in the middle of two logins, leave no goroutine, and
// so no connection, and nothing to answer on any phone.
func TestMountsComeAndGo(t *testing.T) {
	t.Parallel()
	const mounts = 200
	first := newMount(t, false)
	first.clock.hold(t)
	var pushes []*oktatest.Factor
	label := t.Name() // the goroutines of the mounts inherit it: other tests run beside
	pprof.Do(t.Context(), pprof.Labels("test", label), func(context.Context) {
		for batch := range mounts / 20 {
			var all sync.WaitGroup
			var mu sync.Mutex
			for i := range 20 {
				m := first.another()
				m.configure(nil)
				name := fmt.Sprintf("u%d-%d", batch, i)
				all.Go(func() {
					push, heldPush, blocked, _ := m.waitingLogins(name)
					m.backend.Cleanup(t.Context())
					m.finished(blocked)
					mu.Lock()
					defer mu.Unlock()
					pushes = append(pushes, push, heldPush)
				})
			}
			all.Wait()
		}
	})
	first.eventually(func() bool { return labelled(t, label) == 0 }, "goroutines are left")
	polls := 0
	for _, push := range pushes {
		assert.Zero(t, push.Waiting())
		polls += push.Polls()
		push.Approve()
	}
	before := len(first.okta.Requests())
	first.clock.advance(time.Minute)
	assert.Len(t, pushes, 2*mounts)
	assert.Len(t, first.okta.Requests(), before)
	for _, push := range pushes {
		polls -= push.Polls()
	}
	assert.Zero(t, polls)
}

var profiled = regexp.MustCompile(`(?m)^(\d+) @[^\n]*\n# labels: \{([^\n]*)\}$`)

// labelled counts the goroutines with a label of that value.
func labelled(t *testing.T, value string) (n int) {
	t.Helper()
	var profile bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
	for _, found := range profiled.FindAllSubmatch(profile.Bytes(), -1) {
		if bytes.Contains(found[2], []byte(strconv.Quote(value))) {
			count, err := strconv.Atoi(string(found[1]))
			require.NoError(t, err)
			n += count
		}
	}
	return n
}
