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
	m := newMount(t)
	a := m.mustDo(http.MethodGet, "sys/internal/specs/openapi", nil)
	t.Parallel() // not before: Vault asks each mount, and gives up after 90 seconds
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
	list := regexp.MustCompile(`"200":.*"\$ref":"#/components/schemas/OktaList\w+Response"`)
	for path, methods := range operations {
		if _, writes := methods["post"]; writes {
			require.Regexp(t, body, string(doc.Paths["/"+m.full(path)]["post"]), path)
		}
		if strings.HasSuffix(path, "s/") {
			require.Regexp(t, list, string(doc.Paths["/"+m.full(path)]["get"]), path)
		}
	}
	require.Contains(t, string(a.Raw), `"OktaConfigureRequest":{`)
	requireWholeSchemas(t, m, a.Raw)
}

// oasSchema is what the document says of an object.
type oasSchema struct {
	Properties map[string]struct {
		Type, Format, Description string
		Default                   any
		Display                   struct{ Name, Group string } `json:"x-vault-displayAttrs"`
	}
}

// requireWholeSchemas requires of each operation of the mount that it says what it does and
// how it is answered, and of each field of a request that it says what it is.
func requireWholeSchemas(t *testing.T, m *mount, raw []byte) {
	t.Helper()
	var doc struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]oasSchema }
	}
	require.NoError(t, json.Unmarshal(raw, &doc))
	found := 0
	for path, methods := range doc.Paths {
		if !strings.HasPrefix(path, "/"+m.full("")) {
			continue
		}
		for _, method := range []string{"get", "post", "patch", "delete"} {
			if methods[method] == nil {
				continue
			}
			found++
			var operation struct {
				Summary   string
				Responses map[string]struct{ Description string }
			}
			require.NoError(t, json.Unmarshal(methods[method], &operation))
			require.NotEmpty(t, operation.Summary, "%s %s", method, path)
			require.Contains(t, operation.Responses, "200", "%s %s", method, path)
			for status, response := range operation.Responses {
				require.NotEmpty(t, response.Description, "%s %s %s", method, path, status)
			}
		}
	}
	require.Greater(t, found, 20)
	for name, schema := range doc.Components.Schemas {
		if !strings.HasPrefix(name, "Okta") || !strings.HasSuffix(name, "Request") {
			continue
		}
		for field, property := range schema.Properties {
			require.NotEmpty(t, property.Description, "%s %s", name, field)
			require.NotEmpty(t, property.Display.Name, "%s %s", name, field)
			require.NotEmpty(t, property.Display.Group, "%s %s", name, field)
		}
	}
	asked, told := doc.Components.Schemas["OktaConfigureRequest"], doc.Components.Schemas["OktaReadConfigurationResponse"]
	require.Equal(t, "1m", asked.Properties["push_timeout"].Default)
	require.Equal(t, "Factors", asked.Properties["push_timeout"].Display.Group)
	require.Equal(t, "string", told.Properties["push_timeout"].Type)
	require.Equal(t, "integer", told.Properties["token_ttl"].Type)
	require.NotContains(t, told.Properties, "api_token")
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
