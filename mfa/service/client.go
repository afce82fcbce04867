// Package service has what the methods of foreign services share: a client for
// their requests, and errors that say what became of one.
//
//	client := service.New(roots, timeout, nil)
//	resp, body, err := client.Send(req, payload, client.Timeout, nil)
//
// It knows no service. The packages mfa/duo and mfa/pingid each do.
package service

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// defaultTimeout is the Timeout of a client where New is given none.
	defaultTimeout = okta.DefaultTimeout

	// maxBody bounds an answer, in bytes. The largest answer lists one person's devices.
	maxBody = 1 << 20
)

// Client sends requests to one method's service, over connections that logins
// share. It reads answers whole, so that time and size are checked in one place. It
// follows no redirect, and it repeats no request that may have rung a phone.
type Client struct {
	Transport *http.Transport
	Timeout   time.Duration // of a request that does not wait for the person
}

// New makes a client that trusts roots, or the system's where they are nil. A
// timeout of zero is the default, 15 s. It connects with dial, or with a net.Dialer of
// that timeout where dial is nil.
func New(roots *x509.CertPool, timeout time.Duration, dial okta.Dial) *Client {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	if dial == nil {
		dial = (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext
	}
	// With HTTP/2, net/http repeats a request whose stream the server resets, even one
	// that rings a phone. With HTTP/1.1 it repeats a POST only where it has not written a
	// byte of it.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:                  okta.EnvironmentProxy,
			OnProxyConnectResponse: okta.ProxyAnswered,
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    timeout,
			Protocols:              protocols,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// Send sends payload with req, and returns the answer and its body. The request
// ends with req's own context, and after patience where that is not zero. Send
// calls sending, unless that is nil, once it has a connection, right before it
// writes the first byte.
//
// It fails with context.Canceled, mfa.ErrServiceTimeout, mfa.ErrServiceUnreachable
// or mfa.ErrServiceMalformed. mfa.NotSent is true for an error before there was a
// connection.
func (c *Client) Send(req *http.Request, payload []byte, patience time.Duration, sending func()) (*http.Response, []byte, error) {
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	if patience > 0 {
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	var once sync.Once
	var connected bool
	req = req.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// net/http calls GotConn within RoundTrip, so that connected needs no lock.
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

	resp, err := c.Transport.RoundTrip(req)
	switch {
	case err != nil && !connected:
		return nil, nil, mfa.MarkNotSent(sendError(ctx, err))
	case err != nil:
		return nil, nil, sendError(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		// The body after a 101 is a connection, and reading it would ignore the context.
		return nil, nil, fmt.Errorf("%w: a switch to another protocol", mfa.ErrServiceMalformed)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, nil, sendError(ctx, err)
	case len(body) > maxBody:
		return nil, nil, fmt.Errorf("%w: more than %d MiB", mfa.ErrServiceMalformed, maxBody>>20)
	}
	return resp, body, nil
}
