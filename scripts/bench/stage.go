package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// object is a JSON object.
type object = map[string]any

// Names in Vault's plugin catalog.
const (
	oktaName  = "okta"
	toyName   = "okta-toy"
	freshName = "okta-fresh" // the plugin again: a process that does not run yet
	freshToy  = "okta-toy-fresh"
)

// stage is what all rows are measured on.
type stage struct {
	vault   *harness.Vault
	client  client
	proxy   *harness.Proxy
	mounts  map[mount]string // that there are: their paths
	fresh   int              // mounts made by the name fresh
	builtin *subject
	plugin  *subject
	toy     *subject
	bare    *subject
	approle *subject
	users   *subject // userpass

	vaultVersion string
}

// subject is who is measured.
type subject struct {
	name    string
	catalog string // the plugin's name; none, if it is no Okta method
	again   string // another of its names
	version string // which of that name
	exe     string // of its own processes, if it has any
	org     *org
	outside bool // it has nothing to do with Vault
}

// newStage starts the orgs and Vault with the plugins, in dir.
func newStage(ctx context.Context, dir, version string) (*stage, error) {
	s := &stage{
		mounts:  map[mount]string{},
		builtin: &subject{name: "builtin", catalog: oktaName, again: oktaName},
		plugin:  &subject{name: "plugin", catalog: oktaName, again: freshName, version: version},
		toy:     &subject{name: "toy", catalog: toyName, again: freshToy},
		bare:    &subject{name: "bare", outside: true},
		approle: &subject{name: "approle"},
		users:   &subject{name: "userpass"},
	}
	vaultBin, err := harness.FindVault(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	if s.vaultVersion, err = harness.VaultVersion(ctx, vaultBin); err != nil {
		return nil, err
	}
	s.builtin.version = "v" + s.vaultVersion + "+builtin.vault"
	plugin, err := harness.BuildPlugin(ctx, filepath.Join(dir, "plugins"), version)
	if err != nil {
		return nil, err
	}
	s.plugin.exe, s.toy.exe = plugin.Path, filepath.Join(plugin.Dir(), toyName)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", s.toy.exe, "./toy")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the toy: %w\n%s", err, output)
	}
	env, err := s.startOrgs(dir)
	if err != nil {
		return nil, err
	}
	s.vault, err = harness.StartVault(ctx, harness.Config{
		Bin: vaultBin, Dir: dir, PluginDir: plugin.Dir(), LogLevel: "error", Env: env,
	})
	if err != nil {
		return nil, err
	}
	s.client = newClient(s.vault.Addr)
	if err := s.prepare(ctx, plugin); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *stage) stop() { s.vault.Stop() }

// orgs are all there are.
func (s *stage) orgs() []*org {
	return []*org{s.builtin.org, s.plugin.org, s.toy.org, s.bare.org}
}

// startOrgs starts an org for each that calls one, and returns the environment
// for Vault to reach and trust them. This process trusts them, too.
func (s *stage) startOrgs(dir string) ([]string, error) {
	s.proxy = harness.StartProxy()
	var certs bytes.Buffer
	for i, subject := range []*subject{s.builtin, s.plugin, s.toy, s.bare} {
		o, err := listen(i, subject.name, s.proxy)
		if err != nil {
			return nil, err
		}
		o.populate()
		subject.org = o
		certs.Write(o.CertPEM)
	}
	path := filepath.Join(dir, "orgs.pem")
	if err := os.WriteFile(path, certs.Bytes(), 0o600); err != nil {
		return nil, err
	}
	return []string{"SSL_CERT_FILE=" + path, "HTTPS_PROXY=" + s.proxy.URL, "NO_PROXY="}, os.Setenv("SSL_CERT_FILE", path)
}

// prepare registers the plugins and enables the methods that are no Okta ones.
func (s *stage) prepare(ctx context.Context, plugin harness.Plugin) error {
	for _, register := range []struct {
		name string
		*subject
	}{{oktaName, s.plugin}, {freshName, s.plugin}, {toyName, s.toy}, {freshToy, s.toy}} {
		sum, err := harness.Plugin{Path: register.exe}.SHA256()
		if err != nil {
			return err
		}
		_, err = s.write(ctx, "sys/plugins/catalog/auth/"+register.name, object{
			"sha256": sum, "command": filepath.Base(register.exe), "version": register.version,
		})
		if err != nil {
			return err
		}
	}
	for _, write := range []struct {
		path string
		body object
	}{
		{"sys/auth/userpass", object{"type": "userpass"}},
		{"sys/auth/approle", object{"type": "approle"}},
		{"auth/approle/role/bench", object{"token_policies": "default"}},
		{"auth/approle/role/bench/role-id", object{"role_id": "bench"}},
		{"auth/approle/role/bench/custom-secret-id", object{"secret_id": password}},
	} {
		if _, err := s.write(ctx, write.path, write.body); err != nil {
			return err
		}
	}
	for worker := range userpassUsers {
		if _, err := s.write(ctx, "auth/userpass/users/"+userpassName(worker), object{"password": password}); err != nil {
			return err
		}
	}
	return nil
}

// write sends a request of the root token.
func (s *stage) write(ctx context.Context, path string, body object) (harness.Answer, error) {
	return s.do(ctx, http.MethodPost, path, body)
}

func (s *stage) do(ctx context.Context, method, path string, body any) (harness.Answer, error) {
	a, err := s.vault.Do(ctx, harness.Request{Method: method, Path: path, Token: s.vault.RootToken, Body: body})
	if err == nil {
		err = a.Err()
	}
	if err != nil {
		return a, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return a, nil
}
