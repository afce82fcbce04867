package backend

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A read has the fields that the builtin method's has, and another only where somebody
// has set it. With defaults it has all of them.
func TestReadHasTheFieldsThatWereSet(t *testing.T) {
	builtins := []string{"bypass_okta_mfa", "org_name", "organization", "token_bound_cidrs", "token_explicit_max_ttl",
		"token_max_ttl", "token_no_default_policy", "token_num_uses", "token_period", "token_policies", "token_ttl", "token_type"}
	ours := map[string]any{"alias_metadata": map[string]any{"team": "blue"}, "mfa_factors": "push", "push_devices": "all", "max_push_failures": 3, "push_failure_window": "10m", "push_timeout": "60s",
		"passcode_separator": ",", "mfa_methods": "mine", "prefetch_groups": true, "max_login_failures": 0,
		"login_failure_window": "1h", "login_lockout_duration": "1h", "alias_source": "okta_id", "login_domain": "acme.test",
		"renewal": "never", "renewal_grace": "1h", "trusted_proxies": "192.0.2.1", "skip_enrollment": true, "remember_device": true, "required_groups": "ops",
		"group_types": "OKTA_GROUP", "group_filter": "^vault-", "groups_on_error": "local", "metadata_fields": "mail=email", "client_id": "0oa1", "scopes": "okta.users.manage",
		"key_rotation_period": "24h", "trusted_app": true}
	bothWays(t, func(t *testing.T, m *mount) {
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "mine"})
		m.write("config/key", fields{"algorithm": "ES256"}) // which client_id needs
		read := func(path string) []string { return slices.Sorted(maps.Keys(m.read(path))) }
		inForce := func(path string) []string { return slices.Sorted(maps.Keys(m.inForce(path))) }
		m.write("config", fields{"org_name": "acme", "api_token": "sample"})
		assert.Equal(t, builtins, read("config"))
		all := slices.Sorted(slices.Values(slices.Concat(builtins, slices.Collect(maps.Keys(ours)))))
		assert.Equal(t, all, inForce("config"))
		unset := m.inForce("config")
		for field, value := range ours {
			resp := m.write("config", fields{field: value})
			assert.Contains(t, read("config"), field)
			if field == "alias_metadata" || assert.ObjectsAreEqual(unset[field], m.read("config")[field]) { // the builtin method has it
				continue
			}
			told := false
			for _, w := range resp.Warnings {
				told = told || strings.Contains(w, field) && strings.Contains(w, "builtin")
			}
			assert.True(t, told, "%s is lost after a switch to the builtin method: %v", field, resp.Warnings)
		}
		assert.Equal(t, all, read("config"))

		m.plant("config", `{"organization":"acme","token":"","base_url":""}`)
		assert.Equal(t, builtins, read("config"), "of the builtin method's entry")

		m.write("users/fred", fields{"policies": "p"})
		assert.Equal(t, []string{"groups", "policies"}, read("users/fred"))
		assert.Equal(t, []string{"groups", "mfa_methods", "okta_id", "policies"}, inForce("users/fred"))
		m.write("groups/admins", fields{"policies": "p"})
		assert.Equal(t, []string{"policies"}, read("groups/admins"))
		assert.Equal(t, []string{"group_id", "mfa_methods", "pattern", "policies"}, inForce("groups/admins"))
		m.write("users/fred", fields{"okta_id": "00u1", "mfa_methods": "mine"})
		m.write("groups/admins", fields{"mfa_methods": "mine", "group_id": "00g1a2b3c4d5e6f7g8h9"})
		assert.Equal(t, []string{"groups", "mfa_methods", "okta_id", "policies"}, read("users/fred"))
		assert.Equal(t, []string{"group_id", "mfa_methods", "policies"}, read("groups/admins"))
		m.write("groups/vault-*", fields{"pattern": true})
		assert.Equal(t, []string{"pattern", "policies"}, read("groups/vault-*"))
	})
}
