package backend

import (
	"context"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	gplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const (
	testVersion  = "v9.9.9"
	testTimeout  = time.Minute // of a request to Okta
	testLogin    = "mia.ito@acme.test"
	testPassword = "correct-horse-battery"
	callerIP     = "198.51.100.7"

	// allFactors is for tests of factors that count only where mfa_factors names them.
	allFactors = "push,totp,sms,call,email,token,question"

	// patience is how long tests wait for what another goroutine does. It is so long that
	// only what hangs meets it, and no machine that is slow.
	patience = 2 * time.Minute
)

// mount is one mount of the method, with an Okta org behind it.
type mount struct {
	t       testing.TB
	grpc    bool
	backend logical.Backend
	inner   *backend // what is behind it
	storage *faultyStorage
	okta    *oktatest.Server
	clock   *stepClock // of the mount and of the org
	logs    *syncBuffer
	trusted [][]byte // further certificates, in PEM

	// In a bubble, the network and the certificates that are trusted there.
	dial  okta.Dial
	roots *x509.CertPool

	replication consts.ReplicationState // of the node
}

// bothWays runs test on a backend in this process, and on one behind the plugin
// protocol, where errors and responses are what Vault will see.
func bothWays(t *testing.T, test func(t *testing.T, m *mount)) {
	t.Parallel()
	t.Run("in process", func(t *testing.T) { t.Parallel(); test(t, newMount(t, false)) })
	t.Run("over gRPC", func(t *testing.T) { t.Parallel(); test(t, newMount(t, true)) })
}

func newMount(t testing.TB, grpc bool) *mount {
	t.Helper()
	m := &mount{t: t, grpc: grpc, storage: newStorage(), clock: newStepClock(), logs: &syncBuffer{}}
	m.okta = oktatest.NewServer(t, oktatest.Options{Now: m.clock.org.Now})
	m.start()
	return m
}

// another is a second mount, with a storage of its own, to the same org.
func (m *mount) another() *mount {
	m.t.Helper()
	other := *m
	other.storage = newStorage()
	other.start()
	return &other
}

// start begins a new backend, which knows nothing but what is in storage: what a
// restart does, or a node that takes over.
func (m *mount) start() {
	m.t.Helper()
	roots := m.roots
	if roots == nil {
		roots = m.okta.CertPool()
	}
	for _, pem := range m.trusted {
		roots.AppendCertsFromPEM(pem)
	}
	f := func(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
		b, err := factory(settings{
			version: testVersion,
			rootCAs: roots,
			timeout: testTimeout,
			dial:    m.dial,
			clock:   m.clock,
		})(ctx, conf)
		m.inner, _ = b.(*backend)
		return b, err
	}
	system := logical.TestSystemView()
	system.ReplicationStateVal = m.replication
	system.PluginEnvironment = &logical.PluginEnvironment{VaultVersion: "1.21.0"} // the OpenAPI document names it
	conf := &logical.BackendConfig{
		Logger:      hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: m.logs}),
		System:      system,
		StorageView: m.storage,
	}
	if !m.grpc {
		b, err := f(m.t.Context(), conf)
		require.NoError(m.t, err)
		m.backend = b
		return
	}
	client, _ := gplugin.TestPluginGRPCConn(m.t, false, map[string]gplugin.Plugin{
		plugin.BackendPluginName: &plugin.GRPCBackendPlugin{Factory: f, Logger: conf.Logger},
	})
	m.t.Cleanup(func() { client.Close() })
	raw, err := client.Dispense(plugin.BackendPluginName)
	require.NoError(m.t, err)
	b := raw.(logical.Backend)
	require.NoError(m.t, b.Setup(m.t.Context(), conf))
	m.t.Cleanup(func() { b.Cleanup(context.Background()) })
	m.backend = b
}

type fields = map[string]any

// request builds a request as Vault would hand it to a plugin.
func (m *mount) request(op logical.Operation, path string, data fields) *logical.Request {
	if data == nil {
		data = fields{}
	}
	return &logical.Request{
		Operation: op, Path: path, Data: data, Storage: m.storage,
		MountPoint: "auth/okta/", MountAccessor: "auth_okta_1",
		Connection: &logical.Connection{RemoteAddr: callerIP},
	}
}

// do sends a request and returns the response, the HTTP status and the error
// text that Vault would answer with.
func (m *mount) do(op logical.Operation, path string, data fields) (*logical.Response, int, string) {
	m.t.Helper()
	return m.send(m.t.Context(), m.request(op, path, data))
}

func (m *mount) send(ctx context.Context, req *logical.Request) (*logical.Response, int, string) {
	m.t.Helper()
	// Vault gives up after 90 seconds. Here the time of the machine is no part of the
	// clock, and is not to cut any wait short.
	ctx, cancel := context.WithTimeout(ctx, 5*patience)
	defer cancel()
	resp, err := m.backend.HandleRequest(ctx, req)
	m.saidFarewell()
	status, answered := logical.RespondErrorCommon(req, resp, err)
	logical.AdjustErrorStatusCode(&status, err)
	if status == 0 {
		status = http.StatusOK
	}
	text := ""
	if answered != nil {
		text = answered.Error()
	}
	return resp, status, text
}

// saidFarewell waits until the mount has told Okta all that it tells after its answers.
func (m *mount) saidFarewell() {
	for range 60_000 {
		if m.inner == nil || len(m.inner.life.room) == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (m *mount) write(path string, data fields) *logical.Response {
	m.t.Helper()
	resp, status, text := m.do(logical.UpdateOperation, path, data)
	require.Equal(m.t, http.StatusOK, status, text)
	return resp
}

func (m *mount) read(path string) fields {
	m.t.Helper()
	resp, status, text := m.do(logical.ReadOperation, path, nil)
	require.Equal(m.t, http.StatusOK, status, text)
	return resp.Data
}

// inForce reads a path with its defaults.
func (m *mount) inForce(path string) fields {
	m.t.Helper()
	resp, status, text := m.do(logical.ReadOperation, path, fields{"defaults": "true"})
	require.Equal(m.t, http.StatusOK, status, text)
	return resp.Data
}

// configure points the mount to its org.
func (m *mount) configure(more fields) {
	m.t.Helper()
	data := fields{"org_name": "acme", "base_url": m.okta.URL, "api_token": m.okta.Token}
	for k, v := range more {
		data[k] = v
	}
	m.write("config", data)
}

// addUser adds the person whom the tests log in.
func (m *mount) addUser(groups ...string) *oktatest.User {
	u := m.okta.AddUser(testLogin, testPassword)
	u.SetGroups(groups...)
	return u
}

// login logs that person in.
func (m *mount) login(more fields) (*logical.Response, int, string) {
	m.t.Helper()
	data := fields{"password": testPassword}
	for k, v := range more {
		data[k] = v
	}
	return m.do(logical.UpdateOperation, "login/"+testLogin, data)
}

// mustLogin logs that person in and returns their auth.
func (m *mount) mustLogin(more fields) *logical.Auth {
	m.t.Helper()
	resp, status, text := m.login(more)
	require.Equal(m.t, http.StatusOK, status, text)
	require.NotNil(m.t, resp.Auth)
	return resp.Auth
}

// nextCode returns a passcode that the factor has not accepted yet.
func (m *mount) nextCode(f *oktatest.Factor) string {
	m.clock.advance(time.Minute)
	return f.Code()
}

// from is a login from another address, with the headers that Vault hands on.
func (m *mount) from(address string, headers map[string][]string, more fields) *logical.Request {
	data := fields{"password": testPassword}
	for k, v := range more {
		data[k] = v
	}
	req := m.request(logical.UpdateOperation, "login/"+testLogin, data)
	req.Connection, req.Headers = &logical.Connection{RemoteAddr: address}, headers
	return req
}

// refused is a login that is answered 400; it returns the sentence.
func (m *mount) refused(more fields) string {
	m.t.Helper()
	resp, status, text := m.login(more)
	require.Equal(m.t, http.StatusBadRequest, status, text)
	require.True(m.t, resp == nil || resp.Auth == nil)
	return text
}

// outcome is what became of a login in the background.
type outcome struct {
	resp   *logical.Response
	status int
	text   string
}

// background sends a request and does not wait for the answer.
func (m *mount) background(ctx context.Context, req *logical.Request) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		resp, status, text := m.send(ctx, req)
		done <- outcome{resp, status, text}
	}()
	return done
}

// waiting begins a login in the background and returns once its push waits. It
// needs the clock to be held.
func (m *mount) waiting(push *oktatest.Factor, req *logical.Request) <-chan outcome {
	m.t.Helper()
	before := push.Pushes()
	done := m.background(m.t.Context(), req)
	m.eventually(func() bool { return push.Pushes() > before && m.clock.asleep() == 1 }, "the login does not wait")
	return done
}

// eventually waits for what another goroutine does.
func (m *mount) eventually(is func() bool, otherwise string) {
	m.t.Helper()
	require.Eventually(m.t, is, patience, time.Millisecond, otherwise)
}

// finished is the outcome of a login in the background.
func (m *mount) finished(done <-chan outcome) outcome {
	m.t.Helper()
	select {
	case o := <-done:
		return o
	case <-time.After(patience):
		m.t.Fatal("the login does not end")
		return outcome{}
	}
}

// tidy is what Vault has a mount do once a minute.
func (m *mount) tidy() {
	m.t.Helper()
	_, status, text := m.do(logical.RollbackOperation, "", nil)
	require.Equal(m.t, http.StatusOK, status, text)
}

// calls counts the requests to one of the authentication API's endpoints, such as
// "cancel"; those to factors are "verify" and "resend".
func (m *mount) calls(endpoint string) int {
	n := 0
	for _, r := range m.okta.Requests() {
		if strings.HasPrefix(r.Path, "/api/v1/authn/") && strings.HasSuffix(r.Path, "/"+endpoint) {
			n++
		}
	}
	return n
}

// renew renews the token of auth.
func (m *mount) renew(auth *logical.Auth) (*logical.Response, int, string) {
	m.t.Helper()
	req := m.request(logical.RenewOperation, "login/"+testLogin, nil)
	req.Auth = auth
	return m.send(m.t.Context(), req)
}

// issued is what Vault's core makes of the auth of a login: the policies become
// the token's.
func issued(auth *logical.Auth) *logical.Auth {
	kept := *auth
	kept.TokenPolicies = append([]string{"default"}, auth.Policies...)
	return &kept
}

// authnCalls counts the password deliveries.
func (m *mount) authnCalls() int { return m.okta.Count(http.MethodPost, "/api/v1/authn") }

// plant has another node write raw bytes to storage; none: delete the entry.
func (m *mount) plant(key, raw string) {
	m.t.Helper()
	if raw == "" {
		require.NoError(m.t, m.storage.Delete(m.t.Context(), key))
	} else {
		require.NoError(m.t, m.storage.Put(m.t.Context(), &logical.StorageEntry{Key: key, Value: []byte(raw)}))
	}
	m.backend.InvalidateKey(m.t.Context(), key)
}

// stored returns the raw bytes of a storage entry, "" if there is none.
func (m *mount) stored(key string) string {
	m.t.Helper()
	entry, err := m.storage.Storage.Storage.Get(m.t.Context(), key) // as it is, whatever the faults
	require.NoError(m.t, err)
	if entry == nil {
		return ""
	}
	return string(entry.Value)
}

// lastBody is the body of the last request to one of those endpoints.
func (m *mount) lastBody(endpoint string) string {
	m.t.Helper()
	body := ""
	for _, r := range m.okta.Requests() {
		if strings.HasSuffix(r.Path, "/"+endpoint) {
			body = string(r.Body)
		}
	}
	require.NotEmpty(m.t, body)
	return body
}
