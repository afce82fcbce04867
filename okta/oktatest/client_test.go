package oktatest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const login, password = "mia.ito@acme.test", "correct-horse"

// noon is where the tests' clocks start.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// client talks to a server as plainly as possible.
type client struct {
	t    *testing.T
	srv  *oktatest.Server
	http *http.Client
}

// reply is an answer: its status, its JSON document if it is an object, and
// its raw body.
type reply struct {
	status int
	header http.Header
	proto  string
	doc    map[string]any
	raw    []byte
}

func newClient(t *testing.T, options ...oktatest.Options) (*client, *oktatest.Server) {
	t.Helper()
	srv := oktatest.NewServer(t, options...)
	return &client{t: t, srv: srv, http: srv.Client()}, srv
}

// newClock returns a server's clock that starts at noon.
func newClock() (*oktatest.Clock, oktatest.Options) {
	clock := oktatest.NewClock(noon)
	return clock, oktatest.Options{Now: clock.Now}
}

func (c *client) request(method, path string, body any) *http.Request {
	c.t.Helper()
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	if !strings.HasPrefix(path, "https:") {
		path = c.srv.URL + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

func (c *client) do(req *http.Request) reply {
	c.t.Helper()
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header, proto: resp.Proto}
	if r.raw, err = io.ReadAll(resp.Body); err != nil {
		c.t.Fatal(err)
	}
	_ = json.Unmarshal(r.raw, &r.doc)
	return r
}

func (c *client) post(path string, body any) reply {
	c.t.Helper()
	return c.do(c.request(http.MethodPost, path, body))
}

// get asks with the API token.
func (c *client) get(path string) reply {
	c.t.Helper()
	req := c.request(http.MethodGet, path, nil)
	req.Header.Set("Authorization", "SSWS "+c.srv.Token)
	return c.do(req)
}

func (c *client) login(username, password string) reply {
	c.t.Helper()
	return c.post("/api/v1/authn", map[string]any{"username": username, "password": password})
}

// verify posts to a factor of the transaction in r; code may be empty.
func (c *client) verify(r reply, f *oktatest.Factor, code string) reply {
	c.t.Helper()
	body := map[string]any{"stateToken": r.str("stateToken")}
	if code != "" {
		body["passCode"] = code
	}
	return c.post("/api/v1/authn/factors/"+f.ID+"/verify", body)
}

func (c *client) step(r reply, name string) reply {
	c.t.Helper()
	path := "/api/v1/authn"
	if name != "" {
		path += "/" + name
	}
	return c.post(path, map[string]any{"stateToken": r.str("stateToken")})
}

// at follows keys and indexes into the document; nil when there is nothing.
func (r reply) at(path ...any) any {
	var v any = r.doc
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func (r reply) str(path ...any) string {
	s, _ := r.at(path...).(string)
	return s
}

// is checks the HTTP status and either the transaction's status with its
// factorResult ("MFA_CHALLENGE WAITING") or the error code.
func (r reply) is(t *testing.T, status int, want string) reply {
	t.Helper()
	got := strings.TrimSpace(r.str("errorCode") + r.str("status") + " " + r.str("factorResult"))
	if r.status != status || got != want {
		t.Fatalf("got %d %q, want %d %q; body: %s", r.status, got, status, want, r.raw)
	}
	return r
}
