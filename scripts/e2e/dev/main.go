// Command dev runs the plugin for a developer: it builds the plugin and the
// Okta simulator, starts both under a real Vault, sets up a mount, logs in, and
// then stays up and says what to try. Run it as "make dev".
//
// Everything it starts listens on loopback addresses, lives in a temporary
// directory, and ends with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

func main() {
	once := flag.Bool("once", false, "end after the first logins")
	version := flag.String("version", "v0.0.0-dev", "version to build the plugin with")
	flag.Parse()

	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // it is under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	err := run(ctx, *version, *once)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		fmt.Fprintln(os.Stderr, "dev:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, version string, once bool) error {
	dir, err := os.MkdirTemp("", "okta-dev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	vaultBin, err := harness.FindVault(ctx, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "building the plugin and the Okta simulator")
	plugin, err := harness.BuildPlugin(ctx, filepath.Join(dir, "plugins"), version)
	if err != nil {
		return err
	}
	sim, err := startSimulator(ctx, dir)
	if err != nil {
		return err
	}
	defer sim.process.Stop()
	vault, err := harness.StartVault(ctx, harness.Config{
		Bin: vaultBin, Dir: dir, PluginDir: plugin.Dir(), Env: []string{"SSL_CERT_FILE=" + sim.CertPath},
	})
	if err != nil {
		return err
	}
	defer vault.Stop()

	who, err := sim.cast()
	if err != nil {
		return err
	}
	if err := setUp(ctx, vault, plugin, sim, who.Plain); err != nil {
		return err
	}
	if err := firstLogins(ctx, vault, sim, who, dir); err != nil || once {
		return err
	}
	rootFile := filepath.Join(dir, "root-token")
	if err := os.WriteFile(rootFile, []byte(vault.RootToken), 0o600); err != nil {
		return err
	}
	if err := showGuide(ctx, os.Stdout, vaultBin, rootFile, vault, sim, who); err != nil {
		return err
	}
	return wait(ctx, sim.process, vault.Process())
}

// wait returns when the developer or one of the processes ends it.
func wait(ctx context.Context, sim, vault *harness.Process) error {
	select {
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr, "\nstopping Vault and the simulator")
		return nil
	case <-sim.Done():
		return sim.Err()
	case <-vault.Done():
		return vault.Err()
	}
}
