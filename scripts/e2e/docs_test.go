package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/transcript"
)

// documents are those whose commands TestDocuments runs.
var documents = []docPage{
	{"README.md", false},
	{"docs/getting-started.md", false},
	{"docs/api.md", true},
	{"docs/method.md", false},
	{"docs/upgrade.md", false},
	{"docs/mfa.md", true},
	{"docs/policies.md", true},
	{"docs/okta-setup.md", true},
	{"docs/troubleshooting.md", true},
	{"docs/high-availability.md", true},
	{"docs/methods.md", true},
	{"docs/simulator.md", true},
	{"docs/okta-login.md", true},
	{"docs/install.md", false},
	{"docs/openbao.md", false},
}

// docPage is a document of the repository, and whether its reader has a mount at okta/ when
// it begins.
type docPage struct {
	path      string
	isMounted bool
}

// Each command of a document prints what it shows, in their order, on a Vault with a
// simulated Okta. A block is left out only where the document says why.
func TestDocuments(t *testing.T) {
	t.Parallel()
	needsVault(t, "login -method=okta")
	if !strings.HasPrefix(suite.builtinVersion, "v1.21.") {
		t.Skip("the documents show what Vault 1.21 prints")
	}
	for _, tool := range []string{"bash", "curl", "jq", "openssl", "pkill", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("the commands of the documents need " + tool)
		}
	}
	built := t.TempDir()
	bin, err := harness.BuildSimulator(t.Context(), built)
	require.NoError(t, err)
	_, err = harness.BuildLogin(t.Context(), built)
	require.NoError(t, err)
	plugins := pluginsOfDocuments(t)
	for _, document := range documents {
		t.Run(document.path, func(t *testing.T) {
			t.Parallel()
			runDocument(t, document, bin, plugins)
		})
	}
}

// newerVersion is that of the other binary, which a document calls v0.1.1. It is as long as
// pluginVersion, so that it can take its place in the binary.
const newerVersion = "v9.9.9-e2f"

// pluginsOfDocuments makes a plugin_directory with the plugin, and with a newer version of it
// under a name of its own.
func pluginsOfDocuments(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary, err := os.ReadFile(suite.plugin.Path)
	require.NoError(t, err)
	newer := bytes.ReplaceAll(binary, []byte(pluginVersion), []byte(newerVersion))
	for name, binary := range map[string][]byte{"": binary, "-" + newerVersion: newer} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, suite.plugin.Command()+name), binary, 0o700))
	}
	return dir
}

// runDocument runs a document's commands, with a Vault and an okta-sim of its own.
func runDocument(t *testing.T, document docPage, simulator, plugins string) {
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Minute)
	defer stop()
	proxy := harness.StartProxy()
	t.Cleanup(proxy.Close)
	sim := startBuiltInOrg(t, simulator, proxy)
	vault, err := harness.StartVault(ctx, harness.Config{
		Bin: suite.vaultBin, Dir: t.TempDir(), PluginDir: plugins,
		Env: []string{"SSL_CERT_FILE=" + sim.Cert, "HTTPS_PROXY=" + proxy.URL, "NO_PROXY="},
	})
	require.NoError(t, err)
	t.Cleanup(vault.Stop)
	replaced := [][2]string{
		{"http://127.0.0.1:8200", vault.Addr}, {"http://127.0.0.1:…", vault.Addr}, {"v0.1.0", pluginVersion}, {"v0.1.1", newerVersion},
		{"http://127.0.0.1:3128", proxy.URL}, {"VAULT_TOKEN=root", "VAULT_TOKEN=" + vault.RootToken}, {"read -rs OKTA_API_TOKEN", `test -n "$OKTA_API_TOKEN"`},
		{"org_name=acme base_url=okta.com", "org_name=acme base_url=okta.test"},
		{"org_name=acme api_token=-", "org_name=acme base_url=okta.test api_token=-"},
		{"http://127.0.0.1:8444", sim.Control}, {"https://127.0.0.1:8443", sim.URL}, {"127.0.0.1:43543", sim.Duo.Host},
		{"DIGZ…", sim.Duo.IntegrationKey}, {"TGO2…", sim.Duo.SecretKey}, {"I0F1…", sim.PingID.Settings},
	}
	path, err := filepath.Abs(filepath.Join("..", "..", document.path))
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "plugins"), 0o700))
	for name, target := range map[string]string{
		"vault-plugin-auth-okta": suite.plugin.Path, "plugins/vault-plugin-auth-okta": suite.plugin.Path,
		"vault-plugin-auth-okta-" + newerVersion: filepath.Join(plugins, "vault-plugin-auth-okta-"+newerVersion),
		"okta-sim":                               simulator, "okta-sim.pem": sim.Cert,
		"vault-plugin-auth-okta_linux_amd64": suite.plugin.Path,
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".curlrc"), []byte("silent\n"), 0o600))
	env := []string{
		"PATH=" + filepath.Dir(suite.vaultBin) + ":" + filepath.Dir(simulator) + ":" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=" + dir, "CURL_HOME=" + dir,
		"VAULT_ADDR=" + vault.Addr, "VAULT_TOKEN=" + vault.RootToken, "OKTA_API_TOKEN=" + sim.APIToken, "OKTA_CONTROL=" + sim.Control,
		"DOCUMENT=" + path, "UNSEAL_KEY=" + vault.UnsealKey,
	}
	blocks := transcript.Parse(string(text))
	require.NotEmpty(t, blocks)
	if document.isMounted {
		mounted := transcript.Block{First: "vault plugin register -sha256=$(sha256sum vault-plugin-auth-okta | cut -d ' ' -f 1) " +
			"-command=vault-plugin-auth-okta -version=v0.1.0 auth okta && vault auth enable -plugin-version=v0.1.0 okta\n"}
		blocks = append([]transcript.Block{mounted}, blocks...)
	}
	results, err := transcript.Run(ctx, blocks, dir, env, replaced)
	for _, r := range results {
		if problem := r.Differs(); problem != "" {
			t.Errorf("%s:%d: $ %s\n%s", document.path, r.Line, r.Ran.Text, problem)
		}
	}
	require.NoError(t, err)
	require.NotEmpty(t, results)
	for _, b := range blocks {
		if b.NotRun != "" {
			t.Logf("%s:%d is not run: %s", document.path, b.Line, b.NotRun)
		}
	}
}

// builtInOrg is an okta-sim with its built-in users, to which a proxy leads as acme.okta.test.
type builtInOrg struct {
	URL      string `json:"url"`
	Control  string `json:"control_url"`
	Cert     string `json:"cert"`
	APIToken string `json:"api_token"`
	Duo      struct {
		Host           string `json:"api_hostname"`
		IntegrationKey string `json:"integration_key"`
		SecretKey      string `json:"secret_key"`
	} `json:"duo"`
	PingID struct {
		Settings string `json:"settings_file_base64"`
	} `json:"pingid"`
}

func startBuiltInOrg(t *testing.T, bin string, proxy *harness.Proxy) (o builtInOrg) {
	t.Helper()
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready.json")
	cmd := exec.Command(bin, "-listen", "127.0.0.1:0", "-control", "127.0.0.1:0", "-cert-out", filepath.Join(dir, "ca.pem"), "-ready-file", ready)
	process, err := harness.StartProcess("okta-sim", cmd)
	require.NoError(t, err)
	t.Cleanup(process.Stop)
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(ready)
		return err == nil && json.Unmarshal(text, &o) == nil
	}, time.Minute, 50*time.Millisecond)
	address, err := url.Parse(o.URL)
	require.NoError(t, err)
	proxy.Route("acme.okta.test", address.Host)
	return o
}

// Each document with commands is one of those that are run.
func TestDocumentsAreKnown(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range append(paths, "../../README.md") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		name := strings.TrimPrefix(path, "../../")
		isRun := slices.ContainsFunc(documents, func(d docPage) bool { return d.path == name })
		if len(transcript.Parse(string(text))) > 0 {
			assert.True(t, isRun, "%s has commands: add it to documents", name)
		}
	}
}

// A command that prints something else than the document shows is found, and so is one that
// fails.
func TestDocumentsDiffer(t *testing.T) {
	t.Parallel()
	blocks := transcript.Parse(strings.ReplaceAll(`
<!-- first: name=Mia
     until test -n "$tried"; do tried=yes; done
     false || test -n "$name" -->
'''console
$ uuid() { echo 11111111-ddf5-5500-9428-c26028e66cf9; }
$ echo 4cce1649-ddf5-5500-9428-c26028e66cf9 in 12 seconds for $name
1cce1649-ddf5-5500-9428-c26028e66cf0 in 3 seconds for M…
'''

<!-- not run: it needs
     a browser -->
'''sh
exit 3
'''

'''hcl
exit = 3
'''

1. A list:

   '''console
   $ uuid
   22222222-ddf5-5500-9428-c26028e66cf9
   $ echo 22222222-ddf5-5500-9428-c26028e66cf9 \
       is known
   22222222-ddf5-5500-9428-c26028e66cf9 is known
   $ test 22222222-ddf5-5500-9428-c26028e66cf9 = $(uuid)
   $ echo 44444444-ddf5-5500-9428-c26028e66cf9 is 00u1a2b3c4
   33333333-… is 00u1a2b3…
   $ test 33333333-… = 44444444-ddf5-5500-9428-c26028e66cf9 && test 00u1a2b3… = 00u1a2b3c4
   $ seq 5
   1
   …
   5
   $ for i in 1 2; do
       echo "this is
   $i"
     done | cat
   this is
   1
   this is
   2
   $ echo hvs.abc other
   hvs.CAESI… thing
   $ seq 6
   1
   …
   5
   $ false
   '''

<!-- live: 123456 is echo 654321
     111111 is exit 9 -->
'''console
$ echo 00112233445566778899aabbccddeeff
fedcba98…
$ test fedcba98… = 00112233445566778899aabbccddeeff
$ echo 123456 | tr 6 7
754321
$ test 123456 = 654321
'''

<!-- first: test -z "$name"
     true -->
'''sh
true
'''
`, "'''", "```"))
	require.Len(t, blocks, 5)
	require.Equal(t, "it needs a browser", blocks[1].NotRun)
	results, err := transcript.Run(t.Context(), blocks, t.TempDir(), []string{"PATH=" + os.Getenv("PATH")}, nil)
	require.NoError(t, err)
	var differ []string
	for _, r := range results {
		if r.Differs() != "" {
			differ = append(differ, r.Ran.Text)
		}
	}
	require.Len(t, differ, 4)
	require.Equal(t, []string{"echo hvs.abc other", "seq 6", "false"}, differ[:3])
	require.Contains(t, differ[3], `test -z "$name"`, "one of the hidden commands")
}
