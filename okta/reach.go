package okta

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// Reach is how far one request for the public metadata of an org has come, and what it
// has met on the way. Fields about a step that it has not come to are zero.
type Reach struct {
	Proxy       string            // host and port of the proxy that the environment names; "" where there is none
	Addresses   []string          // of the org's name, or of the proxy's; none where that is an address itself
	Address     string            // and port, to which a TCP connection came about
	TLS         string            // version of the TLS connection: "TLS 1.3"
	Certificate *x509.Certificate // of the org, also one that is not trusted
	Latency     time.Duration     // from the request, on an open connection, to the first byte of the answer
	Org         Organization
	Err         error // why the request has failed, as of each call; nil where Org is valid
}

// Reach sends one request for the public metadata of the org, on a connection of its own
// if the client is new. It proves nothing to the org.
func (c *Client) Reach(ctx context.Context) Reach {
	var w witness
	if req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.orgURL, http.NoBody); err == nil {
		if proxy, err := EnvironmentProxy(req); err == nil && proxy != nil {
			w.r.Proxy = proxy.Host
		}
	}
	org, err := c.organization(httptrace.WithClientTrace(ctx, w.trace()))
	w.mu.Lock() // a dial may go on after its request has ended
	defer w.mu.Unlock()
	r := w.r
	r.Org, r.Err = org, err
	return r
}

// witness fills in a Reach while its request is on the way.
type witness struct {
	mu   sync.Mutex
	r    Reach
	sent time.Time
}

func (w *witness) trace() *httptrace.ClientTrace {
	note := func(f func()) {
		w.mu.Lock()
		defer w.mu.Unlock()
		f()
	}
	return &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			note(func() {
				for _, address := range info.Addrs {
					w.r.Addresses = append(w.r.Addresses, address.IP.String())
				}
			})
		},
		ConnectDone: func(_, address string, err error) {
			if err == nil {
				note(func() { w.r.Address = address })
			}
		},
		GotConn: func(info httptrace.GotConnInfo) { // for dials that are not of package net
			note(func() { w.r.Address = cmp.Or(w.r.Address, info.Conn.RemoteAddr().String()) })
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			shown := state.PeerCertificates
			if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
				shown = refused.UnverifiedCertificates
			}
			note(func() {
				if err == nil {
					w.r.TLS = tls.VersionName(state.Version)
				}
				if len(shown) > 0 {
					w.r.Certificate = shown[0]
				}
			})
		},
		// The real time, and not Config.Now, which a test may stop.
		WroteRequest: func(httptrace.WroteRequestInfo) { note(func() { w.sent = time.Now() }) },
		GotFirstResponseByte: func() {
			note(func() {
				if !w.sent.IsZero() { // an answer may come before all of the request is sent
					w.r.Latency = time.Since(w.sent)
				}
			})
		},
	}
}

// Answer is what the head of an answer says.
type Answer struct {
	Endpoint Endpoint
	Status   int       // of HTTP
	Date     time.Time // by the org's clock, to the second; zero where the answer has none
	Received time.Time // by Config.Now
	Limit    RateLimit // zero where the answer does not tell
}

// headOf reads the head of an answer that has come at now.
func headOf(path string, resp *http.Response, now time.Time) Answer {
	a := Answer{Endpoint: endpointOf(path), Status: resp.StatusCode, Received: now}
	a.Date, _ = http.ParseTime(resp.Header.Get("Date"))
	a.Limit, _ = limitIn(resp.Header, now)
	return a
}
