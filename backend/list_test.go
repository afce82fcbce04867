package backend

import (
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Names with slashes are listed as Vault's builtin method lists them; see
// TestNamesAreListedAsByTheBuiltin of scripts/e2e.
func TestNamesWithSlashesInTheBuiltinsOrder(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for _, kind := range []string{"users/", "groups/"} {
			for _, name := range []string{"b/y", "a/x", "c", "a", "b/x/z", "a/w"} {
				m.write(kind+name, fields{"policies": "p"})
			}
			resp, _, _ := m.do(logical.ListOperation, kind, nil)
			assert.Equal(t, []string{"a", "c", "b/y", "b/x/z", "a/w", "a/x"}, toStrings(resp.Data["keys"]))
		}
	})
}

// A login has empty data: Vault answers {} for that, and null for none, which clients of
// the builtin method do not expect.
func TestLoginHasData(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		resp, _, _ := m.login(nil)
		require.NotNil(t, resp)
		assert.Equal(t, map[string]any{}, resp.Data)
		assert.Equal(t, map[string]any{}, logical.LogicalResponseToHTTPResponse(resp).Data)
	})
}

// A client that sends the old name of org_name along with something else learns that it
// has moved the mount.
func TestOldNameOfTheOrgSaysWhatItChanges(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		resp := m.write("config", fields{"organization": "other", "api_token": "t"})
		require.NotNil(t, resp)
		assert.Contains(t, resp.Warnings[0], `the mount's org was "acme" and is "other" now`)
		for _, data := range []fields{{"organization": "other"}, {"org_name": "acme", "api_token": "t"},
			{"organization": "x", "org_name": "acme"}, {"token_ttl": "1h"}} {
			assert.Nil(t, m.write("config", data), data)
		}
		m.plant("config", "")
		assert.Nil(t, m.write("config", fields{"organization": "acme", "api_token": "t"}), "a first configuration moves nothing")
	})
}
