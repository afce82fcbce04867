package mfa_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
)

// person is who logs in.
var person = mfa.Subject{
	ID: "00u1mia", Login: "Mia.Ito@acme.test", Name: "mia.ito", Org: "https://acme.okta.test", Address: "192.0.2.7",
}

// wallClock is the system's, but for sleeps, which are short.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(d, 2*time.Millisecond)):
		return nil
	}
}

// talk is what an attempt says to the person.
type talk struct {
	mu    sync.Mutex
	waits int
	rings func() // called within Waiting
}

// exchange ends after patience.
func (k *talk) exchange(patience time.Duration) mfa.Exchange {
	return mfa.Exchange{
		Clock: wallClock{}, Until: time.Now().Add(patience),
		Waiting: func(string, time.Time) {
			k.mu.Lock()
			k.waits++
			k.mu.Unlock()
			if k.rings != nil {
				k.rings()
			}
		},
	}
}

func (k *talk) waited() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.waits
}

// loginBy has the person satisfy a method.
func loginBy(ctx context.Context, m mfa.Method, c mfa.Credential) error {
	attempt, err := m.Prepare(ctx, person, c)
	if err != nil || attempt.Passed {
		return err
	}
	return attempt.Verify(ctx, new(talk).exchange(time.Minute))
}

// assertNoSecret wants no secret in what is printed of any of the values.
func assertNoSecret(t *testing.T, secrets []string, values ...any) {
	t.Helper()
	for _, v := range values {
		text := fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v)
		for _, secret := range secrets {
			assert.False(t, strings.Contains(text, secret), "a secret in %T: %s", v, text)
		}
	}
}

// serviceFaults are those of the way to a service, and what they mean.
var serviceFaults = map[string]struct {
	fault   mfatest.Fault
	want    error // ErrorIs
	status  int   // of a *ServiceError
	notSent bool  // where it strikes the request that makes a phone ring
}{
	"redirect":           {fault: mfatest.Fault{Status: 307, Header: map[string]string{"Location": "/elsewhere"}}, want: mfa.ErrServiceMalformed},
	"garbage":            {fault: mfatest.Fault{Body: "<html>hello</html>"}, want: mfa.ErrServiceMalformed},
	"another document":   {fault: mfatest.Fault{Body: `{"stat":"OK","response":[1,2]}`}, want: mfa.ErrServiceMalformed},
	"no document":        {fault: mfatest.Fault{Body: `{}`}, want: mfa.ErrServiceMalformed},
	"nothing":            {want: mfa.ErrServiceMalformed},
	"5 MiB":              {fault: mfatest.Fault{Body: strings.Repeat("x", 5<<20)}, want: mfa.ErrServiceMalformed},
	"connection dropped": {fault: mfatest.Fault{Drop: true}, want: mfa.ErrServiceUnreachable},
	"cut off":            {fault: mfatest.Fault{Header: map[string]string{"Content-Length": "99"}, Body: "x"}, want: mfa.ErrServiceUnreachable},
	"other protocol":     {fault: mfatest.Fault{Status: 101}, want: mfa.ErrServiceMalformed},
	"not found":          {fault: mfatest.Fault{Status: 404, Body: "nowhere"}, status: 404, notSent: true},
	"rate limit":         {fault: mfatest.Fault{Status: 429, Body: `{"stat":"FAIL","code":42901,"message":"Too many"}`}, status: 429, notSent: true},
	"proxy gave up":      {fault: mfatest.Fault{Status: 408}, status: 408},
	"unavailable":        {fault: mfatest.Fault{Status: 503, Body: "later"}, status: 503},
	"hanging":            {fault: mfatest.Fault{Hang: true}, want: mfa.ErrServiceTimeout},
}

// assertServiceError wants got to be what a fault means.
func assertServiceError(t *testing.T, want error, status int, got error) {
	t.Helper()
	if status == 0 {
		assert.ErrorIs(t, got, want)
		return
	}
	var failed *mfa.ServiceError
	if assert.ErrorAs(t, got, &failed) {
		assert.Equal(t, status, failed.Status)
	}
}

// TestServiceDownBeforePush: where one service is down, no phone rings for another.
func TestServiceDownBeforePush(t *testing.T) {
	t.Parallel()
	up, down := mfatest.NewDuo(t), mfatest.NewPingID(t)
	user := up.AddUser(person.Login).AddPhone("push")
	required := []mfa.Required{
		{ID: "1", Name: "duo", Method: duoMethod(t, up, nil)},
		{ID: "2", Name: "pingid", Method: pingIDMethod(t, down, nil)},
	}
	down.Close()

	v := &mfa.Validation{Who: person, Guard: new(mfa.Guard), Clock: wallClock{}}
	err := v.Run(t.Context(), required, nil)
	var failed *mfa.MethodError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "pingid", failed.Method.Name)
	assert.ErrorIs(t, err, mfa.ErrServiceUnreachable)
	assert.True(t, mfa.NotSent(err))
	assert.Zero(t, user.Pushes())
}

// TestServicesInTurn: one login, a push of each.
func TestServicesInTurn(t *testing.T) {
	t.Parallel()
	duoSrv, pingSrv := mfatest.NewDuo(t), mfatest.NewPingID(t)
	atDuo := duoSrv.AddUser(person.Login).AddPhone("push").Script(mfatest.DuoOutcome{Result: "allow", Status: "allow"})
	atPing := pingSrv.AddUser(person.Login).Script(mfatest.PingIDOutcome{ErrorID: 200})
	v := &mfa.Validation{Who: person, Guard: new(mfa.Guard), Clock: wallClock{}}
	required := []mfa.Required{
		{ID: "1", Name: "duo", Method: duoMethod(t, duoSrv, nil)},
		{ID: "2", Name: "pingid", Method: pingIDMethod(t, pingSrv, nil)},
	}
	require.NoError(t, v.Run(t.Context(), required, nil))
	assert.True(t, v.Passed(required))
	assert.Equal(t, 1, atDuo.Pushes())
	assert.Equal(t, 1, atPing.Pushes())
}

// TestServiceStrangeCertificate: a host that nobody vouches for is sent nothing.
func TestServiceStrangeCertificate(t *testing.T) {
	t.Parallel()
	duoSrv, pingSrv := mfatest.NewDuo(t), mfatest.NewPingID(t)
	for name, method := range map[string]mfa.Method{
		"duo":    duoMethod(t, duoSrv, func(c *mfa.DuoConfig) { c.RootCAs = pingSrv.CertPool() }),
		"pingid": pingIDMethod(t, pingSrv, func(c *mfa.PingIDConfig) { c.RootCAs = duoSrv.CertPool() }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := method.Prepare(t.Context(), person, mfa.Credential{})
			assert.ErrorIs(t, err, mfa.ErrServiceUnreachable)
			assert.True(t, mfa.NotSent(err))
			assert.Empty(t, append(duoSrv.Requests(), pingSrv.Requests()...))
		})
	}
}

// TestServiceCallerLeaves: a login that its client has left ends at once.
func TestServiceCallerLeaves(t *testing.T) {
	t.Parallel()
	duoSrv, pingSrv := mfatest.NewDuo(t), mfatest.NewPingID(t)
	duoSrv.Fail(mfatest.Fault{Hang: true})
	pingSrv.Fail(mfatest.Fault{Hang: true})
	for name, method := range map[string]mfa.Method{
		"duo": duoMethod(t, duoSrv, nil), "pingid": pingIDMethod(t, pingSrv, nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			begin := time.Now()
			_, err := method.Prepare(ctx, person, mfa.Credential{})
			assert.ErrorIs(t, err, context.Canceled)
			assert.Less(t, time.Since(begin), 5*time.Second)

			late, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err = method.Prepare(late, person, mfa.Credential{})
			assert.ErrorIs(t, err, mfa.ErrServiceTimeout)
		})
	}
}
