package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoginByPassword(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"token_policies": "base"})
	m.mustWrite("groups/scientists", object{"policies": "science,shared"})
	m.mustWrite("groups/local", object{"policies": "local"})
	m.mustWrite("groups/others", object{"policies": "others"})
	m.mustWrite("users/mia.ito@acme.test", object{"groups": "LOCAL,elsewhere", "policies": "own,shared"})
	u := m.addUser("mia.ito@acme.test", "Everyone", "SCIENTISTS")

	a := m.mustLogin(u)
	want := []any{"base", "default", "local", "own", "science", "shared"}
	require.Equal(t, want, policies(a))
	require.Equal(t, want, a.Auth()["policies"])
	require.Empty(t, a.Warnings())

	metadata, _ := a.Auth()["metadata"].(object)
	require.Equal(t, "mia.ito@acme.test", metadata["username"])
	listed := strings.Split(fmt.Sprint(metadata["policies"]), ",")
	require.ElementsMatch(t, []string{"local", "own", "science", "shared"}, unique(listed))

	token := m.lookup(a.Token())
	require.Equal(t, m.Path+"-mia.ito@acme.test", token["display_name"])
	require.Equal(t, metadata, token["meta"])

	entity := m.mustDo(http.MethodGet, "identity/entity/id/"+a.Auth()["entity_id"].(string), nil).Data()
	aliases, _ := entity["aliases"].([]any)
	require.Len(t, aliases, 1)
	require.Equal(t, "mia.ito@acme.test", aliases[0].(object)["name"])
	require.Equal(t, m.accessor(), aliases[0].(object)["mount_accessor"])
}

// lookup is what Vault says of a token.
func (m *mount) lookup(token string) object {
	m.t.Helper()
	a := m.asToken(token, http.MethodGet, "auth/token/lookup-self", nil)
	require.NoError(m.t, a.Err())
	return a.Data()
}

// unique is a list without its repetitions.
func unique(list []string) []string {
	seen := map[string]bool{}
	var once []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			once = append(once, s)
		}
	}
	return once
}

func TestLoginWithBadCredentials(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	wrong := m.login(u, object{"password": secret()})
	requireRefused(t, wrong, http.StatusBadRequest, "(E0000004)")
	require.Equal(t, 1, m.org.Count(http.MethodPost, "/api/v1/authn"), "a wrong password is tried once")

	unknown := m.attempt("nobody@acme.test", object{"password": secret()})
	requireRefused(t, unknown, http.StatusBadRequest)
	require.Equal(t, strings.ReplaceAll(wrong.Errors(), "mia@", ""), strings.ReplaceAll(unknown.Errors(), "nobody@", ""),
		"nothing tells whether an account exists")

	m.org.Reset()
	for _, body := range []object{{}, {"password": ""}, {"password": nil}} {
		requireRefused(t, m.attempt("mia@acme.test", body), http.StatusBadRequest, "password")
	}
	require.Empty(t, m.org.Requests(), "no password, no request")
}

// What Okta says about an account decides, whatever the name of the status.
func TestLoginByAccountStatus(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		status   string
		bypassed int // the HTTP status with bypass_okta_mfa
	}{
		{"LOCKED_OUT", 400},
		{"HIDDEN_LOCKED_OUT", 400},
		{"PASSWORD_EXPIRED", 400},
		{"PASSWORD_RESET", 400},
		{"RECOVERY", 400},
		{"RECOVERY_CHALLENGE", 400},
		{"MFA_ENROLL", 200},
		{"MFA_ENROLL_ACTIVATE", 200},
		{"UNAUTHENTICATED", 400},
		{"SUSPENDED", 400},
		{"DEPROVISIONED", 400},
		{"STAGED", 400},
		{"A_STATUS_OF_TOMORROW", 400},
		{"success", 400},
	} {
		t.Run(row.status, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			u.SetStatus(row.status)
			requireRefused(t, m.login(u), http.StatusBadRequest)
			m.mustWrite("config", object{"bypass_okta_mfa": true})
			a := m.login(u)
			require.Equal(t, row.bypassed, a.Status, "with bypass_okta_mfa: %s", a.Raw)
		})
	}
}

// MFA comes first: bypassed, it hides what would come after it.
func TestBypassHidesAnExpiredPassword(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddTOTP("OKTA")
	u.SetStatus("PASSWORD_EXPIRED")
	requireRefused(t, m.login(u, object{"totp": f.Code()}), http.StatusBadRequest, "expired")
	m.mustWrite("config", object{"bypass_okta_mfa": true})
	m.mustLogin(u)
}

func TestLoginTellsThatThePasswordExpiresSoon(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	u.SetStatus("PASSWORD_WARN")
	a := m.mustLogin(u)
	require.Contains(t, strings.ToLower(a.Warnings()), "password")
	require.Contains(t, strings.ToLower(a.Warnings()), "expire")
}

func TestLoginTellsThatThereAreNoGroups(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	u.SetGroups()
	require.Contains(t, strings.ToLower(m.mustLogin(u).Warnings()), "group")
}

// Without an API token only local groups count, and nobody is asked for more.
func TestLoginWithoutAPIToken(t *testing.T) {
	t.Parallel()
	m := enable(t, newOrg(t))
	m.mustWrite("config", object{"org_name": m.org.Name, "base_url": "okta.test"})
	m.mustWrite("groups/scientists", object{"policies": "science"})
	m.mustWrite("groups/local", object{"policies": "local"})
	m.mustWrite("users/mia@acme.test", object{"groups": "local"})
	a := m.mustLogin(m.addUser("mia@acme.test", "Scientists"))
	require.Equal(t, []any{"default", "local"}, policies(a))
	require.Contains(t, a.Warnings(), "no api_token")
	for _, r := range m.org.Requests() {
		require.Empty(t, r.Header.Get("Authorization"))
		require.Contains(t, r.Path, "/api/v1/authn")
	}
}

// OpenBao and simple scripts post the password and nothing else; others
// repeat the name, send nulls, or spell the provider as they like.
func TestLoginTakesWhatClientsSend(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	m.mustLogin(u, object{"username": "mia@acme.test"})
	m.mustLogin(u, object{"totp": nil, "nonce": nil, "provider": nil})
	m.mustLogin(u, object{"nonce": "abcdefghijklmnopqrst"})
	a := m.asToken("", http.MethodPut, m.full("login/mia@acme.test"), object{"password": u.Password()})
	noteSecret(a.Token())
	require.NoError(t, a.Err())
}

// A wrong API token fails the login with Okta's reason, and is not shown.
func TestLoginWithWrongAPIToken(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"api_token": secret()})
	a := m.login(m.addUser("mia@acme.test"))
	require.GreaterOrEqual(t, a.Status, 400)
	require.Contains(t, a.Errors(), "E0000011")
	require.NotContains(t, a.Errors(), "pw-")
}

func TestLoginFromElsewhereIsRefusedBeforeOktaIsAsked(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"token_bound_cidrs": "10.0.0.0/8"})
	a := m.login(m.addUser("mia@acme.test"))
	requireRefused(t, a, http.StatusForbidden)
	require.Empty(t, m.org.Requests())
}

func TestLoginWithOddUsernames(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	for _, name := range oddNames {
		m.mustWrite("users/"+name, object{"policies": "of " + name})
		a := m.mustLogin(m.addUser(name))
		require.Contains(t, fmt.Sprint(policies(a)), "of "+strings.ToLower(name), name)
	}
}

// (A username of 1 MB is not among these: Vault itself takes minutes to route
// a path of that length, whatever the plugin.)
func TestLoginWithHostileInput(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")

	for name, status := range map[string]int{
		"a username of 10 kB":     m.attempt(strings.Repeat("x", 10<<10), object{"password": secret()}).Status,
		"a name of dots":          m.attempt("../config", object{"password": secret()}).Status,
		"a nonce of 10 kB":        m.login(u, object{"nonce": strings.Repeat("n", 10<<10)}).Status,
		"a nonce of slashes":      m.login(u, object{"nonce": "../../config"}).Status,
		"a provider of 1 MB":      m.login(u, object{"provider": strings.Repeat("p", 1<<20)}).Status,
		"a passcode of 1 MB":      m.login(u, object{"totp": strings.Repeat("1", 1<<20)}).Status,
		"control characters":      m.attempt("mia\x00\r\n@acme.test", object{"password": secret()}).Status,
		"an object as a password": m.attempt("mia@acme.test", object{"password": object{"a": 1}}).Status,
	} {
		require.Less(t, status, 500, name)
	}
	m.mustLogin(u)
}
