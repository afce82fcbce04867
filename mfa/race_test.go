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

// slowAuthn is a script whose nth request is answered only when gate is closed.
type slowAuthn struct {
	*script
	slow    int
	gate    chan struct{}
	entered chan struct{}
	mu      sync.Mutex
	n       int
}

func slowly(slow int, answers ...any) *slowAuthn {
	return &slowAuthn{script: scripted(answers...), slow: slow, gate: make(chan struct{}), entered: make(chan struct{})}
}

func (a *slowAuthn) Verify(ctx context.Context, t okta.Transaction, f okta.Factor, passCode string) (okta.Transaction, error) {
	a.mu.Lock()
	a.n++
	slow := a.n == a.slow
	a.mu.Unlock()
	if slow {
		close(a.entered)
		select {
		case <-a.gate:
		case <-ctx.Done():
			return okta.Transaction{}, ctx.Err()
		}
	}
	return a.script.Verify(ctx, t, f, passCode)
}

// TestCancelDuringACall: who cancels does not wait for Okta, and the call that is
// being served brings no success any more.
func TestCancelDuringACall(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{})
	authn := slowly(2, waiting(phone), success(mia))
	flow := m.flow(authn, ours)
	flow.Hold = true
	l, err := flow.Begin(t.Context(), required(phone), mfa.Input{Want: want{}})
	require.NoError(t, err)
	m.clock.Advance(due)
	done := make(chan error)
	go func() {
		_, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
		done <- err
	}()
	<-authn.entered
	l.Cancel(t.Context(), mfa.Flow{})
	assert.ErrorIs(t, <-done, mfa.ErrOver)
	assert.True(t, l.Over())
	assert.Zero(t, whom(l))
	assert.Equal(t, "verify opf1 t1, cancel t1", authn.asked(), "the slow one never got through")
}

// TestResendsDoNotWaitForEachOther: two logins that each have another code sent
// again, while each replaces the other's, both end.
func TestResendsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{})
	start := func(ctx context.Context, authn mfa.Authn, token string, w want) (*mfa.Session, error) {
		flow := m.flow(authn, ours)
		flow.Hold = true
		return flow.Begin(ctx, on(token, required(sms, email)), mfa.Input{Want: w})
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a := slowly(2, on("a", sent(sms)))
	b := slowly(0, on("b", sent(email)))
	c := slowly(1, on("b", sent(email)))
	first, err := start(ctx, a, "a", want{Kind: mfa.KindSMS})
	require.NoError(t, err)

	var all sync.WaitGroup
	all.Go(func() { _, _ = first.Continue(ctx, mfa.Flow{}, mfa.Input{Want: want{Kind: mfa.KindSMS, Resend: true}}) })
	<-a.entered // in the turn of the SMS
	replaced := make(chan struct{})
	b.each = sync.OnceFunc(func() { close(replaced) })
	all.Go(func() { _, _ = start(ctx, b, "b", want{Kind: mfa.KindEmail}) })
	<-replaced
	// The e-mail takes the place of the SMS as soon as it has been sent.
	require.Eventually(t, func() bool {
		l, err := start(ctx, scripted(), "x", want{Kind: mfa.KindEmail})
		if err == nil {
			s, _ := l.State(ctx)
			l.Close(ctx)
			return s.Phase == mfa.PhasePassCode
		}
		return false
	}, patience, time.Millisecond)
	all.Go(func() { _, _ = start(ctx, c, "c", want{Kind: mfa.KindEmail, Resend: true}) })
	<-c.entered // in the turn of the e-mail
	close(a.gate)
	close(c.gate)
	all.Wait()
	assert.NoError(t, ctx.Err())
}

// TestHangUpIsNoWayRound: a caller who hangs up as soon as the push is on its way
// gets no more of them than one who waits.
func TestHangUpIsNoWayRound(t *testing.T) {
	t.Parallel()
	for _, hold := range []bool{false, true} {
		m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			authn := scripted(waiting(phone))
			authn.each = cancel
			flow := m.flow(authn, ours)
			flow.Hold = hold
			l, err := run(ctx, flow, required(phone), want{})
			require.ErrorIs(t, err, context.Canceled)
			l.Close(ctx)
		}
		assertWait(t, m.login(t, ours, success(mia)), 10*time.Minute, false)
	}
}

// TestReplaceAtTheLimit: a push that is the last one is not withdrawn for another
// that would then be one too many.
func TestReplaceAtTheLimit(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
	for range 2 {
		require.ErrorIs(t, m.login(t, ours, challenge(phone, okta.ResultTimeout)), mfa.ErrPushTimeout)
	}
	authn := scripted(waiting(phone))
	last, err := m.hold(t, authn, ours, required(phone))
	require.NoError(t, err)
	assertWait(t, m.login(t, ours, success(mia)), 5*time.Minute, true)
	assert.False(t, last.Over())
	assert.Equal(t, "verify opf1 t1", authn.asked())
}

// TestSwitchThatIsRefused gives nothing up: neither a code that waits nor a push.
func TestSwitchThatIsRefused(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 1, Window: 10 * time.Minute})
	waits, err := m.hold(t, scripted(waiting(phone)), ours, required(phone, tablet))
	require.NoError(t, err)
	s, err := waits.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{Device: "Tablet"}})
	assertWait(t, err, 10*time.Minute, false)
	assert.Equal(t, mfa.PhaseWaiting, s.Phase)
	waits.Close(t.Context())

	m = newMount(mfa.PushLimit{Failures: 1, Window: 10 * time.Minute})
	authn := scripted(sent(sms), success(mia))
	flow := m.flow(authn, ours)
	flow.Hold = true
	l, err := flow.Begin(t.Context(), required(phone, sms), mfa.Input{Want: want{Kind: mfa.KindSMS}})
	require.NoError(t, err)
	_, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{Kind: mfa.KindPush}})
	assertWait(t, err, 10*time.Minute, false)
	s, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: code}})
	assert.NoError(t, err)
	assert.Equal(t, mfa.PhaseDone, s.Phase)
	assert.Equal(t, "verify sms1 t1, verify sms1 t1 123456", authn.asked())
}

// TestExpiredBehindOneOfTheirPhones: an approval that lets nobody in ends the
// login, and the other phones ring no more.
func TestExpiredBehindOneOfTheirPhones(t *testing.T) {
	t.Parallel()
	authn := scripted(waiting(phone), on("t2", required(phone, tablet)), on("t2", waiting(tablet)), state(okta.StatusPasswordExpired))
	flow := authn.flow()
	flow.Policy.AllDevices = true
	_, err := run(t.Context(), flow, required(phone, tablet), want{})
	assert.ErrorIs(t, err, mfa.ErrPasswordExpired)
	assert.Equal(t, "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, cancel t1, cancel t2", authn.asked())
}

// TestPassCodeAnswersWhatWasAskedFor: a factor that was chosen by itself is the
// only one that a passcode by itself is tried on.
func TestPassCodeAnswersWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		choose   want
		passCode string
		asked    string
	}{
		"question": {want{Kind: mfa.KindQuestion}, "porridge", "verify ufs1 t1 porridge"},
		"provider": {want{Kind: mfa.KindTOTP, Provider: okta.ProviderGoogle}, code, "verify uft1 t1 123456"},
		"nothing":  {want{}, code, "verify rsa1 t1 123456"},
	} {
		authn := scripted(success(mia))
		flow := authn.flow()
		flow.Hold = true
		l, err := flow.Begin(t.Context(), required(rsa, verify, google, question), mfa.Input{Want: want{}})
		require.NoError(t, err)
		if tc.choose != (want{}) {
			_, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: tc.choose})
			require.NoError(t, err)
		}
		_, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: tc.passCode}})
		assert.NoError(t, err, name)
		assert.Equal(t, tc.asked, authn.asked(), name)
	}
}

// TestPolicyOfTheDay: a held login goes on as the mount is configured now, and on
// behalf of whoever calls.
func TestPolicyOfTheDay(t *testing.T) {
	t.Parallel()
	authn, later := scripted(), scripted(success(mia))
	flow := authn.flow()
	flow.Hold = true
	hold := func() *mfa.Session {
		l, err := flow.Begin(t.Context(), required(verify, google), mfa.Input{Want: want{Provider: okta.ProviderGoogle}})
		require.NoError(t, err)
		return l
	}
	now := flow
	now.Okta = later
	_, err := hold().Continue(t.Context(), now, mfa.Input{Want: want{PassCode: code}})
	assert.NoError(t, err)
	assert.Equal(t, "verify uft1 t1 123456", later.asked())

	hold().Cancel(t.Context(), now)
	assert.Equal(t, "cancel t1", later.asked())

	now.Policy.Factors = []mfa.Kind{mfa.KindPush}
	_, err = hold().Continue(t.Context(), now, mfa.Input{Want: want{PassCode: code}})
	assert.ErrorIs(t, err, mfa.ErrOver)
	assert.Equal(t, "cancel t1", later.asked())
	assert.Empty(t, authn.asked())
}

// TestCodeOfAHeldLoginIsOneLoginsAtATime: while a login holds the transaction of a code,
// another login brings the code. Of what the two share, each reads and changes nothing
// out of the code's turn: the passcode is verified on behalf of whoever brings it.
func TestCodeOfAHeldLoginIsOneLoginsAtATime(t *testing.T) {
	t.Parallel()
	for range 20 {
		m := newMount(mfa.PushLimit{Failures: 1, Window: time.Hour})
		authn := scripted(sent(sms), refused(okta.CodeInvalidPassCode), sent(sms))
		flow := m.flow(authn, ours)
		flow.Hold = true
		holder, err := flow.Begin(t.Context(), required(sms, phone), mfa.Input{Want: want{Kind: mfa.KindSMS}})
		require.NoError(t, err)
		other := m.flow(authn, theirs)
		other.Hold = true
		var all sync.WaitGroup
		all.Go(func() {
			for range 20 {
				_, err := holder.Continue(t.Context(), flow, mfa.Input{})
				assert.NoError(t, err)
				_, err = holder.Continue(t.Context(), flow, mfa.Input{Want: want{Kind: mfa.KindPush}})
				assertError(t, errRefused, err)
			}
			holder.Expire(t.Context())
		})
		all.Go(func() {
			for range 20 {
				s, _ := other.Begin(t.Context(), on("x", required(sms)), mfa.Input{Want: want{PassCode: code}})
				s.Close(t.Context())
			}
		})
		all.Wait()
	}
}
