package backend

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// What people are told when Okta asks for a factor and it is not clear which, or
// there is none that will do: the whole sentence.
func TestWhichFactor(t *testing.T) {
	const ask, none, mismatch, notThere = "Okta asks for a factor: choose one, and send what it needs. You can use: ",
		"Okta asks for a factor, and you have enrolled none that this mount can use",
		"Okta asks for a factor, and the passcode does not match any of yours",
		"Okta asks for a factor, and you cannot use the one that you chose. You can use: "
	const (
		google   = "Google Authenticator (totp=<its 6 digits> provider=GOOGLE)"
		own      = "Okta Verify's passcode (totp=<its 6 digits> provider=OKTA)"
		sms      = "SMS +1 XXX-XXX-4821 (provider=sms, then totp=<the code>)"
		call     = "call +1 XXX-XXX-4821 (provider=call, then totp=<the code>)"
		email    = "e-mail m...o@acme.test (provider=email, then totp=<the code>)"
		yubikey  = "YubiKey (totp=<its passcode> provider=YUBICO)"
		rsa      = "RSA token (totp=<its passcode> provider=RSA)"
		symantec = "SYMANTEC token (totp=<its passcode> provider=SYMANTEC)"
		hotp     = "custom TOTP token (totp=<its passcode> provider=CUSTOM)"
		question = `security question "Which dish did you always refuse to eat?" (totp=<the answer> provider=question)`
		phone1   = `a push "Phone 1" (provider=push)`
		phones2  = `a push "Phone 1" or "Phone 2" (provider=push, or device=<one of these>)`
		command  = ". The command that sends device is okta-login -device=<device> LOGIN; the HTTP API takes it at /v1/auth/okta/login/LOGIN"
	)
	type factor = [2]string // type and provider
	tests := []struct {
		name    string
		enrol   []factor
		config  fields
		give    fields
		change  func(factors []*oktatest.Factor)
		want    string
		pattern bool
	}{
		{name: "several codes", enrol: []factor{{"sms", "OKTA"}, {"call", "OKTA"}, {"email", "OKTA"}}, want: ask + sms + ", " + call + ", " + email},
		{name: "passcodes only", enrol: []factor{{"token:software:totp", "GOOGLE"}, {"token:software:totp", "OKTA"}}, want: ask + google + ", " + own},
		{
			name: "tokens and a question",
			enrol: []factor{{"token:hardware", "YUBICO"}, {"token", "RSA"}, {"token", "SYMANTEC"}, {"token:hotp", "CUSTOM"},
				{"question", "OKTA"}},
			want: ask + yubikey + ", " + rsa + ", " + symantec + ", " + hotp + ", " + question,
		},
		{name: "a provider that is not there", enrol: []factor{{"push", "OKTA"}, {"sms", "OKTA"}}, give: fields{"provider": "YUBICO"},
			want: notThere + phone1 + ", " + sms},
		{name: "a factor that is not there", enrol: []factor{{"push", "OKTA"}}, give: fields{"factor": "call"}, want: notThere + phone1},
		{name: "a passcode that fits nothing", enrol: []factor{{"token:software:totp", "GOOGLE"}}, give: fields{"totp": "1234"},
			want: mismatch + ": 6 digits are expected. You can use: " + google},
		{name: "a code that is not known to wait, of two", enrol: []factor{{"sms", "OKTA"}, {"email", "OKTA"}}, give: fields{"totp": "123456"},
			want: mismatch + ". You can use: " + sms + ", " + email},
		{name: "a device that is not there", enrol: []factor{{"push", "OKTA"}, {"push", "OKTA"}, {"sms", "OKTA"}}, give: fields{"device": "Phone 9"},
			want: notThere + phones2 + ", " + sms + command},
		{name: "the id of what is no phone", enrol: []factor{{"push", "OKTA"}}, give: fields{"device": "sms123"}, want: notThere + phone1},
		{name: "two alike", enrol: []factor{{"sms", "OKTA"}, {"sms", "OKTA"}}, give: fields{"factor": "totp"}, pattern: true,
			want: "^" + regexp.QuoteMeta(notThere+sms) + `, SMS \+1 XXX-XXX-\d{4} \(device=\w+, then totp=<the code>\)` + regexp.QuoteMeta(command) + "$"},
		{name: "one that needs a passcode", enrol: []factor{{"sms", "OKTA"}, {"token:software:totp", "OKTA"}}, give: fields{"factor": "totp"},
			want: ask + sms + ", " + own},

		{name: "nothing that can be used", enrol: []factor{{"webauthn", "FIDO"}},
			want: none + ". You cannot use: WebAuthn security key or passkey (it needs a browser)"},
		{
			name:  "browser only, beside others",
			enrol: []factor{{"webauthn", "FIDO"}, {"u2f", "FIDO"}, {"web", "DUO"}, {"claims_provider", "GENERIC_SAML"}, {"signed_nonce", "OKTA"}, {"token:software:totp", "GOOGLE"}},
			want: ask + google + ". You cannot use: WebAuthn security key or passkey (it needs a browser), U2F security key (it needs a browser), " +
				"DUO web (it needs a browser), identity provider (it needs a browser), Okta FastPass (it needs a browser)",
		},
		{name: "unknown", enrol: []factor{{"telepathy", "ACME"}}, want: none + ". You cannot use: telepathy of ACME (the plugin does not know it)"},
		{name: "of another provider than it is known of", enrol: []factor{{"sms", "TWILIO"}},
			want: none + ". You cannot use: SMS +1 XXX-XXX-4821 (the plugin does not know it)"},
		{name: "inactive", enrol: []factor{{"push", "OKTA"}, {"sms", "OKTA"}},
			change: func(f []*oktatest.Factor) {
				f[0].SetStatus("PENDING_ACTIVATION")
				f[1].SetStatus("INACTIVE")
			},
			want: none + `. You cannot use: a push "Phone 1" (it is not active), SMS +1 XXX-XXX-4821 (it is not active)`},
		{name: "shut out", enrol: []factor{{"sms", "OKTA"}, {"email", "OKTA"}, {"question", "OKTA"}}, config: fields{"mfa_factors": "totp,push"},
			want: none + `. You cannot use: SMS +1 XXX-XXX-4821 (this mount does not accept it), ` +
				`e-mail m...o@acme.test (this mount does not accept it), ` +
				`security question "Which dish did you always refuse to eat?" (this mount does not accept it)` +
				`. Enroll a factor of type totp or push in Okta, or ask your Vault administrator to name sms, email or question in mfa_factors of the mount's config`},
		{name: "shut out by default", enrol: []factor{{"sms", "OKTA"}}, config: fields{"mfa_factors": ""},
			want: none + `. You cannot use: SMS +1 XXX-XXX-4821 (this mount does not accept it). ` +
				`Enroll a factor of type push, totp or token in Okta, or ask your Vault administrator to name sms in mfa_factors of the mount's config`},
		{name: "shut out by default, and asked for", enrol: []factor{{"call", "OKTA"}, {"call", "OKTA"}, {"webauthn", "FIDO"}},
			config: fields{"mfa_factors": ""}, give: fields{"provider": "call"},
			want: none + `. You cannot use: call +1 XXX-XXX-4821 (this mount does not accept it), WebAuthn security key or passkey (it needs a browser). ` +
				`Enroll a factor of type push, totp or token in Okta, or ask your Vault administrator to name call in mfa_factors of the mount's config`},
		{name: "shut out, but it would not be usable anyway", enrol: []factor{{"sms", "OKTA"}}, config: fields{"mfa_factors": "push"},
			change: func(f []*oktatest.Factor) { f[0].SetStatus("INACTIVE") },
			want:   none + `. You cannot use: SMS +1 XXX-XXX-4821 (it is not active)`},
		{name: "shut out, beside others", enrol: []factor{{"push", "OKTA"}, {"token", "RSA"}, {"question", "OKTA"}},
			config: fields{"mfa_factors": "token"},
			want: ask + rsa + `. You cannot use: a push "Phone 1" (this mount does not accept it), ` +
				`security question "Which dish did you always refuse to eat?" (this mount does not accept it)`},
		{name: "shut out and asked for", enrol: []factor{{"push", "OKTA"}, {"email", "OKTA"}}, config: fields{"mfa_factors": "push"},
			give: fields{"provider": "email"},
			want: notThere + phone1 + ". You cannot use: e-mail m...o@acme.test (this mount does not accept it)"},
		{name: "a phone without a name", enrol: []factor{{"push", "OKTA"}}, give: fields{"provider": "sms"},
			change:  func(f []*oktatest.Factor) { f[0].SetName("") },
			want:    "^" + notThere + `a push opf[0-9A-Za-z]+ \(provider=push\)$`,
			pattern: true},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		for i, test := range tests {
			m.configure(fields{"mfa_factors": allFactors})
			m.write("config", test.config)
			login := string(rune('a'+i)) + "@acme.test"
			u := m.okta.AddUser(login, testPassword)
			var enrolled []*oktatest.Factor
			for _, f := range test.enrol {
				enrolled = append(enrolled, u.AddFactor(f[0], f[1]))
				if f[0] == "email" {
					enrolled[len(enrolled)-1].SetDestination("m...o@acme.test")
				}
			}
			if test.change != nil {
				test.change(enrolled)
			}
			data := fields{"password": testPassword, "nonce": login} // as the tool of this method sends
			for k, v := range test.give {
				data[k] = v
			}
			_, status, text := m.do("update", "login/"+login, data)
			assert.Equal(t, http.StatusBadRequest, status, test.name)
			text = strings.ReplaceAll(text, login, "LOGIN")
			if test.pattern {
				assert.Regexp(t, test.want, text, test.name)
			} else {
				assert.Equal(t, test.want, text, test.name)
			}
			for _, f := range enrolled {
				assert.Zero(t, f.Sent(), test.name)
			}
		}
		assert.Zero(t, m.calls("verify"))
		// No password, no list.
		_, _, text := m.do("update", "login/a@acme.test", fields{"password": "guess"})
		assert.NotContains(t, text, "SMS")
	})
}

// Where mfa_factors was never set, on a new mount and in an entry of the builtin method
// or of v0.1.0, nobody gets in with what Okta sends, or with an answer to a question, and
// nothing is sent. An empty list means the same.
func TestFactorsThatHaveToBeNamed(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		post := func(u *oktatest.User, more fields) (*logical.Response, int, string) {
			data := fields{"password": testPassword}
			maps.Copy(data, more)
			return m.do(logical.UpdateOperation, "login/"+u.Login(), data)
		}
		for _, configure := range []func(){
			func() { m.configure(nil) },
			func() {
				m.plant("config", fmt.Sprintf(`{"organization":"acme","token":%q,"base_url":%q}`, m.okta.Token, m.okta.URL))
			},
			func() { m.configure(fields{"mfa_factors": []string{}}) },
		} {
			m.plant("config", "")
			configure()
			for _, kind := range []string{"sms", "call", "email", "question"} {
				u := m.okta.AddUser(rand.Text()+"@acme.test", testPassword)
				u.SetGroups("Everyone")
				f := u.AddFactor(kind, "OKTA")
				for _, more := range []fields{nil, {"provider": kind}, {"factor": kind, "wait": false}, {"totp": "123456"}, {"totp": "boiled-turnip"}} {
					_, status, text := post(u, more)
					assert.Equal(t, http.StatusBadRequest, status)
					assert.Contains(t, text, "ask your Vault administrator to name "+kind+" in mfa_factors of the mount's config")
				}
				assert.Zero(t, f.Sent())
			}
			u := m.okta.AddUser(rand.Text()+"@acme.test", testPassword)
			u.SetGroups("Everyone")
			for _, f := range []*oktatest.Factor{u.AddTOTP("GOOGLE"), u.AddFactor("token:hardware", "YUBICO"), u.AddFactor("token:hotp", "CUSTOM")} {
				_, status, text := post(u, fields{"totp": f.Code(), "provider": f.Provider})
				assert.Equal(t, http.StatusOK, status, text)
			}
			u.AddPush("SUCCESS")
			_, status, text := post(u, nil)
			assert.Equal(t, http.StatusOK, status, text)
		}
	})
}

// Each kind can be shut out, and be the only one that is let in.
func TestMFAFactors(t *testing.T) {
	kinds := []string{"push", "totp", "sms", "call", "email", "token", "question"}
	bothWays(t, func(t *testing.T, m *mount) {
		u := m.addUser("Everyone")
		u.AddPush("SUCCESS")
		totp, sms, call := u.AddTOTP("OKTA"), u.AddFactor("sms", "OKTA"), u.AddFactor("call", "OKTA")
		email, yubikey, question := u.AddFactor("email", "OKTA"), u.AddFactor("token:hardware", "YUBICO"), u.AddFactor("question", "OKTA")
		factors := map[string]*oktatest.Factor{"totp": totp, "sms": sms, "call": call, "email": email, "token": yubikey, "question": question}

		// try logs in with a factor of the kind, in both ways of asking for it, and
		// reports whether that was let in.
		try := func(kind, by string) bool {
			m.clock.advance(30 * time.Second)
			with := fields{by: kind}
			switch kind {
			case "push":
			case "sms", "call", "email":
				if text := m.refused(fields{by: kind}); !strings.Contains(text, "has sent a code") {
					assert.Contains(t, text, "this mount does not accept it")
					return false
				}
				with["totp"] = factors[kind].Code()
			default:
				with["totp"] = m.nextCode(factors[kind])
			}
			resp, status, text := m.login(with)
			if status == http.StatusOK {
				return resp.Auth != nil
			}
			assert.Contains(t, text, "this mount does not accept it")
			return false
		}
		for _, shut := range kinds {
			var others []string
			for _, kind := range kinds {
				if kind != shut {
					others = append(others, kind)
				}
			}
			m.configure(fields{"mfa_factors": others})
			assert.False(t, try(shut, "factor"), shut)
			assert.False(t, try(shut, "provider"), shut)
			assert.True(t, try(others[0], "factor"), "without "+shut)
			assert.True(t, try(others[5], "provider"), "without "+shut)

			m.configure(fields{"mfa_factors": []string{shut}})
			assert.True(t, try(shut, "factor"), "only "+shut)
			assert.False(t, try(others[0], "factor"), "only "+shut)
		}
	})
}

// A factor that was shut out while its code was on the way lets nobody in.
func TestMFAFactorsShutMeanwhile(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		sms := m.addUser("Everyone").AddFactor("sms", "OKTA")
		m.refused(nil)
		m.write("config", fields{"mfa_factors": "push"})
		assert.Contains(t, m.refused(fields{"totp": sms.Code()}), "SMS +1 XXX-XXX-4821 (this mount does not accept it)")
		m.write("config", fields{"mfa_factors": "sms"})
		m.mustLogin(fields{"totp": sms.Code()})
	})
}

// Where there are a push and codes, the push it is; and where there is one code
// only, that.
func TestFactorWithoutBeingAsked(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		sms := u.AddFactor("sms", "OKTA")
		assert.Contains(t, m.refused(nil), "by SMS")
		u.AddTOTP("GOOGLE")
		m.clock.advance(30 * time.Second)
		m.start()
		assert.Contains(t, m.refused(nil), "by SMS", "what needs no sending is not meant")
		push := u.AddPush("SUCCESS")
		m.mustLogin(nil)
		assert.Equal(t, 1, push.Pushes())
		assert.Equal(t, 2, sms.Sent())
		require.Len(t, u.Factors(), 3)
	})
}

// Identity providers are called what the org calls them: there may be several.
func TestIdentityProvidersByTheirNames(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser()
		u.AddFactor("assertion:saml2", "GENERIC_SAML").SetVendor("Acme SAML")
		u.AddFactor("assertion:oidc", "GENERIC_OIDC").SetVendor("Acme OIDC")
		u.AddFactor("claims_provider", "CUSTOM").SetVendor("Acme IdP")
		u.AddFactor("claims_provider", "CUSTOM")
		assert.Contains(t, m.refused(nil), "Acme SAML (it needs a browser), Acme OIDC (it needs a browser), Acme IdP (it needs a browser), "+
			"identity provider (it needs a browser)")
	})
}
