package e2e

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// The plugin's process, with the password and the API token that it holds, does not
// outlive Vault, whether Vault is killed or stopped.
func TestPluginEndsWithVault(t *testing.T) {
	if suite.mountVersion != pluginVersion {
		t.Skip("the builtin method is in Vault's own process")
	}
	t.Parallel()
	for _, end := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(end.String(), func(t *testing.T) {
			t.Parallel()
			v, err := harness.StartVault(t.Context(), harness.Config{
				Bin: suite.vaultBin, Dir: t.TempDir(), PluginDir: suite.plugin.Dir(), Env: suite.env,
			})
			require.NoError(t, err)
			t.Cleanup(v.Stop)
			require.NoError(t, v.RegisterPlugin(t.Context(), suite.plugin))
			m := enableOn(t, v, newOrg(t), pluginVersion)
			m.configure()
			u := m.addUser("mia@acme.test")
			push := u.AddPush("WAITING")
			m.begin(u).require(object{"state": "waiting"})
			require.Equal(t, 1, push.Waiting())

			require.NoError(t, syscall.Kill(v.Process().PID(), end))
			<-v.Process().Done()
			eventually(t, "an end of the plugin's process", func() bool {
				return syscall.Kill(-v.Process().PID(), 0) == syscall.ESRCH // nothing is left of the group
			})
		})
	}
}
