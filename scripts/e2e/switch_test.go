package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// raw is what is stored under a path of the mount, as JSON.
func (m *mount) raw(path string) object {
	m.t.Helper()
	uuid, _ := m.mustDo(http.MethodGet, "sys/auth/"+m.Path, nil).Data()["uuid"].(string)
	require.NotEmpty(m.t, uuid)
	value, _ := m.mustDo(http.MethodGet, "sys/raw/auth/"+uuid+"/"+path, nil).Data()["value"].(string)
	var stored object
	require.NoError(m.t, json.Unmarshal([]byte(value), &stored), "%s: %s", path, value)
	return stored
}

// For the same input the plugin stores what Vault's own method stores, with
// nothing left out. What it stores besides is its own.
func TestStorageIsThatOfTheBuiltin(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		writes []write
		stored string
	}{
		{"least config", []write{{"config", object{"org_name": "acme"}}}, "config"},
		{"all of config", []write{{"config", object{
			"org_name": "acme", "api_token": "sample", "base_url": "okta.test", "bypass_okta_mfa": true,
			"token_ttl": "1h", "token_max_ttl": "2h", "token_period": "3h", "token_explicit_max_ttl": "4h",
			"token_policies": "a,B,a", "token_num_uses": 5, "token_no_default_policy": true,
			"token_type": "service", "token_bound_cidrs": "127.0.0.1,10.0.0.0/8",
		}}}, "config"},
		{"old names", []write{{"config", object{
			"organization": "acme", "token": "sample", "ttl": "1h", "max_ttl": "2h", "production": false,
		}}}, "config"},
		{"production", []write{{"config", object{"org_name": "acme", "production": true}}}, "config"},
		{"base_url after production", []write{
			{"config", object{"org_name": "acme", "production": false}},
			{"config", object{"base_url": "okta.test"}},
		}, "config"},
		{"production after base_url", []write{
			{"config", object{"org_name": "acme", "base_url": "okta.test"}},
			{"config", object{"production": false}},
		}, "config"},
		{"new and old TTL", []write{
			{"config", object{"org_name": "acme", "ttl": "1h", "token_ttl": "2h", "max_ttl": "3h", "token_max_ttl": "4h"}},
		}, "config"},
		{"new TTL after old", []write{
			{"config", object{"org_name": "acme", "ttl": "1h", "max_ttl": "2h"}},
			{"config", object{"token_ttl": "90m"}},
			{"config", object{"token_max_ttl": "3h"}},
		}, "config"},
		{"old TTL after new", []write{
			{"config", object{"org_name": "acme", "token_ttl": "1h", "token_max_ttl": "2h"}},
			{"config", object{"ttl": "90m", "max_ttl": "3h"}},
		}, "config"},
		{"TTLs, back and forth", []write{
			{"config", object{"org_name": "acme", "ttl": "1h", "max_ttl": "3h"}},
			{"config", object{"ttl": 0, "max_ttl": 0}},
			{"config", object{"token_ttl": 0}},
			{"config", object{"token_ttl": 0, "token_max_ttl": 0}},
			{"config", object{"token_ttl": "1h"}},
			{"config", object{"ttl": "2h"}},
			{"config", object{"ttl": 0}},
			{"config", object{"ttl": "2h", "token_ttl": "1h"}},
			{"config", object{"ttl": "2h", "max_ttl": "4h"}},
			{"config", object{"token_ttl": ""}},
			{"config", object{"max_ttl": ""}},
			{"config", object{"token_ttl": "2h", "token_max_ttl": "1h"}},
		}, "config"},
		{"cleared", []write{
			{"config", object{"org_name": "acme", "api_token": "sample", "base_url": "okta.test", "token_policies": "a"}},
			{"config", object{"api_token": "", "base_url": "", "token_policies": ""}},
		}, "config"},
		{"user", []write{{"users/fred", object{"groups": "b,a,b, C ", "policies": "P2,p1,p2,P1"}}}, "user/fred"},
		{"user by lists", []write{{"users/fred", object{"groups": []string{"x", "y,z"}, "policies": []string{}}}}, "user/fred"},
		{"empty user", []write{{"users/fred", object{}}}, "user/fred"},
		{"nulls", []write{{"users/fred", object{"groups": nil, "policies": nil}}}, "user/fred"},
		{"user with policies, then groups", []write{
			{"users/fred", object{"policies": "p"}}, {"users/fred", object{"groups": "g"}},
		}, "user/fred"},
		{"user in capitals", []write{{"users/Fred@ACME.test", object{"policies": "p"}}}, "user/Fred@ACME.test"},
		{"group", []write{{"groups/Scientists", object{"policies": " P2 ,p1,P1,p2,default"}}}, "group/scientists"},
		{"group twice", []write{
			{"groups/Scientists", object{"policies": "a"}}, {"groups/SCIENTISTS", object{"policies": "b"}},
		}, "group/scientists"},
		{"empty group", []write{{"groups/scientists", object{}}}, "group/scientists"},
		{"group with root", []write{{"groups/scientists", object{"policies": "a,root"}}}, "group/scientists"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t)
			plugin, builtin := enableOn(t, suite.vault, o, pluginVersion), enableOn(t, suite.vault, o, suite.builtinVersion)
			for _, w := range row.writes {
				a, b := plugin.write(w.path, w.body), builtin.write(w.path, w.body)
				require.Equal(t, b.Err() == nil, a.Err() == nil, "%v: %s instead of %s", w.body, a.Raw, b.Raw)
				got := plugin.raw(row.stored)
				for k, want := range builtin.raw(row.stored) {
					require.Contains(t, got, k)
					require.Equal(t, want, got[k], "%s after %v", k, w.body)
				}
			}
		})
	}
}

// write is a write to a path of a mount.
type write struct {
	path string
	body object
}

// An existing mount of Vault's own method becomes one of the plugin in place,
// and back, with restarts in between: nothing has to be written again, and
// tokens of one are renewed by the other.
func TestSwitchInPlace(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	m := enableOn(t, v, newOrg(t), suite.builtinVersion)
	m.configure(object{"token_ttl": "1h", "token_policies": "base"})
	m.mustWrite("users/mia@acme.test", object{"groups": "local", "policies": "own"})
	m.mustWrite("groups/local", object{"policies": "by-user"})
	m.mustWrite("groups/Scientists", object{"policies": "by-okta"})
	u := m.addUser("mia@acme.test", "Scientists")
	accessor := m.accessor()
	first := m.mustLogin(u)
	same := func(stage, version string) string {
		t.Helper()
		mounted := m.mustDo(http.MethodGet, "sys/auth/"+m.Path, nil).Data()
		require.Equal(t, version, mounted["running_plugin_version"], stage)
		require.Equal(t, accessor, mounted["accessor"], stage)
		require.Subset(t, m.mustRead("users/mia@acme.test"), object{"groups": []any{"local"}, "policies": []any{"own"}}, stage)
		require.Equal(t, []any{"local", "scientists"}, m.list("groups"), stage)
		require.Equal(t, number(3600), m.mustRead("config")["token_ttl"], stage)
		a := m.mustLogin(u)
		require.Equal(t, policies(first), policies(a), stage)
		require.Equal(t, first.Auth()["entity_id"], a.Auth()["entity_id"], stage)
		require.Equal(t, first.Auth()["metadata"], a.Auth()["metadata"], stage)
		return a.Token()
	}
	renewed := func(stage string, tokens ...string) {
		t.Helper()
		for i, token := range tokens {
			status, lease := m.renew(token)
			require.Equal(t, http.StatusOK, status, "%s: token %d", stage, i)
			require.Equal(t, number(3600), lease, stage)
		}
	}

	m.switchTo(pluginVersion)
	byPlugin := same("after the switch", pluginVersion)
	renewed("after the switch", first.Token(), byPlugin)
	require.NoError(t, v.Restart(t.Context()))
	same("after a restart", pluginVersion)
	renewed("after a restart", first.Token(), byPlugin)

	// What the plugin writes, the builtin can read.
	m.configure(object{"token_policies": "base"})
	m.mustWrite("users/mia@acme.test", object{"groups": "local", "policies": "own"})
	m.mustWrite("groups/SCIENTISTS", object{"policies": "by-okta"})

	m.switchTo(suite.builtinVersion)
	same("back", suite.builtinVersion)
	renewed("back", first.Token(), byPlugin)
	require.NoError(t, v.Restart(t.Context()))
	same("back, after a restart", suite.builtinVersion)
	renewed("back, after a restart", first.Token(), byPlugin)
}

// Methods are the plugin's own: the builtin method asks for none and works, and
// what it does not write is still there after the way back.
func TestSwitchWithMethods(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure()
	u := m.addUser("mia@acme.test", "Scientists")
	id := m.addTOTP("my_totp")
	mine := m.key(id, "my_totp", u)
	for _, path := range []string{"groups/scientists", "users/mia@acme.test", "config"} {
		a := m.mustWrite(path, object{"mfa_methods": "my_totp"})
		require.Contains(t, a.Warnings(), "builtin okta method")
	}
	requireRefused(t, m.login(u), http.StatusBadRequest, "my_totp (")

	m.switchTo(suite.builtinVersion)
	m.mustLogin(u)
	m.mustWrite("groups/scientists", object{"policies": "science"})
	m.mustWrite("config", object{"token_policies": "base"})
	require.NoError(t, v.Restart(t.Context()))

	m.switchTo(pluginVersion)
	require.Empty(t, m.mustRead("config")["mfa_methods"], "an entry that the builtin method wrote requires nothing")
	require.Empty(t, m.mustRead("groups/scientists")["mfa_methods"])
	require.Equal(t, []any{"my_totp"}, m.mustRead("users/mia@acme.test")["mfa_methods"])
	require.Equal(t, "my_totp", m.mustRead("mfa/method/totp/" + id)["name"])
	requireRefused(t, m.login(u), http.StatusBadRequest, "my_totp (")
	require.Equal(t, []any{"base", "default", "science"}, policies(m.mustLogin(u, object{"mfa": mine.at(t, 0)})))
}

// The builtin method logs people in on a mount with every field about groups and profiles.
// It knows none of them, and what it does not write is there after the way back.
func TestSwitchWithGroupFields(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure(object{"groups_on_error": "local", "metadata_fields": "department=department", "required_groups": "vault-dev",
		"group_types": "OKTA_GROUP", "group_filter": "^vault-"})
	u := m.addUser("mia@acme.test", "vault-dev")
	u.SetAttribute("department", "lab")
	id := m.org.RenameGroup("vault-dev", "OKTA_GROUP", "vault-dev")
	m.mustWrite("groups/by-id", object{"policies": "by-id", "group_id": id})
	m.mustWrite("groups/other", object{"policies": "other", "group_id": id})
	m.mustWrite("groups/vault-*", object{"policies": "by-pattern", "pattern": true})
	metadata := func() any {
		a := m.mustLogin(u)
		entity := m.mustDo(http.MethodGet, "identity/entity/id/"+a.Auth()["entity_id"].(string), nil).Data()
		return entity["aliases"].([]any)[0].(object)["metadata"]
	}
	require.Equal(t, []any{"by-id", "default", "other"}, policies(m.mustLogin(u)))
	require.Equal(t, object{"department": "lab"}, metadata())

	m.switchTo(suite.builtinVersion)
	require.Equal(t, []any{"default"}, policies(m.mustLogin(u)), "it goes by names")
	require.Empty(t, metadata())
	m.org.Fail("groups", oktatest.Status(503, "E0000009", "Internal Server Error"))
	require.NotEqual(t, http.StatusOK, m.login(u).Status, "it denies a login whose groups it cannot read")
	m.org.ClearFaults()
	m.mustWrite("groups/other", object{"policies": "other"})

	m.switchTo(pluginVersion)
	require.Equal(t, []any{"by-id", "default"}, policies(m.mustLogin(u)), "an entry that the builtin method wrote is bound to nothing")
	require.Equal(t, object{"department": "lab"}, metadata())
	m.delete("groups/by-id")
	require.Equal(t, []any{"by-pattern", "default"}, policies(m.mustLogin(u)))
	require.Equal(t, "local", m.mustRead("config")["groups_on_error"])
}

// startOwnVault starts a Vault that keeps its data on disk, with further
// variables in its environment. The plugin is registered by the command that
// operators use.
func startOwnVault(t *testing.T, env ...string) *harness.Vault {
	t.Helper()
	dir := t.TempDir()
	storage := filepath.Join(dir, "storage")
	require.NoError(t, os.Mkdir(storage, 0o700))
	v, err := harness.StartVault(t.Context(), harness.Config{
		Bin: suite.vaultBin, Dir: dir, PluginDir: suite.plugin.Dir(), StorageDir: storage, Env: env,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		v.Stop()
		require.Empty(t, searchSecrets(v.LogPath))
	})

	sum, err := suite.plugin.SHA256()
	require.NoError(t, err)
	vaultCommand(t, v, "plugin", "register", "-sha256="+sum,
		"-command="+suite.plugin.Command(), "-version="+pluginVersion, "auth", "okta")
	return v
}

// switchTo changes the version of the mount, by the commands that operators
// use.
func (m *mount) switchTo(version string) {
	m.t.Helper()
	vaultCommand(m.t, m.vault, "auth", "tune", "-plugin-version="+version, m.Path+"/")
	vaultCommand(m.t, m.vault, "plugin", "reload", "-type=auth", "-plugin=okta")
}

// vaultCommand runs a command as root, which must succeed.
func vaultCommand(t *testing.T, v *harness.Vault, args ...string) {
	t.Helper()
	result, err := v.CLI(t.TempDir(), v.RootToken).Run(t.Context(), args...)
	require.NoError(t, err)
	require.Zero(t, result.Code, "vault %v: %s%s", args, result.Stdout, result.Stderr)
}

// A reload waits for the logins that are under way, and both succeed.
func TestReloadDuringLogin(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure()
	u := m.addUser("mia@acme.test")
	f := u.AddPush()
	login := m.start(t.Context(), u)
	eventually(t, "a push", func() bool { return f.Pushes() == 1 })
	reload := make(chan error, 1)
	go func() {
		a, err := v.Do(t.Context(), harness.Request{
			Method: http.MethodPut, Path: "sys/plugins/reload/auth/okta", Token: v.RootToken, Body: object{},
		})
		if err == nil {
			err = a.Err()
		}
		reload <- err
	}()
	require.Equal(t, 1, f.Approve())
	requireSuccess(t, <-login)
	require.NoError(t, <-reload)
	m.mustLogin(m.addUser("eve@acme.test"))
	require.Equal(t, 1, f.Pushes())
}
