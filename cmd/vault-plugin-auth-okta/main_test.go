package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The binary by hand: what it is, how to register it, and nothing on standard
// output but what was asked for.
func TestByHand(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "okta-plugin")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false",
		"-ldflags", "-X main.version=v1.2.3 -X main.commit=abc1234", "-o", bin, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)

	out, err = exec.CommandContext(t.Context(), bin, "-version").Output()
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("vault-plugin-auth-okta v1.2.3 (commit abc1234, %s)\n", runtime.Version()), string(out))

	out, err = exec.CommandContext(t.Context(), bin).Output()
	assert.Empty(t, out)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	binary, err := os.ReadFile(bin)
	require.NoError(t, err)
	assert.Contains(t, string(exit.Stderr), fmt.Sprintf("-sha256=%x", sha256.Sum256(binary)))
	assert.Contains(t, string(exit.Stderr), "-command=okta-plugin -version=v1.2.3 auth okta")
}
