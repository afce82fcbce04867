package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// addSigner adds somebody whom Okta lets in by the password alone, for all that
// they have a factor.
func (m *mount) addSigner(login string, groups ...string) *oktatest.User {
	u := m.addUser(login, groups...)
	u.SetStatus("SUCCESS")
	return u
}

func TestIdentityPushInTwoRequests(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("groups/scientists", object{"policies": "science"})
	u := m.addSigner("mia@acme.test", "Scientists")
	f := u.AddPush("WAITING", "REJECTED")
	method := m.identityPush().enforce()

	id := requireMFA(t, m.login(u), method)
	require.Equal(t, byPlugin, m.org.asked())
	require.Zero(t, f.Pushes(), "none before somebody goes on with the login")
	requireRefused(t, m.validate(id, answers(method.ID, "")), http.StatusForbidden, "push verification explicitly rejected")
	require.Equal(t, 1, f.Pushes())

	m.org.Reset()
	f.SetScript("WAITING", "WAITING", "SUCCESS")
	a := m.validate(id, answers(method.Name, ""))
	m.requireToken(a, u)
	require.Equal(t, []any{"default", "science"}, policies(a))
	require.Equal(t, byVaultPush, m.org.asked())
	require.Equal(t, 2, f.Pushes())
	require.Equal(t, "filter=profile.login+eq+%22mia%40acme.test%22", m.org.search())
	requireRefused(t, m.validate(id, answers(method.ID, "")), http.StatusBadRequest, "invalid request ID")
	require.Equal(t, 2, f.Pushes())
}

func TestIdentityPushInOneRequest(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addSigner("mia@acme.test")
	f := u.AddPush()
	method := m.identityPush().enforce()
	for _, credential := range []string{method.ID, method.Name} {
		m.org.Reset()
		before := f.Pushes()
		ended := m.withMFA(credential).start(t.Context(), u)
		eventually(t, "a push", func() bool { return f.Waiting() == 1 })
		require.Equal(t, 1, f.Approve())
		o := <-ended
		require.NoError(t, o.err)
		m.requireToken(o.Answer, u)
		require.Equal(t, slices.Concat(byPlugin, byVaultPush), m.org.asked())
		require.Equal(t, before+1, f.Pushes())
	}
	ended := m.withMFA(method.Name).start(t.Context(), u)
	eventually(t, "a push", func() bool { return f.Waiting() == 1 })
	require.Equal(t, 1, f.Reject())
	o := <-ended
	require.NoError(t, o.err)
	requireRefused(t, o.Answer, http.StatusForbidden, "permission denied")
	require.Equal(t, 3, f.Pushes())
}

func TestIdentityPushByTheTool(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addSigner("mia@acme.test")
	f := u.AddPush("WAITING", "SUCCESS")
	method := m.identityPush().enforce()
	args := m.loginArgs(u, "password="+u.Password())
	for _, name := range []string{method.ID, method.Name} {
		cli := m.person()
		m.requireLoggedIn(cli, m.runLogin(cli, withFlag(args, "-mfa="+name)...))
	}
	require.Equal(t, 2, f.Pushes())

	// On a terminal nothing need be typed.
	cli := m.person()
	terminal, err := cli.OnTerminal(t.Context(), args...)
	require.NoError(t, err)
	require.Zero(t, terminal.Wait(), terminal.Screen())
	m.noteToken(cli)
	require.Equal(t, 3, f.Pushes())

	f.SetScript("WAITING", "REJECTED")
	requireForbidden(t, m.runLogin(m.person(), withFlag(args, "-mfa="+method.Name)...))
	terminal, err = m.person().OnTerminal(t.Context(), args...)
	require.NoError(t, err)
	require.Equal(t, 2, terminal.Wait(), terminal.Screen())
	require.Contains(t, terminal.Screen(), "push verification explicitly rejected")
	require.Equal(t, 5, f.Pushes())
}

// What keeps Vault from a push, or a push from an approval, lets nobody in.
func TestIdentityPushIsDenied(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		factor []string // type and provider
		script []string // of the push
		email  string
		method object
		words  string // that the person is told
	}{
		"no factors": {words: "no MFA factors found for user"},
		"no push":    {factor: []string{"token:software:totp", "OKTA"}, words: "no push-type MFA factor found for user"},
		"timed out":  {script: []string{"WAITING", "TIMEOUT"}, words: "login MFA validation failed"},
		"no result":  {script: []string{"WAITING", ""}, words: "login MFA validation failed"},
		"unknown":    {script: []string{"WAITING", "SOMETHING_NEW"}, words: "login MFA validation failed"},
		"name of the entity": {
			script: []string{"SUCCESS"}, method: object{"username_format": ""}, words: "no users found",
		},
		"another e-mail address": {
			script: []string{"SUCCESS"}, email: "mia@home.test", method: object{"primary_email": true}, words: "no users found",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addSigner("mia@acme.test")
			if row.factor != nil {
				u.AddFactor(row.factor[0], row.factor[1])
			}
			if row.script != nil {
				u.AddPush(row.script...)
			}
			if row.email != "" {
				u.SetEmail(row.email)
			}
			method := m.identityMethod("okta", m.identityPushFields(row.method)).enforce()
			id := requireMFA(t, m.login(u), method)
			requireRefused(t, m.validate(id, answers(method.ID, "")), http.StatusForbidden, row.words)
			requireRefused(t, m.withMFA(method.Name).login(u), http.StatusForbidden, "permission denied")
		})
	}
}

// On a mount that knows people by what they type, Vault asks Okta for the name that the
// person typed at the first login, and Okta's filter takes no short name and no other
// case.
func TestIdentityPushGoesByTheFirstNameTyped(t *testing.T) {
	t.Parallel()
	for first, found := range map[string]bool{"mia@acme.test": true, "Mia@acme.test": false, "mia": false} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, object{"alias_source": "typed"})
			u := m.addSigner("mia@acme.test")
			f := u.AddPush("WAITING", "SUCCESS")
			method := m.identityPush().enforce()
			for _, typed := range []string{first, strings.ToUpper(first)} {
				m.org.Reset()
				id := requireMFA(t, m.attempt(typed, credentials(u)), method)
				a := m.validate(id, answers(method.ID, ""))
				require.Equal(t, "filter="+url.QueryEscape(`profile.login eq "`+first+`"`), m.org.search())
				if found {
					require.NoError(t, a.Err())
					continue
				}
				requireRefused(t, a, http.StatusForbidden, "no users found")
			}
			require.Equal(t, found, f.Pushes() == 2)
		})
	}
}

// On a mount that knows people by their login, it asks for that, whatever they type.
func TestIdentityPushGoesByTheLogin(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addSigner("mia@acme.test")
	f := u.AddPush("WAITING", "SUCCESS")
	method := m.identityPush().enforce()
	for i, typed := range []string{"mia", "MIA@ACME.test", "mía@acme.test"} {
		id := requireMFA(t, m.attempt(typed, credentials(u)), method)
		require.NoError(t, m.validate(id, answers(method.ID, "")).Err())
		require.Equal(t, i+1, f.Pushes())
	}
}

// search is the query of the search for users.
func (o *org) search() string {
	for _, r := range o.Requests() {
		if r.Path == "/api/v1/users" {
			return r.RawQuery
		}
	}
	return ""
}
