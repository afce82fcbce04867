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
