package backend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

func from(address string, headers map[string][]string) *logical.Request {
	return &logical.Request{Connection: &logical.Connection{RemoteAddr: address}, Headers: headers}
}

// gateway is the proxy that the tests trust.
const gateway = "10.0.0.1"

// trusting is a configuration that believes the proxies in those networks.
func trusting(t *testing.T, networks ...string) *configEntry {
	t.Helper()
	cfg := &configEntry{}
	for _, s := range networks {
		network, ok := parseNetwork(s)
		require.True(t, ok, s)
		cfg.TrustedProxies = append(cfg.TrustedProxies, network)
	}
	return cfg
}

func TestCallerConnection(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"198.51.100.7": "198.51.100.7", "198.51.100.7:4711": "198.51.100.7", "[2001:db8::1]:443": "2001:db8::1",
		"::ffff:198.51.100.7": "198.51.100.7", "2001:db8::1": "2001:db8::1", "2001:DB8:0::1": "2001:db8::1",
		"fe80::1%eth0; 1.2.3.4": "fe80::1", "@": "", "": "", "vault.acme.test": "",
	} {
		assert.Equal(t, okta.Caller{Address: want}, trusting(t).caller(from(address, nil)), address)
	}
	assert.Equal(t, okta.Caller{}, trusting(t).caller(&logical.Request{}))
}

// The one address that is believed, and told to Okta and Duo, of a request that came
// from a trusted proxy, with others of them in 192.0.2.0/24 and 2001:db8:f::/48.
func TestCallerForwarded(t *testing.T) {
	t.Parallel()
	cfg := trusting(t, gateway, "192.0.2.0/24", "2001:db8:f::/48")
	for _, test := range []struct {
		name   string
		values []string
		want   string // "": the connection's
	}{
		{"no header", nil, ""},
		{"an empty header", []string{""}, ""},
		{"one address", []string{"203.0.113.9"}, "203.0.113.9"},
		{"the last address, not what its owner claims", []string{"8.8.8.8, 203.0.113.9"}, "203.0.113.9"},
		{"before a trusted proxy", []string{"203.0.113.9, 192.0.2.7"}, "203.0.113.9"},
		{"before several", []string{"8.8.8.8,203.0.113.9 ,\t2001:db8:f::1, 192.0.2.8"}, "203.0.113.9"},
		{"nothing before a stranger", []string{"203.0.113.9, 198.51.100.4, 192.0.2.7"}, "198.51.100.4"},
		{"nothing but trusted proxies: the first of them", []string{"192.0.2.9, 192.0.2.8"}, "192.0.2.9"},
		{"several values", []string{"203.0.113.9", "192.0.2.7, 2001:db8:f::1"}, "203.0.113.9"},
		{"ports", []string{"203.0.113.9:4711, [2001:db8:f::1]:443"}, "203.0.113.9"},
		{"brackets", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"a v6 address is no address with a port", []string{"2001:db8::1:443"}, "2001:db8::1:443"},
		{"zones", []string{"[fe80::2%eth0]:1"}, "fe80::2"},
		{"v4 in v6", []string{"::ffff:203.0.113.9, [::ffff:192.0.2.7]:80"}, "203.0.113.9"},
		{"other spellings", []string{"2001:DB8:0:0::0001"}, "2001:db8::1"},
		{"empty entries", []string{"203.0.113.9, , ", ","}, "203.0.113.9"},
		{"nonsense before a trusted proxy: the client is not known", []string{"203.0.113.9, unknown, 192.0.2.7"}, "192.0.2.7"},
		{"nonsense at the end", []string{"203.0.113.9, 1.2.3"}, ""},
		{"leading zeros", []string{"203.0.113.9, 1.2.3.04"}, ""},
		{"a network", []string{"203.0.113.9, 10.0.0.0/8"}, ""},
		{"nonsense alone", []string{"unknown, localhost:80, [], [x], :80, 1.2.3.4:port"}, ""},
		{"what would end the header", []string{"1.2.3.4\r\nX-Evil: 1"}, ""},
		{"a very long list", []string{strings.Repeat("1.1.1.1,", 100_000) + "203.0.113.9"}, "203.0.113.9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{"X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-FOR"} {
				headers := map[string][]string{name: test.values, "X-Forwarded-Host": {"192.0.2.1"}}
				want := test.want
				if want == "" {
					want = gateway
				}
				assert.Equal(t, want, cfg.caller(from(gateway, headers)).Address, name)
				assert.Equal(t, want, cfg.caller(from("[::ffff:10.0.0.1]:4711", headers)).Address, name)

				for _, other := range []string{"198.51.100.66", "10.0.0.2", "2001:db8::66"} {
					assert.Equal(t, other, cfg.caller(from(other, headers)).Address, "not by way of a trusted proxy")
				}
				assert.Equal(t, gateway, trusting(t).caller(from(gateway, headers)).Address, "a mount that trusts nobody")
				for _, unknown := range []string{"", "@", "/run/vault.sock"} {
					assert.Empty(t, cfg.caller(from(unknown, headers)).Address, "the header alone makes nobody known")
				}
				assert.Empty(t, cfg.caller(&logical.Request{Headers: headers}).Address, "without a connection")
			}
		})
	}
}

func TestCallerUserAgent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		headers map[string][]string
		want    string
	}{
		{"none", nil, ""},
		{"another", map[string][]string{"X-User-Agent": {"a"}}, ""},
		{"canonical", map[string][]string{"User-Agent": {"Go-http-client/1.1"}}, "Go-http-client/1.1"},
		{"as HTTP/2 has it", map[string][]string{"user-agent": {"curl/8.5.0, really"}}, "curl/8.5.0, really"},
		{"no value", map[string][]string{"User-Agent": {}}, ""},
		{"several", map[string][]string{"User-Agent": {"one", "two"}}, "one"},
	} {
		assert.Equal(t, okta.Caller{Address: callerIP, UserAgent: test.want}, trusting(t).caller(from(callerIP, test.headers)), test.name)
	}
}

// What trusted_proxies takes, what a read returns of it, and that nothing is stored where
// it cannot be.
func TestConfigTrustedProxies(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.write("config", fields{"org_name": "acme"})
		assert.NotContains(t, m.read("config"), "trusted_proxies")
		assert.NotContains(t, m.stored("config"), "trusted_proxies")
		for _, test := range []struct {
			given any
			want  []string
		}{
			{"10.0.0.1", []string{"10.0.0.1"}},
			{"10.0.0.1/32, 10.0.0.1,2001:DB8::1", []string{"10.0.0.1", "2001:db8::1"}},
			{[]any{"10.1.2.3/8", "2001:db8:1::1/32", "::ffff:192.0.2.1", "::ffff:198.51.100.0/120"},
				[]string{"10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "198.51.100.0/24"}},
			{nil, []string{"10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "198.51.100.0/24"}},
		} {
			m.write("config", fields{"trusted_proxies": test.given})
			assert.Equal(t, test.want, toStrings(m.read("config")["trusted_proxies"]))
		}
		before := m.stored("config")
		for _, wrong := range []any{"10.0.0.0/33", "10.0.0", "gateway.acme.test", "10.0.0.1:443", "fe80::1%eth0", "10.0.0.1-10.0.0.9",
			"::ffff:10.0.0.0/90", []any{"10.0.0.1", ""}, "10.0.0.1,,10.0.0.2", "*", false} {
			_, status, text := m.do(logical.UpdateOperation, "config", fields{"trusted_proxies": wrong, "bypass_okta_mfa": true})
			assert.Equal(t, http.StatusBadRequest, status, wrong)
			assert.Contains(t, text, "trusted_proxies must be a list of IP addresses and CIDR blocks", wrong)
			assert.Equal(t, before, m.stored("config"), wrong)
		}
		m.start()
		assert.Equal(t, []string{"10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "198.51.100.0/24"}, toStrings(m.read("config")["trusted_proxies"]))
		m.write("config", fields{"trusted_proxies": ""})
		assert.NotContains(t, m.read("config"), "trusted_proxies")
		assert.NotContains(t, m.stored("config"), "trusted_proxies")
	})
}

// An administrator whose own request shows that the mount ignores the header learns it.
func TestConfigWarnsOfAnIgnoredHeader(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		ask := func(op logical.Operation, address string, headers map[string][]string) []string {
			req := m.from(address, headers, nil)
			req.Operation, req.Path, req.Data = op, "config", fields{}
			resp, status, text := m.send(t.Context(), req)
			require.Equal(t, http.StatusOK, status, text)
			if resp == nil {
				return nil
			}
			return resp.Warnings
		}
		forwarded := map[string][]string{"x-forwarded-for": {"203.0.113.9"}}
		m.configure(nil)
		for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
			for _, trusted := range []string{"", "192.0.2.0/24"} {
				m.write("config", fields{"trusted_proxies": trusted})
				warnings := ask(op, gateway+":4711", forwarded)
				require.Len(t, warnings, 1)
				assert.Contains(t, warnings[0], "it came from 10.0.0.1, which is not in trusted_proxies")
				assert.Empty(t, ask(op, gateway, nil))
				assert.Empty(t, ask(op, "@", forwarded), "a Unix socket")
			}
			m.write("config", fields{"trusted_proxies": gateway})
			assert.Empty(t, ask(op, gateway, forwarded))
		}
	})
}

// Headers reach a plugin only where the mount is tuned to pass them through; here
// they are.
func TestLoginNamesItsCaller(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"trusted_proxies": callerIP})
		m.addUser("Everyone")
		req := m.request(logical.UpdateOperation, "login/"+testLogin, fields{"password": testPassword})
		req.Headers = map[string][]string{
			"X-Forwarded-For": {"unknown, 203.0.113.9:4711", "2001:db8::1"},
			"User-Agent":      {"probe/1.0"},
		}
		_, status, text := m.send(t.Context(), req)
		require.Equal(t, http.StatusOK, status, text)
		header := m.okta.Requests()[0].Header
		assert.Equal(t, "2001:db8::1", header.Get("X-Forwarded-For"))
		assert.True(t, strings.HasPrefix(header.Get("User-Agent"), "probe/1.0"), header.Get("User-Agent"))
	})
}

// Every call of a login names the person's side, whatever it is for.
func TestEveryCallNamesItsCaller(t *testing.T) {
	const address = "203.0.113.9"
	headers := map[string][]string{"X-Forwarded-For": {"8.8.8.8, 203.0.113.9:4711, 10.0.0.2"}, "User-Agent": {"probe/1.0"}}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 100, "mfa_factors": allFactors, "trusted_proxies": "10.0.0.0/29"})
		u := m.addUser("Everyone")
		first, second := u.AddPush(), u.AddPush()
		sms, totp := u.AddFactor("sms", "OKTA"), u.AddTOTP("OKTA")
		do := func(data fields) (*logical.Response, int, string) {
			return m.send(t.Context(), m.from("10.0.0.1:4711", headers, data))
		}
		begin := func(data fields) heldState {
			data["wait"] = false
			return m.state(do(data))
		}
		u.SetStatus("PASSWORD_WARN") // which is skipped after the factor
		second.SetScript("WAITING", "WAITING", "SUCCESS")
		_, status, text := do(nil)
		require.Equal(t, http.StatusOK, status, text)

		do(fields{"provider": "sms"})
		m.clock.advance(30 * time.Second)
		do(fields{"provider": "sms", "resend": true})
		do(fields{"totp": sms.Code()})

		second.SetScript("WAITING")
		held := begin(fields{})
		do(fields{"transaction_id": held.TransactionID, "factor": "totp"})
		m.clock.advance(30 * time.Second)
		do(fields{"transaction_id": held.TransactionID, "factor": "sms"})
		do(fields{"transaction_id": held.TransactionID, "totp": m.nextCode(totp), "factor": "totp"})
		held = begin(fields{})
		m.later()
		do(fields{"transaction_id": held.TransactionID})
		do(fields{"transaction_id": held.TransactionID, "cancel": true})
		first.SetScript("WAITING", "REJECTED")
		do(nil)

		seen := map[string]int{}
		for _, r := range m.okta.Requests() {
			if !strings.HasPrefix(r.Path, "/api/v1/authn") {
				continue
			}
			name := r.Path[strings.LastIndex(r.Path, "/")+1:]
			seen[name]++
			assert.Equal(t, address, r.ForwardedFor(), name)
			assert.Equal(t, "probe/1.0 vault-plugin-auth-okta/"+testVersion, r.UserAgent(), name)
		}
		for _, name := range []string{"authn", "verify", "resend", "previous", "skip", "cancel"} {
			assert.NotZero(t, seen[name], name)
		}
	})
}

// A code that was sent for one login is answered in the name of the one that
// brings it.
func TestCodeIsAnsweredInTheNameOfWhoBringsIt(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": "sms"})
		sms := m.addUser("Everyone").AddFactor("sms", "OKTA")
		m.refused(nil)
		m.okta.Reset()
		req := m.from("203.0.113.9", map[string][]string{"User-Agent": {"probe/2.0"}}, fields{"totp": sms.Code()})
		_, status, text := m.send(t.Context(), req)
		require.Equal(t, http.StatusOK, status, text)
		for _, r := range m.okta.Requests() {
			if strings.HasPrefix(r.Path, "/api/v1/authn") {
				assert.Equal(t, "203.0.113.9", r.ForwardedFor(), r.Path)
				assert.True(t, strings.HasPrefix(r.UserAgent(), "probe/2.0 "), r.Path)
			}
		}
	})
}
