package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// maxAnswer bounds an answer of Vault; the longest is its OpenAPI document.
const maxAnswer = 32 << 20

// Request is one request to Vault's HTTP API.
type Request struct {
	Method string // GET, POST, PUT, DELETE, LIST
	Path   string // below /v1/, not escaped: "auth/okta/users/a b"
	Query  url.Values
	Token  string
	Body   any // JSON; nil is no body, a json.RawMessage goes out as it is
	Header http.Header
	From   string // the client's own address, such as 127.0.0.2; any, when empty
}

// Answer is Vault's answer, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Raw    []byte
	JSON   map[string]any // nil when the body is no JSON object
}

// Data is the answer's data object, never nil.
func (a Answer) Data() map[string]any { return a.object("data") }

// Auth is the answer's auth object, never nil.
func (a Answer) Auth() map[string]any { return a.object("auth") }

// Token is the client token of a login.
func (a Answer) Token() string {
	token, _ := a.Auth()["client_token"].(string)
	return token
}

// Errors is the text of all errors, in lines.
func (a Answer) Errors() string { return a.lines("errors") }

// Warnings is the text of all warnings, in lines.
func (a Answer) Warnings() string { return a.lines("warnings") }

// Err is nil for a 2xx answer, and otherwise says what came back.
func (a Answer) Err() error {
	if a.Status >= 200 && a.Status < 300 {
		return nil
	}
	return fmt.Errorf("HTTP status %d: %s", a.Status, a.Errors())
}

func (a Answer) object(key string) map[string]any {
	if o, ok := a.JSON[key].(map[string]any); ok {
		return o
	}
	return map[string]any{}
}

func (a Answer) lines(key string) string {
	list, _ := a.JSON[key].([]any)
	lines := make([]string, len(list))
	for i, v := range list {
		lines[i] = fmt.Sprint(v)
	}
	return strings.Join(lines, "\n")
}

// Do sends one request, once, and follows no redirect. An error means that no
// answer came: Vault's own errors are in the answer.
func (v *Vault) Do(ctx context.Context, r Request) (Answer, error) {
	var body io.Reader
	if r.Body != nil {
		b, err := json.Marshal(r.Body)
		if err != nil {
			return Answer{}, err
		}
		body = bytes.NewReader(b)
	}
	// url.URL escapes what it must; Path keeps slashes within names.
	u := v.base
	u.Path, u.RawQuery = "/v1/"+r.Path, r.Query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), body)
	if err != nil {
		return Answer{}, err
	}
	for k, values := range r.Header {
		req.Header[k] = values
	}
	if r.Token != "" {
		req.Header.Set("X-Vault-Token", r.Token)
	}
	return send(v.http.from(r.From), req)
}

func send(client *http.Client, req *http.Request) (Answer, error) {
	res, err := client.Do(req)
	if urlErr := (*url.Error)(nil); errors.As(err, &urlErr) {
		err = urlErr.Err // without the URL, which may be very long
	}
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return Answer{}, fmt.Errorf("reading the answer to %s %s: %w", req.Method, req.URL.Path, err)
	}
	a := Answer{Status: res.StatusCode, Header: res.Header, Raw: raw}
	_ = json.Unmarshal(raw, &a.JSON) // stays nil where there is none
	return a, nil
}

// must sends a request of the root token and turns a refusal into an error.
func (v *Vault) must(ctx context.Context, method, path string, body any) (Answer, error) {
	a, err := v.Do(ctx, Request{Method: method, Path: path, Token: v.RootToken, Body: body})
	if err == nil {
		err = a.Err()
	}
	if err != nil {
		return a, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return a, nil
}

// clients are HTTP clients by the address that they call from.
type clients struct {
	mu   sync.Mutex
	each map[string]*http.Client
}

// from returns the client that calls from an address of this machine.
func (c *clients) from(address string) *http.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.each[address] == nil {
		if c.each == nil {
			c.each = map[string]*http.Client{}
		}
		c.each[address] = newHTTPClient(address)
	}
	return c.each[address]
}

func (c *clients) closeIdleConnections() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, client := range c.each {
		client.CloseIdleConnections()
	}
}

func newHTTPClient(from string) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // loopback only
	transport.MaxIdleConnsPerHost = 16
	if from != "" {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		transport.DialContext = dialer.DialContext
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
