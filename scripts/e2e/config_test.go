package e2e

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// number is a JSON number as the client decodes it.
func number(n int) any { return float64(n) }

func TestConfigIsAbsentBeforeItIsWritten(t *testing.T) {
	t.Parallel()
	m := enable(t, newOrg(t))
	require.Equal(t, http.StatusNotFound, m.read("config").Status)
	requireRefused(t, m.write("config", object{}), http.StatusBadRequest, "org_name")
	require.Equal(t, http.StatusNotFound, m.read("config").Status)

	a := m.attempt("anyone@acme.test", object{"password": secret()})
	require.GreaterOrEqual(t, a.Status, 400)
	require.Empty(t, a.Token())
}

func TestConfigReadHasExactlyTheseFields(t *testing.T) {
	t.Parallel()
	m := enable(t, newOrg(t))
	m.mustWrite("config", object{"org_name": "acme", "api_token": m.org.Token})
	want := object{
		"org_name": "acme", "organization": "acme", "bypass_okta_mfa": false,
		"token_bound_cidrs": []any{}, "token_explicit_max_ttl": number(0), "token_max_ttl": number(0),
		"token_no_default_policy": false, "token_num_uses": number(0), "token_period": number(0),
		"token_policies": []any{}, "token_ttl": number(0), "token_type": "default",
	}
	requireConfig(t, m, want)

	a := m.mustWrite("config", object{
		"base_url": "oktapreview.test", "bypass_okta_mfa": true, "ttl": "1h", "max_ttl": "2h",
		"token_policies": "a,B,a", "token_bound_cidrs": "127.0.0.0/8,10.1.2.3", "token_type": "service",
	})
	require.Contains(t, a.Warnings(), "MFA")
	want["base_url"], want["bypass_okta_mfa"] = "oktapreview.test", true
	want["ttl"], want["max_ttl"], want["token_ttl"], want["token_max_ttl"] = number(3600), number(7200), number(3600), number(7200)
	want["token_policies"] = []any{"a", "B", "a"}
	want["token_bound_cidrs"], want["token_type"] = []any{"127.0.0.0/8", "10.1.2.3"}, "service"
	requireConfig(t, m, want)
	require.Contains(t, m.read("config").Warnings(), "MFA")
}

// requireConfig checks what a read returns: these fields, and no others.
func requireConfig(t *testing.T, m *mount, want object) {
	t.Helper()
	a := m.read("config")
	require.NoError(t, a.Err())
	require.Equal(t, want, a.Data())
	requireNoSecret(t, m, a)
}

// requireInForce checks fields of a read with its defaults.
func requireInForce(t *testing.T, m *mount, want object) {
	t.Helper()
	a := m.inForce("config")
	for k := range want {
		require.Equal(t, want[k], a.Data()[k], k)
	}
	requireNoSecret(t, m, a)
}

func requireNoSecret(t *testing.T, m *mount, a harness.Answer) {
	t.Helper()
	got := a.Data()
	require.NotContains(t, got, "api_token")
	require.NotContains(t, got, "token")
	require.NotContains(t, string(a.Raw), m.org.Token)
}

// Fields about factors have defaults, are stored as they are meant, and are
// refused where they could not work.
func TestConfigOfFactors(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	want := object{
		"mfa_factors": []any{"push", "totp", "token"}, "push_devices": "all", "max_push_failures": number(3), "push_failure_window": "10m",
		"push_timeout": "1m", "passcode_separator": "", "base_url": "okta.test",
	}
	requireInForce(t, m, want)
	for field := range want {
		if field != "base_url" {
			require.NotContains(t, m.mustRead("config"), field, "nobody has set it")
		}
	}
	m.mustWrite("config", object{
		"mfa_factors": "Push, totp,push", "push_devices": "FIRST", "max_push_failures": "5", "push_failure_window": "1h",
		"passcode_separator": ",", "push_timeout": "80s",
	})
	want = object{
		"mfa_factors": []any{"push", "totp"}, "push_devices": "first", "max_push_failures": number(5),
		"push_failure_window": "1h", "push_timeout": "1m20s", "passcode_separator": ",", "base_url": "okta.test",
	}
	requireInForce(t, m, want)
	m.mustWrite("config", json.RawMessage(`{"token_ttl":"20m","mfa_factors":null,"max_push_failures":null,"push_failure_window":null}`))
	requireInForce(t, m, want)
	for field, values := range map[string][]any{
		"mfa_factors": {"webauthn", "push,fax", []string{""}}, "push_devices": {"some", "second"},
		"max_push_failures": {0, -1, 1000, "many"}, "push_failure_window": {0, "soon", "48h"},
		"push_timeout":       {0, "9s", "81s"},
		"passcode_separator": {"a", "1", " ", ",,", "é"},
	} {
		for _, value := range values {
			requireRefused(t, m.write("config", object{field: value, "token_policies": "must not be stored"}), http.StatusBadRequest, field)
			requireInForce(t, m, want)
		}
	}
	require.Empty(t, m.mustRead("config")["token_policies"])
}

func TestConfigUpdateChangesOnlyTheFieldsItNames(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{
		"token_ttl": "20m", "token_policies": "kept", "alias_metadata": object{"team": "science"}, "bypass_okta_mfa": true,
	})
	before := m.mustRead("config")
	m.mustWrite("config", object{"token_period": "5m"})
	after := m.mustRead("config")
	require.Equal(t, number(300), after["token_period"])
	after["token_period"] = before["token_period"]
	require.Equal(t, before, after)
	require.Equal(t, object{"team": "science"}, after["alias_metadata"])

	// The API token was kept, too: groups are still found.
	m.mustWrite("config", object{"bypass_okta_mfa": false})
	m.mustWrite("groups/scientists", object{"policies": "science"})
	a := m.mustLogin(m.addUser("kept@acme.test", "Scientists"))
	require.Equal(t, []any{"default", "kept", "science"}, policies(a))
}

func TestConfigTakesOldNames(t *testing.T) {
	t.Parallel()
	m := enable(t, newOrg(t))
	m.mustWrite("config", object{
		"organization": "old", "token": m.org.Token, "production": false, "ttl": 60, "max_ttl": "3600",
	})
	got := m.mustRead("config")
	require.Equal(t, "old", got["org_name"])
	require.Equal(t, "old", got["organization"])
	require.Equal(t, false, got["production"])
	require.Equal(t, number(60), got["token_ttl"])
	require.Equal(t, number(3600), got["token_max_ttl"])

	a := m.mustWrite("config", object{"organization": "older", "org_name": m.org.Name, "base_url": "okta.test"})
	require.Contains(t, a.Warnings(), "the stored api_token has been deleted")
	m.mustWrite("config", object{"token": m.org.Token})
	got = m.mustRead("config")
	require.Equal(t, m.org.Name, got["org_name"])
	require.NotContains(t, got, "production", "is dropped with a base_url")
	m.mustWrite("groups/scientists", object{"policies": "science"})
	a = m.mustLogin(m.addUser("old@acme.test", "Scientists"))
	require.Equal(t, []any{"default", "science"}, policies(a), "the token by its old name is used")
}

func TestConfigBaseURL(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(*org) object{
		"name and domain": func(o *org) object { return object{"org_name": o.Name, "base_url": "okta.test"} },
		"full URL":        func(o *org) object { return object{"org_name": "acme", "base_url": "https://" + o.Host()} },
		"with slash":      func(o *org) object { return object{"org_name": "acme", "base_url": "https://" + o.Host() + "/"} },
		"with port":       func(o *org) object { return object{"org_name": "acme", "base_url": o.URL} },
		"domain and port": func(o *org) object { return object{"org_name": o.Name, "base_url": "okta.test:443"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := enable(t, newOrg(t))
			m.mustWrite("config", config(m.org))
			m.mustLogin(m.addUser("mia@acme.test"))
			require.Equal(t, 1, m.org.Count(http.MethodPost, "/api/v1/authn"))
		})
	}
}

// The next login goes where the configuration now says, with its token.
func TestConfigChangeTakesEffect(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("groups/scientists", object{"policies": "science"})
	m.mustLogin(m.addUser("mia@acme.test", "Scientists"))

	before, after := m.org, newOrg(t)
	m.org = after
	m.mustWrite("config", object{"org_name": after.Name, "api_token": secret()})
	u := m.addUser("mia@acme.test", "Scientists")
	requireRefused(t, m.login(u), http.StatusBadRequest, "E0000011")
	m.mustWrite("config", object{"api_token": after.Token})
	require.Equal(t, []any{"default", "science"}, policies(m.mustLogin(u)))
	require.Equal(t, 1, before.Count(http.MethodPost, "/api/v1/authn"))
	require.Equal(t, 2, after.Count(http.MethodPost, "/api/v1/authn"))
}

func TestConfigEmptyBaseURLIsTheDefault(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("config", object{"base_url": ""})
	require.NotContains(t, m.mustRead("config"), "base_url")
}

func TestConfigRefusesWhatItCannotParse(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"token_ttl": "20m"})
	before := m.mustRead("config")
	for field, value := range map[string]any{
		"base_url": "no url at all", "bypass_okta_mfa": "perhaps", "production": "perhaps",
		"ttl": "soon", "max_ttl": "later", "token_ttl": "soon", "token_max_ttl": "later",
		"token_period": "often", "token_explicit_max_ttl": "never", "token_num_uses": "some",
		"token_bound_cidrs": "here", "token_type": "paper", "token_no_default_policy": "perhaps",
	} {
		a := m.write("config", object{field: value, "token_policies": "must not be stored"})
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", field, a.Raw)
		require.Contains(t, a.Errors(), field)
		require.Equal(t, before, m.mustRead("config"), field)
	}
	for _, bad := range []string{"http://org.okta.test", "https://user:pass@org.okta.test", "https://org.okta.test/path?x"} {
		a := m.write("config", object{"base_url": bad})
		require.Equal(t, http.StatusBadRequest, a.Status, bad)
		require.Contains(t, a.Errors(), "base_url")
	}
	requireRefused(t, m.write("config", object{"token_ttl": "2h", "token_max_ttl": "1h"}), http.StatusBadRequest, "token_ttl")
	// Not text, and still a secret: the logs are searched for it.
	const secret = "00a-token-in-a-list"
	noteSecret(secret)
	a := m.write("config", object{"api_token": []string{secret}})
	require.Equal(t, http.StatusBadRequest, a.Status)
	require.NotContains(t, string(a.Raw), secret)
	require.Equal(t, before, m.mustRead("config"))
}

// hvac sends null for all that its caller did not set.
func TestConfigTakesNulls(t *testing.T) {
	t.Parallel()
	m := enable(t, newOrg(t))
	body := json.RawMessage(`{"org_name":"` + m.org.Name + `","base_url":"okta.test","api_token":"` + m.org.Token + `",
		"bypass_okta_mfa":null,"ttl":null,"max_ttl":null,"token_ttl":null,"token_policies":null,"token_type":null,"production":null}`)
	m.mustWrite("config", body)
	m.mustLogin(m.addUser("mia@acme.test"))

	m.mustWrite("config", object{"token_ttl": "20m"})
	m.mustWrite("config", json.RawMessage(`{"org_name":"`+m.org.Name+`","token_ttl":null,"base_url":null}`))
	got := m.mustRead("config")
	require.Equal(t, number(1200), got["token_ttl"], "a null duration counts as not given")
	require.NotContains(t, got, "base_url", "a null string clears the field")
}

func TestConfigCreateAndUpdateAreToldApart(t *testing.T) {
	t.Parallel()
	m := enable(t, newOrg(t))
	creator := m.tokenThatCan("create", "config")
	updater := m.tokenThatCan("update", "config")
	body := object{"org_name": m.org.Name}

	require.Equal(t, http.StatusForbidden, m.asToken(updater, http.MethodPost, m.full("config"), body).Status)
	require.NoError(t, m.asToken(creator, http.MethodPost, m.full("config"), body).Err())
	require.Equal(t, http.StatusForbidden, m.asToken(creator, http.MethodPost, m.full("config"), body).Status)
	require.NoError(t, m.asToken(updater, http.MethodPost, m.full("config"), body).Err())
}

// tokenThatCan makes a token with one capability on a path of the mount.
func (m *mount) tokenThatCan(capability, path string) string {
	m.t.Helper()
	policy := m.Path + "-" + capability
	m.mustDo(http.MethodPut, "sys/policies/acl/"+policy, object{
		"policy": `path "` + m.full(path) + `" { capabilities = ["` + capability + `"] }`,
	})
	token := m.mustDo(http.MethodPost, "auth/token/create", object{"policies": []string{policy}}).Token()
	noteSecret(token)
	return token
}
