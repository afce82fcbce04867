package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	gplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/plugin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/stats"
)

// The process that a test starts as a host runs the same binary with this variable,
// which holds the command of the plugin.
const hostCommand = "TEST_HOST_COMMAND"

func TestMain(m *testing.M) {
	if command := os.Getenv(hostCommand); command != "" {
		if err := runHost(command); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// runHost starts the plugin as Vault does, says so on standard output, and asks it
// whether it is well for each line on standard input. The plugin and each wrapper of it
// inherit the third file.
func runHost(command string) error {
	cmd := exec.Command("sh", "-c", command)
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "life")}
	client := gplugin.NewClient(&gplugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig,
		VersionedPlugins: map[int]gplugin.PluginSet{5: {plugin.BackendPluginName: &plugin.GRPCBackendPlugin{MultiplexingSupport: true}}},
		Cmd:              cmd,
		AutoMTLS:         true,
		AllowedProtocols: []gplugin.Protocol{gplugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	connection, err := client.Client()
	if err != nil {
		return err
	}
	if err := os.NewFile(3, "life").Close(); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); ; {
		if err := connection.Ping(); err != nil {
			return err
		}
		fmt.Println("well")
		if !in.Scan() {
			client.Kill()
			return nil
		}
	}
}

// The process ends with its host, however the host ends and whatever stands between
// them, and not with what stands between them.
func TestProcessEndsWithItsHost(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("processes inherit no files on Windows")
	}
	bin := filepath.Join(t.TempDir(), "okta-plugin")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for wrapper, command := range map[string]string{
		"none":                   "exec %s",
		"one that waits":         "%s; true",
		"one that ends at once":  "%s &",
		"one that keeps the log": "exec %s 2>/dev/null",
	} {
		for _, end := range []string{"killed", "stopped"} {
			t.Run(wrapper+" "+end, func(t *testing.T) {
				t.Parallel()
				host := startTestHost(t, fmt.Sprintf(command, bin))
				host.isWell()
				host.isWell()
				if end == "killed" {
					require.NoError(t, host.Process.Kill())
				} else {
					require.NoError(t, host.in.Close())
				}
				host.pluginEnds()
			})
		}
	}
}

// testHost is a host with a plugin.
type testHost struct {
	*exec.Cmd
	t    *testing.T
	in   io.WriteCloser
	out  *bufio.Reader
	life *os.File // at its end when the plugin has ended
}

func startTestHost(t *testing.T, command string) *testHost {
	t.Helper()
	life, inherited, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { life.Close() })
	host := &testHost{Cmd: exec.Command(os.Args[0]), t: t, life: life}
	host.Env = append(os.Environ(), hostCommand+"="+command)
	host.ExtraFiles = []*os.File{inherited}
	host.Stderr = os.Stderr
	host.in, err = host.StdinPipe()
	require.NoError(t, err)
	out, err := host.StdoutPipe()
	require.NoError(t, err)
	host.out = bufio.NewReader(out)
	require.NoError(t, host.Start())
	require.NoError(t, inherited.Close())
	t.Cleanup(func() { _ = host.Process.Kill(); _ = host.Wait() })
	return host
}

// isWell has the host ask the plugin.
func (h *testHost) isWell() {
	h.t.Helper()
	line, err := h.out.ReadString('\n')
	require.NoError(h.t, err, "the plugin does not answer")
	require.Equal(h.t, "well", strings.TrimSpace(line))
	_, err = io.WriteString(h.in, "\n")
	require.NoError(h.t, err)
}

// pluginEnds waits until no process has the inherited file any more.
func (h *testHost) pluginEnds() {
	h.t.Helper()
	require.NoError(h.t, h.life.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err := h.life.Read(make([]byte, 1))
	require.ErrorIs(h.t, err, io.EOF, "the plugin's process is still there")
}

// The host is gone when it does not connect, or has no connection left for a moment.
func TestHostIsGone(t *testing.T) {
	t.Parallel()
	begin, end := &stats.ConnBegin{}, &stats.ConnEnd{}
	for name, row := range map[string]struct {
		events []stats.ConnStats
		after  time.Duration // zero: never
	}{
		"never there":          {nil, connectWithin},
		"there":                {[]stats.ConnStats{begin}, 0},
		"gone":                 {[]stats.ConnStats{begin, end}, reconnectWithin},
		"there twice":          {[]stats.ConnStats{begin, begin, end}, 0},
		"gone twice":           {[]stats.ConnStats{begin, begin, end, end}, reconnectWithin},
		"there again":          {[]stats.ConnStats{begin, end, begin}, 0},
		"there and gone again": {[]stats.ConnStats{begin, end, begin, end}, reconnectWithin},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var gone atomic.Int64
				h := newHost(func() { gone.Add(1) })
				for _, event := range row.events {
					h.HandleConn(t.Context(), event)
				}
				if row.after == 0 {
					time.Sleep(24 * time.Hour) // of this bubble
					assert.Zero(t, gone.Load())
					return
				}
				time.Sleep(row.after - 1)
				synctest.Wait()
				assert.Zero(t, gone.Load(), "too early")
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				assert.EqualValues(t, 1, gone.Load())
			})
		})
	}
}
