package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	root := m.vault.CLI(t.TempDir(), m.vault.RootToken)
	for path, want := range map[string][]string{
		"": {"^config$", "^users/?$", "^login/", "^verify/"},
		"config": {"org_name", "api_token", "base_url", "bypass_okta_mfa", "token_ttl",
			"mfa_factors", "push_devices", "max_push_failures", "push_failure_window", "push_timeout", "passcode_separator", "trusted_proxies"},
		"users":      {"users"},
		"users/fred": {"groups", "policies"},
		"groups":     {"groups"},
		"groups/a":   {"policies"},
		"login/fred": {"password", "totp", "nonce", "provider", "passcode", "factor", "device",
			"resend", "wait", "transaction_id", "cancel"},
		"verify/abcdef": {"nonce"},
	} {
		result, err := root.Run(t.Context(), "path-help", strings.TrimSuffix(m.full(path), "/"))
		require.NoError(t, err)
		require.Zero(t, result.Code, result.Stderr)
		require.NotContains(t, result.Stdout, "<no ", "path %q has its help", path)
		for _, word := range want {
			require.Contains(t, result.Stdout, word, "path %q", path)
		}
	}
}

// operations are Vault's own names for the operations of an Okta mount:
// generated clients call them.
var operations = map[string]map[string]string{
	"config":           {"get": "okta-read-configuration", "post": "okta-configure"},
	"users/":           {"get": "okta-list-users"},
	"users/{name}":     {"get": "okta-read-user", "post": "okta-write-user", "delete": "okta-delete-user"},
	"groups/":          {"get": "okta-list-groups"},
	"groups/{name}":    {"get": "okta-read-group", "post": "okta-write-group", "delete": "okta-delete-group"},
	"login/{username}": {"post": "okta-login"},
	"verify/{nonce}":   {"get": "okta-verify"},
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	a := m.mustDo(http.MethodGet, "sys/internal/specs/openapi", nil)
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(a.Raw, &doc))
	for path, methods := range operations {
		got := doc.Paths["/"+m.full(path)]
		require.NotEmpty(t, got, path)
		for method, id := range methods {
			var operation struct {
				OperationID string `json:"operationId"`
			}
			require.NoError(t, json.Unmarshal(got[method], &operation), "%s %s", method, path)
			require.Equal(t, id, operation.OperationID)
		}
		public := strings.HasPrefix(path, "login/") || strings.HasPrefix(path, "verify/")
		require.Equal(t, public, string(got["x-vault-unauthenticated"]) == "true", path)
	}
	require.Equal(t, "true", string(doc.Paths["/"+m.full("config")]["x-vault-createSupported"]))

	// Generated clients know what a request holds, and what a list answers.
	body := regexp.MustCompile(`"requestBody":.*"\$ref":"#/components/schemas/Okta\w+Request"`)
	list := regexp.MustCompile(`"200":.*"\$ref":"#/components/schemas/StandardListResponse"`)
	for path, methods := range operations {
		if _, writes := methods["post"]; writes {
			require.Regexp(t, body, string(doc.Paths["/"+m.full(path)]["post"]), path)
		}
		if strings.HasSuffix(path, "s/") {
			require.Regexp(t, list, string(doc.Paths["/"+m.full(path)]["get"]), path)
		}
	}
	require.Contains(t, string(a.Raw), `"OktaConfigureRequest":{`)
}

// Vault compares what a plugin says of its version with what was registered.
func TestRunningVersion(t *testing.T) {
	t.Parallel()
	m := enableOn(t, suite.vault, newOrg(t), pluginVersion)
	mounted := m.mustDo(http.MethodGet, "sys/auth/"+m.Path, nil).Data()
	require.Equal(t, pluginVersion, mounted["plugin_version"])
	require.Equal(t, pluginVersion, mounted["running_plugin_version"])
	require.Equal(t, "okta", mounted["type"])
}
