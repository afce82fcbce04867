package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const vaultPackage = "github.com/hashicorp/vault"

// fitting are modules of Vault's for releases that do not build with those which their
// go.mod names: Vault's releases are built with the modules in their own repository. For
// 1.18.2, 1.18.5 and 1.20.4 no published SDK fits.
var fitting = map[string]string{"1.18.1": "api@v1.16.0", "1.19.5": "sdk@v0.17.0"}

// vaultModule returns the directory of a module that builds a version of Vault,
// and a function to call when it is no longer needed. BuiltVersion has a module
// in the repository, with its checksums. For another version a module is made:
// Vault's own go.sum has the checksums of what it was released with.
func vaultModule(ctx context.Context, version string) (dir string, done func(), err error) {
	if version == BuiltVersion {
		root, err := repositoryRoot(ctx)
		return filepath.Join(root, "scripts", "vault"), func() {}, err
	}
	dir, err = os.MkdirTemp("", "vault-"+version+"-")
	if err != nil {
		return "", nil, err
	}
	done = func() { _ = os.RemoveAll(dir) }
	if err := makeVaultModule(ctx, dir, version); err != nil {
		done()
		return "", nil, err
	}
	return dir, done, nil
}

func makeVaultModule(ctx context.Context, dir, version string) error {
	module := vaultPackage + "@v" + version
	out, err := goCommand(ctx, dir, "mod", "download", "-json", module)
	if err != nil {
		return err
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(downloaded.Dir, "go.sum"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil {
		return err
	}
	if _, err := goCommand(ctx, dir, "mod", "init", "vault-for-tests"); err != nil {
		return err
	}
	if _, err := goCommand(ctx, dir, "get", "-tool", module); err != nil {
		return err
	}
	if module := fitting[version]; module != "" {
		_, err = goCommand(ctx, dir, "get", vaultPackage+"/"+module)
	}
	return err
}

func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, exit.Stderr)
	}
	return out, err
}
