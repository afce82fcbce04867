package mfa_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestKindOf: the kind of each factor that Okta knows, and what is usable of
// those.
func TestKindOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		factor  okta.Factor
		kind    mfa.Kind
		browser bool
	}{
		{phone, mfa.KindPush, false},
		{app, mfa.KindPush, false},
		{verify, mfa.KindTOTP, false},
		{google, mfa.KindTOTP, false},
		{yubikey, mfa.KindToken, false},
		{rsa, mfa.KindToken, false},
		{symantec, mfa.KindToken, false},
		{hotp, mfa.KindToken, false},
		{question, mfa.KindQuestion, false},
		{sms, mfa.KindSMS, false},
		{call, mfa.KindCall, false},
		{email, mfa.KindEmail, false},
		{webauthn, "", true},
		{u2f, "", true},
		{duo, "", true},
		{claims, "", true},
		{fastPass, "", true},
		{okta.Factor{ID: "x", Type: okta.FactorWebAuthn, Provider: okta.ProviderOkta}, "", true},
		{untyped, "", false},
		{okta.Factor{ID: "x"}, "", false},
		{okta.Factor{ID: "x", Type: okta.FactorPush}, "", false},
		{okta.Factor{ID: "x", Type: okta.FactorTOTP}, "", false},
		{okta.Factor{ID: "x", Type: okta.FactorPush, Provider: okta.ProviderGoogle}, "", false},
		{okta.Factor{ID: "x", Type: okta.FactorTOTP, Provider: okta.ProviderSymantec}, "", false},
		{okta.Factor{ID: "x", Type: okta.FactorToken, Provider: okta.ProviderOkta}, "", false},
		{okta.Factor{ID: "x", Type: okta.FactorHOTP, Provider: okta.ProviderOkta}, "", false},
		{okta.Factor{ID: "x", Type: okta.FactorHardware, Provider: okta.ProviderRSA}, "", false},
		{okta.Factor{ID: "x", Type: okta.FactorSMS, Provider: "TWILIO"}, "", false},
		{okta.Factor{ID: "x", Type: "PUSH", Provider: okta.ProviderOkta}, "", false},
		{okta.Factor{ID: "x", Type: okta.FactorTOTP, Provider: "okta"}, "", false},
		{okta.Factor{ID: "x", Type: "passkey", Provider: okta.ProviderOkta}, "", false},
	} {
		t.Run(strings.TrimSpace(string(tc.factor.Type)+" "+string(tc.factor.Provider)), func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.kind, mfa.KindOf(tc.factor))
			assert.Equal(t, tc.browser, mfa.NeedsBrowser(tc.factor))
			assert.Equal(t, tc.kind != "", mfa.Usable(tc.factor))
			assert.Equal(t, tc.kind != "", mfa.Usable(with(okta.FactorActive, tc.factor)))
			for _, status := range []string{"INACTIVE", "NOT_SETUP", "PENDING_ACTIVATION", "ENROLLED", "EXPIRED", "DISABLED", "active", " "} {
				assert.False(t, mfa.Usable(with(status, tc.factor)), status)
			}
			tc.factor.ID = ""
			assert.False(t, mfa.Usable(tc.factor), "without an id")
		})
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	offered := set{webauthn, sms, with("INACTIVE", tablet), phone, verify}
	for name, tc := range map[string]struct {
		policy mfa.Policy
		want   set
	}{
		"all":     {mfa.Policy{}, set{sms, phone, verify}},
		"some":    {mfa.Policy{Factors: []mfa.Kind{mfa.KindTOTP, mfa.KindPush}}, set{phone, verify}},
		"none":    {mfa.Policy{Factors: []mfa.Kind{mfa.KindEmail}}, set{}},
		"unknown": {mfa.Policy{Factors: []mfa.Kind{"", "webauthn"}}, set{}},
	} {
		assert.Equal(t, tc.want, tc.policy.Accepted(offered), name)
	}
	assert.Empty(t, mfa.Policy{}.Accepted(nil))
	assert.Equal(t, sms, offered[1], "what is on offer must not be changed")
}

// TestParseProvider: a provider or a kind, in any case; they share one field of
// Vault's command line tool.
func TestParseProvider(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		provider okta.Provider
		kind     mfa.Kind
	}{
		"":         {},
		"OKTA":     {provider: okta.ProviderOkta},
		"okta":     {provider: okta.ProviderOkta},
		"gOOgLe":   {provider: okta.ProviderGoogle},
		"YubiCo":   {provider: okta.ProviderYubico},
		"rsa":      {provider: okta.ProviderRSA},
		"SYMANTEC": {provider: okta.ProviderSymantec},
		"custom":   {provider: okta.ProviderCustom},
		"push":     {kind: mfa.KindPush},
		"PUSH":     {kind: mfa.KindPush},
		"totp":     {kind: mfa.KindTOTP},
		"sms":      {kind: mfa.KindSMS},
		"call":     {kind: mfa.KindCall},
		"Email":    {kind: mfa.KindEmail},
		"token":    {kind: mfa.KindToken},
		"question": {kind: mfa.KindQuestion},
	} {
		provider, kind, err := mfa.ParseProvider(in)
		assert.NoError(t, err, in)
		assert.Equal(t, want.provider, provider, in)
		assert.Equal(t, want.kind, kind, in)
	}
	for _, in := range []string{" ", "okta ", "DUO", "FIDO", "okta,google", "0kta", "webauthn", "token:software:totp"} {
		provider, kind, err := mfa.ParseProvider(in)
		assert.EqualError(t, err, "must be one of OKTA, GOOGLE, YUBICO, RSA, SYMANTEC, DEL_OATH, CUSTOM, "+
			"or one of push, totp, sms, call, email, token, question", in)
		assert.Empty(t, provider, in)
		assert.Empty(t, kind, in)
	}
}

func TestParseKind(t *testing.T) {
	t.Parallel()
	for _, k := range mfa.Kinds {
		for _, in := range []string{string(k), strings.ToUpper(string(k)), strings.ToUpper(string(k[0])) + string(k[1:])} {
			got, err := mfa.ParseKind(in)
			assert.NoError(t, err, in)
			assert.Equal(t, k, got, in)
		}
	}
	for _, in := range []string{"", " push", "push ", "okta", "voice", "token:hotp", "push,totp"} {
		got, err := mfa.ParseKind(in)
		assert.EqualError(t, err, "must be one of push, totp, sms, call, email, token, question", in)
		assert.Empty(t, got, in)
	}
}

func TestCleanPassCode(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"nothing":                   {"", ""},
		"space":                     {" \t\n", ""},
		"digits":                    {code, code},
		"leading zeros":             {"000123", "000123"},
		"newline":                   {"123456\n", code},
		"gap":                       {"123 456", code},
		"gaps":                      {" 1 2 3 456 ", code},
		"tab in the middle":         {"123\t456", "123\t456"},
		"otp":                       {otp + "\r\n", otp},
		"otp with caps lock":        {strings.ToUpper(otp), otp},
		"otp, one letter short":     {strings.ToUpper(otp[1:]), strings.ToUpper(otp[1:])},
		"an answer":                 {" A Blue Door ", "A Blue Door"},
		"an answer with a number":   {"Route 66", "Route 66"},
		"PIN and tokencode":         {"Pin123456", "Pin123456"},
		"digits of another script":  {"١٢٣٤٥٦", "١٢٣٤٥٦"},
		"digits with a sign":        {"+123", "+123"},
		"a letter among the digits": {"12345o", "12345o"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mfa.CleanPassCode(tc.in)
			assert.Equal(t, tc.want, got)
			assert.Equal(t, got, mfa.CleanPassCode(got), "cleaning twice")
		})
	}
}

func TestSplitPassCode(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in, separator, password, passCode string
		ok                                bool
	}{
		"passcode":                   {"secret,123456", ",", "secret", "123456", true},
		"otp":                        {"secret," + otp, ",", "secret", otp, true},
		"otp with caps lock":         {"secret," + strings.ToUpper(otp), ",", "secret", strings.ToUpper(otp), true},
		"five digits":                {"secret,12345", ",", "secret", "12345", true},
		"sixteen digits":             {"secret,1234567890123456", ",", "secret", "1234567890123456", true},
		"four digits":                {"secret,1234", ",", "secret,1234", "", false},
		"seventeen digits":           {"secret,12345678901234567", ",", "secret,12345678901234567", "", false},
		"nothing behind":             {"secret,", ",", "secret,", "", false},
		"a word":                     {"secret,word", ",", "secret,word", "", false},
		"letters and digits":         {"secret,12345a", ",", "secret,12345a", "", false},
		"a gap":                      {"secret,123 456", ",", "secret,123 456", "", false},
		"no separator in it":         {"secret123456", ",", "secret123456", "", false},
		"no separator set":           {"secret,123456", "", "secret,123456", "", false},
		"the last separator counts":  {"se,cret,123456", ",", "se,cret", "123456", true},
		"digits in the password":     {"12345,123456", ",", "12345", "123456", true},
		"no password":                {",123456", ",", "", "123456", true},
		"a separator of two":         {"secret::123456", "::", "secret", "123456", true},
		"half a separator of two":    {"secret:123456", "::", "secret:123456", "", false},
		"a separator beyond ASCII":   {"secret→123456", "→", "secret", "123456", true},
		"nothing":                    {"", ",", "", "", false},
		"digits of another script":   {"secret,١٢٣٤٥٦", ",", "secret,١٢٣٤٥٦", "", false},
		"a separator that is digits": {"secret0123456", "0", "secret", "123456", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			password, passCode, ok := mfa.SplitPassCode(tc.in, tc.separator)
			assert.Equal(t, tc.password, password)
			assert.Equal(t, tc.passCode, passCode)
			assert.Equal(t, tc.ok, ok)
		})
	}
}

// TestSplitKind: four words after the separator choose a factor, and nothing else does.
func TestSplitKind(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		given, separator, password string
		kind                       mfa.Kind
	}{
		{"hunter2,push", ",", "hunter2", mfa.KindPush},
		{"hunter2,SMS", ",", "hunter2", mfa.KindSMS},
		{"hunter2,Call", ",", "hunter2", mfa.KindCall},
		{"hunter2,email", ",", "hunter2", mfa.KindEmail},
		{"a,b,push", ",", "a,b", mfa.KindPush},
		{",push", ",", "", mfa.KindPush},
		{"hunter2#push", "#", "hunter2", mfa.KindPush},
		{"hunter2,push", "", "hunter2,push", ""},
		{"hunter2,push", "#", "hunter2,push", ""},
		{"hunter2,totp", ",", "hunter2,totp", ""},
		{"hunter2,pushy", ",", "hunter2,pushy", ""},
		{"hunter2, push", ",", "hunter2, push", ""},
		{"hunter2,", ",", "hunter2,", ""},
		{"push", ",", "push", ""},
		{"hunter2,question", ",", "hunter2,question", ""},
	} {
		password, kind, ok := mfa.SplitKind(row.given, row.separator)
		assert.Equal(t, row.password, password, row.given)
		assert.Equal(t, row.kind, kind, row.given)
		assert.Equal(t, row.kind != "", ok, row.given)
	}
}
