package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

var (
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	mia  = okta.User{ID: "00u1mia", Login: "mia.ito@acme.test"}
	eve  = okta.User{ID: "00u2eve", Login: "eve@acme.test"}
)

// answer is one answer of Okta's.
type answer struct {
	tx  okta.Transaction
	err error
}

// script is an Okta that reads its answers to Verify and Skip from a list, and
// repeats the last one. It notes what it was asked as "verify opf1 t1", with a
// passcode at the end where there is one, "skip t1" and "cancel t1".
type script struct {
	answers []answer
	last    answer
	asked   []string
	// each is called at every request but Cancel.
	each func()
	// What became of Cancel's context, and its time to go, when it was called.
	cancelErr  error
	cancelLeft time.Duration
}

func (s *script) next(ctx context.Context, asked string) (okta.Transaction, error) {
	s.asked = append(s.asked, asked)
	if s.each != nil {
		s.each()
	}
	if err := ctx.Err(); err != nil {
		return okta.Transaction{}, err
	}
	if len(s.answers) > 0 {
		s.last, s.answers = s.answers[0], s.answers[1:]
	}
	return s.last.tx, s.last.err
}

func (s *script) Verify(ctx context.Context, t okta.Transaction, f okta.Factor, passCode string) (okta.Transaction, error) {
	return s.next(ctx, strings.TrimSpace(fmt.Sprintf("verify %s %s %s", f.ID, string(t.StateToken), passCode)))
}

func (s *script) Skip(ctx context.Context, t okta.Transaction) (okta.Transaction, error) {
	return s.next(ctx, "skip "+string(t.StateToken))
}

func (s *script) Cancel(ctx context.Context, t okta.Transaction) error {
	s.asked = append(s.asked, "cancel "+string(t.StateToken))
	s.cancelErr = ctx.Err()
	if deadline, ok := ctx.Deadline(); ok {
		s.cancelLeft = time.Until(deadline)
	}
	return errors.New("what Cancel says does not matter")
}

// fakeClock moves by what it sleeps.
type fakeClock struct {
	now    time.Time
	sleeps []time.Duration
	// each is called within each sleep.
	each func(n int)
}

func (c *fakeClock) Now() time.Time { return c.now }

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.sleeps = append(c.sleeps, d)
	c.now = c.now.Add(d)
	if c.each != nil {
		c.each(len(c.sleeps))
	}
	return ctx.Err()
}

// The answers. All that go on have the state token t1.
func required(factors ...okta.Factor) okta.Transaction {
	return okta.Transaction{Status: okta.StatusMFARequired, StateToken: "t1", ExpiresAt: noon.Add(5 * time.Minute), User: mia, Factors: factors}
}

func challenge(f okta.Factor, result okta.FactorResult) okta.Transaction {
	return okta.Transaction{Status: okta.StatusMFAChallenge, FactorResult: result, StateToken: "t1", ExpiresAt: noon.Add(5 * time.Minute), User: mia, Factor: &f}
}

func waiting(f okta.Factor) okta.Transaction { return challenge(f, okta.ResultWaiting) }

func number(f okta.Factor, n int) okta.Transaction {
	tx := waiting(f)
	tx.Challenge = &okta.Challenge{CorrectAnswer: n}
	return tx
}

func state(s okta.Status) okta.Transaction {
	return okta.Transaction{Status: s, StateToken: "t1", ExpiresAt: noon.Add(5 * time.Minute), User: mia}
}

func success(u okta.User) okta.Transaction {
	return okta.Transaction{Status: okta.StatusSuccess, ExpiresAt: noon.Add(5 * time.Minute), User: u}
}

func refused(code string) error { return &okta.Error{HTTPStatus: 403, Code: code} }

func TestComplete(t *testing.T) {
	t.Parallel()
	const code = "123456"
	lockedOut := okta.Transaction{Status: okta.StatusLockedOut}
	for _, tc := range []struct {
		name     string
		start    okta.Transaction
		want     mfa.Want
		bypass   bool
		noNumber bool // nobody to show a number to
		answers  []answer
		err      error // nil: mia is let in
		asked    string
		warned   bool
		sent     bool
		numbers  []int
		sleeps   int
	}{
		// Without a factor.
		{name: "success", start: success(mia)},
		{name: "success for nobody", start: success(okta.User{}), err: okta.ErrMalformed},
		{name: "locked out", start: lockedOut, err: mfa.ErrLockedOut}, // there is no transaction to cancel
		{name: "password expired", start: state(okta.StatusPasswordExpired), err: mfa.ErrPasswordExpired, asked: "cancel t1"},
		{name: "enrolment", start: state(okta.StatusMFAEnroll), err: mfa.ErrEnrollment, asked: "cancel t1"},
		{name: "enrolment half done", start: state(okta.StatusMFAEnrollActivate), err: mfa.ErrEnrollment, asked: "cancel t1"},
		{name: "recovery", start: state(okta.StatusRecovery), err: mfa.ErrRecovery, asked: "cancel t1"},
		{name: "nothing", start: okta.Transaction{}, err: okta.ErrMalformed},
		{name: "unknown status", start: state("PASSKEY_REQUIRED"), err: errStrange, asked: "cancel t1"},
		{name: "a challenge from nowhere", start: waiting(phone), err: errStrange, asked: "cancel t1"},
		{name: "a success with a failed factor", start: func() okta.Transaction {
			tx := success(mia)
			tx.FactorResult = okta.ResultRejected
			return tx
		}(), err: errStrange},

		// The password's age.
		{name: "warning", start: state(okta.StatusPasswordWarn), answers: []answer{{tx: success(mia)}}, asked: "skip t1", warned: true},
		{name: "warning, then a factor", start: state(okta.StatusPasswordWarn), want: mfa.Want{PassCode: code},
			answers: []answer{{tx: required(verify)}, {tx: success(mia)}}, asked: "skip t1, verify ost1 t1 123456", warned: true},
		{name: "a factor, then a warning", start: required(phone),
			answers: []answer{{tx: state(okta.StatusPasswordWarn)}, {tx: success(mia)}}, asked: "verify opf1 t1, skip t1", warned: true, sent: true},
		{name: "a second warning", start: state(okta.StatusPasswordWarn), answers: []answer{{tx: state(okta.StatusPasswordWarn)}},
			err: errStrange, asked: "skip t1, cancel t1", warned: true},
		{name: "warning, and skip fails", start: state(okta.StatusPasswordWarn), answers: []answer{{err: okta.ErrTimeout}},
			err: okta.ErrTimeout, asked: "skip t1, cancel t1", warned: true},
		{name: "warning, then expired", start: state(okta.StatusPasswordWarn), answers: []answer{{tx: state(okta.StatusPasswordExpired)}},
			err: mfa.ErrPasswordExpired, asked: "skip t1, cancel t1", warned: true},

		// Passcodes.
		{name: "passcode", start: required(phone, verify), want: mfa.Want{PassCode: code}, answers: []answer{{tx: success(mia)}},
			asked: "verify ost1 t1 123456"},
		{name: "wrong passcode", start: required(verify), want: mfa.Want{PassCode: code}, answers: []answer{{err: refused(okta.CodeInvalidPassCode)}},
			err: refused(okta.CodeInvalidPassCode), asked: "verify ost1 t1 123456, cancel t1"},
		{name: "passcode of the first generator", start: required(verify, google), want: mfa.Want{PassCode: code}, answers: []answer{{tx: success(mia)}},
			asked: "verify ost1 t1 123456"},
		{name: "passcode of the second generator", start: required(verify, google), want: mfa.Want{PassCode: code},
			answers: []answer{{err: refused(okta.CodeInvalidPassCode)}, {tx: success(mia)}},
			asked:   "verify ost1 t1 123456, verify uft1 t1 123456"},
		{name: "passcode of neither", start: required(verify, google), want: mfa.Want{PassCode: code},
			answers: []answer{{err: refused(okta.CodeInvalidPassCode)}}, err: refused(okta.CodeInvalidPassCode),
			asked: "verify ost1 t1 123456, verify uft1 t1 123456, cancel t1"},
		{name: "replay is the end", start: required(verify, google), want: mfa.Want{PassCode: code},
			answers: []answer{{err: refused(okta.CodePassCodeReplayed)}}, err: refused(okta.CodePassCodeReplayed),
			asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a clock that is wrong is the end", start: required(verify, google), want: mfa.Want{PassCode: code},
			answers: []answer{{err: refused(okta.CodePassCodeTimeWindow)}}, err: refused(okta.CodePassCodeTimeWindow),
			asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a lock is the end", start: required(verify, google), want: mfa.Want{PassCode: code},
			answers: []answer{{err: refused(okta.CodeUserLocked)}}, err: refused(okta.CodeUserLocked),
			asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a lost answer is the end", start: required(verify, google), want: mfa.Want{PassCode: code},
			answers: []answer{{err: okta.ErrTimeout}}, err: okta.ErrTimeout, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a wrapped refusal is a refusal", start: required(verify, google), want: mfa.Want{PassCode: code},
			answers: []answer{{err: fmt.Errorf("post: %w", refused(okta.CodeInvalidPassCode))}, {tx: success(mia)}},
			asked:   "verify ost1 t1 123456, verify uft1 t1 123456"},
		{name: "replay, told by the factor result", start: required(verify, google), want: mfa.Want{PassCode: code},
			answers: []answer{{tx: challenge(verify, okta.ResultPassCodeReplayed)}}, err: mfa.ErrPassCodeReplayed,
			asked: "verify ost1 t1 123456, cancel t1"},
		{name: "time window, told by the factor result", start: required(verify), want: mfa.Want{PassCode: code},
			answers: []answer{{tx: challenge(verify, okta.ResultTimeWindowExceeded)}}, err: mfa.ErrPassCodeTimeWindow,
			asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a passcode that is waited for", start: required(verify), want: mfa.Want{PassCode: code},
			answers: []answer{{tx: waiting(verify)}}, err: errStrange, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "provider", start: required(verify, google), want: mfa.Want{PassCode: code, Provider: okta.ProviderGoogle},
			answers: []answer{{tx: success(mia)}}, asked: "verify uft1 t1 123456"},
		{name: "expired behind the factor", start: required(verify), want: mfa.Want{PassCode: code},
			answers: []answer{{tx: state(okta.StatusPasswordExpired)}}, err: mfa.ErrPasswordExpired, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "enrolment behind the factor", start: required(verify), want: mfa.Want{PassCode: code},
			answers: []answer{{tx: state(okta.StatusMFAEnroll)}}, err: mfa.ErrEnrollment, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a second factor asked for", start: required(verify), want: mfa.Want{PassCode: code},
			answers: []answer{{tx: required(verify)}}, err: errStrange, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "no factor fits", start: required(phone), want: mfa.Want{PassCode: code}, err: new(mfa.NoFactorError), asked: "cancel t1"},

		// Push.
		{name: "push approved at once", start: required(phone, verify), answers: []answer{{tx: success(mia)}}, asked: "verify opf1 t1", sent: true},
		{name: "push approved", start: required(phone, verify),
			answers: []answer{{tx: waiting(phone)}, {tx: waiting(phone)}, {tx: success(mia)}},
			asked:   "verify opf1 t1, verify opf1 t1, verify opf1 t1", sent: true, sleeps: 2},
		{name: "push rejected", start: required(phone), answers: []answer{{tx: waiting(phone)}, {tx: challenge(phone, okta.ResultRejected)}},
			err: mfa.ErrRejected, asked: "verify opf1 t1, verify opf1 t1, cancel t1", sent: true, sleeps: 1},
		{name: "push rejected at once", start: required(phone), answers: []answer{{tx: challenge(phone, okta.ResultRejected)}},
			err: mfa.ErrRejected, asked: "verify opf1 t1, cancel t1", sent: true},
		{name: "push timed out", start: required(phone), answers: []answer{{tx: waiting(phone)}, {tx: challenge(phone, okta.ResultTimeout)}},
			err: mfa.ErrPushTimeout, asked: "verify opf1 t1, verify opf1 t1, cancel t1", sent: true, sleeps: 1},
		{name: "push cancelled", start: required(phone), answers: []answer{{tx: challenge(phone, okta.ResultCanceled)}},
			err: mfa.ErrCancelled, asked: "verify opf1 t1, cancel t1", sent: true},
		{name: "push failed", start: required(phone), answers: []answer{{tx: challenge(phone, okta.ResultError)}},
			err: mfa.ErrFactorFailed, asked: "verify opf1 t1, cancel t1", sent: true},
		{name: "push with an unknown result", start: required(phone), answers: []answer{{tx: waiting(phone)}, {tx: challenge(phone, "MAYBE")}},
			err: errStrange, asked: "verify opf1 t1, verify opf1 t1, cancel t1", sent: true, sleeps: 1},
		{name: "push without a result", start: required(phone), answers: []answer{{tx: challenge(phone, "")}},
			err: errStrange, asked: "verify opf1 t1, cancel t1", sent: true},
		{name: "push that succeeds without ending", start: required(phone), answers: []answer{{tx: challenge(phone, okta.ResultSuccess)}},
			err: errStrange, asked: "verify opf1 t1, cancel t1", sent: true},
		{name: "push without a factor", start: required(phone),
			answers: []answer{{tx: func() okta.Transaction { tx := waiting(phone); tx.Factor = nil; return tx }()}},
			err:     okta.ErrMalformed, asked: "verify opf1 t1, cancel t1", sent: true},
		{name: "push of another factor", start: required(phone), answers: []answer{{tx: waiting(tablet)}},
			err: okta.ErrMalformed, asked: "verify opf1 t1, cancel t1", sent: true},
		{name: "push, and back to the choice", start: required(phone), answers: []answer{{tx: waiting(phone)}, {tx: required(phone)}},
			err: errStrange, asked: "verify opf1 t1, verify opf1 t1, cancel t1", sent: true, sleeps: 1},
		{name: "push, and the first answer is lost", start: required(phone), answers: []answer{{err: okta.ErrTimeout}},
			err: okta.ErrTimeout, asked: "verify opf1 t1, cancel t1", sent: true},
		{name: "push, and the first answer is an error", start: required(phone), answers: []answer{{err: refused("E0000079")}},
			err: refused("E0000079"), asked: "verify opf1 t1, cancel t1", sent: true},
		{name: "push, and a poll fails", start: required(phone), answers: []answer{{tx: waiting(phone)}, {err: okta.ErrUnreachable}},
			err: okta.ErrUnreachable, asked: "verify opf1 t1, verify opf1 t1, cancel t1", sent: true, sleeps: 1},
		{name: "push for GOOGLE", start: required(phone), want: mfa.Want{Provider: okta.ProviderGoogle}, err: new(mfa.NoFactorError), asked: "cancel t1"},
		{name: "push, then expired", start: required(phone), answers: []answer{{tx: waiting(phone)}, {tx: state(okta.StatusPasswordExpired)}},
			err: mfa.ErrPasswordExpired, asked: "verify opf1 t1, verify opf1 t1, cancel t1", sent: true, sleeps: 1},

		// Numbers.
		{name: "number", start: required(phone), answers: []answer{{tx: waiting(phone)}, {tx: number(phone, 47)}, {tx: number(phone, 47)}, {tx: success(mia)}},
			asked: "verify opf1 t1, verify opf1 t1, verify opf1 t1, verify opf1 t1", sent: true, numbers: []int{47, 47}, sleeps: 3},
		{name: "number 0", start: required(phone), answers: []answer{{tx: number(phone, 0)}, {tx: success(mia)}},
			asked: "verify opf1 t1, verify opf1 t1", sent: true, numbers: []int{0}, sleeps: 1},
		{name: "number that changes", start: required(phone), answers: []answer{{tx: number(phone, 8)}, {tx: number(phone, 90)}, {tx: success(mia)}},
			asked: "verify opf1 t1, verify opf1 t1, verify opf1 t1", sent: true, numbers: []int{8, 90}, sleeps: 2},
		{name: "number for nobody", start: required(phone), noNumber: true, answers: []answer{{tx: waiting(phone)}, {tx: number(phone, 0)}},
			err: mfa.ErrNumberChallenge, asked: "verify opf1 t1, verify opf1 t1, cancel t1", sent: true, sleeps: 1},
		{name: "no number, and nobody to show it", start: required(phone), noNumber: true, answers: []answer{{tx: waiting(phone)}, {tx: success(mia)}},
			asked: "verify opf1 t1, verify opf1 t1", sent: true, sleeps: 1},
		{name: "number of a push that is over", start: required(phone), answers: []answer{{tx: func() okta.Transaction {
			tx := number(phone, 47)
			tx.FactorResult = okta.ResultRejected
			return tx
		}()}}, err: mfa.ErrRejected, asked: "verify opf1 t1, cancel t1", sent: true},

		// Somebody else.
		{name: "success for somebody else", start: required(phone), answers: []answer{{tx: success(eve)}}, err: okta.ErrMalformed, asked: "verify opf1 t1", sent: true},
		{name: "success for nobody after a factor", start: required(phone), answers: []answer{{tx: success(okta.User{})}}, err: okta.ErrMalformed,
			asked: "verify opf1 t1", sent: true},
		{name: "success for somebody else after a warning", start: state(okta.StatusPasswordWarn), answers: []answer{{tx: success(eve)}},
			err: okta.ErrMalformed, asked: "skip t1", warned: true},
		{name: "nobody at first", start: func() okta.Transaction { tx := required(phone); tx.User = okta.User{}; return tx }(),
			answers: []answer{{tx: success(mia)}}, err: okta.ErrMalformed, asked: "verify opf1 t1", sent: true},
		{name: "an open success for somebody else is cancelled", start: required(phone), answers: []answer{{tx: func() okta.Transaction {
			tx := success(eve)
			tx.StateToken = "t2"
			return tx
		}()}}, err: okta.ErrMalformed, asked: "verify opf1 t1, cancel t2", sent: true},

		// Bypass.
		{name: "bypass of a factor", bypass: true, start: required(phone)},
		{name: "bypass of no usable factor", bypass: true, start: required(sms)},
		{name: "bypass of an enrolment", bypass: true, start: state(okta.StatusMFAEnroll)},
		{name: "bypass of half an enrolment", bypass: true, start: state(okta.StatusMFAEnrollActivate)},
		{name: "bypass behind a warning", bypass: true, start: state(okta.StatusPasswordWarn), answers: []answer{{tx: required(phone)}},
			asked: "skip t1", warned: true},
		{name: "bypass of nothing", bypass: true, start: success(mia)},
		{name: "bypass of a lock", bypass: true, start: lockedOut, err: mfa.ErrLockedOut},
		{name: "bypass of an expired password", bypass: true, start: state(okta.StatusPasswordExpired), err: mfa.ErrPasswordExpired, asked: "cancel t1"},
		{name: "bypass of a recovery", bypass: true, start: state(okta.StatusRecoveryChallenge), err: mfa.ErrRecovery, asked: "cancel t1"},
		{name: "bypass of an unknown status", bypass: true, start: state("PASSKEY_REQUIRED"), err: errStrange, asked: "cancel t1"},
		{name: "bypass of a challenge", bypass: true, start: waiting(phone), err: errStrange, asked: "cancel t1"},
		{name: "bypass of a rejection", bypass: true, start: challenge(phone, okta.ResultRejected), err: mfa.ErrRejected, asked: "cancel t1"},
		{name: "bypass for nobody", bypass: true, start: okta.Transaction{Status: okta.StatusMFARequired, StateToken: "t1"},
			err: okta.ErrMalformed, asked: "cancel t1"},
		{name: "bypass for somebody else", bypass: true, start: state(okta.StatusPasswordWarn),
			answers: []answer{{tx: func() okta.Transaction { tx := required(phone); tx.User = eve; return tx }()}},
			err:     okta.ErrMalformed, asked: "skip t1, cancel t1", warned: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := &script{answers: tc.answers}
			clock := &fakeClock{now: noon}
			var numbers []int
			login := mfa.Login{Okta: authn, Want: tc.want, Bypass: tc.bypass, Poll: mfa.Poll{Clock: clock}}
			if !tc.noNumber {
				login.ShowNumber = func(n int) { numbers = append(numbers, n) }
			}
			out, err := login.Complete(t.Context(), tc.start)

			want := mfa.Outcome{PasswordWarning: tc.warned, ChallengeSent: tc.sent}
			var none *mfa.NoFactorError
			var said *okta.Error
			switch {
			case tc.err == nil:
				assert.NoError(t, err)
				want.User = mia
			case errors.As(tc.err, &none):
				assert.ErrorAs(t, err, &none)
			case errors.As(tc.err, &said):
				want := *said
				assert.ErrorAs(t, err, &said)
				assert.Equal(t, want, *said)
			default:
				assertDenied(t, tc.err, err)
			}
			assert.Equal(t, want, out)
			assert.Equal(t, tc.asked, strings.Join(authn.asked, ", "))
			assert.Equal(t, tc.numbers, numbers)
			assert.Len(t, clock.sleeps, tc.sleeps)
		})
	}
}

// TestNewestStateToken: each request carries the token of the answer before
// it, and an answer without one leaves the old one good.
func TestNewestStateToken(t *testing.T) {
	t.Parallel()
	token := func(tx okta.Transaction, token okta.StateToken) okta.Transaction { tx.StateToken = token; return tx }
	authn := &script{answers: []answer{
		{tx: token(required(phone), "t2")},
		{tx: token(waiting(phone), "t3")},
		{tx: token(waiting(phone), "")},
		{tx: token(challenge(phone, okta.ResultRejected), "t4")},
	}}
	_, err := mfa.Login{Okta: authn, Poll: mfa.Poll{Clock: &fakeClock{now: noon}}}.Complete(t.Context(), state(okta.StatusPasswordWarn))
	assert.ErrorIs(t, err, mfa.ErrRejected)
	assert.Equal(t, []string{"skip t1", "verify opf1 t2", "verify opf1 t3", "verify opf1 t3", "cancel t4"}, authn.asked)
}

// TestPollInterval: never sooner than 2 s, with a jitter of less than 0.5 s,
// and until the approval comes.
func TestPollInterval(t *testing.T) {
	t.Parallel()
	clock := &fakeClock{now: noon}
	authn := &script{answers: []answer{{tx: waiting(phone)}}}
	for range 29 {
		authn.answers = append(authn.answers, answer{tx: waiting(phone)})
	}
	authn.answers = append(authn.answers, answer{tx: success(mia)})
	_, err := mfa.Login{Okta: authn, Poll: mfa.Poll{Clock: clock}}.Complete(t.Context(), required(phone))
	require.NoError(t, err)
	require.Len(t, clock.sleeps, 30)
	different := map[time.Duration]bool{}
	for _, d := range clock.sleeps {
		assert.GreaterOrEqual(t, d, 2*time.Second)
		assert.Less(t, d, 2500*time.Millisecond)
		different[d] = true
	}
	assert.Greater(t, len(different), 15)
}

// TestPollEnds: at the newest expiry, at MaxWait whatever the expiry says, and
// with the caller's context.
func TestPollEnds(t *testing.T) {
	t.Parallel()
	expiring := func(at time.Time) okta.Transaction { tx := waiting(phone); tx.ExpiresAt = at; return tx }

	t.Run("expiry", func(t *testing.T) {
		t.Parallel()
		clock := &fakeClock{now: noon}
		authn := &script{answers: []answer{{tx: expiring(noon.Add(3 * time.Second))}}}
		_, err := mfa.Login{Okta: authn, Poll: mfa.Poll{Clock: clock}}.Complete(t.Context(), required(phone))
		assert.ErrorIs(t, err, mfa.ErrPushTimeout)
		assert.Equal(t, []string{"verify opf1 t1", "verify opf1 t1", "cancel t1"}, authn.asked)
	})
	t.Run("expiry that slides", func(t *testing.T) {
		t.Parallel()
		clock := &fakeClock{now: noon}
		authn := &script{answers: []answer{
			{tx: expiring(noon.Add(3 * time.Second))}, {tx: expiring(noon.Add(30 * time.Second))}, {tx: expiring(noon.Add(30 * time.Second))}, {tx: success(mia)},
		}}
		_, err := mfa.Login{Okta: authn, Poll: mfa.Poll{Clock: clock}}.Complete(t.Context(), required(phone))
		assert.NoError(t, err)
	})
	for name, expires := range map[string]time.Time{"for ever": noon.Add(1000 * time.Hour), "without an expiry": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := &fakeClock{now: noon}
			authn := &script{answers: []answer{{tx: expiring(expires)}}}
			out, err := mfa.Login{Okta: authn, Poll: mfa.Poll{Clock: clock}}.Complete(t.Context(), required(phone))
			assert.ErrorIs(t, err, mfa.ErrPushTimeout)
			assert.True(t, out.ChallengeSent)
			assert.Equal(t, "cancel t1", authn.asked[len(authn.asked)-1])
			waited := clock.now.Sub(noon)
			assert.Greater(t, waited, mfa.MaxWait)
			assert.Less(t, waited, mfa.MaxWait+3*time.Second)
		})
	}
}

// TestPollEndsBeforeTheDeadline: while there is still somebody to answer to.
func TestPollEndsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	clock := &fakeClock{now: noon}
	authn := &script{answers: []answer{{tx: waiting(phone)}}}
	_, err := mfa.Login{Okta: authn, Poll: mfa.Poll{Clock: clock}}.Complete(ctx, required(phone))
	assert.ErrorIs(t, err, mfa.ErrPushTimeout)
	assert.InDelta(t, 56, clock.now.Sub(noon).Seconds(), 2)
	assertFarewell(t, authn)
}

// TestContextEnds: the login stops where its context does, and takes its leave
// of Okta all the same.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	start := map[string]okta.Transaction{"push": required(phone), "passcode": required(verify), "warning": state(okta.StatusPasswordWarn)}
	for name, tx := range start {
		t.Run("before "+name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			authn := &script{answers: []answer{{tx: success(mia)}}}
			login := mfa.Login{Okta: authn}
			if name == "passcode" {
				login.Want.PassCode = "123456"
			}
			_, err := login.Complete(ctx, tx)
			assert.ErrorIs(t, err, context.Canceled)
			assertFarewell(t, authn)
		})
	}
	t.Run("during a sleep", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		clock := &fakeClock{now: noon, each: func(n int) {
			if n == 3 {
				cancel()
			}
		}}
		authn := &script{answers: []answer{{tx: waiting(phone)}}}
		out, err := mfa.Login{Okta: authn, Poll: mfa.Poll{Clock: clock}}.Complete(ctx, required(phone))
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, mfa.Outcome{ChallengeSent: true}, out)
		assert.Len(t, authn.asked, 4, "three questions and the farewell")
		assertFarewell(t, authn)
	})
	t.Run("during a request", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		authn := &script{answers: []answer{{tx: waiting(phone)}}, each: cancel}
		out, err := mfa.Login{Okta: authn, Poll: mfa.Poll{Clock: &fakeClock{now: noon}}}.Complete(ctx, required(phone))
		assert.ErrorIs(t, err, context.Canceled)
		assert.True(t, out.ChallengeSent)
		assertFarewell(t, authn)
	})
	// With the real clock: within the sleep, not after it.
	t.Run("during a real sleep", func(t *testing.T) {
		t.Parallel()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		tx := waiting(phone)
		tx.ExpiresAt = began.Add(time.Minute)
		authn := &script{answers: []answer{{tx: tx}}}
		_, err := mfa.Login{Okta: authn}.Complete(ctx, required(phone))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Less(t, time.Since(began), mfa.PollInterval)
		assertFarewell(t, authn)
	})
}

// assertFarewell wants the last request to be a Cancel that had the time to be
// sent.
func assertFarewell(t *testing.T, s *script) {
	t.Helper()
	if assert.NotEmpty(t, s.asked) {
		assert.Equal(t, "cancel t1", s.asked[len(s.asked)-1])
	}
	assert.NoError(t, s.cancelErr, "Cancel needs a context that lives")
	assert.Greater(t, s.cancelLeft, time.Duration(0), "Cancel needs an end")
	assert.LessOrEqual(t, s.cancelLeft, 5*time.Second)
}
