package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// uuid is the name of the mount in Vault's storage.
func (m *mount) uuid() string {
	m.t.Helper()
	uuid, _ := m.mustDo(http.MethodGet, "sys/auth/"+m.Path, nil).Data()["uuid"].(string)
	require.NotEmpty(m.t, uuid)
	return uuid
}

// spoil damages what is stored under a path of the mount, behind its back.
func (m *mount) spoil(path string) {
	m.t.Helper()
	m.mustDo(http.MethodPut, "sys/raw/auth/"+m.uuid()+"/"+path, object{"value": `{"Policies": "cut of`})
}

// Entries that cannot be read deny those who need them and nobody else, are named in
// answers, lists and the log, and are replaced and deleted by their own paths. Vault tells
// an overwritten config from a new one.
func TestUnreadableEntries(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure()
	mia, eve := m.addUser("mia@acme.test", "Scientists"), m.addUser("eve@acme.test", "Artists")
	id := m.addTOTP("my_totp")
	m.mustWrite("users/mia@acme.test", object{"policies": "own"})
	m.mustWrite("groups/scientists", object{"policies": "science", "mfa_methods": "my_totp"})
	m.mustWrite("groups/artists", object{"policies": "art"})
	rows := []struct {
		key, path, list, name string
		write                 object
	}{
		{"user/mia@acme.test", "users/mia@acme.test", "users", "mia@acme.test", object{"policies": "own"}},
		{"mfa/method/" + id, "mfa/method/totp/" + id, "mfa/method", id, object{"issuer": "Acme", "method_name": "my_totp"}},
		{"group/scientists", "groups/scientists", "groups", "scientists", object{"policies": "science"}},
	}
	reload := func() { vaultCommand(t, v, "plugin", "reload", "-type=auth", "-plugin=okta") }
	const denied = "cannot be read: tell your Vault administrator"
	for _, row := range rows {
		m.spoil(row.key)
		reload()
		requireRefused(t, m.login(mia), http.StatusBadRequest, denied)
		require.Equal(t, []any{"art", "default"}, policies(m.mustLogin(eve)))
		requireRefused(t, m.read(row.path), http.StatusInternalServerError, row.key, "delete it")
		require.Contains(t, m.list(row.list), row.name)
		require.Contains(t, m.mustWrite(row.path, row.write).Warnings(), row.key)
		require.Equal(t, http.StatusOK, m.read(row.path).Status)
		m.spoil(row.key)
		reload()
		require.Equal(t, http.StatusOK, m.delete(row.path).Status, "with a warning")
		require.NotContains(t, m.list(row.list), row.name)
		m.mustWrite(row.path[:len(row.path)-len(row.name)]+map[bool]string{true: "my_totp", false: row.name}[row.name == id], row.write)
	}
	require.Equal(t, []any{"default", "own", "science"}, policies(m.mustLogin(mia)))

	m.spoil("config")
	reload()
	requireRefused(t, m.login(eve), http.StatusBadRequest, denied)
	requireRefused(t, m.read("config"), http.StatusInternalServerError, "write config as a whole, or delete it")
	patched := m.send(harness.Request{
		Method: http.MethodPatch, Path: m.full("config"), Token: v.RootToken, Body: object{"token_ttl": "1h"},
		Header: http.Header{"Content-Type": {"application/merge-patch+json"}},
	})
	requireRefused(t, patched, http.StatusBadRequest, "cannot be patched")
	requireRefused(t, m.write("config", object{"token_ttl": "1h"}), http.StatusBadRequest, "org_name")
	m.configure()
	m.mustLogin(eve)
	m.spoil("config")
	reload()
	require.Equal(t, http.StatusOK, m.delete("config").Status)
	m.configure()
	m.mustLogin(eve)

	log, err := os.ReadFile(v.LogPath)
	require.NoError(t, err)
	for _, row := range append(rows, struct {
		key, path, list, name string
		write                 object
	}{key: "config"}) {
		require.Regexp(t, "an entry in Vault's storage cannot be read: .*\\bkey="+regexp.QuoteMeta(row.key)+"\\s", string(log))
	}
	require.NotContains(t, string(log), "cut of")
}

// An entry that Vault itself cannot decrypt, because its storage was damaged, is one that
// cannot be read.
func TestUndecryptableEntry(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure()
	mia, eve := m.addUser("mia@acme.test", "Scientists"), m.addUser("eve@acme.test", "Artists")
	m.mustWrite("groups/scientists", object{"policies": "science"})
	m.mustWrite("groups/artists", object{"policies": "art"})
	path := filepath.Join(filepath.Dir(v.LogPath), "storage", "auth", m.uuid(), "group", "_scientists")
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var stored struct{ Value []byte }
	require.NoError(t, json.Unmarshal(raw, &stored))
	stored.Value[len(stored.Value)-1] ^= 1
	raw, err = json.Marshal(stored)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	require.NoError(t, v.Restart(t.Context())) // Vault had it in memory

	requireRefused(t, m.login(mia), http.StatusBadRequest, "cannot be read: tell your Vault administrator")
	require.Equal(t, []any{"art", "default"}, policies(m.mustLogin(eve)))
	requireRefused(t, m.read("groups/scientists"), http.StatusInternalServerError, "group/scientists", "delete it")
	require.Contains(t, m.list("groups"), "scientists")
	require.Contains(t, m.mustWrite("groups/scientists", object{"policies": "science"}).Warnings(), "group/scientists")
	require.Equal(t, []any{"default", "science"}, policies(m.mustLogin(mia)))
}
