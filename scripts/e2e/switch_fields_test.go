package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
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

// subsets are all sets of the names.
func subsets(names ...string) [][]string {
	all := [][]string{nil}
	for _, name := range names {
		for _, set := range all {
			all = append(all, append(slices.Clone(set), name))
		}
	}
	return all
}

// fieldsOfWrite are the fields that the help of a path names for a write.
func (m *mount) fieldsOfWrite(path string) []string {
	m.t.Helper()
	fields := map[string]bool{}
	a := m.send(harness.Request{Method: http.MethodGet, Path: m.full(path), Query: url.Values{"help": {"1"}}, Token: m.vault.RootToken})
	require.NoError(m.t, a.Err())
	doc := a.JSON["openapi"].(object)
	for name, schema := range doc["components"].(object)["schemas"].(object) {
		if properties, has := schema.(object)["properties"].(object); has && strings.HasSuffix(name, "Request") {
			for field := range properties {
				fields[field] = field != "defaults" // which is for reads
			}
		}
	}
	maps.DeleteFunc(fields, func(_ string, writes bool) bool { return !writes })
	require.NotEmpty(m.t, fields)
	return slices.Collect(maps.Keys(fields))
}

// People log in after a switch to the builtin method whatever fields of the plugin's own
// their entries of users and groups have, in every combination, and get what the entries
// of their names give. A write that sets one of these fields warns of that.
func TestSwitchWithEachFieldOfEntries(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	o := newOrg(t)
	m := enableOn(t, v, o, pluginVersion)
	m.configure()
	m.addTOTP("my_totp")
	own := map[string][]string{"users/x": {"okta_id", "mfa_methods"}, "groups/x": {"group_id", "pattern", "mfa_methods"}}
	builtin := enableOn(t, v, o, suite.builtinVersion)
	for path, names := range own {
		has := builtin.fieldsOfWrite(path)
		others := slices.DeleteFunc(m.fieldsOfWrite(path), func(field string) bool { return slices.Contains(has, field) })
		require.ElementsMatch(t, names, others, "fields of %s without a value in this test", path)
	}
	write := func(path string, values object, set []string, policy string) {
		t.Helper()
		body := object{"policies": policy}
		for _, field := range set {
			body[field] = values[field]
		}
		warnings := m.mustWrite(path, body).Warnings()
		for _, field := range set {
			require.Contains(t, warnings, field+" is obeyed by this plugin only: Vault's builtin okta method", "%s %v", path, set)
		}
	}

	type person struct {
		*oktatest.User
		policies []any
		about    string
	}
	var people []person
	for j, groupSet := range subsets(own["groups/x"]...) {
		if slices.Contains(groupSet, "pattern") && slices.Contains(groupSet, "group_id") {
			continue // which no entry has
		}
		group := fmt.Sprintf("team-%d", j)
		entry, fromGroup := group, []any{group}
		if slices.Contains(groupSet, "pattern") {
			entry, fromGroup = group+"*", nil // the name of no group
		}
		for i, userSet := range subsets(own["users/x"]...) {
			u := m.addUser(fmt.Sprintf("mia-%d-%d@acme.test", i, j), group)
			write("users/"+u.Login(), object{"okta_id": u.ID, "mfa_methods": "my_totp"}, userSet, "own")
			people = append(people, person{u, append([]any{"default", "own"}, fromGroup...), fmt.Sprint(userSet, groupSet)})
		}
		id := m.org.RenameGroup(group, "OKTA_GROUP", group)
		write("groups/"+entry, object{"group_id": id, "pattern": true, "mfa_methods": "my_totp"}, groupSet, group)
	}
	m.switchTo(suite.builtinVersion)
	for _, p := range people {
		require.ElementsMatch(t, p.policies, policies(m.mustLogin(p.User)), p.about)
		m.mustWrite("users/"+p.Login(), object{"policies": "changed"})
		require.Contains(t, policies(m.mustLogin(p.User)), "changed", p.about)
	}
}
