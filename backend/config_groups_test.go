package backend

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// groupIDOf is Okta's id of a group of a user.
func (m *mount) groupIDOf(u *oktatest.User, name, kind string) string {
	m.t.Helper()
	client, err := m.inner.client(m.t.Context(), m.storage, &configEntry{Organization: "acme", BaseURL: m.okta.URL, Token: m.okta.Token})
	require.NoError(m.t, err)
	groups, err := client.Groups(m.t.Context(), u.ID)
	require.NoError(m.t, err)
	for _, g := range groups {
		if g.Name == name && g.Type == kind {
			return g.ID
		}
	}
	m.t.Fatalf("the user is not in %s", name)
	return ""
}

const notAMember = "this mount lets in only members of certain groups, and you are in none of them"

// TestRequiredGroups: without one of the groups nobody logs in or renews, whatever else
// the mount gives them; a name counts in any case and an id for one group alone.
func TestRequiredGroups(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"required_groups": "Vault Users, ops", "token_policies": "everybody"})
		assert.Equal(t, []string{"Vault Users", "ops"}, toStrings(m.read("config")["required_groups"]))
		mia := m.addUser("Scientists")
		m.write("groups/scientists", fields{"policies": "science"})
		assert.Contains(t, m.refused(nil), notAMember)

		mia.SetGroups("Scientists", "VAULT users")
		auth := m.mustLogin(nil)
		assert.Equal(t, []string{"everybody", "science"}, auth.Policies)
		_, status, text := m.renew(issued(auth))
		require.Equal(t, http.StatusOK, status, text)
		mia.SetGroups("Scientists")
		_, status, text = m.renew(issued(auth))
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, notAMember)

		// A group that the mount gives counts, too, and it does without an API token.
		m.write("users/"+testLogin, fields{"groups": "OPS"})
		m.mustLogin(nil)
		m.write("config", fields{"api_token": ""})
		m.mustLogin(nil)
		m.write("users/"+testLogin, fields{"policies": "p"})
		assert.Contains(t, m.refused(nil), notAMember)
		m.configure(nil)

		// Another group of the same name has another id. A name that is an id is no id.
		mia.AddGroup("wheel", "OKTA_GROUP")
		id := m.groupIDOf(mia, "wheel", "OKTA_GROUP")
		m.write("config", fields{"required_groups": []string{id}})
		m.mustLogin(nil)
		mia.SetGroups(id)
		mia.AddGroup("wheel", "APP_GROUP")
		assert.Contains(t, m.refused(nil), notAMember)

		m.write("config", fields{"required_groups": nil})
		assert.Contains(t, m.refused(nil), notAMember, "a null lets nobody in who was shut out")
		m.write("config", fields{"required_groups": ""})
		m.mustLogin(nil)
		assert.NotContains(t, m.stored("config"), "required_groups")
	})
}

// TestRequiredGroupsAreAskedForFirst: whoever is in none of them is asked for no factor,
// and no transaction of theirs stays open.
func TestRequiredGroupsAreAskedForFirst(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"required_groups": "ops"})
		mia := m.addUser("Scientists")
		phone := mia.AddPush("SUCCESS")
		for _, more := range []fields{nil, {"wait": false}, {"totp": "123456"}} {
			assert.Contains(t, m.refused(more), notAMember)
		}
		assert.Zero(t, phone.Pushes())
		assert.Zero(t, mia.WrongPassCodes())
		assert.Equal(t, 3, m.calls("cancel"))

		// Who is in one has the groups read once, and they decide at the end, too.
		mia.SetGroups("ops")
		m.okta.Reset()
		m.mustLogin(nil)
		assert.Equal(t, 1, strings.Count(m.order(), "groups"))
		assert.Equal(t, 1, phone.Pushes())

		// Groups that cannot be read before the factor are read after it.
		phone.SetScript("SUCCESS")
		m.okta.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error").Times(1))
		m.mustLogin(nil)
		mia.SetGroups()
		phone.SetScript("SUCCESS")
		m.okta.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error").Times(1))
		assert.Contains(t, m.refused(nil), notAMember)
	})
}

// TestRequiredGroupsOfToday: what is required while a login waits for its phone counts.
func TestRequiredGroupsOfToday(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		phone := m.addUser("Scientists").AddPush()
		step := m.clock.hold(t)
		done := m.waiting(phone, m.from(callerIP, nil, nil))
		m.write("config", fields{"required_groups": "ops"})
		phone.Approve()
		step()
		o := m.finished(done)
		assert.Equal(t, http.StatusBadRequest, o.status)
		assert.Contains(t, o.text, notAMember)
	})
}

// TestGroupSettingsAreChecked: what makes no sense is refused with its field, and nothing
// of it is stored.
func TestGroupSettingsAreChecked(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"required_groups": "ops"})
		for _, bad := range []fields{
			{"required_groups": []string{"ops", " "}},
			{"required_groups": []string{"a\nb"}},
			{"group_types": []string{"OKTA_GROUP", ""}},
			{"group_types": "IMPORTED"},
			{"group_filter": "^(vault-"},
			{"group_filter": "(?<!x)vault"},
			{"group_filter": strings.Repeat("x", maxGroupFilter+1)},
			{"required_groups": []string{strings.Repeat("x", maxName+1)}},
		} {
			_, status, text := m.do(logical.UpdateOperation, "config", bad)
			assert.Equal(t, http.StatusBadRequest, status)
			for field := range bad {
				assert.Contains(t, text, field+" must ")
			}
		}
		var many []string
		for i := range maxRequiredGroups + 1 {
			many = append(many, strings.Repeat("x", i+1))
		}
		_, status, text := m.do(logical.UpdateOperation, "config", fields{"required_groups": many})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "required_groups must not hold more than 100 groups")
		assert.Equal(t, []string{"ops"}, toStrings(m.read("config")["required_groups"]))
	})
}

// TestGroupSettingsAreLostAtTheBuiltin: a write that sets one says what the builtin method
// would make of it.
func TestGroupSettingsAreLostAtTheBuiltin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for field, value := range map[string]any{"required_groups": "ops", "group_types": "OKTA_GROUP", "group_filter": "^vault-"} {
			resp := m.write("config", fields{field: value})
			require.NotNil(t, resp, field)
			assert.Contains(t, strings.Join(resp.Warnings, "\n"), field+" is obeyed by this plugin only")
			assert.Nil(t, m.write("config", fields{"token_ttl": "1h"}), "a write that does not set it")
			assert.Nil(t, m.write("config", fields{field: ""}))
		}
	})
}

// TestGroupsThatCount: groups of other types and names give no policies, are no aliases
// and let nobody in, and what they require is required all the same.
func TestGroupsThatCount(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		mia := m.addUser("Everyone", "vault-dev", "sales")
		mia.AddGroup("vault-admin", "APP_GROUP")
		for _, name := range []string{"Everyone", "vault-dev", "sales", "vault-admin"} {
			m.write("groups/"+name, fields{"policies": "by-" + strings.ToLower(name)})
		}
		for _, tc := range []struct {
			set  fields
			want []string
		}{
			{nil, []string{"Everyone", "vault-dev", "sales", "vault-admin"}},
			{fields{"group_types": "okta_group"}, []string{"vault-dev", "sales"}},
			{fields{"group_types": "BUILT_IN,APP_GROUP"}, []string{"Everyone", "vault-admin"}},
			{fields{"group_filter": "^vault-"}, []string{"vault-dev", "vault-admin"}},
			{fields{"group_filter": "(?i)^VAULT-|^S"}, []string{"vault-dev", "sales", "vault-admin"}},
			{fields{"group_types": "OKTA_GROUP", "group_filter": "^vault-"}, []string{"vault-dev"}},
			{fields{"group_types": nil, "group_filter": nil}, []string{"vault-dev"}},
		} {
			if v, named := tc.set["group_types"]; !named || v != nil { // a null changes nothing
				m.write("config", fields{"group_types": "", "group_filter": ""})
			}
			m.write("config", tc.set)
			check := func() {
				t.Helper()
				auth := m.mustLogin(nil)
				assert.Equal(t, tc.want, aliasNames(auth), "%v", tc.set)
				var policies []string
				for _, name := range tc.want {
					policies = append(policies, "by-"+strings.ToLower(name))
				}
				assert.ElementsMatch(t, policies, auth.Policies, "%v", tc.set)
			}
			check()
			m.start() // which reads it from storage
			check()
		}

		m.write("config", fields{"required_groups": "sales"})
		assert.Contains(t, m.refused(nil), notAMember)
		m.write("config", fields{"required_groups": "vault-dev"})
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "mine"})
		m.write("groups/sales", fields{"mfa_methods": "mine"})
		assert.Contains(t, m.refused(nil), "mine")
		m.write("groups/sales", fields{"mfa_methods": ""})

		m.write("config", fields{"required_groups": "", "group_filter": "^nothing$"})
		resp, status, text := m.login(nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Empty(t, aliasNames(resp.Auth))
		assert.Equal(t, []string{noneCountsWarning}, resp.Warnings)

		// What another version has stored and this one cannot read lets no group count.
		m.plant("config", strings.Replace(m.stored("config"), "^nothing$", "^(", 1))
		assert.Empty(t, aliasNames(m.mustLogin(nil)))
	})
}
