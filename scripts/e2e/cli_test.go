package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// person is somebody with the vault command line tool and no token yet.
func (m *mount) person() harness.CLI { return m.vault.CLI(m.t.TempDir(), "") }

func (m *mount) loginArgs(u *oktatest.User, more ...string) []string {
	return append([]string{"login", "-method=okta", "-path=" + m.Path, "username=" + u.Login()}, more...)
}

// runLogin logs in by the command line tool, and returns what it printed.
func (m *mount) runLogin(cli harness.CLI, args ...string) harness.CLIResult {
	m.t.Helper()
	needsVault(m.t, "login -method=okta")
	result, err := cli.Run(m.t.Context(), args...)
	require.NoError(m.t, err)
	noteToken(cli)
	return result
}

// noteToken notes the token that the tool has kept, if there is one, as a secret.
func noteToken(cli harness.CLI) {
	if token, err := os.ReadFile(filepath.Join(cli.Home, ".vault-token")); err == nil {
		noteSecret(string(token))
	}
}

func (m *mount) requireLoggedIn(cli harness.CLI, result harness.CLIResult) {
	m.t.Helper()
	require.Zero(m.t, result.Code, "%s%s", result.Stdout, result.Stderr)
	require.Contains(m.t, result.Stdout, "Success!")
	result, err := cli.Run(m.t.Context(), "token", "lookup")
	require.NoError(m.t, err)
	require.Zero(m.t, result.Code, result.Stderr)
	require.Contains(m.t, result.Stdout, "auth/"+m.Path+"/login/")
}

func TestCLILogin(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u, cli := m.addUser("mia@acme.test"), m.person()
	m.requireLoggedIn(cli, m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...))

	refused := m.runLogin(m.person(), m.loginArgs(u, "password="+secret())...)
	require.Equal(t, 2, refused.Code)
	require.Contains(t, refused.Stderr, "Code: 400")
	require.Contains(t, refused.Stderr, "E0000004")
	require.Equal(t, 2, m.org.Count("POST", "/api/v1/authn"), "a refusal is not repeated")
}

// Without -path the tool uses the mount at okta/.
func TestCLILoginAtDefaultPath(t *testing.T) {
	t.Parallel()
	m := &mount{t: t, vault: suite.vault, org: newOrg(t), Path: "okta"}
	m.mustDo("POST", "sys/auth/okta", object{"type": "okta", "config": object{"plugin_version": suite.mountVersion}})
	m.configure()
	u, cli := m.addUser("mia@acme.test"), m.person()
	m.requireLoggedIn(cli, m.runLogin(cli, "login", "-method=okta", "username="+u.Login(), "password="+u.Password()))
}

func TestCLIAsksForThePassword(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u, cli := m.addUser("mia@acme.test"), m.person()
	terminal, err := cli.OnTerminal(t.Context(), m.loginArgs(u)...)
	require.NoError(t, err)
	_, err = terminal.WaitFor(t.Context(), regexp.MustCompile(`(?i)password.*: *$`))
	require.NoError(t, err)
	require.NoError(t, terminal.Type(u.Password()))
	require.Zero(t, terminal.Wait(), terminal.Screen())
	require.Contains(t, terminal.Screen(), "Success!")
}

func TestCLIPasscode(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.ownClock()
	u, cli := m.addUser("mia@acme.test"), m.person()
	u.AddTOTP("OKTA")
	f := u.AddTOTP("GOOGLE")
	m.requireLoggedIn(cli, m.runLogin(cli, m.loginArgs(u, "password="+u.Password(), "totp="+f.Code(), "provider=Google")...))
}

func TestCLIPush(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush()
	terminal, err := m.person().OnTerminal(t.Context(), m.loginArgs(u, "password="+u.Password())...)
	require.NoError(t, err)
	eventually(t, "a push", func() bool { return f.Waiting() == 1 })
	require.Equal(t, 1, f.Approve())
	require.Zero(t, terminal.Wait(), terminal.Screen())
	require.Equal(t, 1, f.Pushes())

	terminal, err = m.person().OnTerminal(t.Context(), m.loginArgs(u, "password="+u.Password())...)
	require.NoError(t, err)
	eventually(t, "a push", func() bool { return f.Waiting() == 1 })
	require.Equal(t, 1, f.Reject())
	require.Equal(t, 2, terminal.Wait(), terminal.Screen())
	require.Equal(t, 2, f.Pushes(), "a rejected push is not sent again")
}

func TestCLIPrintsTheNumber(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush().Number(47, 1)
	terminal, err := m.person().OnTerminal(t.Context(), m.loginArgs(u, "password="+u.Password())...)
	require.NoError(t, err)
	_, err = terminal.WaitFor(t.Context(), regexp.MustCompile(`\b47\b`))
	require.NoError(t, err)
	require.Equal(t, 1, f.Approve())
	require.Zero(t, terminal.Wait(), terminal.Screen())
	require.NotContains(t, strings.ToLower(terminal.Screen()), "panic")
}

func TestCLIReadsAndWrites(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	root := m.vault.CLI(t.TempDir(), m.vault.RootToken)
	run := func(args ...string) string {
		result, err := root.Run(t.Context(), args...)
		require.NoError(t, err)
		require.Zero(t, result.Code, "%v: %s", args, result.Stderr)
		return result.Stdout
	}
	run("write", m.full("users/fred"), "groups=a,b", "policies=p")
	require.Contains(t, run("list", m.full("users")), "fred")
	require.Contains(t, run("read", m.full("users/fred")), "[a b]")
	require.Contains(t, run("read", m.full("config")), m.org.Name)
	run("delete", m.full("users/fred"))
}
