package mfa_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestPassCodesAtOrg: the passcode of each type of factor, right, used before
// and wrong. Each takes one request, and no phone rings.
func TestPassCodesAtOrg(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind, provider string
		digits         int
		typed          func(string) string // as people and devices type it
		replay         error
		wrong          string
	}{
		{"token:software:totp", "OKTA", 0, func(s string) string { return s[:3] + " " + s[3:] }, refused(okta.CodePassCodeReplayed), "000000"},
		{"token:software:totp", "GOOGLE", 0, nil, refused(okta.CodePassCodeReplayed), "000000"},
		{"token:hardware", "YUBICO", 0, func(s string) string { return s + "\n" }, refused(okta.CodePassCodeReplayed), otp},
		{"token", "RSA", 0, nil, refused(okta.CodePassCodeReplayed), "Pin0000"},
		{"token", "RSA", 8, nil, refused(okta.CodePassCodeReplayed), "00000000"},
		{"token", "SYMANTEC", 0, nil, refused(okta.CodePassCodeReplayed), "000000"},
		{"token:hotp", "CUSTOM", 0, nil, refused(okta.CodePassCodeReplayed), "000000"},
		{"token:hotp", "CUSTOM", 8, nil, refused(okta.CodePassCodeReplayed), "0000"},
		{"question", "OKTA", 0, nil, nil, "1984"},
	} {
		t.Run(tc.kind+" "+tc.provider, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{ExtraFields: true})
			phone := o.user.AddPush()
			f := o.user.AddFactor(tc.kind, tc.provider)
			if tc.digits > 0 {
				f.SetDigits(tc.digits)
			}
			right := f.Code()
			typed := right
			if tc.typed != nil {
				typed = tc.typed(typed)
			}
			for _, step := range []struct {
				name, passCode string
				err            error
			}{
				{"right", mfa.CleanPassCode(typed), nil},
				{"again", right, tc.replay},
				{"wrong", tc.wrong, refused(okta.CodeInvalidPassCode)},
				{"the next", f.CodeAt(o.clock.Now().Add(time.Minute)), nil},
			} {
				if step.passCode == "" {
					step.passCode = f.Code() // of a device that does not tell the time
				}
				if step.name == "the next" {
					o.clock.Advance(time.Minute)
				}
				o.Reset()
				l, err := o.login(t, want{PassCode: step.passCode})
				assertError(t, step.err, err)
				assert.Equal(t, step.err == nil, whom(l) == o.in(), step.name)
				assert.Equal(t, step.err != nil, o.cancelled() == 1, step.name)
				assert.Equal(t, 1, o.verifies(f), step.name)
				assert.False(t, l.Challenged(), step.name)
			}
			assert.Zero(t, phone.Pushes())
		})
	}
}

// TestManyFitAtOrg: where several factors fit, each is tried once at most, in
// Okta's order, and whatever is more than a wrong passcode ends it.
func TestManyFitAtOrg(t *testing.T) {
	t.Parallel()
	type factors = []*oktatest.Factor // hotp, rsa, OKTA, GOOGLE, SYMANTEC
	for _, tc := range []struct {
		name    string
		arrange func(t *testing.T, o *org, f factors) string
		want    want
		err     error
		tried   []int // requests by factor
		misses  int   // passcodes that Okta refused
	}{
		{"the first's", func(_ *testing.T, _ *org, f factors) string { return f[0].Code() }, want{}, nil, []int{1, 0, 0, 0, 0}, 0},
		{"the third's", func(_ *testing.T, _ *org, f factors) string { return f[2].Code() }, want{}, nil, []int{1, 1, 1, 0, 0}, 2},
		{"the last's", func(_ *testing.T, _ *org, f factors) string { return f[4].Code() }, want{}, nil, []int{1, 1, 1, 1, 1}, 4},
		{"nobody's", func(*testing.T, *org, factors) string { return "000000" }, want{}, refused(okta.CodeInvalidPassCode), []int{1, 1, 1, 1, 1}, 5},
		{"of the provider only", func(_ *testing.T, _ *org, f factors) string { return f[3].Code() }, want{Provider: okta.ProviderGoogle}, nil, []int{0, 0, 0, 1, 0}, 0},
		{"of the kind only", func(_ *testing.T, _ *org, f factors) string { return f[3].Code() }, want{Kind: mfa.KindTOTP}, nil, []int{0, 0, 1, 1, 0}, 1},
		{"a replay ends it", func(t *testing.T, o *org, f factors) string {
			passCode := f[2].Code()
			_, err := o.login(t, want{PassCode: passCode, Provider: okta.ProviderOkta})
			require.NoError(t, err)
			return passCode
		}, want{}, refused(okta.CodePassCodeReplayed), []int{1, 1, 1, 0, 0}, 3},
		{"another time ends it", func(_ *testing.T, o *org, f factors) string { return f[2].CodeAt(o.clock.Now().Add(-5 * time.Minute)) }, want{},
			refused(okta.CodePassCodeTimeWindow), []int{1, 1, 1, 0, 0}, 3},
		{"a lock ends it", func(_ *testing.T, o *org, f factors) string {
			o.Configure(func(options *oktatest.Options) { options.MaxFailures = 3 })
			return f[4].Code()
		}, want{}, refused(okta.CodeUserLocked), []int{1, 1, 1, 0, 0}, 3},
		{"a failure ends it", func(_ *testing.T, o *org, f factors) string {
			o.Fail("verify", oktatest.Status(500, "E0000009", "Internal Server Error").After(1))
			return f[4].Code()
		}, want{}, broken(), []int{1, 1, 0, 0, 0}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{MaxFailures: 10})
			phone, mail := o.user.AddPush(), o.user.AddFactor("email", "OKTA")
			f := factors{o.user.AddFactor("token:hotp", "CUSTOM"), o.user.AddFactor("token", "RSA"), o.user.AddTOTP("OKTA"),
				o.user.AddTOTP("GOOGLE"), o.user.AddFactor("token", "SYMANTEC")}
			key := o.user.AddFactor("token:hardware", "YUBICO")
			passCode := tc.arrange(t, o, f)
			o.Reset()
			tc.want.PassCode = passCode
			l, err := o.login(t, tc.want)
			assertError(t, tc.err, err)
			assert.Equal(t, tc.err == nil, whom(l) == o.in())
			var tried []int
			for _, one := range f {
				tried = append(tried, o.verifies(one))
			}
			assert.Equal(t, tc.tried, tried)
			assert.Equal(t, tc.misses, o.user.WrongPassCodes())
			assert.Zero(t, o.verifies(key)+o.verifies(phone)+o.verifies(mail), "of another shape, or without one")
		})
	}
}

// TestNextTokenAtOrg: E0000113 keeps the transaction, and the next login brings
// the next code to it, whatever else fits.
func TestNextTokenAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{MaxFailures: 10, StateTokenLife: 10 * time.Minute})
	totp, rsa := o.user.AddTOTP("OKTA"), o.user.AddFactor("token", "RSA")
	rsa.RequireNextToken()
	first := rsa.Code()
	l, err := o.login(t, want{PassCode: first})
	assertError(t, refused(okta.CodeNextPassCode), err)
	assert.Zero(t, whom(l))
	assert.True(t, l.Over())
	assert.Equal(t, []int{1, 1}, []int{o.verifies(totp), o.verifies(rsa)})
	assert.Zero(t, o.cancelled(), "the transaction is kept")

	o.Reset()
	o.clock.Advance(time.Minute)
	_, err = o.login(t, want{PassCode: "00000000"})
	assertError(t, refused(okta.CodeInvalidPassCode), err)
	assert.Equal(t, []int{0}, o.tokens("/verify"))
	assert.Equal(t, []int{1}, o.tokens("/cancel"), "its own; the other is still kept")

	o.Reset()
	l, err = o.login(t, want{PassCode: rsa.Code()})
	assert.NoError(t, err)
	assert.Equal(t, o.in(), whom(l))
	assert.Equal(t, []int{0}, o.tokens("/verify"))
	assert.Equal(t, []int{2}, o.tokens("/cancel"))
	assert.Zero(t, o.verifies(totp), "the token was tried first")

	// The next one is an ordinary login.
	o.clock.Advance(time.Minute)
	o.Reset()
	_, err = o.login(t, want{PassCode: rsa.Code()})
	assert.NoError(t, err)
	assert.Equal(t, []int{3, 3}, o.tokens("/verify"))
}

// TestNextTokenForgotten: after a restart the next code is one for a new
// transaction, where Okta's demand still stands or does not.
func TestNextTokenForgotten(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	rsa := o.user.AddFactor("token", "RSA")
	rsa.RequireNextToken()
	_, err := o.login(t, want{PassCode: rsa.Code()})
	assertError(t, refused(okta.CodeNextPassCode), err)
	o.clock.Advance(time.Minute)
	flow := o.flow()
	flow.Mount = new(mfa.Mount)
	l, err := o.loginBy(t, flow, want{PassCode: rsa.Code()})
	assert.NoError(t, err)
	assert.Equal(t, o.in(), whom(l))
	assert.Equal(t, []int{0, 1}, o.tokens("/verify"))
}

// TestNextTokenHeld: the login that was asked for it goes on.
func TestNextTokenHeld(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	rsa := o.user.AddFactor("token", "RSA")
	rsa.RequireNextToken()
	l, s := o.hold(t, o.flow(), want{})
	assert.Equal(t, mfa.PhasePassCode, s.Phase)
	first := rsa.Code()
	_, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: first}})
	assertError(t, refused(okta.CodeNextPassCode), err)
	_, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: first}})
	assertError(t, refused(okta.CodePassCodeReplayed), err)
	o.clock.Advance(time.Minute)
	s, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: rsa.Code()}})
	require.NoError(t, err)
	assert.Equal(t, mfa.PhaseDone, s.Phase)
	assert.Equal(t, []int{0, 0, 0}, o.tokens("/verify"))
	assert.Zero(t, o.cancelled())
}
