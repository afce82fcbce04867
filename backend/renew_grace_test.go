package backend

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// outages are failures of Okta, with the status of a renewal that they refuse.
var outages = map[string]struct {
	fault  oktatest.Fault
	status int
}{
	"unreachable": {oktatest.CloseConnection(), http.StatusBadGateway},
	"failing":     {oktatest.Status(500, "E0000009", "Internal Server Error"), http.StatusBadGateway},
	"a proxy":     {oktatest.HTML(503), http.StatusBadGateway},
	"too slow":    {oktatest.Status(504, "E0000067", "Gateway Timeout"), http.StatusGatewayTimeout},
}

// TestOutageWithoutGrace: by default nobody's token is renewed while Okta cannot be asked.
func TestOutageWithoutGrace(t *testing.T) {
	for name, outage := range outages {
		for _, endpoint := range []string{"users", "groups"} {
			t.Run(name+" "+endpoint, func(t *testing.T) {
				bothWays(t, func(t *testing.T, m *mount) {
					m.configure(fields{"renewal": "status"})
					m.addUser("Everyone")
					auth := issued(m.mustLogin(nil))
					m.okta.Fail(endpoint, outage.fault)
					_, status, text := m.renew(auth)
					assert.Equal(t, outage.status, status, text)
				})
			})
		}
	}
}

// TestOutageWithinGrace: a token is renewed on Okta's last word for as long as
// renewal_grace says, and no longer.
func TestOutageWithinGrace(t *testing.T) {
	for name, outage := range outages {
		for _, endpoint := range []string{"users", "groups"} {
			t.Run(name+" "+endpoint, func(t *testing.T) {
				bothWays(t, func(t *testing.T, m *mount) {
					m.configure(fields{"renewal": "status", "renewal_grace": "1h"})
					m.write("groups/scientists", fields{"policies": "nuclear"})
					m.write("groups/local", fields{"policies": "own"})
					m.write("users/"+testLogin, fields{"groups": "local"})
					u := m.addUser("Scientists")
					auth := issued(m.mustLogin(nil))
					m.clock.advance(50 * time.Minute)
					auth = m.renewed(auth)  // which Okta confirms
					auth.GroupAliases = nil // of which Vault drops those that lead to no identity group
					confirmed := auth.InternalData["confirmed_at"]
					require.NotEmpty(t, confirmed)
					m.okta.Fail(endpoint, outage.fault)
					if endpoint == "users" {
						u.SetStatus("SUSPENDED") // as nobody can know
					}
					m.clock.advance(time.Hour - time.Second)
					resp, status, text := m.renew(auth)
					require.Equal(t, http.StatusOK, status, text)
					assert.Contains(t, m.logs.String(), "token renewed by renewal_grace")
					auth = resp.Auth
					assert.Equal(t, []string{"Scientists", "local"}, aliasNames(auth))
					assert.Equal(t, confirmed, auth.InternalData["confirmed_at"], "a renewal by grace does not prolong it")

					m.clock.advance(2 * time.Second)
					_, status, text = m.renew(auth)
					assert.Equal(t, outage.status, status, text)
				})
			})
		}
	}
}

// TestGraceObeysTheMount: what the mount itself says counts during an outage, too.
func TestGraceObeysTheMount(t *testing.T) {
	for _, row := range []struct {
		name, path string
		data       fields
		want       string
	}{
		{"a mapping", "groups/scientists", fields{"policies": "less"}, "your policies have changed"},
		{"a group of the mount's own is taken back", "users/" + testLogin, fields{"groups": "", "policies": ""}, "your policies have changed"},
		{"a method", "groups/scientists", fields{"policies": "nuclear", "mfa_methods": "mine"}, "requires an MFA method"},
		{"renewal", "config", fields{"renewal": "never"}, "This mount renews no tokens"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"renewal": "status", "renewal_grace": "1h"})
				m.createMethod("totp", fields{"method_name": "mine", "issuer": "Acme"})
				m.write("groups/scientists", fields{"policies": "nuclear"})
				m.write("groups/local", fields{"policies": "own"})
				m.write("users/"+testLogin, fields{"groups": "local"})
				m.addUser("Scientists")
				auth := issued(m.mustLogin(nil))
				m.okta.Fail("users", oktatest.CloseConnection())
				m.renewed(auth)
				m.write(row.path, row.data)
				assert.Contains(t, m.notRenewed(auth), row.want)
			})
		})
	}
}

// TestGraceIsForOutagesOnly: it covers neither a rate limit, after which Okta answers
// again, nor a token that the org of the mount has not confirmed.
func TestGraceIsForOutagesOnly(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		unconfirmed := issued(m.mustLogin(nil))
		m.write("config", fields{"renewal": "status", "renewal_grace": "1h"})
		auth := issued(m.mustLogin(nil))
		m.okta.Fail("users", oktatest.RateLimited(0, time.Minute).Times(1))
		_, status, _ := m.renew(auth)
		assert.Equal(t, http.StatusTooManyRequests, status)

		m.okta.Fail("users", oktatest.CloseConnection())
		m.renewed(auth)
		_, status, _ = m.renew(unconfirmed)
		assert.Equal(t, http.StatusBadGateway, status)
		other := *auth
		other.InternalData = maps.Clone(auth.InternalData)
		other.InternalData["okta_org"] = "https://other.okta.com"
		_, status, _ = m.renew(&other)
		assert.Equal(t, http.StatusBadGateway, status)
	})
}
