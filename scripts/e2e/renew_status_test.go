package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// lease is all that is stored of the lease of the only token that a person has of the
// mount, as text.
func (m *mount) lease(u *oktatest.User) string {
	m.t.Helper()
	dir := "sys/raw/sys/expire/id/" + m.full("login/"+u.Login())
	keys, _ := m.mustDo("LIST", dir, nil).Data()["keys"].([]any)
	require.Len(m.t, keys, 1)
	value, _ := m.mustDo(http.MethodGet, dir+"/"+keys[0].(string), nil).Data()["value"].(string)
	require.Contains(m.t, value, u.Login())
	return value
}

// A renewal by status needs no password and no factor, what is stored of the token holds
// no password, and a token from before loses it when it is renewed.
func TestRenewalByStatusKeepsNoPassword(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"token_ttl": "1h"})
	m.mustWrite("groups/scientists", object{"policies": "science"})
	moved := m.addUser("eve@acme.test", "Scientists")
	old := m.mustLogin(moved).Token()
	require.Contains(t, m.lease(moved), moved.Password(), "renewal=login keeps it")
	a := m.mustWrite("config", object{"renewal": "status", "renewal_grace": "1h"})
	require.Contains(t, a.Warnings(), "cannot renew a token")

	u, cli := m.addUser("mia@acme.test", "Scientists"), m.person()
	push, movedPush := u.AddPush("SUCCESS"), moved.AddPush("SUCCESS")
	m.requireLoggedIn(cli, m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...))
	require.NotContains(t, m.lease(u), u.Password())
	m.org.Reset()
	for range 2 {
		renewed, err := cli.Run(t.Context(), "token", "renew")
		require.NoError(t, err)
		require.Zero(t, renewed.Code, renewed.Stderr)
		status, _ := m.renew(old)
		require.Equal(t, http.StatusOK, status)
	}
	for _, r := range m.org.Requests() {
		require.Equal(t, http.MethodGet, r.Method, r.Path)
	}
	require.Equal(t, 2, m.org.Count(http.MethodGet, "/api/v1/users/"+u.ID))
	require.Equal(t, 1, push.Pushes(), "that of the login")
	require.Zero(t, movedPush.Pushes())
	require.NotContains(t, m.lease(u), u.Password())
	require.NotContains(t, m.lease(moved), moved.Password())

	m.org.Fail("users", oktatest.CloseConnection().Times(1))
	renewed, err := cli.Run(t.Context(), "token", "renew")
	require.NoError(t, err)
	require.Zero(t, renewed.Code, renewed.Stderr)
	require.Equal(t, 3, m.org.Count(http.MethodGet, "/api/v1/users/"+u.ID), "the one that got no answer")

	u.SetStatus("SUSPENDED")
	renewed, err = cli.Run(t.Context(), "token", "renew")
	require.NoError(t, err)
	require.Equal(t, 2, renewed.Code)
	require.Contains(t, renewed.Stderr, "Code: 400")
	require.Contains(t, renewed.Stderr, "your Okta account is suspended, so the token is not renewed")
}

// The builtin method has nothing to renew such a token with. It refuses, and goes on.
func TestSwitchWithRenewalByStatus(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure(object{"renewal": "status", "renewal_grace": "1h"})
	u := m.addUser("mia@acme.test")
	token := m.mustLogin(u).Token()

	m.switchTo(suite.builtinVersion)
	a := m.asToken(token, http.MethodPost, "auth/token/renew-self", nil)
	requireRefused(t, a, http.StatusBadRequest) // in words that differ by version
	later := m.mustLogin(u).Token()
	status, _ := m.renew(later)
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, m.asToken(token, http.MethodGet, "auth/token/lookup-self", nil).Err(), "it is valid until its TTL ends")

	m.switchTo(pluginVersion)
	require.Equal(t, "status", m.mustRead("config")["renewal"])
	for _, token := range []string{token, later} {
		status, _ = m.renew(token)
		require.Equal(t, http.StatusOK, status)
	}
}
