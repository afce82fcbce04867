package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// check checks the stored configuration, or what proposed makes of it, and returns the
// rows by their names, each as one line. How fast the machine is decides nothing.
func (m *mount) check(proposed object) map[string]string {
	m.t.Helper()
	method := http.MethodGet
	if proposed != nil {
		method = http.MethodPost
	}
	a := m.mustDo(method, m.full("config/check"), proposed)
	require.NotContains(m.t, string(a.Raw), m.org.Token)
	rows := map[string]string{}
	for _, row := range a.Data()["checks"].([]any) {
		row := row.(object)
		rows[row["check"].(string)] = fmt.Sprintf("%s: %s", row["result"], row["detail"])
	}
	delete(rows, "latency")
	return rows
}

// requireRows: the rows that are not ok are those of want.
func requireRows(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, row := range got {
		if want[name] == "" {
			require.True(t, strings.HasPrefix(row, "ok: "), "%s: %s", name, row)
		}
	}
	for name, text := range want {
		require.Contains(t, got[name], text, "%s in %v", name, got)
	}
}

// setClock puts the org's clock ahead of the real one.
func (m *mount) setClock(ahead time.Duration) {
	m.org.Configure(func(o *oktatest.Options) { o.Now = func() time.Time { return time.Now().Add(ahead) } })
}

// A sound configuration is ok in each row, before it is stored and after.
func TestConfigCheckOfASoundConfiguration(t *testing.T) {
	t.Parallel()
	m := enable(t, newOrg(t))
	m.addUser("mia@acme.test", "Scientists")
	proposed := object{"org_name": m.org.Name, "base_url": "okta.test", "api_token": m.org.Token}
	rows := m.check(proposed)
	requireRows(t, rows, nil)
	require.Equal(t, http.StatusNotFound, m.read("config").Status, "nothing is stored")
	m.configure()
	stored := m.check(nil)
	requireRows(t, stored, nil)
	require.Len(t, stored, len(rows))
	require.Contains(t, stored["proxy"], "requests go by the proxy")
	require.Contains(t, stored["engine"], "Classic Engine")
	for _, r := range m.org.Requests() {
		require.Equal(t, http.MethodGet, r.Method, r.Path)
	}

	m.mustDo(http.MethodPut, "sys/policies/acl/"+m.Path, object{"policy": `path "` + m.full("config/check") + `" { capabilities = ["read"] }`})
	token := m.mustDo(http.MethodPost, "auth/token/create", object{"policies": []string{m.Path}}).Token()
	require.NoError(t, m.asToken(token, http.MethodGet, m.full("config/check"), nil).Err())
	requireRefused(t, m.asToken(token, http.MethodPost, m.full("config/check"), proposed), http.StatusForbidden, "permission denied")
}

// Each thing that can be wrong is told in its own row.
func TestConfigCheckFindsEachFault(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.addUser("mia@acme.test", "Scientists")
	fail := func(endpoint string, fault oktatest.Fault, want map[string]string) {
		t.Helper()
		m.org.Fail(endpoint, fault)
		requireRows(t, m.check(nil), want)
		m.org.ClearFaults()
	}
	fail("organization", oktatest.HTML(http.StatusNotFound), map[string]string{"org": "fail: the host is no Okta org: HTTP 404"})
	fail("listusers", oktatest.Status(http.StatusForbidden, "E0000006", "no"), map[string]string{"read_people": "fail: not permitted: HTTP 403 (E0000006)"})
	fail("groups", oktatest.Status(http.StatusForbidden, "E0000006", "no"), map[string]string{"read_groups": "fail: not permitted: HTTP 403 (E0000006)"})
	fail("listusers", oktatest.RateLimited(0, 42*time.Second), map[string]string{
		"api_token": "warn: Okta limits the rate of requests (E0000047)", "rate_limit": "fail: "})

	for _, endpoint := range []string{"listusers", "groups", "listfactors"} {
		m.org.Fail(endpoint, oktatest.Status(http.StatusForbidden, "E0000006", "no"))
	}
	rows := m.check(nil)
	requireRows(t, rows, map[string]string{"read_people": "fail: not permitted: HTTP 403 (E0000006)"})
	require.Equal(t, "ok: Okta takes the token", rows["api_token"])
	require.NotContains(t, rows, "read_groups", "a row that would tell nothing")
	m.org.ClearFaults()
	for _, endpoint := range []string{"organization", "listusers", "groups", "listfactors"} {
		m.org.Fail(endpoint, oktatest.RateLimited(0, 42*time.Second))
	}
	requireRows(t, m.check(nil), map[string]string{"org": "warn: Okta limits the rate", "api_token": "warn: Okta limits the rate", "rate_limit": "fail: "})
	m.org.ClearFaults()

	requireRows(t, m.check(object{"base_url": "https://" + duoHost(<-suite.duos)}), map[string]string{"org": "fail: the host is no Okta org: HTTP 404"})
	requireRows(t, m.check(object{"api_token": "00wrong"}), map[string]string{"api_token": "fail: Okta does not take the token: HTTP 401 (E0000011)"})
	requireRows(t, m.check(object{"org_name": suite.expired.Name}), map[string]string{"certificate": "fail: its certificate has expired"})
	requireRows(t, m.check(object{"org_name": "nobody"}), map[string]string{"proxy": "fail: the proxy "})
	requireRows(t, m.check(object{"base_url": "https://127.0.0.1:1"}), map[string]string{"tcp": "fail: no connection came about: "})
	requireRows(t, m.check(nil), nil)

	other := newOrg(t)
	requireRows(t, m.check(object{"org_name": other.Name}), map[string]string{"credential": "warn: not tried: the stored credentials are for another host"})
	require.NotEmpty(t, other.Requests())
	for _, r := range other.Requests() {
		require.Empty(t, r.Header.Get("Authorization"))
		require.NotContains(t, fmt.Sprint(r.Header, r.RawQuery, string(r.Body)), m.org.Token)
	}
	m.setClock(10 * time.Minute)
	requireRows(t, m.check(nil), map[string]string{"clock": "fail: Okta's clock is "})
}

// A scope that is not granted to the service app, and one that it does not ask for, are
// told by name.
func TestConfigCheckOfAServiceApp(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.addUser("mia@acme.test", "Scientists")
	m.mustWrite("config/key", object{"algorithm": "ES256"})
	app := m.org.AddServiceApp()
	require.NoError(t, app.SaveKeys(m.mustDo(http.MethodGet, m.full("jwks"), nil).Raw))
	scopes := []string{"okta.users.read", "okta.groups.read", "okta.users.manage"}
	proposed := object{"client_id": app.ID, "scopes": scopes}
	for i, missing := range scopes {
		app.Grant(slices.Delete(slices.Clone(scopes), i, i+1)...)
		requireRows(t, m.check(proposed), map[string]string{
			"service_app": "fail: Okta gives the app no access token for all of the scopes", "scope " + missing: "fail: it is not granted"})
	}
	app.Grant(scopes...)
	requireRows(t, m.check(proposed), nil)
	for _, ahead := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		m.setClock(ahead)
		requireRows(t, m.check(proposed), map[string]string{"clock": "fail: Okta's clock is ", "service_app": "fail: Okta gives the app no access token: HTTP 401 (invalid_client)"})
	}
	m.setClock(0)
	proposed = object{"client_id": app.ID}
	m.mustWrite("mfa/method/okta", object{"method_name": "phone"})
	requireRows(t, m.check(proposed), map[string]string{"verify_factors": "fail: not permitted: HTTP 403 (insufficient_scope)"})
	requireRows(t, m.check(object{"client_id": app.ID, "scopes": scopes}), nil)
	require.NotContains(t, m.mustRead("config"), "client_id", "nothing is stored")
}
