package mfa

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// serviceTimeout bounds one request to a method's service, but for those that
	// wait for the person.
	serviceTimeout = okta.DefaultTimeout

	// maxServiceBody bounds an answer, in bytes. The largest thing that is asked for
	// is a list of one person's devices.
	maxServiceBody = 1 << 20

	// maxServiceText bounds a text of a service that becomes part of an error, in
	// characters.
	maxServiceText = 256
)

// service is the way out to a method's service: one host, spoken to over
// connections that logins share. Its answers are read whole, so that time and size
// are checked in one place. It follows no redirect and repeats nothing that may
// have been acted upon.
type service struct {
	base    *http.Transport
	timeout time.Duration
}

// newService trusts roots, or the system's where they are nil.
func newService(roots *x509.CertPool, timeout time.Duration) *service {
	if timeout <= 0 {
		timeout = serviceTimeout
	}
	// With HTTP/2, net/http would repeat a request whose stream the server resets,
	// also one that makes a phone ring. With HTTP/1.1 it repeats a POST only as long
	// as not a byte of it has been written.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &service{
		timeout: timeout,
		base: &http.Transport{
			Proxy:                  environmentProxy,
			DialContext:            (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    timeout,
			Protocols:              protocols,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// environmentProxy does not say what is wrong with a proxy's URL: net/http quotes
// all of it, a password included.
func environmentProxy(req *http.Request) (*url.URL, error) {
	proxy, err := http.ProxyFromEnvironment(req)
	if err != nil {
		return nil, errors.New("the proxy that the environment names (HTTPS_PROXY) is not a valid URL")
	}
	return proxy, nil
}

// send sends payload with req, and returns the answer with its body. Besides
// req's own context, patience bounds it where that is not zero. sending, unless
// nil, is called once there is a connection, right before the first byte.
//
// It fails with context.Canceled, ErrServiceTimeout, ErrServiceUnreachable or
// ErrServiceMalformed. NotSent is true for an error before there was a connection.
func (s *service) send(req *http.Request, payload []byte, patience time.Duration, sending func()) (*http.Response, []byte, error) {
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	if patience > 0 {
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	var once sync.Once
	var connected bool
	req = req.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// net/http calls it within RoundTrip: connected needs no lock.
		GotConn: func(httptrace.GotConnInfo) {
			connected = true
			if sending != nil {
				once.Do(sending)
			}
		},
	}))
	if payload != nil {
		req.ContentLength = int64(len(payload))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(payload)), nil }
		req.Body, _ = req.GetBody()
	}

	resp, err := s.base.RoundTrip(req)
	switch {
	case err != nil && !connected:
		return nil, nil, notSent(sendError(ctx, err))
	case err != nil:
		return nil, nil, sendError(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		// What follows a 101 is not an answer, and its reading heeds no context.
		return nil, nil, fmt.Errorf("%w: a switch to another protocol", ErrServiceMalformed)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxServiceBody+1))
	switch {
	case err != nil:
		return nil, nil, sendError(ctx, err)
	case len(body) > maxServiceBody:
		return nil, nil, fmt.Errorf("%w: more than %d MiB", ErrServiceMalformed, maxServiceBody>>20)
	}
	return resp, body, nil
}

// sendError sorts an error of the network. The text of err is kept (it names no
// more than addresses and certificates), its identity is not.
func sendError(ctx context.Context, err error) error {
	var netErr net.Error
	switch done := ctx.Err(); {
	case errors.Is(done, context.Canceled):
		return context.Canceled
	case done != nil, errors.As(err, &netErr) && netErr.Timeout():
		return ErrServiceTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the connection was closed before the answer was complete", ErrServiceUnreachable)
	}
	return fmt.Errorf("%w: %s", ErrServiceUnreachable, clipText(err.Error()))
}

// refusal is an answer whose status is not 200, where its body says nothing that
// is known. A redirect is no answer of an API: something else answers in its place.
func refusal(resp *http.Response) error {
	if resp.StatusCode < 400 {
		return fmt.Errorf("%w: HTTP status %d", ErrServiceMalformed, resp.StatusCode)
	}
	return &ServiceError{Status: resp.StatusCode, Message: http.StatusText(resp.StatusCode)}
}

// notDone reports whether an answer with that HTTP status says that nothing was
// done. A proxy may say 408, after it has passed the request on.
func notDone(status int) bool {
	return status < http.StatusInternalServerError && status != http.StatusRequestTimeout
}

// clipText makes a text of a service fit for an error.
func clipText(s string) string { return okta.Clip(s, maxServiceText) }

// bound ends ctx where the wait for a push ends.
func (x Exchange) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, x.Until.Sub(x.Clock.Now()))
}

// pushError is why a push failed whose context was bound: where the time was up,
// that is what err was about.
func pushError(bound context.Context, err error) error {
	late := errors.Is(err, ErrServiceTimeout) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case !late || !errors.Is(bound.Err(), context.DeadlineExceeded):
		return err
	case NotSent(err):
		return notSent(ErrPushTimeout)
	}
	return ErrPushTimeout
}
