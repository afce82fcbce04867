package backend

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// num makes numbers of both sides of the wire comparable.
func num(t *testing.T, v any) int64 {
	t.Helper()
	switch v := v.(type) {
	case int:
		return int64(v)
	case int64:
		return v
	case float64:
		return int64(v)
	case json.Number:
		n, err := v.Int64()
		require.NoError(t, err)
		return n
	}
	t.Fatalf("%T is no number", v)
	return 0
}

func TestConfigRead(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, status, _ := m.do(logical.ReadOperation, "config", nil)
		assert.Equal(t, http.StatusNotFound, status, "an unconfigured mount")

		m.write("config", fields{"org_name": "acme", "api_token": "00secret"})
		got := m.read("config")
		assert.Equal(t, "acme", got["org_name"])
		assert.Equal(t, "acme", got["organization"])
		assert.Equal(t, false, got["bypass_okta_mfa"])
		assert.Equal(t, "default", got["token_type"])
		for _, field := range []string{"token_bound_cidrs", "token_explicit_max_ttl", "token_max_ttl", "token_no_default_policy",
			"token_num_uses", "token_period", "token_policies", "token_ttl"} {
			assert.Contains(t, got, field)
		}
		for _, field := range []string{"base_url", "production", "ttl", "max_ttl", "api_token", "token"} {
			assert.NotContains(t, got, field, "not set, or a secret")
		}

		m.write("config", fields{"ttl": "1h", "max_ttl": 7200, "production": false})
		got = m.read("config")
		assert.EqualValues(t, 3600, num(t, got["ttl"]))
		assert.EqualValues(t, 3600, num(t, got["token_ttl"]))
		assert.EqualValues(t, 7200, num(t, got["max_ttl"]))
		assert.EqualValues(t, 7200, num(t, got["token_max_ttl"]))
		assert.Equal(t, false, got["production"])

		m.write("config", fields{"base_url": "okta-emea.com"})
		got = m.read("config")
		assert.Equal(t, "okta-emea.com", got["base_url"])
		assert.NotContains(t, got, "production", "dropped once base_url is set")
		m.write("config", fields{"production": true})
		assert.NotContains(t, m.read("config"), "production", "ignored once base_url is set")

		for key, value := range m.read("config") {
			assert.NotContains(t, fmt.Sprint(value), "00secret", key)
		}
	})
}

func TestConfigOldNames(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.write("config", fields{"organization": "old", "token": "oldtoken", "ttl": "5m", "max_ttl": "10m"})
		assert.JSONEq(t, `{"organization":"old","token":"oldtoken","base_url":"","ttl":300000000000,"max_ttl":600000000000,
			"bypass_okta_mfa":false,"token_bound_cidrs":null,"token_explicit_max_ttl":0,"token_max_ttl":600000000000,
			"token_no_default_policy":false,"token_num_uses":0,"token_period":0,"token_policies":null,"token_type":0,
			"token_ttl":300000000000,"alias_metadata":null,"alias_source":"login"}`, m.stored("config"))

		m.write("config", fields{
			"organization": "old", "org_name": "new", "token": "oldtoken", "api_token": "newtoken",
			"ttl": "5m", "token_ttl": "1m", "max_ttl": "10m", "token_max_ttl": "2m"})
		var got configEntry
		require.NoError(t, json.Unmarshal([]byte(m.stored("config")), &got))
		assert.Equal(t, "new", got.Organization)
		assert.Equal(t, "newtoken", got.Token)
		assert.Equal(t, time.Minute, got.TokenTTL)
		assert.Equal(t, 2*time.Minute, got.TokenMaxTTL)

		m.write("config", fields{"token_ttl": "30s"})
		assert.NotContains(t, m.read("config"), "ttl", "the new name alone ends the old one")
	})
}

// An entry of before the token_* fields, as old releases of the builtin method
// wrote it.
func TestConfigOldEntry(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.plant("config",
			`{"organization":"acme","token":"t","base_url":"","is_production":false,"ttl":3600000000000,"max_ttl":7200000000000}`)
		got := m.read("config")
		assert.EqualValues(t, 3600, num(t, got["token_ttl"]))
		assert.EqualValues(t, 7200, num(t, got["token_max_ttl"]))
		assert.Equal(t, false, got["production"])
		assert.Equal(t, []string{}, toStrings(got["token_policies"]))
	})
}

func TestConfigUpdateKeepsTheRest(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.write("config", fields{
			"org_name": "acme", "api_token": "00secret", "base_url": "okta.com", "bypass_okta_mfa": true,
			"token_policies": "a,b", "token_bound_cidrs": "10.0.0.0/8", "token_period": 60, "token_num_uses": 3,
			"token_type": "service", "token_no_default_policy": true, "token_explicit_max_ttl": 90,
			"alias_metadata": map[string]any{"team": "blue"}, "mfa_factors": "sms,push", "push_devices": "first",
			"max_push_failures": 5, "push_failure_window": 60, "passcode_separator": ",",
		})
		before := m.stored("config")
		resp := m.write("config", fields{"bypass_okta_mfa": true})
		assert.JSONEq(t, before, m.stored("config"))
		assert.Len(t, resp.Warnings, 1, "bypass warns on write")
		resp, _, _ = m.do(logical.ReadOperation, "config", nil)
		assert.Len(t, resp.Warnings, 1, "bypass warns on read")

		// Clients send null for what is unset: a null string clears, a null
		// duration does nothing.
		m.write("config", fields{"base_url": nil, "token_period": nil, "api_token": nil})
		var got configEntry
		require.NoError(t, json.Unmarshal([]byte(m.stored("config")), &got))
		assert.Empty(t, got.BaseURL)
		assert.Empty(t, got.Token)
		assert.Equal(t, time.Minute, got.TokenPeriod)
		assert.Equal(t, map[string]string{"team": "blue"}, got.AliasMetadata)
	})
}

func TestConfigInvalid(t *testing.T) {
	long := make([]byte, 300)
	for i := range long {
		long[i] = 'a'
	}
	tests := []struct {
		name  string
		data  fields
		names string // what the error must name
	}{
		{"no org_name", fields{"api_token": "x"}, "org_name"},
		{"empty org_name", fields{"org_name": ""}, "org_name"},
		{"org_name with a slash", fields{"org_name": "evil.test/"}, "org_name"},
		{"org_name with user info", fields{"org_name": "a@b"}, "org_name"},
		{"org_name of the admin console", fields{"org_name": "acme-admin"}, "org_name"},
		{"org_name that is the whole host", fields{"org_name": "acme.okta.com"}, "org_name"},
		{"org_name of the whole admin host", fields{"org_name": "acme-admin.okta.com"}, "org_name"},
		{"base_url of the admin console", fields{"org_name": "acme", "base_url": "acme-admin.okta.com"}, "base_url"},
		{"api_token of another type", fields{"org_name": "acme", "api_token": []any{"00secret"}}, "api_token"},
		{"org_name too long", fields{"org_name": string(long)}, "org_name"},
		{"base_url with a path", fields{"org_name": "acme", "base_url": "okta.com/app"}, "base_url"},
		{"base_url with a query", fields{"org_name": "acme", "base_url": "okta.com?x=1"}, "base_url"},
		{"base_url with user info", fields{"org_name": "acme", "base_url": "u:p@okta.com"}, "base_url"},
		{"base_url with a fragment", fields{"org_name": "acme", "base_url": "okta.com#"}, "base_url"},
		{"base_url with a space", fields{"org_name": "acme", "base_url": "okta .com"}, "base_url"},
		{"base_url with a bad port", fields{"org_name": "acme", "base_url": "okta.com:99999"}, "base_url"},
		{"full URL with a path", fields{"org_name": "acme", "base_url": "https://acme.okta.com/api"}, "base_url"},
		{"full URL with user info", fields{"org_name": "acme", "base_url": "https://u:p@acme.okta.com"}, "base_url"},
		{"full URL without TLS", fields{"org_name": "acme", "base_url": "http://acme.okta.com"}, "base_url"},
		{"full URL of the admin console", fields{"org_name": "acme", "base_url": "https://acme-admin.okta.com"}, "base_url"},
		{"full URL without a host", fields{"org_name": "acme", "base_url": "https://"}, "base_url"},
		{"api_token with a line break", fields{"org_name": "acme", "api_token": "a\nb"}, "api_token"},
		{"token_ttl", fields{"org_name": "acme", "token_ttl": "soon"}, "token_ttl"},
		{"negative token_ttl", fields{"org_name": "acme", "token_ttl": "-1h"}, "token_ttl"},
		{"ttl", fields{"org_name": "acme", "ttl": "soon"}, "ttl"},
		{"token_ttl above token_max_ttl", fields{"org_name": "acme", "token_ttl": "2h", "token_max_ttl": "1h"}, "token_ttl"},
		{"ttl above max_ttl", fields{"org_name": "acme", "ttl": "2h", "max_ttl": "1h"}, "token_ttl"},
		{"token_bound_cidrs", fields{"org_name": "acme", "token_bound_cidrs": "not-a-cidr"}, "token_bound_cidrs"},
		{"token_bound_cidrs that are a URL", fields{"org_name": "acme", "token_bound_cidrs": "https://login.acme.com"}, "token_bound_cidrs must be a list"},
		{"token_bound_cidrs that are a host's name", fields{"org_name": "acme", "token_bound_cidrs": "192.0.2.1,localhost:443"}, "token_bound_cidrs must be a list"},
		{"token_type", fields{"org_name": "acme", "token_type": "golden"}, "token_type"},
		{"batch with uses", fields{"org_name": "acme", "token_type": "batch", "token_num_uses": 2}, "token_type"},
		{"token_num_uses", fields{"org_name": "acme", "token_num_uses": -1}, "token_num_uses"},
		{"bypass_okta_mfa", fields{"org_name": "acme", "bypass_okta_mfa": "perhaps"}, "bypass_okta_mfa"},
		{"org_name of another type", fields{"org_name": []any{"a", "b"}}, "org_name"},
		{"unknown factor", fields{"org_name": "acme", "mfa_factors": "push,webauthn"},
			"mfa_factors must be a list of push, totp, sms, call, email, token, question"},
		{"factor without a name", fields{"org_name": "acme", "mfa_factors": []any{""}}, "mfa_factors must be a list of push"},
		{"factors that are commas", fields{"org_name": "acme", "mfa_factors": ","}, "mfa_factors must be a list of push"},
		{"mfa_factors of another type", fields{"org_name": "acme", "mfa_factors": fields{"push": true}}, "mfa_factors"},
		{"mfa_factors that say no", fields{"org_name": "acme", "mfa_factors": false}, "mfa_factors"},
		{"push_devices", fields{"org_name": "acme", "push_devices": "second"}, `push_devices must be "all" or "first"`},
		{"no max_push_failures", fields{"org_name": "acme", "max_push_failures": 0}, "max_push_failures must be 1 to 100"},
		{"negative max_push_failures", fields{"org_name": "acme", "max_push_failures": -1}, "max_push_failures must be 1 to 100"},
		{"max_push_failures too high", fields{"org_name": "acme", "max_push_failures": 101}, "max_push_failures must be 1 to 100"},
		{"max_push_failures empty", fields{"org_name": "acme", "max_push_failures": ""}, "max_push_failures must be 1 to 100"},
		{"max_push_failures that is no number", fields{"org_name": "acme", "max_push_failures": "few"}, "max_push_failures"},
		{"push_failure_window too short", fields{"org_name": "acme", "push_failure_window": "999ms"}, "push_failure_window must be 1s to 24h"},
		{"push_failure_window too long", fields{"org_name": "acme", "push_failure_window": "24h1s"}, "push_failure_window must be 1s to 24h"},
		{"no push_failure_window", fields{"org_name": "acme", "push_failure_window": 0}, "push_failure_window must be 1s to 24h"},
		{"push_failure_window that is no duration", fields{"org_name": "acme", "push_failure_window": "soon"}, "push_failure_window"},
		{"negative push_failure_window", fields{"org_name": "acme", "push_failure_window": "-1m"}, "push_failure_window"},
		{"push_timeout too short", fields{"org_name": "acme", "push_timeout": "9s"}, "push_timeout must be 10s to 80s"},
		{"push_timeout too long", fields{"org_name": "acme", "push_timeout": 81}, "push_timeout must be 10s to 80s"},
		{"no push_timeout", fields{"org_name": "acme", "push_timeout": 0}, "push_timeout must be 10s to 80s"},
		{"passcode_separator", fields{"org_name": "acme", "passcode_separator": ",,"}, "passcode_separator must be one punctuation character"},
		{"one good field and a bad one", fields{"org_name": "acme", "mfa_factors": "sms", "passcode_separator": "x"}, "passcode_separator"},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		for _, test := range tests {
			_, status, text := m.do(logical.CreateOperation, "config", test.data)
			assert.Equal(t, http.StatusBadRequest, status, test.name)
			assert.Contains(t, text, test.names, test.name)
			assert.Empty(t, m.stored("config"), test.name)
		}
		// On a mount that is configured, what was there stays.
		m.write("config", fields{"org_name": "acme", "api_token": "00secret"})
		before := m.stored("config")
		for _, test := range tests[1:] {
			_, status, text := m.do(logical.UpdateOperation, "config", test.data)
			assert.Equal(t, http.StatusBadRequest, status, test.name)
			assert.NotContains(t, text, "00secret", test.name)
			assert.Equal(t, before, m.stored("config"), test.name)
		}
		assert.Empty(t, m.okta.Requests(), "a write to config does not call Okta")
	})
}

// What a read returns of the fields about factors, and what is stored for them.
func TestConfigFactors(t *testing.T) {
	defaults := func(more fields) fields {
		want := fields{"mfa_factors": []string{"push", "totp", "token"}, "push_devices": "all", "max_push_failures": int64(3),
			"push_failure_window": "10m", "push_timeout": "1m", "passcode_separator": ""}
		for k, v := range more {
			want[k] = v
		}
		return want
	}
	steps := []struct {
		name string
		data fields
		want fields
	}{
		{"not set", fields{"org_name": "acme"}, defaults(nil)},
		{"a comma list, in any case", fields{"mfa_factors": "SMS, push,sms,Push"}, defaults(fields{"mfa_factors": []string{"sms", "push"}})},
		{"another field", fields{"org_name": "acme2"}, defaults(fields{"mfa_factors": []string{"sms", "push"}})},
		{"all of them", fields{"mfa_factors": []any{"question", "token", "email", "call", "sms", "totp", "push"}},
			defaults(fields{"mfa_factors": []string{"question", "token", "email", "call", "sms", "totp", "push"}})},
		{"an empty list", fields{"mfa_factors": []any{}}, defaults(nil)},
		{"first", fields{"push_devices": "First", "mfa_factors": "totp"},
			defaults(fields{"push_devices": "first", "mfa_factors": []string{"totp"}})},
		{"empty", fields{"push_devices": "", "mfa_factors": ""}, defaults(nil)},
		{"first again", fields{"push_devices": "first", "mfa_factors": "totp"},
			defaults(fields{"push_devices": "first", "mfa_factors": []string{"totp"}})},
		{"null", fields{"push_devices": nil, "mfa_factors": nil}, defaults(fields{"mfa_factors": []string{"totp"}})},
		{"an empty string", fields{"mfa_factors": ""}, defaults(nil)},
		{"the least", fields{"max_push_failures": 1, "push_failure_window": 1},
			defaults(fields{"max_push_failures": int64(1), "push_failure_window": "1s"})},
		{"null, as for other numbers", fields{"max_push_failures": nil, "push_failure_window": nil},
			defaults(fields{"max_push_failures": int64(1), "push_failure_window": "1s"})},
		{"the most", fields{"max_push_failures": "100", "push_failure_window": "24h"},
			defaults(fields{"max_push_failures": int64(100), "push_failure_window": "24h"})},
		{"named", fields{"max_push_failures": 3, "push_failure_window": "10m", "push_devices": "ALL"}, defaults(nil)},
		{"a longer wait", fields{"push_timeout": "80s"}, defaults(fields{"push_timeout": "1m20s"})},
		{"null, as for other durations", fields{"push_timeout": nil}, defaults(fields{"push_timeout": "1m20s"})},
		{"the usual wait", fields{"push_timeout": "1m"}, defaults(nil)},
		{"a separator", fields{"passcode_separator": "+"}, defaults(fields{"passcode_separator": "+"})},
		{"none", fields{"passcode_separator": ""}, defaults(nil)},
		{"a separator again", fields{"passcode_separator": "|"}, defaults(fields{"passcode_separator": "|"})},
		{"null", fields{"passcode_separator": nil}, defaults(nil)},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		for _, step := range steps {
			m.write("config", step.data)
			got := m.inForce("config")
			for key, want := range step.want {
				switch want.(type) {
				case int64:
					assert.Equal(t, want, num(t, got[key]), "%s: %s", step.name, key)
				case []string:
					assert.NotNil(t, got[key], "%s: %s", step.name, key)
					assert.Equal(t, want, toStrings(got[key]), "%s: %s", step.name, key)
				default:
					assert.Equal(t, want, got[key], "%s: %s", step.name, key)
				}
			}
		}
		m.write("config", fields{"mfa_factors": "PUSH", "push_failure_window": "2m", "max_push_failures": 7, "push_devices": "First",
			"passcode_separator": ";"})
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(m.stored("config")), &got))
		assert.Equal(t, []any{"push"}, got["mfa_factors"])
		assert.Equal(t, 120e9, got["push_failure_window"], "in ns, as the other durations")
		assert.Equal(t, 7.0, got["max_push_failures"])
		assert.Equal(t, "first", got["push_devices"])
		assert.Equal(t, ";", got["passcode_separator"])
	})
}

// What the builtin method does not know is in storage only where it was asked
// for: an entry of before is written back as it was.
func TestConfigStoresNoDefaults(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		const builtins = `{"token_bound_cidrs":null,"token_explicit_max_ttl":0,"token_max_ttl":0,"token_no_default_policy":false,` +
			`"token_num_uses":0,"token_period":0,"token_policies":null,"token_type":0,"token_ttl":0,"alias_metadata":null,` +
			`"organization":"acme","token":"00secret","base_url":"","ttl":0,"max_ttl":0,"bypass_okta_mfa":false}`
		m.plant("config", builtins)
		m.write("config", fields{"org_name": "acme"})
		assert.Equal(t, builtins, strings.TrimSpace(m.stored("config")))
		m.write("config", fields{"mfa_factors": "push", "passcode_separator": ",", "push_devices": "first"})
		m.write("config", fields{"mfa_factors": "", "passcode_separator": "", "push_devices": ""})
		assert.Equal(t, builtins, strings.TrimSpace(m.stored("config")))
	})
}

func TestConfigPolicy(t *testing.T) {
	t.Parallel()
	limit := mfa.PushLimit{Failures: 3, Window: 10 * time.Minute}
	unset := []mfa.Kind{mfa.KindPush, mfa.KindTOTP, mfa.KindToken}
	for _, test := range []struct {
		name   string
		stored string
		want   mfa.Policy
	}{
		{"the builtin method's", `{"organization":"acme"}`, mfa.Policy{Factors: unset, AllDevices: true, Push: limit}},
		{"bypass", `{"bypass_okta_mfa":true}`, mfa.Policy{Factors: unset, Bypass: true, AllDevices: true, Push: limit}},
		{"factors", `{"mfa_factors":["totp","sms"]}`, mfa.Policy{Factors: []mfa.Kind{"totp", "sms"}, AllDevices: true, Push: limit}},
		{"no factors", `{"mfa_factors":[]}`, mfa.Policy{Factors: unset, AllDevices: true, Push: limit}},
		{"all devices", `{"push_devices":"all"}`, mfa.Policy{Factors: unset, AllDevices: true, Push: limit}},
		{"first device", `{"push_devices":"first"}`, mfa.Policy{Factors: unset, Push: limit}},
		{"failures", `{"max_push_failures":9}`, mfa.Policy{Factors: unset, AllDevices: true, Push: mfa.PushLimit{Failures: 9, Window: 10 * time.Minute}}},
		{"timeout", `{"push_timeout":20000000000}`, mfa.Policy{Factors: unset, AllDevices: true, PushTimeout: 20 * time.Second, Push: limit}},
		{"window", `{"push_failure_window":1000000000}`, mfa.Policy{Factors: unset, AllDevices: true, Push: mfa.PushLimit{Failures: 3, Window: time.Second}}},
	} {
		var cfg configEntry
		require.NoError(t, json.Unmarshal([]byte(test.stored), &cfg), test.name)
		test.want.PushTimeout = cmp.Or(test.want.PushTimeout, time.Minute)
		assert.Equal(t, test.want, cfg.policy(), test.name)
	}
}

func TestIsPunctuation(t *testing.T) {
	t.Parallel()
	const all = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	for c := range 256 {
		assert.Equal(t, strings.IndexByte(all, byte(c)) >= 0, isPunctuation(string([]byte{byte(c)})), "%q", byte(c))
	}
	for _, s := range []string{"", ",,", ", ", "§", "¡", "«", "€", "，", "a", "0"} {
		assert.False(t, isPunctuation(s), s)
	}
}

func TestOrgURL(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		cfg  configEntry
		want string
	}{
		{configEntry{Organization: "acme"}, "https://acme.okta.com"},
		{configEntry{Organization: "acme", Production: &yes}, "https://acme.okta.com"},
		{configEntry{Organization: "acme", Production: &no}, "https://acme.oktapreview.com"},
		{configEntry{Organization: "acme", BaseURL: "oktapreview.com"}, "https://acme.oktapreview.com"},
		{configEntry{Organization: "acme", BaseURL: "okta-emea.com"}, "https://acme.okta-emea.com"},
		{configEntry{Organization: "acme", BaseURL: "okta.com/"}, "https://acme.okta.com"},
		{configEntry{Organization: "acme", BaseURL: "okta.com:8443"}, "https://acme.okta.com:8443"},
		{configEntry{Organization: "acme", BaseURL: "https://dev-1.oktapreview.com"}, "https://dev-1.oktapreview.com"},
		{configEntry{Organization: "acme", BaseURL: "https://login.acme.test/"}, "https://login.acme.test"},
		{configEntry{Organization: "acme", BaseURL: "https://127.0.0.1:8443"}, "https://127.0.0.1:8443"},
		{configEntry{Organization: "acme", BaseURL: "https://[::1]:8443"}, "https://[::1]:8443"},
		{configEntry{Organization: "acme", BaseURL: "okta.mil", Production: &no}, "https://acme.okta.mil"},
	}
	for _, test := range tests {
		got, err := test.cfg.orgURL()
		require.NoError(t, err, test.cfg.BaseURL)
		assert.Equal(t, test.want, got)
	}
}

func TestConfigWriteForgivesAndWarns(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		resp := m.write("config", fields{"org_name": "acme", "api_token": "00secret\n"})
		assert.Nil(t, resp)
		assert.Contains(t, m.stored("config"), `"token":"00secret"`, "a line end of a file is no part of the token")
		resp = m.write("config", fields{"bypas_okta_mfa": true})
		require.NotNil(t, resp)
		require.Len(t, resp.Warnings, 1)
		assert.Contains(t, resp.Warnings[0], "bypas_okta_mfa", "a field that there is not")

	})
}

// What the builtin method has stored and this one would refuse: a login says
// which field it is, and an update of that field mends it.
func TestConfigStoredUnsound(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		put := func(org, token string) {
			raw, err := json.Marshal(fields{"organization": org, "token": token, "base_url": m.okta.URL})
			require.NoError(t, err)
			m.plant("config", string(raw))
		}
		m.addUser("Everyone")
		put("acme", m.okta.Token+"\n")
		m.mustLogin(nil) // the line end of a file
		put("acme", "a\x07b")
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "api_token")
		put("acme.okta.com", m.okta.Token)
		_, status, text = m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "org_name")
		resp := m.write("config", fields{"org_name": "acme"})
		require.NotNil(t, resp)
		assert.Equal(t, []string{typedWarning, deletedTokenWarning}, resp.Warnings, "nobody knows where the token belonged")
		assert.Empty(t, m.mustLogin(nil).GroupAliases)
	})
}

// Vault asks whether config exists to tell create from update in ACLs.
func TestConfigExistenceCheck(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		req := m.request(logical.CreateOperation, "config", nil)
		found, exists, err := m.backend.HandleExistenceCheck(t.Context(), req)
		require.NoError(t, err)
		assert.True(t, found)
		assert.False(t, exists)
		m.configure(nil)
		_, exists, err = m.backend.HandleExistenceCheck(t.Context(), req)
		require.NoError(t, err)
		assert.True(t, exists)
	})
}

func TestConfigStorageFails(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.storage.fail(true, false)
		_, status, _ := m.do(logical.ReadOperation, "config", nil)
		assert.Equal(t, http.StatusInternalServerError, status)
		_, status, _ = m.do(logical.UpdateOperation, "config", fields{"org_name": "acme"})
		assert.Equal(t, http.StatusInternalServerError, status)
		m.storage.fail(false, true)
		_, status, _ = m.do(logical.UpdateOperation, "config", fields{"org_name": "acme"})
		assert.Equal(t, http.StatusInternalServerError, status)

		m.storage.fail(false, false)
		m.plant("config", `{"org`)
		_, status, _ = m.do(logical.ReadOperation, "config", nil)
		assert.Equal(t, http.StatusInternalServerError, status, "a broken entry is not taken for none")
	})
}

func TestSpecialPaths(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		special := m.backend.SpecialPaths()
		assert.ElementsMatch(t, []string{"login/*", "verify/*", "jwks"}, special.Unauthenticated)
		assert.ElementsMatch(t, []string{"config", "mfa/method/", "mfa/totp/", "service-app/keys"}, special.SealWrapStorage)
		assert.Equal(t, logical.TypeCredential, m.backend.Type())
	})
}

// What Vault, its UI and its standbys are told about the paths.
func TestPathProperties(t *testing.T) {
	b := newBackend(settings{version: testVersion})
	assert.Equal(t, testVersion, b.RunningVersion)
	for _, path := range b.Paths {
		assert.NotEmpty(t, path.HelpSynopsis, path.Pattern)
		assert.NotEmpty(t, path.HelpDescription, path.Pattern)
		require.NotNil(t, path.DisplayAttrs, path.Pattern)
		assert.Equal(t, "okta", path.DisplayAttrs.OperationPrefix, path.Pattern)
		for op, handler := range path.Operations {
			assert.NotEmpty(t, handler.Properties().Summary, "%s %s", op, path.Pattern)
		}
		for name, field := range path.Fields {
			assert.NotEmpty(t, field.Description, "%s %s", path.Pattern, name)
		}
	}
}

func TestFullURLWarnsOfTheBuiltin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		resp := m.write("config", fields{"org_name": "acme", "api_token": "t", "base_url": "https://login.acme.test"})
		require.NotNil(t, resp)
		assert.Equal(t, []string{fullURLWarning}, resp.Warnings)
		assert.Nil(t, m.write("config", fields{"token_ttl": "1h"}), "the write does not name it")
		assert.Nil(t, m.write("config", fields{"base_url": "oktapreview.com", "api_token": "t"}))
	})
}
