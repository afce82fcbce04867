package backend

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// spellings are names that Okta takes for jose.ruiz@acme.test, whose login has a mark
// and capitals: by case, by marks composed and not, and short.
func spellings() []string {
	names := []string{"José.Ruiz@acme.test", "josé.ruiz@acme.test", "JOSÉ.RUIZ@ACME.TEST", "jose.ruiz@acme.test", "JOSE.RUIZ@acme.test",
		"jöse.ruíz@acme.test", "José.Ruiz", "jose.ruiz", "JOSE.RUIZ", "josè.rüiz"}
	for _, name := range names[:10] {
		names = append(names, norm.NFD.String(name))
	}
	return names
}

const joseLogin = "José.Ruiz@acme.test"

func (m *mount) loginAs(name string, more fields) (*logical.Response, int, string) {
	m.t.Helper()
	data := fields{"password": testPassword}
	for k, v := range more {
		data[k] = v
	}
	return m.do(logical.UpdateOperation, "login/"+name, data)
}

// TestOnePersonIsOneIdentity: however a person spells their name, the token is theirs.
func TestOnePersonIsOneIdentity(t *testing.T) {
	for _, source := range []string{sourceLogin, sourceOktaID, sourceTyped} {
		t.Run(source, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"alias_source": source})
				jose := m.okta.AddUser(joseLogin, testPassword)
				for _, typed := range spellings() {
					resp, status, text := m.loginAs(typed, nil)
					require.Equal(t, http.StatusOK, status, "%s: %s", typed, text)
					auth := resp.Auth
					switch source {
					case sourceTyped: // exactly as the builtin method does it
						assert.Equal(t, typed, auth.Alias.Name)
						assert.Equal(t, typed, auth.DisplayName)
						assert.Equal(t, map[string]string{"username": typed, "policies": ""}, auth.Metadata)
						continue
					case sourceLogin:
						assert.Equal(t, "josé.ruiz@acme.test", auth.Alias.Name)
					case sourceOktaID:
						assert.Equal(t, jose.ID, auth.Alias.Name)
					}
					assert.Equal(t, "josé.ruiz@acme.test", auth.DisplayName)
					assert.Equal(t, map[string]string{"username": "josé.ruiz@acme.test", "okta_id": jose.ID, "okta_login": joseLogin, "policies": ""}, auth.Metadata)

					ahead, status, text := m.do(logical.AliasLookaheadOperation, "login/"+typed, nil)
					require.Equal(t, http.StatusOK, status, text)
					assert.Equal(t, auth.Alias.Name, ahead.Auth.Alias.Name, "a lookahead of somebody who has logged in")
				}
			})
		})
	}
}

// TestAliasLookaheadAfterAHeldLogin: a lookahead knows whoever has logged in, in
// whatever way.
func TestAliasLookaheadAfterAHeldLogin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.okta.AddUser(joseLogin, testPassword)
		resp, status, text := m.loginAs("jose.ruiz", fields{"wait": false})
		require.Equal(t, http.StatusOK, status, text)
		require.NotNil(t, resp.Auth)
		ahead, _, _ := m.do(logical.AliasLookaheadOperation, "login/jose.ruiz", nil)
		assert.Equal(t, resp.Auth.Alias.Name, ahead.Auth.Alias.Name)
	})
}

// TestAliasIsOnePersons: a login that only looks like another one has an alias of its
// own, as it has an entry of users of its own.
func TestAliasIsOnePersons(t *testing.T) {
	for login, own := range map[string]bool{
		"\u212aim@acme.test":  false, // the Kelvin sign, of which Vault makes a k
		"\u0130da@acme.test":  false, // I with a dot
		"kim\u037e@acme.test": true,  // the Greek question mark
		"kim@acme.test":       true,
	} {
		t.Run(login, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				u := m.okta.AddUser(login, testPassword)
				resp, status, text := m.loginAs(login, nil)
				require.Equal(t, http.StatusOK, status, text)
				alias := u.ID
				if own {
					alias = login
				}
				assert.Equal(t, alias, resp.Auth.Alias.Name)
				_, status, text = m.renew(resp.Auth)
				assert.Equal(t, http.StatusOK, status, text)
			})
		})
	}
	assert.Equal(t, "jos\u00e9@acme.test", canonicalLogin(norm.NFD.String("JOS\u00c9@ACME.test")))
	assert.Equal(t, "stra\u00dfe@acme.test", canonicalLogin("Stra\u1e9ee@acme.test"))
}

// TestAliasSourceOfAMount: a mount that this plugin configures first knows people by
// their login; a configuration that was stored without the field goes on as it was, and
// says so at every read and write until somebody decides.
func TestAliasSourceOfAMount(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		assert.Nil(t, m.write("config", fields{"org_name": "acme", "api_token": "00x"}))
		assert.Equal(t, "login", m.inForce("config")["alias_source"])
		assert.Nil(t, m.write("config", fields{"org_name": "acme"}))
		m.write("config", fields{"alias_source": "TYPED"})
		assert.Equal(t, "typed", m.inForce("config")["alias_source"])
		_, status, text := m.do(logical.UpdateOperation, "config", fields{"alias_source": "email"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, `alias_source must be "login", "okta_id" or "typed"`)

		m.plant("config", `{"organization":"acme","token":"00x","base_url":""}`)
		resp, _, _ := m.do(logical.ReadOperation, "config", nil)
		assert.NotContains(t, resp.Data, "alias_source", "nobody has set it")
		assert.Equal(t, []string{typedWarning}, resp.Warnings)
		resp = m.write("config", fields{"token_ttl": "1h"})
		require.NotNil(t, resp)
		assert.Equal(t, []string{typedWarning}, resp.Warnings)
		assert.Equal(t, "typed", m.inForce("config")["alias_source"])
		assert.NotContains(t, m.stored("config"), "alias_source", "nothing is decided for the operator")
		assert.Nil(t, m.write("config", fields{"alias_source": "login"}))
	})
}

// TestUserEntryIsOnePersons: an entry gives nothing to somebody whom Okta only calls
// by the same short name, or whose login differs by a mark.
func TestUserEntryIsOnePersons(t *testing.T) {
	for _, row := range []struct {
		entry, typed, login, domain string
		applies                     bool
	}{
		{"mia.ito@acme.test", "mia.ito", "mia.ito@acme.test", "", true},
		{"MIA.ITO@acme.test", "mia.ito", "mia.ito@acme.test", "", true},
		{"mia.ito", "mia.ito", "mia.ito@acme.test", "", false},
		{"mia.ito", "mia.ito", "mia.ito@acme.test", "acme.test", true},
		{"Mia.Ito", "MIA.ITO@acme.test", "mia.ito@acme.test", "acme.test", true},
		{"mia.ito", "mia.ito", "mia.ito", "", true},
		{"mia.ito", "mia.ito", "mia.ito", "acme.test", false}, // the colleague whose whole login that is
		{"mia.ito", "mia.ito", "mia.ito@other.test", "acme.test", false},
		{"josé@acme.test", "jose", "jose@acme.test", "", false},
		{"jose@acme.test", "josé@acme.test", "josé@acme.test", "", false},
		{norm.NFD.String("josé@acme.test"), "jose", "josé@acme.test", "", true},
		{"\u212aim@acme.test", "kim", "kim@acme.test", "", false}, // the Kelvin sign
	} {
		t.Run(row.entry+" for "+row.login+" at "+row.domain, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"login_domain": row.domain})
				m.okta.AddUser(row.login, testPassword)
				m.write("users/"+row.entry, fields{"policies": "admin"})
				resp, status, text := m.loginAs(row.typed, nil)
				require.Equal(t, http.StatusOK, status, text)
				assert.Equal(t, row.applies, len(resp.Auth.Policies) == 1, resp.Auth.Policies)
			})
		})
	}
}

// TestUserEntryIsBoundByAWriteOfItsOwn: a write of okta_id alone takes nothing away, and
// a client that sends null for fields that it does not know does not unbind an entry,
// which would then be that of whoever has the name.
func TestUserEntryIsBoundByAWriteOfItsOwn(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		mia := m.addUser()
		m.write("users/"+testLogin, fields{"policies": "admin", "groups": "Ops"})
		m.write("users/"+testLogin, fields{"okta_id": mia.ID})
		user := m.read("users/" + testLogin)
		assert.Equal(t, "[admin] [Ops] "+mia.ID, fmt.Sprint(user["policies"], user["groups"], " ", user["okta_id"]))
		m.write("users/"+testLogin, fields{"policies": "admin", "okta_id": nil})
		assert.Equal(t, mia.ID, m.read("users/" + testLogin)["okta_id"])
		m.write("config", fields{"login_domain": "acme.test"})
		m.write("config", fields{"login_domain": nil})
		assert.Equal(t, "acme.test", m.read("config")["login_domain"])
	})
}

// TestBoundEntryWarns: who binds an entry learns at the write that the builtin method
// does not keep the binding.
func TestBoundEntryWarns(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for _, row := range []struct {
			data fields
			want []string
		}{
			{fields{"okta_id": "00u1"}, []string{boundWarning}},
			{fields{"okta_id": nil}, nil},
			{fields{}, nil}, // which leaves the binding as it is
			{fields{"okta_id": ""}, nil},
			{fields{"okta_id": "  "}, nil},
		} {
			row.data["policies"] = "admin"
			resp, status, text := m.do(logical.UpdateOperation, "users/boss", row.data)
			require.Equal(t, http.StatusOK, status, text)
			var warnings []string
			if resp != nil {
				warnings = resp.Warnings
			}
			assert.Equal(t, row.want, warnings, row.data)
		}
		m.createMethod("totp", fields{"method_name": "my_totp", "issuer": "Acme"})
		resp, _, _ := m.do(logical.UpdateOperation, "users/boss", fields{"okta_id": "00u1", "mfa_methods": "my_totp"})
		assert.Equal(t, []string{requiredWarning, boundWarning}, resp.Warnings)
	})
}

// TestUserEntryByOktaID: an entry with an okta_id is that account's, whatever becomes
// of names; and it is nobody's else.
func TestUserEntryByOktaID(t *testing.T) {
	for _, source := range []string{sourceLogin, sourceOktaID, sourceTyped} {
		t.Run(source, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"alias_source": source})
				mia := m.addUser()
				m.okta.AddUser("eve@acme.test", testPassword)
				has := func(name string) bool {
					resp, status, text := m.loginAs(name, nil)
					require.Equal(t, http.StatusOK, status, text)
					return len(resp.Auth.Policies) > 0
				}
				m.write("users/the boss", fields{"policies": "admin", "okta_id": mia.ID})
				m.write("users/eve@acme.test", fields{"policies": "other", "okta_id": mia.ID})
				assert.Equal(t, mia.ID, m.read("users/the boss")["okta_id"])
				assert.True(t, has(testLogin))
				assert.False(t, has("eve@acme.test"), "her name, but not her entry")
				m.start()
				assert.True(t, has(testLogin), "after a restart, too")
				m.write("users/the boss", fields{"policies": "admin", "okta_id": ""})
				m.do(logical.DeleteOperation, "users/eve@acme.test", nil)
				assert.False(t, has(testLogin))
				keys, err := m.storage.List(t.Context(), userNotesPrefix)
				require.NoError(t, err)
				assert.Empty(t, keys, "nothing is left behind")

				m.write("users/the boss", fields{"okta_id": mia.ID})
				m.plant("user/the boss", "") // a deletion that got no further
				m.start()
				m.do(logical.DeleteOperation, "users/the boss", nil)
				keys, err = m.storage.List(t.Context(), userNotesPrefix)
				require.NoError(t, err)
				assert.Empty(t, keys, "what a deletion has left, the next one deletes")
				_, status, text := m.do(logical.UpdateOperation, "users/x", fields{"okta_id": "00u/1"})
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, text, "okta_id must be Okta's id")
			})
		})
	}
}

// TestRequirementsAreFoundMoreCoarselyThanRights: in every mode, an entry whose name
// is any spelling of the person's counts for what it requires, though not for what it
// gives.
func TestRequirementsAreFoundMoreCoarselyThanRights(t *testing.T) {
	for _, source := range []string{sourceLogin, sourceOktaID, sourceTyped} {
		t.Run(source, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"alias_source": source})
				jose := m.okta.AddUser(joseLogin, testPassword)
				m.addTOTP("my_totp")
				for _, entry := range []string{"jose.ruiz@acme.test", "JOSE.RUIZ", "jose.ruiz", norm.NFD.String("josé.ruiz"), "jöse.ruiz@ACME.test"} {
					m.write("users/"+entry, fields{"mfa_methods": "my_totp", "policies": "never"})
					for _, typed := range spellings() {
						_, status, text := m.loginAs(typed, nil)
						assert.Equal(t, http.StatusBadRequest, status, "%s as %s", entry, typed)
						assert.Contains(t, text, "my_totp")
					}
					m.do(logical.DeleteOperation, "users/"+entry, nil)
				}
				m.write("users/somebody", fields{"mfa_methods": "my_totp", "okta_id": jose.ID})
				_, status, text := m.loginAs("jose.ruiz", nil)
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, text, "my_totp")
				m.do(logical.DeleteOperation, "users/somebody", nil)

				// Groups that an older version stored in several cases: what all require.
				jose.SetGroups("Admins")
				m.write("groups/admins", fields{"policies": "p"})
				m.plant("group/ADMINS", `{"Policies":["q"],"mfa_methods":["my_totp"]}`)
				m.start()
				_, status, text = m.loginAs("jose.ruiz", nil)
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, text, "my_totp")
			})
		})
	}
}

// TestRenewalIsThePersons: a token is not renewed for another account that has taken
// its name.
func TestRenewalIsThePersons(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"alias_source": "okta_id", "token_period": "1h"})
		m.addUser("Everyone")
		auth := m.mustLogin(nil)
		_, status, text := m.renew(auth)
		require.Equal(t, http.StatusOK, status, text)
		auth.Metadata[oktaIDKey] = "00u9another"
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "another account's at Okta")
	})
}

// TestAliasReport: what a move to alias_source=login would change is seen before.
func TestAliasReport(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"alias_source": "typed"})
		jose := m.okta.AddUser(joseLogin, testPassword)
		for _, name := range []string{"mia", "eve@acme.test", "EVE@acme.test", "tom@acme.test"} {
			m.write("users/"+name, fields{"policies": "p"})
		}
		m.write("users/boss", fields{"policies": "p", "okta_id": jose.ID})
		before := m.storedAll()
		resp, status, text := m.do(logical.ListOperation, "config/aliases", fields{"username": "JOSE.RUIZ"})
		require.Equal(t, http.StatusOK, status, text)
		assert.ElementsMatch(t, []string{"mia", "eve@acme.test", "EVE@acme.test"}, resp.Data["keys"])
		assert.Equal(t, "typed", resp.Data["alias_source"])
		assert.EqualValues(t, map[string]any{"login": "josé.ruiz@acme.test", "okta_id": jose.ID, "typed": "JOSE.RUIZ"}, resp.Data["aliases"])
		assert.Equal(t, before, m.storedAll(), "a report changes nothing")

		m.write("config", fields{"login_domain": "acme.test"})
		resp, _, _ = m.do(logical.ListOperation, "config/aliases", nil)
		assert.ElementsMatch(t, []string{"eve@acme.test", "EVE@acme.test"}, resp.Data["keys"])
		assert.NotContains(t, resp.Data, "aliases")
		_, status, text = m.do(logical.ListOperation, "config/aliases", fields{"username": "nobody"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "username does not exist at Okta")
	})
}

// storedAll is the whole storage of the mount.
func (m *mount) storedAll() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	keys, err := logical.CollectKeys(m.t.Context(), m.storage)
	require.NoError(m.t, err)
	for _, key := range keys {
		entry, err := m.storage.Get(m.t.Context(), key)
		require.NoError(m.t, err)
		all[key] = string(entry.Value)
	}
	return all
}
