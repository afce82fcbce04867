package backend

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestLogin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_policies": "base", "token_ttl": "1h", "token_max_ttl": "2h", "token_num_uses": 5,
			"token_bound_cidrs": "198.51.100.0/24", "alias_metadata": map[string]any{"team": "blue"}})
		u := m.addUser("Everyone", "Scientists", "Unmapped")
		m.write("groups/scientists", fields{"policies": "nuclear,base"})
		m.write("groups/local", fields{"policies": "autopilot"})
		m.write("users/"+testLogin, fields{"groups": "LOCAL,Everyone", "policies": "own,nuclear"})

		auth := m.mustLogin(nil)
		assert.Equal(t, []string{"base", "base", "nuclear", "autopilot", "own"}, auth.Policies)
		assert.Equal(t, map[string]string{"username": testLogin, "okta_id": u.ID, "okta_login": testLogin, "policies": "base,nuclear,autopilot,own"}, auth.Metadata)
		assert.Equal(t, testLogin, auth.DisplayName)
		assert.Equal(t, testLogin, auth.Alias.Name)
		assert.Equal(t, map[string]string{"team": "blue"}, auth.Alias.CustomMetadata)
		assert.Equal(t, map[string]string{"team": "blue"}, auth.Alias.Metadata)
		assert.Equal(t, []string{"Everyone", "Scientists", "Unmapped", "LOCAL"}, aliasNames(auth))
		assert.Equal(t, time.Hour, auth.TTL)
		assert.Equal(t, 2*time.Hour, auth.MaxTTL)
		assert.Equal(t, 5, auth.NumUses)
		assert.Len(t, auth.BoundCIDRs, 1)
		assert.True(t, auth.Renewable)

		assert.Equal(t, 1, m.authnCalls())
		assert.Equal(t, 1, m.okta.Count(http.MethodGet, "/api/v1/users/"+u.ID+"/groups"))
		assert.Len(t, m.okta.Requests(), 2, "one authn call and one page of groups")
		authn := m.okta.Requests()[0]
		assert.Equal(t, callerIP, authn.Header.Get("X-Forwarded-For"))
		assert.Equal(t, "vault-plugin-auth-okta/"+testVersion, authn.Header.Get("User-Agent"))

		connections := m.okta.Connections()
		m.mustLogin(nil)
		assert.Equal(t, connections, m.okta.Connections(), "the second login opens no connection")
		assert.Len(t, m.okta.Requests(), 4)
	})
}

func aliasNames(auth *logical.Auth) []string {
	names := []string{}
	for _, a := range auth.GroupAliases {
		names = append(names, a.Name)
	}
	return names
}

func TestLoginAliasLookahead(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		resp, status, text := m.do(logical.AliasLookaheadOperation, "login/"+testLogin, nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, testLogin, resp.Auth.Alias.Name)
		assert.Empty(t, m.okta.Requests())
		_, status, text = m.do(logical.AliasLookaheadOperation, "login/a..b", nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "username")
	})
}

// What Vault is given to run, with the system's clock and certificates.
func TestFactory(t *testing.T) {
	t.Parallel()
	b, err := Factory(testVersion)(t.Context(), &logical.BackendConfig{
		Logger: hclog.NewNullLogger(), System: logical.TestSystemView(), StorageView: &logical.InmemStorage{},
	})
	require.NoError(t, err)
	require.IsType(t, &backend{}, b)
	assert.Equal(t, testVersion, b.(logical.PluginVersioner).PluginVersion().Version)
	assert.WithinDuration(t, time.Now(), b.(*backend).now(), time.Minute)
	resp, err := b.HandleRequest(t.Context(), &logical.Request{
		Operation: logical.UpdateOperation, Path: "login/mia", Data: fields{"password": "p"}, Storage: &logical.InmemStorage{},
	})
	require.NoError(t, err)
	assert.ErrorContains(t, resp.Error(), "not configured")
	b.Cleanup(t.Context())
}

func TestLoginWithoutAPIToken(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"api_token": ""})
		m.addUser("Scientists")
		m.write("groups/scientists", fields{"policies": "nuclear"})
		m.write("groups/local", fields{"policies": "autopilot"})
		m.write("users/"+testLogin, fields{"groups": "local"})
		resp, status, text := m.login(nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, []string{"autopilot"}, resp.Auth.Policies)
		assert.Equal(t, []string{unreadWarning}, resp.Warnings)
		require.Len(t, m.okta.Requests(), 1)
		assert.Empty(t, m.okta.Requests()[0].Header.Get("Authorization"))
	})
}

func TestLoginPagesOfGroups(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		var groups []string
		for i := range 450 {
			groups = append(groups, "group "+strconv.Itoa(i))
		}
		m.addUser(groups...)
		m.write("groups/GROUP 449", fields{"policies": "last"})
		assert.Equal(t, []string{"last"}, m.mustLogin(nil).Policies)
		assert.Len(t, m.okta.Requests(), 1+3, "200 groups a page")

		m.okta.Fail("groups", oktatest.Status(http.StatusInternalServerError, "E0000009", "Internal Server Error").After(1))
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status, "half of the groups are not all of them")
		assert.Contains(t, text, "(E0000009)")
	})
}

func TestLoginWarnings(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser()
		u.SetStatus("PASSWORD_WARN")
		resp, status, text := m.login(nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, []string{passwordWarning, noGroupsWarning}, resp.Warnings)
	})
}

// The table of statuses; each status that Okta answers a password with.
func TestLoginStatuses(t *testing.T) {
	tests := []struct {
		status       string
		plain, about string // what the answer says; "" is a success
		bypassed     string // the same with bypass_okta_mfa
	}{
		{"SUCCESS", "", "", ""},
		{"ACTIVE", "", "", ""},
		{"PASSWORD_WARN", "", "", ""},
		{"MFA_ENROLL", "enroll a factor", "", ""},
		{"MFA_ENROLL_ACTIVATE", "enroll a factor", "", ""},
		{"LOCKED_OUT", "locked", "", "locked"},
		{"HIDDEN_LOCKED_OUT", "(E0000004)", "", "(E0000004)"},
		{"PASSWORD_EXPIRED", "expired", "", "expired"},
		{"PASSWORD_RESET", "recovered", "", "recovered"},
		{"RECOVERY_CHALLENGE", "recovered", "", "recovered"},
		{"SUSPENDED", "(E0000004)", "", "(E0000004)"},
		{"DEPROVISIONED", "(E0000004)", "", "(E0000004)"},
		{"STAGED", "(E0000004)", "", "(E0000004)"},
		{"UNAUTHENTICATED", "UNAUTHENTICATED", "", "UNAUTHENTICATED"},
		{"BRAND_NEW_STATE", "BRAND_NEW_STATE", "", "BRAND_NEW_STATE"},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		u := m.addUser("Everyone")
		for _, bypass := range []bool{false, true} {
			m.configure(fields{"max_login_failures": 0, "bypass_okta_mfa": bypass})
			for _, test := range tests {
				u.SetStatus(test.status)
				want := test.plain
				if bypass {
					want = test.bypassed
				}
				resp, status, text := m.login(nil)
				if want == "" {
					assert.Equal(t, http.StatusOK, status, "%s bypass=%v: %s", test.status, bypass, text)
					continue
				}
				assert.Equal(t, http.StatusBadRequest, status, "%s bypass=%v", test.status, bypass)
				assert.Contains(t, text, want, "%s bypass=%v", test.status, bypass)
				assert.True(t, resp == nil || resp.Auth == nil)
			}
		}
	})
}

func TestLoginBypass(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"bypass_okta_mfa": true})
		push := m.addUser("Everyone").AddPush("WAITING")
		m.mustLogin(nil)
		assert.Zero(t, push.Pushes())
	})
}

// After MFA the password may turn out to be old.
func TestLoginExpiredBehindMFA(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		u.AddPush("SUCCESS")
		u.SetStatus("PASSWORD_EXPIRED")
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "expired")
		u.SetStatus("PASSWORD_WARN")
		resp, status, text := m.login(nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Contains(t, resp.Warnings, passwordWarning)
	})
}

func TestLoginInvalid(t *testing.T) {
	tests := []struct {
		name     string
		username string
		data     fields
		names    string
	}{
		{"no password", testLogin, fields{}, "password"},
		{"empty password", testLogin, fields{"password": ""}, "password"},
		{"null password", testLogin, fields{"password": nil}, "password"},
		{"huge password", testLogin, fields{"password": strings.Repeat("x", 1<<20)}, "password"},
		{"huge username", strings.Repeat("u", 1<<20), fields{"password": "p"}, "username"},
		{"username with ../", "../../config", fields{"password": "p"}, "username"},
		{"username with a control character", "fred\x00", fields{"password": "p"}, "username"},
		{"huge totp", testLogin, fields{"password": "p", "totp": strings.Repeat("1", 1<<20)}, "totp"},
		{"huge nonce", testLogin, fields{"password": "p", "nonce": strings.Repeat("n", 10<<10)}, "nonce"},
		{"nonce with a slash", testLogin, fields{"password": "p", "nonce": "a/b"}, "nonce"},
		{"nonce with a space", testLogin, fields{"password": "p", "nonce": "a b"}, "nonce"},
		{"unknown provider", testLogin, fields{"password": "p", "provider": "FIDO"}, "provider"},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "not configured")
		m.configure(nil)
		before := m.stored("config")
		for _, test := range tests {
			resp, status, text := m.do(logical.UpdateOperation, "login/"+test.username, test.data)
			assert.Equal(t, http.StatusBadRequest, status, test.name)
			assert.Contains(t, text, test.names, test.name)
			assert.Less(t, len(text), 400, test.name)
			assert.True(t, resp == nil || resp.Auth == nil, test.name)
		}
		assert.Empty(t, m.okta.Requests(), "nothing is sent to Okta")
		assert.Equal(t, before, m.stored("config"))
	})
}

// The password form of clients that know nothing of Okta, and what hvac adds.
func TestLoginOtherClients(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.mustLogin(fields{"username": testLogin, "totp": nil, "provider": nil, "nonce": nil})
	})
}

func TestLoginCIDR(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_bound_cidrs": "203.0.113.0/24"})
		m.addUser("Everyone")
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusForbidden, status)
		req := m.request(logical.UpdateOperation, "login/"+testLogin, fields{"password": testPassword})
		req.Connection = nil
		_, status, _ = m.send(t.Context(), req)
		assert.Equal(t, http.StatusForbidden, status, "no address is no address in the list")
		assert.Empty(t, m.okta.Requests(), "checked before Okta is asked")
	})
}

// The client is kept for as long as the configuration leads to the same org with
// the same token, and not longer.
func TestClientFollowsTheConfiguration(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.mustLogin(nil)
		connections := m.okta.Connections()
		m.configure(fields{"token_ttl": "1m"})
		m.mustLogin(nil)
		assert.Equal(t, connections, m.okta.Connections())

		other := oktatest.NewServer(t)
		m.write("config", fields{"base_url": other.URL})
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status, "the other org's certificate is not trusted")
		m.configure(nil)
		m.mustLogin(nil)

		// Another node changed the entry behind this one's back.
		m.okta.Token = "00rotated"
		raw := strings.Replace(m.stored("config"), oktatest.DefaultToken, "00rotated", 1)
		require.NoError(t, m.storage.Put(t.Context(), &logical.StorageEntry{Key: "config", Value: json.RawMessage(raw)}))
		m.backend.InvalidateKey(t.Context(), "config")
		m.mustLogin(nil)
	})
}
