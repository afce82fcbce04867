package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/transcript"
)

// okta-login on a terminal, as people use it: every row is a login from its first
// question to the token, which is good for Vault afterwards. Its screen is the one that
// docs/okta-login.md shows.
func TestOktaLogin(t *testing.T) {
	t.Parallel()
	bin, err := harness.BuildLogin(t.Context(), t.TempDir())
	require.NoError(t, err)
	for name, row := range map[string]func(t *testing.T, p oktaLogin){
		"password": func(_ *testing.T, p oktaLogin) { p.begin() },
		"passcode": func(_ *testing.T, p oktaLogin) {
			generator := p.user.AddTOTP("OKTA")
			p.begin()
			p.waitFor("Passcode of Okta Verify: ")
			p.answer("Passcode of Okta Verify: ", generator.Code())
		},
		"push with a number": func(t *testing.T, p oktaLogin) {
			phone := p.user.AddPush().Number(47, 1)
			p.begin()
			p.waitFor(`Tap this number there:[\s#]*47`)
			eventually(t, "a phone that rings", func() bool { return phone.Approve() == 1 })
		},
		"another factor than the push": func(_ *testing.T, p oktaLogin) {
			phone, generator := p.user.AddPush(), p.user.AddTOTP("OKTA") // a provider of both
			p.begin()
			p.waitFor("press Enter")
			p.answer(`seconds left|minutes left`, "")
			p.answer(`1 to 2 \[1\]: `, "2")
			p.answer("Passcode of Okta Verify: ", generator.Code())
			soon(p.t, 1, phone.Withdrawn)
		},
		"choice and SMS": func(t *testing.T, p oktaLogin) {
			p.m.mustWrite("config", allFactors)
			sms, mail := p.user.AddFactor("sms", "OKTA"), p.user.AddFactor("email", "OKTA")
			p.begin()
			choice := p.waitFor(`(\d)  SMS to`)
			p.answer(`1 to 2 \[1\]: `, choice[1])
			p.waitFor("Okta sent a code to")
			p.answer("Code: ", "000000")
			p.waitFor("did not accept the passcode")
			p.answer("Code: [^:]*Code: ", sms.Code())
			require.Zero(t, mail.Sent())
		},
		"Vault's own login MFA": func(_ *testing.T, p oktaLogin) {
			method := p.m.identityTOTP().enforce()
			key := method.keyOf(p.user)
			p.begin()
			p.waitFor("Passcode for ")
			p.answer("Passcode for ", key.code())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newOktaLogin(t, bin)
			row(t, p)
			p.waitFor("The token is kept in")
			require.Zero(t, p.terminal.Wait(), p.terminal.Screen())
			token, err := os.ReadFile(filepath.Join(p.cli.Home, ".vault-token"))
			require.NoError(t, err)
			noteSecret(string(token))
			require.NotContains(t, p.terminal.Screen(), string(token))
			require.NotContains(t, p.terminal.Screen(), p.user.Password())
			requireShown(t, name, strings.ReplaceAll(p.terminal.Screen(), p.m.Path+"_totp", "phone")) // the method's name
			lookup, err := p.m.vault.CLI(p.cli.Home, "").Run(t.Context(), "token", "lookup")
			require.NoError(t, err)
			require.Zero(t, lookup.Code, lookup.Stderr)
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		p := newOktaLogin(t, bin)
		phone := p.user.AddPush()
		p.begin()
		p.waitFor("approve it there")
		require.NoError(t, p.terminal.Interrupt())
		require.Equal(t, 130, p.terminal.Wait())
		soon(t, 1, phone.Withdrawn)
	})
	t.Run("interrupted at a question", func(t *testing.T) {
		t.Parallel()
		p := newOktaLogin(t, bin)
		p.waitFor("Okta password of mia@acme.test: ")
		require.NoError(t, p.terminal.Interrupt())
		require.Equal(t, 130, p.terminal.Wait())
		require.Regexp(t, `mia@acme.test: ?\s+okta-login: interrupted\s*$`, p.terminal.Screen())
	})
	t.Run("variables of OpenBao", func(t *testing.T) {
		t.Parallel()
		p := newOktaLogin(t, bin)
		helper := filepath.Join(p.cli.Home, "helper")
		require.NoError(t, os.WriteFile(helper, []byte("#!/bin/sh\ncat >\"$HOME/kept\"\n"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(p.cli.Home, ".bao"), []byte(`token_helper = "`+helper+`"`), 0o600))
		cmd := exec.CommandContext(t.Context(), bin, "-mount="+p.m.Path, p.user.Login())
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.cli.Home, "BAO_ADDR=" + p.cli.Addr, "VAULT_NAMESPACE=other", "BAO_NAMESPACE="}
		cmd.Stdin = strings.NewReader(p.user.Password() + "\n")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		token, err := os.ReadFile(filepath.Join(p.cli.Home, "kept"))
		require.NoError(t, err)
		noteSecret(string(token))
		result, err := p.m.vault.CLI(p.cli.Home, string(token)).Run(t.Context(), "token", "lookup")
		require.NoError(t, err)
		require.Zero(t, result.Code, result.Stderr)
	})
	t.Run("in a script", func(t *testing.T) {
		t.Parallel()
		p := newOktaLogin(t, bin)
		generator := p.user.AddTOTP("OKTA")
		out, code := p.inScript(p.user.Password()+"\n"+generator.Code()+"\n", "-format=json")
		require.Zero(t, code, out)
		var answer struct {
			Auth struct {
				ClientToken string `json:"client_token"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(out), &answer))
		require.NotEmpty(t, answer.Auth.ClientToken)
		noteSecret(answer.Auth.ClientToken)
		_, code = p.inScript(secret()+"\n", "-format=token")
		require.Equal(t, 1, code, "a wrong password")
		_, code = p.inScript(p.user.Password()+"\n", "-format=token")
		require.Equal(t, 3, code, "a passcode is asked for, and none comes")
	})
}

// oktaLogin is somebody who runs okta-login.
type oktaLogin struct {
	t        *testing.T
	m        *mount
	user     *oktatest.User
	cli      harness.CLI
	terminal *harness.Terminal
}

func newOktaLogin(t *testing.T, bin string) oktaLogin {
	t.Helper()
	m := newMount(t)
	cli := m.vault.CLI(t.TempDir(), "")
	cli.Bin = bin
	p := oktaLogin{t: t, m: m, user: m.addUser("mia@acme.test"), cli: cli}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	var err error
	p.terminal, err = cli.OnTerminal(ctx, "-mount="+m.Path, p.user.Login())
	require.NoError(t, err)
	return p
}

// begin answers the question for the password.
func (p oktaLogin) begin() {
	p.t.Helper()
	p.answer("Okta password of mia@acme.test: ", p.user.Password())
}

func (p oktaLogin) waitFor(pattern string) []string {
	p.t.Helper()
	found, err := p.terminal.WaitFor(p.t.Context(), regexp.MustCompile(pattern))
	require.NoError(p.t, err)
	return found
}

func (p oktaLogin) answer(question, line string) {
	p.t.Helper()
	p.waitFor(question)
	require.NoError(p.t, p.terminal.Type(line))
}

// inScript runs the command without a terminal.
func (p oktaLogin) inScript(input string, args ...string) (stdout string, code int) {
	p.t.Helper()
	result, err := p.cli.RunWith(p.t.Context(), strings.NewReader(input), append(args, "-mount="+p.m.Path, p.user.Login())...)
	require.NoError(p.t, err)
	return result.Stdout, result.Code
}

// requireShown requires that docs/okta-login.md shows a screen, in the block that names the
// row of TestOktaLogin.
func requireShown(t *testing.T, row, screen string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/okta-login.md")
	require.NoError(t, err)
	blocks := transcript.Parse(string(text))
	i := slices.IndexFunc(blocks, func(b transcript.Block) bool { return strings.HasSuffix(b.NotRun, "TestOktaLogin types: "+row) })
	require.GreaterOrEqual(t, i, 0, "docs/okta-login.md does not show %q", row)
	var lines []string
	for line := range strings.Lines(screen) { // a countdown overwrites its line
		line = strings.TrimRight(line, "\r\n")
		lines = append(lines, line[strings.LastIndex(line, "\r")+1:])
	}
	ran := blocks[i].Commands[len(blocks[i].Commands)-1]
	require.Empty(t, transcript.Result{Ran: ran, Output: strings.Join(lines, "\n")}.Differs())
}
