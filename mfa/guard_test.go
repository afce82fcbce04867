package mfa_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	here  = "192.0.2.1"
	there = "203.0.113.9"

	ours   = "nonce-of-one-client"
	theirs = "nonce-of-another"
)

// mount is what the logins of one mount share.
type mount struct {
	mfa.Mount
	clock *fakeClock
	limit mfa.PushLimit
}

func newMount(limit mfa.PushLimit) *mount { return &mount{clock: newClock(), limit: limit} }

// flow is that of a login with a nonce.
func (m *mount) flow(authn mfa.Authn, nonce string) mfa.Flow {
	return mfa.Flow{
		Okta: authn, Mount: &m.Mount, Clock: m.clock, Nonce: nonce,
		Policy: mfa.Policy{Push: m.limit}, Show: func(mfa.Number) {},
	}
}

// login runs a blocking login of mia on one phone.
func (m *mount) login(t *testing.T, nonce string, answers ...any) error {
	t.Helper()
	answers = slices.Clone(answers)
	for i, answer := range answers {
		if tx, is := answer.(okta.Transaction); is {
			answers[i] = m.fresh(tx)
		}
	}
	_, err := run(t.Context(), m.flow(scripted(answers...), nonce), m.fresh(required(phone)), want{})
	return err
}

// fresh lets a transaction live as long from now on as it did from noon.
func (m *mount) fresh(tx okta.Transaction) okta.Transaction {
	tx.ExpiresAt = m.clock.Now().Add(tx.ExpiresAt.Sub(noon))
	return tx
}

// hold starts a held login of mia on one phone, which waits.
func (m *mount) hold(t *testing.T, authn *script, nonce string, tx okta.Transaction) (*mfa.Session, error) {
	t.Helper()
	flow := m.flow(authn, nonce)
	flow.Hold = true
	return flow.Begin(t.Context(), tx, mfa.Input{Want: want{}})
}

func assertWait(t *testing.T, err error, wait time.Duration, waits bool) {
	t.Helper()
	var refusal *mfa.ChallengeRefusedError
	if assert.ErrorAs(t, err, &refusal) {
		assert.Equal(t, mfa.ChallengeRefusedError{Wait: wait, Waiting: waits}, *refusal)
	}
}

// TestOneWaitingPush: while one waits, other logins of the same person get none, and
// nothing of theirs reaches the phone. Their address is no proof of who they are.
func TestOneWaitingPush(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, first, second string
		unattended          bool
	}{
		{name: "another nonce", first: ours, second: theirs},
		{name: "no nonce", first: ours, second: ""},
		{name: "a nonce, where the first has none", first: "", second: theirs},
		{name: "both without a nonce", first: "", second: ""},
		{name: "unattended, with the same nonce", first: ours, second: ours, unattended: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(mfa.PushLimit{})
			authn := scripted(waiting(phone))
			first := m.flow(authn, tc.first)
			first.Hold, first.Caller, first.Address = true, okta.Caller{Address: here}, here
			held, err := first.Begin(t.Context(), required(phone), mfa.Input{})
			require.NoError(t, err)
			m.clock.Advance(time.Minute)

			flow := m.flow(authn, tc.second)
			flow.Unattended, flow.Caller, flow.Address = tc.unattended, first.Caller, first.Address
			l, err := run(t.Context(), flow, on("t2", required(phone, verify)), want{})
			assertWait(t, err, 4*time.Minute, true)
			assert.False(t, l.Challenged())
			assert.Equal(t, "verify opf1 t1, cancel t2", authn.asked())

			authn.add(success(mia))
			_, err = run(t.Context(), flow, on("t3", required(phone, verify)), want{PassCode: code})
			assert.NoError(t, err, "a passcode needs nobody's leave")
			_, err = run(t.Context(), m.flow(scripted(success(eve)), tc.second), func() okta.Transaction {
				tx := required(phone)
				tx.User = eve
				return tx
			}(), want{})
			assert.NoError(t, err, "somebody else has a phone of their own")

			authn.asked()
			_, err = held.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
			assert.NoError(t, err)
			assert.True(t, held.Over(), "the one that waits goes on")
			assert.NoError(t, m.login(t, tc.second, success(mia)), "and makes room")
		})
	}
}

// TestUnattendedMayWait: a login that nobody watches gets its push like any other.
func TestUnattendedMayWait(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{})
	authn := scripted(waiting(phone))
	flow := m.flow(authn, "")
	flow.Unattended, flow.Hold = true, true
	renewal, err := flow.Begin(t.Context(), required(phone), mfa.Input{Want: want{}})
	require.NoError(t, err)
	assertWait(t, m.login(t, ours), 5*time.Minute, true)
	authn.add(success(mia))
	m.clock.Advance(due)
	st, err := renewal.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
	require.NoError(t, err)
	assert.Equal(t, mfa.PhaseDone, st.Phase)
	assert.NoError(t, m.login(t, ours, success(mia)))
}

// TestReplace: a client that repeats its login with the same nonce takes the place of
// the one before. The push before is withdrawn at Okta before the new one is sent.
func TestReplace(t *testing.T) {
	t.Parallel()
	t.Run("held", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := scripted(waiting(phone), on("t2", waiting(phone)), success(mia))
		held, err := m.hold(t, authn, ours, required(phone))
		require.NoError(t, err)
		_, err = run(t.Context(), m.flow(authn, ours), on("t2", required(phone)), want{})
		assert.NoError(t, err)
		assert.Equal(t, "verify opf1 t1, cancel t1, verify opf1 t2, verify opf1 t2", authn.asked())
		assert.True(t, held.Over())
		_, err = held.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
		assert.ErrorIs(t, err, mfa.ErrReplaced)
		assert.Empty(t, authn.asked())
	})
	t.Run("blocking", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := scripted(waiting(phone), on("t2", waiting(phone)), success(mia))
		flow := m.flow(authn, ours)
		parked := newParkedClock(m.clock)
		flow.Clock = parked
		l, err := flow.Begin(t.Context(), required(phone), mfa.Input{Want: want{}})
		require.NoError(t, err)
		done := make(chan error)
		go func() { done <- l.Run(t.Context()) }()
		<-parked.asleep
		_, err = run(t.Context(), m.flow(authn, ours), on("t2", required(phone)), want{})
		assert.NoError(t, err)
		assert.ErrorIs(t, <-done, mfa.ErrReplaced)
		assert.Zero(t, whom(l))
		assert.Equal(t, "verify opf1 t1, cancel t1, verify opf1 t2, verify opf1 t2", authn.asked())
	})
	t.Run("blocking, several phones", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := scripted(waiting(phone), on("t2", required(phone, tablet)), on("t2", waiting(tablet)), on("t3", waiting(phone)), success(mia))
		flow := m.flow(authn, ours)
		flow.Policy.AllDevices, flow.Again = true, authn.again
		_, err := flow.Begin(t.Context(), required(phone, tablet), mfa.Input{Want: want{}})
		require.NoError(t, err)
		_, err = run(t.Context(), m.flow(authn, ours), on("t3", required(phone)), want{})
		assert.NoError(t, err)
		assert.Equal(t, "verify opf1 t1, again, verify opf2 t2, cancel t1, cancel t2, verify opf1 t3, verify opf1 t3", authn.asked())
	})
	t.Run("by one whose caller has left", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := scripted(waiting(phone))
		_, err := m.hold(t, authn, ours, required(phone))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		canceller := &script{answers: said(required(phone)), each: cancel}
		_, err = run(ctx, m.flow(canceller, ours), on("t2", state(okta.StatusPasswordWarn)), want{})
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, "skip t2, cancel t2", canceller.asked(), "no push for nobody")
	})
}

// parkedClock sleeps until its login ends.
type parkedClock struct {
	*fakeClock
	asleep chan struct{}
}

func newParkedClock(c *fakeClock) *parkedClock { return &parkedClock{c, make(chan struct{})} }

func (c *parkedClock) Sleep(ctx context.Context, _ time.Duration) error {
	close(c.asleep)
	<-ctx.Done()
	return ctx.Err()
}

// TestPushLimit: what counts against the limit of three in ten minutes, and what
// is forgiven.
func TestPushLimit(t *testing.T) {
	t.Parallel()
	rejected := challenge(phone, okta.ResultRejected)
	timeout := challenge(phone, okta.ResultTimeout)
	history := map[string][]any{
		"rejected":         {waiting(phone), rejected},
		"rejected at once": {rejected},
		"service rejected": {waiting(phone), refused(okta.CodeFactorRejected)},
		"timeout":          {waiting(phone), timeout},
		"too old an app":   {waiting(phone), challenge(phone, okta.ResultUpgradeRequired)},
		"cancelled":        {waiting(phone), challenge(phone, okta.ResultCancelled)},
		"approved":         {waiting(phone), success(mia)},
		"5xx":              {broken()},
		"5xx later":        {waiting(phone), broken()},
		"unreachable":      {okta.ErrUnreachable},
		"refused":          {refused("E0000006")},
		"rate limit":       {tooSoon("E0000047")},
		"factor failed":    {waiting(phone), challenge(phone, okta.ResultError)},
		"service timeout":  {waiting(phone), &okta.Error{HTTPStatus: 504, Code: "E0000067"}},
		"strange":          {waiting(phone), challenge(phone, "MAYBE")},
		"malformed":        {waiting(tablet)},
		"expired password": {waiting(phone), state(okta.StatusPasswordExpired)},
	}
	for _, tc := range []struct {
		name   string
		events []string
		refuse bool
	}{
		{"nothing", nil, false},
		{"two rejections", []string{"rejected", "rejected"}, false},
		{"three rejections", []string{"rejected", "rejected at once", "service rejected"}, true},
		{"three timeouts", []string{"timeout", "timeout", "timeout"}, true},
		{"three cancelled", []string{"cancelled", "cancelled", "cancelled"}, true},
		{"three abandoned", []string{"abandoned", "abandoned", "abandoned"}, true},
		{"three without an end", []string{"closed", "closed", "closed"}, true},
		{"three cancelled by the person", []string{"withdrawn", "withdrawn", "withdrawn"}, true},
		{"three given up by Okta", []string{"expired", "expired", "expired"}, true},
		{"three of all sorts", []string{"rejected", "timeout", "abandoned"}, true},
		{"approval forgives timeouts", []string{"timeout", "timeout", "approved", "timeout", "abandoned"}, false},
		{"three that an old app cannot show", []string{"too old an app", "too old an app", "too old an app"}, true},
		{"approval forgives what an old app cannot show", []string{"too old an app", "too old an app", "approved", "too old an app", "timeout"}, false},
		{"approval does not forgive rejections", []string{"rejected", "timeout", "approved", "rejected", "rejected"}, true},
		{"approval before all", []string{"approved", "rejected", "rejected"}, false},
		{"Okta refuses to send one", []string{"refused", "rate limit", "refused", "rate limit"}, false},
		{"failures after which the phone may ring", []string{"5xx", "unreachable", "malformed"}, true},
		{"failures while the phone rings", []string{"5xx later", "factor failed", "service timeout"}, true},
		{"an answer that nobody knows", []string{"strange", "strange", "strange"}, true},
		{"Okta's failures forgive nothing", []string{"rejected", "timeout", "refused", "rejected"}, true},
		{"approval behind which the password has expired", []string{"expired password", "expired password", "expired password"}, false},
		{"three, but not within the window", []string{"rejected", "rejected", "ten minutes", "rejected", "rejected"}, false},
		{"passcodes", []string{"passcode", "passcode", "passcode", "passcode"}, false},
		{"passcodes forgive nothing", []string{"rejected", "rejected", "right passcode", "rejected"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
			for _, event := range tc.events {
				switch event {
				case "ten minutes":
					m.clock.Advance(10 * time.Minute)
				case "abandoned":
					ctx, cancel := context.WithCancel(t.Context())
					authn := scripted(waiting(phone), waiting(phone))
					n := 0
					authn.each = func() {
						if n++; n == 2 {
							cancel()
						}
					}
					_, err := run(ctx, m.flow(authn, ours), m.fresh(required(phone)), want{})
					require.ErrorIs(t, err, context.Canceled)
				case "closed", "withdrawn", "expired":
					l, err := m.hold(t, scripted(m.fresh(waiting(phone))), ours, m.fresh(required(phone)))
					require.NoError(t, err)
					map[string]func(context.Context){"closed": l.Close, "withdrawn": func(ctx context.Context) { l.Cancel(ctx, mfa.Flow{}) }, "expired": l.Expire}[event](t.Context())
				case "passcode", "right passcode":
					answer := any(refused(okta.CodeInvalidPassCode))
					if event == "right passcode" {
						answer = success(mia)
					}
					_, err := run(t.Context(), m.flow(scripted(answer), ours), required(phone, verify), want{PassCode: code})
					require.Equal(t, event == "right passcode", err == nil)
				default:
					require.Contains(t, history, event)
					err := m.login(t, ours, history[event]...)
					require.Equal(t, event == "approved", err == nil, event)
				}
			}
			m.clock.Advance(time.Minute)
			authn := scripted(success(mia))
			_, err := run(t.Context(), m.flow(authn, ours), m.fresh(required(phone, verify)), want{})
			if !tc.refuse {
				assert.NoError(t, err)
				return
			}
			assertWait(t, err, 9*time.Minute, false)
			assert.Equal(t, "cancel t1", authn.asked(), "nothing reaches the phone")
			_, err = run(t.Context(), m.flow(authn, ours), required(phone, verify), want{PassCode: code})
			assert.NoError(t, err, "a passcode is not refused")
			m.clock.Advance(9*time.Minute - time.Nanosecond)
			m.Tidy(m.clock.Now())
			assertWait(t, m.login(t, theirs, success(mia)), time.Nanosecond, false)
			m.clock.Advance(time.Nanosecond)
			assert.NoError(t, m.login(t, theirs, success(mia)), "the window passes")
		})
	}
}

// TestAbandonedHold: a held login that nobody goes on with makes room when its
// push has expired, and counts then.
func TestAbandonedHold(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 2, Window: 10 * time.Minute})
	for range 2 {
		_, err := m.hold(t, scripted(m.fresh(waiting(phone))), ours, m.fresh(required(phone)))
		require.NoError(t, err)
		m.clock.Advance(5*time.Minute - time.Second)
		assertWait(t, m.login(t, theirs, success(mia)), time.Second, true)
		m.clock.Advance(2 * time.Second)
	}
	// It went wrong when it expired, not when somebody asked.
	m.clock.Advance(time.Minute)
	assertWait(t, m.login(t, theirs, success(mia)), 9*time.Minute-time.Second, false)
	m.Tidy(m.clock.Now())
	assertWait(t, m.login(t, theirs, success(mia)), 9*time.Minute-time.Second, false)
	m.clock.Advance(9 * time.Minute)
	assert.NoError(t, m.login(t, theirs, success(mia)))
}

// TestGuardTidy: what is forgotten is what does not matter any more.
func TestGuardTidy(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 2, Window: 24 * time.Hour})
	m.Tidy(noon)
	require.ErrorIs(t, m.login(t, ours, challenge(phone, okta.ResultRejected)), mfa.ErrRejected)
	l, err := m.hold(t, scripted(waiting(phone)), ours, required(phone))
	require.NoError(t, err)
	m.Tidy(m.clock.Now())
	assertWait(t, m.login(t, theirs), 5*time.Minute, true)
	m.clock.Advance(time.Hour)
	m.Tidy(m.clock.Now())
	assertWait(t, m.login(t, theirs), 23*time.Hour+5*time.Minute, false)
	l.Close(t.Context())
	m.clock.Advance(24 * time.Hour)
	m.Tidy(m.clock.Now())
	assert.NoError(t, m.login(t, theirs, success(mia)))
}

// TestGuardRace: of many logins at the same time, with as many nonces, one gets a
// push; with one nonce, one stays.
func TestGuardRace(t *testing.T) {
	t.Parallel()
	for name, nonce := range map[string]func(n int) string{
		"many nonces": func(n int) string { return string(rune('a' + n)) },
		"one nonce":   func(int) string { return ours },
		"two nonces":  func(n int) string { return []string{ours, theirs}[n%2] },
		"no nonce":    func(int) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const logins = 12
			m := newMount(mfa.PushLimit{})
			var all sync.WaitGroup
			errs, held := make([]error, logins), make([]*mfa.Session, logins)
			for n := range logins {
				all.Go(func() {
					held[n], errs[n] = m.hold(t, scripted(waiting(phone)), nonce(n), required(phone))
				})
			}
			all.Wait()
			waiting := 0
			for n, l := range held {
				s, err := l.State(t.Context())
				var refusal *mfa.ChallengeRefusedError
				switch {
				case errors.As(errs[n], &refusal):
					assert.True(t, refusal.Waiting)
					assert.NotEqual(t, "one nonce", name)
				case errs[n] != nil:
					assert.ErrorIs(t, errs[n], mfa.ErrReplaced)
				case err != nil:
					assert.True(t, l.Over())
				case s.Phase == mfa.PhaseWaiting:
					waiting++
				}
				l.Close(t.Context())
			}
			assert.Equal(t, 1, waiting)
			assert.NoError(t, m.login(t, "", success(mia)), "all have made room")
		})
	}
}
