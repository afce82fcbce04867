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
	"strings"
	"sync/atomic"
	"time"
)

// BuiltVersion is the version of Vault that scripts/vault/go.mod names: built
// binaries are kept by it.
const BuiltVersion = "1.21.0"

type release struct{ major, minor int }

// The oldest hosts that the tests run on: the plugin versions, the reload and
// the standbys that they use came by then.
var (
	oldestVault   = release{1, 15}
	oldestOpenBao = release{2, 5}
)

// progressInterval is how often a running build says that it still runs.
const progressInterval = 15 * time.Second

// Host is the server program that the tests run on.
type Host struct {
	Bin     string
	Version string // such as 1.21.0
	OpenBao bool
}

// FindHost returns OpenBao's bao where $BAO_BIN names it, and else Vault as
// FindVault does.
func FindHost(ctx context.Context, log io.Writer) (Host, error) {
	if bin := os.Getenv("BAO_BIN"); bin != "" {
		version, openBao, err := hostVersion(ctx, bin)
		if err == nil && !openBao {
			err = fmt.Errorf("BAO_BIN: %s is no OpenBao", bin)
		}
		if err != nil {
			return Host{}, err
		}
		fmt.Fprintf(log, "using OpenBao %s, from BAO_BIN: %s\n", version, bin)
		bin, err = filepath.Abs(bin)
		return Host{bin, version, true}, err
	}
	bin, err := FindVault(ctx, log)
	if err != nil {
		return Host{}, err
	}
	version, err := VaultVersion(ctx, bin)
	return Host{bin, version, false}, err
}

// FindVault returns the path of a vault binary: $VAULT_BIN, else the one of
// $VAULT_VERSION, else vault in PATH, else BuiltVersion. A version is built
// once, which takes minutes, and kept. It tells log what it does.
func FindVault(ctx context.Context, log io.Writer) (string, error) {
	if bin := os.Getenv("VAULT_BIN"); bin != "" {
		return useVault(ctx, log, bin, "from VAULT_BIN")
	}
	if version := os.Getenv("VAULT_VERSION"); version != "" {
		return builtVault(ctx, log, strings.TrimPrefix(version, "v"))
	}
	if bin, err := exec.LookPath("vault"); err == nil {
		path, err := useVault(ctx, log, bin, "from PATH")
		if err == nil {
			return path, nil
		}
		fmt.Fprintf(log, "not using %s: %v\n", bin, err)
	}
	return builtVault(ctx, log, BuiltVersion)
}

// builtVault returns the path of a Vault that was built earlier, or is now.
func builtVault(ctx context.Context, log io.Writer, version string) (string, error) {
	if !releasePattern.MatchString(version) {
		return "", fmt.Errorf("VAULT_VERSION is %q, which is no release such as %s", version, BuiltVersion)
	}
	bin := filepath.Join(cacheDir(log), "vault-"+version, "vault")
	if _, err := os.Stat(bin); err == nil {
		return useVault(ctx, log, bin, "built earlier")
	}
	if err := buildVault(ctx, log, bin, version); err != nil {
		return "", err
	}
	return useVault(ctx, log, bin, "built now")
}

var releasePattern = regexp.MustCompile(`^1\.\d+\.\d+$`)

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

var versionPattern = regexp.MustCompile(`^(Vault|OpenBao) v((\d+)\.(\d+)\.\d+\S*?),? `)

// VaultVersion asks a vault binary for its version, such as 1.21.0, and
// refuses one that is too old for the tests.
func VaultVersion(ctx context.Context, bin string) (string, error) {
	version, openBao, err := hostVersion(ctx, bin)
	if err == nil && openBao {
		err = fmt.Errorf("%s is OpenBao %s and no Vault: set BAO_BIN to test on it", bin, version)
	}
	return version, err
}

// hostVersion asks the binary of a host for its version, and refuses one that
// is too old for the tests.
func hostVersion(ctx context.Context, bin string) (version string, openBao bool, err error) {
	out, err := exec.CommandContext(ctx, bin, "version").Output()
	if err != nil {
		return "", false, fmt.Errorf("running %s version: %w", bin, err)
	}
	// A build without a date or commit prints the bare version.
	m := versionPattern.FindSubmatch(append(bytes.TrimSpace(out), ' '))
	if m == nil {
		return "", false, fmt.Errorf("%s is no Vault and no OpenBao: its version is %q", bin, out)
	}
	version, openBao = string(m[2]), string(m[1]) == "OpenBao"
	oldest := oldestVault
	if openBao {
		oldest = oldestOpenBao
	}
	major, _ := strconv.Atoi(string(m[3]))
	minor, _ := strconv.Atoi(string(m[4]))
	if major < oldest.major || major == oldest.major && minor < oldest.minor {
		return "", openBao, fmt.Errorf("%s is %s %s, older than %d.%d", bin, m[1], version, oldest.major, oldest.minor)
	}
	return version, openBao, nil
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

// buildVault builds a version of Vault. Two builds at once are harmless: each
// has a file of its own until the last moment.
func buildVault(ctx context.Context, log io.Writer, bin, version string) error {
	if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
		return err
	}
	temp := fmt.Sprintf("%s.%d.tmp", bin, os.Getpid())
	defer os.Remove(temp)
	module, done, err := vaultModule(ctx, version)
	if err != nil {
		return fmt.Errorf("preparing to build Vault %s: %w", version, err)
	}
	defer done()

	fmt.Fprintf(log, "building Vault %s from the Go module proxy, once: this takes about 9 minutes on two cores;\n"+
		"set VAULT_BIN to a vault binary to use that instead\n", version)
	cmd := exec.CommandContext(ctx, "go", "build", "-C", module,
		"-v", "-ldflags", "-s -w", "-o", temp, vaultPackage)
	cmd.Env = goBuildEnv()
	progress := &buildProgress{}
	cmd.Stdout, cmd.Stderr = progress, progress
	stop := progress.report(log)
	err = cmd.Run()
	stop()
	if err != nil {
		return fmt.Errorf("building Vault: %w\n%s\n"+
			"Not every release can be built from the module proxy; set VAULT_BIN to a vault binary instead", err, progress.tail)
	}
	built, err := VaultVersion(ctx, temp)
	if err != nil {
		return err
	}
	if built != version {
		return fmt.Errorf("the build made Vault %s instead of %s", built, version)
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
