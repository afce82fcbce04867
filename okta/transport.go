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

// maxBody bounds an answer, in bytes. A page of 200 groups, the largest thing
// asked for, stays under 0.5 MiB.
const maxBody = 2 << 20

var (
	// ErrTimeout says that Okta, or the network to it, was too slow: the request
	// may or may not have been acted upon.
	ErrTimeout = errors.New("okta did not answer in time")

	// ErrBusy says that too many other requests of this client were on their way to
	// Okta, so that this one was not sent.
	ErrBusy = errors.New("too many requests to okta are on their way")

	// ErrUnreachable says that no answer came: a name that does not resolve, a
	// refused or closed connection, a certificate that does not verify.
	ErrUnreachable = errors.New("okta could not be reached")

	// ErrMalformed says that an answer came which makes no sense: a redirect, a
	// web page, broken JSON, too many bytes, or without what a login depends on.
	ErrMalformed = errors.New("okta's answer makes no sense")
)

// transport is the one way out of this package. It reads each answer whole before
// it hands it on, so that time, size and meaning are checked in one place. It takes
// the part of http.Client, which would follow redirects and quote URLs in errors.
type transport struct {
	base    wire
	org     *url.URL
	timeout time.Duration
	now     func() time.Time
	limits  rateLimits
	queue   queue
}

// wire is what is used of an http.Transport.
type wire interface {
	http.RoundTripper
	CloseIdleConnections()
}

func newTransport(org *url.URL, cfg Config) *transport {
	dialer := &net.Dialer{Timeout: cfg.Timeout, KeepAlive: 30 * time.Second}
	return &transport{
		org:     org,
		timeout: cfg.Timeout,
		now:     cfg.Now,
		queue:   newQueue(min(cfg.Timeout, maxQueue)),
		base: &http.Transport{
			Proxy:                  quietly(http.ProxyFromEnvironment),
			OnProxyConnectResponse: proxyAnswered,
			DialContext:            dialer.DialContext,
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs,
				ClientSessionCache: tls.NewLRUClientSessionCache(8), // one host; a new connection costs less
			},
			TLSHandshakeTimeout: cfg.Timeout,
			ForceAttemptHTTP2:   true,
			HTTP2:               &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 5 * time.Second},
			MaxIdleConns:        0, // there is one host only
			MaxIdleConnsPerHost: maxRequests,
			// Dials go on for a while after their requests were cancelled, and are
			// bounded with the connections.
			MaxConnsPerHost:        maxRequests,
			IdleConnTimeout:        5 * time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// networkError is a text of this package's own that tells what is wrong with the
// network.
type networkError string

func (e networkError) Error() string { return string(e) }

// quietly finds a proxy with find, and does not say what is wrong with its URL:
// net/http quotes all of it, a password included.
func quietly(find func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		proxy, err := find(req)
		if err != nil {
			return nil, networkError("the proxy that the environment names (HTTPS_PROXY) is not a valid URL")
		}
		return proxy, nil
	}
}

// proxyAnswered refuses what net/http would refuse by quoting the proxy.
func proxyAnswered(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return networkError(fmt.Sprintf("the proxy answered HTTP %d", resp.StatusCode))
	}
	return nil
}

// send sends req and returns a complete 2xx answer of the org with its body, or an
// error that wraps *Error, ErrBusy, ErrTimeout, ErrUnreachable, ErrMalformed or
// context.Canceled. The time limit begins when there is room for the request.
func (t *transport) send(req *http.Request) (*http.Response, []byte, error) {
	if req.URL.Scheme != t.org.Scheme || req.URL.Host != t.org.Host {
		return nil, nil, fmt.Errorf("%w: it leads to the host %q", ErrMalformed, req.URL.Host)
	}
	leave, err := t.queue.enter(req.Context(), req.URL.Path == authnPath)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(req.Context(), t.timeout)
	defer cancel()
	req = req.Clone(deliverOnce(ctx))

	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, nil, failure(req, err)
	}
	defer resp.Body.Close()
	t.limits.note(req.URL.EscapedPath(), resp.Header, t.now())
	if resp.StatusCode < 200 {
		// What follows a 101 is not an answer, and its reading heeds no context.
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
	if err := parseError(resp, body); err != nil {
		return nil, nil, err
	}
	if len(body) > 0 && mediaType(resp) != jsonType {
		return nil, nil, malformed("not JSON", resp)
	}
	return resp, body, nil
}

// errRepeated ends a request that net/http is about to send again.
var errRepeated = errors.New("a request would be sent again")

// deliverOnce returns a context under which net/http sends a request once. By
// itself it repeats a GET whose connection closes, and any request whose HTTP/2
// stream the server resets with PROTOCOL_ERROR, the latter without pause or end.
// Repetitions that HTTP/2 calls safe (after GOAWAY or REFUSED_STREAM) are refused
// with the others: that they are safe is the server's word only.
func deliverOnce(ctx context.Context) context.Context {
	ctx, giveUp := context.WithCancelCause(ctx)
	var sent atomic.Bool
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { sent.Store(true) },
		GotConn: func(got httptrace.GotConnInfo) {
			if !sent.Load() {
				return
			}
			giveUp(errRepeated)
			// HTTP/2 looks at the context before it writes. HTTP/1.1 does not, but
			// there the connection is this request's alone.
			if c, ok := got.Conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol != "h2" {
				_ = c.Close()
			}
		},
	})
}

// readAll reads an answer's body, and no more than maxBody and one byte of it.
func readAll(resp *http.Response) ([]byte, error) {
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= maxBody {
		b.Grow(int(n) + bytes.MinRead) // which saves copying it from one to the next
	}
	_, err := b.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	return b.Bytes(), err
}

// failure sorts an error of the network, and keeps nothing of it but what reason
// says.
func failure(req *http.Request, err error) error {
	closed := fmt.Errorf("%w: the connection was closed before the answer was complete", ErrUnreachable)
	if errors.Is(context.Cause(req.Context()), errRepeated) {
		return closed
	}
	netErr, isNet := errors.AsType[net.Error](err)
	switch done := req.Context().Err(); {
	case done != nil:
		return contextError(done)
	case isNet && netErr.Timeout():
		return ErrTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return closed
	}
	return fmt.Errorf("%w: %s", ErrUnreachable, reason(err))
}

// reason tells an administrator what is wrong with the network. The errors whose
// text it repeats name addresses and certificates; others may quote what the server
// sent, and only their type is told.
func reason(err error) string {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[networkError](err); ok {
		return e.Error()
	}
	return fmt.Sprintf("the connection failed (%T)", err)
}

// contextError is the error of a context that has ended, as all calls tell it.
func contextError(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return ErrTimeout
}

// malformed describes an answer without quoting it: a body or a Location may
// hold anything.
func malformed(what string, resp *http.Response) error {
	return fmt.Errorf("%w: %s (HTTP %d, %s, request id %q)", ErrMalformed, what,
		resp.StatusCode, mediaType(resp), requestID(resp.Header))
}

// malformedHeader is malformed for JSON that holds what it should not.
func malformedHeader(what string, header http.Header) error {
	return fmt.Errorf("%w: %s (request id %q)", ErrMalformed, what, requestID(header))
}

func requestID(header http.Header) string { return Clip(header.Get("X-Okta-Request-Id"), 64) }
