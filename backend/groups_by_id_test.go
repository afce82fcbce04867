package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGroupEntryByID: an entry with a group_id is that group's, whatever either is called,
// and gives nothing to another group of its name.
func TestGroupEntryByID(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		mia := m.addUser("admins")
		id := m.groupIDOf(mia, "admins", "OKTA_GROUP")
		m.write("groups/admins", fields{"policies": "root-ish", "group_id": id})
		assert.Equal(t, id, m.read("groups/ADMINS")["group_id"])
		policies := func() []string { return m.mustLogin(nil).Policies }
		assert.Equal(t, []string{"root-ish"}, policies())

		mia.SetGroups()
		mia.AddGroup("admins", "APP_GROUP")
		assert.Empty(t, policies(), "imported, of the same name")
		m.write("users/"+testLogin, fields{"groups": "admins"})
		assert.Empty(t, policies(), "given by the mount, of the same name")
		m.write("groups/imported admins", fields{"policies": "some", "group_id": m.groupIDOf(mia, "admins", "APP_GROUP")})
		assert.Equal(t, []string{"some"}, policies(), "by its own id")
		m.do(logical.DeleteOperation, "users/"+testLogin, nil)

		mia.SetGroups("admins")
		assert.Equal(t, id, m.okta.RenameGroup("admins", "OKTA_GROUP", "Wheel"))
		assert.Equal(t, []string{"root-ish"}, policies(), "renamed")
		auth := issued(m.mustLogin(nil))
		assert.Contains(t, aliasNames(auth), "Wheel")
		_, status, text := m.renew(auth)
		assert.Equal(t, http.StatusOK, status, text)
		m.start()
		assert.Equal(t, []string{"root-ish"}, policies(), "after a restart, too")
		m.write("groups/wheel", fields{"policies": "by-name"})
		assert.Equal(t, []string{"by-name", "root-ish"}, policies(), "all that are the group's give")
		mia.SetGroups("admins")
		assert.NotEqual(t, id, m.groupIDOf(mia, "admins", "OKTA_GROUP"))
		assert.Empty(t, policies(), "a new group of the old name")

		mia.SetGroups("Wheel")
		m.write("groups/admins", fields{"group_id": strings.ToLower(id[:3]) + swapped(id[3:])})
		assert.Equal(t, []string{"by-name"}, policies(), "ids differ by case")
		m.write("groups/admins", fields{"group_id": id})
		m.plant(groupPrefix+"admins", `{"Policies":["builtins"]}`) // as the builtin method writes it
		assert.Equal(t, []string{"by-name"}, policies(), "a note alone gives nothing")
		mia.SetGroups("admins")
		assert.Equal(t, []string{"builtins"}, policies())
	})
}

// swapped is s with its cases swapped.
func swapped(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ToUpper(string(r)) == string(r) {
			return []rune(strings.ToLower(string(r)))[0]
		}
		return []rune(strings.ToUpper(string(r)))[0]
	}, s)
}

// TestGroupRequirementsAreFoundMoreCoarselyThanRights: what an entry with a group_id
// requires is required of that group and of every group of its name.
func TestGroupRequirementsAreFoundMoreCoarselyThanRights(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"group_filter": "^vault-"})
		mia := m.addUser("vault-admins")
		id := m.groupIDOf(mia, "vault-admins", "OKTA_GROUP")
		m.addTOTP("my_totp")
		m.write("groups/vault-admins", fields{"mfa_methods": "my_totp", "group_id": id})
		asked := func() { t.Helper(); assert.Contains(t, m.refused(nil), "my_totp") }
		asked()
		m.okta.RenameGroup("vault-admins", "OKTA_GROUP", "admins") // which does not count
		asked()
		mia.SetGroups()
		m.mustLogin(nil)
		mia.AddGroup("VAULT-admins", "APP_GROUP")
		asked()
		m.write("users/"+testLogin, fields{"groups": "vault-ADMINS"})
		mia.SetGroups()
		asked()
	})
}

// TestGroupIDIsBoundByAWriteOfItsOwn: a write of group_id alone takes nothing away, a null
// and a write without it unbind nothing, and a patch takes it back.
func TestGroupIDIsBoundByAWriteOfItsOwn(t *testing.T) {
	const id = "00g1a2b3c4d5e6f7g8h9"
	bothWays(t, func(t *testing.T, m *mount) {
		m.write("groups/Ops", fields{"policies": "p"})
		for _, row := range []struct {
			data fields
			warn bool
		}{{fields{"group_id": id}, true}, {fields{"group_id": nil, "policies": "p"}, false}, {fields{"policies": "p"}, false}} {
			resp := m.write("groups/ops", row.data)
			assert.Equal(t, row.warn, resp != nil && strings.Join(resp.Warnings, "\n") == boundGroupWarning, row.data)
			assert.Equal(t, "[p] "+id, fmt.Sprint(m.read("groups/ops")["policies"], " ", m.read("groups/ops")["group_id"]))
		}
		assert.JSONEq(t, `{"names":["ops"]}`, m.stored(groupNotesPrefix+id))
		for _, bad := range []string{"00u1a2b3c4d5e6f7g8h9", "00g1", "ops", id + "x", "00g/../../../config.x"} {
			_, status, text := m.do(logical.UpdateOperation, "groups/ops", fields{"group_id": bad, "policies": "q"})
			assert.Equal(t, http.StatusBadRequest, status, bad)
			assert.Contains(t, text, "group_id must be Okta's id of a group")
		}
		assert.Equal(t, []string{"p"}, toStrings(m.read("groups/ops")["policies"]))
		for _, way := range []func(){
			func() { m.patch("groups/OPS", fields{"group_id": nil}) },
			func() { m.write("groups/ops", fields{"group_id": " ", "policies": "p"}) },
		} {
			m.write("groups/ops", fields{"group_id": id})
			way()
			assert.NotContains(t, m.read("groups/ops"), "group_id")
			assert.Empty(t, m.below(groupNotesPrefix), "nothing is left behind")
			assert.JSONEq(t, `{"Policies":["p"]}`, m.stored(groupPrefix+"ops"))
		}
		m.write("groups/ops", fields{"group_id": id})
		m.plant(groupPrefix+"ops", "") // a deletion that got no further
		m.start()
		m.do(logical.DeleteOperation, "groups/Ops", nil)
		assert.Empty(t, m.below(groupNotesPrefix), "what a deletion has left, the next one deletes")
	})
}

// TestNotesAreBounded: one id is not that of any number of entries, and the write that is
// one too many changes nothing.
func TestNotesAreBounded(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for path, data := range map[string]fields{
			"users/":    {"okta_id": "00u1"},
			"groups/":   {"group_id": "00g1a2b3c4d5e6f7g8h9"},
			"groups/*-": {"pattern": true},
		} {
			for i := range maxNoted {
				m.write(fmt.Sprint(path, i), data)
			}
			m.write(path+"7", data)
			_, status, text := m.do(logical.UpdateOperation, path+"many", data)
			require.Equal(t, http.StatusBadRequest, status)
			for field, value := range data {
				assert.Contains(t, text, fmt.Sprintf("%s must not be %v in more than 100 entries", field, value))
			}
			assert.Nil(t, m.lookFor(path+"many"))
			m.do(logical.DeleteOperation, path+"7", nil)
			m.write(path+"many", data)
		}
	})
}
