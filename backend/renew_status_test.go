package backend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// renewed renews a token and returns it as it is stored then.
func (m *mount) renewed(auth *logical.Auth) *logical.Auth {
	m.t.Helper()
	resp, status, text := m.renew(auth)
	require.Equal(m.t, http.StatusOK, status, text)
	require.NotNil(m.t, resp.Auth)
	return resp.Auth
}

// notRenewed is the sentence by which a renewal is refused with 400.
func (m *mount) notRenewed(auth *logical.Auth) string {
	m.t.Helper()
	resp, status, text := m.renew(auth)
	require.Equal(m.t, http.StatusBadRequest, status, text)
	require.True(m.t, resp == nil || resp.Auth == nil)
	return text
}

// asked lists the requests that Okta has got since the last Reset.
func (m *mount) asked() (list []string) {
	for _, r := range m.okta.Requests() {
		list = append(list, r.Method+" "+r.Path)
	}
	return list
}

// TestStatusRenewalSendsNoPasswordAndNoFactor: a token that is renewed by status keeps no
// password, and its renewal asks Okta for the account and its groups alone.
func TestStatusRenewalSendsNoPasswordAndNoFactor(t *testing.T) {
	for _, source := range []string{sourceLogin, sourceOktaID, sourceTyped} {
		t.Run(source, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"renewal": "status", "alias_source": source, "token_ttl": "1h"})
				u := m.addUser("Scientists")
				push := u.AddPush("SUCCESS", "SUCCESS")
				m.write("groups/scientists", fields{"policies": "nuclear"})
				auth := issued(m.mustLogin(nil))
				assert.True(t, auth.Renewable)
				assert.Equal(t, fields{"password": ""}, auth.InternalData)
				assert.Equal(t, u.ID, auth.Metadata["okta_id"])

				m.write("config", fields{"token_ttl": "10m"})
				u.SetGroups("Scientists", "New")
				m.okta.Reset()
				for range 2 {
					auth = m.renewed(auth)
					assert.Equal(t, 10*time.Minute, auth.TTL)
					assert.Equal(t, []string{"Scientists", "New"}, aliasNames(auth))
					assert.Equal(t, fields{"password": ""}, auth.InternalData)
				}
				account := "GET /api/v1/users/" + u.ID
				assert.Equal(t, []string{account, account + "/groups", account, account + "/groups"}, m.asked())
				assert.Equal(t, 1, push.Pushes(), "that of the login")
				for _, r := range m.okta.Requests() {
					assert.NotContains(t, string(r.Body), testPassword)
				}

				u.SetGroups("New")
				assert.Contains(t, m.notRenewed(auth), "your policies have changed")
			})
		})
	}
}

// TestStatusRenewalRefusals: whoever may not log in at Okta any more has no token renewed,
// and is told why.
func TestStatusRenewalRefusals(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(m *mount, u *oktatest.User)
		want   string
	}{
		{"deleted", func(_ *mount, u *oktatest.User) { u.Delete() }, "Okta has deleted your account, or does not show it to this mount, so"},
		{"suspended", func(_ *mount, u *oktatest.User) { u.SetStatus("SUSPENDED") }, "your Okta account is suspended, so"},
		{"locked", func(_ *mount, u *oktatest.User) { u.SetStatus("LOCKED_OUT") }, "your Okta account is locked, so"},
		{"deactivated", func(_ *mount, u *oktatest.User) { u.SetStatus("DEPROVISIONED") }, "your Okta account is deactivated, so"},
		{"expired", func(_ *mount, u *oktatest.User) { u.SetStatus("PASSWORD_EXPIRED") }, "your Okta password has expired, so"},
		{"in recovery", func(_ *mount, u *oktatest.User) { u.SetStatus("RECOVERY") }, "your Okta account is being recovered, so"},
		{"staged", func(_ *mount, u *oktatest.User) { u.SetStatus("STAGED") }, "your Okta account is not activated, so"},
		{"provisioned", func(_ *mount, u *oktatest.User) { u.SetStatus("PROVISIONED") }, "your Okta account is not activated, so"},
		{"unknown", func(_ *mount, u *oktatest.User) { u.SetStatus("FROZEN") }, `your Okta account is not active (status "FROZEN"), so`},
		{"renamed", func(_ *mount, u *oktatest.User) { u.SetLogin("mia.ono@acme.test") }, "your Okta login has changed since this token was issued"},
		{"the name is another's", func(m *mount, u *oktatest.User) {
			u.SetLogin("mia.ono@acme.test")
			m.okta.AddUser("other@acme.test", testPassword).SetLogin(testLogin)
		}, "your Okta login has changed since this token was issued"},
		{"the API token is refused", func(m *mount, _ *oktatest.User) {
			m.okta.Fail("users", oktatest.Status(http.StatusUnauthorized, "E0000011", "Invalid token provided"))
		}, "Okta refused the API token of this mount (E0000011)"},
		{"no API token", func(m *mount, _ *oktatest.User) {
			m.plant("config", strings.Replace(m.stored("config"), `"token":"`+m.okta.Token+`"`, `"token":""`, 1))
		}, "this mount has no api_token"},
		{"another method is required", func(m *mount, _ *oktatest.User) {
			m.createMethod("totp", fields{"method_name": "mine", "issuer": "Acme"})
			m.write("groups/everyone", fields{"mfa_methods": "mine"})
		}, "requires an MFA method"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"renewal": "status", "renewal_grace": "1h"})
				u := m.addUser("Everyone")
				auth := issued(m.mustLogin(nil))
				m.renewed(auth)
				row.change(m, u)
				assert.Contains(t, m.notRenewed(auth), row.want)
				assert.Equal(t, 1, m.authnCalls(), "that of the login")
			})
		})
	}
}

// TestStatusRenewalIgnoresTheCaseOfTheLogin: another spelling of a login is no other login.
func TestStatusRenewalIgnoresTheCaseOfTheLogin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"renewal": "status"})
		u := m.addUser("Everyone")
		auth := issued(m.mustLogin(nil))
		u.SetLogin("Mia.Ito@Acme.Test")
		m.renewed(auth)
	})
}

// TestTokensMoveToStatus: a token with a password loses it at its first renewal by status.
// One of the builtin method names no account, and gives the password a last time to find
// out whose it is, without any factor.
func TestTokensMoveToStatus(t *testing.T) {
	for _, row := range []struct {
		name   string
		source string
		asks   int // for a password
	}{{"of the plugin", sourceLogin, 0}, {"of the builtin method", sourceTyped, 1}} {
		t.Run(row.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"alias_source": row.source})
				u := m.addUser("Everyone")
				auth := issued(m.mustLogin(nil))
				assert.Equal(t, testPassword, auth.InternalData["password"])
				push := u.AddPush("SUCCESS")
				m.write("config", fields{"renewal": "status"})

				m.okta.Reset()
				auth = m.renewed(auth)
				assert.Equal(t, fields{"password": ""}, auth.InternalData)
				assert.Equal(t, u.ID, auth.Metadata["okta_id"])
				assert.Equal(t, testLogin, auth.Metadata["okta_login"])
				assert.Equal(t, row.asks, m.authnCalls())
				m.renewed(auth)
				assert.Equal(t, row.asks, m.authnCalls())
				assert.Zero(t, push.Pushes())
				assert.Zero(t, m.okta.OpenTransactions())

				m.write("config", fields{"renewal": "login"})
				assert.Equal(t, "this token cannot be renewed: log in again. No password is kept with it to renew it by. "+
					"Your Vault administrator can set renewal=status, which renews without a password or a factor", m.notRenewed(auth))
			})
		})
	}
}

// TestTokenOfTheBuiltinDoesNotMove with a password that is not right any more, or without
// one.
func TestTokenOfTheBuiltinDoesNotMove(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"renewal": "status"})
		u := m.addUser("Everyone")
		auth := &logical.Auth{
			Metadata:      map[string]string{"username": testLogin},
			InternalData:  map[string]any{"password": testPassword},
			TokenPolicies: []string{"default"},
		}
		u.SetPassword("another")
		assert.Contains(t, m.notRenewed(auth), "(E0000004)")
		auth.InternalData = nil
		assert.Equal(t, "this token cannot be renewed: log in again. It does not tell which Okta account to ask about", m.notRenewed(auth))
	})
}

// TestRenewalNever: a mount that renews no tokens keeps no password, and tells clients so.
func TestRenewalNever(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		before := issued(m.mustLogin(nil))
		m.write("config", fields{"renewal": "never"})
		auth := m.mustLogin(nil)
		assert.False(t, auth.Renewable)
		assert.Empty(t, auth.InternalData)
		m.okta.Reset()
		assert.Equal(t, "this token cannot be renewed: log in again. This mount renews no tokens (renewal=never)", m.notRenewed(before))
		assert.Empty(t, m.okta.Requests())
	})
}
