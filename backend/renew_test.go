package backend

import (
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const noPushText = "this token cannot be renewed: log in again. Okta asks for a factor, and a renewal can use only a push. " +
	"Your Vault administrator can set renewal=status, which renews without a password or a factor"

func TestRenew(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_policies": "base", "token_ttl": "1h"})
		u := m.addUser("Scientists", "Others")
		m.write("groups/scientists", fields{"policies": "nuclear"})
		auth := issued(m.mustLogin(nil))

		m.configure(fields{"token_ttl": "10m", "token_max_ttl": "3h", "token_period": "5m"})
		u.SetGroups("Scientists", "New")
		resp, status, text := m.renew(auth)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, 10*time.Minute, resp.Auth.TTL, "from today's config")
		assert.Equal(t, 3*time.Hour, resp.Auth.MaxTTL)
		assert.Equal(t, 5*time.Minute, resp.Auth.Period)
		assert.Equal(t, []string{"Scientists", "New"}, aliasNames(resp.Auth), "group aliases are refreshed")
		assert.Equal(t, 2, m.authnCalls(), "the login is repeated")

		u.SetGroups("Others")
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "policies have changed")

		u.SetGroups("Scientists")
		u.SetPassword("another")
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "(E0000004)")
		u.SetPassword(testPassword)
		m.mustLogin(nil) // which shows that the password is right again

		push := u.AddPush("WAITING", "SUCCESS")
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, 1, push.Pushes(), "a push comes again")
		push.SetScript("WAITING", "REJECTED")
		_, status, _ = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
	})
}

// A token as the builtin method issues it: the metadata and internal data that
// were read from one.
func TestRenewOfTheBuiltin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Scientists")
		m.write("groups/scientists", fields{"policies": "nuclear"})
		_, status, text := m.renew(&logical.Auth{
			Metadata:      map[string]string{"username": testLogin, "policies": "nuclear"},
			InternalData:  map[string]any{"password": testPassword},
			TokenPolicies: []string{"default", "NUCLEAR", "nuclear"},
		})
		assert.Equal(t, http.StatusOK, status, text)

		_, status, text = m.renew(&logical.Auth{Metadata: map[string]string{"username": testLogin}})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "log in again")
	})
}

// Where the configuration, or the token, is not there, nobody is asked anything.
func TestRenewWithout(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		auth := &logical.Auth{Metadata: map[string]string{"username": testLogin}, InternalData: map[string]any{"password": testPassword}}
		_, status, text := m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "not configured")
		_, status, _ = m.renew(nil)
		assert.Equal(t, http.StatusInternalServerError, status)
		m.start() // a node that has read nothing yet
		m.storage.fail(true, false)
		_, status, _ = m.renew(auth)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.Empty(t, m.okta.Requests())
	})
}

// A renewal's own passcodes and codes there are none: only a push, also where the
// person has more, and where the mount takes none the renewal is refused.
func TestRenewByPushOnly(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		auth := issued(m.mustLogin(nil))
		u.AddTOTP("GOOGLE")
		email, push := u.AddFactor("email", "OKTA"), u.AddPush("WAITING", "SUCCESS")
		resp, status, text := m.renew(auth)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, fields{"password": testPassword}, resp.Auth.InternalData)
		assert.Equal(t, 1, push.Pushes())

		m.write("config", fields{"mfa_factors": "email,totp"})
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, noPushText, text)
		assert.Zero(t, email.Sent())
		assert.Equal(t, 1, push.Pushes())
	})
}

// TestRenewFromAShutOutAddress: no phone rings for a renewal from an address that the
// mount does not accept.
func TestRenewFromAShutOutAddress(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("SUCCESS")
		auth := issued(m.mustLogin(nil))
		m.write("config", fields{"token_bound_cidrs": "203.0.113.0/24"})
		_, status, _ := m.renew(auth)
		assert.Equal(t, http.StatusForbidden, status)
		assert.Equal(t, 1, push.Pushes(), "that of the login")
	})
}

// Vault renews a token again and again with the password of its login. Okta sees a stale
// one once, so that nobody is locked out by it.
func TestRenewWithAStalePassword(t *testing.T) {
	for _, code := range []string{okta.CodeAuthenticationFailed, okta.CodeSignInFailed} {
		t.Run(code, func(t *testing.T) { renewWithAStalePassword(t, code) })
	}
}

func renewWithAStalePassword(t *testing.T, code string) {
	const stale = "Okta has refused the password of your login, which a renewal gives it again, so the token is not renewed: log in again"
	bothWays(t, func(t *testing.T, m *mount) {
		m.okta.Configure(func(o *oktatest.Options) { o.SignInCode = code })
		m.configure(fields{"max_login_failures": 4, "prefetch_groups": "never"})
		u := m.addUser("Everyone")
		old := issued(m.mustLogin(nil))
		u.SetPassword("another")
		_, status, text := m.renew(old)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "("+code+")")
		m.okta.Reset()
		for range 10 {
			_, status, text = m.renew(old)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Equal(t, stale, text)
		}
		assert.Empty(t, m.okta.Requests())

		m.write("config", fields{"prefetch_groups": "always"})
		fresh := issued(m.mustLogin(fields{"password": "another"}))
		_, status, text = m.renew(fresh)
		assert.Equal(t, http.StatusOK, status, text)
		m.okta.Reset()
		_, _, text = m.renew(old)
		assert.Equal(t, stale, text)
		assert.Empty(t, m.okta.Requests(), "no groups are read beside a password that is not sent")

		// The old password may be the right one again, of which only a login tells.
		u.SetPassword(testPassword)
		_, _, text = m.renew(old)
		assert.Equal(t, stale, text)
		m.mustLogin(nil)
		_, status, text = m.renew(old)
		assert.Equal(t, http.StatusOK, status, text)
	})
}

// TestRenewalThatShowsNumbers: nobody sees the right number of a renewal, and the answer
// says what can be done about it.
func TestRenewalThatShowsNumbers(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		auth := issued(m.mustLogin(nil))
		u.AddPush().Number(47, 1)
		assert.Equal(t, "this token cannot be renewed: log in again. Okta's push shows numbers to choose from, and a renewal can show "+
			"nobody the right one. Your Vault administrator can set renewal=status, which renews without a password or a factor",
			m.notRenewed(auth))
	})
}

// TestRenewalOfBrowserFactors: a factor for browsers cannot be used in a renewal.
func TestRenewalOfBrowserFactors(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		auth := issued(m.mustLogin(nil))
		u.AddFactor("webauthn", "FIDO")
		assert.Equal(t, noPushText, m.notRenewed(auth))
	})
}

// TestRenewalSendsNoCodeAfterAPush: where Okta wants another factor after the push, no
// code is sent for it.
func TestRenewalSendsNoCodeAfterAPush(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		auth := issued(m.mustLogin(nil))
		push, sms := u.AddPush("SUCCESS"), u.AddFactor("sms", "OKTA")
		u.SetSequence([]*oktatest.Factor{push}, []*oktatest.Factor{sms})
		assert.Equal(t, noPushText, m.notRenewed(auth))
		assert.Equal(t, 1, push.Pushes())
		assert.Zero(t, sms.Sent())
	})
}
