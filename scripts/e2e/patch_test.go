package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// Vault hands a plugin merge patches, from the tool and from the API, and takes a policy's
// capability patch for them.
func TestPatchAndDeleteOfConfig(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"token_ttl": "20m", "alias_metadata": object{"team": "science"}})
	u := m.addUser("mia@acme.test")
	m.mustWrite("users/mia@acme.test", object{"groups": "g", "policies": "p"})

	m.patchByTool(m.full("config"), "token_ttl=10m", "alias_metadata=site=oslo")
	config := m.mustRead("config")
	require.EqualValues(t, 600, config["token_ttl"])
	require.Equal(t, object{"team": "science", "site": "oslo"}, config["alias_metadata"])
	require.Equal(t, m.org.Name, config["org_name"])
	m.patchByTool(m.full("users/mia@acme.test"), "groups=h")
	require.Equal(t, object{"groups": []any{"h"}, "policies": []any{"p"}}, m.mustRead("users/mia@acme.test"))

	m.patch("config", object{"token_ttl": nil, "alias_metadata": object{"site": nil}})
	config = m.mustRead("config")
	require.EqualValues(t, 0, config["token_ttl"])
	require.Equal(t, object{"team": "science"}, config["alias_metadata"])
	m.mustLogin(u)

	deleted := m.delete("config")
	require.Equal(t, http.StatusOK, deleted.Status)
	require.Contains(t, string(deleted.Raw), "nobody can log in")
	requireRefused(t, m.login(u), http.StatusBadRequest, "not configured")
	require.Equal(t, http.StatusNotFound, m.read("config").Status)
	m.configure()
	m.mustLogin(u)
}

// patch sends a merge patch by HTTP.
func (m *mount) patch(path string, body object) {
	m.t.Helper()
	a := m.send(harness.Request{
		Method: http.MethodPatch, Path: m.full(path), Token: m.vault.RootToken, Body: body,
		Header: http.Header{"Content-Type": {"application/merge-patch+json"}},
	})
	require.NoError(m.t, a.Err())
}

// patchByTool sends a merge patch by the command line tool.
func (m *mount) patchByTool(args ...string) {
	m.t.Helper()
	result, err := m.vault.CLI(m.t.TempDir(), m.vault.RootToken).Run(m.t.Context(), append([]string{"patch"}, args...)...)
	require.NoError(m.t, err)
	require.Zero(m.t, result.Code, result.Stderr)
}
