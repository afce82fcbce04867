package backend

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	gplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const (
	testVersion  = "v9.9.9"
	testTimeout  = 300 * time.Millisecond // of a request to Okta that does not answer
	testLogin    = "mia.ito@acme.test"
	testPassword = "correct-horse-battery"
	callerIP     = "198.51.100.7"
)

// mount is one mount of the method, with an Okta org behind it.
type mount struct {
	t       *testing.T
	backend logical.Backend
	storage *faultyStorage
	okta    *oktatest.Server
	clock   *stepClock      // of the polls
	time    *oktatest.Clock // of the org
	logs    *syncBuffer
}

// bothWays runs test on a backend in this process, and on one behind the plugin
// protocol, where errors and responses are what Vault will see.
func bothWays(t *testing.T, test func(t *testing.T, m *mount)) {
	t.Parallel()
	t.Run("in process", func(t *testing.T) { t.Parallel(); test(t, newMount(t, false)) })
	t.Run("over gRPC", func(t *testing.T) { t.Parallel(); test(t, newMount(t, true)) })
}

func newMount(t *testing.T, grpc bool) *mount {
	t.Helper()
	m := &mount{t: t, storage: &faultyStorage{}, clock: newStepClock(), time: oktatest.NewClock(time.Now()), logs: &syncBuffer{}}
	m.okta = oktatest.NewServer(t, oktatest.Options{Now: m.time.Now})
	f := factory(settings{
		version: testVersion,
		rootCAs: m.okta.CertPool(),
		timeout: testTimeout,
		poll:    mfa.Poll{Clock: m.clock},
	})
	conf := &logical.BackendConfig{
		Logger:      hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: m.logs}),
		System:      logical.TestSystemView(),
		StorageView: m.storage,
	}
	if !grpc {
		b, err := f(t.Context(), conf)
		require.NoError(t, err)
		m.backend = b
		return m
	}
	client, _ := gplugin.TestPluginGRPCConn(t, false, map[string]gplugin.Plugin{
		plugin.BackendPluginName: &plugin.GRPCBackendPlugin{Factory: f, Logger: conf.Logger},
	})
	t.Cleanup(func() { client.Close() })
	raw, err := client.Dispense(plugin.BackendPluginName)
	require.NoError(t, err)
	m.backend = raw.(logical.Backend)
	require.NoError(t, m.backend.Setup(t.Context(), conf))
	t.Cleanup(func() { m.backend.Cleanup(context.Background()) })
	return m
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
	resp, err := m.backend.HandleRequest(ctx, req)
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
	m.time.Advance(time.Minute)
	return f.Code()
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

// stored returns the raw bytes of a storage entry, "" if there is none.
func (m *mount) stored(key string) string {
	m.t.Helper()
	entry, err := m.storage.Get(m.t.Context(), key)
	require.NoError(m.t, err)
	if entry == nil {
		return ""
	}
	return string(entry.Value)
}

// faultyStorage is storage in memory that fails on request.
type faultyStorage struct {
	logical.InmemStorage
	mu                 sync.Mutex
	failGet, failWrite bool
}

var errStorage = errors.New("storage is down")

func (s *faultyStorage) fail(get, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failGet, s.failWrite = get, write
}

func (s *faultyStorage) failing(write bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return write && s.failWrite || !write && s.failGet
}

func (s *faultyStorage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	if s.failing(false) {
		return nil, errStorage
	}
	return s.InmemStorage.Get(ctx, key)
}

func (s *faultyStorage) List(ctx context.Context, prefix string) ([]string, error) {
	if s.failing(false) {
		return nil, errStorage
	}
	return s.InmemStorage.List(ctx, prefix)
}

func (s *faultyStorage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if s.failing(true) {
		return errStorage
	}
	return s.InmemStorage.Put(ctx, entry)
}

func (s *faultyStorage) Delete(ctx context.Context, key string) error {
	if s.failing(true) {
		return errStorage
	}
	return s.InmemStorage.Delete(ctx, key)
}

// stepClock lets polls through without waiting, or one by one once a test holds
// it. Its time goes on by what was slept.
type stepClock struct {
	mu    sync.Mutex
	now   time.Time
	steps chan struct{} // nil: do not wait
}

func newStepClock() *stepClock { return &stepClock{now: time.Now()} }

// hold makes each sleep wait for a call of the function it returns, which fails
// the test when nobody comes to sleep.
func (c *stepClock) hold(t *testing.T) (step func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	steps := make(chan struct{})
	c.steps = steps
	return func() {
		t.Helper()
		select {
		case steps <- struct{}{}:
		case <-time.After(10 * time.Second):
			t.Fatal("the login does not wait for a push")
		}
	}
}

func (c *stepClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stepClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	c.now = c.now.Add(d)
	steps := c.steps
	c.mu.Unlock()
	if steps == nil {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-steps:
		return nil
	}
}

// syncBuffer collects a log.
type syncBuffer struct {
	mu  sync.Mutex
	buf []byte
}

var _ io.Writer = (*syncBuffer)(nil)

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = append(b.buf, p...)
	return len(p), nil
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf)
}
