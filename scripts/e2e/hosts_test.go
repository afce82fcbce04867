package e2e

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// TestCLILoginAsByOpenBao: the login command of OpenBao knows no method okta. Its method
// userpass, which Vault's tool has, too, posts the password alone, drops totp, and sends
// what -mfa says.
func TestCLILoginAsByOpenBao(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.ownClock()
	u := m.addUser("mia@acme.test")
	own := u.AddTOTP("OKTA")
	u.AddTOTP("GOOGLE")
	login := func(more ...string) (harness.CLI, harness.CLIResult) {
		cli := m.person()
		args := append([]string{"login"}, more...)
		result, err := cli.Run(t.Context(), append(args, "-method=userpass", "-path="+m.Path,
			"username="+u.Login(), "password="+u.Password(), "totp="+own.Code())...)
		require.NoError(t, err)
		return cli, result
	}
	_, dropped := login()
	require.Equal(t, 2, dropped.Code)
	require.Contains(t, dropped.Stderr, "(bao login drops these fields: write them, with the password, to auth/"+m.Path+"/login/"+u.Login()+")")
	_, kept := login("-mfa=okta:totp=" + own.Code())
	require.Equal(t, 2, kept.Code, "the header does not reach the mount")

	m.tune("X-Vault-MFA")
	cli, result := login("-mfa=okta:" + own.Code())
	noteToken(cli)
	m.requireLoggedIn(cli, result)
}

// TestListsHavePages: the parameters of OpenBao's lists reach the mount, by both ways to
// list, and a value that makes no sense is refused.
func TestListsHavePages(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	for _, name := range []string{"c", "a", "d", "b"} {
		m.mustWrite("groups/"+name, object{"policies": "p"})
	}
	for _, request := range []harness.Request{
		{Method: "LIST", Query: url.Values{"after": {"a"}, "limit": {"2"}}},
		{Method: http.MethodGet, Query: url.Values{"list": {"true"}, "after": {"a"}, "limit": {"2"}}},
	} {
		request.Path, request.Token = m.full("groups"), m.vault.RootToken
		a := m.send(request)
		require.NoError(t, a.Err())
		require.Equal(t, []any{"b", "c"}, a.Data()["keys"])
		require.Empty(t, a.Warnings())
	}
	require.Equal(t, http.StatusNotFound, m.send(listRequest(m, "groups", "after", "d")).Status)
	requireRefused(t, m.send(listRequest(m, "groups", "limit", "many")), http.StatusBadRequest, "limit must be a whole number")
}
