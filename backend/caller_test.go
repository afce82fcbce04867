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

func TestCallerConnection(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"198.51.100.7": "198.51.100.7", "198.51.100.7:4711": "198.51.100.7", "[2001:db8::1]:443": "2001:db8::1",
		"::ffff:198.51.100.7": "198.51.100.7", "2001:db8::1": "2001:db8::1", "2001:DB8:0::1": "2001:db8::1",
		"fe80::1%eth0; 1.2.3.4": "fe80::1", "@": "", "": "", "vault.acme.test": "",
	} {
		assert.Equal(t, okta.Caller{Address: want}, caller(from(address, nil)), address)
		assert.Equal(t, want, origin(from(address, nil)), address)
	}
	assert.Equal(t, okta.Caller{}, caller(&logical.Request{}))
	assert.Empty(t, origin(&logical.Request{}))
}

func TestCallerForwarded(t *testing.T) {
	t.Parallel()
	const gateway = "10.0.0.1"
	for _, test := range []struct {
		name   string
		values []string
		want   string // "": the connection's
	}{
		{"no header", nil, ""},
		{"an empty header", []string{""}, ""},
		{"one address", []string{"203.0.113.9"}, "203.0.113.9"},
		{"a list", []string{"203.0.113.9,198.51.100.4 ,\t2001:db8::1"}, "203.0.113.9, 198.51.100.4, 2001:db8::1"},
		{"several values", []string{"203.0.113.9", "198.51.100.4, 2001:db8::1"}, "203.0.113.9, 198.51.100.4, 2001:db8::1"},
		{"the order is kept, and repetitions", []string{"9.9.9.9, 1.1.1.1, 9.9.9.9"}, "9.9.9.9, 1.1.1.1, 9.9.9.9"},
		{"ports", []string{"203.0.113.9:4711, [2001:db8::1]:443"}, "203.0.113.9, 2001:db8::1"},
		{"brackets", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"a v6 address is no address with a port", []string{"2001:db8::1:443"}, "2001:db8::1:443"},
		{"zones", []string{"fe80::1%eth0, [fe80::2%eth0]:1"}, "fe80::1, fe80::2"},
		{"v4 in v6", []string{"::ffff:203.0.113.9, [::ffff:203.0.113.9]:80"}, "203.0.113.9, 203.0.113.9"},
		{"other spellings", []string{"2001:DB8:0:0::0001"}, "2001:db8::1"},
		{"nonsense before the addresses", []string{"unknown, _hidden, 203.0.113.9, , 198.51.100.4"}, "203.0.113.9, 198.51.100.4"},
		{"what comes before nonsense is not looked at", []string{"1.1.1.1, unknown, 203.0.113.9", "198.51.100.4"}, "203.0.113.9, 198.51.100.4"},
		{"nonsense at the end", []string{"203.0.113.9, 1.2.3"}, ""},
		{"leading zeros", []string{"203.0.113.9, 1.2.3.04"}, ""},
		{"a network", []string{"203.0.113.9, 10.0.0.0/8"}, ""},
		{"nonsense alone", []string{"unknown, localhost:80, [], [x], :80, 1.2.3.4:port"}, ""},
		{"what would end the header", []string{"1.2.3.4\r\nX-Evil: 1"}, ""},
		{"no more than eight, the last", []string{"1.1.1.1, 2.2.2.2, 3.3.3.3", "4.4.4.4, , 5.5.5.5, 6.6.6.6, 7.7.7.7, 8.8.8.8, 9.9.9.9"},
			"2.2.2.2, 3.3.3.3, 4.4.4.4, 5.5.5.5, 6.6.6.6, 7.7.7.7, 8.8.8.8, 9.9.9.9"},
		{"a very long list", []string{strings.Repeat("1.1.1.1,", 100_000) + "203.0.113.9"},
			strings.Repeat("1.1.1.1, ", 7) + "203.0.113.9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{"X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-FOR"} {
				headers := map[string][]string{name: test.values, "X-Forwarded-Host": {"192.0.2.1"}}
				want, wantOrigin := test.want, gateway+", "+test.want
				if test.want == "" {
					want, wantOrigin = gateway, gateway
				}
				assert.Equal(t, want, caller(from(gateway, headers)).Address, name)
				assert.Equal(t, wantOrigin, origin(from(gateway, headers)), name)

				assert.Equal(t, test.want, caller(&logical.Request{Headers: headers}).Address, "without a connection")
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
		assert.Equal(t, okta.Caller{Address: callerIP, UserAgent: test.want}, caller(from(callerIP, test.headers)), test.name)
	}
}

// Who may pass for whom, where a second login from the same client takes the
// place of a waiting one.
func TestOrigin(t *testing.T) {
	t.Parallel()
	const gateway, stranger = "10.0.0.1", "198.51.100.66"
	via := func(connection string, list ...string) string {
		return origin(from(connection, map[string][]string{"X-Forwarded-For": list}))
	}
	victim := via(gateway, "203.0.113.9")
	assert.Equal(t, victim, via(gateway, "203.0.113.9"), "the same client again")
	assert.Equal(t, victim, via(gateway+":4711", "203.0.113.9:4712"), "from other ports")
	assert.NotEqual(t, victim, via(gateway, "203.0.113.10"), "another client of the gateway")
	assert.NotEqual(t, victim, via(gateway, "203.0.113.9", stranger), "a forged header that the gateway appended to")
	assert.NotEqual(t, victim, via(stranger, "203.0.113.9"), "a forged header past the gateway")
	assert.NotEqual(t, victim, via(stranger, gateway, "203.0.113.9"), "a forged gateway past the gateway")
	assert.NotEqual(t, victim, via(gateway), "the gateway itself")
	assert.NotEqual(t, via(gateway, "1.1.1.1, 2.2.2.2"), via("1.1.1.1", gateway, "2.2.2.2"), "the same addresses in another order")

	for _, unknown := range []string{"", "@", "/run/vault.sock"} {
		assert.Empty(t, via(unknown, "203.0.113.9"), "a header alone makes nobody known: %q", unknown)
	}
	assert.Empty(t, origin(&logical.Request{Headers: map[string][]string{"X-Forwarded-For": {"203.0.113.9"}}}))
}

// Headers reach a plugin only where the mount is tuned to pass them through; here
// they are.
func TestLoginNamesItsCaller(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		req := m.request(logical.UpdateOperation, "login/"+testLogin, fields{"password": testPassword})
		req.Headers = map[string][]string{
			"X-Forwarded-For": {"unknown, 203.0.113.9:4711", "2001:db8::1"},
			"User-Agent":      {"probe/1.0"},
		}
		_, status, text := m.send(t.Context(), req)
		require.Equal(t, http.StatusOK, status, text)
		header := m.okta.Requests()[0].Header
		assert.Equal(t, "203.0.113.9, 2001:db8::1", header.Get("X-Forwarded-For"))
		assert.True(t, strings.HasPrefix(header.Get("User-Agent"), "probe/1.0"), header.Get("User-Agent"))
	})
}

// Every call of a login names the person's side, whatever it is for.
func TestEveryCallNamesItsCaller(t *testing.T) {
	const address = "203.0.113.9, 2001:db8::1"
	headers := map[string][]string{"X-Forwarded-For": {"203.0.113.9:4711, 2001:db8::1"}, "User-Agent": {"probe/1.0"}}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 100})
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
		m.configure(nil)
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
