package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
