//go:build acceptance

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAcceptance logs in to a real org, through a real Vault. It needs these
// variables, and an account that logs in by its password, by a push that
// somebody approves meanwhile, or by the passcode in OKTA_PASSCODE:
//
//	OKTA_ORG        the org's name, acme for acme.okta.com
//	OKTA_BASE_URL   the rest of its host, such as okta.com
//	OKTA_API_TOKEN  an API token that may read users and groups
//	OKTA_USERNAME   the account's login
//	OKTA_PASSWORD   its password
func TestAcceptance(t *testing.T) {
	env := requireEnv(t, "OKTA_ORG", "OKTA_BASE_URL", "OKTA_API_TOKEN", "OKTA_USERNAME", "OKTA_PASSWORD")
	m := &mount{t: t, vault: startOwnVault(t), Path: "okta"}
	m.mustDo("POST", "sys/auth/okta", object{"type": "okta", "config": object{"plugin_version": pluginVersion}})
	m.mustWrite("config", object{
		"org_name": env["OKTA_ORG"], "base_url": env["OKTA_BASE_URL"], "api_token": env["OKTA_API_TOKEN"],
	})
	m.mustWrite("users/"+env["OKTA_USERNAME"], object{"policies": "acceptance"})

	unknown := "no-such-user-" + strings.ToLower(secret()) + "@example.com"
	requireRefused(t, m.attempt(unknown, object{"password": secret()}), 400, "E0000004")

	args := []string{"login", "-method=okta", "username=" + env["OKTA_USERNAME"], "password=" + env["OKTA_PASSWORD"]}
	if code := os.Getenv("OKTA_PASSCODE"); code != "" {
		args = append(args, "totp="+code)
	}
	cli := m.person()
	result := m.runLogin(cli, args...)
	m.requireLoggedIn(cli, result)
	require.Contains(t, result.Stdout, "acceptance")
	require.NotContains(t, result.Stdout+result.Stderr, "WARNING", "the account has no groups, or its password expires soon")
}

// requireEnv returns variables of the environment, all of which must be set.
func requireEnv(t *testing.T, names ...string) map[string]string {
	t.Helper()
	env := map[string]string{}
	var missing []string
	for _, name := range names {
		if env[name] = os.Getenv(name); env[name] == "" {
			missing = append(missing, name)
		}
	}
	require.Empty(t, missing, "set these variables for a run against a real org")
	return env
}
