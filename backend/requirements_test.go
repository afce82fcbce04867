package backend

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// A group that the mount gives to a user requires what it requires, however the
// user spells their name.
func TestRequirementByAGroupOfTheMount(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_policies": "base"})
		m.addUser("Scientists")
		app := m.addTOTP("my_totp")
		m.write("groups/contractors", fields{"mfa_methods": "my_totp"})
		m.write("users/"+testLogin, fields{"groups": "Contractors"})
		for _, typed := range []string{testLogin, strings.ToUpper(testLogin), "mia.ito"} {
			_, status, text := m.do(logical.UpdateOperation, "login/"+typed, fields{"password": testPassword})
			assert.Equal(t, http.StatusBadRequest, status, typed)
			assert.Contains(t, text, "my_totp (")
			_, status, text = m.do(logical.UpdateOperation, "login/"+typed, fields{"password": testPassword, "mfa": "my_totp:" + app.next()})
			assert.Equal(t, http.StatusOK, status, text)
		}
	})
}

// With no method left at all, what is required still cannot be satisfied.
func TestRequirementOutlivesAllMethods(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		m.addTOTP("my_totp")
		m.write("users/MIA.ITO", fields{"mfa_methods": "my_totp"})
		ids, err := m.storage.List(t.Context(), methodPrefix)
		require.NoError(t, err)
		m.plant(methodPrefix+ids[0], "")
		assert.Contains(t, m.refused(nil), "does not exist")
	})
}

// Who deletes an entry is told what is no longer required.
func TestRequirementGoesWithItsEntry(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		for _, path := range []string{"groups/a", "users/fred"} {
			m.write(path, fields{"mfa_methods": "my_totp"})
			resp, status, text := m.do(logical.DeleteOperation, path, nil)
			require.Equal(t, http.StatusOK, status, text)
			require.NotNil(t, resp)
			assert.Contains(t, strings.Join(resp.Warnings, ""), "my_totp is not required by it any more")
			m.write(path, fields{"policies": "p"})
			resp, _, _ = m.do(logical.DeleteOperation, path, nil)
			assert.Nil(t, resp)
		}
	})
}

// A renewal that is going to be refused makes no phone ring.
func TestRefusedRenewalRingsNobody(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		phone := m.addUser().AddPush("WAITING", "SUCCESS")
		auth := issued(m.mustLogin(nil))
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		for _, path := range []string{"config", "users/" + testLogin, "users/mia.ito"} {
			m.write(path, fields{"mfa_methods": "my_totp"})
			_, status, text := m.renew(auth)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, "now requires an MFA method")
			m.write(path, fields{"mfa_methods": ""})
		}
		assert.Equal(t, 1, phone.Pushes())
	})
}

// A service is told the address that the nearest trusted proxy wrote: those before
// it may be invented.
func TestServiceIsToldTheLastAddress(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withDuo(m, nil)
		m.write("config", fields{"trusted_proxies": gateway})
		headers := map[string][]string{"X-Forwarded-For": {"198.51.100.77, 203.0.113.9"}}
		for i, test := range []struct{ connection, told string }{{gateway, "203.0.113.9"}, {"10.9.9.9", "10.9.9.9"}} {
			u.Script(mfatest.DuoOutcome{Result: "allow", Status: "allow"})
			_, status, text := m.send(t.Context(), m.from(test.connection, headers, nil))
			require.Equal(t, http.StatusOK, status, text)
			assert.Equal(t, test.told, u.Preauths()[i].Get("ipaddr"))
			assert.Equal(t, test.told, u.PushParameters()[i].Get("ipaddr"))
		}
	})
}

// An entry that nothing here has stored is an operator's business: it is neither
// read nor told to the person as their fault.
func TestStoredMethodMakesNoSense(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		for typ := range methodSamples {
			id := m.createMethod(typ, methodSamples[typ].create)
			put := func(raw string) {
				m.plant(methodPrefix+id, raw)
			}
			m.write("config", fields{"mfa_methods": id})
			put(`{"id":"` + id + `","type":"` + typ + `"}`)
			_, status, _ := m.do(logical.ReadOperation, "mfa/method/"+typ+"/"+id, nil)
			assert.Equal(t, http.StatusInternalServerError, status, typ)
			assert.Contains(t, m.refused(nil), "cannot be read: tell your Vault administrator", typ)
			m.write("config", fields{"mfa_methods": ""})
		}
		id := m.createMethod("okta", nil)
		m.write("config", fields{"mfa_methods": id})
		m.plant(methodPrefix+id, `{"id":"`+id+`","type":"okta","username_format":"{{identity.entity.aliases.auth_old.name}}","okta":{}}`)
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.NotContains(t, text, "auth_old")
		assert.Contains(t, m.logs.String(), "auth_old")
	})
}

// Two URLs of one org are one org: a push of Okta's own challenge satisfies a method
// that reaches the org by its other name, and no phone rings twice.
func TestMethodByAnotherURLOfTheSameOrg(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("SUCCESS")
		other := strings.Replace(m.okta.URL, "127.0.0.1", "localhost", 1)
		m.createMethod("okta", fields{"method_name": "corp_okta", "org_name": "acme", "base_url": other, "api_token": m.okta.Token,
			"require_number_challenge": false})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		m.mustLogin(nil)
		assert.Equal(t, 1, push.Pushes(), "it is the same person's same phone")
		m.mustLogin(nil)
		assert.Equal(t, 2, m.okta.Count(http.MethodGet, "/.well-known/okta-organization"), "each URL is asked once")
	})
}

// The same holds where the orgs' ids cannot be read: the account has the same user id.
func TestMethodByAnotherURLWhereTheOrgsIDIsUnknown(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("SUCCESS")
		m.okta.Fail("organization", oktatest.HTML(http.StatusNotFound))
		other := strings.Replace(m.okta.URL, "127.0.0.1", "localhost", 1)
		m.createMethod("okta", fields{"method_name": "corp_okta", "org_name": "acme", "base_url": other, "api_token": m.okta.Token,
			"require_number_challenge": false})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		m.mustLogin(nil)
		assert.Equal(t, 1, push.Pushes(), "it is the same person's same phone")
	})
}
