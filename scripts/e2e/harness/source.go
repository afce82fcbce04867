package harness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Commands of the repository that the harness builds.
const (
	pluginCommand    = "vault-plugin-auth-okta"
	simulatorCommand = "okta-sim"
	loginCommand     = "okta-login"
)

// Plugin is a plugin binary in a plugin directory, ready to be registered.
type Plugin struct {
	Path    string // the binary, alone in its directory
	Version string // the version it was built with, as v1.2.3
}

// Dir is the directory to give to Vault as its plugin_directory.
func (p Plugin) Dir() string { return filepath.Dir(p.Path) }

// Command is the name of the binary within Dir.
func (p Plugin) Command() string { return filepath.Base(p.Path) }

// SHA256 is the checksum to register the plugin with.
func (p Plugin) SHA256() (string, error) {
	binary, err := os.ReadFile(p.Path)
	sum := sha256.Sum256(binary)
	return hex.EncodeToString(sum[:]), err
}

// BuildPlugin builds the plugin into dir, which should hold nothing else: a
// Vault server may run any file of its plugin directory.
func BuildPlugin(ctx context.Context, dir, version string) (Plugin, error) {
	out := filepath.Join(dir, pluginCommand)
	ldflags := "-X main.version=" + version
	if err := buildCommand(ctx, pluginCommand, out, "-trimpath", "-ldflags", ldflags); err != nil {
		return Plugin{}, err
	}
	return Plugin{Path: out, Version: version}, nil
}

// BuildSimulator builds the Okta simulator into dir and returns its path.
func BuildSimulator(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, simulatorCommand)
	return out, buildCommand(ctx, simulatorCommand, out)
}

// BuildLogin builds okta-login into dir and returns its path.
func BuildLogin(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, loginCommand)
	return out, buildCommand(ctx, loginCommand, out)
}

func buildCommand(ctx context.Context, name, out string, flags ...string) error {
	root, err := repositoryRoot(ctx)
	if err != nil {
		return err
	}
	args := append([]string{"build", "-C", root, "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/"+name)...)
	cmd.Env = goBuildEnv()
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", name, err, output)
	}
	return nil
}

// repositoryRoot finds the root of the repository from the module of the
// working directory, scripts/e2e. (Not from runtime.Caller: its path is not a
// real one in a binary built with -trimpath.)
func repositoryRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("asking go for the module of the working directory: %w", err)
	}
	root := filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), "..", "..")
	if _, err := os.Stat(filepath.Join(root, "cmd", pluginCommand)); err != nil {
		return "", fmt.Errorf("run this in the module scripts/e2e: %w", err)
	}
	return root, nil
}

// goBuildEnv is the environment for building with the module's own go.mod,
// whatever GOFLAGS=-mod=... or go.work the caller works with, and whoever owns
// the checkout.
func goBuildEnv() []string {
	return append(os.Environ(), "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off")
}
