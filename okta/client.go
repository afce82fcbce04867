package okta

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// DefaultTimeout bounds one request unless Config says otherwise. The time includes
// the connection and ends with the last byte of the answer.
const DefaultTimeout = 15 * time.Second

// Config is what a Client needs to know. It does not change during the client's life.
type Config struct {
	// OrgURL is the org's own URL, "https://acme.okta.com". [ParseOrgURL] says which
	// URLs New accepts.
	OrgURL string

	// APIToken is an Okta API token (SSWS). Without it the Authentication API is
	// called as a public application, and the calls of the users and the factors API
	// fail with ErrNoAPIToken.
	APIToken Secret

	// PublicApp has the Authentication API called as a public application although there
	// is an API token. Okta then ignores the Device of a login, and may limit such
	// requests more strictly.
	// https://developer.okta.com/docs/reference/api/authn/#public-application
	PublicApp bool

	// ServiceApp makes the calls of the users and the factors API in place of the API
	// token; nil means that the token does.
	ServiceApp *ServiceApp

	// UserAgent names the program to Okta as a product token, "program/v1.2.3". Okta
	// shows it in its system log.
	UserAgent string

	// Timeout bounds one request, from the moment at which it is sent; zero means
	// DefaultTimeout.
	Timeout time.Duration

	// Now tells this machine's time; nil means time.Now.
	Now func() time.Time

	// RootCAs verifies the org's certificate; nil means the system's roots.
	RootCAs *x509.CertPool

	// Dial connects to the org or to the proxy; nil means a net.Dialer of Timeout.
	Dial Dial

	// Observe, unless it is nil, gets each request that has ended, also one that the
	// client held back, with the context of the call that made it. It must return at
	// once. Many goroutines call it at the same time.
	Observe func(context.Context, Call)

	// Saw, unless it is nil, gets the head of each answer, before its call returns.
	Saw func(Answer)
}

// Dial connects to an address, as the method DialContext of a net.Dialer does.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// Client calls one Okta org. It is safe for concurrent use and meant to be kept:
// its connections are reused from one login to the next.
type Client struct {
	orgURL    string
	token     ssws   // the API token, if there is one
	authn     ssws   // of the Authentication API
	manager   prover // of management calls; nil: they fail with ErrNoAPIToken
	userAgent string
	transport *transport
	org       *identity
	caller    Caller
	device    Device
}

// ErrNoAPIToken means that a call needs an API token or a service app, and the client was
// configured with neither.
var ErrNoAPIToken = errors.New("no Okta API token is configured")

// New returns a client for the org of cfg. It opens no connection.
func New(cfg Config) (*Client, error) {
	org, err := ParseOrgURL(cfg.OrgURL)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	manager, err := managerOf(cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{
		orgURL: org.String(), token: ssws{cfg.APIToken}, manager: manager, userAgent: cfg.UserAgent,
		transport: newTransport(org, cfg), org: new(identity),
	}
	if !cfg.PublicApp {
		c.authn = c.token
	}
	return c, nil
}

// For returns a client whose authentication calls are made on behalf of caller.
// It shares everything else with c.
func (c *Client) For(caller Caller) *Client {
	clone := *c
	clone.caller = caller
	return &clone
}

// OrgURL is the URL of the client's org in the one form that ParseOrgURL gives it.
func (c *Client) OrgURL() string { return c.orgURL }

// CloseIdleConnections closes the connections that no request is using. Call it
// when the client is replaced.
func (c *Client) CloseIdleConnections() { c.transport.closeIdleConnections() }

// Close closes all connections, those in use among them, and has all calls fail from
// now on.
func (c *Client) Close() {
	c.transport.open.close()
	c.CloseIdleConnections()
}

// post sends in as JSON to path and decodes the answer into out; see do.
func (c *Client) post(ctx context.Context, path string, in, out any) (http.Header, error) {
	return c.do(ctx, http.MethodPost, path, in, out)
}

// do sends one request on behalf of the caller: in as JSON, or no body where in is
// nil. It decodes the answer into out unless that is nil, and returns the answer's
// header. No error of it quotes the path or the query, which may hold names.
func (c *Client) do(ctx context.Context, method, path string, in, out any) (http.Header, error) {
	var body []byte
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = raw
	}
	resp, answer, err := c.sendProven(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if out == nil {
		if len(answer) == 0 {
			return resp.Header, nil
		}
		out = new(json.RawMessage) // nobody reads it, but it has to be whole
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return nil, malformed("not the JSON that was asked for", resp)
	}
	return resp.Header, nil
}

// sendProven sends a request with a proof, and once more where Okta has refused the proof
// and another one may help.
func (c *Client) sendProven(ctx context.Context, method, path string, body []byte) (*http.Response, []byte, error) {
	for again := false; ; again = true {
		req, err := c.request(ctx, method, path, body)
		if err != nil {
			return nil, nil, err
		}
		by := c.proverOf(req.URL.Path)
		if by == nil {
			return nil, nil, ErrNoAPIToken
		}
		if err := by.prove(ctx, c, req); err != nil {
			return nil, nil, err
		}
		resp, answer, err := c.transport.send(req)
		if err == nil || again || !by.renew(req, err) {
			return resp, answer, err
		}
	}
}

// request makes a request on behalf of the caller, without a proof.
func (c *Client) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	var reader io.Reader = http.NoBody
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.orgURL+path, reader)
	if err != nil { // whose text is the URL
		return nil, fmt.Errorf("%w: no request can have this path", ErrMalformed)
	}
	req.Header.Set("Accept", "application/json")
	if method == http.MethodPost { // one without a body, too
		req.Header.Set("Content-Type", "application/json")
	}
	c.caller.describe(req.Header, c.userAgent)
	return req, nil
}

// localTime translates a time at which something of Okta's expires to this machine's
// clock. The two clocks may differ by more than a transaction's life. It returns the zero
// time, as where Okta names no expiry, for one that is past on arrival: then a proxy has
// changed or removed the Date, or a clock is wrong, because Okta answers about nothing
// that has expired.
func (c *Client) localTime(t time.Time, answer http.Header) time.Time {
	now := c.transport.now()
	date, err := http.ParseTime(answer.Get("Date"))
	if err != nil {
		date = now
	}
	if !t.After(date) {
		return time.Time{}
	}
	return now.Add(t.Sub(date))
}
