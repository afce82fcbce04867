package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A misspelled field is seen, by the API and by the command line tool: the write tells the
// field that was meant, and that the entry gives nothing. What clients send is no typo.
func TestMisspelledFieldIsSeen(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	root := m.vault.CLI(t.TempDir(), m.vault.RootToken)
	result, err := root.Run(t.Context(), "write", m.full("groups/scientists"), "policy=hush-lab")
	require.NoError(t, err)
	require.Zero(t, result.Code, result.Stderr)
	require.NotContains(t, result.Stdout+result.Stderr, "hush-lab")
	said := words(result.Stdout + result.Stderr)
	require.Contains(t, said, `the field "policy" does not exist on this path, and was ignored: use "policies"`)
	require.Contains(t, said, "the entry has no policies or mfa_methods, so it gives the members of the group nothing")

	for _, row := range []struct {
		path string
		body object
		want string
	}{
		{"config", object{"organisation": "x"}, `use "organization"`},
		{"users/mia", object{"groups": "g", "polices": "p"}, `use "policies"`},
		{"users/noa", object{"okta_id": "00u1"}, "so it gives the user nothing"},
		{"mfa/method/totp", object{"issuer": "Acme", "period_": 60}, `use "period"`},
	} {
		a := m.mustWrite(row.path, row.body)
		require.Equal(t, http.StatusOK, a.Status)
		require.Contains(t, a.Warnings(), row.want)
		require.NotContains(t, a.Warnings(), "unrecognized", "it is told once")
	}
	require.Equal(t, http.StatusNoContent, m.mustWrite("groups/scientists", object{"policies": "p"}).Status)
	require.Equal(t, http.StatusNoContent, m.mustWrite("users/mia", object{"username": "mia", "groups": nil, "policies": "p"}).Status)
	require.Equal(t, http.StatusNotFound, m.do(http.MethodGet, m.full("groups/none")+"?policies=x", nil).Status)

	u := m.addUser("mia@acme.test", "Scientists")
	u.AddTOTP("OKTA")
	requireRefused(t, m.login(u, object{"passcod": "hush-123456"}), http.StatusBadRequest, "Okta asks for a factor", `use "passcode"`)
	require.NotContains(t, m.login(u, object{"passcod": "hush-123456"}).Errors(), "hush")

	plain := m.addUser("noa@acme.test", "Scientists")
	require.Contains(t, m.mustLogin(plain, object{"factr": "push"}).Warnings(), `use "factor"`)
	cli := m.person()
	logged := m.runLogin(cli, m.loginArgs(plain, "password="+plain.Password(), "provider=OKTA", "totp=123456")...)
	m.requireLoggedIn(cli, logged)
	require.NotContains(t, words(logged.Stdout+logged.Stderr), "does not exist on this path")
}

// Without an API token the operator is told at the write, and each person at the login.
func TestMissingAPITokenIsTold(t *testing.T) {
	t.Parallel()
	m := enable(t, newOrg(t))
	a := m.mustWrite("config", object{"org_name": m.org.Name, "base_url": "okta.test"})
	require.Contains(t, a.Warnings(), "there is no api_token: people's groups in Okta are not read")
	u, cli := m.addUser("mia@acme.test", "Scientists"), m.person()
	const unread = "this mount has no api_token, so your groups in Okta were not read"
	require.Contains(t, m.mustLogin(u).Warnings(), unread)
	logged := m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...)
	m.requireLoggedIn(cli, logged)
	require.Contains(t, words(logged.Stdout+logged.Stderr), unread)
	require.Equal(t, http.StatusNoContent, m.mustWrite("config", object{"api_token": m.org.Token}).Status)
	require.Empty(t, m.mustLogin(u).Warnings())
}
