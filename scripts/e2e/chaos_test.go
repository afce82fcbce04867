package e2e

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// Servers, plugins and leaders are killed, stopped and sealed while people log
// in and operators write. What must hold: no wrong answer, no acknowledged
// write lost, no passcode taken twice, and logins again without help. What it
// costs in time is told, not judged. (The group runs by itself, before the
// tests that run side by side. E2E_CHAOS_ROUNDS=n, "make chaos", breaks things
// n times instead of once or twice.)
func TestChaos(t *testing.T) {
	t.Run("leader is killed", testLeaderIsKilled)
	t.Run("each by itself", func(t *testing.T) {
		t.Run("Vault is killed, file storage", func(t *testing.T) { testVaultIsKilled(t, ownVault(t, false)) })
		t.Run("Vault is killed, raft storage", func(t *testing.T) { testVaultIsKilled(t, ownVault(t, true)) })
		t.Run("plugin is killed", testPluginIsKilled)
		t.Run("plugin stands still", testPluginStandsStill)
		t.Run("Vault is sealed", testVaultIsSealed)
		t.Run("snapshot is restored", testSnapshotIsRestored)
	})
}

func chaosRounds(t *testing.T, short int) int {
	t.Helper()
	s := os.Getenv("E2E_CHAOS_ROUNDS")
	if s == "" {
		return short
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err, "E2E_CHAOS_ROUNDS")
	return n
}

// serverConfig is the configuration of a server that a test may break.
func serverConfig(t *testing.T) harness.Config {
	t.Helper()
	return harness.Config{
		Bin: suite.vaultBin, Dir: t.TempDir(), PluginDir: suite.plugin.Dir(), Env: suite.env, LogLevel: "debug",
	}
}

// ownVault is a server of the test's own, with the plugin registered.
func ownVault(t *testing.T, raft bool) *harness.Vault {
	t.Helper()
	config := serverConfig(t)
	if raft {
		c, err := harness.StartCluster(t.Context(), config, 1)
		require.NoError(t, err)
		t.Cleanup(c.Stop)
		require.NoError(t, c.Nodes[0].RegisterPlugin(t.Context(), suite.plugin))
		return c.Nodes[0]
	}
	config.StorageDir = filepath.Join(config.Dir, "data")
	v, err := harness.StartVault(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(v.Stop)
	require.NoError(t, v.RegisterPlugin(t.Context(), suite.plugin))
	return v
}

// chaosMount is a mount on a server of the test's own, whose people get a
// policy by their group.
func chaosMount(t *testing.T, v *harness.Vault) *mount {
	t.Helper()
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure()
	m.mustWrite("groups/Staff", object{"policies": "staff"})
	return m
}

func testLeaderIsKilled(t *testing.T) {
	c, err := harness.StartCluster(t.Context(), serverConfig(t), 3)
	require.NoError(t, err)
	t.Cleanup(c.Stop)
	leader, err := c.Leader(t.Context())
	require.NoError(t, err)
	require.NoError(t, leader.RegisterPlugin(t.Context(), suite.plugin))
	m := chaosMount(t, leader)
	code := newSpentCode(m)
	l := startLoad(t, m, c.Nodes...)
	for range chaosRounds(t, 2) {
		l.settle(t)
		code.spend()
		killed := time.Now()
		leader.Kill()
		next, err := c.Leader(t.Context())
		require.NoError(t, err)
		m.vault = next
		l.settle(t)
		t.Logf("logins again %s after the leader was killed", time.Since(killed).Round(10*time.Millisecond))
		code.requireSpent()
		require.NoError(t, leader.Restart(t.Context()))
		leader = next
	}
	l.end(t)
}

func testVaultIsKilled(t *testing.T, v *harness.Vault) {
	m := chaosMount(t, v)
	code := newSpentCode(m)
	l := startLoad(t, m, v)
	for range chaosRounds(t, 1) {
		l.settle(t)
		code.spend()
		v.Kill()
		require.NoError(t, v.Restart(t.Context()))
		l.settle(t)
		code.requireSpent()
	}
	l.end(t)
}

// Whatever a login waits for when the plugin's process dies: it gets no wrong
// answer, and the mount serves the next one.
func testPluginIsKilled(t *testing.T) {
	v := ownVault(t, false)
	m := chaosMount(t, v)
	quick := m.addUser("quick@acme.test", "Staff")
	for range chaosRounds(t, 1) {
		for _, state := range []struct {
			name  string
			begin func(ctx context.Context, u *oktatest.User) // returns once the state is reached
		}{
			{"idle", func(context.Context, *oktatest.User) { m.mustLogin(quick) }},
			{"password", func(ctx context.Context, u *oktatest.User) {
				m.org.SetLatency("authn", 2*time.Second)
				before := m.org.Count(http.MethodPost, "/api/v1/authn")
				m.start(ctx, u)
				eventually(t, "the password at Okta", func() bool { return m.org.Count(http.MethodPost, "/api/v1/authn") > before })
				m.org.SetLatency("authn", 0)
			}},
			{"push", func(ctx context.Context, u *oktatest.User) {
				phone := u.AddPush()
				m.start(ctx, u)
				eventually(t, "the push", func() bool { return phone.Waiting() > 0 })
			}},
			{"held login", func(_ context.Context, u *oktatest.User) {
				u.AddPush()
				require.NotEmpty(t, m.login(u, object{"wait": false}).Data()["transaction_id"])
			}},
		} {
			t.Run(state.name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				u := m.addUser("victim-"+strings.ReplaceAll(state.name, " ", "-")+secret()+"@acme.test", "Staff")
				state.begin(ctx, u)
				killed := time.Now()
				require.NoError(t, syscall.Kill(pluginPID(t, v), syscall.SIGKILL))
				cancel() // whoever waited is gone, too
				eventually(t, "the next login", func() bool { a := m.login(quick); return a.Token() != "" })
				t.Logf("logins again after %s", time.Since(killed).Round(10*time.Millisecond))
				requireRefused(t, m.attempt(quick.Login(), object{"password": secret()}), http.StatusBadRequest)
			})
		}
	}
}

// A process that is stopped, as by a debugger or a frozen machine, keeps its
// logins waiting; they go on when it does.
func testPluginStandsStill(t *testing.T) {
	const stopped = 20 * time.Second
	v := ownVault(t, false)
	m := chaosMount(t, v)
	l := startLoad(t, m, v)
	l.settle(t)
	pid := pluginPID(t, v)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	time.Sleep(stopped) // the disturbance itself
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	l.settle(t)
	require.Equal(t, pid, pluginPID(t, v), "Vault must not have replaced the process")
	l.end(t)
}

func testVaultIsSealed(t *testing.T) {
	v := ownVault(t, false)
	m := chaosMount(t, v)
	l := startLoad(t, m, v)
	for range chaosRounds(t, 1) {
		l.settle(t)
		began := time.Now()
		require.NoError(t, v.Seal(t.Context()))
		t.Logf("sealed after %s", time.Since(began).Round(10*time.Millisecond))
		require.NoError(t, v.Unseal(t.Context()))
		l.settle(t)
	}
	l.end(t)
}

// A snapshot brings back everything the mount had stored, also that a passcode
// was not yet used: what was taken since is good again. docs/upgrade.md tells
// operators so.
func testSnapshotIsRestored(t *testing.T) {
	v := ownVault(t, true)
	m := chaosMount(t, v)
	code := newSpentCode(m)
	code.prepare()
	m.mustWrite("users/before", object{"policies": "before"})
	snapshot, err := v.Snapshot(t.Context())
	require.NoError(t, err)
	code.take()
	code.requireSpent()
	m.mustWrite("users/after", object{"policies": "after"})

	require.NoError(t, v.RestoreSnapshot(t.Context(), bytes.NewReader(snapshot)))
	require.Equal(t, []any{"before"}, m.mustRead("users/before")["policies"])
	eventually(t, "the end of what the snapshot does not have", func() bool {
		return m.read("users/after").Status == http.StatusNotFound
	})
	m.mustLogin(code.person, object{"mfa": code.given})
}

// pluginPID is the plugin's process below a server.
func pluginPID(t *testing.T, v *harness.Vault) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var found []int
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// The fields after the command, which stands in parentheses: state, parent.
		end := bytes.LastIndexByte(stat, ')')
		fields := strings.Fields(string(stat[end+1:]))
		if parent, _ := strconv.Atoi(fields[1]); parent == v.Process().PID() && fields[0] != "Z" {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			require.NoError(t, err)
			found = append(found, pid)
		}
	}
	require.Len(t, found, 1, "one process serves all mounts")
	return found[0]
}
