package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRequiredGroups: only members of the groups log in and renew, and nobody else's phone
// rings. A write of the field says what the builtin method makes of it.
func TestRequiredGroups(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	warnings := m.mustWrite("config", object{"required_groups": "Vault Users"}).Warnings()
	require.Contains(t, warnings, "it lets in everybody whom Okta lets in")
	u := m.addUser("mia@acme.test", "Scientists")
	phone := u.AddPush("SUCCESS")
	requireRefused(t, m.login(u), http.StatusBadRequest, "members of certain groups")
	require.Zero(t, phone.Pushes())

	u.SetGroups("Vault Users")
	a := m.mustLogin(u)
	require.Equal(t, 1, phone.Pushes())
	phone.SetScript("SUCCESS")
	status, _ := m.renew(a.Token())
	require.Equal(t, http.StatusOK, status)
	u.SetGroups("Scientists")
	status, _ = m.renew(a.Token())
	require.Equal(t, http.StatusBadRequest, status)
}

// TestGroupsThatCount: a group that was imported, or whose name does not match, is no alias
// of an external identity group and gives no policy.
func TestGroupsThatCount(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"group_types": "OKTA_GROUP", "group_filter": "^vault-"})
	u := m.addUser("mia@acme.test", "vault-dev", "sales")
	u.AddGroup("vault-admin", "APP_GROUP")
	for _, group := range []string{"vault-dev", "sales", "vault-admin"} {
		m.externalGroup(group, m.Path+"-"+group)
		m.mustWrite("groups/"+group, object{"policies": "by-" + group})
	}
	a := m.mustLogin(u)
	require.Equal(t, []any{m.Path + "-vault-dev"}, a.Auth()["identity_policies"])
	require.Equal(t, []any{"by-vault-dev", "default"}, policies(a))
}
