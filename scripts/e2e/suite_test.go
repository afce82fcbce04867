// Package e2e tests the plugin under a real Vault server, with the real vault
// command line tool, against the Okta simulator of okta/oktatest.
//
// All tests share one Vault. Each has an auth mount and a simulated org of its
// own, so that they run at the same time and may break their org as they like.
// The orgs are started before Vault, because a process reads SSL_CERT_FILE
// once, and are reached through a forward proxy under names like
// https://org7.okta.test.
//
// With E2E_BUILTIN=1 the same tests run on Vault's own Okta method. Some fail
// then: they are about what the plugin does better. With E2E_KEEP_LOGS=dir the
// logs of the shared Vault are kept in that directory.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

const (
	// pluginVersion is no released version: nobody mistakes these mounts.
	pluginVersion = "v9.9.9-e2e"
	// orgCount is the number of orgs there are for tests, one for each.
	orgCount = 800
	// serviceCount is that of Duos, and of PingIDs.
	serviceCount = 4
	// parallelTests is more than there are cores: tests mostly wait.
	parallelTests = "24"
	// suiteDeadline ends a suite that hangs, while Vault can still be stopped.
	suiteDeadline = 40 * time.Minute
)

// suite is what the tests share.
var suite struct {
	vault    *harness.Vault
	vaultBin string
	openBao  bool // the host has neither a builtin Okta method nor "login -method=okta"
	plugin   harness.Plugin
	proxy    *harness.Proxy
	env      []string // of Vault servers: the orgs' certificates and the proxy
	audit    string   // the audit log's path

	builtinVersion string // of Vault's own Okta method
	mountVersion   string // of the method that the tests are about
	orgs           chan *org
	http1          *org // of TestHonestLoginBesideHangingStrangers: it offers no HTTP/2
	expired        *org // of TestConfigCheckFindsEachFault: its certificate has expired
	duos           chan *mfatest.DuoServer
	pingIDs        chan *mfatest.PingIDServer

	mu      sync.Mutex
	used    []*org
	secrets []string // tokens and transaction ids that Vault has given out
}

// org is a simulated org, and what it is called in this suite.
type org struct {
	*oktatest.Server
	Name string // its org_name; the base_url is okta.test
}

// Host is the name of the org's host.
func (o *org) Host() string { return o.Name + ".okta.test" }

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	dir, err := os.MkdirTemp("", "okta-e2e-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if err := start(ctx, dir); err != nil {
		return fail(err)
	}
	// Without this, an interrupt or a hanging test would leave Vault behind.
	finished := make(chan struct{})
	go func() {
		select {
		case <-finished:
			return
		case <-ctx.Done():
			_ = fail(errors.New("interrupted"))
		case <-time.After(suiteDeadline):
			_ = fail(fmt.Errorf("still running after %s", suiteDeadline))
		}
		suite.vault.Stop()
		os.Exit(1)
	}()

	_ = flag.Set("test.parallel", parallelTests)
	code := m.Run()
	close(finished)
	for _, problem := range checkLogs() {
		code = fail(errors.New(problem))
	}
	suite.vault.Stop()
	if keep := os.Getenv("E2E_KEEP_LOGS"); keep != "" {
		return max(code, keepLogs(keep))
	}
	return code
}

// start starts what the tests share: orgs, proxy, Vault, plugin.
func start(ctx context.Context, dir string) error {
	host, err := harness.FindHost(ctx, os.Stderr)
	if err != nil {
		return err
	}
	suite.vaultBin, suite.openBao = host.Bin, host.OpenBao
	suite.plugin, err = harness.BuildPlugin(ctx, filepath.Join(dir, "plugins"), pluginVersion)
	if err != nil {
		return err
	}
	suite.builtinVersion, suite.mountVersion = "v"+host.Version+"+builtin.vault", pluginVersion
	if os.Getenv("E2E_BUILTIN") != "" {
		suite.mountVersion = suite.builtinVersion
	}
	certs, err := startOrgs(dir)
	if err != nil {
		return err
	}
	suite.env = []string{"SSL_CERT_FILE=" + certs, "HTTPS_PROXY=" + suite.proxy.URL, "NO_PROXY="}
	suite.vault, err = harness.StartVault(ctx, harness.Config{
		Bin: suite.vaultBin, Dir: dir, PluginDir: suite.plugin.Dir(), Env: suite.env,
	})
	if err != nil {
		return err
	}
	if err := suite.vault.RegisterPlugin(ctx, suite.plugin); err != nil {
		suite.vault.Stop()
		return err
	}
	suite.audit = filepath.Join(dir, "audit.log")
	a, err := suite.vault.Do(ctx, harness.Request{
		Method: "PUT", Path: "sys/audit/file", Token: suite.vault.RootToken,
		Body: object{"type": "file", "options": object{"file_path": suite.audit}},
	})
	if err == nil {
		err = a.Err()
	}
	if err != nil {
		suite.vault.Stop()
	}
	return err
}

// startOrgs starts all orgs and the proxy that leads to them. It returns the
// file with their certificates.
func startOrgs(dir string) (string, error) {
	suite.proxy = harness.StartProxy()
	suite.orgs = make(chan *org, orgCount)
	var certs bytes.Buffer
	for i := range orgCount {
		o, err := startOrg(fmt.Sprintf("org%d", i+1), oktatest.Options{}, &certs)
		if err != nil {
			return "", err
		}
		suite.orgs <- o
	}
	var err error
	if suite.http1, err = startOrg("http1", oktatest.Options{HTTP1Only: true}, &certs); err != nil {
		return "", err
	}
	if suite.expired, err = startOrg("expired", oktatest.Options{CertUntil: time.Now().Add(-time.Hour)}, &certs); err != nil {
		return "", err
	}
	if err := startServices(&certs); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "orgs.pem")
	return path, os.WriteFile(path, certs.Bytes(), 0o600)
}

// startOrg starts one org, to which the proxy leads, and adds its certificate to certs.
func startOrg(name string, options oktatest.Options, certs *bytes.Buffer) (*org, error) {
	srv, err := oktatest.Start("127.0.0.1:0", oktatest.New(options))
	if err != nil {
		return nil, err
	}
	o := &org{Server: srv, Name: name}
	address, err := url.Parse(srv.URL)
	if err != nil {
		return nil, err
	}
	suite.proxy.Route(o.Host(), address.Host)
	certs.Write(srv.CertPEM)
	return o, nil
}

// newOrg returns an org that no other test has.
func newOrg(t *testing.T) *org {
	t.Helper()
	select {
	case o := <-suite.orgs:
		suite.mu.Lock()
		defer suite.mu.Unlock()
		suite.used = append(suite.used, o)
		return o
	default:
		t.Fatal("all orgs are used: raise orgCount")
		return nil
	}
}

// needsVault skips a test of what OpenBao does not have.
func needsVault(t *testing.T, what string) {
	t.Helper()
	if suite.openBao {
		t.Skip("OpenBao has no " + what)
	}
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// keepLogs copies the logs to a directory, for a look after the end.
func keepLogs(dir string) int {
	for _, path := range []string{suite.vault.LogPath, suite.audit} {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o600)
		}
		if err != nil {
			return fail(err)
		}
	}
	return 0
}
