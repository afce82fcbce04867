package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// BuiltVersion is the version of Vault that scripts/vault/go.mod names: built
// binaries are kept by it.
const BuiltVersion = "1.21.0"

// oldestMinor is the oldest Vault 1.x that a VAULT_BIN or a vault in PATH may
// be: the plugin versions and the reload that the tests use came by then.
const oldestMinor = 15

// progressInterval is how often a running build says that it still runs.
const progressInterval = 15 * time.Second

// FindVault returns the path of a vault binary: $VAULT_BIN, else vault in
// PATH, else the one built earlier, else it builds one, which takes minutes.
// It tells log what it does.
func FindVault(ctx context.Context, log io.Writer) (string, error) {
	if bin := os.Getenv("VAULT_BIN"); bin != "" {
		return useVault(ctx, log, bin, "from VAULT_BIN")
	}
	if bin, err := exec.LookPath("vault"); err == nil {
		path, err := useVault(ctx, log, bin, "from PATH")
		if err == nil {
			return path, nil
		}
		fmt.Fprintf(log, "not using %s: %v\n", bin, err)
	}
	bin := filepath.Join(cacheDir(log), "vault-"+BuiltVersion, "vault")
	if _, err := os.Stat(bin); err == nil {
		return useVault(ctx, log, bin, "built earlier")
	}
	if err := buildVault(ctx, log, bin); err != nil {
		return "", err
	}
	return useVault(ctx, log, bin, "built now")
}

func useVault(ctx context.Context, log io.Writer, bin, origin string) (string, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return "", err
	}
	version, err := VaultVersion(ctx, bin)
	if err != nil {
		return "", fmt.Errorf("the vault binary %s: %w", origin, err)
	}
	fmt.Fprintf(log, "using Vault %s, %s: %s\n", version, origin, bin)
	return bin, nil
}

var versionPattern = regexp.MustCompile(`^Vault v(1\.(\d+)\.\d+\S*?),? `)

// VaultVersion asks a vault binary for its version, such as 1.21.0, and
// refuses one that is too old for the tests.
func VaultVersion(ctx context.Context, bin string) (string, error) {
	out, err := exec.CommandContext(ctx, bin, "version").Output()
	if err != nil {
		return "", fmt.Errorf("running %s version: %w", bin, err)
	}
	// A build without a date or commit prints the bare version.
	m := versionPattern.FindSubmatch(append(bytes.TrimSpace(out), ' '))
	if m == nil {
		return "", fmt.Errorf("%s is no Vault 1.x: its version is %q", bin, out)
	}
	if minor, err := strconv.Atoi(string(m[2])); err != nil || minor < oldestMinor {
		return "", fmt.Errorf("%s is Vault %s, older than 1.%d", bin, m[1], oldestMinor)
	}
	return string(m[1]), nil
}

// cacheDir is where built binaries are kept, for all clones of the repository.
func cacheDir(log io.Writer) string {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
		fmt.Fprintf(log, "no cache directory (%v): keeping Vault in %s, where it may not stay\n", err, base)
	}
	return filepath.Join(base, pluginCommand)
}

// buildVault builds Vault from the module scripts/vault. Two builds at once
// are harmless: each has a file of its own until the last moment.
func buildVault(ctx context.Context, log io.Writer, bin string) error {
	root, err := repositoryRoot(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
		return err
	}
	temp := fmt.Sprintf("%s.%d.tmp", bin, os.Getpid())
	defer os.Remove(temp)

	fmt.Fprintf(log, "building Vault %s from the Go module proxy, once: this takes about 9 minutes on two cores;\n"+
		"set VAULT_BIN to a vault binary to use that instead\n", BuiltVersion)
	cmd := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(root, "scripts", "vault"),
		"-v", "-ldflags", "-s -w", "-o", temp, "github.com/hashicorp/vault")
	cmd.Env = goBuildEnv()
	progress := &buildProgress{}
	cmd.Stdout, cmd.Stderr = progress, progress
	stop := progress.report(log)
	err = cmd.Run()
	stop()
	if err != nil {
		return fmt.Errorf("building Vault: %w\n%s", err, progress.tail)
	}
	version, err := VaultVersion(ctx, temp)
	if err != nil {
		return err
	}
	if version != BuiltVersion {
		return fmt.Errorf("scripts/vault builds Vault %s instead of %s", version, BuiltVersion)
	}
	if err := os.Rename(temp, bin); err != nil {
		return fmt.Errorf("keeping the built Vault: %w", err)
	}
	return nil
}

// buildProgress takes the output of go build -v: a line for each package, and
// the errors at its end.
type buildProgress struct {
	lines atomic.Int64
	tail  []byte // the last part of the output
}

const tailBytes = 8 << 10

func (p *buildProgress) Write(b []byte) (int, error) {
	p.lines.Add(int64(bytes.Count(b, []byte("\n"))))
	p.tail = append(p.tail, b...)
	if over := len(p.tail) - tailBytes; over > 0 {
		p.tail = append([]byte(nil), p.tail[over:]...)
	}
	return len(b), nil
}

// report says at intervals how far the build is, until stop is called.
func (p *buildProgress) report(log io.Writer) (stop func()) {
	start, ticker := time.Now(), time.NewTicker(progressInterval)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ticker.C:
				fmt.Fprintf(log, "building Vault: %s, %d packages and downloads so far\n",
					time.Since(start).Round(time.Second), p.lines.Load())
			case <-done:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-ended
	}
}
