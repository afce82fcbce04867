package e2e

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// both makes a mount of the plugin and one of Vault's builtin method, for the same org.
func both(t *testing.T) []*mount {
	t.Helper()
	o := newOrg(t)
	mounts := []*mount{enableOn(t, suite.vault, o, pluginVersion), enableOn(t, suite.vault, o, suite.builtinVersion)}
	for _, m := range mounts {
		m.configure()
	}
	return mounts
}

// Tools compare lists with what they were.
func TestNamesAreListedAsByTheBuiltin(t *testing.T) {
	t.Parallel()
	mounts := both(t)
	for _, kind := range []string{"groups"} {
		var lists [][]any
		for _, m := range mounts {
			for _, name := range []string{"b/y", "a/x", "c", "a", "b/x/z", "a/w", "d/e/f/g", "d/e"} {
				m.mustWrite(kind+"/"+name, object{"policies": "p"})
			}
			lists = append(lists, m.list(kind))
		}
		require.Equal(t, lists[1], lists[0], kind)
	}
}

// The answers to a login and to reads have the same fields, with values of the same
// types.
func TestAnswersAreShapedAsTheBuiltins(t *testing.T) {
	t.Parallel()
	mounts := both(t)
	u := mounts[0].addUser("mia@acme.test", "Everyone")
	var logins, reads []object
	for _, m := range mounts {
		var answer object
		require.NoError(t, json.Unmarshal(m.mustLogin(u).Raw, &answer))
		logins = append(logins, answer)
		m.mustWrite("users/mia", object{"groups": "a", "policies": "p"})
		m.mustWrite("groups/a", object{"policies": "p"})
		reads = append(reads, object{"config": m.mustRead("config"), "user": m.mustRead("users/mia"), "group": m.mustRead("groups/a")})
	}
	require.Equal(t, object{}, logins[1]["data"])
	require.Equal(t, logins[1]["data"], logins[0]["data"])
	require.Equal(t, reads[1], reads[0])
}
