package oktatest_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestCommonHeaders(t *testing.T) {
	t.Parallel()
	_, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	for _, r := range []reply{
		c.login(login, password), c.login(login, "wrong"), c.get("/api/v1/users/" + u.ID), c.get("/api/v1/nothing"),
	} {
		for _, name := range []string{
			"X-Okta-Request-Id", "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", "Set-Cookie",
		} {
			if r.header.Get(name) == "" {
				t.Errorf("%d answer has no %s", r.status, name)
			}
		}
		if got, want := r.header.Get("Date"), noon.Format(http.TimeFormat); got != want {
			t.Errorf("Date = %q, want %q", got, want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	raw := func(contentType, body string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), "POST", c.srv.URL+"/api/v1/authn", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		return req
	}
	c.do(raw("application/json", `{"username":`)).is(t, 400, "E0000003")
	c.do(raw("application/json", `{"stateToken":"x","passCode":123456}`)).is(t, 400, "E0000003")
	c.do(raw("application/json", `{"userName":"mia","password":"x"}`)).is(t, 400, "E0000001") // exact names only
	c.do(raw("application/json", `{"username":"mia","password":"x","audience":"y"}`)).is(t, 400, "E0000001")
	c.do(raw("text/plain", `{}`)).is(t, 415, "E0000021")
	c.do(raw("application/json; charset=utf-8", `{}`)).is(t, 400, "E0000001")
	c.post("/api/v1/authn", nil).is(t, 400, "E0000001")
	c.do(c.request("GET", "/api/v1/authn", nil)).is(t, 405, "E0000022")
	c.do(c.request("POST", "/api/v1/authn/", nil)).is(t, 404, "E0000007")
	c.do(c.request("GET", "/", nil)).is(t, 404, "E0000007")
}

// TestOrganization: who asks needs no token, and takes nothing of the limit of
// logins.
func TestOrganization(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t, oktatest.Options{RateLimit: 1})
	for range 3 {
		r := c.do(c.request("GET", "/.well-known/okta-organization", nil))
		if r.status != 200 || r.str("id") != srv.OrgID() || r.str("pipeline") != "v1" ||
			r.str("_links", "organization", "href") != srv.URL {
			t.Errorf("got %d %s", r.status, r.raw)
		}
	}
	c.login(login, "wrong").is(t, 401, "E0000004")
	if _, other := newClient(t); other.OrgID() == srv.OrgID() {
		t.Errorf("two organizations have the id %s", srv.OrgID())
	}
	if _, same := newClient(t, oktatest.Options{OrgID: srv.OrgID()}); same.OrgID() != srv.OrgID() {
		t.Errorf("id = %s, want %s", same.OrgID(), srv.OrgID())
	}
}

func TestRequestsAreRecorded(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	c.login(login, "wrong")
	c.get("/api/v1/users/" + u.ID + "/groups?limit=2")

	got := srv.Requests()
	if len(got) != 2 {
		t.Fatalf("%d requests, want 2", len(got))
	}
	if r := got[0]; r.Method != "POST" || r.Path != "/api/v1/authn" || r.Status != 401 ||
		!strings.Contains(string(r.Body), "wrong") {
		t.Errorf("first request = %+v", r)
	}
	if r := got[1]; r.RawQuery != "limit=2" || r.Header.Get("Authorization") != "SSWS "+srv.Token || r.Status != 200 {
		t.Errorf("second request = %+v", r)
	}
	if got := srv.Count("POST", "/api/v1/authn"); got != 1 {
		t.Errorf("Count = %d, want 1", got)
	}
	if got := srv.Connections(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
	srv.Reset()
	if got := len(srv.Requests()); got != 0 {
		t.Errorf("%d requests after Reset, want 0", got)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	_, srv := newClient(t)
	addr := strings.TrimPrefix(srv.URL, "https://")
	for _, name := range []string{"127.0.0.1", "::1", "localhost", "acme.okta.test", "acme.oktapreview.test"} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: srv.CertPool(), ServerName: name})
		if err != nil {
			t.Errorf("as %s: %v", name, err)
			continue
		}
		_ = conn.Close()
	}
	if _, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: srv.CertPool(), ServerName: "acme.okta.com"}); err == nil {
		t.Error("the certificate is good for acme.okta.com")
	}
	if resp, err := http.Get(srv.URL); err == nil { //nolint:noctx // fails in the handshake
		_ = resp.Body.Close()
		t.Error("a client trusts the server without its certificate")
	}
}

// TestLinksUseTheHostAsked is what a client behind a proxy sees.
func TestLinksUseTheHostAsked(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	srv.AddUser(login, password).AddPush()
	c.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(srv.URL, "https://"))
	}
	req := c.request("POST", "https://acme.okta.test/api/v1/authn",
		map[string]any{"username": login, "password": password})
	r := c.do(req).is(t, 200, "MFA_REQUIRED")
	if got, want := r.str("_links", "cancel", "href"), "https://acme.okta.test/api/v1/authn/cancel"; got != want {
		t.Errorf("cancel link = %q, want %q", got, want)
	}
}

func TestProtocols(t *testing.T) {
	t.Parallel()
	for _, http1 := range []bool{false, true} {
		c, srv := newClient(t, oktatest.Options{HTTP1Only: http1})
		want := "HTTP/2.0"
		if http1 {
			want = "HTTP/1.1"
		}
		if got := c.get("/").proto; got != want {
			t.Errorf("HTTP1Only %v: %s, want %s", http1, got, want)
		}
		if got := srv.Requests()[0].Proto; got != want {
			t.Errorf("HTTP1Only %v: recorded %s, want %s", http1, got, want)
		}
	}
}

func TestLatencyEndsWithTheClient(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	srv.AddUser(login, password)
	srv.SetLatency("authn", time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	req := c.request("POST", "/api/v1/authn", map[string]any{"username": login, "password": password}).WithContext(ctx)
	done := make(chan error)
	go func() {
		resp, err := c.http.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		done <- err
	}()
	for srv.Count("POST", "/api/v1/authn") == 0 {
		select {
		case err := <-done:
			t.Fatalf("answered at once: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("got an answer, want an error")
	}
	srv.SetLatency("authn", time.Microsecond)
	c.login(login, password).is(t, 200, "SUCCESS")
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush("WAITING", "SUCCESS")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			r := c.login(login, password)
			for _, want := range []string{"MFA_CHALLENGE WAITING", "MFA_CHALLENGE WAITING", "SUCCESS"} {
				got := c.verify(r, f, "")
				if s := strings.TrimSpace(got.str("status") + " " + got.str("factorResult")); s != want {
					t.Errorf("got %q, want %q", s, want)
				}
			}
			srv.Requests()
			srv.Secrets()
			f.Waiting()
		})
	}
	wg.Wait()
	if got := f.Pushes(); got != 16 {
		t.Errorf("%d pushes, want 16", got)
	}
}

func TestUnknownEndpointPanics(t *testing.T) {
	t.Parallel()
	_, srv := newClient(t)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	srv.Fail("login", oktatest.Hang())
}
