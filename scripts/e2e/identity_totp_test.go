package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

func TestIdentityTOTPInTwoRequests(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("groups/scientists", object{"policies": "science"})
	m.externalGroup("Scientists", m.Path+"-external")
	u := m.addUser("mia@acme.test", "Scientists")
	method := m.identityTOTP().enforce()
	key := method.keyOf(u)

	id := requireMFA(t, m.login(u), method)
	require.Equal(t, http.StatusForbidden, m.asToken(id, http.MethodGet, "auth/token/lookup-self", nil).Status)
	requireRefused(t, m.validate(id, answers(method.ID, key.oldCode())), http.StatusForbidden, "failed to validate TOTP passcode")
	requireRefused(t, m.validate(id, answers(method.ID, "")), http.StatusForbidden, "MFA credentials not supplied")
	requireRefused(t, m.validate(id, object{}), http.StatusForbidden, "failed to find MFA credentials")
	code := key.code()
	a := m.validate(id, answers(method.ID, code))
	m.requireToken(a, u)
	require.Equal(t, []any{"default", "science"}, policies(a))
	require.Equal(t, []any{m.Path + "-external"}, a.Auth()["identity_policies"])
	require.Equal(t, byPlugin, m.org.asked(), "Okta was asked once, however often the code was wrong")

	requireRefused(t, m.validate(id, answers(method.ID, key.code())), http.StatusBadRequest, "invalid request ID")
	id = requireMFA(t, m.login(u), method)
	requireRefused(t, m.validate(id, answers(method.ID, code)), http.StatusForbidden)

	// Who gets no further than Okta is not asked for a factor.
	requireRefused(t, m.attempt(u.Login(), object{"password": secret()}), http.StatusBadRequest, "(E0000004)")
	stranger := m.addUser("eve@acme.test")
	id = requireMFA(t, m.login(stranger), method)
	requireRefused(t, m.validate(id, answers(method.ID, "123456")), http.StatusForbidden, "not present in entity")
}

// The header is Vault's, whether or not the mount sees it.
func TestIdentityTOTPInOneRequest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"header for Vault", "header for Vault and the mount"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			if name != "header for Vault" {
				m.tune("X-Vault-MFA")
			}
			m.mustWrite("groups/scientists", object{"policies": "science"})
			method := m.identityTOTP().enforce()
			for username, prefix := range map[string]string{
				"ida@acme.test": method.ID + ":", "ian@acme.test": method.ID + ":passcode=",
				"ned@acme.test": method.Name + ":", "nia@acme.test": method.Name + ":passcode=",
			} {
				u := m.addUser(username, "Scientists")
				key := method.keyOf(u)
				requireRefused(t, m.withMFA(prefix+key.oldCode()).login(u), http.StatusForbidden, "permission denied")
				a := m.withMFA(prefix + key.code()).login(u)
				m.requireToken(a, u)
				require.Equal(t, []any{"default", "science"}, policies(a))
			}
			u := m.addUser("mia@acme.test")
			key := method.keyOf(u)
			requireRefused(t, m.withMFA(method.Name).login(u), http.StatusForbidden, "permission denied")
			requireRefused(t, m.withMFA("another:"+key.code()).login(u), http.StatusForbidden, "permission denied")
		})
	}
}

func TestIdentityTOTPByTheTool(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	method := m.identityTOTP().enforce()
	for username, name := range map[string]string{"ida@acme.test": method.ID, "ned@acme.test": method.Name} {
		u, cli := m.addUser(username), m.person()
		key := method.keyOf(u)
		args := m.loginArgs(u, "password="+u.Password())
		requireForbidden(t, m.runLogin(cli, withFlag(args, "-mfa="+name+":"+key.oldCode())...))
		m.requireLoggedIn(cli, m.runLogin(cli, withFlag(args, "-mfa="+name+":"+key.code())...))
	}
}

// withFlag puts a flag into the arguments of a login.
func withFlag(args []string, flag string) []string {
	return append([]string{args[0], flag}, args[1:]...)
}

func requireForbidden(t *testing.T, result harness.CLIResult) {
	t.Helper()
	require.Equal(t, 2, result.Code, result.Stdout)
	require.Contains(t, result.Stderr, "Code: 403")
	require.Contains(t, result.Stderr, "permission denied")
}

var asksForTheCode = regexp.MustCompile(`Enter the passphrase for methodID "([^"]+)" of type "totp":`)

// On a terminal the tool asks for the code.
func TestIdentityTOTPOnATerminal(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u, cli := m.addUser("mia@acme.test"), m.person()
	method := m.identityTOTP().enforce()
	key := method.keyOf(u)
	for _, row := range []struct {
		code func() string
		exit int
	}{{key.oldCode, 2}, {key.code, 0}} {
		terminal, err := cli.OnTerminal(t.Context(), m.loginArgs(u, "password="+u.Password())...)
		require.NoError(t, err)
		asked, err := terminal.WaitFor(t.Context(), asksForTheCode)
		require.NoError(t, err)
		require.Equal(t, method.ID, asked[1])
		require.NoError(t, terminal.Type(row.code()))
		require.Equal(t, row.exit, terminal.Wait(), terminal.Screen())
	}
	m.noteToken(cli)
}

// noteToken notes the token that a login on a terminal has left.
func (m *mount) noteToken(cli harness.CLI) {
	m.t.Helper()
	token, err := os.ReadFile(filepath.Join(cli.Home, ".vault-token"))
	require.NoError(m.t, err)
	noteSecret(string(token))
}

// Without a terminal the tool tells how to go on.
func TestIdentityTOTPInAScript(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u, cli := m.addUser("mia@acme.test"), m.person()
	method := m.identityTOTP().enforce()
	key := method.keyOf(u)
	result := m.runLogin(cli, withFlag(m.loginArgs(u, "password="+u.Password()), "-format=json")...)
	require.Zero(t, result.Code, result.Stderr)
	var asked struct {
		Auth struct {
			ClientToken    string `json:"client_token"`
			MFARequirement struct {
				ID string `json:"mfa_request_id"`
			} `json:"mfa_requirement"`
		}
	}
	require.NoError(t, json.NewDecoder(strings.NewReader(result.Stdout)).Decode(&asked))
	require.Empty(t, asked.Auth.ClientToken)
	require.NoFileExists(t, filepath.Join(cli.Home, ".vault-token"))

	payload, err := json.Marshal(object{
		"mfa_request_id": asked.Auth.MFARequirement.ID, "mfa_payload": answers(method.Name, key.code()),
	})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "payload.json")
	require.NoError(t, os.WriteFile(path, payload, 0o600))
	result, err = cli.Run(t.Context(), "write", "-field=token", "sys/mfa/validate", "@"+path)
	require.NoError(t, err)
	require.Zero(t, result.Code, result.Stderr)
	noteSecret(result.Stdout)
	require.Equal(t, u.Login(), m.lookup(result.Stdout)["meta"].(object)["username"])
}
