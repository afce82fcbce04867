package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
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
	require.Equal(t, 2, strings.Count(string(out), "Success!"), "%s", out)
}

// The guide's commands for a second factor of the mount work as they are printed.
func TestDevGuide(t *testing.T) {
	t.Parallel()
	guide, home := startDev(t), t.TempDir()
	_, rest, found := strings.Cut(guide, "export VAULT_ADDR=")
	require.True(t, found, guide)
	address, rest, _ := strings.Cut(rest, "\n")
	_, rest, found = strings.Cut(rest, "  # A second factor of the mount's own")
	require.True(t, found, guide)
	commands, _, found := strings.Cut(rest, "Users of the simulated org:")
	require.True(t, found, guide)

	shell := exec.CommandContext(t.Context(), "sh", "-eux", "-c", "#"+commands)
	shell.Env = append(os.Environ(), "VAULT_ADDR="+address, "VAULT_TOKEN=", "HOME="+home)
	out, err := shell.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Success! You are now authenticated")
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
