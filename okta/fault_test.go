package okta_test

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestFaults: whatever an endpoint does, the request is delivered once and to
// the org alone, and an error of the right kind comes back. What it means for a login,
// and how long that takes, is in the fault matrix of package backend.
func TestFaults(t *testing.T) {
	t.Parallel()
	var leaked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	t.Cleanup(elsewhere.Close)
	const tooMany = "Too much was asked in too short a time."

	faults := []struct {
		name  string
		fault oktatest.Fault
		want  func(*testing.T, error)
		hasty bool // ends with the client's patience
	}{
		{"closed connection", oktatest.CloseConnection(), is(okta.ErrUnreachable), false},
		{"redirect 301", oktatest.Redirect(301, elsewhere.URL+"/api/v1/authn"), is(okta.ErrMalformed), false},
		{"redirect 302", oktatest.Redirect(302, elsewhere.URL+"/api/v1/authn"), is(okta.ErrMalformed), false},
		{"redirect 303", oktatest.Redirect(303, elsewhere.URL+"/api/v1/authn"), is(okta.ErrMalformed), false},
		{"redirect 307", oktatest.Redirect(307, elsewhere.URL+"/api/v1/authn"), is(okta.ErrMalformed), false},
		{"redirect 308", oktatest.Redirect(308, elsewhere.URL+"/api/v1/authn"), is(okta.ErrMalformed), false},
		{"redirect within the org", oktatest.Redirect(307, "/api/v1/authn/previous"), is(okta.ErrMalformed), false},
		{"not modified", oktatest.Body(304, "application/json", ""), is(okta.ErrMalformed), false},
		{"web page 200", oktatest.HTML(200), is(okta.ErrMalformed), false},
		{"web page 403", oktatest.HTML(403), said(403, "", "", 0), false},
		{"web page 429", oktatest.HTML(429), said(429, "", "", 0), false},
		{"web page 502", oktatest.HTML(502), said(502, "", "", 0), false},
		{"truncated JSON", oktatest.TruncatedJSON(), is(okta.ErrMalformed), false},
		{"truncated error", oktatest.Body(401, "application/json", `{"errorCode":"E0000004","errorSummary":"Auth`), said(401, "", "", 0), false},
		{"truncated error with 2xx", oktatest.Body(202, "application/json", `{"errorCode":"E0000070","errorSumm`), is(okta.ErrMalformed), false},
		{"5 MB", oktatest.HugeBody(5 << 20), is(okta.ErrMalformed), false},
		{"endless body", oktatest.EndlessBody(), is(okta.ErrMalformed), false},
		{"hanging body", oktatest.HangBody(), is(okta.ErrTimeout), true},
		{"hanging before headers", oktatest.Hang(), is(okta.ErrTimeout), true},
		{"403", oktatest.Status(403, "E0000006", "You do not have permission"), said(403, okta.CodeAccessDenied, "You do not have permission", 0), false},
		{"404", oktatest.Status(404, "E0000007", "Not found"), said(404, okta.CodeNotFound, "Not found", 0), false},
		{"401", oktatest.Status(401, "E0000011", "The token is not good"), said(401, "E0000011", "The token is not good", 0), false},
		{"500", oktatest.Status(500, "E0000009", "Internal Server Error"), said(500, "E0000009", "Internal Server Error", 0), false},
		{"503", oktatest.Status(503, "E0000010", "Service is in read only mode"), said(503, "E0000010", "Service is in read only mode", 0), false},
		{"202 that is an error", oktatest.Accepted202(), said(202, "E0000070", "Nobody has answered yet", 0), false},
		{"429", oktatest.RateLimited(0, 30*time.Second), said(429, "E0000047", tooMany, 30*time.Second), false},
		{"429 without headers", oktatest.RateLimitedBare(), said(429, "E0000047", tooMany, 0), false},
		{"429 for concurrency", oktatest.RateLimitedConcurrency(), said(429, "E0000047", tooMany, time.Minute), false},
	}
	protocols(t, func(t *testing.T, options oktatest.Options, _ string) {
		options.PageSize = 1
		for i := range everyCall {
			srv, mia := newOrg(t, options)
			mia.SetGroups("Everyone", "Scientists")
			call := calls(t, srv, mia)[i]
			t.Run(call.name, func(t *testing.T) {
				t.Parallel()
				for _, f := range faults {
					t.Run(f.name, func(t *testing.T) {
						var err error
						var sent []oktatest.Request
						for timeout := 100 * time.Millisecond; len(sent) <= call.pass && timeout < 10*patience; timeout *= 2 {
							c := newClient(t, srv, func(cfg *okta.Config) {
								if cfg.Timeout = patience; f.hasty {
									cfg.Timeout = timeout // again, where the machine was too slow for what comes before the fault
								}
								cfg.UserAgent = f.name + " " + timeout.String()
							})
							// The request goes out on a connection that has been used: only
							// there net/http would repeat it.
							if _, err = c.Authenticate(t.Context(), login, password); err != nil {
								continue
							}
							srv.Reset()
							srv.Fail(call.endpoint, f.fault.After(call.pass))
							err = call.do(t.Context(), c)
							sent = slices.DeleteFunc(srv.Requests(), func(r oktatest.Request) bool {
								return !strings.Contains(r.UserAgent(), f.name+" "+timeout.String()) // one of an earlier time, which was late
							})
							srv.ClearFaults()
						}

						if assert.Error(t, err) {
							f.want(t, err)
							for _, secret := range []string{password, passCode, stateToken, srv.Token} {
								assert.NotContains(t, err.Error(), secret)
							}
							assert.NotContains(t, err.Error(), "<html", "bodies are not quoted")
						}
						require.Len(t, sent, call.pass+1)
						assert.Equal(t, call.method, sent[call.pass].Method)
						assert.Equal(t, call.path, sent[call.pass].Path)
					})
				}
			})
		}
	})
	t.Cleanup(func() { assert.Zero(t, leaked.Load(), "requests that followed a redirect") })
}

// TestNotATransaction: bodies that are JSON, or empty, but no transaction.
func TestNotATransaction(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	for _, body := range []string{
		``, ` `, `[]`, `"SUCCESS"`, `42`, `true`, `{"status":7}`, `{"status":["SUCCESS"]}`, `{"status":"SUCCESS","_embedded":[]}`,
		`{"status":"SUCCESS","expiresAt":"tomorrow"}`, `{"status":"SUCCESS"}garbage`, `{"status":"SUCCESS"} {"status":"SUCCESS"}`,
		`{"status":"SUCCESS","_embedded":{"user":{"id":{}}}}`, `{"errorCode":{},"status":"SUCCESS"}`,
		`{}`, `null`, `{"Status":null}`, `{"status":""}`, strings.Repeat(`{"a":`, 20000),
	} {
		srv.Fail("authn", oktatest.Body(200, "application/json", body).Times(1))
		tx, err := c.Authenticate(t.Context(), login, password)
		assert.ErrorIs(t, err, okta.ErrMalformed, "%.80s", body)
		assert.Zero(t, tx, "%.80s", body)
	}
}

// TestUnreachable: nothing is sent to a server that is not known.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	strange := newClient(t, srv, func(cfg *okta.Config) { cfg.RootCAs = x509.NewCertPool() })
	gone := newClient(t, srv)
	all := calls(t, srv, mia)
	srv.Reset()
	for _, call := range all {
		is(okta.ErrUnreachable)(t, call.do(t.Context(), strange))
	}
	assert.Empty(t, srv.Requests())
	srv.Close()
	for _, call := range all {
		is(okta.ErrUnreachable)(t, call.do(t.Context(), gone))
	}
}

// TestGzipBomb: the limit is on what comes out of an answer, not on what goes in.
func TestGzipBomb(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, _ = w.Write([]byte(`{"padding":"`))
	_, _ = w.Write(bytes.Repeat([]byte("x"), 3<<20))
	_, _ = w.Write([]byte(`"}`))
	require.NoError(t, w.Close())
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}))
	t.Cleanup(srv.Close)
	both(t, clientOf(t, srv), is(okta.ErrMalformed))
}

func TestHugeHeader(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Padding", strings.Repeat("x", 256<<10))
	}))
	t.Cleanup(srv.Close)
	both(t, clientOf(t, srv), is(okta.ErrUnreachable))
}

// TestSwitchingProtocols: what follows a 101 has no end that a context sets.
func TestSwitchingProtocols(t *testing.T) {
	t.Parallel()
	leave := make(chan struct{})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		<-leave
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(leave) })
	both(t, clientOf(t, srv), is(okta.ErrMalformed))
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  okta.Error
		want string
	}{
		{okta.Error{HTTPStatus: 502}, "okta: HTTP 502"},
		{okta.Error{HTTPStatus: 401, Code: "E0000004", Summary: "Sign-in refused", ID: "oae1"},
			"okta: HTTP 401 E0000004 (error id oae1)"},
	} {
		assert.Equal(t, tc.want, tc.err.Error())
		assert.Equal(t, tc.want, fmt.Sprint(&tc.err))
	}
}
