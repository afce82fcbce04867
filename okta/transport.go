package okta

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// maxBody bounds an answer, in bytes. The largest answers are pages of 200 groups,
// which stay under 0.5 MiB.
const maxBody = 2 << 20

var (
	// ErrTimeout means that Okta, or the network to it, was too slow. Okta may have
	// acted upon the request.
	ErrTimeout = errors.New("okta did not answer in time")

	// ErrBusy means that too many other requests of the client were on their way to
	// Okta, or about to get a connection to it, so that this one was not sent.
	ErrBusy = errors.New("too many requests to okta are on their way")

	// ErrUnreachable means that no answer came: the name does not resolve, the
	// connection was refused or closed, the certificate does not verify. The error is an
	// *UnreachableError, which says which.
	ErrUnreachable = errors.New("okta could not be reached")

	// ErrMalformed means that the answer makes no sense: it is a redirect, a web page,
	// broken JSON or too long, or lacks what a login depends on.
	ErrMalformed = errors.New("okta's answer makes no sense")
)

// transport is the one way out of this package. It reads each answer to its end before
// it returns it, so that time, size and meaning are checked in one place. It is used
// without http.Client, which would follow redirects and quote URLs in its errors.
type transport struct {
	base    wire
	apart   wire // for shareUnproven, whose connections are no others'
	org     *url.URL
	timeout time.Duration
	now     func() time.Time
	observe func(context.Context, Call)
	saw     func(Answer)
	limits  rateLimits
	queue   queue
	open    *openConnections
	breaker breaker
}

// wire is the part of http.Transport that transport uses.
type wire interface {
	http.RoundTripper
	CloseIdleConnections()
}

func newTransport(org *url.URL, cfg Config) *transport {
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: cfg.Timeout, KeepAlive: 30 * time.Second}).DialContext
	}
	open := newOpenConnections(dial)
	// A connection that resumes a session costs less, and there is one host only.
	sessions := tls.NewLRUClientSessionCache(8)
	return &transport{
		open:    open,
		org:     org,
		timeout: cfg.Timeout,
		now:     cfg.Now,
		observe: cfg.Observe,
		saw:     cfg.Saw,
		queue:   newQueue(min(cfg.Timeout, maxQueue)),
		base:    connections(cfg, open, sessions, maxRequests),
		apart:   connections(cfg, open, sessions, MaxUnproven),
	}
}

// connections makes at most so many connections at once, dials included: a dial
// continues after its request was cancelled.
func connections(cfg Config, open *openConnections, sessions tls.ClientSessionCache, most int) *http.Transport {
	return &http.Transport{
		Proxy:                  EnvironmentProxy,
		OnProxyConnectResponse: ProxyAnswered,
		DialContext:            open.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs, ClientSessionCache: sessions},
		TLSHandshakeTimeout:    cfg.Timeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 5 * time.Second},
		MaxIdleConns:           0, // no limit but that of the one host
		MaxIdleConnsPerHost:    most,
		MaxConnsPerHost:        most,
		IdleConnTimeout:        5 * time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// wireOf returns the connections for a share.
func (t *transport) wireOf(s share) wire {
	if s == shareUnproven {
		return t.apart
	}
	return t.base
}

func (t *transport) closeIdleConnections() {
	t.base.CloseIdleConnections()
	t.apart.CloseIdleConnections()
}

// networkError is an error of the network whose text is this package's own.
type networkError string

func (e networkError) Error() string { return string(e) }

// EnvironmentProxy returns the proxy that the environment names for a request, or nil.
// Its error quotes nothing of the proxy's URL, which may have a password.
func EnvironmentProxy(req *http.Request) (*url.URL, error) {
	return quietly(http.ProxyFromEnvironment)(req)
}

// quietly finds a proxy with find. Its error does not say what is wrong with the URL of
// the proxy: net/http quotes all of it, a password included.
func quietly(find func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		proxy, err := find(req)
		if err != nil {
			return nil, networkError("the proxy that the environment names (HTTPS_PROXY) is not a valid URL")
		}
		return proxy, nil
	}
}

// ProxyAnswered is a http.Transport's OnProxyConnectResponse that tells the status of a proxy that refuses to connect. Without it,
// net/http tells the text that the proxy sent.
func ProxyAnswered(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return networkError(fmt.Sprintf("the proxy answered HTTP %d", resp.StatusCode))
	}
	return nil
}

// send sends req and returns a complete 2xx answer of the org with its body, or an
// error that wraps *Error, *DownError, ErrBusy, ErrTimeout, ErrUnreachable, ErrMalformed or
// context.Canceled. The time limit begins once the queue has room for the request.
func (t *transport) send(req *http.Request) (*http.Response, []byte, error) {
	if req.URL.Scheme != t.org.Scheme || req.URL.Host != t.org.Host {
		return nil, nil, fmt.Errorf("%w: it leads to the host %q", ErrMalformed, req.URL.Host)
	}
	call := Call{Endpoint: endpointOf(req.URL.EscapedPath())}
	resp, body, err := t.exchange(req, &call)
	if t.observe != nil {
		call.Result = resultOf(err)
		t.observe(req.Context(), call)
	}
	return resp, body, err
}

// exchange is send for a request to the org. It notes in call how long the exchange took.
func (t *transport) exchange(req *http.Request, call *Call) (_ *http.Response, _ []byte, err error) {
	caller := req.Context()
	part := shareOf(caller)
	tell, err := t.breaker.enter(t.now(), part, withdraws(req))
	if err != nil {
		return nil, nil, &unsentError{err}
	}
	defer func() { tell(outcomeOf(caller, part, err), t.now()) }()
	leave, err := t.queue.enter(caller, part)
	if err != nil {
		return nil, nil, &unsentError{err}
	}
	defer leave()
	ctx, cancel := context.WithTimeout(caller, t.timeout)
	defer cancel()
	ctx, sent := deliverOnce(ctx)
	req = req.Clone(ctx)
	defer func(began time.Time) { call.Duration = t.now().Sub(began) }(t.now())

	resp, err := t.wireOf(part).RoundTrip(req)
	if err != nil {
		err = failure(req, err)
		switch {
		case sent.waited() && errors.Is(err, ErrTimeout):
			err = &unsentError{ErrBusy}
		case !sent.written.Load():
			err = &unsentError{err}
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	echoed := sentIn(req)
	hideHeaders(resp, echoed)
	t.limits.note(req.URL.EscapedPath(), resp.Header, t.now())
	if t.saw != nil {
		t.saw(headOf(req.URL.EscapedPath(), resp, t.now()))
	}
	if resp.StatusCode < 200 {
		// What follows a 101 is no answer, and net/http reads it without a time limit.
		return nil, nil, malformed("a switch to another protocol", resp)
	}
	body, err := readAll(resp)
	switch {
	case err != nil:
		return nil, nil, failure(req, err)
	case len(body) > maxBody:
		return nil, nil, malformed(fmt.Sprintf("more than %d MiB", maxBody>>20), resp)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, nil, malformed("a redirect, which is not followed", resp)
	}
	if err := parseError(resp, body, echoed...); err != nil {
		if said, ok := errors.AsType[*Error](err); ok {
			said.Endpoint = call.Endpoint
		}
		return nil, nil, err
	}
	if len(body) > 0 && mediaType(resp) != jsonType {
		return nil, nil, malformed("not JSON", resp)
	}
	if repeats(body, proofsOf(req.Header)) {
		return nil, nil, malformed("it repeats the proof of the request", resp)
	}
	return resp, body, nil
}

// unsentError marks an error of a request of which not a byte was written.
type unsentError struct{ error }

func (e *unsentError) Unwrap() error { return e.error }

// Unsent reports whether Okta certainly knows nothing of the request that failed: no
// connection came about, or there was no room for it.
func Unsent(err error) bool {
	_, unsent := errors.AsType[*unsentError](err)
	return unsent
}

// errRepeated is the cause that ends a request which net/http is about to repeat.
var errRepeated = errors.New("a request would be sent again")

// delivery is how far a request has come.
type delivery struct {
	asked     atomic.Bool // for a connection
	dialed    atomic.Bool // a connection for it was begun, the lookup of the name included
	connected atomic.Bool
	written   atomic.Bool // in part at least
}

// waited reports whether the request got neither a connection nor a dial of its own: all
// connections were taken by others.
func (d *delivery) waited() bool {
	return d.asked.Load() && !d.dialed.Load() && !d.connected.Load()
}

// deliverOnce returns a context under which net/http sends a request once. By itself,
// net/http repeats a GET whose connection closes. It also repeats any request whose
// HTTP/2 stream the server resets with PROTOCOL_ERROR, without pause or end. HTTP/2
// calls it safe to repeat a request after GOAWAY or REFUSED_STREAM. These requests are
// not repeated either, because only the server says that it did not act upon them.
// sent tells how far the request has come.
func deliverOnce(ctx context.Context) (_ context.Context, sent *delivery) {
	ctx, giveUp := context.WithCancelCause(ctx)
	sent = new(delivery)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { sent.asked.Store(true) },
		DNSStart:     func(httptrace.DNSStartInfo) { sent.dialed.Store(true) },
		ConnectStart: func(string, string) { sent.dialed.Store(true) },
		// A dialer that is not net.Dialer does not tell of the two before.
		TLSHandshakeStart: func() { sent.dialed.Store(true) },
		WroteHeaders:      func() { sent.written.Store(true) },
		GotConn: func(got httptrace.GotConnInfo) {
			sent.connected.Store(true)
			if !sent.written.Load() {
				return
			}
			giveUp(errRepeated)
			// HTTP/2 looks at the context before it writes. HTTP/1.1 does not, but there
			// no other request uses the connection.
			if c, ok := got.Conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol != "h2" {
				_ = c.Close()
			}
		},
	})
	return ctx, sent
}

// readAll reads an answer's body, and stops one byte after maxBody.
func readAll(resp *http.Response) ([]byte, error) {
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= maxBody {
		b.Grow(int(n) + bytes.MinRead) // ReadFrom then copies nothing
	}
	_, err := b.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	return b.Bytes(), err
}

// failure translates an error of the network to one of this package's own.
func failure(req *http.Request, err error) error {
	if errors.Is(context.Cause(req.Context()), errRepeated) {
		return unreachable(io.EOF)
	}
	netErr, isNet := errors.AsType[net.Error](err)
	switch done := req.Context().Err(); {
	case done != nil:
		return contextError(done)
	case isNet && netErr.Timeout():
		return ErrTimeout
	}
	return unreachable(err)
}

// contextError translates the error of a context that has ended.
func contextError(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return ErrTimeout
}

// malformed describes an answer without quoting its body or its Location, which may
// hold anything.
func malformed(what string, resp *http.Response) error {
	return fmt.Errorf("%w: %s (HTTP %d, %s, request id %q)", ErrMalformed, what,
		resp.StatusCode, mediaType(resp), requestID(resp.Header))
}

// malformedHeader is malformed for an answer whose header is all that is left.
func malformedHeader(what string, header http.Header) error {
	return fmt.Errorf("%w: %s (request id %q)", ErrMalformed, what, requestID(header))
}

const requestIDHeader = "X-Okta-Request-Id"

func requestID(header http.Header) string { return Clip(header.Get(requestIDHeader), 64) }
