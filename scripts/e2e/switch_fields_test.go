package e2e

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// ownFields has a value for each field of config that only the plugin has. Whoever adds a
// field adds a value: TestSwitchWithEachField finds the fields by a read with defaults.
var ownFields = object{
	"alias_source": "okta_id", "client_id": "0oa1b2c3d4", "group_filter": "^Sci", "groups_on_error": "local", "metadata_fields": object{"team": "department"}, "group_types": "OKTA_GROUP", "login_domain": "acme.test",
	"login_failure_window": "1h", "login_lockout_duration": "2h", "max_login_failures": 3, "max_push_failures": 5, "mfa_factors": "totp",
	"mfa_methods": "my_totp", "passcode_separator": ",", "prefetch_groups": true, "push_devices": "first", "push_failure_window": "5m",
	"push_timeout": "30s", "remember_device": true, "key_rotation_period": "720h", "renewal": "status", "renewal_grace": "1h", "required_groups": "Nobody",
	"scopes": "okta.users.read", "skip_enrollment": true, "trusted_app": false, "trusted_proxies": "192.0.2.1",
}

// A mount logs in after a switch to the builtin method whatever the plugin's own fields
// were, and a write that sets one of them warns of that: with each of them alone, with all
// of them, and with all but one.
func TestSwitchWithEachField(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	o := newOrg(t)
	builtin := enableOn(t, v, o, suite.builtinVersion)
	builtin.configure()
	u := builtin.addUser("mia@acme.test", "Scientists")

	of := map[string]object{"all": ownFields, "none": {}}
	for field, value := range ownFields {
		of[field] = object{field: value}
		others := maps.Clone(ownFields)
		delete(others, field)
		of["all but "+field] = others
	}
	mounts := map[string]*mount{}
	for name, set := range of {
		m := enableOn(t, v, o, pluginVersion)
		m.configure()
		m.addTOTP("my_totp")
		m.mustWrite("config/key", object{"algorithm": "ES256"})
		if name == "none" {
			has := builtin.mustRead("config")
			for field := range m.inForce("config").Data() {
				if _, ok := has[field]; !ok && field != "alias_metadata" { // which later versions of it have
					require.Contains(t, ownFields, field, "a field without a value in this test")
				}
			}
		}
		if len(set) > 0 {
			warnings := m.mustWrite("config", set).Warnings()
			require.Contains(t, warnings, "builtin", name)
			for field := range set {
				require.Contains(t, warnings, field, name)
			}
		}
		mounts[name] = m
	}
	for _, m := range mounts {
		m.mustDo(http.MethodPost, "sys/auth/"+m.Path+"/tune", object{"plugin_version": suite.builtinVersion})
	}
	vaultCommand(t, v, "plugin", "reload", "-type=auth", "-plugin=okta")
	for _, name := range slices.Sorted(maps.Keys(mounts)) {
		m := mounts[name]
		mounted := m.mustDo(http.MethodGet, "sys/auth/"+m.Path, nil).Data()
		require.Equal(t, suite.builtinVersion, mounted["running_plugin_version"], name)
		a := m.login(u)
		require.NoError(t, a.Err(), "with %s", name)
		m.mustWrite("config", object{"token_policies": "base"})
		require.Contains(t, policies(m.mustLogin(u)), "base", name)
	}
}
