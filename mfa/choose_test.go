package mfa_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

type (
	set  = []okta.Factor
	want = mfa.Want
)

// TestChoose: what is done with which of the factors on offer. The result names
// the factors in the order in which they are used.
func TestChoose(t *testing.T) {
	t.Parallel()
	everything := set{phone, verify, google, yubikey, rsa, symantec, hotp, question, sms, call, email}
	foreign := set{webauthn, u2f, duo, claims, fastPass, untyped}
	pass := func(s string) want { return want{PassCode: s} }
	only := func(kinds ...mfa.Kind) mfa.Policy { return mfa.Policy{Factors: kinds} }
	for _, tc := range []struct {
		name    string
		offered set
		want    want
		policy  mfa.Policy
		pending string
		action  mfa.Action // 0: nothing goes with it
		factors set
	}{
		{name: "nothing on offer"},
		{name: "nothing on offer, passcode", want: pass(code)},

		// Without any choice: a push.
		{name: "push", offered: set{phone}, action: mfa.ActionRing, factors: set{phone}},
		{name: "push of an app of one's own", offered: set{app}, action: mfa.ActionRing, factors: set{app}},
		{name: "the usual pair", offered: set{phone, verify}, action: mfa.ActionRing, factors: set{phone}},
		{name: "the usual pair, the other way", offered: set{verify, phone}, action: mfa.ActionRing, factors: set{phone}},
		{name: "push before a code", offered: set{sms, phone}, action: mfa.ActionRing, factors: set{phone}},
		{name: "push of all", offered: everything, action: mfa.ActionRing, factors: set{phone}},
		{name: "several devices", offered: set{tablet, verify, phone, watch}, action: mfa.ActionRing, factors: set{tablet, phone, watch}},
		{name: "devices of two providers", offered: set{app, phone}, action: mfa.ActionRing, factors: set{app, phone}},

		// Else the only code, else a question to the person.
		{name: "sms", offered: set{sms}, action: mfa.ActionSend, factors: set{sms}},
		{name: "call", offered: set{call}, action: mfa.ActionSend, factors: set{call}},
		{name: "email", offered: set{email}, action: mfa.ActionSend, factors: set{email}},
		{name: "sms beside passcodes", offered: set{verify, sms, question}, action: mfa.ActionSend, factors: set{sms}},
		{name: "sms beside what needs a browser", offered: set{webauthn, sms}, action: mfa.ActionSend, factors: set{sms}},
		{name: "two codes", offered: set{sms, email}, action: mfa.ActionAsk, factors: set{sms, email}},
		{name: "two phones for codes", offered: set{sms, sms2}, action: mfa.ActionAsk, factors: set{sms, sms2}},
		{name: "passcodes only", offered: set{verify, google}, action: mfa.ActionAsk, factors: set{verify, google}},
		{name: "question only", offered: set{question}, action: mfa.ActionAsk, factors: set{question}},
		{name: "only what needs a browser", offered: foreign},
		{name: "only what needs a browser, passcode", offered: foreign, want: pass(code)},

		// A passcode.
		{name: "passcode for a push", offered: set{phone}, want: pass(code)},
		{name: "passcode of OKTA", offered: set{phone, verify}, want: pass(code), action: mfa.ActionAnswer, factors: set{verify}},
		{name: "passcode of GOOGLE", offered: set{google}, want: pass(code), action: mfa.ActionAnswer, factors: set{google}},
		{name: "two generators", offered: set{verify, google}, want: pass(code), action: mfa.ActionAnswer, factors: set{verify, google}},
		{name: "two generators, the other way", offered: set{google, verify}, want: pass(code), action: mfa.ActionAnswer, factors: set{google, verify}},
		{name: "six digits", offered: everything, want: pass(code), action: mfa.ActionAnswer, factors: set{verify, google, rsa, symantec, hotp}},
		{name: "four digits", offered: everything, want: pass("1234"), action: mfa.ActionAnswer, factors: set{rsa, hotp}},
		{name: "eight digits", offered: everything, want: pass("12345678"), action: mfa.ActionAnswer, factors: set{rsa, hotp}},
		{name: "ten digits", offered: everything, want: pass("1234567890"), action: mfa.ActionAnswer, factors: set{rsa, hotp}},
		{name: "eleven digits: a PIN before a tokencode", offered: everything, want: pass("12345678901"), action: mfa.ActionAnswer, factors: set{rsa}},
		{name: "three digits", offered: everything, want: pass("123"), action: mfa.ActionAnswer, factors: set{question}},
		{name: "44 modhex", offered: everything, want: pass(otp), action: mfa.ActionAnswer, factors: set{yubikey}},
		{name: "44 modhex without a key, but a question", offered: set{rsa, question}, want: pass(otp), action: mfa.ActionAnswer, factors: set{question}},
		{name: "44 modhex without a key", offered: set{verify, rsa, sms}, want: pass(otp)},
		{name: "43 modhex", offered: set{yubikey, rsa}, want: pass(otp[1:])},
		{name: "44 letters that are not modhex", offered: set{yubikey}, want: pass("a" + otp[1:])},
		{name: "a word: a PIN, or an answer", offered: everything, want: pass("pizza"), action: mfa.ActionAnswer, factors: set{rsa, question}},
		{name: "words", offered: everything, want: pass(words), action: mfa.ActionAnswer, factors: set{question}},
		{name: "words without a question", offered: set{verify, rsa, sms, yubikey}, want: pass(words)},
		{name: "a number as the answer, nothing else left", offered: set{question, yubikey}, want: pass("1984"), action: mfa.ActionAnswer, factors: set{question}},
		{name: "a number as the answer, a token first", offered: set{question, hotp}, want: pass("1984"), action: mfa.ActionAnswer, factors: set{hotp}},
		{name: "a number as the answer, before a code", offered: set{sms, question}, want: pass("1984"), action: mfa.ActionAnswer, factors: set{question}},

		// A passcode and factors that send codes.
		{name: "code of a restart", offered: set{phone, sms}, want: pass(code), action: mfa.ActionAnswer, factors: set{sms}},
		{name: "code of a restart, passcodes first", offered: set{sms, verify}, want: pass(code), action: mfa.ActionAnswer, factors: set{verify}},
		{name: "code of a restart, one of two phones", offered: set{sms, sms2}, want: pass(code), action: mfa.ActionAnswer, factors: set{sms}},
		{name: "code of a restart, of two kinds", offered: set{sms, email}, want: pass(code)},
		{name: "code of a restart, of two kinds, one named", offered: set{sms, email}, want: want{PassCode: code, Kind: mfa.KindEmail},
			action: mfa.ActionAnswer, factors: set{email}},
		{name: "code of five digits", offered: set{verify, call}, want: pass("12345"), action: mfa.ActionAnswer, factors: set{call}},
		{name: "words for a code", offered: set{sms}, want: pass(words)},
		{name: "pending code", offered: set{sms, email}, want: pass(code), pending: "emf1", action: mfa.ActionAnswer, factors: set{email}},
		{name: "pending code first", offered: set{verify, google, sms}, want: pass(code), pending: "sms1",
			action: mfa.ActionAnswer, factors: set{sms, verify, google}},
		{name: "pending token first", offered: set{verify, rsa}, want: pass(code), pending: "rsa1", action: mfa.ActionAnswer, factors: set{rsa, verify}},
		{name: "pending code of another shape", offered: set{sms, yubikey}, want: pass(otp), pending: "sms1", action: mfa.ActionAnswer, factors: set{yubikey}},
		{name: "pending, but not on offer", offered: set{verify}, want: pass(code), pending: "sms1", action: mfa.ActionAnswer, factors: set{verify}},
		{name: "pending, but shut out", offered: set{sms, verify}, want: pass(code), policy: only(mfa.KindTOTP), pending: "sms1",
			action: mfa.ActionAnswer, factors: set{verify}},
		{name: "pending, without a passcode", offered: set{sms, verify}, pending: "sms1", action: mfa.ActionSend, factors: set{sms}},
		{name: "pending does not stop a push", offered: set{sms, phone}, pending: "sms1", action: mfa.ActionRing, factors: set{phone}},

		// Resend: a code, and no push.
		{name: "resend the pending code", offered: set{phone, sms, email}, want: want{Resend: true}, pending: "emf1", action: mfa.ActionSend, factors: set{email}},
		{name: "resend the only code", offered: set{phone, sms}, want: want{Resend: true}, action: mfa.ActionSend, factors: set{sms}},
		{name: "resend, nothing pending", offered: set{phone, sms, email}, want: want{Resend: true}, action: mfa.ActionAsk, factors: set{sms, email}},
		{name: "resend what is not pending", offered: set{phone, sms, email}, want: want{Resend: true, Kind: mfa.KindSMS}, pending: "emf1", action: mfa.ActionSend, factors: set{sms}},
		{name: "resend a push", offered: set{phone}, want: want{Resend: true}},
		{name: "resend a push, although there are codes", offered: set{phone, sms}, want: want{Resend: true, Kind: mfa.KindPush}},

		// Kind.
		{name: "kind push", offered: everything, want: want{Kind: mfa.KindPush}, action: mfa.ActionRing, factors: set{phone}},
		{name: "kind sms", offered: everything, want: want{Kind: mfa.KindSMS}, action: mfa.ActionSend, factors: set{sms}},
		{name: "kind sms, two phones", offered: set{sms2, sms}, want: want{Kind: mfa.KindSMS}, action: mfa.ActionSend, factors: set{sms2}},
		{name: "kind call", offered: everything, want: want{Kind: mfa.KindCall}, action: mfa.ActionSend, factors: set{call}},
		{name: "kind email", offered: everything, want: want{Kind: mfa.KindEmail}, action: mfa.ActionSend, factors: set{email}},
		{name: "kind totp", offered: everything, want: want{Kind: mfa.KindTOTP}, action: mfa.ActionAsk, factors: set{verify, google}},
		{name: "kind totp, passcode", offered: everything, want: want{Kind: mfa.KindTOTP, PassCode: code}, action: mfa.ActionAnswer, factors: set{verify, google}},
		{name: "kind token, passcode", offered: everything, want: want{Kind: mfa.KindToken, PassCode: code}, action: mfa.ActionAnswer, factors: set{rsa, symantec, hotp}},
		{name: "kind question, a number", offered: everything, want: want{Kind: mfa.KindQuestion, PassCode: code}, action: mfa.ActionAnswer, factors: set{question}},
		{name: "kind question", offered: everything, want: want{Kind: mfa.KindQuestion}, action: mfa.ActionAsk, factors: set{question}},
		{name: "kind push, passcode", offered: everything, want: want{Kind: mfa.KindPush, PassCode: code}},
		{name: "kind that is not on offer", offered: set{phone, verify}, want: want{Kind: mfa.KindSMS}},
		{name: "a kind of tomorrow", offered: everything, want: want{Kind: "passkey"}},

		// Provider.
		{name: "provider OKTA", offered: set{google, verify}, want: want{Provider: okta.ProviderOkta, PassCode: code}, action: mfa.ActionAnswer, factors: set{verify}},
		{name: "provider GOOGLE", offered: set{verify, google}, want: want{Provider: okta.ProviderGoogle, PassCode: code}, action: mfa.ActionAnswer, factors: set{google}},
		{name: "provider GOOGLE, no passcode", offered: set{phone, google}, want: want{Provider: okta.ProviderGoogle}, action: mfa.ActionAsk, factors: set{google}},
		{name: "provider GOOGLE, but a push", offered: set{phone}, want: want{Provider: okta.ProviderGoogle}},
		{name: "provider OKTA, no passcode", offered: set{verify, phone}, want: want{Provider: okta.ProviderOkta}, action: mfa.ActionRing, factors: set{phone}},
		{name: "provider CUSTOM", offered: set{phone, app}, want: want{Provider: okta.ProviderCustom}, action: mfa.ActionRing, factors: set{app}},
		{name: "provider YUBICO", offered: everything, want: want{Provider: okta.ProviderYubico, PassCode: otp}, action: mfa.ActionAnswer, factors: set{yubikey}},
		{name: "provider SYMANTEC, passcode of another shape", offered: everything, want: want{Provider: okta.ProviderSymantec, PassCode: "1234"}},
		{name: "provider DUO", offered: set{duo}, want: want{Provider: okta.ProviderDuo}},

		// Device.
		{name: "device by name", offered: set{phone, tablet}, want: want{Device: "Tablet"}, action: mfa.ActionRing, factors: set{tablet}},
		{name: "device by name, in any case", offered: set{phone, tablet}, want: want{Device: "tABLET"}, action: mfa.ActionRing, factors: set{tablet}},
		{name: "device by id", offered: set{phone, tablet}, want: want{Device: "opf2"}, action: mfa.ActionRing, factors: set{tablet}},
		{name: "device by id, in another case", offered: set{phone, tablet}, want: want{Device: "OPF2"}},
		{name: "device that is not there", offered: set{phone, sms}, want: want{Device: "Tablet"}},
		{name: "two devices of one name", offered: set{phone, func() okta.Factor { f := tablet; f.DeviceName = phone.DeviceName; return f }()},
			want: want{Device: "Phone 1"}, action: mfa.ActionRing, factors: set{phone}},
		{name: "device and passcode", offered: set{phone, verify}, want: want{Device: "Phone 1", PassCode: code}},
		{name: "device and kind sms", offered: set{phone, sms}, want: want{Device: "Phone 1", Kind: mfa.KindSMS}},
		{name: "a generator, by id", offered: set{phone, verify}, want: want{Device: "ost1"}},
		{name: "a telephone, by id", offered: set{phone, sms, sms2}, want: want{Device: "sms2"}, action: mfa.ActionSend, factors: set{sms2}},
		{name: "a telephone, by number", offered: set{phone, sms2, sms}, want: want{Device: "+1 xxx-xxx-4821"}, action: mfa.ActionSend, factors: set{sms}},
		{name: "the code of a telephone that is named", offered: set{sms, sms2, verify}, want: want{Device: "sms2", PassCode: code}, action: mfa.ActionAnswer, factors: set{sms2}},

		// Policy.
		{name: "policy of push", offered: everything, policy: only(mfa.KindPush), action: mfa.ActionRing, factors: set{phone}},
		{name: "policy of push, passcode", offered: everything, want: pass(code), policy: only(mfa.KindPush)},
		{name: "policy without push", offered: set{phone, sms}, policy: only(mfa.KindTOTP, mfa.KindSMS), action: mfa.ActionSend, factors: set{sms}},
		{name: "policy makes a code the only one", offered: set{sms, email}, policy: only(mfa.KindEmail), action: mfa.ActionSend, factors: set{email}},
		{name: "policy shuts out what is wanted", offered: everything, want: want{Kind: mfa.KindSMS}, policy: only(mfa.KindPush, mfa.KindTOTP)},
		{name: "policy shuts out the device", offered: everything, want: want{Device: "Phone 1"}, policy: only(mfa.KindTOTP)},
		{name: "policy of a kind that cannot be", offered: everything, policy: only("webauthn")},

		// Statuses.
		{name: "active", offered: set{with(okta.FactorActive, phone)}, action: mfa.ActionRing, factors: set{with(okta.FactorActive, phone)}},
		{name: "active, in small letters", offered: set{with("active", phone)}},
		{name: "pending activation", offered: set{with("PENDING_ACTIVATION", phone)}},
		{name: "not set up", offered: set{with("NOT_SETUP", verify)}, want: pass(code)},
		{name: "expired", offered: set{with("EXPIRED", verify)}, want: pass(code)},
		{name: "enrolled is not active", offered: set{with("ENROLLED", google)}, want: pass(code)},
		{name: "a status of tomorrow", offered: set{with("PAUSED", sms)}},
		{name: "the first phone inactive", offered: set{with("INACTIVE", phone), tablet}, action: mfa.ActionRing, factors: set{tablet}},
		{name: "one generator disabled", offered: set{with("DISABLED", verify), google}, want: pass(code), action: mfa.ActionAnswer, factors: set{google}},
		{name: "one of two codes inactive", offered: set{with("INACTIVE", sms), email}, action: mfa.ActionSend, factors: set{email}},
		{name: "without an id", offered: set{nameless}},
		{name: "without an id, before one with", offered: set{nameless, tablet}, action: mfa.ActionRing, factors: set{tablet}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			offered := append(set(nil), tc.offered...)
			got, err := mfa.Choose(offered, tc.want, tc.policy, tc.pending)
			assert.Equal(t, tc.offered, offered, "what is on offer must not be changed")
			assert.Equal(t, tc.action, got.Action)
			assert.Equal(t, tc.factors, got.Factors)
			if tc.action != 0 {
				assert.NoError(t, err)
				return
			}
			var none *mfa.NoFactorError
			if assert.ErrorAs(t, err, &none) {
				given := tc.want.PassCode != ""
				tc.want.PassCode = ""
				assert.Equal(t, mfa.NoFactorError{Want: tc.want, Given: given, Policy: tc.policy, Offered: tc.offered, Forms: none.Forms}, *none)
				assert.NotContains(t, err.Error(), code, "the passcode is not part of the text")
			}
		})
	}
}

// TestPolicyShutsOut: every kind can be shut out, whatever the person gives.
func TestPolicyShutsOut(t *testing.T) {
	t.Parallel()
	byKind := map[mfa.Kind]set{
		mfa.KindPush: {phone, app}, mfa.KindTOTP: {verify, google}, mfa.KindToken: {yubikey, rsa, symantec, hotp},
		mfa.KindQuestion: {question}, mfa.KindSMS: {sms}, mfa.KindCall: {call}, mfa.KindEmail: {email},
	}
	for _, out := range mfa.Kinds {
		t.Run(string(out), func(t *testing.T) {
			t.Parallel()
			var others []mfa.Kind
			for _, k := range mfa.Kinds {
				if k != out {
					others = append(others, k)
				}
			}
			policy := mfa.Policy{Factors: others}
			assert.Empty(t, policy.Accepted(byKind[out]))
			for _, f := range byKind[out] {
				for _, passCode := range []string{"", code, otp, words, "1234"} {
					for _, device := range []string{"", f.ID, f.DeviceName} {
						w := want{PassCode: passCode, Device: device}
						_, err := mfa.Choose(set{f}, w, policy, f.ID)
						assertError(t, errNoFactor, err)
						w.Kind, w.Provider = out, f.Provider
						_, err = mfa.Choose(set{f}, w, policy, "")
						assertError(t, errNoFactor, err)
					}
				}
			}
		})
	}
	assert.Len(t, byKind, len(mfa.Kinds), "a kind without a row")
}
