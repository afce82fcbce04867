package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// What "make dev" sets up works from the first login on.
func TestDev(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./dev", "-once")
	cmd.Env = append(os.Environ(), "VAULT_BIN="+suite.vaultBin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, 2, strings.Count(string(out), "logged in as"), "%s", out)
}

// What "make dev" prints fits a screen, and its commands work as they are printed, once
// the page approves the push. So do those of the page that need nobody to type an answer.
// None of them touches the reader's own token.
func TestDevGuide(t *testing.T) {
	t.Parallel()
	guide, home := startDev(t), t.TempDir()
	require.LessOrEqual(t, strings.Count(guide, "\n"), 24, guide)
	require.NotContains(t, guide, "hvs.")
	token := filepath.Join(home, ".vault-token")
	require.NoError(t, os.WriteFile(token, []byte("mine"), 0o600))
	run := func(commands string) string {
		shell := exec.CommandContext(t.Context(), "sh", "-eux", "-c", commands)
		shell.Env = append(os.Environ(), "VAULT_TOKEN=", "HOME="+home)
		out, err := shell.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}

	page := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(guide)
	_, commands, found := strings.Cut(guide, "In another terminal:")
	require.True(t, found, guide)
	commands, _, _ = strings.Cut(commands, "The page has")
	approve := `
		until curl -s ` + page + `/state | grep -q '"waiting_pushes": 1'; do sleep 0.1; done
		curl -s -X POST ` + page + `/push/approve`
	out := run("(" + approve + ") & " + commands)
	require.Equal(t, 3, strings.Count(out, "Success! You are now authenticated"), out)

	var steps []struct{ Title, Commands string }
	res, err := http.Get(page + "/guide")
	require.NoError(t, err)
	defer res.Body.Close()
	require.NoError(t, json.NewDecoder(res.Body).Decode(&steps))
	commands = ""
	for _, step := range steps {
		require.NotContains(t, step.Commands, "hvs.")
		if !strings.Contains(step.Title, "push") && !strings.Contains(step.Title, "SMS") && !strings.Contains(step.Title, "without waiting") &&
			!strings.Contains(step.Title, "each works once") {
			commands += step.Commands + "\n"
		}
	}
	out = run(commands)
	require.Equal(t, 2, strings.Count(out, "Success! You are now authenticated"), out)
	left, err := os.ReadFile(token)
	require.NoError(t, err)
	require.Equal(t, "mine", string(left))
}

// startDev runs what "make dev" runs until the test ends, and returns its guide.
func startDev(t *testing.T) (guide string) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "dev")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./dev").CombinedOutput()
	require.NoError(t, err, "%s", out)
	dev := exec.Command(bin)
	dev.Env, dev.Stderr = append(os.Environ(), "VAULT_BIN="+suite.vaultBin), t.Output()
	stdout, err := dev.StdoutPipe()
	require.NoError(t, err)
	process, err := harness.StartProcess("dev", dev)
	require.NoError(t, err)
	t.Cleanup(process.Stop)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		guide += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			return guide
		}
	}
	require.Fail(t, "dev has ended early", guide)
	return ""
}
