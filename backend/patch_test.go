package backend

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patch sends a merge patch that has to succeed.
func (m *mount) patch(path string, data fields) *logical.Response {
	m.t.Helper()
	resp, status, text := m.do(logical.PatchOperation, path, data)
	require.Equal(m.t, http.StatusOK, status, text)
	return resp
}

func TestPatchOfConfigChangesWhatItNamesAndNullsAreDefaults(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, status, _ := m.do(logical.PatchOperation, "config", fields{"org_name": "acme"})
		assert.Equal(t, http.StatusNotFound, status, "there is nothing to patch")
		assert.Empty(t, m.stored("config"))

		m.configure(nil)
		before := m.inForce("config")
		stored := m.stored("config")
		all := fields{
			"bypass_okta_mfa": true, "prefetch_groups": true, "mfa_factors": "sms,push", "push_devices": "first", "max_push_failures": 7,
			"push_failure_window": "2m", "passcode_separator": ",", "skip_enrollment": true, "remember_device": true,
			"max_login_failures": 0, "login_failure_window": "2m", "login_lockout_duration": "3m", "login_domain": "acme.com",
			"trusted_proxies": "10.0.0.0/8", "alias_source": "okta_id", "token_ttl": "10m", "token_max_ttl": "20m",
			"token_explicit_max_ttl": "30m", "token_policies": "a,b", "token_bound_cidrs": "198.51.100.0/24", "token_no_default_policy": true,
			"token_num_uses": 3, "alias_metadata": fields{"team": "blue"},
		}
		for field, value := range all {
			m.patch("config", fields{field: value})
		}
		set := m.inForce("config")
		for field := range all {
			assert.NotEqual(t, before[field], set[field], field)
		}
		assert.Equal(t, before["org_name"], set["org_name"])

		nulls := fields{}
		for field := range all {
			nulls[field] = nil
		}
		m.patch("config", nulls)
		assert.Equal(t, before, m.inForce("config"))
		assert.JSONEq(t, stored, m.stored("config"))
	})
}

// A patch of what the mount cannot be without is refused, and changes nothing.
func TestPatchCannotTakeTheOrgAway(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		stored := m.stored("config")
		_, status, text := m.do(logical.PatchOperation, "config", fields{"org_name": nil})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "org_name")
		_, status, text = m.do(logical.PatchOperation, "config", fields{"max_push_failures": -1, "token_ttl": nil})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "max_push_failures")
		assert.Equal(t, stored, m.stored("config"))
	})
}

// A null of the old name of a duration takes the new one back, too: an entry has both.
func TestPatchTakesDurationsOfOldNamesBack(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for _, field := range []string{"ttl", "token_ttl"} {
			m.configure(fields{"ttl": "10m"})
			m.patch("config", fields{field: nil})
			assert.EqualValues(t, 0, num(t, m.read("config")["token_ttl"]), field)
			m.start()
			assert.EqualValues(t, 0, num(t, m.read("config")["token_ttl"]), field)
		}
	})
}

func TestPatchMergesAliasMetadata(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"alias_metadata": fields{"team": "blue", "site": "oslo"}})
		m.patch("config", fields{"alias_metadata": fields{"team": "red", "desk": "7"}})
		assert.Contains(t, m.stored("config"), `"alias_metadata":{"desk":"7","site":"oslo","team":"red"}`)
		m.patch("config", fields{"alias_metadata": fields{"site": nil}})
		assert.Contains(t, m.stored("config"), `"alias_metadata":{"desk":"7","team":"red"}`)
		m.patch("config", fields{"alias_metadata": "team=green"})
		assert.Contains(t, m.stored("config"), `"alias_metadata":{"desk":"7","team":"green"}`)
		m.patch("config", fields{"alias_metadata": nil})
		assert.NotContains(t, m.read("config"), "alias_metadata")
	})
}

// A write of groups alone empties policies, as the builtin method's does. A patch keeps them.
func TestPatchOfEntriesChangesWhatItNames(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for _, path := range []string{"users/mia", "groups/eng"} {
			_, status, _ := m.do(logical.PatchOperation, path, fields{"policies": "p"})
			assert.Equal(t, http.StatusNotFound, status, path)
			assert.Nil(t, m.lookFor(path), path)
		}
		id := m.write("mfa/method/totp", fields{"method_name": "my_totp", "issuer": "Vault"}).Data["method_id"]
		require.NotEmpty(t, id)
		m.write("users/mia", fields{"groups": "g", "policies": "p", "mfa_methods": "my_totp", "okta_id": "00u1"})
		m.patch("users/mia", fields{"groups": "h,i"})
		assert.Equal(t, `{"Groups":["h","i"],"Policies":["p"],"mfa_methods":["my_totp"],"okta_id":"00u1"}`, trimmed(m.stored("user/mia")))
		m.patch("users/mia", fields{"policies": nil, "mfa_methods": nil, "okta_id": nil})
		assert.Equal(t, `{"Groups":["h","i"],"Policies":[]}`, trimmed(m.stored("user/mia")))

		m.write("groups/Eng", fields{"policies": "p", "mfa_methods": "my_totp"})
		m.patch("groups/ENG", fields{"mfa_methods": ""})
		assert.Equal(t, []string{"p"}, toStrings(m.read("groups/eng")["policies"]))
		assert.NotContains(t, m.read("groups/eng"), "mfa_methods")
		m.patch("groups/eng", fields{"policies": nil})
		assert.Empty(t, toStrings(m.read("groups/eng")["policies"]))
	})
}

func TestDeletedConfigLetsNobodyIn(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.write("mfa/method/totp", fields{"method_name": "my_totp", "issuer": "Vault"})
		m.configure(nil)
		m.addUser("Everyone")
		auth := issued(m.mustLogin(nil))
		m.write("config", fields{"mfa_methods": "my_totp"})
		resp, status, _ := m.do(logical.DeleteOperation, "config", nil)
		assert.Equal(t, http.StatusOK, status)
		require.NotNil(t, resp)
		require.Len(t, resp.Warnings, 2)
		assert.Equal(t, deletedConfigWarning, resp.Warnings[0])
		assert.Contains(t, resp.Warnings[1], "my_totp")
		assert.Empty(t, m.stored("config"))
		assert.Contains(t, m.refused(nil), "not configured")
		_, status, _ = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		resp, status, _ = m.do(logical.DeleteOperation, "config", nil)
		assert.Equal(t, http.StatusOK, status)
		assert.Nil(t, resp, "it is gone already")
		m.configure(nil)
		m.mustLogin(nil)
	})
}

func trimmed(s string) string { return strings.TrimSpace(s) }

// lookFor reads a path that may not exist.
func (m *mount) lookFor(path string) *logical.Response {
	m.t.Helper()
	resp, status, text := m.do(logical.ReadOperation, path, nil)
	require.Less(m.t, status, http.StatusInternalServerError, text)
	return resp
}

// A patch that takes the host back to its default deletes the token as a write does.
func TestPatchOfTheHostDeletesTheToken(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.write("config", fields{"org_name": "acme", "base_url": "oktapreview.com", "api_token": "00preview"})
		resp, status, text := m.do(logical.PatchOperation, "config", fields{"base_url": nil})
		require.Equal(t, http.StatusOK, status, text)
		require.NotNil(t, resp)
		assert.Contains(t, resp.Warnings, deletedTokenWarning)
		assert.NotContains(t, m.stored("config"), "00preview")
	})
}

// A null of a patch leaves the other fields as they were, also what was made of them.
func TestPatchKeepsTheGroupFilter(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"group_filter": "^vault-", "token_ttl": "1h"})
		m.addUser("vault-ops", "sales")
		_, status, text := m.do(logical.PatchOperation, "config", fields{"token_ttl": nil})
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, []string{"vault-ops"}, aliasNames(m.mustLogin(nil)))
	})
}
