package mfa_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// leavingAuthn is a script whose Cancel is answered only when gate is closed.
type leavingAuthn struct {
	*script
	entered, gate chan struct{}
}

func leaving(answers ...any) *leavingAuthn {
	return &leavingAuthn{scripted(answers...), make(chan struct{}), make(chan struct{})}
}

func (a *leavingAuthn) Cancel(ctx context.Context, t okta.Transaction) error {
	close(a.entered)
	select {
	case <-a.gate:
	case <-ctx.Done():
	}
	return a.script.Cancel(ctx, t)
}

// interrupted begins a login whose push waits, and interrupts it. It returns the
// login's error to come.
func interrupted(t *testing.T, m *mount, authn mfa.Authn) <-chan error {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	parked := newParkedClock(m.clock)
	flow := m.flow(authn, ours)
	flow.Clock = parked
	done := begin(func() error {
		_, err := run(ctx, flow, m.fresh(required(phone)), want{})
		return err
	})
	soon(t, parked.asleep)
	interrupt()
	return done
}

// second logs in with another nonce, for a push that nobody answers. It returns the
// login's error to come, and what is closed when the login has begun.
func (m *mount) second(ctx context.Context, authn *script) (done <-chan error, begun <-chan struct{}) {
	skipped := make(chan struct{})
	authn.each = sync.OnceFunc(func() { close(skipped) })
	authn.add(on("t2", required(phone)), on("t2", waiting(phone)), on("t2", challenge(phone, okta.ResultTimeout)))
	return begin(func() error {
		_, err := run(ctx, m.flow(authn, theirs), on("t2", state(okta.StatusPasswordWarn)), want{})
		return err
	}), skipped
}

// TestInterruptAndTryAgain: a person who presses Ctrl-C and logs in again at once, with
// the new nonce of the new command, gets a push and no refusal. The push before is
// taken back at Okta first, and counts as one that nobody answered.
func TestInterruptAndTryAgain(t *testing.T) {
	t.Parallel()
	t.Run("while the first one is ending", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{Failures: 2, Window: 10 * time.Minute})
		authn := leaving(waiting(phone))
		first := interrupted(t, m, authn)
		soon(t, authn.entered) // Okta is slow to take the push back
		authn.asked()
		second, begun := m.second(t.Context(), authn.script)
		soon(t, begun)
		assert.Empty(t, second)
		close(authn.gate)
		assert.ErrorIs(t, soon(t, first), context.Canceled)
		assert.ErrorIs(t, soon(t, second), mfa.ErrPushTimeout)
		assert.Equal(t, "skip t2, cancel t1, verify opf1 t2, verify opf1 t2, cancel t2", authn.asked())
		assertError(t, errRefused, m.login(t, theirs, success(mia))) // both count
	})
	t.Run("as soon as it has been interrupted", func(t *testing.T) {
		t.Parallel()
		for range 50 {
			m := newMount(mfa.PushLimit{})
			authn := scripted(waiting(phone))
			first := interrupted(t, m, authn)
			assert.NoError(t, m.login(t, theirs, success(mia)))
			assert.ErrorIs(t, soon(t, first), context.Canceled)
		}
	})
	t.Run("where the first was the last that may go wrong", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{Failures: 1, Window: 10 * time.Minute})
		authn := leaving(waiting(phone))
		first := interrupted(t, m, authn)
		soon(t, authn.entered)
		assertWait(t, m.login(t, theirs), 10*time.Minute, false)
		close(authn.gate)
		soon(t, first)
		assertWait(t, m.login(t, theirs), 10*time.Minute, false)
	})
	t.Run("a method's push", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{}).waits()
		b.phone.slow = make(chan struct{})
		ctx, interrupt := context.WithCancel(t.Context())
		first := begin(func() error { return b.validation(ours).Run(ctx, need(b.phone), nil) })
		push := soon(t, b.phone.rang)
		interrupt()
		soon(t, push.withdrawn)
		prepared := make(chan struct{})
		method := slowToRing{b.phone, func() { assert.Contains(t, b.journal.read(), "gone phone", "first") }}
		second := begin(func() error {
			v := b.validation(theirs)
			v.flow.Groups = func(context.Context, string) ([]okta.Group, error) { close(prepared); return nil, nil }
			return v.Run(t.Context(), []mfa.Required{{ID: "1", Name: "phone", Method: method}}, nil)
		})
		soon(t, prepared)
		close(b.phone.slow)
		assert.ErrorIs(t, soon(t, first), context.Canceled)
		soon(t, b.phone.rang)
		b.phone.decided <- nil
		assert.NoError(t, soon(t, second))
	})
	t.Run("a held login that is cancelled", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := leaving(waiting(phone))
		flow := m.flow(authn, ours)
		flow.Hold = true
		held, err := flow.Begin(t.Context(), required(phone), mfa.Input{})
		require.NoError(t, err)
		cancelled := begin(func() error { held.Cancel(t.Context(), mfa.Flow{}); return nil })
		soon(t, authn.entered)
		second := begin(func() error { return m.login(t, theirs, success(mia)) })
		close(authn.gate)
		assert.NoError(t, soon(t, second))
		assert.NoError(t, soon(t, cancelled))
	})
}

// TestWaitForAnEndIsBounded: a login that waits for another one to end waits no longer
// than its own client, and does not ring for nobody.
func TestWaitForAnEndIsBounded(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{})
	authn := leaving(waiting(phone))
	first := interrupted(t, m, authn)
	soon(t, authn.entered)
	authn.asked()
	ctx, leave := context.WithCancel(t.Context())
	second, begun := m.second(ctx, authn.script)
	soon(t, begun)
	leave()
	assert.ErrorIs(t, soon(t, second), context.Canceled)
	assert.Equal(t, "skip t2, cancel t2", authn.asked())
	close(authn.gate)
	soon(t, first)
}

// TestRepeatedRequestTakesItsOwnPlace: Vault's client repeats a request by itself, with
// the same nonce, and gets its own push again; nobody else does.
func TestRepeatedRequestTakesItsOwnPlace(t *testing.T) {
	t.Parallel()
	m := newMount(threeInTen)
	held, err := m.hold(t, scripted(waiting(phone)), ours, required(phone))
	require.NoError(t, err)
	assertWait(t, m.login(t, theirs, success(mia)), 5*time.Minute, true)
	assertWait(t, m.login(t, "", success(mia)), 5*time.Minute, true)
	assert.False(t, held.Over())
	assert.NoError(t, m.login(t, ours, success(mia)))
	assert.True(t, held.Over())
}
