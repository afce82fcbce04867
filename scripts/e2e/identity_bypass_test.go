package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// Okta asks for a factor, the mount bypasses it, and Vault asks for one: the
// person gives one.
func TestIdentityMFAWithBypass(t *testing.T) {
	t.Parallel()
	for _, requests := range []string{"one request", "two requests"} {
		t.Run(requests, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, object{"bypass_okta_mfa": true})
			u := m.addUser("mia@acme.test")
			f := u.AddPush("WAITING", "SUCCESS")
			u.AddTOTP("OKTA")
			method := m.identityPush().enforce()
			if requests == "one request" {
				m.requireToken(m.withMFA(method.Name).login(u), u)
			} else {
				id := requireMFA(t, m.login(u), method)
				require.Zero(t, f.Pushes())
				m.requireToken(m.validate(id, answers(method.ID, "")), u)
			}
			require.Equal(t, slices.Concat(byPlugin, byVaultPush), m.org.asked())
			require.Equal(t, 1, f.Pushes())
		})
	}
	t.Run("passcode", func(t *testing.T) {
		t.Parallel()
		m := newMount(t, object{"bypass_okta_mfa": true})
		u := m.addUser("mia@acme.test")
		f := u.AddPush("WAITING", "SUCCESS")
		method := m.identityTOTP().enforce()
		key := method.keyOf(u)
		m.requireToken(m.withMFA(method.Name+":"+key.code()).login(u), u)
		require.Equal(t, byPlugin, m.org.asked())
		require.Zero(t, f.Pushes())
	})
}

// Without the bypass Okta's factor comes first, and then Vault's.
func TestIdentityMFAWithoutBypass(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush("WAITING", "SUCCESS")
	method := m.identityPush().enforce()
	id := requireMFA(t, m.login(u), method)
	require.Equal(t, byPluginPush, m.org.asked())
	require.Equal(t, 1, f.Pushes())
	m.org.Reset()
	m.requireToken(m.validate(id, answers(method.ID, "")), u)
	require.Equal(t, byVaultPush, m.org.asked())
	require.Equal(t, 2, f.Pushes())

	m.org.Reset()
	m.requireToken(m.withMFA(method.Name).login(u), u)
	require.Equal(t, slices.Concat(byPluginPush, byVaultPush), m.org.asked())
	require.Equal(t, 4, f.Pushes())

	// Who rejects the first is not asked for the second.
	f.SetScript("WAITING", "REJECTED")
	requireRefused(t, m.withMFA(method.Name).login(u), http.StatusBadRequest, "rejected")
	require.Equal(t, 5, f.Pushes())
}

// Both factors by the tool: the number on Okta's push, then Vault's code.
func TestIdentityMFAAfterANumber(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u, cli := m.addUser("mia@acme.test"), m.person()
	f := u.AddPush().Number(47, 1)
	method := m.identityTOTP().enforce()
	key := method.keyOf(u)
	terminal, err := cli.OnTerminal(t.Context(), m.loginArgs(u, "password="+u.Password())...)
	require.NoError(t, err)
	_, err = terminal.WaitFor(t.Context(), regexp.MustCompile(`\b47\b`))
	require.NoError(t, err)
	require.Equal(t, 1, f.Approve())
	_, err = terminal.WaitFor(t.Context(), asksForTheCode)
	require.NoError(t, err)
	require.NoError(t, terminal.Type(key.code()))
	require.Zero(t, terminal.Wait(), terminal.Screen())
	m.noteToken(cli)

	// The fields of Okta's factor and the flag of Vault's are apart.
	generator := u.AddTOTP("GOOGLE")
	args := m.loginArgs(u, "password="+u.Password(), "totp="+generator.Code())
	m.requireLoggedIn(cli, m.runLogin(cli, withFlag(args, "-mfa="+method.Name+":"+key.code())...))
	require.Equal(t, 1, f.Pushes())
}

// The bypass is only as good as the enforcement: without one, a password is all
// it takes.
func TestBypassWithoutIdentityMFA(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"bypass_okta_mfa": true})
	u := m.addUser("mia@acme.test")
	f := u.AddPush()
	method := m.identityPush() // which nothing enforces
	m.requireToken(m.login(u), u)
	require.Equal(t, byPlugin, m.org.asked())
	m.org.Reset()
	m.requireToken(m.withMFA(method.Name).login(u), u)
	require.Equal(t, byPlugin, m.org.asked())
	require.Zero(t, f.Pushes())
}

// A renewal asks for none of Vault's factors; those of Okta are as ever.
func TestRenewalAfterIdentityMFA(t *testing.T) {
	t.Parallel()
	for _, bypass := range []bool{true, false} {
		name := map[bool]string{true: "bypass", false: "no bypass"}[bypass]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, object{"bypass_okta_mfa": bypass, "token_ttl": "20m"})
			u := m.addUser("mia@acme.test")
			f := u.AddPush("WAITING", "SUCCESS")
			method := m.identityPush().enforce()
			id := requireMFA(t, m.login(u), method)
			token := m.requireToken(m.validate(id, answers(method.ID, "")), u)
			m.org.Reset()
			before := f.Pushes()
			status, lease := m.renew(token)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, number(1200), lease)
			if bypass {
				require.Equal(t, byPlugin, m.org.asked())
				require.Equal(t, before, f.Pushes())
				return
			}
			require.Equal(t, byPluginPush, m.org.asked())
			require.Equal(t, before+1, f.Pushes())
			f.SetScript("WAITING", "REJECTED")
			status, _ = m.renew(token)
			require.GreaterOrEqual(t, status, 400)
		})
	}
}

func TestBatchTokenAfterIdentityMFA(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"token_type": "batch", "token_ttl": "10m"})
	u := m.addUser("mia@acme.test")
	method := m.identityTOTP().enforce()
	key := method.keyOf(u)
	id := requireMFA(t, m.login(u), method)
	for _, a := range []harness.Answer{
		m.validate(id, answers(method.ID, key.code())),
		m.withMFA(method.Name + ":" + key.code()).login(u),
	} {
		require.Regexp(t, `^hvb\.`, m.requireToken(a, u))
		require.Equal(t, "batch", a.Auth()["token_type"])
		require.Equal(t, number(600), a.Auth()["lease_duration"])
	}
}

// Vault asks for its factor when the mount has let the person in: for a login with
// wait=false, that is at its end.
func TestHeldLoginAndIdentityMFA(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"two requests", "one request", "wrong code"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			m.mustWrite("groups/scientists", object{"policies": "science"})
			u := m.addUser("mia@acme.test", "Scientists")
			f := u.AddPush()
			method := m.identityTOTP().enforce()
			key := method.keyOf(u)
			h := m.begin(u).require(object{"state": "waiting"})
			h.next().require(object{"state": "waiting"})
			require.Equal(t, 1, f.Approve())
			switch end {
			case "two requests":
				id := requireMFA(t, h.wait(), method)
				h.requireOver()
				requireRefused(t, m.validate(id, answers(method.ID, key.oldCode())), http.StatusForbidden)
				a := m.validate(id, answers(method.ID, key.code()))
				m.requireToken(a, u)
				require.Equal(t, []any{"default", "science"}, policies(a))
			case "one request":
				h.m = m.withMFA(method.Name + ":" + key.code())
				a := h.wait()
				m.requireToken(a, u)
				h.requireEnd(a)
			case "wrong code": // it was the last request of the login
				h.m = m.withMFA(method.Name + ":" + key.oldCode())
				requireRefused(t, h.wait(), http.StatusForbidden, "permission denied")
				h.requireOver()
			}
			require.Equal(t, 1, f.Pushes())
		})
	}
}

// Where Okta wants nothing more, that is at once.
func TestHeldLoginThatNeedsOnlyIdentityMFA(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"bypass_okta_mfa": true})
	u := m.addUser("mia@acme.test")
	u.AddPush()
	method := m.identityTOTP().enforce()
	key := method.keyOf(u)
	id := requireMFA(t, m.login(u, object{"wait": false}), method)
	m.requireToken(m.validate(id, answers(method.ID, key.code())), u)
	m.requireToken(m.withMFA(method.Name+":"+key.code()).login(u, object{"wait": false}), u)
}
