package mfatest

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TB is what the constructors need of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is what a service listens with.
type Server struct {
	// URL is the base URL, "https://127.0.0.1:port".
	URL string
	// CertPEM is the certificate authority to trust. The server's own certificate is
	// good for 127.0.0.1, ::1, localhost, *.okta.test and the hosts that were given.
	CertPEM []byte

	pool   *x509.CertPool
	http   *http.Server // nil: it does not listen
	served http.Handler
	done   chan struct{} // closed when it no longer serves
	closed chan struct{} // closed with it: lets go of what hangs

	mu       sync.Mutex
	now      func() time.Time
	latency  time.Duration
	faults   []*Fault
	requests []Request
	secrets  []string
}

// Request is one that the service was sent.
type Request struct {
	Method string
	Path   string
	Status int // of the answer; 0: there was none
}

// Fault makes a service fail.
type Fault struct {
	// On is the end of the path of the requests that it strikes; empty: of all.
	On string
	// Times is how many of them; zero: all.
	Times int

	Hang   bool // no answer until the client leaves
	Drop   bool // the connection is closed once the request is read
	Status int  // zero: 200
	Header map[string]string
	Body   string
	// Late lets the service act upon the request first: only its answer is lost.
	Late bool
}

// prepare makes a server of handler that does not listen.
func (s *Server) prepare(handler http.Handler) {
	s.served, s.now = s.record(handler), time.Now
	s.done, s.closed = make(chan struct{}), make(chan struct{})
}

// ServeHTTP serves a request that came some other way than to the server's address.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.served.ServeHTTP(w, r) }

// start serves on a TCP address until Close.
func (s *Server) start(address string, hosts []string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(ln.Addr().String())
	cert, ca, err := oktatest.NewCertificate(append([]string{host}, hosts...))
	if err != nil {
		_ = ln.Close()
		return err
	}
	s.URL, s.CertPEM = "https://"+ln.Addr().String(), ca
	s.pool = x509.NewCertPool()
	s.pool.AppendCertsFromPEM(ca)
	s.http = &http.Server{
		Handler:           s,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: time.Minute,
		// Handshakes that clients refuse are part of what is tested.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		defer close(s.done)
		_ = s.http.ServeTLS(ln, "", "")
	}()
	return nil
}

// Close stops listening and drops all connections.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	s.mu.Unlock()
	if s.http != nil {
		_ = s.http.Close()
		<-s.done
	}
}

// CertPool returns a pool that trusts the server.
func (s *Server) CertPool() *x509.CertPool { return s.pool.Clone() }

// Host returns host and port.
func (s *Server) Host() string { return strings.TrimPrefix(s.URL, "https://") }

// SetNow sets the service's clock. Certificates keep to the real time.
func (s *Server) SetNow(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

func (s *Server) time() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// SetLatency makes the service wait before it answers.
func (s *Server) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = d
}

// delay waits for the latency, and reports whether the client waited, too.
func (s *Server) delay(ctx context.Context) bool {
	s.mu.Lock()
	d := s.latency
	s.mu.Unlock()
	if d <= 0 {
		return true
	}
	passed := make(chan struct{})
	defer time.AfterFunc(d, func() { close(passed) }).Stop()
	return s.wait(ctx, passed)
}

// Fail adds a fault. Of those that fit a request, the first counts.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults ends all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Requests returns what was asked, in the order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count returns how many requests there were whose path ends in end.
func (s *Server) Count(end string) int {
	n := 0
	for _, r := range s.Requests() {
		if strings.HasSuffix(r.Path, end) {
			n++
		}
	}
	return n
}

// Secrets returns the keys of the service and the passcodes that it was sent: what
// no log and no error may hold.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets)
}

func (s *Server) addSecrets(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, secrets...)
}

// fault returns what strikes a request, or nil.
func (s *Server) fault(path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !strings.HasSuffix(path, f.On) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f
	}
	return nil
}

// record notes each request, and lets faults strike.
func (s *Server) record(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A client that leaves is noticed once the body has been read.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		answer := &statusWriter{ResponseWriter: w, note: s.note(r)}
		if !s.delay(r.Context()) {
			noAnswer()
		}
		w.Header().Set("Date", s.time().UTC().Format(http.TimeFormat))
		f := s.fault(r.URL.Path)
		if f == nil {
			handler.ServeHTTP(answer, r)
			return
		}
		if f.Late {
			handler.ServeHTTP(nowhere{}, r)
		}
		switch {
		case f.Hang:
			s.wait(r.Context(), nil)
			noAnswer()
		case f.Drop:
			noAnswer()
		default:
			for name, value := range f.Header {
				w.Header().Set(name, value)
			}
			answer.WriteHeader(cmp.Or(f.Status, http.StatusOK))
			_, _ = io.WriteString(answer, f.Body)
		}
	})
}

// note notes a request, and returns what notes the status of its answer.
func (s *Server) note(r *http.Request) func(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.requests)
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path})
	return func(status int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests[i].Status = status
	}
}

// wait waits for event, and reports whether it came before the client left.
func (s *Server) wait(ctx context.Context, event <-chan struct{}) bool {
	select {
	case <-event:
		return true
	case <-ctx.Done():
	case <-s.closed:
	}
	return false
}

// noAnswer ends a handler and the connection. Without it, net/http sends 200 and
// nothing, which can still reach a client that is about to leave.
func noAnswer() { panic(http.ErrAbortHandler) }

// statusWriter tells the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	note func(status int)
}

func (w *statusWriter) WriteHeader(status int) {
	w.note(status)
	w.ResponseWriter.WriteHeader(status)
}

// nowhere is where the answers go that are lost.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// random returns n random characters for a key.
func random(n int) string {
	text := ""
	for len(text) < n {
		text += rand.Text()
	}
	return text[:n]
}
