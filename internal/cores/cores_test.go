//go:build unix

package cores_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/cores"
)

// The process that a test ends by a signal runs the same binary with this variable.
const victim = "TEST_CORES_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(victim) == "" {
		os.Exit(m.Run())
	}
	if err := cores.Disable(); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	fmt.Println("ready")
	time.Sleep(5 * time.Minute)
	os.Exit(4)
}

// allowed runs a program that may leave a core of any size, as far as the system lets it.
const allowed = `ulimit -S -c "$(ulimit -H -c)" && `

// A process that has disabled cores leaves none, whatever signal ends it, where the system
// has just let another one leave one and the runtime is told to leave it.
func TestDisable(t *testing.T) {
	t.Parallel()
	shell := exec.CommandContext(t.Context(), "sh", "-c", allowed+"kill -ABRT $$")
	shell.Dir = t.TempDir()
	if shell.Run() == nil || !leftCore(t, shell) {
		t.Skip("this system writes no cores, so nothing has to be kept from it")
	}
	for _, sig := range []syscall.Signal{
		syscall.SIGABRT, syscall.SIGQUIT, syscall.SIGSEGV, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSYS,
	} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", allowed+`exec "$0"`, os.Args[0])
		cmd.Env = append(os.Environ(), victim+"=1", "GOTRACEBACK=crash")
		cmd.Dir = t.TempDir()
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line := make([]byte, 64)
		n, err := out.Read(line)
		require.NoError(t, err)
		require.Equal(t, "ready\n", string(line[:n]))
		require.NoError(t, cmd.Process.Signal(sig))
		var exit *exec.ExitError
		require.True(t, errors.As(cmd.Wait(), &exit))
		require.True(t, exit.Sys().(syscall.WaitStatus).Signaled(), "%v: %v", sig, exit)
		assert.False(t, leftCore(t, cmd), "%v", sig)
	}
}

// leftCore reports whether a process that has ended has left a core.
func leftCore(t *testing.T, cmd *exec.Cmd) bool {
	t.Helper()
	files, err := os.ReadDir(cmd.Dir)
	require.NoError(t, err)
	return cmd.ProcessState.Sys().(syscall.WaitStatus).CoreDump() || len(files) > 0
}
