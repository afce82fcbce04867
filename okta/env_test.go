package okta_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// sdkVariables are all that the SDK reads. Every one has a value that would
// show in a test.
func sdkVariables(evil string) map[string]string {
	return map[string]string{
		"OKTA_CLIENT_CACHE_ENABLED":          "true",
		"OKTA_CLIENT_CACHE_DEFAULT_TTL":      "3600",
		"OKTA_CLIENT_CACHE_DEFAULT_TTI":      "3600",
		"OKTA_CLIENT_PROXY_HOST":             "127.0.0.1",
		"OKTA_CLIENT_PROXY_PORT":             "1",
		"OKTA_CLIENT_PROXY_USERNAME":         "evil",
		"OKTA_CLIENT_PROXY_PASSWORD":         "evil",
		"OKTA_CLIENT_CONNECTION_TIMEOUT":     "1",
		"OKTA_CLIENT_REQUEST_TIMEOUT":        "1",
		"OKTA_CLIENT_RATE_LIMIT_MAX_RETRIES": "5",
		"OKTA_CLIENT_RATE_LIMIT_MAX_BACKOFF": "1",
		"OKTA_CLIENT_ORGURL":                 evil,
		"OKTA_CLIENT_TOKEN":                  "00evil-token",
		"OKTA_CLIENT_AUTHORIZATIONMODE":      "PrivateKey",
		"OKTA_CLIENT_CLIENTID":               "0oaevil",
		"OKTA_CLIENT_SCOPES":                 "okta.users.manage",
		"OKTA_CLIENT_PRIVATEKEY":             "not a key",
		"OKTA_CLIENT_PRIVATEKEYID":           "evil",
		"OKTA_CLIENT_CLIENTASSERTION":        "evil",
		"OKTA_TESTING_DISABLE_HTTPS_CHECK":   "true",
	}
}

func sdkFile(evil string) string {
	return fmt.Sprintf(`okta:
  client:
    orgUrl: %q
    token: 00evil-token
    authorizationMode: Bearer
    cache: {enabled: true, defaultTtl: 3600, defaultTti: 3600}
    proxy: {host: 127.0.0.1, port: 1, username: evil, password: evil}
    connectionTimeout: 1
    requestTimeout: 1
    rateLimit: {maxRetries: 5, maxBackoff: 1}
  testing:
    disableHttpsCheck: true
`, evil)
}

// stdout runs f and returns what was printed to standard output meanwhile. A
// plugin's standard output belongs to the handshake with its host.
func stdout(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	old := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = old }()
	f()
	require.NoError(t, w.Close())
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(out)
}

// TestEnvironment: what an SDK finds in the environment of the process, meant
// for another program, changes nothing. It sets variables, so it is not
// parallel.
func TestEnvironment(t *testing.T) {
	var evil []string
	var mu sync.Mutex
	evilServer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		evil = append(evil, r.URL.String())
	}))
	t.Cleanup(evilServer.Close)

	// os/user may look at HOME or at the system's list of users, as it was built.
	home := func(t *testing.T, text string) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, ".okta"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, ".okta", "okta.yaml"), []byte(text), 0o600))
		t.Setenv("HOME", dir)
		t.Setenv("USERPROFILE", dir)
	}
	for name, set := range map[string]func(t *testing.T){
		"variables": func(t *testing.T) {
			for k, v := range sdkVariables(evilServer.URL) {
				t.Setenv(k, v)
			}
		},
		"file": func(t *testing.T) { home(t, sdkFile(evilServer.URL)) },
		"both": func(t *testing.T) {
			for k, v := range sdkVariables(evilServer.URL) {
				t.Setenv(k, v)
			}
			home(t, sdkFile(evilServer.URL))
		},
		"what cannot be parsed": func(t *testing.T) {
			for k := range sdkVariables("") {
				t.Setenv(k, "\x01?")
			}
			home(t, "\x01{")
		},
	} {
		t.Run(name, func(t *testing.T) {
			set(t)
			srv, mia := newOrg(t)
			out := stdout(t, func() {
				c := newClient(t, srv, func(cfg *okta.Config) { cfg.UserAgent = "login-test/1.0" })
				tx, err := c.Authenticate(t.Context(), login, password)
				require.NoError(t, err)
				for range 2 { // a cache would answer the second
					groups, err := c.Groups(t.Context(), tx.User.ID)
					require.NoError(t, err)
					assert.Equal(t, mia.Groups(), namesOf(groups))
				}
				for range 2 {
					got, err := c.Account(t.Context(), tx.User.ID)
					require.NoError(t, err)
					assert.Equal(t, account(mia), got)
				}
				srv.Fail("groups", oktatest.RateLimited(0, 0)) // a retry would come after a second
				_, err = c.Groups(t.Context(), tx.User.ID)
				refusal(t, err)
				srv.Fail("users", oktatest.RateLimited(0, time.Minute))
				_, err = c.Account(t.Context(), tx.User.ID)
				assert.Equal(t, time.Minute, refusal(t, err).RetryAfter)
			})
			assert.Empty(t, out, "standard output")
			assert.Len(t, srv.Requests(), 7)
			for _, r := range srv.Requests() {
				assert.Equal(t, []string{"SSWS " + srv.Token}, r.Header.Values("Authorization"))
				assert.Equal(t, []string{"login-test/1.0"}, r.Header.Values("User-Agent"))
			}
			_, err := okta.New(okta.Config{OrgURL: "http://acme.okta.com", APIToken: okta.NewSecret("00token")})
			assert.Error(t, err, "https must stay required")
		})
	}
	mu.Lock()
	defer mu.Unlock()
	assert.Empty(t, evil)
}

const proxyChild = "OKTA_PROXY_CHILD_CA"

// TestProxy: the proxy of the environment is used, and sees no more than where
// to connect. net/http reads the environment once in a process, and never uses
// a proxy for a loopback address: so the client is in a process of its own and
// calls the org by a name.
func TestProxy(t *testing.T) {
	t.Parallel()
	if ca := os.Getenv(proxyChild); ca != "" {
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM([]byte(ca)))
		c, err := okta.New(okta.Config{OrgURL: "https://acme.okta.test", APIToken: okta.NewSecret(oktatest.DefaultToken), RootCAs: pool, Timeout: patience})
		require.NoError(t, err)
		tx, err := c.Authenticate(t.Context(), login, password)
		require.NoError(t, err)
		_, err = c.Groups(t.Context(), tx.User.ID)
		require.NoError(t, err)
		return
	}

	srv, mia := newOrg(t)
	var mu sync.Mutex
	var connects []string
	var seen bytes.Buffer
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connects = append(connects, r.Method+" "+r.RequestURI)
		_ = r.Header.Write(&seen)
		mu.Unlock()
		upstream, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "https://"))
		if err != nil {
			return
		}
		defer upstream.Close()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(upstream, conn); _ = upstream.Close() }()
		_, _ = io.Copy(conn, upstream)
	}))
	t.Cleanup(proxy.Close)

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$")
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "HTTPS_PROXY="+proxy.URL, proxyChild+"="+string(srv.CertPEM))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []string{"CONNECT acme.okta.test:443"}, connects)
	for _, secret := range []string{srv.Token, password, mia.Login()} {
		assert.NotContains(t, seen.String(), secret)
	}
	assert.Len(t, srv.Requests(), 2)
}
