package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestRequiredGroups: only members of the groups log in and renew, and nobody else's phone
// rings. A write of the field says what the builtin method makes of it.
func TestRequiredGroups(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	warnings := m.mustWrite("config", object{"required_groups": "Vault Users"}).Warnings()
	require.Contains(t, warnings, "it lets in everybody whom Okta lets in")
	u := m.addUser("mia@acme.test", "Scientists")
	phone := u.AddPush("SUCCESS")
	requireRefused(t, m.login(u), http.StatusBadRequest, "members of certain groups")
	require.Zero(t, phone.Pushes())

	u.SetGroups("Vault Users")
	a := m.mustLogin(u)
	require.Equal(t, 1, phone.Pushes())
	phone.SetScript("SUCCESS")
	status, _ := m.renew(a.Token())
	require.Equal(t, http.StatusOK, status)
	u.SetGroups("Scientists")
	status, _ = m.renew(a.Token())
	require.Equal(t, http.StatusBadRequest, status)
}

// TestGroupsThatCount: a group that was imported, or whose name does not match, is no alias
// of an external identity group and gives no policy.
func TestGroupsThatCount(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"group_types": "OKTA_GROUP", "group_filter": "^vault-"})
	u := m.addUser("mia@acme.test", "vault-dev", "sales")
	u.AddGroup("vault-admin", "APP_GROUP")
	for _, group := range []string{"vault-dev", "sales", "vault-admin"} {
		m.externalGroup(group, m.Path+"-"+group)
		m.mustWrite("groups/"+group, object{"policies": "by-" + group})
	}
	a := m.mustLogin(u)
	require.Equal(t, []any{m.Path + "-vault-dev"}, a.Auth()["identity_policies"])
	require.Equal(t, []any{"by-vault-dev", "default"}, policies(a))
}

// TestGroupsThatLookAlikeAreNoAliases: Vault looks aliases up in lower case, which makes a
// dotted I an i. Such a group gets nothing of the external group that it looks like.
func TestGroupsThatLookAlikeAreNoAliases(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.externalGroup("it-admins", m.Path+"-it")
	m.externalGroup("kube", m.Path+"-kube")
	require.Nil(t, m.mustLogin(m.addUser("eve@acme.test", "İt-admins", "\u212aube")).Auth()["identity_policies"])
	require.Equal(t, []any{m.Path + "-it", m.Path + "-kube"}, m.mustLogin(m.addUser("mia@acme.test", "IT-Admins", "Kube")).Auth()["identity_policies"])
}

// TestGroupByItsID: an entry with a group_id is that group's, also once it is renamed, and
// gives nothing to another group of its name.
func TestGroupByItsID(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test", "admins")
	id := m.org.RenameGroup("admins", "OKTA_GROUP", "admins")
	warnings := m.mustWrite("groups/admins", object{"policies": "admin", "group_id": id}).Warnings()
	require.Contains(t, warnings, "gives what is in the entry to every group of its name")
	require.Equal(t, id, m.mustRead("groups/admins")["group_id"])
	a := m.mustLogin(u)
	require.Equal(t, []any{"admin", "default"}, policies(a))
	m.org.RenameGroup("admins", "OKTA_GROUP", "wheel")
	require.Equal(t, []any{"admin", "default"}, policies(m.mustLogin(u)))
	status, _ := m.renew(a.Token())
	require.Equal(t, http.StatusOK, status)
	u.SetGroups("admins")
	require.Equal(t, []any{"default"}, policies(m.mustLogin(u)))
	m.patch("groups/admins", object{"group_id": nil})
	require.Equal(t, []any{"admin", "default"}, policies(m.mustLogin(u)))
}

// TestGroupPatterns: a pattern is written, listed, read and deleted by the tool like any
// other entry, and maps the groups that have none of their own.
func TestGroupPatterns(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	root := m.vault.CLI(t.TempDir(), m.vault.RootToken)
	tool := func(args ...string) string {
		t.Helper()
		result, err := root.Run(t.Context(), args...)
		require.NoError(t, err)
		require.Zero(t, result.Code, result.Stderr)
		return result.Stdout
	}
	for _, name := range []string{"vault-*", "team-[ab]", "site-?", "eu/*/ops"} {
		tool("write", m.full("groups/"+name), "pattern=true", "policies=by-pattern")
		require.Contains(t, tool("read", m.full("groups/"+name)), "by-pattern")
		require.Contains(t, tool("list", m.full("groups")), name)
	}
	m.mustWrite("groups/vault-admin", object{"policies": "admin"})
	u := m.addUser("mia@acme.test")
	for group, want := range map[string]string{
		"Vault-dev": "by-pattern", "vault-admin": "admin", "team-B": "by-pattern", "site-1": "by-pattern", "eu/west/1/ops": "by-pattern", "team-c": "", "site-12": "",
	} {
		u.SetGroups(group)
		if want == "" {
			require.Equal(t, []any{"default"}, policies(m.mustLogin(u)), group)
			continue
		}
		require.Equal(t, []any{want, "default"}, policies(m.mustLogin(u)), group)
	}
	tool("delete", m.full("groups/vault-*"))
	u.SetGroups("vault-dev")
	require.Equal(t, []any{"default"}, policies(m.mustLogin(u)))
	requireRefused(t, m.write("groups/vault-[a", object{"pattern": true}), http.StatusBadRequest, "name must be a pattern")
}

// TestGroupsOnError: while Okta cannot tell the groups, a login gets what the mount gives,
// and a renewal of a token of that works, where config says so.
func TestGroupsOnError(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("groups/scientists", object{"policies": "science"})
	m.mustWrite("users/mia@acme.test", object{"policies": "own"})
	u := m.addUser("mia@acme.test", "Scientists")
	full := m.mustLogin(u).Token()
	m.org.Fail("groups", oktatest.Status(503, "E0000009", "Internal Server Error"))
	requireRefused(t, m.login(u), http.StatusBadGateway, "Okta failed with HTTP 503")
	require.Contains(t, m.mustWrite("config", object{"groups_on_error": "local"}).Warnings(), "it denies a login whose groups it cannot read")
	a := m.mustLogin(u)
	require.Equal(t, []any{"default", "own"}, policies(a))
	require.Contains(t, a.Warnings(), "Okta could not tell this mount your groups")
	m.requireLogged("without the person's groups in Okta (groups_on_error=local)")
	status, _ := m.renew(a.Token())
	require.Equal(t, http.StatusOK, status)
	status, _ = m.renew(full)
	require.NotEqual(t, http.StatusOK, status)
	m.org.ClearFaults()
	status, _ = m.renew(full)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []any{"default", "own", "science"}, policies(m.mustLogin(u)))
}

// TestMetadataInTemplates: a policy that is written with a person's attribute lets them at
// what is theirs alone, and follows the attribute at their next login.
func TestMetadataInTemplates(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"metadata_fields": "department=department,cost_center=costCenter"})
	name := m.Path + "-departments"
	m.mustWrite("config", object{"token_policies": name})
	m.mustDo(http.MethodPut, "sys/policies/acl/"+name, object{"policy": `path "secret/data/{{identity.entity.aliases.` + m.accessor() +
		`.metadata.department}}/*" { capabilities = ["create", "update", "read"] }`})
	u := m.addUser("mia@acme.test")
	u.SetAttribute("department", "lab")
	u.SetAttribute("costCenter", 4711)
	a := m.mustLogin(u)
	entity := m.mustDo(http.MethodGet, "identity/entity/id/"+a.Auth()["entity_id"].(string), nil).Data()
	require.Equal(t, object{"department": "lab", "cost_center": "4711"}, entity["aliases"].([]any)[0].(object)["metadata"])
	can := func(path string) []any {
		t.Helper()
		return m.asToken(a.Token(), http.MethodPost, "sys/capabilities-self", object{"paths": []string{path}}).Data()["capabilities"].([]any)
	}
	require.ElementsMatch(t, []any{"create", "update", "read"}, can("secret/data/lab/x"))
	require.NotContains(t, can("secret/data/sales/x"), "read")
	u.SetAttribute("department", "sales")
	m.mustLogin(u)
	require.Contains(t, can("secret/data/sales/x"), "read", "an older token of the person's, too")
	require.NotContains(t, can("secret/data/lab/x"), "read")
	for _, wide := range []string{"*", "+", "../lab"} {
		u.SetAttribute("department", wide)
		m.mustLogin(u)
		require.NotContains(t, can("secret/data/lab/x"), "read", wide)
	}
	m.org.Fail("users", oktatest.Status(403, "E0000006", "You do not have permission"))
	require.Empty(t, m.mustLogin(u).Warnings())
}
