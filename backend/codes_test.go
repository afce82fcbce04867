package backend

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// codeFactors are the factors whose code Okta sends, in a first login.
var codeFactors = []struct {
	kind      string
	sentTo    string
	sent      string // what the first login says
	wait      int    // seconds between two codes
	limitCode string
}{
	{"sms", "+1 XXX-XXX-4821", "by SMS to +1 XXX-XXX-4821", 30, "E0000109"},
	{"call", "+1 XXX-XXX-4821", "by a telephone call to +1 XXX-XXX-4821", 30, "E0000133"},
	{"email", "m...o@acme.test", "by e-mail to m...o@acme.test", 5, "E0000118"},
}

// eachCode runs test with a mount and a person for each of them.
func eachCode(t *testing.T, test func(t *testing.T, m *mount, i int, f *oktatest.Factor)) {
	for i, row := range codeFactors {
		t.Run(row.kind, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"mfa_factors": allFactors})
				test(t, m, i, m.addUser("Everyone").AddFactor(row.kind, "OKTA"))
			})
		})
	}
}

// Two logins: the first has the code sent, the second answers it, in the
// transaction of the first.
func TestCodeInTwoLogins(t *testing.T) {
	eachCode(t, func(t *testing.T, m *mount, i int, f *oktatest.Factor) {
		row := codeFactors[i]
		m.okta.Configure(func(o *oktatest.Options) { o.CodesStayInTransaction = true })
		for _, with := range []fields{nil, {"provider": row.kind}, {"factor": row.kind}, {"provider": "okta"}} {
			m.clock.advance(time.Minute)
			m.okta.Reset()
			before := f.Sent()
			want := "Okta has sent a code " + row.sent + ": log in again in the same way, with totp=<code> added"
			if with == nil {
				want += bareHint
			}
			assert.Equal(t, want, m.refused(with))
			assert.Equal(t, before+1, f.Sent())
			assert.Zero(t, m.calls("cancel"), "the transaction is kept")

			second := fields{"totp": f.Code()}
			for k, v := range with {
				second[k] = v
			}
			auth := m.mustLogin(second)
			assert.Equal(t, fields{"password": testPassword}, auth.InternalData)
			assert.Equal(t, before+1, f.Sent(), "no other code")
			assert.Equal(t, 2, m.authnCalls(), "the password is verified again")
			assert.Equal(t, 2, m.calls("verify"))
			tokens := m.okta.StateTokens()
			kept, own := tokens[len(tokens)-2], tokens[len(tokens)-1]
			assert.Contains(t, m.lastBody("verify"), kept, "the kept transaction is answered")
			assert.Equal(t, 1, m.calls("cancel"))
			assert.Contains(t, m.lastBody("cancel"), own, "and the second one cancelled")
		}
	})
}

// Nobody gets past the password by knowing the code, and the code stays good for
// who knows both.
func TestCodeNeedsThePassword(t *testing.T) {
	eachCode(t, func(t *testing.T, m *mount, _ int, f *oktatest.Factor) {
		m.refused(nil)
		code := f.Code()
		assert.Contains(t, m.refused(fields{"password": "guess", "totp": code}), "(E0000004)")
		assert.Contains(t, m.refused(fields{"totp": wrongCode(code)}), "Okta did not accept the passcode (E0000068). It was tried on ")
		assert.Contains(t, m.refused(fields{"totp": wrongCode(code), "provider": f.Type}), "Okta did not accept the passcode (E0000068). It was tried on ")
		m.mustLogin(fields{"totp": code})
		assert.Equal(t, 1, f.Sent())
		m.refused(fields{"totp": code}) // good once
	})
}

// wrongCode looks like code and is another.
func wrongCode(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

// A code is not sent again while one is pending, unless that is asked for; and
// then Okta has limits.
func TestCodeResend(t *testing.T) {
	eachCode(t, func(t *testing.T, m *mount, i int, f *oktatest.Factor) {
		row := codeFactors[i]
		m.refused(nil)
		first := f.Code()
		kept := m.okta.StateTokens()[0]

		m.okta.Reset()
		assert.Equal(t, "Okta sent a code "+row.sent+" before, and it is still good: log in again with totp=<code>; "+
			"to have another one sent, run okta-login -factor="+f.Type+" "+testLogin+" and press Enter, or give resend=true to the HTTP API, /v1/auth/okta/login/"+testLogin+bareHint, m.refused(nil))
		assert.Equal(t, 1, f.Sent())
		assert.Zero(t, m.calls("verify")+m.calls("resend"))

		resp, status, text := m.login(fields{"resend": true})
		assert.Nil(t, resp)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, "("+row.limitCode+"): try again in")
		assert.Contains(t, text, map[int]string{30: " 30 seconds", 5: " 5 seconds"}[row.wait])
		assert.Equal(t, 1, f.Sent())

		m.clock.advance(time.Duration(row.wait) * time.Second)
		m.okta.Reset()
		assert.Equal(t, "Okta has sent a code "+row.sent+": log in again in the same way, with totp=<code> added",
			m.refused(fields{"resend": true}))
		assert.Equal(t, 2, f.Sent())
		if row.kind == "call" { // Okta publishes no link for one
			assert.Contains(t, m.lastBody("verify"), kept)
		} else {
			assert.Contains(t, m.lastBody("resend"), kept, "in the kept transaction")
		}
		if f.Code() != first {
			m.refused(fields{"totp": first})
		}
		m.mustLogin(fields{"totp": f.Code()})
	})
}

// Okta's limit on the first code is told alike: the person has logged in
// elsewhere a moment ago.
func TestCodeLimitOnTheFirst(t *testing.T) {
	eachCode(t, func(t *testing.T, m *mount, i int, f *oktatest.Factor) {
		m.refused(nil)
		other := m.another() // which knows nothing of the first code
		other.configure(fields{"mfa_factors": codeFactors[i].kind})
		_, status, text := other.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, codeFactors[i].limitCode)
		assert.Equal(t, 1, f.Sent())
		other.mustLogin(fields{"totp": f.Code()}) // but the code is good there
	})
}

// A code outlives a restart: where nobody knows of the transaction, the second
// login's has to do.
func TestCodeAfterRestart(t *testing.T) {
	eachCode(t, func(t *testing.T, m *mount, _ int, f *oktatest.Factor) {
		m.refused(nil)
		m.start()
		m.okta.Reset()
		assert.Contains(t, m.refused(fields{"totp": wrongCode(f.Code())}), "Okta did not accept the passcode (E0000068). It was tried on ")
		m.mustLogin(fields{"totp": f.Code()})
		assert.Equal(t, 1, f.Sent())
		tokens := m.okta.StateTokens()
		assert.Contains(t, m.lastBody("verify"), tokens[len(tokens)-1])
	})
}

// A kept transaction that Okta has given up: the second login's has to do, too.
func TestCodeTransactionGone(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		sms := m.addUser("Everyone").AddFactor("sms", "OKTA")
		m.refused(nil)
		m.okta.Fail("verify", oktatest.Status(http.StatusUnauthorized, "E0000011", "The token is not good").Times(1))
		m.mustLogin(fields{"totp": sms.Code()})

		m.clock.advance(time.Minute)
		m.refused(nil)
		m.clock.advance(6 * time.Minute) // longer than a transaction lives
		m.okta.Reset()
		assert.Contains(t, m.refused(nil), "Okta has sent a code", "the old one has expired")
		m.mustLogin(fields{"totp": sms.Code()})
		m.tidy()

		// A lock-out ends the kept transaction.
		m.clock.advance(time.Minute)
		m.refused(nil)
		for range 4 {
			assert.Contains(t, m.refused(fields{"totp": wrongCode(sms.Code())}), "(E0000068)")
		}
		assert.Contains(t, m.refused(fields{"totp": wrongCode(sms.Code())}), "your Okta account has been locked")
	})
}

// A code of another factor takes the place of the first, whose transaction is
// cancelled.
func TestCodeReplaced(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		sms, email := u.AddFactor("sms", "OKTA"), u.AddFactor("email", "OKTA")
		m.refused(fields{"provider": "sms"})
		old := sms.Code()
		assert.Contains(t, m.refused(fields{"provider": "email"}), "by e-mail to m...o@acme.test")
		assert.Equal(t, 1, m.calls("cancel"))
		assert.Contains(t, m.lastBody("cancel"), m.okta.StateTokens()[0], "the one of the SMS")
		if old != email.Code() {
			assert.Contains(t, m.refused(fields{"totp": old}), "(E0000068)")
		}
		m.mustLogin(fields{"totp": email.Code()})
	})
}

// Codes belong to the org that sent them.
func TestCodeOfAnotherOrg(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		sms := m.addUser("Everyone").AddFactor("sms", "OKTA")
		m.refused(nil)
		here := m.okta

		// The same login has the same id in every org of the simulator.
		there := oktatest.NewServer(t, oktatest.Options{Now: m.clock.Now})
		away := there.AddUser(testLogin, testPassword)
		away.SetGroups("Everyone")
		require.Equal(t, sms.User.ID, away.ID)
		away.AddFactor("sms", "OKTA")
		m.inner.rootCAs = there.CertPool()
		m.write("config", fields{"base_url": there.URL, "api_token": there.Token})
		here.Reset()
		assert.Contains(t, m.refused(nil), "Okta has sent a code", "nothing is known of the first")
		for _, token := range here.StateTokens() {
			for _, r := range there.Requests() {
				assert.NotContains(t, string(r.Body), token, "a state token went to another org")
			}
		}

		m.inner.rootCAs = here.CertPool()
		m.configure(fields{"mfa_factors": allFactors})
		assert.Contains(t, m.refused(nil), "still good", "back again, the first code is remembered")
		m.mustLogin(fields{"totp": sms.Code()})
	})
}

// The code waits for one person, not for another.
func TestCodeIsThePersons(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		sms := m.addUser("Everyone").AddFactor("sms", "OKTA")
		kim := m.okta.AddUser("kim@acme.test", "another-password")
		kims := kim.AddFactor("sms", "OKTA")
		m.refused(nil)
		_, status, text := m.do("update", "login/kim@acme.test", fields{"password": "another-password", "totp": sms.Code()})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "(E0000068)")
		assert.Zero(t, kims.Sent())
		m.mustLogin(fields{"totp": sms.Code()})
	})
}

// A person known by several names has one code.
func TestCodeByAnyName(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		sms := m.addUser("Everyone").AddFactor("sms", "OKTA")
		m.refused(nil)
		resp, status, text := m.do("update", "login/mia.ito", fields{"password": testPassword, "totp": sms.Code()})
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, testLogin, resp.Auth.Alias.Name, "and one alias")
		assert.Contains(t, m.lastBody("verify"), m.okta.StateTokens()[0])
	})
}

// Beside a code that waits, what a person has in their hand works as ever.
func TestCodeAndOtherFactors(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		sms, google, push := u.AddFactor("sms", "OKTA"), u.AddTOTP("GOOGLE"), u.AddPush("SUCCESS")
		m.refused(fields{"provider": "sms"})
		m.mustLogin(fields{"totp": m.nextCode(google)})
		m.mustLogin(fields{"totp": m.nextCode(google), "provider": "GOOGLE"})
		m.mustLogin(nil)
		assert.Equal(t, 1, push.Pushes())
		m.mustLogin(fields{"totp": sms.Code()})
		assert.Equal(t, 1, sms.Sent())
	})
}

// TestCodeToTheTelephoneThatIsNamed: of two telephones each can be had, and what the
// message says leads to the one that it says it of.
func TestCodeToTheTelephoneThatIsNamed(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors, "max_push_failures": 10})
		u := m.addUser("Everyone")
		first, second := u.AddFactor("sms", "OKTA"), u.AddFactor("sms", "OKTA")
		assert.Contains(t, m.refused(nil), "(device="+second.ID)
		assert.Contains(t, m.refused(fields{"device": second.ID}), "Okta has sent a code by SMS")
		assert.Equal(t, []int{0, 1}, []int{first.Sent(), second.Sent()})
		m.mustLogin(fields{"totp": second.Code()})
		m.refused(fields{"provider": "sms"})
		assert.Equal(t, []int{1, 1}, []int{first.Sent(), second.Sent()}, "the type alone is the first one's")
		assert.Contains(t, m.refused(fields{"device": second.ID, "factor": "totp"}), "device must name a device")
	})
}
