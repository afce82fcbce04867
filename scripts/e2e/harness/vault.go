package harness

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"
)

const (
	startTimeout = 3 * time.Minute
	pollInterval = 50 * time.Millisecond
)

// Config says how to run a Vault server.
type Config struct {
	Bin        string    // the vault binary
	Dir        string    // an existing directory for its configuration and log
	PluginDir  string    // its plugin_directory
	StorageDir string    // keep data here, to survive a restart; else in memory
	Env        []string  // added to the environment, e.g. SSL_CERT_FILE=...
	LogLevel   string    // of Vault and its plugins; "trace" when empty
	Raft       *RaftNode // keep data in StorageDir as a node of a raft cluster
}

// Vault is a running, initialised and unsealed Vault server.
type Vault struct {
	Addr      string // http://127.0.0.1:port
	RootToken string
	UnsealKey string
	LogPath   string // its log, all of it by default; a restart appends

	config  Config
	base    url.URL
	http    clients
	process *Process
}

// StartVault starts a Vault server on a free loopback port, initialises it and
// unseals it.
func StartVault(ctx context.Context, config Config) (*Vault, error) {
	v := newVault(config)
	if err := v.start(ctx); err != nil {
		return nil, err
	}
	if err := v.initialise(ctx); err != nil {
		v.Stop()
		return nil, err
	}
	return v, nil
}

func newVault(config Config) *Vault {
	return &Vault{config: config, LogPath: filepath.Join(config.Dir, "vault.log")}
}

// Process is the server's process.
func (v *Vault) Process() *Process { return v.process }

// Stop ends the server and its plugins.
func (v *Vault) Stop() {
	v.process.Stop()
	v.http.closeIdleConnections()
}

// Kill ends the server as a crash does, without a chance to tidy up. What its
// plugins do then is theirs.
func (v *Vault) Kill() {
	v.process.Kill()
	v.http.closeIdleConnections()
}

// Restart stops the server and starts it again with the storage it had, on
// another port unless it is a node of a cluster.
func (v *Vault) Restart(ctx context.Context) error {
	if v.config.StorageDir == "" {
		return errors.New("a Vault with storage in memory cannot be restarted")
	}
	v.Stop()
	if err := v.start(ctx); err != nil {
		return err
	}
	return v.Unseal(ctx)
}

// Seal seals the server.
func (v *Vault) Seal(ctx context.Context) error {
	_, err := v.must(ctx, http.MethodPut, "sys/seal", nil)
	return err
}

// Unseal unseals the server and waits until it serves: as the active node, or
// as a standby where another node of its cluster is active.
func (v *Vault) Unseal(ctx context.Context) error {
	if _, err := v.must(ctx, http.MethodPut, "sys/unseal", map[string]any{"key": v.UnsealKey}); err != nil {
		return err
	}
	return v.waitForHealth(ctx, func(status int) bool {
		return status == healthActive || status == healthStandby && v.config.Raft != nil && len(v.config.Raft.Join) > 0
	})
}

// RegisterPlugin adds a plugin to the catalog, under the name of Vault's own
// Okta method.
func (v *Vault) RegisterPlugin(ctx context.Context, p Plugin) error {
	sum, err := p.SHA256()
	if err != nil {
		return err
	}
	_, err = v.must(ctx, http.MethodPost, "sys/plugins/catalog/auth/okta", map[string]any{
		"sha256": sum, "command": p.Command(), "version": p.Version,
	})
	return err
}

func (v *Vault) start(ctx context.Context) error {
	addr, err := v.address()
	if err != nil {
		return err
	}
	v.base = url.URL{Scheme: "http", Host: addr}
	v.Addr = v.base.String()

	config := filepath.Join(v.config.Dir, "vault.hcl")
	if err := v.writeConfig(config, addr); err != nil {
		return err
	}
	log, err := os.OpenFile(v.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own descriptor
	cmd := exec.Command(v.config.Bin, "server", "-config="+config)
	cmd.Env = append(withoutVaultSettings(os.Environ()), v.config.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	if v.process, err = StartProcess("vault", cmd); err != nil {
		return err
	}
	if err := v.waitUntilItAnswers(ctx); err != nil {
		v.Stop()
		return err
	}
	return nil
}

// The raw endpoint lets tests compare stored bytes. The same configuration
// serves tests and development: a server in -dev mode could not be restarted.
var configTemplate = template.Must(template.New("").Parse(`# Written by scripts/e2e/harness.
{{if .Raft}}storage "raft" {
  path    = {{printf "%q" .StorageDir}}
  node_id = {{printf "%q" .Raft.ID}}
}{{else if .StorageDir}}storage "file" {
  path = {{printf "%q" .StorageDir}}
}{{else}}storage "inmem" {}{{end}}

listener "tcp" {
  address     = {{printf "%q" .Address}}
  tls_disable = true
{{- if .Raft}}
  cluster_address = {{printf "%q" .Raft.ClusterAddress}}
{{- end}}
}

api_addr             = "http://{{.Address}}"
{{- if .Raft}}
cluster_addr         = "https://{{.Raft.ClusterAddress}}"
{{- end}}
plugin_directory     = {{printf "%q" .PluginDir}}
log_level            = {{printf "%q" .LogLevel}}
disable_mlock        = true
raw_storage_endpoint = true
ui                   = true
`))

func (v *Vault) writeConfig(path, addr string) error {
	// Vault refuses a plugin directory that is a symbolic link, as temporary
	// directories are on macOS.
	plugins, err := filepath.EvalSymlinks(v.config.PluginDir)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	err = configTemplate.Execute(&b, map[string]any{
		"Address": addr, "PluginDir": plugins, "StorageDir": v.config.StorageDir,
		"LogLevel": cmp.Or(v.config.LogLevel, "trace"), "Raft": v.config.Raft,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}

func (v *Vault) waitUntilItAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if _, err := v.Do(ctx, Request{Method: http.MethodGet, Path: "sys/seal-status"}); err == nil {
			return nil
		}
		select {
		case <-time.After(pollInterval):
		case <-v.process.Done():
			return v.startFailure(v.process.Err())
		case <-ctx.Done():
			return v.startFailure(ctx.Err())
		}
	}
}

func (v *Vault) startFailure(err error) error {
	return fmt.Errorf("starting Vault: %w; the end of its log:\n%s", err, logTail(v.LogPath))
}

// initialise makes a new server usable: one key share, unsealed with it.
func (v *Vault) initialise(ctx context.Context) error {
	a, err := v.must(ctx, http.MethodPut, "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1})
	if err != nil {
		return err
	}
	var out struct {
		Keys      []string `json:"keys"`
		RootToken string   `json:"root_token"`
	}
	if err := json.Unmarshal(a.Raw, &out); err != nil || len(out.Keys) != 1 {
		return fmt.Errorf("initialising Vault: %d keys in the answer, %v", len(out.Keys), err)
	}
	v.UnsealKey, v.RootToken = out.Keys[0], out.RootToken
	return v.Unseal(ctx)
}

// The statuses of sys/health.
const (
	healthActive  = http.StatusOK
	healthStandby = http.StatusTooManyRequests
)

// Health is the status that sys/health answers, or an error where no answer
// comes.
func (v *Vault) Health(ctx context.Context) (int, error) {
	a, err := v.Do(ctx, Request{Method: http.MethodGet, Path: "sys/health"})
	return a.Status, err
}

func (v *Vault) waitForHealth(ctx context.Context, wanted func(status int) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if status, err := v.Health(ctx); err == nil && wanted(status) {
			return nil
		}
		select {
		case <-time.After(pollInterval):
		case <-v.process.Done():
			return v.startFailure(v.process.Err())
		case <-ctx.Done():
			return v.startFailure(ctx.Err())
		}
	}
}

// address is where the server listens: a node of a cluster keeps its address.
func (v *Vault) address() (string, error) {
	if v.config.Raft != nil {
		return v.config.Raft.Address, nil
	}
	return FreeAddress()
}

// logTail is the end of a log, for an error message.
func logTail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if _, err := f.Seek(-tailBytes, io.SeekEnd); err != nil {
		_, _ = f.Seek(0, io.SeekStart) // shorter than that
	}
	b, _ := io.ReadAll(f)
	return string(b)
}
