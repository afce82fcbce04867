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
)

// mount is what the logins of one mount share.
type mount struct {
	mfa.Mount
	clock *fakeClock
	limit mfa.PushLimit
}

func newMount(limit mfa.PushLimit) *mount { return &mount{clock: newClock(), limit: limit} }

// flow is that of a login from origin.
func (m *mount) flow(authn mfa.Authn, origin string) mfa.Flow {
	return mfa.Flow{
		Okta: authn, Mount: &m.Mount, Clock: m.clock, Origin: origin,
		Policy: mfa.Policy{Push: m.limit}, Show: func(mfa.Number) {},
	}
}

// login runs a blocking login of mia on one phone.
func (m *mount) login(t *testing.T, origin string, answers ...any) error {
	t.Helper()
	answers = slices.Clone(answers)
	for i, answer := range answers {
		if tx, is := answer.(okta.Transaction); is {
			answers[i] = m.fresh(tx)
		}
	}
	_, err := run(t.Context(), m.flow(scripted(answers...), origin), m.fresh(required(phone)), want{})
	return err
}

// fresh lets a transaction live as long from now on as it did from noon.
func (m *mount) fresh(tx okta.Transaction) okta.Transaction {
	tx.ExpiresAt = m.clock.Now().Add(tx.ExpiresAt.Sub(noon))
	return tx
}

// hold starts a held login of mia on one phone, which waits.
func (m *mount) hold(t *testing.T, authn *script, origin string, tx okta.Transaction) (*mfa.Session, error) {
	t.Helper()
	flow := m.flow(authn, origin)
	flow.Hold = true
	return flow.Begin(t.Context(), tx, mfa.Input{Want: want{}})
}

func assertWait(t *testing.T, err error, wait time.Duration, waits bool) {
	t.Helper()
	var refusal *mfa.PushRefusedError
	if assert.ErrorAs(t, err, &refusal) {
		assert.Equal(t, mfa.PushRefusedError{Wait: wait, Waiting: waits}, *refusal)
	}
}

// TestOneWaitingPush: while one waits, logins of the same person from elsewhere
// get none, and nothing of theirs reaches the phone.
func TestOneWaitingPush(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, first, second string
		unattended          bool
	}{
		{name: "from elsewhere", first: here, second: there},
		{name: "from nowhere", first: here, second: ""},
		{name: "both from nowhere", first: "", second: ""},
		{name: "unattended, from the same place", first: here, second: here, unattended: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(mfa.PushLimit{})
			authn := scripted(waiting(phone))
			held, err := m.hold(t, authn, tc.first, required(phone))
			require.NoError(t, err)
			m.clock.Advance(time.Minute)

			flow := m.flow(authn, tc.second)
			flow.Unattended = tc.unattended
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

// TestUnattendedMayWait: a login that nobody watches gets its push like any
// other, and a person may take its place.
func TestUnattendedMayWait(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{})
	authn := scripted(waiting(phone))
	flow := m.flow(authn, here)
	flow.Unattended = true
	_, err := flow.Begin(t.Context(), required(phone), mfa.Input{Want: want{}})
	require.NoError(t, err)
	authn.add(on("t2", waiting(phone)), success(mia))
	_, err = run(t.Context(), m.flow(authn, here), on("t2", required(phone)), want{})
	assert.NoError(t, err)
	assert.Equal(t, "verify opf1 t1, cancel t1, verify opf1 t2, verify opf1 t2", authn.asked())
}

// TestReplace: people interrupt a login and try again. The push before is
// withdrawn at Okta before the new one is sent.
func TestReplace(t *testing.T) {
	t.Parallel()
	t.Run("held", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := scripted(waiting(phone), on("t2", waiting(phone)), success(mia))
		held, err := m.hold(t, authn, here, required(phone))
		require.NoError(t, err)
		_, err = run(t.Context(), m.flow(authn, here), on("t2", required(phone)), want{})
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
		flow := m.flow(authn, here)
		parked := newParkedClock(m.clock)
		flow.Clock = parked
		l, err := flow.Begin(t.Context(), required(phone), mfa.Input{Want: want{}})
		require.NoError(t, err)
		done := make(chan error)
		go func() { done <- l.Run(t.Context()) }()
		<-parked.asleep
		_, err = run(t.Context(), m.flow(authn, here), on("t2", required(phone)), want{})
		assert.NoError(t, err)
		assert.ErrorIs(t, <-done, mfa.ErrReplaced)
		assert.Zero(t, whom(l))
		assert.Equal(t, "verify opf1 t1, cancel t1, verify opf1 t2, verify opf1 t2", authn.asked())
	})
	t.Run("blocking, several phones", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := scripted(waiting(phone), on("t2", required(phone, tablet)), on("t2", waiting(tablet)), on("t3", waiting(phone)), success(mia))
		flow := m.flow(authn, here)
		flow.Policy.AllDevices, flow.Again = true, authn.again
		_, err := flow.Begin(t.Context(), required(phone, tablet), mfa.Input{Want: want{}})
		require.NoError(t, err)
		_, err = run(t.Context(), m.flow(authn, here), on("t3", required(phone)), want{})
		assert.NoError(t, err)
		assert.Equal(t, "verify opf1 t1, again, verify opf2 t2, cancel t1, cancel t2, verify opf1 t3, verify opf1 t3", authn.asked())
	})
	t.Run("by one whose caller has left", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := scripted(waiting(phone))
		_, err := m.hold(t, authn, here, required(phone))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		canceller := &script{answers: said(required(phone)), each: cancel}
		_, err = run(ctx, m.flow(canceller, here), on("t2", state(okta.StatusPasswordWarn)), want{})
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
					_, err := run(ctx, m.flow(authn, here), m.fresh(required(phone)), want{})
					require.ErrorIs(t, err, context.Canceled)
				case "closed", "withdrawn", "expired":
					l, err := m.hold(t, scripted(m.fresh(waiting(phone))), here, m.fresh(required(phone)))
					require.NoError(t, err)
					map[string]func(context.Context){"closed": l.Close, "withdrawn": func(ctx context.Context) { l.Cancel(ctx, mfa.Flow{}) }, "expired": l.Expire}[event](t.Context())
				case "passcode", "right passcode":
					answer := any(refused(okta.CodeInvalidPassCode))
					if event == "right passcode" {
						answer = success(mia)
					}
					_, err := run(t.Context(), m.flow(scripted(answer), here), required(phone, verify), want{PassCode: code})
					require.Equal(t, event == "right passcode", err == nil)
				default:
					require.Contains(t, history, event)
					err := m.login(t, here, history[event]...)
					require.Equal(t, event == "approved", err == nil, event)
				}
			}
			m.clock.Advance(time.Minute)
			authn := scripted(success(mia))
			_, err := run(t.Context(), m.flow(authn, here), required(phone, verify), want{})
			if !tc.refuse {
				assert.NoError(t, err)
				return
			}
			assertWait(t, err, 9*time.Minute, false)
			assert.Equal(t, "cancel t1", authn.asked(), "nothing reaches the phone")
			_, err = run(t.Context(), m.flow(authn, here), required(phone, verify), want{PassCode: code})
			assert.NoError(t, err, "a passcode is not refused")
			m.clock.Advance(9*time.Minute - time.Nanosecond)
			m.Tidy(m.clock.Now())
			assertWait(t, m.login(t, there, success(mia)), time.Nanosecond, false)
			m.clock.Advance(time.Nanosecond)
			assert.NoError(t, m.login(t, there, success(mia)), "the window passes")
		})
	}
}

// TestAbandonedHold: a held login that nobody goes on with makes room when its
// push has expired, and counts then.
func TestAbandonedHold(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 2, Window: 10 * time.Minute})
	for range 2 {
		_, err := m.hold(t, scripted(m.fresh(waiting(phone))), here, m.fresh(required(phone)))
		require.NoError(t, err)
		m.clock.Advance(5*time.Minute - time.Second)
		assertWait(t, m.login(t, there, success(mia)), time.Second, true)
		m.clock.Advance(2 * time.Second)
	}
	// It went wrong when it expired, not when somebody asked.
	m.clock.Advance(time.Minute)
	assertWait(t, m.login(t, there, success(mia)), 9*time.Minute-time.Second, false)
	m.Tidy(m.clock.Now())
	assertWait(t, m.login(t, there, success(mia)), 9*time.Minute-time.Second, false)
	m.clock.Advance(9 * time.Minute)
	assert.NoError(t, m.login(t, there, success(mia)))
}

// TestGuardTidy: what is forgotten is what does not matter any more.
func TestGuardTidy(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 2, Window: 24 * time.Hour})
	m.Tidy(noon)
	require.ErrorIs(t, m.login(t, here, challenge(phone, okta.ResultRejected)), mfa.ErrRejected)
	l, err := m.hold(t, scripted(waiting(phone)), here, required(phone))
	require.NoError(t, err)
	m.Tidy(m.clock.Now())
	assertWait(t, m.login(t, there), 5*time.Minute, true)
	m.clock.Advance(time.Hour)
	m.Tidy(m.clock.Now())
	assertWait(t, m.login(t, there), 23*time.Hour+5*time.Minute, false)
	l.Close(t.Context())
	m.clock.Advance(24 * time.Hour)
	m.Tidy(m.clock.Now())
	assert.NoError(t, m.login(t, there, success(mia)))
}

// TestGuardRace: of many logins at the same time, from as many places, one gets
// a push; from one place, one stays.
func TestGuardRace(t *testing.T) {
	t.Parallel()
	for name, origin := range map[string]func(n int) string{
		"from everywhere": func(n int) string { return string(rune('a' + n)) },
		"from one place":  func(int) string { return here },
		"from two places": func(n int) string { return []string{here, there}[n%2] },
		"from nowhere":    func(int) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const logins = 12
			m := newMount(mfa.PushLimit{})
			var all sync.WaitGroup
			errs, held := make([]error, logins), make([]*mfa.Session, logins)
			for n := range logins {
				all.Go(func() {
					held[n], errs[n] = m.hold(t, scripted(waiting(phone)), origin(n), required(phone))
				})
			}
			all.Wait()
			waiting := 0
			for n, l := range held {
				s, err := l.State(t.Context())
				var refusal *mfa.PushRefusedError
				switch {
				case errors.As(errs[n], &refusal):
					assert.True(t, refusal.Waiting)
					assert.NotEqual(t, "from one place", name)
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

// TestWaitEnds: however far apart questions are, a push that nobody answers is given
// up when it expires, and is asked about a moment before that.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
	begin := m.clock.Now()
	const life = 3 * time.Minute // less than a login waits
	short := func(tx okta.Transaction) okta.Transaction {
		tx.ExpiresAt = begin.Add(life)
		return tx
	}
	authn := scripted(short(waiting(phone)))
	var asked []time.Duration
	authn.each = func() { asked = append(asked, m.clock.Now().Sub(begin)) }
	flow := m.flow(authn, here)
	flow.Limit = func() okta.RateLimit { return okta.RateLimit{Limit: 600, Reset: begin.Add(time.Hour)} }
	_, err := run(t.Context(), flow, short(required(phone)), want{})
	require.ErrorIs(t, err, mfa.ErrPushTimeout)
	assert.Less(t, len(asked), int(life/(15*time.Second)), "Okta has nothing left")
	assert.InDelta(t, (life - time.Second).Seconds(), asked[len(asked)-1].Seconds(), 0.1)
	assert.InDelta(t, life.Seconds(), m.clock.Now().Sub(begin).Seconds(), 0.1)
}

// TestPhonesShareTheLimit: where little is left of Okta's limit, a login with two
// phones asks about each half as often.
func TestPhonesShareTheLimit(t *testing.T) {
	t.Parallel()
	count := func(phones ...okta.Factor) (asked int) {
		m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
		var answers []any
		for range 300 {
			for _, f := range phones {
				answers = append(answers, waiting(f))
			}
		}
		authn := scripted(answers...)
		authn.each = func() { asked++ }
		flow := m.flow(authn, here)
		flow.Again = func(context.Context) (okta.Transaction, error) { return required(phones...), nil }
		flow.Policy.AllDevices = true
		flow.Limit = func() okta.RateLimit {
			return okta.RateLimit{Limit: 600, Remaining: 20, Reset: m.clock.Now().Add(time.Minute)}
		}
		_, err := run(t.Context(), flow, required(phones...), want{})
		require.ErrorIs(t, err, mfa.ErrPushTimeout)
		return asked
	}
	one, two := count(phone), count(phone, tablet)
	assert.InDelta(t, 50, one, 10)
	assert.InDelta(t, one, two, 10)
}

// TestLastQuestionAboutEachPhone: a slow answer about one phone at the end of the
// wait does not make the question about the next one late.
func TestLastQuestionAboutEachPhone(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
	begin := m.clock.Now()
	life := required(phone).ExpiresAt.Sub(begin)
	var answers []any
	for range 300 {
		answers = append(answers, waiting(phone), waiting(tablet))
	}
	authn := scripted(answers...)
	slow := false
	authn.each = func() {
		if !slow && m.clock.Now().Sub(begin) > life-2100*time.Millisecond {
			slow = true
			m.clock.Advance(3 * time.Second)
			authn.answers = said(waiting(phone), success(mia))
		}
	}
	flow := m.flow(authn, here)
	flow.Again = func(context.Context) (okta.Transaction, error) { return required(phone, tablet), nil }
	flow.Policy.AllDevices = true
	_, err := run(t.Context(), flow, required(phone, tablet), want{})
	assert.NoError(t, err)
	assert.True(t, slow)
}

// TestContinueByNewLimit: who goes on with a login after a change of the
// configuration asks Okta by what the new client has been told of the limit.
func TestContinueByNewLimit(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
	authn := scripted(m.fresh(waiting(phone)))
	flow := m.flow(authn, here)
	flow.Hold = true
	flow.Limit = func() okta.RateLimit { return okta.RateLimit{} }
	l, err := flow.Begin(t.Context(), m.fresh(required(phone)), mfa.Input{Want: want{}})
	require.NoError(t, err)
	defer l.Close(t.Context())
	m.clock.Advance(due)
	now, asked := flow, 0
	now.Limit = func() okta.RateLimit { asked++; return okta.RateLimit{} }
	_, err = l.Continue(t.Context(), now, mfa.Input{Want: want{}})
	require.NoError(t, err)
	assert.Equal(t, 1, asked)
}
