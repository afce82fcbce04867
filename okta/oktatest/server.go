package oktatest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// TB is what NewServer needs of a *testing.T, *testing.B or *testing.F. The
// package does not import testing, so that a command can use it.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is an organization that listens on a TLS address.
type Server struct {
	*Org

	// URL is the base URL, "https://127.0.0.1:port".
	URL string
	// CertPEM is the certificate authority to trust. The server's own
	// certificate is good for 127.0.0.1, ::1, localhost, *.okta.test,
	// *.oktapreview.test and Options.Hosts.
	CertPEM []byte

	pool *x509.CertPool
	http *http.Server
	done chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]bool // connections whose handshake is done
	total int
}

// NewServer starts an organization on a free port of 127.0.0.1 and closes it
// when the test ends. Only the first of the options counts.
func NewServer(t TB, options ...Options) *Server {
	t.Helper()
	var opts Options
	if len(options) > 0 {
		opts = options[0]
	}
	srv, err := Start("127.0.0.1:0", New(opts))
	if err != nil {
		t.Fatalf("oktatest: %v", err)
	}
	t.Cleanup(srv.Close)
	return srv
}

// Start serves an organization on a TCP address until Close.
func Start(address string, org *Org) (*Server, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	opts := org.options()
	host, _, _ := net.SplitHostPort(ln.Addr().String())
	until := opts.CertUntil
	if until.IsZero() {
		until = time.Now().AddDate(1, 0, 0)
	}
	cert, ca, err := newCertificate(append([]string{host}, opts.Hosts...), until)
	if err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("making a certificate: %w", err)
	}

	s := &Server{
		Org:     org,
		URL:     "https://" + ln.Addr().String(),
		CertPEM: ca,
		pool:    x509.NewCertPool(),
		done:    make(chan struct{}),
		conns:   make(map[net.Conn]bool),
	}
	s.pool.AppendCertsFromPEM(ca)

	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(!opts.HTTP1Only)
	s.http = &http.Server{
		Handler:           org,
		Protocols:         protocols,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: time.Minute,
		ConnState:         s.connState,
		// Handshakes that clients refuse are part of what is tested.
		ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	go func() {
		defer close(s.done)
		_ = s.http.ServeTLS(ln, "", "")
	}()
	return s, nil
}

// connKey finds the connection of a request in its context.
type connKey struct{}

// Close stops listening and drops all connections.
func (s *Server) Close() {
	_ = s.http.Close()
	<-s.done
}

// CertPool returns a pool that trusts the server.
func (s *Server) CertPool() *x509.CertPool { return s.pool.Clone() }

// Client returns a new client that trusts the server, follows no redirects
// and shares no connections with other clients.
func (s *Server) Client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Connections returns the number of TLS connections accepted so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// connState counts a connection once it is active, that is after the
// handshake: a client that refuses the certificate is not counted.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateActive:
		if !s.conns[c] {
			s.conns[c] = true
			s.total++
		}
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, c)
	}
}
