package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// oddNames are names of users and groups that tools and people use.
var oddNames = []string{
	"a", "fred@example.com", "mia+vault@acme.test", "with a space", "dom/ain", "a/b/c",
	"zoë", "group Ü", "名前", "100%", "semi;colon", "q?uestion", "ha#sh", "quo\"te", "back\\slash",
}

func TestUsers(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	require.Empty(t, m.list("users"))
	require.Equal(t, http.StatusNotFound, m.read("users/nobody").Status)

	m.mustWrite("users/fred", object{"groups": "b,a, C ", "policies": []string{"P2", "p1"}})
	require.Equal(t, object{"groups": []any{"b", "a", "C"}, "policies": []any{"P2", "p1"}}, m.mustRead("users/fred"))
	require.Equal(t, []any{"fred"}, m.list("users"))

	require.NoError(t, m.delete("users/fred").Err())
	require.NoError(t, m.delete("users/fred").Err(), "deleting what is not there succeeds")
	require.Equal(t, http.StatusNotFound, m.read("users/fred").Status)
	require.Empty(t, m.list("users"))
}

func TestUsersWithOddNames(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	for _, name := range oddNames {
		m.mustWrite("users/"+name, object{"policies": name})
	}
	for _, name := range oddNames {
		require.Equal(t, []any{name}, m.mustRead("users/" + name)["policies"], name)
	}
	for _, name := range oddNames {
		require.NoError(t, m.delete("users/"+name).Err(), name)
		require.Equal(t, http.StatusNotFound, m.read("users/"+name).Status, name)
	}
	require.Empty(t, m.list("users"))
}

// Terraform reads every name that a list has, and cannot do with null lists.
func TestWhatIsListedCanBeRead(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	for _, name := range oddNames {
		m.mustWrite("users/"+name, object{})
		m.mustWrite("groups/"+name, json.RawMessage(`{"policies":null}`))
	}
	for _, kind := range []string{"users", "groups"} {
		keys := m.list(kind)
		require.NotEmpty(t, keys)
		for _, key := range keys {
			got := m.mustRead(kind + "/" + key.(string))
			require.IsType(t, []any{}, got["policies"], "%s %s", kind, key)
			if kind == "users" {
				require.IsType(t, []any{}, got["groups"], key)
			}
		}
	}
}

func TestGroupsAreLookedUpWithoutCase(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("groups/Scientists", object{"policies": " P2 ,p1,P1,p2"})
	require.Equal(t, []any{"scientists"}, m.list("groups"), "a new group is stored in lower case")
	require.Equal(t, object{"policies": []any{"p1", "p2"}}, m.mustRead("groups/sCIENTISTS"), "normalised as Vault does")

	m.mustWrite("groups/SCIENTISTS", object{"policies": []string{"p3"}})
	require.Equal(t, []any{"scientists"}, m.list("groups"))
	require.Equal(t, []any{"p3"}, m.mustRead("groups/scientists")["policies"])

	require.NoError(t, m.delete("groups/ScientistS").Err())
	require.NoError(t, m.delete("groups/ScientistS").Err())
	require.Equal(t, http.StatusNotFound, m.read("groups/scientists").Status)
	require.Empty(t, m.list("groups"))
}

func TestGroupsWithOddNames(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test", oddNames...)
	for _, name := range oddNames {
		m.mustWrite("groups/"+name, object{"policies": "in " + name})
	}
	got, _ := policies(m.mustLogin(u)).([]any)
	for _, name := range oddNames {
		require.Contains(t, got, "in "+strings.ToLower(name))
	}
	for _, name := range oddNames {
		require.NoError(t, m.delete("groups/"+name).Err(), name)
	}
	require.Empty(t, m.list("groups"))
}

// hvac repeats the name in the body, and sends bodies with GET and DELETE.
func TestEntriesTakeWhatClientsSendBesides(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("users/fred", object{"username": "fred", "groups": nil, "policies": "p"})
	body := object{"username": "fred", "name": "fred"}
	a := m.do(http.MethodGet, m.full("users/fred"), body)
	require.NoError(t, a.Err())
	require.Equal(t, []any{"p"}, a.Data()["policies"])
	require.NoError(t, m.do(http.MethodDelete, m.full("users/fred"), body).Err())
	require.Equal(t, http.StatusNotFound, m.read("users/fred").Status)
}

// Names that would lead elsewhere do not: Vault refuses or cleans them, and
// nothing outside users and groups changes.
func TestNamesDoNotEscape(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	before := m.mustRead("config")
	for _, path := range []string{"users/../config", "users/../../okta/config", "groups/a/../../config", "users/..", "login/../config"} {
		a := m.send(harness.Request{
			Method: http.MethodPost, Path: m.full(path), Token: m.vault.RootToken,
			Body: object{"policies": "p", "password": secret()},
		})
		require.NotEqual(t, http.StatusOK, a.Status, path)
		require.NotEqual(t, http.StatusNoContent, a.Status, path)
	}
	require.Equal(t, before, m.mustRead("config"))
	require.Empty(t, m.list("users"))
	require.Empty(t, m.list("groups"))
}
