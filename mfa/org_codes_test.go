package mfa_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// assertSent wants err to say that a code is out.
func assertSent(t *testing.T, f *oktatest.Factor, again bool, err error) {
	t.Helper()
	var out *mfa.CodeSentError
	if assert.ErrorAs(t, err, &out) {
		assert.Equal(t, f.ID, out.Factor.ID)
		assert.NotEmpty(t, out.Factor.SentTo)
		assert.Equal(t, again, out.Again)
	}
}

// TestCodeInTwoLogins: one login has the code sent, the next brings it. What
// comes between does not disturb it. A code is good in its own transaction only
// here, so that a success shows which one was answered.
func TestCodeInTwoLogins(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind, tooSoon string
		pause         time.Duration
		options       oktatest.Options
	}{
		{"sms", okta.CodeResendSMS, 30 * time.Second, oktatest.Options{}},
		{"call", okta.CodeResendCall, 30 * time.Second, oktatest.Options{}},
		{"email", okta.CodeResendEmail, 5 * time.Second, oktatest.Options{}},
		{"sms", okta.CodeResendSMS, 30 * time.Second, oktatest.Options{OmitResend: true, OmitFactorResult: true}},
		{"email", okta.CodeResendEmail, 5 * time.Second, oktatest.Options{OmitResend: true, ExtraFields: true}},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			t.Parallel()
			tc.options.CodesStayInTransaction, tc.options.MaxFailures = true, 10
			tc.options.StateTokenLife, tc.options.ChallengeLife = 20*time.Minute, 10*time.Minute
			o := newOrg(t, tc.options)
			f := o.user.AddFactor(tc.kind, "OKTA")

			l, err := o.login(t, want{})
			assertSent(t, f, false, err)
			assert.True(t, l.Challenged())
			assert.True(t, l.Over())
			assert.Zero(t, whom(l))
			assert.Equal(t, 1, f.Sent())
			assert.Zero(t, o.cancelled(), "the transaction is kept")

			o.Reset()
			l, err = o.login(t, want{})
			assertSent(t, f, true, err)
			assert.False(t, l.Challenged())
			assert.Equal(t, 1, f.Sent(), "not again")
			assert.Equal(t, []int{1}, o.tokens("/cancel"))

			o.Reset()
			l, err = o.login(t, want{Resend: true})
			var said *okta.Error
			require.ErrorAs(t, err, &said)
			assert.Equal(t, []any{tc.tooSoon, tc.pause}, []any{said.Code, said.RetryAfter})
			assert.False(t, l.Challenged(), "Okta has refused to")
			assert.Equal(t, 1, f.Sent())
			assert.Equal(t, []int{2}, o.tokens("/cancel"))

			o.clock.Advance(tc.pause)
			o.Reset()
			l, err = o.login(t, want{Resend: true})
			assertSent(t, f, false, err)
			assert.True(t, l.Challenged())
			assert.Equal(t, 2, f.Sent())
			assert.Equal(t, []int{3}, o.tokens("/cancel"))

			o.Reset()
			wrong := "000000"
			_, err = o.login(t, want{PassCode: wrong})
			assertError(t, refused(okta.CodeInvalidPassCode), err)
			assert.Equal(t, []int{0}, o.tokens("/verify"), "tried once")
			assert.Equal(t, []int{4}, o.tokens("/cancel"), "a wrong code keeps it")

			o.Reset()
			_, err = o.login(t, want{PassCode: words})
			assertError(t, errNoFactor, err)
			assert.Equal(t, []int{5}, o.tokens("/cancel"))

			o.Reset()
			right := f.Code()
			l, err = o.login(t, want{PassCode: right})
			require.NoError(t, err)
			assert.Equal(t, o.in(), whom(l))
			assert.True(t, l.Challenged(), "who repeats it may have it sent again")
			assert.Equal(t, []int{0}, o.tokens("/verify"))
			assert.Equal(t, []int{6}, o.tokens("/cancel"))

			o.Reset()
			_, err = o.login(t, want{PassCode: right})
			assertError(t, refused(okta.CodeInvalidPassCode), err) // good once
			assert.Equal(t, []int{7}, o.tokens("/verify"), "nothing is pending")

			o.clock.Advance(tc.pause)
			_, err = o.login(t, want{})
			assertSent(t, f, false, err)
			assert.Equal(t, 3, f.Sent())
		})
	}
}

// TestCodeAfterRestart: who does not know of a pending code tries it in a new
// transaction, where Okta may take it.
func TestCodeAfterRestart(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sms", "call", "email"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{})
			o.user.AddPush()
			f := o.user.AddFactor(kind, "OKTA")
			_, err := o.login(t, want{Kind: mfa.Kind(kind)})
			assertSent(t, f, false, err)
			o.Tidy(o.clock.Now().Add(24 * time.Hour)) // all of them
			o.Reset()
			l, err := o.login(t, want{PassCode: f.Code()})
			assert.NoError(t, err)
			assert.Equal(t, o.in(), whom(l))
			assert.Equal(t, []int{1}, o.tokens("/verify"))
		})
	}
}

// TestCodeGone: what becomes of a pending code that Okta does not know any more,
// or that has had its time.
func TestCodeGone(t *testing.T) {
	t.Parallel()
	pend := func(t *testing.T, options oktatest.Options) (*org, *oktatest.Factor, okta.Transaction) {
		o := newOrg(t, options)
		f := o.user.AddFactor("sms", "OKTA")
		tx, err := o.authenticate(t.Context())
		require.NoError(t, err)
		_, err = run(t.Context(), o.flow(), tx, want{})
		assertSent(t, f, false, err)
		o.Reset()
		return o, f, tx
	}
	t.Run("cancelled at Okta: tried in the new transaction", func(t *testing.T) {
		t.Parallel()
		o, f, tx := pend(t, oktatest.Options{})
		require.NoError(t, o.client.Cancel(t.Context(), tx))
		o.Reset()
		l, err := o.login(t, want{PassCode: f.Code()})
		assert.NoError(t, err)
		assert.Equal(t, o.in(), whom(l))
		assert.Equal(t, []int{0, 1}, o.tokens("/verify"))
	})
	t.Run("cancelled at Okta: sent anew where wanted", func(t *testing.T) {
		t.Parallel()
		o, f, tx := pend(t, oktatest.Options{})
		require.NoError(t, o.client.Cancel(t.Context(), tx))
		o.clock.Advance(time.Minute)
		_, err := o.login(t, want{Resend: true})
		assertSent(t, f, false, err)
		assert.Equal(t, 2, f.Sent())
		o.Reset()
		_, err = o.login(t, want{PassCode: f.Code()})
		assert.NoError(t, err)
		assert.Equal(t, []int{1}, o.tokens("/verify"))
	})
	t.Run("expired: sent anew", func(t *testing.T) {
		t.Parallel()
		o, f, _ := pend(t, oktatest.Options{})
		o.clock.Advance(5*time.Minute + time.Second)
		_, err := o.login(t, want{})
		assertSent(t, f, false, err)
		assert.Equal(t, 2, f.Sent())
		assert.Equal(t, []int{1}, o.tokens("/verify"))
	})
	t.Run("almost expired: still pending", func(t *testing.T) {
		t.Parallel()
		o, f, _ := pend(t, oktatest.Options{})
		o.clock.Advance(5*time.Minute - time.Second)
		o.Tidy(o.clock.Now())
		_, err := o.login(t, want{PassCode: f.Code()})
		assert.NoError(t, err)
		assert.Equal(t, []int{0}, o.tokens("/verify"))
	})
	t.Run("expired, and the code comes", func(t *testing.T) {
		t.Parallel()
		o, f, _ := pend(t, oktatest.Options{})
		o.clock.Advance(5*time.Minute + time.Second)
		o.Tidy(o.clock.Now())
		_, err := o.login(t, want{PassCode: f.Code()})
		assertError(t, refused(okta.CodeInvalidPassCode), err)
		assert.Equal(t, []int{1}, o.tokens("/verify"))
	})
	t.Run("locked out", func(t *testing.T) {
		t.Parallel()
		o, f, _ := pend(t, oktatest.Options{MaxFailures: 2})
		_, err := o.login(t, want{PassCode: "000000"})
		assertError(t, refused(okta.CodeInvalidPassCode), err)
		o.Reset()
		_, err = o.login(t, want{PassCode: "000000"})
		assertError(t, refused(okta.CodeUserLocked), err)
		assert.Len(t, o.tokens("/cancel"), 2, "both are cancelled")
		o.user.SetStatus("ACTIVE")
		o.Reset()
		_, err = o.login(t, want{PassCode: f.Code()})
		assert.NoError(t, err)
		assert.Equal(t, []int{3}, o.tokens("/verify"), "it is not pending any more")
	})
	t.Run("the password has expired meanwhile", func(t *testing.T) {
		t.Parallel()
		o, f, _ := pend(t, oktatest.Options{})
		o.user.SetStatus("PASSWORD_EXPIRED")
		_, err := o.login(t, want{PassCode: f.Code()})
		assert.ErrorIs(t, err, mfa.ErrPasswordExpired)
		assert.Len(t, o.tokens("/cancel"), 2, "both are cancelled")
	})
	t.Run("a lost answer keeps it", func(t *testing.T) {
		t.Parallel()
		o, f, _ := pend(t, oktatest.Options{})
		o.Fail("verify", oktatest.CloseConnection().Times(1))
		_, err := o.login(t, want{PassCode: f.Code()})
		assert.ErrorIs(t, err, okta.ErrUnreachable)
		o.Reset()
		l, err := o.login(t, want{PassCode: f.Code()})
		assert.NoError(t, err)
		assert.Equal(t, o.in(), whom(l))
		assert.Equal(t, []int{0}, o.tokens("/verify"))
	})
	t.Run("an answer that was lost on the way back", func(t *testing.T) {
		t.Parallel()
		o, f, _ := pend(t, oktatest.Options{})
		o.Fail("verify", oktatest.CloseConnection().Delivered().Times(1))
		passCode := f.Code()
		_, err := o.login(t, want{PassCode: passCode})
		assert.ErrorIs(t, err, okta.ErrUnreachable)
		_, err = o.login(t, want{PassCode: passCode})
		assertError(t, refused(okta.CodeInvalidPassCode), err) // the transaction is over, and the code is used
		_, err = o.login(t, want{})
		assertError(t, tooSoon(okta.CodeResendSMS), err) // and is not thought to be pending
	})
	t.Run("a lost answer to the first sending", func(t *testing.T) {
		t.Parallel()
		o := newOrg(t, oktatest.Options{})
		f := o.user.AddFactor("sms", "OKTA")
		o.Fail("verify", oktatest.CloseConnection().Delivered().Times(1))
		l, err := o.login(t, want{})
		assert.ErrorIs(t, err, okta.ErrUnreachable)
		assert.True(t, l.Challenged(), "it may have been sent")
		assert.Equal(t, 1, f.Sent())
		assert.Equal(t, 1, o.cancelled())
	})
}

// TestCodeReplaced: another factor's code takes the place of the one pending,
// whose transaction is then cancelled at Okta.
func TestCodeReplaced(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	text, mail := o.user.AddFactor("sms", "OKTA"), o.user.AddFactor("email", "OKTA")
	_, err := o.login(t, want{})
	assertError(t, errNoFactor, err) // which?
	o.Reset()
	_, err = o.login(t, want{Kind: mfa.KindSMS})
	assertSent(t, text, false, err)
	assert.Empty(t, o.tokens("/cancel"))
	_, err = o.login(t, want{Kind: mfa.KindEmail})
	assertSent(t, mail, false, err)
	assert.Equal(t, []int{1}, o.tokens("/cancel"))
	o.Reset()
	_, err = o.login(t, want{PassCode: mail.Code()})
	assert.NoError(t, err)
	assert.Equal(t, []int{2}, o.tokens("/verify"))
	assert.Equal(t, []int{3}, o.tokens("/cancel"))
}

// TestCodeBesideOthers: a passcode is tried on the pending code first, and in the
// new transaction on what else it fits.
func TestCodeBesideOthers(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{MaxFailures: 10})
	o.user.AddPush()
	text, totp, google := o.user.AddFactor("sms", "OKTA"), o.user.AddTOTP("OKTA"), o.user.AddTOTP("GOOGLE")
	_, err := o.login(t, want{Kind: mfa.KindSMS})
	assertSent(t, text, false, err)
	o.Reset()
	l, err := o.login(t, want{PassCode: google.Code()})
	assert.NoError(t, err)
	assert.Equal(t, o.in(), whom(l))
	assert.Equal(t, []int{0, 1, 1}, o.tokens("/verify"))
	assert.Equal(t, []int{1, 1, 1}, []int{o.verifies(text), o.verifies(totp), o.verifies(google)})
	assert.Empty(t, o.tokens("/cancel"))

	o.Reset()
	_, err = o.login(t, want{PassCode: "000000"})
	assertError(t, refused(okta.CodeInvalidPassCode), err)
	assert.Equal(t, []int{0, 2, 2}, o.tokens("/verify"))
	assert.Equal(t, []int{2}, o.tokens("/cancel"))
	o.Reset()
	l, err = o.login(t, want{PassCode: text.Code()})
	assert.NoError(t, err)
	assert.Equal(t, o.in(), whom(l))
	assert.Equal(t, []int{0}, o.tokens("/verify"))
}

// TestCodeIsPersonal: nobody answers, sees or replaces the code of somebody else.
func TestCodeIsPersonal(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	text := o.user.AddFactor("sms", "OKTA")
	other := o.AddUser("eve@acme.test", "evening")
	theirs := other.AddFactor("sms", "OKTA")
	_, err := o.login(t, want{})
	assertSent(t, text, false, err)
	tx, err := o.client.Authenticate(t.Context(), "eve@acme.test", "evening")
	require.NoError(t, err)
	_, err = run(t.Context(), o.flow(), tx, want{})
	assertSent(t, theirs, false, err)
	tx, err = o.client.Authenticate(t.Context(), "eve@acme.test", "evening")
	require.NoError(t, err)
	o.Reset()
	l, err := run(t.Context(), o.flow(), tx, want{PassCode: text.Code()})
	assertError(t, refused(okta.CodeInvalidPassCode), err)
	assert.Zero(t, whom(l))
	assert.Equal(t, []int{1}, o.tokens("/verify"))
	_, err = o.login(t, want{PassCode: text.Code()})
	assert.NoError(t, err)
}

// TestTelephonyAtOrg: what Okta says where it cannot or will not send a code.
func TestTelephonyAtOrg(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status     int
		code       string
		challenged bool
	}{
		{503, "E0000139", true}, {429, okta.CodeSMSQuota, false}, {429, okta.CodeUserSMSLimit, false}, {429, "E0000047", false},
	} {
		o := newOrg(t, oktatest.Options{})
		o.user.AddFactor("sms", "OKTA")
		o.Fail("verify", oktatest.Status(tc.status, tc.code, "no"))
		l, err := o.login(t, want{})
		var said *okta.Error
		if assert.True(t, errors.As(err, &said), tc.code) {
			assert.Equal(t, tc.code, said.Code)
		}
		assert.Equal(t, tc.challenged, l.Challenged(), tc.code)
		assert.Equal(t, 1, o.cancelled(), tc.code)
	}
}
