package backend

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// checked are the rows of a check, by their name, each as one line.
type checked map[string]string

// check checks the stored configuration, or what data makes of it. How fast the machine
// is decides nothing.
func (m *mount) check(data fields) checked {
	m.t.Helper()
	var op logical.Operation = logical.ReadOperation
	if data != nil {
		op = logical.UpdateOperation
	}
	resp, status, text := m.do(op, "config/check", data)
	require.Equal(m.t, http.StatusOK, status, text)
	raw, err := json.Marshal(resp.Data)
	require.NoError(m.t, err)
	for _, secret := range append(m.okta.Secrets(), m.okta.Token) {
		require.NotContains(m.t, string(raw), secret)
	}
	var answer struct {
		Result string
		Checks []struct{ Check, Result, Detail, Action string }
	}
	require.NoError(m.t, json.Unmarshal(raw, &answer))
	rows, worst := checked{}, "ok"
	for _, row := range answer.Checks {
		assert.NotContains(m.t, rows, row.Check)
		assert.Equal(m.t, row.Result == "ok", row.Action == "", "%+v", row)
		assert.NotEmpty(m.t, row.Detail, row.Check)
		if row.Result == "fail" || worst == "ok" {
			worst = row.Result
		}
		rows[row.Check] = strings.TrimSuffix(row.Result+": "+row.Detail+" -> "+row.Action, " -> ")
	}
	assert.Equal(m.t, worst, answer.Result)
	delete(rows, "latency")
	return rows
}

// differs are the rows that are not ok, and those that are missing.
func (c checked) differs() checked {
	other := checked{}
	for _, name := range soundRows {
		other[name] = "missing"
	}
	for name, row := range c {
		delete(other, name)
		if !strings.HasPrefix(row, "ok: ") {
			other[name] = row
		}
	}
	return other
}

// soundRows are the rows of a sound configuration with an API token.
var soundRows = []string{"configuration", "name", "tcp", "tls", "certificate", "org", "engine", "clock", "api_token", "read_people", "read_groups",
	"read_factors", "rate_limit"}

// onwards are the names of the rows from that one on.
func onwards(first string) []string { return soundRows[slices.Index(soundRows, first):] }

// requireFound: the rows that are not ok are those of want, with these texts, and those of
// missing.
func requireFound(t *testing.T, got checked, want checked, missing ...string) {
	t.Helper()
	rows := got.differs()
	names := slices.Sorted(maps.Keys(want))
	for _, name := range missing {
		if want[name] == "" {
			names = append(names, name)
			assert.Equal(t, "missing", rows[name], "%v", got)
		}
	}
	assert.ElementsMatch(t, names, slices.Collect(maps.Keys(rows)), "%v", got)
	for name, text := range want {
		assert.Contains(t, rows[name], text, name)
	}
}

// A sound configuration has all rows, each of them ok. Okta is only read, and nothing is
// stored.
func TestCheckOfASoundConfiguration(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone").AddPush()
		before := m.stored("config")
		m.okta.Reset()
		got := m.check(nil)
		assert.ElementsMatch(t, soundRows, slices.Collect(maps.Keys(got)))
		requireFound(t, got, nil)
		assert.Equal(t, "ok: the org is "+m.okta.URL, got["configuration"])
		assert.Equal(t, "ok: connected to "+strings.TrimPrefix(m.okta.URL, "https://"), got["tcp"])
		assert.Regexp(t, `^ok: of CN=oktatest CA, good until 20..-`, got["certificate"])
		assert.Equal(t, "ok: TLS 1.3", got["tls"])
		assert.Equal(t, "ok: it is the Okta org "+m.okta.OrgID(), got["org"])
		assert.Equal(t, "ok: Classic Engine", got["engine"])
		assert.Regexp(t, `^ok: left for this minute: factors 59\d of 600, groups 59\d of 600, organization 59\d of 600, users 59\d of 600$`, got["rate_limit"])
		for _, r := range m.okta.Requests() {
			assert.Equal(t, http.MethodGet, r.Method, r.Path)
		}
		assert.Equal(t, before, m.stored("config"))
		assert.NotContains(t, m.logs.String(), m.okta.Token)

		m.okta.Configure(func(o *oktatest.Options) { o.Engine = "idx" })
		assert.Equal(t, "ok: Identity Engine", m.check(nil)["engine"])
		m.okta.Configure(func(o *oktatest.Options) { o.Engine = "v9" })
		requireFound(t, m.check(nil), checked{"engine": `warn: the org names an engine that the plugin does not know: "v9"`})
	})
}

// With an MFA method of type okta, the mount has to verify factors, by a request that
// reaches nobody.
func TestCheckOfFactors(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		mia := m.addUser("Everyone")
		push, sms := mia.AddPush(), mia.AddFactor("sms", "OKTA")
		m.createMethod("okta", fields{"method_name": "phone"})
		assert.Equal(t, "ok: permitted", m.check(nil)["verify_factors"])
		assert.Zero(t, push.Pushes()+sms.Sent()+mia.WrongPassCodes())
		m.okta.Fail("verifyfactor", oktatest.Status(http.StatusForbidden, "E0000006", "no"))
		m.okta.Fail("listfactors", oktatest.Status(http.StatusForbidden, "E0000006", "no"))
		requireFound(t, m.check(nil), checked{
			"verify_factors": "fail: not permitted: HTTP 403 (E0000006) -> give the administrator of the api_token a role that may do this: a help desk",
			"read_factors":   "fail: not permitted: HTTP 403 (E0000006) -> give the administrator",
		})
	})
}

// Each thing that can be wrong is told in its own row, and what would tell nothing after
// it is left out.
func TestCheckFindsEachFault(t *testing.T) {
	t.Parallel()
	forbidden := oktatest.Status(http.StatusForbidden, "E0000006", "no")
	for name, row := range map[string]struct {
		breaks  func(m *mount)
		want    checked
		missing []string
	}{
		"a web page that is not found": {func(m *mount) { m.okta.Fail("organization", oktatest.HTML(404)) },
			checked{"org": "fail: the host is no Okta org: HTTP 404 -> check org_name and base_url"}, onwards("engine")},
		"a web page": {func(m *mount) { m.okta.Fail("organization", oktatest.HTML(200)) },
			checked{"org": "fail: the host is no Okta org: okta's answer makes no sense: not JSON"}, onwards("engine")},
		"JSON of another service": {func(m *mount) { m.okta.Fail("organization", oktatest.Body(200, "application/json", `{"ok":true}`)) },
			checked{"org": "an org without an id"}, onwards("engine")},
		"a redirect": {func(m *mount) { m.okta.Fail("organization", oktatest.Redirect(302, "https://elsewhere.test/")) },
			checked{"org": "a redirect, which is not followed"}, onwards("engine")},
		"an org that fails": {func(m *mount) { m.okta.Fail("organization", oktatest.Status(500, "E0000009", "no")) },
			checked{"org": "fail: HTTP 500 (E0000009) -> look at status.okta.com"}, onwards("engine")},
		"a clock 10 minutes ahead": {func(m *mount) { m.skew(10 * time.Minute) },
			checked{"clock": "fail: Okta's clock is 10m0s ahead of this machine's"}, nil},
		"a clock 10 minutes behind": {func(m *mount) { m.skew(-10 * time.Minute) },
			checked{"clock": "fail: Okta's clock is 10m"}, nil},
		"a clock a minute off": {func(m *mount) { m.skew(time.Minute) },
			checked{"clock": "warn: Okta's clock is 1m"}, nil},
		"a token that Okta does not know": {func(m *mount) { m.write("config", fields{"api_token": "00wrong"}) },
			checked{"api_token": "fail: Okta does not take the token: HTTP 401 (E0000011) -> make a new token in Okta"},
			[]string{"read_people", "read_groups", "read_factors"}},
		"a token without rights": {func(m *mount) {
			for _, endpoint := range []string{"listusers", "groups", "listfactors"} {
				m.okta.Fail(endpoint, forbidden)
			}
		}, checked{"read_people": "fail: not permitted: HTTP 403 (E0000006) -> give the administrator of the api_token a role that may do this: a read-only administrator may"},
			[]string{"read_groups", "read_factors"}},
		"a token that reads no groups": {func(m *mount) { m.okta.Fail("groups", forbidden) },
			checked{"read_groups": "fail: not permitted: HTTP 403 (E0000006)"}, nil},
		"a token that reads no factors": {func(m *mount) { m.okta.Fail("listfactors", forbidden) },
			checked{"read_factors": "warn: not permitted, and needed only by resolve/: HTTP 403 (E0000006)"}, nil},
		"a token that sees nobody": {func(m *mount) { m.okta.User(testLogin).Delete() },
			checked{"read_groups": "warn: not tried: Okta shows the mount nobody"}, []string{"read_factors"}},
		"groups that fail": {func(m *mount) { m.okta.Fail("groups", oktatest.Status(500, "E0000009", "no")) },
			checked{"read_groups": "fail: HTTP 500 (E0000009) -> check again"}, nil},
		"no token": {func(m *mount) { m.write("config", fields{"api_token": ""}) },
			checked{"credential": "warn: there is neither an api_token nor a client_id"}, []string{"api_token", "read_people", "read_groups", "read_factors"}},
		"an org that limits the rate": {func(m *mount) { m.okta.Fail("listusers", oktatest.RateLimited(0, 42*time.Second)) },
			checked{"api_token": "warn: Okta limits the rate of requests (E0000047): try again in 42 seconds", "rate_limit": "fail: Okta has refused a request"},
			[]string{"read_people", "read_groups", "read_factors"}},
		"a limit for groups": {func(m *mount) { m.okta.Fail("groups", oktatest.RateLimited(0, 42*time.Second)) },
			checked{"read_groups": "warn: Okta limits the rate", "rate_limit": "fail: Okta has refused a request"}, nil},
		"a limit at the first request": {func(m *mount) { m.okta.Fail("organization", oktatest.RateLimitedBare()) },
			checked{"org": "warn: Okta limits the rate of requests (E0000047)", "clock": "warn: the answers tell no time", "rate_limit": "fail: Okta has refused a request"}, []string{"engine"}},
		"logins that have used the limit up": {func(m *mount) {
			m.okta.Configure(func(o *oktatest.Options) { o.RateLimit = 1 })
			m.mustLogin(nil)
		}, checked{"rate_limit": "warn: little is left for this minute: authn 0 of 1 -> wait"}, nil},
		"a certificate that has expired": {func(m *mount) { m.elsewhere(oktatest.Options{CertUntil: time.Now().Add(-time.Hour)}, true) },
			checked{"certificate": "fail: its certificate has expired or is not valid yet: of CN=oktatest CA, good until "}, onwards("org")},
		"a certificate that is about to": {func(m *mount) { m.elsewhere(oktatest.Options{CertUntil: time.Now().Add(5 * 24 * time.Hour)}, true) },
			checked{"certificate": "warn: it ends soon: of CN=oktatest CA"}, nil},
		"a certificate that nobody trusts": {func(m *mount) { m.elsewhere(oktatest.Options{}, false) },
			checked{"certificate": "fail: its certificate is not trusted: of CN=oktatest CA"}, onwards("org")},
		"a name that does not resolve": {func(m *mount) {
			m.write("config", fields{"base_url": "https://acme.okta.test", "api_token": "00new"})
			m.inner.dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, dialError(&net.DNSError{Err: "no such host", Name: "acme.okta.test", IsNotFound: true})
			}
		}, checked{"name": "fail: the name of the org's host does not resolve"}, onwards("tcp")},
		"a connection that is refused": {func(m *mount) {
			m.inner.dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))
			}
		}, checked{"tcp": "fail: no connection came about: dial tcp: connect: connection refused"}, onwards("tls")},
		"a port of something else": {func(m *mount) { m.write("config", fields{"base_url": "https://" + closing(m.t), "api_token": "00new"}) },
			checked{"tls": "fail: the host does not answer by TLS: "}, onwards("certificate")},
		"a stored URL that is not sound": {func(m *mount) { m.plant("config", `{"organization":"acme","base_url":"http://acme.okta.test"}`) },
			checked{"configuration": "fail: what is stored is not sound"}, onwards("name")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, false)
			m.configure(nil)
			m.addUser("Everyone")
			row.breaks(m)
			m.okta.Reset()
			got := m.check(nil)
			requireFound(t, got, row.want, row.missing...)
			if row.want["org"] != "" && !strings.HasPrefix(row.want["org"], "warn") {
				for _, r := range m.okta.Requests() {
					assert.Empty(t, r.Header.Get("Authorization"), "a host that is no org gets no token")
				}
			}
		})
	}
}

func TestCheckOfAnOrgThatHangs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.okta.Fail("organization", oktatest.Hang())
		got := m.check(nil)
		assert.Contains(t, got["org"], "fail: okta did not answer in time")
		assert.NotContains(t, got, "api_token")
	})
}

// skew has the org's clock differ from the mount's.
func (m *mount) skew(by time.Duration) {
	m.okta.Configure(func(o *oktatest.Options) { o.Now = func() time.Time { return m.clock.Now().Add(by) } })
}

// elsewhere moves the mount to another org.
func (m *mount) elsewhere(options oktatest.Options, trusted bool) {
	m.t.Helper()
	other := m.org(options, trusted)
	m.write("config", fields{"base_url": other.URL, "api_token": other.Token})
}

// org starts another org, which has a user, too.
func (m *mount) org(options oktatest.Options, trusted bool) *oktatest.Server {
	m.t.Helper()
	options.Now = m.clock.org.Now
	other := oktatest.NewServer(m.t, options)
	other.AddUser(testLogin, testPassword)
	if trusted {
		m.trusted = append(m.trusted, other.CertPEM)
		m.start()
	}
	return other
}

// closing is the address of a server that closes each connection.
func closing(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	return ln.Addr().String()
}

// A service app is checked as far as each of its scopes, its key and its role.
func TestCheckOfAServiceApp(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		app := m.serviceApp(appScopes...)
		m.write("config", fields{"client_id": app.ID, "api_token": ""})
		found := func(want checked, missing ...string) {
			t.Helper()
			requireFound(t, m.check(nil), want, append(missing, "api_token")...)
		}
		found(nil)
		assert.Equal(t, "ok: Okta gives the app an access token for okta.users.read okta.groups.read", m.check(nil)["service_app"])
		unread := []string{"read_people", "read_groups", "read_factors"}
		for i, scope := range appScopes {
			app.Grant(appScopes[1-i])
			found(checked{
				"service_app":    "fail: Okta gives the app no access token for all of the scopes: HTTP 400 (invalid_scope)",
				"scope " + scope: "fail: it is not granted -> grant it to the app in Okta",
			}, unread...)
			assert.Equal(t, "ok: it is granted", m.check(nil)["scope "+appScopes[1-i]])
		}
		app.Grant(appScopes...)
		m.write("config", fields{"scopes": "okta.groups.read"})
		found(checked{"read_people": "fail: not permitted: HTTP 403 (insufficient_scope) -> add okta.users.read to scopes, and grant it"}, unread[1:]...)
		m.write("config", fields{"scopes": ""})
		m.createMethod("okta", fields{"method_name": "phone"})
		found(checked{"verify_factors": "fail: not permitted: HTTP 403 (insufficient_scope) -> add okta.users.manage to scopes, and grant it"})
		app.Grant(append(appScopes, "okta.users.manage")...)
		got := m.check(fields{"scopes": "okta.users.read,okta.users.manage"})
		assert.Equal(t, "ok: permitted", got["verify_factors"], "%v", got)
		m.okta.Fail("groups", oktatest.Status(http.StatusForbidden, "E0000006", "no").Times(1))
		found(checked{
			"read_groups":    "fail: not permitted: HTTP 403 (E0000006) -> give the app in Okta an admin role that may do this",
			"verify_factors": "fail: ",
		})
		m.okta.Fail("token", oktatest.RateLimited(0, 42*time.Second))
		found(checked{"service_app": "warn: Okta limits the rate", "rate_limit": "fail: "}, unread...)
		m.okta.ClearFaults()
		m.skew(10 * time.Minute)
		found(checked{"service_app": "fail: Okta gives the app no access token: HTTP 401 (invalid_client)", "clock": "fail: "}, unread...)
		m.skew(0)
		m.write("config", fields{"client_id": "0oaother"})
		found(checked{"service_app": "fail: Okta gives the app no access token: HTTP 401 (invalid_client): The iss"}, unread...)
	})
}

// A proposed configuration is checked as a write checks it, and not stored. What is stored
// as a secret is sent to no other host.
func TestCheckOfAProposedConfiguration(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, status, text := m.do(logical.ReadOperation, "config/check", nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "not configured")
		m.addUser("Everyone")
		requireFound(t, m.check(fields{"org_name": "acme", "base_url": m.okta.URL, "api_token": m.okta.Token}), nil)
		assert.Empty(t, m.stored("config"))

		app := m.serviceApp(appScopes...)
		other := m.org(oktatest.Options{Token: "00another-token"}, true)
		m.configure(nil)
		before := m.stored("config")
		unsent := checked{"credential": "warn: not tried: the stored credentials are for another host"}
		unread := []string{"api_token", "read_people", "read_groups", "read_factors"}
		for _, more := range []fields{
			{},
			{"client_id": ""},
			{"scopes": "okta.users.read"},
		} {
			more["base_url"] = other.URL
			requireFound(t, m.check(more), unsent, unread...)
		}
		for _, r := range other.Requests() {
			assert.Empty(t, r.Header.Get("Authorization"), r.Path)
		}
		got := m.check(fields{"base_url": other.URL, "api_token": "00another-token"})
		requireFound(t, got, nil)
		assert.Equal(t, "ok: the org is "+other.URL, got["configuration"])
		assert.Equal(t, before, m.stored("config"))

		// The key of a service app signs for no host that the request does not name it for.
		m.write("config", fields{"client_id": app.ID})
		other.Reset()
		requireFound(t, m.check(fields{"base_url": other.URL}), unsent, unread...)
		requireFound(t, m.check(fields{"base_url": other.URL, "api_token": "00another-token"}), unsent, unread...)
		assert.Equal(t, 2, len(other.Requests()))
		assert.Contains(t, m.check(fields{"base_url": other.URL, "client_id": app.ID})["service_app"], "fail: ")
		assert.Equal(t, m.okta.URL, m.check(fields{"base_url": m.okta.URL})["configuration"][len("ok: the org is "):])
		assert.Contains(t, m.check(fields{"token_ttl": "1h"})["service_app"], "ok: ")

		for _, bad := range []struct {
			data fields
			text string
		}{
			{fields{"base_url": "http://acme.okta.com"}, "base_url must use https"},
			{fields{"token_ttl": "soon"}, `"token_ttl"`},
			{fields{"mfa_methods": "gone"}, `mfa_methods names "gone"`},
			{fields{"group_filter": "^("}, "group_filter must be"},
			{fields{"max_login_failures": 1}, "max_login_failures must be"},
		} {
			_, status, text := m.do(logical.UpdateOperation, "config/check", bad.data)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, bad.text)
		}
	})
}

// A read takes no field of config: its address may be logged, and whoever may only read
// must not choose the host that Vault connects to.
func TestCheckByAReadIsOfWhatIsStored(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for field, schema := range configFields() {
			if field == "defaults" { // which only a read of config has
				continue
			}
			value := "1"
			if schema.Type == framework.TypeKVPairs {
				value = "a=1"
			}
			_, status, text := m.do(logical.ReadOperation, "config/check", fields{field: value})
			assert.Equal(t, http.StatusBadRequest, status, field)
			assert.Contains(t, text, field+" must be given by a write of config/check")
		}
		assert.Empty(t, m.okta.Requests())
	})
}
