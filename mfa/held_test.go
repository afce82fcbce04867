package mfa_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// step is one call on a held login: some time later, with what the person gives
// and what Okta says then; and what comes of it.
type step struct {
	after   time.Duration
	want    want
	answers []answer
	err     error
	asked   string
	phase   mfa.Phase // 0: the login has ended without success
	factor  okta.Factor
	number  *int
}

func answerOf(n int) *int { return &n }

const due = 3 * time.Second // time for the next question to Okta

// TestHeld: what each call on a held login does, and where the login stands
// after it. The first step is the start.
func TestHeld(t *testing.T) {
	t.Parallel()
	const ring, pass, choose, done = mfa.PhaseWaiting, mfa.PhasePassCode, mfa.PhaseFactor, mfa.PhaseDone
	passCode := want{PassCode: code}
	all := required(phone, tablet, verify, sms, email)
	canResend := func(tx okta.Transaction) okta.Transaction { tx.CanResend = true; return tx }
	rung := step{answers: said(waiting(phone)), asked: "verify opf1 t1", phase: ring, factor: phone}
	sentSMS := step{want: want{Kind: mfa.KindSMS}, answers: said(sent(sms)), asked: "verify sms1 t1", phase: pass, factor: sms}
	for _, tc := range []struct {
		name   string
		start  okta.Transaction
		policy mfa.Policy
		steps  []step
	}{
		// Without a choice.
		{"success at once", success(mia), mfa.Policy{}, []step{{phase: done}, {err: mfa.ErrOver}}},
		{"bypass", all, mfa.Policy{Bypass: true}, []step{{phase: done}}},
		{"denied at once", state(okta.StatusPasswordExpired), mfa.Policy{}, []step{{err: mfa.ErrPasswordExpired, asked: "cancel t1"}, {err: mfa.ErrOver}}},
		{"warning", state(okta.StatusPasswordWarn), mfa.Policy{}, []step{
			{answers: said(all, waiting(phone)), asked: "skip t1, verify opf1 t1", phase: ring, factor: phone}}},
		{"approved", all, mfa.Policy{}, []step{rung,
			{phase: ring, factor: phone},
			{after: due, answers: said(waiting(phone)), asked: "verify opf1 t1", phase: ring, factor: phone},
			{after: time.Second, phase: ring, factor: phone},
			{after: due, answers: said(success(mia)), asked: "verify opf1 t1", phase: done},
			{err: mfa.ErrOver}, {want: passCode, err: mfa.ErrOver}}},
		{"approved at once", all, mfa.Policy{}, []step{{answers: said(success(mia)), asked: "verify opf1 t1", phase: done}}},
		{"approved by somebody else", all, mfa.Policy{}, []step{rung,
			{after: due, answers: said(success(eve)), err: okta.ErrMalformed, asked: "verify opf1 t1"}}},
		{"rejected", all, mfa.Policy{}, []step{rung,
			{after: due, answers: said(challenge(phone, okta.ResultRejected)), err: mfa.ErrRejected, asked: "verify opf1 t1, cancel t1"},
			{err: mfa.ErrOver}, {want: passCode, err: mfa.ErrOver}}},
		{"timed out", all, mfa.Policy{}, []step{rung,
			{after: due, answers: said(challenge(phone, okta.ResultTimeout)), err: mfa.ErrPushTimeout, asked: "verify opf1 t1, cancel t1"}}},
		{"nobody asked until it expired", all, mfa.Policy{}, []step{rung,
			{after: 6 * time.Minute, err: mfa.ErrPushTimeout, asked: "cancel t1"}}},
		{"a poll is lost", all, mfa.Policy{}, []step{rung,
			{after: due, answers: said(okta.ErrTimeout), asked: "verify opf1 t1", phase: ring, factor: phone},
			{after: due, answers: said(success(mia)), asked: "state t1", phase: done}}},
		{"the first answer is lost", all, mfa.Policy{}, []step{
			{answers: said(okta.ErrTimeout), err: okta.ErrTimeout, asked: "verify opf1 t1, cancel t1"}, {err: mfa.ErrOver}}},
		{"numbers", all, mfa.Policy{}, []step{rung,
			{after: due, answers: said(number(phone, 0)), asked: "verify opf1 t1", phase: ring, factor: phone, number: answerOf(0)},
			{phase: ring, factor: phone, number: answerOf(0)},
			{after: due, answers: said(number(phone, 31)), asked: "verify opf1 t1", phase: ring, factor: phone, number: answerOf(31)},
			{after: due, answers: said(success(mia)), asked: "verify opf1 t1", phase: done, number: answerOf(31)}}},
		{"number at the other phone", all, mfa.Policy{AllDevices: true}, []step{
			{answers: said(waiting(phone), on("t2", all), on("t2", waiting(tablet))), asked: "verify opf1 t1, again, verify opf2 t2", phase: ring, factor: phone},
			{after: due, answers: said(waiting(phone), on("t2", number(tablet, 9))), asked: "verify opf1 t1, verify opf2 t2, cancel t1",
				phase: ring, factor: tablet, number: answerOf(9)},
			{after: due, answers: said(success(mia)), asked: "verify opf2 t2", phase: done, number: answerOf(9)}}},

		// A poll that is one too many: the phone has rung, and is asked about again.
		{"rate limit at a poll", all, mfa.Policy{}, []step{rung,
			{after: due, answers: said(tooSoon("E0000047")), asked: "verify opf1 t1", phase: ring, factor: phone},
			{after: 30 * time.Second, phase: ring, factor: phone}, // Okta wants to be left alone
			{after: due, answers: said(success(mia)), asked: "verify opf1 t1", phase: done}}},
		{"rate limit at the push", all, mfa.Policy{}, []step{
			{answers: said(tooSoon("E0000047")), err: tooSoon("E0000047"), asked: "verify opf1 t1", phase: choose},
			{want: passCode, answers: said(success(mia)), asked: "verify ost1 t1 123456", phase: done}}},

		// Passcodes.
		{"one generator", required(verify), mfa.Policy{}, []step{{phase: pass, factor: verify},
			{phase: pass, factor: verify}, {want: passCode, answers: said(success(mia)), asked: "verify ost1 t1 123456", phase: done}}},
		{"two generators", required(verify, google), mfa.Policy{}, []step{{phase: choose},
			{want: passCode, answers: said(refused(okta.CodeInvalidPassCode), success(mia)), asked: "verify ost1 t1 123456, verify uft1 t1 123456", phase: done}}},
		{"wrong, then right", required(verify), mfa.Policy{}, []step{{phase: pass, factor: verify},
			{want: passCode, answers: said(refused(okta.CodeInvalidPassCode)), err: refused(okta.CodeInvalidPassCode), asked: "verify ost1 t1 123456", phase: pass, factor: verify},
			{want: passCode, answers: said(refused(okta.CodePassCodeReplayed)), err: refused(okta.CodePassCodeReplayed), asked: "verify ost1 t1 123456", phase: pass, factor: verify},
			{want: passCode, answers: said(refused(okta.CodePassCodeTimeWindow)), err: refused(okta.CodePassCodeTimeWindow), asked: "verify ost1 t1 123456", phase: pass, factor: verify},
			{want: passCode, answers: said(success(mia)), asked: "verify ost1 t1 123456", phase: done}}},
		{"locked out", required(verify, google), mfa.Policy{}, []step{{phase: choose},
			{want: passCode, answers: said(refused(okta.CodeUserLocked)), err: refused(okta.CodeUserLocked), asked: "verify ost1 t1 123456, cancel t1"},
			{want: passCode, err: mfa.ErrOver}}},
		{"the next token", required(rsa), mfa.Policy{}, []step{{phase: pass, factor: rsa},
			{want: passCode, answers: said(refused(okta.CodeNextPassCode)), err: refused(okta.CodeNextPassCode), asked: "verify rsa1 t1 123456", phase: pass, factor: rsa},
			{want: want{PassCode: "654321"}, answers: said(success(mia)), asked: "verify rsa1 t1 654321", phase: done}}},
		{"the passcode with the start", all, mfa.Policy{}, []step{
			{want: passCode, answers: said(success(mia)), asked: "verify ost1 t1 123456", phase: done}}},
		{"a wrong passcode with the start", all, mfa.Policy{}, []step{
			{want: passCode, answers: said(refused(okta.CodeInvalidPassCode)), err: refused(okta.CodeInvalidPassCode), asked: "verify ost1 t1 123456", phase: pass, factor: verify},
			{want: want{Kind: mfa.KindPush}, answers: said(waiting(phone)), asked: "verify opf1 t1", phase: ring, factor: phone}}},
		{"a passcode that leads to an expired password", required(verify), mfa.Policy{}, []step{{phase: pass, factor: verify},
			{want: passCode, answers: said(state(okta.StatusPasswordExpired)), err: mfa.ErrPasswordExpired, asked: "verify ost1 t1 123456, cancel t1"}}},

		// From a push to something else: back, which withdraws it.
		{"push to totp", all, mfa.Policy{}, []step{rung,
			{want: passCode, answers: said(all, success(mia)), asked: "previous t1, verify ost1 t1 123456", phase: done}}},
		{"push to a wrong totp, to a push again", all, mfa.Policy{}, []step{rung,
			{want: passCode, answers: said(all, refused(okta.CodeInvalidPassCode)), err: refused(okta.CodeInvalidPassCode),
				asked: "previous t1, verify ost1 t1 123456", phase: pass, factor: verify},
			{want: want{Device: "Phone 1"}, err: mfa.ErrRungBefore, phase: pass, factor: verify},
			{want: want{Kind: mfa.KindPush}, answers: said(waiting(tablet)), asked: "verify opf2 t1", phase: ring, factor: tablet},
			{want: passCode, answers: said(all, refused(okta.CodeInvalidPassCode)), err: refused(okta.CodeInvalidPassCode),
				asked: "previous t1, verify ost1 t1 123456", phase: pass, factor: verify},
			{want: want{Kind: mfa.KindPush}, err: mfa.ErrRungBefore, phase: pass, factor: verify},
			{want: passCode, answers: said(success(mia)), asked: "verify ost1 t1 123456", phase: done}}},
		{"push to sms", all, mfa.Policy{}, []step{rung,
			{want: want{Kind: mfa.KindSMS}, answers: said(all, sent(sms)), asked: "previous t1, verify sms1 t1", phase: pass, factor: sms},
			{after: due, phase: pass, factor: sms},
			{want: passCode, answers: said(success(mia)), asked: "verify sms1 t1 123456", phase: done}}},
		{"device to other device", all, mfa.Policy{}, []step{rung,
			{want: want{Device: "tablet"}, answers: said(all, waiting(tablet)), asked: "previous t1, verify opf2 t1", phase: ring, factor: tablet},
			{want: want{Device: "opf1"}, err: mfa.ErrRungBefore, phase: ring, factor: tablet},
			{after: due, answers: said(waiting(tablet)), asked: "verify opf2 t1", phase: ring, factor: tablet},
			{after: due, answers: said(success(mia)), asked: "verify opf2 t1", phase: done}}},
		{"all devices to a passcode", all, mfa.Policy{AllDevices: true}, []step{
			{answers: said(waiting(phone), on("t2", all), on("t2", waiting(tablet))), asked: "verify opf1 t1, again, verify opf2 t2", phase: ring, factor: phone},
			{want: passCode, answers: said(all, success(mia)), asked: "cancel t2, previous t1, verify ost1 t1 123456", phase: done}}},
		{"same device twice", all, mfa.Policy{}, []step{rung,
			{want: want{Device: "Phone 1"}, err: mfa.ErrRungBefore, phase: ring, factor: phone},
			{want: want{Kind: mfa.KindPush}, err: mfa.ErrRungBefore, phase: ring, factor: phone},
			{after: due, answers: said(success(mia)), asked: "verify opf1 t1", phase: done}}},
		{"bad choices", all, mfa.Policy{}, []step{rung,
			{want: want{Kind: mfa.KindCall}, err: errNoFactor, phase: ring, factor: phone},
			{want: want{Device: "Watch"}, err: errNoFactor, phase: ring, factor: phone},
			{want: want{PassCode: words}, err: errNoFactor, phase: ring, factor: phone},
			{want: want{Provider: okta.ProviderGoogle}, err: errNoFactor, phase: ring, factor: phone},
			{want: want{Kind: mfa.KindPush, Resend: true}, err: errNoFactor, phase: ring, factor: phone},
			{after: due, answers: said(success(mia)), asked: "verify opf1 t1", phase: done}}},
		{"no way back", all, mfa.Policy{}, []step{rung,
			{want: passCode, answers: said(waiting(phone)), err: errStrange, asked: "previous t1, cancel t1"}}},
		{"the way back is lost", all, mfa.Policy{}, []step{rung,
			{want: passCode, answers: said(okta.ErrTimeout), err: okta.ErrTimeout, asked: "previous t1, cancel t1"}}},
		{"the way back shows nothing to choose from", all, mfa.Policy{}, []step{rung, // what was offered first is still good
			{want: passCode, answers: said(required(), success(mia)), asked: "previous t1, verify ost1 t1 123456", phase: done}}},

		// Codes.
		{"sms", required(sms), mfa.Policy{}, []step{{answers: said(sent(sms)), asked: "verify sms1 t1", phase: pass, factor: sms},
			{want: passCode, answers: said(refused(okta.CodeInvalidPassCode)), err: refused(okta.CodeInvalidPassCode), asked: "verify sms1 t1 123456", phase: pass, factor: sms},
			{want: passCode, answers: said(success(mia)), asked: "verify sms1 t1 123456", phase: done}}},
		{"two codes: which", required(sms, email), mfa.Policy{}, []step{{phase: choose},
			{want: want{Kind: mfa.KindEmail}, answers: said(sent(email)), asked: "verify emf1 t1", phase: pass, factor: email},
			{want: passCode, answers: said(success(mia)), asked: "verify emf1 t1 123456", phase: done}}},
		{"a kind that nobody has", required(sms), mfa.Policy{}, []step{
			{want: want{Kind: mfa.KindEmail}, err: errNoFactor, phase: choose},
			{want: want{Kind: mfa.KindSMS}, answers: said(sent(sms)), asked: "verify sms1 t1", phase: pass, factor: sms}}},
		{"sms again: nothing is sent", all, mfa.Policy{}, []step{sentSMS,
			{want: want{Kind: mfa.KindSMS}, phase: pass, factor: sms},
			{want: passCode, answers: said(success(mia)), asked: "verify sms1 t1 123456", phase: done}}},
		{"sms again: sent where wanted, by the link", all, mfa.Policy{}, []step{
			{want: want{Kind: mfa.KindSMS}, answers: said(canResend(sent(sms))), asked: "verify sms1 t1", phase: pass, factor: sms},
			{want: want{Kind: mfa.KindSMS, Resend: true}, answers: said(tooSoon(okta.CodeResendSMS)), err: tooSoon(okta.CodeResendSMS), asked: "resend sms1 t1", phase: pass, factor: sms},
			{want: want{Kind: mfa.KindSMS, Resend: true}, answers: said(canResend(sent(sms))), asked: "resend sms1 t1", phase: pass, factor: sms},
			{want: passCode, answers: said(success(mia)), asked: "verify sms1 t1 123456", phase: done}}},
		{"sms again: sent where wanted, without a link", all, mfa.Policy{}, []step{sentSMS,
			{want: want{Kind: mfa.KindSMS, Resend: true}, answers: said(sent(sms)), asked: "verify sms1 t1", phase: pass, factor: sms}}},
		{"sms again: sent where wanted, and nothing else said", all, mfa.Policy{}, []step{sentSMS,
			{want: want{Resend: true}, answers: said(sent(sms)), asked: "verify sms1 t1", phase: pass, factor: sms}}},
		{"sms too soon", all, mfa.Policy{}, []step{
			{want: want{Kind: mfa.KindSMS}, answers: said(tooSoon(okta.CodeResendSMS)), err: tooSoon(okta.CodeResendSMS), asked: "verify sms1 t1", phase: choose},
			{want: passCode, answers: said(success(mia)), asked: "verify ost1 t1 123456", phase: done}}},
		{"sms to push", all, mfa.Policy{}, []step{sentSMS,
			{want: want{Kind: mfa.KindPush}, answers: said(all, waiting(phone)), asked: "previous t1, verify opf1 t1", phase: ring, factor: phone},
			{after: due, answers: said(success(mia)), asked: "verify opf1 t1", phase: done}}},
		{"sms to email", all, mfa.Policy{}, []step{sentSMS,
			{want: want{Kind: mfa.KindEmail}, answers: said(all, sent(email)), asked: "previous t1, verify emf1 t1", phase: pass, factor: email},
			{want: passCode, answers: said(success(mia)), asked: "verify emf1 t1 123456", phase: done}}},
		{"sms to totp", all, mfa.Policy{}, []step{sentSMS,
			{want: want{Kind: mfa.KindTOTP, PassCode: code}, answers: said(all, success(mia)), asked: "previous t1, verify ost1 t1 123456", phase: done}}},
		{"sms to what nobody has", all, mfa.Policy{}, []step{sentSMS,
			{want: want{Kind: mfa.KindCall}, err: errNoFactor, phase: pass, factor: sms},
			{want: passCode, answers: said(success(mia)), asked: "verify sms1 t1 123456", phase: done}}},
		{"the code's transaction is gone", required(sms), mfa.Policy{}, []step{{answers: said(sent(sms)), asked: "verify sms1 t1", phase: pass, factor: sms},
			{want: passCode, answers: said(refused(okta.CodeInvalidToken)), err: refused(okta.CodeInvalidToken), asked: "verify sms1 t1 123456, cancel t1"}}},
		{"a code that is not asked for", required(sms), mfa.Policy{}, []step{{answers: said(waiting(sms)), err: errStrange, asked: "verify sms1 t1, cancel t1"}}},
		{"a code of another factor", required(sms), mfa.Policy{}, []step{{answers: said(sent(email)), err: okta.ErrMalformed, asked: "verify sms1 t1, cancel t1"}}},
		{"a code, and success at once", required(sms), mfa.Policy{}, []step{{answers: said(success(mia)), err: errStrange, asked: "verify sms1 t1"}}},
		{"a code that cannot be sent", required(sms), mfa.Policy{}, []step{{answers: said(challenge(sms, okta.ResultError)), err: mfa.ErrFactorFailed, asked: "verify sms1 t1, cancel t1"}}},

		// The word is the person's.
		{"a generator is announced while a push waits", all, mfa.Policy{}, []step{rung,
			{want: want{Kind: mfa.KindTOTP}, answers: said(all), asked: "previous t1", phase: pass, factor: verify},
			{after: due, phase: pass, factor: verify},
			{want: passCode, answers: said(success(mia)), asked: "verify ost1 t1 123456", phase: done}}},
		{"a generator is announced while a code waits", all, mfa.Policy{}, []step{sentSMS,
			{want: want{Kind: mfa.KindTOTP}, answers: said(all), asked: "previous t1", phase: pass, factor: verify},
			{want: passCode, answers: said(success(mia)), asked: "verify ost1 t1 123456", phase: done}}},
		{"a generator is announced", all, mfa.Policy{}, []step{
			{want: want{Kind: mfa.KindTOTP}, phase: pass, factor: verify}}},
		{"nothing to choose from", required(webauthn), mfa.Policy{}, []step{{err: errNoFactor, phase: choose}, {phase: choose}}},
		{"all shut out", all, mfa.Policy{Factors: []mfa.Kind{mfa.KindCall}}, []step{{err: errNoFactor, phase: choose}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := scripted()
			clock := newClock()
			flow := authn.flow()
			flow.Hold, flow.Policy, flow.Clock, flow.Show = true, tc.policy, clock, nil
			var l *mfa.Session
			success := false
			for n, step := range tc.steps {
				clock.Advance(step.after)
				authn.answers = step.answers
				var err error
				var s mfa.State
				if n == 0 {
					l, err = flow.Begin(t.Context(), tc.start, mfa.Input{Want: step.want})
				} else {
					s, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: step.want})
				}
				assertError(t, step.err, err)
				assert.Equal(t, step.asked, authn.asked(), "step %d", n)
				assert.Empty(t, authn.answers, "step %d", n)
				assert.Equal(t, step.phase == done || step.phase == 0, l.Over(), "step %d", n)
				if err == nil && n == 0 || err != nil && !l.Over() {
					s, _ = l.State(t.Context())
				}
				if err == nil || !l.Over() {
					assertState(t, step, s)
				}
				if err != nil {
					assert.Equal(t, !l.Over(), mfa.Retryable(err), "step %d", n)
				}
				success = success || step.phase == done
				assert.Equal(t, success, whom(l) == mia, "step %d", n)
			}
		})
	}
}

func assertState(t *testing.T, want step, got mfa.State) {
	t.Helper()
	assert.Equal(t, want.phase, got.Phase)
	if want.phase != mfa.PhaseDone {
		assert.Equal(t, want.factor, got.Factor)
	}
	if assert.Equal(t, want.number == nil, got.Number == nil) && got.Number != nil {
		assert.Equal(t, *want.number, got.Number.Answer)
		if want.phase != mfa.PhaseDone {
			assert.Equal(t, got.Factor.DeviceName, got.Number.Device)
		}
	}
	for _, other := range got.Others {
		assert.NotEqual(t, got.Factor.ID, other.ID)
	}
}

// TestHeldState: all that a caller tells of a held login.
func TestHeldState(t *testing.T) {
	t.Parallel()
	authn := scripted(waiting(phone), required(phone, verify, sms, webauthn), func() okta.Transaction {
		tx := sent(sms)
		tx.ExpiresAt = noon.Add(7 * time.Minute)
		return tx
	}())
	flow := authn.flow()
	flow.Hold = true
	l, err := flow.Begin(t.Context(), required(phone, webauthn, verify, with("INACTIVE", google), sms), mfa.Input{Want: want{}})
	require.NoError(t, err)
	s, err := l.State(t.Context())
	require.NoError(t, err)
	assert.Equal(t, mfa.State{Phase: mfa.PhaseWaiting, Factor: phone, ExpiresAt: noon.Add(5 * time.Minute), Others: set{verify, sms}}, s)
	s, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{Kind: mfa.KindSMS}})
	require.NoError(t, err)
	assert.Equal(t, mfa.State{Phase: mfa.PhasePassCode, Factor: sms, ExpiresAt: noon.Add(7 * time.Minute), Others: set{phone, verify}}, s)
	l.Close(t.Context())
	_, err = l.State(t.Context())
	assert.ErrorIs(t, err, mfa.ErrOver)
	_, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
	assert.ErrorIs(t, err, mfa.ErrOver)
}
