package backend

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// go-plugin logs the end of each connection of a test to where loggers write that are not
// told where to. Those lines would hide the ones of a test that fails.
func init() { hclog.DefaultOutput = io.Discard }

// TestMountsOverGRPCAreQuiet: a test that passes prints nothing but that it does.
func TestMountsOverGRPCAreQuiet(t *testing.T) {
	t.Parallel()
	if os.Getenv("TEST_QUIET_CHILD") != "" {
		newMount(t, true).configure(nil)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMountsOverGRPCAreQuiet$", "-test.count=1")
	cmd.Env = append(os.Environ(), "TEST_QUIET_CHILD=yes")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, `^PASS\n(coverage: .*\n)?$`, string(out))
}
