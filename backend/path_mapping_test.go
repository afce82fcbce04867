package backend

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
)

// toStrings makes lists of both sides of the wire comparable; it fails the test
// on null.
func toStrings(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case []any:
		l := []string{}
		for _, s := range v {
			l = append(l, s.(string))
		}
		return l
	}
	return nil
}

func TestUsers(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, status, _ := m.do(logical.ReadOperation, "users/fred", nil)
		assert.Equal(t, http.StatusNotFound, status)
		_, status, _ = m.do(logical.ListOperation, "users/", nil)
		assert.Equal(t, http.StatusNotFound, status)

		m.write("users/fred", fields{"groups": "A, b", "policies": []string{"P1", "q"}})
		assert.Equal(t, `{"Groups":["A","b"],"Policies":["P1","q"]}`, strings.TrimSpace(m.stored("user/fred")))
		got := m.read("users/fred")
		assert.Equal(t, []string{"A", "b"}, toStrings(got["groups"]))
		assert.Equal(t, []string{"P1", "q"}, toStrings(got["policies"]))

		// A write replaces the entry, as the builtin method's does; null is none.
		m.write("users/fred", fields{"policies": nil, "username": "fred"})
		assert.Equal(t, `{"Groups":[],"Policies":[]}`, strings.TrimSpace(m.stored("user/fred")))
		got = m.read("users/fred")
		assert.Equal(t, []string{}, toStrings(got["groups"]), "a list, never null")
		assert.Equal(t, []string{}, toStrings(got["policies"]), "a list, never null")

		for _, op := range []string{"first", "second"} {
			_, status, text := m.do(logical.DeleteOperation, "users/fred", nil)
			assert.Equal(t, http.StatusOK, status, op+text)
		}
		assert.Empty(t, m.stored("user/fred"))
	})
}

func TestGroups(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.write("groups/Data Scientists", fields{"policies": "P1,p1, Q ,,"})
		assert.Equal(t, `{"Policies":["p1","q"]}`, strings.TrimSpace(m.stored("group/data scientists")), "new: in lower case")
		for _, name := range []string{"data scientists", "DATA SCIENTISTS", "Data Scientists"} {
			assert.Equal(t, []string{"p1", "q"}, toStrings(m.read("groups/" + name)["policies"]), name)
		}
		m.write("groups/DATA scientists", fields{"policies": []string{"r"}})
		assert.Equal(t, []string{"r"}, toStrings(m.read("groups/data scientists")["policies"]))

		// An entry that the builtin method stored in mixed case is the same group.
		m.plant("group/Admins", `{"Policies":null}`)
		assert.Equal(t, []string{}, toStrings(m.read("groups/ADMINS")["policies"]), "a list, never null")
		m.write("groups/admins", fields{"policies": "root-ish"})
		assert.Empty(t, m.stored("group/admins"), "updated under the stored name, not added beside it")
		resp, _, _ := m.do(logical.ListOperation, "groups/", nil)
		assert.Equal(t, []string{"Admins", "data scientists"}, toStrings(resp.Data["keys"]))
		_, status, _ := m.do(logical.DeleteOperation, "groups/aDMINS", nil)
		assert.Equal(t, http.StatusOK, status)
		_, status, _ = m.do(logical.ReadOperation, "groups/Admins", nil)
		assert.Equal(t, http.StatusNotFound, status)
		_, status, _ = m.do(logical.DeleteOperation, "groups/never", nil)
		assert.Equal(t, http.StatusOK, status)
	})
}

// Whatever is listed can be read under that name, and a listing is complete.
func TestNames(t *testing.T) {
	good := []string{"a/b", "a/b/c", "fred@example.com", "x+y", "Jürgen Groß", "日本", "dot.ted", "~", "%41", "a b", "'", `"`, "x,y"}
	bothWays(t, func(t *testing.T, m *mount) {
		for _, kind := range []string{"users/", "groups/"} {
			for _, name := range good {
				m.write(kind+name, fields{"policies": "p"})
				assert.Equal(t, []string{"p"}, toStrings(m.read(kind + name)["policies"]), name)
			}
			resp, status, text := m.do(logical.ListOperation, kind, nil)
			require.Equal(t, http.StatusOK, status, text)
			keys := toStrings(resp.Data["keys"])
			assert.Len(t, keys, len(good))
			for _, key := range keys {
				m.read(kind + key)
			}
		}
	})
}

func TestNamesInvalid(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		bad := []string{"../config", "a/../b", "..", "a..b", ".", "./a", "a/./b", "/a", "a//b", "a/", "a\x00b", "a\tb", "\xff", strings.Repeat("n", 1<<20)}
		for _, kind := range []string{"users/", "groups/"} {
			for _, name := range bad {
				for _, op := range []logical.Operation{logical.UpdateOperation, logical.ReadOperation, logical.DeleteOperation} {
					if name == "\xff" && m.grpc {
						continue // not a string that the plugin protocol carries
					}
					_, status, text := m.do(op, kind+name, fields{"policies": "p"})
					assert.Equal(t, http.StatusBadRequest, status, "%s %.20q", op, name)
					assert.Contains(t, text, "name ", "%s %.20q", op, name)
				}
			}
		}
		for _, prefix := range []string{userPrefix, groupPrefix} {
			keys, err := m.storage.List(t.Context(), prefix)
			require.NoError(t, err)
			assert.Empty(t, keys)
		}
	})
}

func TestMappingStorageFails(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for _, fail := range []func(){func() { m.storage.fail(true, true) }, func() { m.storage.fail(false, true) }} {
			m.storage.fail(false, false)
			m.write("users/fred", fields{"policies": "p"})
			m.write("groups/admins", fields{"policies": "p"})
			fail()
			for _, path := range []string{"users/fred", "groups/admins"} {
				_, status, _ := m.do(logical.UpdateOperation, path, fields{"policies": "q"})
				assert.Equal(t, http.StatusInternalServerError, status, path)
				_, status, _ = m.do(logical.DeleteOperation, path, nil)
				assert.Equal(t, http.StatusInternalServerError, status, path)
			}
		}
		m.storage.fail(true, false)
		for _, path := range []string{"users/", "groups/"} {
			_, status, _ := m.do(logical.ListOperation, path, nil)
			assert.Equal(t, http.StatusInternalServerError, status, path)
		}
	})
}

// A group whose name only looks like another's, or becomes it in lower case,
// neither gets nor overwrites the other's mapping.
func TestGroupsThatLookAlike(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.write("groups/it-admins", fields{"policies": "it"})
		m.write("groups/kube", fields{"policies": "kube"})
		m.write("groups/İT-Admins", fields{"policies": "other"})
		m.write("groups/\u212aube", fields{"policies": "kelvin"})
		assert.Equal(t, []string{"it"}, toStrings(m.read("groups/it-admins")["policies"]))
		assert.Equal(t, []string{"kube"}, toStrings(m.read("groups/kube")["policies"]))
		assert.Equal(t, []string{"other"}, toStrings(m.read("groups/İT-Admins")["policies"]))
		m.addUser("İT-Admins", "\u212aUBE")
		assert.Equal(t, []string{"other", "kelvin"}, m.mustLogin(nil).Policies)
	})
}

// Vault looks group aliases up in lower case. A group that becomes another one by that is
// no alias, in a login as in a renewal, and one that differs in case only stays one.
func TestGroupsThatLookAlikeAreNoAliases(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("İt-admins", "\u212aube", "ÄRZTE", "\u212bland", "kube", "Ops")
		auth := issued(m.mustLogin(nil))
		want := []string{"ÄRZTE", "\u212bland", "kube", "Ops"}
		assert.Equal(t, want, aliasNames(auth))
		assert.Contains(t, m.logs.String(), `event=group_lookalike group="İt-admins"`)
		resp, status, text := m.renew(auth)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, want, aliasNames(resp.Auth))
		for _, name := range want {
			assert.Equal(t, store.Fold(name), store.Fold(strings.ToLower(name)))
		}
	})
}

// The name that a new group is stored under is the group's own.
func FuzzLower(f *testing.F) {
	f.Add("Admins")
	f.Add("İT")
	f.Fuzz(func(t *testing.T, name string) {
		if stored := lower(name); utf8.ValidString(name) && store.Fold(stored) != store.Fold(name) {
			t.Errorf("%q is stored as %q, which is another group", name, stored)
		}
	})
}
