package backend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestLoginPassCode(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		google := u.AddTOTP("GOOGLE")
		own := u.AddTOTP("OKTA")
		m.mustLogin(fields{"totp": m.nextCode(google)})
		m.mustLogin(fields{"totp": " " + m.nextCode(own) + " "})
		for provider, factor := range map[string]*oktatest.Factor{"google": google, "Okta": own} {
			m.okta.Reset()
			m.mustLogin(fields{"totp": m.nextCode(factor), "provider": provider})
			assert.Len(t, m.okta.Requests(), 3, "authn, one verify, groups")
		}

		_, status, text := m.login(fields{"totp": "000000"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "(E0000068)")

		m.okta.Reset()
		assert.Contains(t, m.refused(fields{"totp": "not-it"}), "the passcode does not match any of yours")
		assert.Zero(t, m.calls("verify"), "what cannot be a passcode is not tried")

		_, status, text = m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status, "no passcode, and no push enrolled")
		assert.Equal(t, "Okta asks for a factor: choose one, and send what it needs. You can use: Google Authenticator "+
			"(totp=<its 6 digits> provider=GOOGLE), Okta Verify's passcode (totp=<its 6 digits> provider=OKTA)"+bareHint, text)

		google.SetStatus("INACTIVE")
		_, status, text = m.login(fields{"totp": m.nextCode(google), "provider": "GOOGLE"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "You cannot use: Google Authenticator (it is not active)")
	})
}

func TestLoginPassCodeReal(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		google := m.addUser("Everyone").AddTOTP("GOOGLE")
		code := google.Code()
		m.mustLogin(fields{"totp": code})
		_, status, text := m.login(fields{"totp": code})
		assert.Equal(t, http.StatusBadRequest, status, "a passcode is good once")
		assert.Contains(t, text, "(E0000082)")
		_, status, text = m.login(fields{"totp": google.CodeAt(m.clock.Now().Add(-5 * time.Minute))})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "(E0000083)")
	})
}

// passCodeFactors are the factors that a passcode answers in one call.
var passCodeFactors = []struct {
	name, factorType, provider, kind string
}{
	{"Okta Verify", "token:software:totp", "OKTA", "totp"},
	{"Google Authenticator", "token:software:totp", "GOOGLE", "totp"},
	{"YubiKey", "token:hardware", "YUBICO", "token"},
	{"RSA", "token", "RSA", "token"},
	{"Symantec", "token", "SYMANTEC", "token"},
	{"HOTP", "token:hotp", "CUSTOM", "token"},
	{"question", "question", "OKTA", "question"},
}

// Each of them under both names of the field, and chosen in each way.
func TestPassCodeFactors(t *testing.T) {
	for _, test := range passCodeFactors {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"mfa_factors": allFactors})
				u := m.addUser("Everyone")
				push := u.AddPush("SUCCESS")
				factor := u.AddFactor(test.factorType, test.provider)
				for i, with := range []fields{
					{},
					{"provider": test.provider},
					{"provider": strings.ToLower(test.provider)},
					{"provider": strings.ToUpper(test.kind)},
					{"factor": test.kind},
					{"factor": strings.ToUpper(test.kind), "provider": strings.ToLower(test.provider[:1]) + test.provider[1:]},
					{"factor": test.kind, "provider": test.kind},
				} {
					code := m.nextCode(factor)
					with[[]string{"totp", "passcode"}[i%2]] = code
					if i == 0 {
						with["passcode"] = " " + code // the same under both names
					}
					m.okta.Reset()
					auth := m.mustLogin(with)
					assert.Equal(t, fields{"password": testPassword}, auth.InternalData)
					assert.Equal(t, 1, m.calls("verify"), with)
					assert.Len(t, m.okta.Requests(), 3, "authn, one verify, groups")
				}
				wrong := map[string]string{"token:hardware": strings.Repeat("c", 44), "question": "no-such-food"}[test.factorType]
				if wrong == "" {
					wrong = "000000"
				}
				assert.Contains(t, m.refused(fields{"totp": wrong, "provider": test.kind}), "Okta did not accept the passcode (E0000068). It was tried on ")
				assert.Contains(t, m.refused(fields{"passcode": wrong, "factor": test.kind}), "Okta did not accept the passcode (E0000068). It was tried on ")
				assert.Zero(t, push.Pushes(), "who gives a passcode wants no push")
			})
		})
	}
}

// Where a passcode fits several factors each is tried once, in Okta's order,
// until one takes it.
func TestPassCodeCandidates(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		google, yubikey, own := u.AddTOTP("GOOGLE"), u.AddFactor("token:hardware", "YUBICO"), u.AddTOTP("OKTA")
		rsa := u.AddFactor("token", "RSA")
		for _, test := range []struct {
			factor *oktatest.Factor
			tried  int
		}{{google, 1}, {own, 2}, {rsa, 3}, {yubikey, 1}} {
			m.okta.Reset()
			m.mustLogin(fields{"totp": m.nextCode(test.factor)})
			assert.Equal(t, test.tried, m.calls("verify"), test.factor.Provider)
			assert.Equal(t, 1, m.authnCalls(), test.factor.Provider)
		}
		m.okta.Reset()
		m.refused(fields{"totp": "000000"})
		assert.Equal(t, 3, m.calls("verify"), "each at most once")
		m.okta.Reset()
		m.refused(fields{"totp": "000000", "provider": "totp"})
		assert.Equal(t, 2, m.calls("verify"), "those of the type")

		// What ends it at once.
		u.SetStatus("ACTIVE")
		code := m.nextCode(google)
		m.mustLogin(fields{"totp": code})
		m.okta.Reset()
		assert.Equal(t, "this passcode has been used already: wait for the next one (E0000082)", m.refused(fields{"totp": code}))
		assert.Equal(t, 1, m.calls("verify"), "a replay is tried on no other factor")
		for range 3 { // with three factors each
			m.refused(fields{"totp": "000000"})
		}
		m.okta.Reset()
		assert.Contains(t, m.refused(fields{"totp": "000000"}), "your Okta account is locked")
	})
}

// A lock-out in the middle of the candidates: the others are not tried.
func TestPassCodeLockOut(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.okta.Configure(func(o *oktatest.Options) { o.MaxFailures = 2 })
		m.configure(nil)
		u := m.addUser("Everyone")
		u.AddTOTP("GOOGLE")
		u.AddTOTP("OKTA")
		u.AddFactor("token", "SYMANTEC")
		assert.Equal(t, "your Okta account has been locked after too many wrong passcodes: unlock it in Okta, "+
			"or ask your Okta administrator (E0000069)", m.refused(fields{"totp": "000000"}))
		assert.Equal(t, 2, m.calls("verify"))
	})
}

// RSA's server may want the token to show one more code, in the conversation
// where it asked for that.
func TestPassCodeNextToken(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		rsa := m.addUser("Everyone").AddFactor("token", "RSA")
		rsa.RequireNextToken()
		code := m.nextCode(rsa)
		assert.Equal(t, `Okta says "Type the next code of your token" (E0000113): log in again with that as totp`, m.refused(fields{"totp": code}))
		assert.Zero(t, m.calls("cancel"), "the conversation goes on")
		m.okta.Reset()
		m.mustLogin(fields{"totp": m.nextCode(rsa)})
		assert.Equal(t, 1, m.calls("verify"))
		assert.Equal(t, 1, m.calls("cancel"), "the second login's own transaction")
		assert.Contains(t, m.lastBody("verify"), m.okta.StateTokens()[0], "answered where it was asked")
	})
}

// How devices and people write passcodes.
func TestPassCodeSpelling(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		google, yubikey := u.AddTOTP("GOOGLE"), u.AddFactor("token:hardware", "YUBICO")
		code := m.nextCode(google)
		m.mustLogin(fields{"totp": code[:3] + " " + code[3:]})
		m.mustLogin(fields{"totp": "\t" + m.nextCode(google) + "\n"})
		m.mustLogin(fields{"passcode": strings.ToUpper(m.nextCode(yubikey))})
	})
}

// TestWordInThePasswordField: a person whose form has two fields only chooses their
// factor by a word after the password.
func TestWordInThePasswordField(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"passcode_separator": ",", "mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push, sms := u.AddPush("SUCCESS"), u.AddFactor("sms", "OKTA")
		assert.Contains(t, m.refused(fields{"password": testPassword + ",sms"}), "Okta has sent a code by SMS")
		m.mustLogin(fields{"password": testPassword + ",push"})
		assert.Equal(t, []int{1, 1}, []int{push.Pushes(), sms.Sent()})
	})
}
