package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// What resolve tells is what a login gets, from the entries that it names, and Okta is
// only read for it.
func TestResolveTellsWhatALoginGets(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"token_policies": "everybody", "required_groups": "Scientists,ops"})
	u := m.addUser("mia@acme.test", "Everyone", "Scientists")
	push := u.AddPush("SUCCESS")
	m.mustWrite("groups/scientists", object{"policies": "science"})
	m.mustWrite("users/mia@acme.test", object{"policies": "own", "groups": "on-call"})
	m.mustWrite("mfa/method/totp", object{"method_name": "mine", "issuer": "Acme"})

	m.org.Reset()
	before := m.mustRead("resolve/MIA")
	for _, r := range m.org.Requests() {
		require.Equal(t, http.MethodGet, r.Method, r.Path)
	}
	require.Zero(t, push.Pushes())
	require.Equal(t, true, before["admitted"])
	require.Equal(t, []any{
		object{"policy": "everybody", "entry": "config"},
		object{"policy": "science", "entry": "groups/scientists", "group": "Scientists"},
		object{"policy": "own", "entry": "users/mia@acme.test"},
	}, before["policy_sources"])
	a := m.mustLogin(u)
	require.ElementsMatch(t, policies(a), append(before["policies"].([]any), "default"))
	require.Equal(t, a.Auth()["metadata"].(object)["okta_id"], before["okta_id"])
	require.Equal(t, a.Auth()["metadata"].(object)["username"], before["alias"])

	m.mustWrite("groups/everyone", object{"policies": "all", "mfa_methods": "mine"})
	u.SetGroups("Everyone")
	u.SetStatus("SUSPENDED")
	after := m.mustRead("resolve/mia@acme.test")
	require.Equal(t, false, after["admitted"])
	require.Equal(t, []any{
		"your Okta account is suspended",
		"this mount lets in only members of certain groups, and you are in none of them: ask your Vault administrator",
		"MFA method mine: you have no key: ask your Vault administrator to generate one with admin-generate",
	}, after["denied_because"])
	require.Equal(t, []any{object{"mfa_method": "mine", "mfa_type": "totp", "required_by": []any{"groups/everyone"}, "problem": after["denied_because"].([]any)[2]}},
		after["mfa_methods"])
	require.Equal(t, []any{"Okta knows nobody by this name, or does not show them to this mount (E0000007): check the name, and what the API token or the service app may read"}, m.mustRead("resolve/nobody")["denied_because"])

	m.mustDo(http.MethodPut, "sys/policies/acl/"+m.Path, object{"policy": `path "` + m.full("resolve/*") + `" { capabilities = ["read"] }`})
	token := m.mustDo(http.MethodPost, "auth/token/create", object{"policies": []string{m.Path}}).Token()
	require.NoError(t, m.asToken(token, http.MethodGet, m.full("resolve/mia"), nil).Err())
	requireRefused(t, m.asToken(a.Token(), http.MethodGet, m.full("resolve/mia"), nil), http.StatusForbidden, "permission denied")
}
