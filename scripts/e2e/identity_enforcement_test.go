package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two enforcements ask for both; one with two methods for any of them.
func TestIdentitySeveralMethods(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	totp, push := m.identityTOTP(), m.identityPush()
	enforceMFA(m, object{"auth_method_accessors": []string{m.accessor()}}, totp, push)
	u := m.addSigner("mia@acme.test")
	f, key := u.AddPush("WAITING", "SUCCESS"), totp.keyOf(u)
	a := m.login(u)
	require.NoError(t, a.Err())
	require.Empty(t, a.Token())
	m.requireToken(m.withMFA(push.Name).login(u), u)
	m.requireToken(m.withMFA(totp.Name+":"+key.code()).login(u), u)
	require.Equal(t, 1, f.Pushes())

	totp.enforce()
	push.enforce()
	m.mustDo(http.MethodDelete, "identity/mfa/login-enforcement/"+totp.Name+"-"+push.Name, nil)
	u = m.addSigner("eve@acme.test")
	f, key = u.AddPush("WAITING", "SUCCESS"), totp.keyOf(u)
	id := requireMFA(t, m.login(u), totp, push)
	requireRefused(t, m.validate(id, answers(totp.ID, key.code())), http.StatusForbidden, push.Name)
	m.requireToken(m.validate(id, answers(totp.ID, key.code(), push.ID, "")), u)
	require.Equal(t, 1, f.Pushes())
	u = m.addSigner("tom@acme.test")
	f, key = u.AddPush("WAITING", "SUCCESS"), totp.keyOf(u)
	requireRefused(t, m.withMFA(totp.Name+":"+key.code()).login(u), http.StatusForbidden, "permission denied")
	m.requireToken(m.withMFA(totp.Name+":"+key.code(), push.Name).login(u), u)
	require.Equal(t, 1, f.Pushes())
}

// Somebody whom Okta has put into a group is asked from the first login on.
func TestIdentityMFAForAnOktaGroup(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	group := m.mustDo(http.MethodPost, "identity/group", object{"name": m.Path, "type": "external"}).Data()["id"]
	m.mustDo(http.MethodPost, "identity/group-alias", object{
		"name": "Scientists", "mount_accessor": m.accessor(), "canonical_id": group,
	})
	method := m.identityTOTP()
	enforceMFA(m, object{"identity_group_ids": []any{group}}, method)
	u := m.addUser("mia@acme.test", "Everyone", "Scientists")
	for range 2 {
		requireMFA(t, m.login(u), method)
	}
	u.SetGroups("Everyone")
	m.requireToken(m.login(u), u)
	u.SetGroups("Everyone", "Scientists")
	requireMFA(t, m.login(u), method)
}

// An enforcement may name a type of methods, which is the plugin's, too. (It would
// be one for all tests: hence a Vault of its own.)
func TestIdentityMFAForAMethodType(t *testing.T) {
	t.Parallel()
	m := enableOn(t, startOwnVault(t, suite.env...), newOrg(t), pluginVersion)
	m.configure()
	u := m.addUser("mia@acme.test")
	m.requireToken(m.login(u), u)
	method := m.identityTOTP()
	enforceMFA(m, object{"auth_method_types": []string{"okta"}}, method)
	key := method.keyOf(u)
	id := requireMFA(t, m.login(u), method)
	m.requireToken(m.validate(id, answers(method.ID, key.code())), u)
}

// Other mounts are none of an enforcement's business.
func TestIdentityMFAIsForOneMount(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	twin := enableOn(t, suite.vault, m.org, suite.mountVersion)
	twin.configure()
	u := m.addUser("mia@acme.test")
	method := m.identityTOTP().enforce()
	requireMFA(t, m.login(u), method)
	token := twin.requireToken(twin.login(u), u)
	status, _ := twin.renew(token)
	require.Equal(t, http.StatusOK, status)
	twin.requireToken(twin.withMFA(method.Name+":123456").login(u), u)
}

// Methods of the mount and Vault's own go together: first the mount's, then Vault's.
func TestIdentityMFAAfterMethodsOfTheMount(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.tune("X-Vault-MFA")
	u := m.addUser("mia@acme.test")
	u.SetStatus("SUCCESS")
	phone := u.AddPush("WAITING", "SUCCESS")
	mine := m.key(m.addTOTP("my_totp"), "my_totp", u)
	m.createMethod("okta", object{"method_name": "corp_okta", "require_number_challenge": false})
	m.mustWrite("config", object{"mfa_methods": "my_totp,corp_okta"})
	method := m.identityTOTP().enforce()
	key := method.keyOf(u)

	requireRefused(t, m.withMFA(method.Name+":"+key.oldCode()).login(u), http.StatusBadRequest, "my_totp (the passcode")
	require.Zero(t, phone.Pushes())
	id := requireMFA(t, m.login(u, object{"mfa": mine.at(t, 0)}), method)
	require.Equal(t, 1, phone.Pushes())
	m.requireToken(m.validate(id, answers(method.ID, key.code())), u)
	// One header is for both. With it Vault wants all of it at once.
	m.requireToken(m.withMFA(mine.at(t, 1), method.Name+":"+key.code()).login(u), u)
}
