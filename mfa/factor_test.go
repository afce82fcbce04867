package mfa_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// The factors of the tests.
var (
	phone    = okta.Factor{ID: "opf1", Type: okta.FactorPush, Provider: okta.ProviderOkta, DeviceName: "Phone 1"}
	tablet   = okta.Factor{ID: "opf2", Type: okta.FactorPush, Provider: okta.ProviderOkta, DeviceName: "Tablet"}
	verify   = okta.Factor{ID: "ost1", Type: okta.FactorTOTP, Provider: okta.ProviderOkta}
	google   = okta.Factor{ID: "uft1", Type: okta.FactorTOTP, Provider: okta.ProviderGoogle}
	custom   = okta.Factor{ID: "opf3", Type: okta.FactorPush, Provider: "CUSTOM"}
	rsa      = okta.Factor{ID: "rsa1", Type: "token", Provider: "RSA"}
	sms      = okta.Factor{ID: "sms1", Type: "sms", Provider: okta.ProviderOkta}
	question = okta.Factor{ID: "ufs1", Type: "question", Provider: okta.ProviderOkta}
	webauthn = okta.Factor{ID: "fwf1", Type: "webauthn", Provider: "FIDO"}
	duo      = okta.Factor{ID: "dsf1", Type: "web", Provider: "DUO"}
	fastPass = okta.Factor{ID: "snf1", Type: "signed_nonce", Provider: okta.ProviderOkta}
	symantec = okta.Factor{ID: "sym1", Type: okta.FactorTOTP, Provider: "SYMANTEC"}
	nameless = okta.Factor{Type: okta.FactorPush, Provider: okta.ProviderOkta}
	untyped  = okta.Factor{ID: "xxx1", Provider: okta.ProviderOkta}
)

func with(status string, f okta.Factor) okta.Factor {
	f.Status = status
	return f
}

func TestChoose(t *testing.T) {
	t.Parallel()
	type set = []okta.Factor
	const code, any, byOkta, byGoogle = "123456", okta.Provider(""), okta.ProviderOkta, okta.ProviderGoogle
	for _, tc := range []struct {
		name     string
		offered  set
		passCode string
		provider okta.Provider
		want     set // nil: none fits
	}{
		{"nothing on offer", nil, "", any, nil},
		{"nothing on offer, passcode", nil, code, any, nil},
		{"push", set{phone}, "", any, set{phone}},
		{"push of OKTA", set{phone}, "", byOkta, set{phone}},
		{"push of GOOGLE", set{phone}, "", byGoogle, nil},
		{"push cannot take a passcode", set{phone}, code, any, nil},
		{"passcode of OKTA", set{verify}, code, any, set{verify}},
		{"passcode of GOOGLE", set{google}, code, any, set{google}},
		{"a generator cannot push", set{verify, google}, "", any, nil},
		{"a generator cannot push, OKTA", set{verify}, "", byOkta, nil},
		{"the usual pair, no passcode", set{phone, verify}, "", any, set{phone}},
		{"the usual pair, passcode", set{phone, verify}, code, any, set{verify}},
		{"the usual pair, the other way", set{verify, phone}, "", any, set{phone}},
		{"two generators", set{verify, google}, code, any, set{verify, google}},
		{"two generators, the other way", set{google, verify}, code, any, set{google, verify}},
		{"two generators, OKTA", set{google, verify}, code, byOkta, set{verify}},
		{"two generators, GOOGLE", set{verify, google}, code, byGoogle, set{google}},
		{"two generators and a push", set{phone, verify, google}, code, any, set{verify, google}},
		{"GOOGLE wanted, OKTA on offer", set{verify}, code, byGoogle, nil},
		{"an unknown provider wanted", set{verify, phone}, code, "RSA", nil},
		{"two phones: the first", set{phone, tablet}, "", any, set{phone}},
		{"two phones, the other way", set{tablet, phone}, "", any, set{tablet}},
		{"two phones, the first inactive", set{with("INACTIVE", phone), tablet}, "", any, set{tablet}},
		{"two phones, the last inactive", set{phone, with("INACTIVE", tablet)}, "", any, set{phone}},
		{"active", set{with(okta.FactorActive, phone)}, "", any, set{with(okta.FactorActive, phone)}},
		{"pending", set{with("PENDING_ACTIVATION", phone)}, "", any, nil},
		{"not set up", set{with("NOT_SETUP", verify)}, code, any, nil},
		{"expired", set{with("EXPIRED", verify)}, code, any, nil},
		{"disabled", set{with("DISABLED", google)}, code, any, nil},
		{"enrolled is not active", set{with("ENROLLED", google)}, code, any, nil},
		{"a status of tomorrow", set{with("PAUSED", phone)}, "", any, nil},
		{"active, in small letters", set{with("active", phone)}, "", any, nil},
		{"two generators, one inactive", set{with("INACTIVE", verify), google}, code, any, set{google}},
		{"push of an app of one's own", set{custom}, "", any, nil},
		{"push of an app of one's own, before Okta's", set{custom, phone}, "", any, set{phone}},
		{"generator of somebody else", set{symantec}, code, any, nil},
		{"other kinds, no passcode", set{rsa, sms, question, webauthn, duo, fastPass, untyped}, "", any, nil},
		{"other kinds, passcode", set{rsa, sms, question, webauthn, duo, fastPass, untyped}, code, any, nil},
		{"among other kinds", set{sms, webauthn, phone, question, verify}, "", any, set{phone}},
		{"without an id", set{nameless}, "", any, nil},
		{"without an id, before one with", set{nameless, tablet}, "", any, set{tablet}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			offered := append(set(nil), tc.offered...)
			want := mfa.Want{PassCode: tc.passCode, Provider: tc.provider}
			got, err := mfa.Choose(offered, want)
			assert.Equal(t, tc.offered, offered, "what is on offer must not be changed")
			assert.Equal(t, tc.want, got)
			if tc.want != nil {
				assert.NoError(t, err)
				return
			}
			var none *mfa.NoFactorError
			if assert.ErrorAs(t, err, &none) {
				assert.Equal(t, want, none.Want)
				assert.Equal(t, tc.offered, none.Offered)
				assert.NotContains(t, err.Error(), code, "the passcode is not part of the text")
			}
		})
	}
}

func TestUsable(t *testing.T) {
	t.Parallel()
	for _, f := range []okta.Factor{phone, tablet, verify, google, with(okta.FactorActive, google)} {
		assert.True(t, mfa.Usable(f), "%+v", f)
	}
	for _, f := range []okta.Factor{
		{}, custom, rsa, sms, question, webauthn, duo, fastPass, symantec, nameless, untyped, with("INACTIVE", phone),
		{ID: "x", Type: okta.FactorPush}, {ID: "x", Type: okta.FactorTOTP}, {ID: "x", Type: okta.FactorPush, Provider: okta.ProviderGoogle},
		{ID: "x", Type: "PUSH", Provider: okta.ProviderOkta}, {ID: "x", Type: okta.FactorTOTP, Provider: "okta"},
	} {
		assert.False(t, mfa.Usable(f), "%+v", f)
	}
}

func TestParseProvider(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]okta.Provider{
		"": "", "OKTA": okta.ProviderOkta, "okta": okta.ProviderOkta, "Okta": okta.ProviderOkta,
		"GOOGLE": okta.ProviderGoogle, "google": okta.ProviderGoogle, "gOOgLe": okta.ProviderGoogle,
	} {
		got, err := mfa.ParseProvider(in)
		assert.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{" ", "okta ", "RSA", "DUO", "okta,google", "ok\u212aa", "0kta"} {
		got, err := mfa.ParseProvider(in)
		assert.EqualError(t, err, "must be one of OKTA or GOOGLE", in)
		assert.Empty(t, got, in)
	}
}
