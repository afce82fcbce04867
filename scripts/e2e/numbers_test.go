package e2e

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// Vault prints the lines of all mounts under the name of the one that had the process
// started, so each line says itself whose it is.
func TestLinesOfTwoMountsNameTheirOwn(t *testing.T) {
	t.Parallel()
	for _, m := range []*mount{newMount(t), newMount(t)} {
		u := m.addUser("mia@acme.test")
		m.mustLogin(u)
		m.login(u, object{"password": secret()})
		for _, event := range []string{"login_ok", "login_denied"} {
			eventually(t, event+" of "+m.Path, func() bool { return len(m.lines(event)) == 1 })
			line := m.lines(event)[0]
			require.Contains(t, line, " mount_accessor="+m.accessor()+" ")
			require.Regexp(t, ` request_id=[0-9a-f-]{36}`, line)
			require.Regexp(t, ` okta_calls="?[^"]*\bauthn `, line)
			require.NotContains(t, line, u.Login())
		}
	}
}

// lines are those of Vault's log with that event that name the mount.
func (m *mount) lines(event string) (found []string) {
	m.t.Helper()
	text, err := os.ReadFile(m.vault.LogPath)
	require.NoError(m.t, err)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, " event="+event+" ") && strings.Contains(line, " mount_path=auth/"+m.Path+"/ ") {
			found = append(found, line)
		}
	}
	return found
}

// Prometheus scrapes a mount through Vault: with a token that may read nothing else, as
// a bearer token, and the parameter format.
func TestScrape(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustLogin(m.addUser("mia@acme.test"))
	policy := "scrape-" + m.Path
	m.send(harness.Request{Method: http.MethodPut, Path: "sys/policies/acl/" + policy, Token: m.vault.RootToken, Body: object{
		"policy": `path "auth/` + m.Path + `/stats" { capabilities = ["read"] }`,
	}})
	made := m.send(harness.Request{Method: http.MethodPost, Path: "auth/token/create", Token: m.vault.RootToken, Body: object{
		"policies": []string{policy}, "no_default_policy": true,
	}})
	noteSecrets(made)
	scrape := func(authorization string) harness.Answer {
		return m.send(harness.Request{
			Method: http.MethodGet, Path: m.full("stats"), Query: url.Values{"format": {"openmetrics"}},
			Header: http.Header{"Authorization": {authorization}, "Accept": {"application/openmetrics-text;version=1.0.0"}},
		})
	}
	require.Equal(t, http.StatusForbidden, scrape("").Status)
	a := scrape("Bearer " + made.Token())
	require.Equal(t, http.StatusOK, a.Status, a.Errors())
	require.Equal(t, "application/openmetrics-text; version=1.0.0; charset=utf-8", a.Header.Get("Content-Type"))
	text := string(a.Raw)
	require.True(t, strings.HasSuffix(text, "\n# EOF\n"), text)
	require.Contains(t, text, "# TYPE vault_okta_logins counter\n")
	require.Contains(t, text, `vault_okta_logins_total{mount_path="auth/`+m.Path+`/",kind="login",event="login_ok"} 1`+"\n")
	require.Contains(t, text, `mount_accessor="`+m.accessor()+`",version="`+pluginVersion+`"} 1`)
	require.Regexp(t, regexp.MustCompile(`vault_okta_call_duration_seconds_bucket\{[^}]*endpoint="authn",le="\+Inf"\} 1\n`), text)

	numbers := m.mustRead("stats")
	require.EqualValues(t, 1, numbers["okta_calls"].(object)["authn"].(object)["results"].(object)["2xx"])
}
