package mfa_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestLogin: what a login that nobody goes on with asks of Okta, answer by
// answer, and how it ends. No other phone rings and no code is pending here.
func TestLogin(t *testing.T) {
	t.Parallel()
	lockedOut := okta.Transaction{Status: okta.StatusLockedOut}
	passCode := want{PassCode: code}
	ofNobody := func(tx okta.Transaction) okta.Transaction { tx.User = okta.User{}; return tx }
	ofEve := func(tx okta.Transaction) okta.Transaction { tx.User = eve; return tx }
	for _, tc := range []struct {
		name       string
		start      okta.Transaction
		want       want
		bypass     bool
		noNumber   bool // nobody to show a number to
		answers    []answer
		err        error // nil: mia is let in
		asked      string
		warned     bool
		challenged bool
		numbers    []int
		sleeps     int
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
		{name: "a push from nowhere", start: waiting(phone), err: errStrange, asked: "cancel t1"},
		{name: "a code from nowhere", start: sent(sms), want: passCode, err: errStrange, asked: "cancel t1"},
		{name: "a success with a failed factor", start: func() okta.Transaction {
			tx := success(mia)
			tx.FactorResult = okta.ResultRejected
			return tx
		}(), err: errStrange},

		// The password's age.
		{name: "warning", start: state(okta.StatusPasswordWarn), answers: said(success(mia)), asked: "skip t1", warned: true},
		{name: "warning, then a factor", start: state(okta.StatusPasswordWarn), want: passCode,
			answers: said(required(verify), success(mia)), asked: "skip t1, verify ost1 t1 123456", warned: true},
		{name: "a push, then a warning", start: required(phone),
			answers: said(state(okta.StatusPasswordWarn), success(mia)), asked: "verify opf1 t1, skip t1", warned: true, challenged: true},
		{name: "a passcode, then a warning", start: required(verify), want: passCode,
			answers: said(state(okta.StatusPasswordWarn), success(mia)), asked: "verify ost1 t1 123456, skip t1", warned: true},
		{name: "a second warning", start: state(okta.StatusPasswordWarn), answers: said(state(okta.StatusPasswordWarn)),
			err: errStrange, asked: "skip t1, cancel t1"},
		{name: "a second warning, behind a factor", start: state(okta.StatusPasswordWarn), want: passCode,
			answers: said(required(verify), state(okta.StatusPasswordWarn)), err: errStrange, asked: "skip t1, verify ost1 t1 123456, cancel t1"},
		{name: "warning, and skip fails", start: state(okta.StatusPasswordWarn), answers: said(okta.ErrTimeout),
			err: okta.ErrTimeout, asked: "skip t1, cancel t1"},
		{name: "warning, then expired", start: state(okta.StatusPasswordWarn), answers: said(state(okta.StatusPasswordExpired)),
			err: mfa.ErrPasswordExpired, asked: "skip t1, cancel t1"},

		// Passcodes.
		{name: "passcode", start: required(phone, verify), want: passCode, answers: said(success(mia)), asked: "verify ost1 t1 123456"},
		{name: "wrong passcode", start: required(verify), want: passCode, answers: said(refused(okta.CodeInvalidPassCode)),
			err: refused(okta.CodeInvalidPassCode), asked: "verify ost1 t1 123456, cancel t1"},
		{name: "passcode of the first generator", start: required(verify, google), want: passCode, answers: said(success(mia)),
			asked: "verify ost1 t1 123456"},
		{name: "passcode of the second generator", start: required(verify, google), want: passCode,
			answers: said(refused(okta.CodeInvalidPassCode), success(mia)), asked: "verify ost1 t1 123456, verify uft1 t1 123456"},
		{name: "passcode of the last of five", start: required(hotp, rsa, verify, symantec, google), want: passCode,
			answers: said(refused(okta.CodeInvalidPassCode), refused(okta.CodeInvalidPassCode), refused(okta.CodeInvalidPassCode),
				refused(okta.CodeInvalidPassCode), success(mia)),
			asked: "verify hot1 t1 123456, verify rsa1 t1 123456, verify ost1 t1 123456, verify sym1 t1 123456, verify uft1 t1 123456"},
		{name: "passcode of neither", start: required(verify, google), want: passCode,
			answers: said(refused(okta.CodeInvalidPassCode)), err: refused(okta.CodeInvalidPassCode),
			asked: "verify ost1 t1 123456, verify uft1 t1 123456, cancel t1"},
		{name: "replay is the end", start: required(verify, google), want: passCode,
			answers: said(refused(okta.CodePassCodeReplayed)), err: refused(okta.CodePassCodeReplayed), asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a clock that is wrong is the end", start: required(verify, google), want: passCode,
			answers: said(refused(okta.CodePassCodeTimeWindow)), err: refused(okta.CodePassCodeTimeWindow), asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a lock is the end", start: required(verify, google), want: passCode,
			answers: said(refused(okta.CodeUserLocked)), err: refused(okta.CodeUserLocked), asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a rate limit is the end", start: required(verify, google), want: passCode,
			answers: said(tooSoon("E0000047")), err: tooSoon("E0000047"), asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a lost answer is the end", start: required(verify, google), want: passCode,
			answers: said(okta.ErrTimeout), err: okta.ErrTimeout, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a wrapped refusal is a refusal", start: required(verify, google), want: passCode,
			answers: said(fmt.Errorf("post: %w", refused(okta.CodeInvalidPassCode)), success(mia)),
			asked:   "verify ost1 t1 123456, verify uft1 t1 123456"},
		{name: "replay, told by the factor result", start: required(verify, google), want: passCode,
			answers: said(challenge(verify, okta.ResultPassCodeReplayed)), err: mfa.ErrPassCodeReplayed, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "time window, told by the factor result", start: required(verify), want: passCode,
			answers: said(challenge(verify, okta.ResultTimeWindowExceeded)), err: mfa.ErrPassCodeTimeWindow, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a passcode that is waited for", start: required(verify), want: passCode,
			answers: said(waiting(verify)), err: errStrange, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a passcode that is challenged", start: required(verify), want: passCode,
			answers: said(sent(verify)), err: errStrange, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "provider", start: required(verify, google), want: want{PassCode: code, Provider: okta.ProviderGoogle},
			answers: said(success(mia)), asked: "verify uft1 t1 123456"},
		{name: "kind", start: required(hotp, verify), want: want{PassCode: code, Kind: mfa.KindTOTP},
			answers: said(success(mia)), asked: "verify ost1 t1 123456"},
		{name: "answer to a question", start: required(verify, question), want: want{PassCode: words},
			answers: said(success(mia)), asked: "verify ufs1 t1 a blue door"},
		{name: "otp", start: required(verify, yubikey), want: want{PassCode: otp}, answers: said(success(mia)), asked: "verify ykf1 t1 " + otp},
		{name: "expired behind the factor", start: required(verify), want: passCode,
			answers: said(state(okta.StatusPasswordExpired)), err: mfa.ErrPasswordExpired, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "enrolment behind the factor", start: required(verify), want: passCode,
			answers: said(state(okta.StatusMFAEnroll)), err: mfa.ErrEnrollment, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "a second factor asked for", start: required(verify), want: passCode,
			answers: said(required(verify)), err: errNoFactor, asked: "verify ost1 t1 123456, cancel t1"},
		{name: "no factor fits", start: required(phone), want: passCode, err: errNoFactor, asked: "cancel t1"},
		{name: "nobody says which", start: required(sms, email), err: errNoFactor, asked: "cancel t1"},
		{name: "nobody gives a passcode", start: required(verify), err: errNoFactor, asked: "cancel t1"},

		// Push.
		{name: "push approved at once", start: required(phone, verify), answers: said(success(mia)), asked: "verify opf1 t1", challenged: true},
		{name: "push approved", start: required(phone, verify), answers: said(waiting(phone), waiting(phone), success(mia)),
			asked: "verify opf1 t1, verify opf1 t1, verify opf1 t1", challenged: true, sleeps: 2},
		{name: "push rejected", start: required(phone), answers: said(waiting(phone), challenge(phone, okta.ResultRejected)),
			err: mfa.ErrRejected, asked: "verify opf1 t1, verify opf1 t1, cancel t1", challenged: true, sleeps: 1},
		{name: "push rejected at once", start: required(phone), answers: said(challenge(phone, okta.ResultRejected)),
			err: mfa.ErrRejected, asked: "verify opf1 t1, cancel t1", challenged: true},
		{name: "push rejected by its service", start: required(phone), answers: said(waiting(phone), refused(okta.CodeFactorRejected)),
			err: refused(okta.CodeFactorRejected), asked: "verify opf1 t1, verify opf1 t1, cancel t1", challenged: true, sleeps: 1},
		{name: "push timed out", start: required(phone), answers: said(waiting(phone), challenge(phone, okta.ResultTimeout)),
			err: mfa.ErrPushTimeout, asked: "verify opf1 t1, verify opf1 t1, cancel t1", challenged: true, sleeps: 1},
		{name: "push cancelled", start: required(phone), answers: said(challenge(phone, okta.ResultCanceled)),
			err: mfa.ErrCancelled, asked: "verify opf1 t1, cancel t1", challenged: true},
		{name: "push failed", start: required(phone), answers: said(challenge(phone, okta.ResultError)),
			err: mfa.ErrFactorFailed, asked: "verify opf1 t1, cancel t1", challenged: true},
		{name: "push with an unknown result", start: required(phone), answers: said(waiting(phone), challenge(phone, "MAYBE")),
			err: errStrange, asked: "verify opf1 t1, verify opf1 t1, cancel t1", challenged: true, sleeps: 1},
		{name: "push without a result", start: required(phone), answers: said(challenge(phone, "")),
			err: errStrange, asked: "verify opf1 t1, cancel t1", challenged: true},
		{name: "push that succeeds without ending", start: required(phone), answers: said(challenge(phone, okta.ResultSuccess)),
			err: errStrange, asked: "verify opf1 t1, cancel t1", challenged: true},
		{name: "push without a factor", start: required(phone),
			answers: said(func() okta.Transaction { tx := waiting(phone); tx.Factor = nil; return tx }()),
			err:     okta.ErrMalformed, asked: "verify opf1 t1, cancel t1", challenged: true},
		{name: "push of another factor", start: required(phone), answers: said(waiting(tablet)),
			err: okta.ErrMalformed, asked: "verify opf1 t1, cancel t1", challenged: true},
		{name: "push, and back to the choice", start: required(phone), answers: said(waiting(phone), required(phone)),
			err: mfa.ErrRungBefore, asked: "verify opf1 t1, verify opf1 t1, cancel t1", challenged: true, sleeps: 1},
		{name: "push, and the first answer is lost", start: required(phone), answers: said(okta.ErrTimeout),
			err: okta.ErrTimeout, asked: "verify opf1 t1, cancel t1", challenged: true},
		{name: "push, and the first answer is an error", start: required(phone), answers: said(refused(okta.CodeWrongState)),
			err: refused(okta.CodeWrongState), asked: "verify opf1 t1, cancel t1"},
		{name: "push, and a poll fails", start: required(phone), answers: said(waiting(phone), okta.ErrMalformed),
			err: okta.ErrMalformed, asked: "verify opf1 t1, verify opf1 t1, cancel t1", challenged: true, sleeps: 1},
		{name: "push, and a poll is one too many", start: required(phone), answers: said(waiting(phone), tooSoon("E0000047"), success(mia)),
			asked: "verify opf1 t1, verify opf1 t1, verify opf1 t1", challenged: true, sleeps: 2},
		{name: "push, and Okta wants no poll for longer than it waits", start: required(phone), answers: said(waiting(phone), muchTooSoon()),
			err: muchTooSoon(), asked: "verify opf1 t1, verify opf1 t1, cancel t1", challenged: true, sleeps: 1},
		{name: "push for GOOGLE", start: required(phone), want: want{Provider: okta.ProviderGoogle}, err: errNoFactor, asked: "cancel t1"},
		{name: "push, then expired", start: required(phone), answers: said(waiting(phone), state(okta.StatusPasswordExpired)),
			err: mfa.ErrPasswordExpired, asked: "verify opf1 t1, verify opf1 t1, cancel t1", challenged: true, sleeps: 1},

		// Numbers.
		{name: "number", start: required(phone), answers: said(waiting(phone), number(phone, 47), number(phone, 47), success(mia)),
			asked: "verify opf1 t1, verify opf1 t1, verify opf1 t1, verify opf1 t1", challenged: true, numbers: []int{47, 47}, sleeps: 3},
		{name: "number 0", start: required(phone), answers: said(number(phone, 0), success(mia)),
			asked: "verify opf1 t1, verify opf1 t1", challenged: true, numbers: []int{0}, sleeps: 1},
		{name: "number that changes", start: required(phone), answers: said(number(phone, 8), number(phone, 90), success(mia)),
			asked: "verify opf1 t1, verify opf1 t1, verify opf1 t1", challenged: true, numbers: []int{8, 90}, sleeps: 2},
		{name: "number for nobody", start: required(phone), noNumber: true, answers: said(waiting(phone), number(phone, 0)),
			err: mfa.ErrNumberChallenge, asked: "verify opf1 t1, verify opf1 t1, cancel t1", challenged: true, sleeps: 1},
		{name: "number for nobody, at once", start: required(phone), noNumber: true, answers: said(number(phone, 5)),
			err: mfa.ErrNumberChallenge, asked: "verify opf1 t1, cancel t1", challenged: true},
		{name: "no number, and nobody to show it", start: required(phone), noNumber: true, answers: said(waiting(phone), success(mia)),
			asked: "verify opf1 t1, verify opf1 t1", challenged: true, sleeps: 1},
		{name: "number of a push that is over", start: required(phone), answers: said(func() okta.Transaction {
			tx := number(phone, 47)
			tx.FactorResult = okta.ResultRejected
			return tx
		}()), err: mfa.ErrRejected, asked: "verify opf1 t1, cancel t1", challenged: true},

		// Somebody else.
		{name: "success for somebody else", start: required(phone), answers: said(success(eve)), err: okta.ErrMalformed, asked: "verify opf1 t1", challenged: true},
		{name: "success for nobody after a push", start: required(phone), answers: said(success(okta.User{})), err: okta.ErrMalformed,
			asked: "verify opf1 t1", challenged: true},
		{name: "success for somebody else after a passcode", start: required(verify), want: passCode, answers: said(success(eve)), err: okta.ErrMalformed,
			asked: "verify ost1 t1 123456"},
		{name: "success for somebody else after a warning", start: state(okta.StatusPasswordWarn), answers: said(success(eve)),
			err: okta.ErrMalformed, asked: "skip t1"},
		{name: "nobody at first", start: ofNobody(required(phone)), err: okta.ErrMalformed, asked: "cancel t1"},
		{name: "an open success for somebody else is cancelled", start: required(phone), answers: said(on("t2", success(eve))),
			err: okta.ErrMalformed, asked: "verify opf1 t1, cancel t2", challenged: true},

		// Bypass.
		{name: "bypass of a factor", bypass: true, start: required(phone)},
		{name: "bypass of a factor, with a passcode", bypass: true, start: required(phone), want: passCode},
		{name: "bypass of no usable factor", bypass: true, start: required(webauthn)},
		{name: "bypass of an enrolment", bypass: true, start: state(okta.StatusMFAEnroll)},
		{name: "bypass of half an enrolment", bypass: true, start: state(okta.StatusMFAEnrollActivate)},
		{name: "bypass behind a warning", bypass: true, start: state(okta.StatusPasswordWarn), answers: said(required(phone)),
			asked: "skip t1", warned: true},
		{name: "bypass of nothing", bypass: true, start: success(mia)},
		{name: "bypass of a lock", bypass: true, start: lockedOut, err: mfa.ErrLockedOut},
		{name: "bypass of an expired password", bypass: true, start: state(okta.StatusPasswordExpired), err: mfa.ErrPasswordExpired, asked: "cancel t1"},
		{name: "bypass of a recovery", bypass: true, start: state(okta.StatusRecoveryChallenge), err: mfa.ErrRecovery, asked: "cancel t1"},
		{name: "bypass of an unknown status", bypass: true, start: state("PASSKEY_REQUIRED"), err: errStrange, asked: "cancel t1"},
		{name: "bypass of a push", bypass: true, start: waiting(phone), err: errStrange, asked: "cancel t1"},
		{name: "bypass of a rejection", bypass: true, start: challenge(phone, okta.ResultRejected), err: mfa.ErrRejected, asked: "cancel t1"},
		{name: "bypass for nobody", bypass: true, start: ofNobody(required()), err: okta.ErrMalformed, asked: "cancel t1"},
		{name: "bypass for somebody else", bypass: true, start: state(okta.StatusPasswordWarn),
			answers: said(ofEve(required(phone))), err: okta.ErrMalformed, asked: "skip t1, cancel t1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := &script{answers: tc.answers}
			clock := newClock()
			var numbers []int
			flow := authn.flow()
			flow.Policy, flow.Clock, flow.Show = mfa.Policy{Bypass: tc.bypass}, clock, nil
			if !tc.noNumber {
				flow.Show = func(n mfa.Number) { numbers = append(numbers, n.Answer) }
			}
			l, err := run(t.Context(), flow, tc.start, tc.want)

			assertError(t, tc.err, err)
			if tc.err == nil {
				assert.Equal(t, mia, whom(l))
				assert.Equal(t, tc.warned, l.PasswordWarning())
			} else {
				assert.Zero(t, whom(l))
			}
			assert.Equal(t, tc.challenged, l.Challenged())
			assert.True(t, l.Over())
			assert.Equal(t, tc.asked, authn.asked())
			assert.Equal(t, tc.numbers, numbers)
			assert.Len(t, clock.sleeps(), tc.sleeps)

			l.Cancel(t.Context(), mfa.Flow{})
			l.Close(t.Context())
			l.Expire(t.Context())
			assert.Empty(t, authn.asked(), "the end is the end")
		})
	}
}

// TestNewestStateToken: each request carries the token of the answer before
// it, and an answer without one leaves the old one good.
func TestNewestStateToken(t *testing.T) {
	t.Parallel()
	authn := scripted(on("t2", required(phone)), on("t3", waiting(phone)), on("", waiting(phone)), on("t4", challenge(phone, okta.ResultRejected)))
	_, err := run(t.Context(), authn.flow(), state(okta.StatusPasswordWarn), want{})
	assert.ErrorIs(t, err, mfa.ErrRejected)
	assert.Equal(t, "skip t1, verify opf1 t2, verify opf1 t3, verify opf1 t3, cancel t4", authn.asked())
}

// TestNumberIsWhole: what a caller needs to show a number.
func TestNumberIsWhole(t *testing.T) {
	t.Parallel()
	authn := scripted(number(phone, 47), success(mia))
	flow := authn.flow()
	var shown []mfa.Number
	flow.Show = func(n mfa.Number) { shown = append(shown, n) }
	_, err := run(t.Context(), flow, required(phone), want{})
	assert.NoError(t, err)
	assert.Equal(t, []mfa.Number{{Answer: 47, Device: "Phone 1", ExpiresAt: noon.Add(mfa.MaxWait)}}, shown)
}
