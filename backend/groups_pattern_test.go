package backend

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
)

// TestGroupPatterns: a pattern gives its policies to each group that it matches and that
// has no entry of its own.
func TestGroupPatterns(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		mia := m.addUser()
		m.write("groups/Vault-*", fields{"policies": "vault", "pattern": true})
		m.write("groups/*-emea", fields{"policies": "emea", "pattern": true})
		m.write("groups/vault-admin", fields{"policies": "admin"})
		m.write("groups/team/[a-c]?", fields{"policies": "team", "pattern": true})
		m.write(`groups/\**`, fields{"policies": "star", "pattern": true})
		m.write("groups/no*", fields{"policies": "never"}) // which is a name
		assert.Equal(t, true, m.read("groups/vault-*")["pattern"])
		resp, _, _ := m.do(logical.ListOperation, "groups/", nil)
		assert.Contains(t, toStrings(resp.Data["keys"]), "vault-*")
		check := func(want string, groups ...string) {
			t.Helper()
			mia.SetGroups(groups...)
			auth := m.mustLogin(nil)
			assert.Equal(t, want, strings.Join(auth.Policies, " "), "%q", groups)
			assert.Equal(t, slices.DeleteFunc(groups, func(name string) bool { return !sameInLower(name) }), aliasNames(auth))
		}
		check("vault", "vault-dev", "VAULT-Ops")
		check("vault", "vault-a/b", "vault-")
		check("", "my vault-dev", "vault", "other")
		check("admin", "VAULT-admin")
		check("admin vault", "vault-admin", "vault-dev")
		check("emea vault", "vault-emea")
		check("team", "Team/B2", "teAm/A/")
		check("", "team/d2", "team/b", "team/b22", "no", "nobody")
		check("star", "*")
		check("vault", "vault-\u212a")
		m.start()
		check("vault", "vault-dev")

		mia.SetGroups()
		m.write("users/"+testLogin, fields{"groups": "vault-local"})
		assert.Equal(t, []string{"vault"}, m.mustLogin(nil).Policies, "of a group that the mount gives")
		m.write("users/"+testLogin, nil)

		// An entry that is another group's is no entry of its own.
		mia.SetGroups("vault-x")
		id := m.groupIDOf(mia, "vault-x", "OKTA_GROUP")
		m.write("groups/vault-x", fields{"policies": "x", "group_id": id})
		check("x", "vault-x")
		m.okta.RenameGroup("vault-x", "OKTA_GROUP", "vault-y")
		check("x", "vault-y")
		check("vault", "vault-x")

		// The builtin method drops the field. A patch takes it back.
		m.plant(groupPrefix+"*-emea", `{"Policies":["emea"]}`)
		check("", "team-emea")
		m.patch("groups/vault-*", fields{"pattern": nil})
		check("", "vault-dev")
		assert.JSONEq(t, `{"Policies":["vault"]}`, m.stored(groupPrefix+"vault-*"))
		m.write("groups/vault-*", fields{"pattern": true})
		check("vault", "vault-dev")
		m.do(logical.DeleteOperation, "groups/VAULT-*", nil)
		check("", "vault-dev")
		assert.NotContains(t, m.stored(groupNotesPrefix+patternNote), "vault")
	})
}

// TestPatternRequirementsAreFoundMoreCoarselyThanRights: what a pattern requires is
// required of groups that have an entry of their own, too, and of those that do not count.
func TestPatternRequirementsAreFoundMoreCoarselyThanRights(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"group_filter": "^vault-dev$"})
		mia := m.addUser("vault-admin")
		m.addTOTP("my_totp")
		m.write("groups/vault-*", fields{"mfa_methods": "my_totp", "pattern": true})
		m.write("groups/vault-admin", fields{"policies": "admin"})
		assert.Contains(t, m.refused(nil), "my_totp")
		mia.SetGroups("other")
		m.mustLogin(nil)
		m.write("users/"+testLogin, fields{"groups": "Vault-Local"})
		assert.Contains(t, m.refused(nil), "my_totp")
	})
}

// TestPatternsAreChecked: a pattern that makes no sense is refused with the field that is
// wrong, and nothing of it is stored.
func TestPatternsAreChecked(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		const id = "00g1a2b3c4d5e6f7g8h9"
		m.write("groups/bound*", fields{"group_id": id, "policies": "p"})
		m.write("groups/spread*", fields{"pattern": true, "policies": "p"})
		for _, row := range []struct {
			name, want string
			data       fields
		}{
			{"vault-[a", "name must be a pattern", fields{"pattern": true}},
			{"vault-*[]", "name must be a pattern", fields{"pattern": true}},
			{"*[b-a", "name must be a pattern", fields{"pattern": true}},
			{`vault-*\`, "name must be a pattern", fields{"pattern": true}},
			{"vault-dev", "pattern must not be set for a name without *, ? or [", fields{"pattern": true}},
			{"vault-*", "pattern must not be set for an entry with a group_id", fields{"pattern": true, "group_id": id}},
			{"bound*", "pattern must not be set for an entry with a group_id", fields{"pattern": true}},
			{"spread*", "pattern must not be set for an entry with a group_id", fields{"group_id": id}},
			{"vault-*", `"pattern"`, fields{"pattern": "perhaps"}},
		} {
			row.data["policies"] = "q"
			before := m.storedAll()
			_, status, text := m.do(logical.UpdateOperation, "groups/"+row.name, row.data)
			assert.Equal(t, http.StatusBadRequest, status, row.name)
			assert.Contains(t, text, row.want)
			assert.Equal(t, before, m.storedAll())
		}
		for _, row := range []struct {
			data fields
			want string
		}{{fields{"pattern": true}, fmt.Sprint([]string{patternWarning})}, {fields{"pattern": nil, "policies": "p"}, "[]"}, {fields{"policies": "p"}, "[]"}} {
			warnings := []string{}
			if resp := m.write("groups/spread*", row.data); resp != nil {
				warnings = resp.Warnings
			}
			assert.Equal(t, row.want, fmt.Sprint(warnings), row.data)
			assert.Equal(t, "true [p]", fmt.Sprint(m.read("groups/spread*")["pattern"], " ", m.read("groups/spread*")["policies"]))
		}
		assert.Nil(t, m.write("groups/spread*", fields{"pattern": false}))
		assert.NotContains(t, m.read("groups/spread*"), "pattern")
	})
}
