package okta_test

import (
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const (
	login      = "mia.ito@acme.test"
	password   = "correct-horse"
	stateToken = "00aB3stateTokenSample"
	passCode   = "048213"

	// patience is how long tests wait for what another goroutine does, and for an answer:
	// only what hangs meets it, and no machine that is slow.
	patience = 2 * time.Minute
)

// state is stateToken as transactions hold it.
var state = okta.NewSecret(stateToken)

// newOrg returns an org with one user in it.
func newOrg(t testing.TB, options ...oktatest.Options) (*oktatest.Server, *oktatest.User) {
	t.Helper()
	srv := oktatest.NewServer(t, options...)
	return srv, srv.AddUser(login, password)
}

// newClient returns a client of srv that is in no hurry.
func newClient(t testing.TB, srv *oktatest.Server, change ...func(*okta.Config)) *okta.Client {
	t.Helper()
	cfg := okta.Config{OrgURL: srv.URL, APIToken: okta.NewSecret(srv.Token), RootCAs: srv.CertPool(), Timeout: patience}
	for _, f := range change {
		f(&cfg)
	}
	c, err := okta.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// refusal is what Okta said: err has to be an answer of its own.
func refusal(t testing.TB, err error) *okta.Error {
	t.Helper()
	e, ok := errors.AsType[*okta.Error](err)
	require.True(t, ok, "%v is not Okta's word", err)
	return e
}

// is wants an error of one of the package's own kinds, and of no other.
func is(want error) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		for _, kind := range []error{okta.ErrBusy, okta.ErrTimeout, okta.ErrUnreachable, okta.ErrMalformed} {
			assert.Equal(t, kind == want, errors.Is(err, kind), "%v, want %v", err, want)
		}
		_, said := errors.AsType[*okta.Error](err)
		assert.False(t, said, "%v must not look like Okta's word", err)
	}
}

// said wants an answer of the server's. An error document has an id, and what
// Okta sent, not a proxy, has a request id.
func said(status int, code, summary string, wait time.Duration) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		got := refusal(t, err)
		if code != "" {
			assert.True(t, strings.HasPrefix(got.ID, "oae"), "error id %q", got.ID)
			assert.NotEmpty(t, got.RequestID)
			assert.Contains(t, err.Error(), got.ID)
		}
		assert.NotEmpty(t, got.Endpoint)
		want := okta.Error{HTTPStatus: status, Endpoint: got.Endpoint, Code: code, Summary: summary, ID: got.ID, RequestID: got.RequestID, RetryAfter: wait}
		if status >= 500 && code != okta.CodeInternal {
			want.Words = okta.NewSecret(summary)
		}
		assert.Equal(t, want, *got)
		for _, kind := range []error{okta.ErrBusy, okta.ErrTimeout, okta.ErrUnreachable, okta.ErrMalformed} {
			assert.NotErrorIs(t, err, kind)
		}
	}
}

// protocols runs a test over HTTP/2 and over HTTP/1.1.
func protocols(t *testing.T, test func(t *testing.T, options oktatest.Options, proto string)) {
	t.Run("HTTP2", func(t *testing.T) { t.Parallel(); test(t, oktatest.Options{}, "HTTP/2.0") })
	t.Run("HTTP1", func(t *testing.T) { t.Parallel(); test(t, oktatest.Options{HTTP1Only: true}, "HTTP/1.1") })
}

// clientOf returns a client of a server that is not even an oktatest one.
func clientOf(t *testing.T, srv *httptest.Server, change ...func(*okta.Config)) *okta.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	cfg := okta.Config{OrgURL: srv.URL, APIToken: okta.NewSecret("00token"), RootCAs: pool, Timeout: patience}
	for _, f := range change {
		f(&cfg)
	}
	c, err := okta.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// both makes a login and a group call, and checks the errors of both.
func both(t *testing.T, c *okta.Client, check func(*testing.T, error)) {
	t.Helper()
	for _, do := range []func() error{
		func() error { _, err := c.Authenticate(t.Context(), login, password); return err },
		func() error { _, err := c.Groups(t.Context(), "00u1"); return err },
	} {
		err := do()
		if assert.Error(t, err) {
			check(t, err)
		}
	}
}
