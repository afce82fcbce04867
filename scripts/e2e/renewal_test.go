package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// With renewal=status, a renewal asks Okta about the account, by its id: it sends no
// password and no factor, and a person who may not come in any more gets nothing.
func TestRenewalByStatus(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"renewal": "status"})
	m.mustWrite("groups/scientists", object{"policies": "science"})
	u := m.addUser("mia@acme.test", "Scientists")
	phone := u.AddPush("SUCCESS")
	token := m.mustLogin(u).Token()
	passwords := m.org.Count(http.MethodPost, "/api/v1/authn")

	renew := func() (int, string) {
		a := m.asToken(token, http.MethodPut, "auth/token/renew-self", nil)
		return a.Status, a.Errors()
	}
	status, _ := renew()
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, passwords, m.org.Count(http.MethodPost, "/api/v1/authn"), "no password went to Okta")
	require.Equal(t, 1, phone.Pushes(), "no push was sent")

	u.SetGroups("Others")
	status, text := renew()
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, "policies")
	u.SetGroups("Scientists")
	u.SetStatus("SUSPENDED")
	status, text = renew()
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, "your Okta account is suspended")
	u.SetStatus("ACTIVE")
	status, text = renew()
	require.Equal(t, http.StatusOK, status, text)
}
