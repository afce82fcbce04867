package oktatest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestFaultAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		fault       oktatest.Fault
		status      int
		contentType string
		body        string // part of it
	}{
		{"html", oktatest.HTML(502), 502, "text/html; charset=utf-8", "<h1>Bad Gateway</h1>"},
		{"truncated", oktatest.TruncatedJSON(), 200, "application/json", `{"status":"SUCCESS"`},
		{"status", oktatest.Status(503, "E0000010", "read-only"), 503, "application/json", `"errorCode":"E0000010"`},
		{"202", oktatest.Accepted202(), 202, "application/json", `"errorCode":"E0000070"`},
		{"raw", oktatest.Body(200, "text/plain", "hello"), 200, "text/plain", "hello"},
		{"redirect", oktatest.Redirect(307, "https://foreign.example/"), 307, "", ""},
		{"429", oktatest.RateLimited(0, time.Minute), 429, "application/json", `"errorCode":"E0000047"`},
		{"429 bare", oktatest.RateLimitedBare(), 429, "application/json", `"errorCode":"E0000047"`},
	}
	c, srv := newClient(t)
	srv.AddUser(login, password)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			srv.ClearFaults()
			srv.Fail("authn", tc.fault)
			r := c.login(login, password)
			if r.status != tc.status || r.header.Get("Content-Type") != tc.contentType ||
				!strings.Contains(string(r.raw), tc.body) {
				t.Errorf("got %d %q %s", r.status, r.header.Get("Content-Type"), r.raw)
			}
		})
	}
	srv.ClearFaults()
	c.login(login, password).is(t, 200, "SUCCESS")
}

func TestRateLimitHeaders(t *testing.T) {
	t.Parallel()
	_, opts := newClock()
	c, srv := newClient(t, opts)
	tests := []struct {
		fault                         oktatest.Fault
		limit, remaining, reset, date string
	}{
		{oktatest.RateLimited(3, time.Minute), "600", "3", "1772452860", noon.Format(http.TimeFormat)},
		{oktatest.RateLimitedConcurrency(), "0", "0", "1772452860", noon.Format(http.TimeFormat)},
		{oktatest.RateLimitedBare(), "", "", "", ""},
	}
	for _, tc := range tests {
		srv.ClearFaults()
		srv.Fail("authn", tc.fault)
		h := c.login(login, password).is(t, 429, "E0000047").header
		for name, want := range map[string]string{
			"X-Rate-Limit-Limit": tc.limit, "X-Rate-Limit-Remaining": tc.remaining,
			"X-Rate-Limit-Reset": tc.reset, "Date": tc.date,
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
	}
}

func TestFaultsTakeTurns(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	srv.AddUser(login, password)
	srv.Fail("authn",
		oktatest.Status(500, "E0000009", "Internal Server Error").After(1).Times(2),
		oktatest.Accepted202().After(4))
	var got []int
	for range 7 {
		got = append(got, c.login(login, password).status)
	}
	for i, want := range []int{200, 500, 500, 200, 202, 202, 202} {
		if got[i] != want {
			t.Fatalf("statuses = %v", got)
		}
	}
	if got := srv.Requests()[1].Status; got != 500 {
		t.Errorf("recorded status = %d, want 500", got)
	}
	c.get("/api/v1/users/"+login).is(t, 200, "ACTIVE") // another endpoint
}

// TestMeanwhile: the organization changes between the password and what follows it.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	u.SetGroups("Everyone", "Admins")
	groups := "/api/v1/users/" + u.ID + "/groups"
	for _, status := range []string{"SUSPENDED", "DEPROVISIONED", "LOCKED_OUT"} {
		u.SetStatus("ACTIVE")
		srv.Fail("groups", oktatest.Meanwhile(func() { u.SetStatus(status) }).Times(1))
		c.login(login, password).is(t, 200, "SUCCESS")
		c.get("/api/v1/users/"+u.ID).is(t, 200, "ACTIVE")
		if got := c.get(groups).status; got != 200 {
			t.Errorf("%s: groups answer %d, want 200", status, got)
		}
		c.get("/api/v1/users/"+u.ID).is(t, 200, status)
		c.get("/api/v1/users/"+u.ID).is(t, 200, status) // it stays
	}
	srv.Fail("groups", oktatest.Meanwhile(func() { u.SetGroups("Everyone") }).After(1).Times(1))
	for i, want := range []bool{true, false, false} {
		if got := strings.Contains(string(c.get(groups).raw), "Admins"); got != want {
			t.Errorf("request %d: an administrator is %v, want %v", i+1, got, want)
		}
	}
}

// TestWithout: a field is left out of the answer, and of nothing else.
func TestWithout(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	srv.Fail("authn", oktatest.Without("_embedded.user.profile.login", "sessionToken", "no.such.field").Times(1))
	r := c.login(login, password).is(t, 200, "SUCCESS")
	if r.at("_embedded", "user", "profile", "login") != nil || r.at("sessionToken") != nil || r.str("_embedded", "user", "id") != u.ID {
		t.Errorf("got %s", r.raw)
	}
	if got := c.login(login, password).str("_embedded", "user", "profile", "login"); got != login {
		t.Errorf("login = %q afterwards, want %q", got, login)
	}
	u.SetGroups("Everyone", "Scientists")
	srv.Fail("groups", oktatest.Without("profile.name").Times(1))
	if raw := string(c.get("/api/v1/users/" + u.ID + "/groups").raw); strings.Contains(raw, `"name"`) || strings.Count(raw, `"id"`) != 2 {
		t.Errorf("groups = %s", raw)
	}
}

func TestDeliveredFaultTakesEffect(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush("WAITING", "SUCCESS")
	r := c.login(login, password)
	srv.Fail("verify", oktatest.HTML(504).Delivered().Times(1))
	if got := c.verify(r, f, "").status; got != 504 {
		t.Fatalf("status = %d, want 504", got)
	}
	if got := f.Pushes(); got != 1 {
		t.Errorf("%d pushes, want 1", got)
	}
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
}

func TestCloseConnection(t *testing.T) {
	t.Parallel()
	for _, http1 := range []bool{false, true} {
		c, srv := newClient(t, oktatest.Options{HTTP1Only: http1})
		srv.AddUser(login, password)
		srv.Fail("authn", oktatest.CloseConnection().Times(1))
		resp, err := c.http.Do(c.request("POST", "/api/v1/authn", map[string]any{"username": login, "password": password}))
		if err == nil {
			_ = resp.Body.Close()
			t.Fatalf("HTTP1Only %v: got %d, want an error", http1, resp.StatusCode)
		}
		if http1 && !errors.Is(err, io.EOF) {
			t.Errorf("HTTP/1.1: %v, want EOF", err)
		}
		t.Logf("HTTP1Only %v: %v", http1, err)
		if got := srv.Count("POST", "/api/v1/authn"); got != 1 {
			t.Errorf("HTTP1Only %v: %d requests, want 1", http1, got)
		}
		c.login(login, password).is(t, 200, "SUCCESS")
		if got := srv.Connections(); got != 2 {
			t.Errorf("HTTP1Only %v: %d connections, want 2", http1, got)
		}
	}
}

func TestHanging(t *testing.T) {
	t.Parallel()
	for _, http1 := range []bool{false, true} {
		c, srv := newClient(t, oktatest.Options{HTTP1Only: http1})
		for name, fault := range map[string]oktatest.Fault{"no answer": oktatest.Hang(), "no body": oktatest.HangBody()} {
			srv.ClearFaults()
			srv.Fail("authn", fault)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			resp, err := c.http.Do(c.request("POST", "/api/v1/authn", nil).WithContext(ctx))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("HTTP1Only %v, %s: %v, want deadline exceeded", http1, name, err)
			}
		}
	}
}

func TestBigBodies(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	const size = 3<<20 + 7
	srv.Fail("authn", oktatest.HugeBody(size).Times(1), oktatest.EndlessBody())
	if got := len(c.post("/api/v1/authn", nil).raw); got != size {
		t.Errorf("huge body has %d bytes, want %d", got, size)
	}
	resp, err := c.http.Do(c.request("POST", "/api/v1/authn", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.CopyN(io.Discard, resp.Body, 8<<20); err != nil {
		t.Errorf("endless body ended after %d bytes: %v", n, err)
	}
}
