package e2e

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// The tests of identity_*_test.go are about Vault's own login MFA on a mount of
// the plugin: the mount lets somebody in, and then Vault asks for a factor.

// identityMethod is a method of Vault's own login MFA.
type identityMethod struct {
	m        *mount
	ID, Name string
}

func (m *mount) identityMethod(kind string, fields object) *identityMethod {
	m.t.Helper()
	method := &identityMethod{m: m, Name: m.Path + "_" + kind}
	body := maps.Clone(fields)
	body["method_name"] = method.Name
	method.ID, _ = m.mustDo(http.MethodPost, "identity/mfa/method/"+kind, body).Data()["method_id"].(string)
	require.NotEmpty(m.t, method.ID)
	return method
}

func (m *mount) identityTOTP() *identityMethod {
	m.t.Helper()
	return m.identityMethod("totp", object{"issuer": "Vault", "period": identityStep})
}

// identityPush is a method that sends pushes by the mount's org, to the people
// that the mount knows.
func (m *mount) identityPush() *identityMethod {
	m.t.Helper()
	return m.identityMethod("okta", m.identityPushFields())
}

func (m *mount) identityPushFields(more ...object) object {
	m.t.Helper()
	fields := object{
		"org_name": m.org.Name, "api_token": m.org.Token, "base_url": "okta.test",
		"username_format": "{{identity.entity.aliases." + m.accessor() + ".name}}",
	}
	for _, f := range more {
		maps.Copy(fields, f)
	}
	return fields
}

// enforce has Vault ask for the method at each login of its mount.
func (method *identityMethod) enforce() *identityMethod {
	method.m.t.Helper()
	enforceMFA(method.m, object{"auth_method_accessors": []string{method.m.accessor()}}, method)
	return method
}

// enforceMFA has Vault ask for any of the methods, where a login is one of those
// that the selection is about.
func enforceMFA(m *mount, selection object, methods ...*identityMethod) {
	m.t.Helper()
	body := maps.Clone(selection)
	var ids, names []string
	for _, method := range methods {
		ids, names = append(ids, method.ID), append(names, method.Name)
	}
	body["mfa_method_ids"] = ids
	m.mustDo(http.MethodPost, "identity/mfa/login-enforcement/"+strings.Join(names, "-"), body)
}

// identityKey is a person's key for a TOTP method of Vault.
type identityKey struct {
	t      *testing.T
	secret string
	step   int64 // of the newest code
}

const identityStep = 300 // seconds: a code lasts as long as any test

// keyOf makes a key for somebody who has not logged in yet, as an administrator
// does: that takes the entity.
func (method *identityMethod) keyOf(u *oktatest.User) *identityKey {
	m := method.m
	m.t.Helper()
	entity := m.mustDo(http.MethodPost, "identity/entity", object{"name": m.Path + " " + u.Login()}).Data()["id"]
	m.mustDo(http.MethodPost, "identity/entity-alias", object{
		"name": u.Login(), "mount_accessor": m.accessor(), "canonical_id": entity,
	})
	a := m.mustDo(http.MethodPost, "identity/mfa/method/totp/admin-generate", object{
		"method_id": method.ID, "entity_id": entity,
	})
	address, err := url.Parse(a.Data()["url"].(string))
	require.NoError(m.t, err)
	text := address.Query().Get("secret")
	noteSecret(text)
	return &identityKey{t: m.t, secret: text}
}

// code is a code that has not been used, of this step or, the second time, of
// the next: Vault takes both.
func (k *identityKey) code() string {
	k.step = max(k.step+1, time.Now().Unix()/identityStep)
	code := k.at(k.step)
	noteSecret(code)
	return code
}

// oldCode is one that was right an hour ago.
func (k *identityKey) oldCode() string { return k.at(time.Now().Unix()/identityStep - 12) }

func (k *identityKey) at(step int64) string {
	code, err := hotp.GenerateCode(k.secret, uint64(step))
	require.NoError(k.t, err)
	return code
}

// requireMFA checks an answer of Vault that asks for the methods, one enforcement
// for each, and returns the id to go on with.
func requireMFA(t *testing.T, a harness.Answer, methods ...*identityMethod) (requestID string) {
	t.Helper()
	require.NoError(t, a.Err())
	require.Empty(t, a.Token(), "%s", a.Raw)
	for _, field := range []string{"accessor", "entity_id"} {
		require.Empty(t, a.Auth()[field], field)
	}
	for _, field := range []string{"policies", "metadata"} {
		require.Nil(t, a.Auth()[field], field)
	}
	required, _ := a.Auth()["mfa_requirement"].(object)
	constraints, _ := required["mfa_constraints"].(object)
	require.Len(t, constraints, len(methods), "%s", a.Raw)
	for _, method := range methods {
		constraint := constraints[method.Name].(object)["any"].([]any)[0].(object)
		require.Equal(t, method.ID, constraint["id"])
		require.Equal(t, method.Name, constraint["name"])
	}
	requestID, _ = required["mfa_request_id"].(string)
	require.NotEmpty(t, requestID)
	noteSecret(requestID)
	return requestID
}

// validate goes on with a login that Vault asks for a factor.
func (m *mount) validate(requestID string, payload object) harness.Answer {
	m.t.Helper()
	a := m.send(harness.Request{
		Method: http.MethodPost, Path: "sys/mfa/validate",
		Body: object{"mfa_request_id": requestID, "mfa_payload": payload},
	})
	noteSecrets(a)
	return a
}

// answers is the payload for methods: id or name, passcode or nothing, and so on.
func answers(pairs ...string) object {
	payload := object{}
	for i := 0; i < len(pairs); i += 2 {
		payload[pairs[i]] = slices.DeleteFunc([]string{pairs[i+1]}, func(s string) bool { return s == "" })
	}
	return payload
}

// withMFA is the mount for somebody who gives credentials for Vault's methods
// with the login, each name[:code].
func (m *mount) withMFA(credentials ...string) *mount {
	var header []string
	for _, credential := range credentials {
		header = append(header, "X-Vault-MFA", credential)
	}
	return m.at("", header...)
}

// requireToken checks that an answer has a token of the person, and returns it.
func (m *mount) requireToken(a harness.Answer, u *oktatest.User) string {
	m.t.Helper()
	require.NoError(m.t, a.Err())
	require.NotEmpty(m.t, a.Token(), "%s", a.Raw)
	require.Nil(m.t, a.Auth()["mfa_requirement"])
	token := m.lookup(a.Token())
	require.Equal(m.t, u.Login(), token["meta"].(object)["username"])
	require.Equal(m.t, m.full("login/"+u.Login()), token["path"])
	return a.Token()
}

// asked tells what the org was asked for one login, by whom, without ids and repetitions.
func (o *org) asked() (list []string) {
	for _, r := range o.Requests() {
		who := r.UserAgent()
		switch {
		case strings.HasSuffix(who, ownAgent):
			who = "plugin"
		case strings.HasPrefix(who, "okta-sdk-golang/"):
			who = "Vault"
		}
		segments := strings.Split(strings.TrimPrefix(r.Path, "/api/v1/"), "/")
		for i, segment := range segments {
			if len(segment) > len("transactions") {
				segments[i] = "*"
			}
		}
		list = append(list, who+" "+r.Method+" "+strings.Join(segments, "/"))
	}
	// The groups are read beside the password of a known user, and while a phone rings.
	const groups = "plugin GET users/*/groups"
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(turn(a, groups), turn(b, groups)) })
	return slices.CompactFunc(list, func(a, b string) bool { return a == b && a != groups })
}

// turn is when a question of a login comes: the groups count as the plugin's last.
func turn(question, groups string) int {
	switch {
	case question == groups:
		return 1
	case strings.HasPrefix(question, "plugin "):
		return 0
	}
	return 2
}

// What a login asks Okta for.
var (
	byPlugin     = []string{"plugin POST authn", "plugin GET users/*/groups"}
	byPluginPush = []string{"plugin POST authn", "plugin POST authn/factors/*/verify", "plugin GET users/*/groups"}
	byVaultPush  = []string{
		"Vault GET users", "Vault GET users/*/factors", "Vault POST users/*/factors/*/verify",
		"Vault GET users/*/factors/*/transactions/*",
	}
)
