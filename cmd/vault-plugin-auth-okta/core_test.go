//go:build unix

package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hashicorp/vault/sdk/plugin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The plugin's process leaves no core when a signal ends it, where the system allows
// cores of any size and the runtime is told to leave one. Package cores shows that a
// process leaves one there that does not forbid it.
func TestKilledPluginLeavesNoCore(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "okta-plugin")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGQUIT, syscall.SIGSEGV} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -S -c "$(ulimit -H -c)" && exec "$0"`, bin)
		cmd.Env = append(os.Environ(), plugin.HandshakeConfig.MagicCookieKey+"="+plugin.HandshakeConfig.MagicCookieValue,
			"PLUGIN_PROTOCOL_VERSIONS=5", "GOTRACEBACK=crash")
		cmd.Dir = t.TempDir()
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = bufio.NewReader(out).ReadString('\n') // it serves
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Signal(sig))
		var exit *exec.ExitError
		require.True(t, errors.As(cmd.Wait(), &exit))
		status := exit.Sys().(syscall.WaitStatus)
		require.True(t, status.Signaled(), "%v: %v", sig, exit)
		assert.False(t, status.CoreDump(), "%v", sig)
		files, err := os.ReadDir(cmd.Dir)
		require.NoError(t, err)
		assert.Empty(t, files, "%v", sig)
	}
}
