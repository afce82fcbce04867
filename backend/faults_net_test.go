package backend

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// The network of the fault matrix. It is in memory, so that a test in a bubble of
// testing/synctest decides how the time goes on.

// wireConn is one end of a connection. As with TCP, what is written waits in a buffer
// until the other end reads it.
type wireConn struct{ in, out *wireBuffer }

func newWire() (client, server *wireConn) {
	there, back := newWireBuffer(), newWireBuffer()
	return &wireConn{in: back, out: there}, &wireConn{in: there, out: back}
}

func (c *wireConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *wireConn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close lets the other end read what was written, and then an end of file.
func (c *wireConn) Close() error {
	c.out.end(io.EOF, false)
	c.in.end(net.ErrClosed, true)
	return nil
}

// Reset ends the connection as a TCP RST does.
func (c *wireConn) Reset() {
	err := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	c.out.end(err, true)
	c.in.end(err, true)
}

func (c *wireConn) LocalAddr() net.Addr  { return wireAddr }
func (c *wireConn) RemoteAddr() net.Addr { return wireAddr }

var wireAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}

func (c *wireConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *wireConn) SetReadDeadline(t time.Time) error {
	c.in.change(func(b *wireBuffer) { b.readUntil = t })
	return nil
}

func (c *wireConn) SetWriteDeadline(t time.Time) error {
	c.out.change(func(b *wireBuffer) { b.writeUntil = t })
	return nil
}

// wireBuffer is one direction of a connection.
type wireBuffer struct {
	mu                    sync.Mutex
	changed               chan struct{} // closed at the next change
	data                  []byte
	ended                 error // what the reader gets once there is no more data
	readUntil, writeUntil time.Time
}

const wireBufferSize = 64 << 10

func newWireBuffer() *wireBuffer { return &wireBuffer{changed: make(chan struct{})} }

func (b *wireBuffer) change(do func(*wireBuffer)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	do(b)
	close(b.changed)
	b.changed = make(chan struct{})
}

// end ends the direction, unless it has ended. Where it drops, what was not read is lost.
func (b *wireBuffer) end(err error, drop bool) {
	b.change(func(b *wireBuffer) {
		if b.ended == nil {
			b.ended = err
		}
		if drop {
			b.data = nil
		}
	})
}

func (b *wireBuffer) read(p []byte) (n int, err error) {
	err = b.until(&b.readUntil, func() (bool, error) {
		n = copy(p, b.data)
		b.data = b.data[n:]
		if n == 0 && len(p) > 0 {
			return b.ended != nil, b.ended
		}
		return true, nil
	})
	return n, err
}

func (b *wireBuffer) write(p []byte) (n int, err error) {
	err = b.until(&b.writeUntil, func() (bool, error) {
		if b.ended != nil {
			return true, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
		}
		room := min(wireBufferSize-len(b.data), len(p)-n)
		b.data = append(b.data, p[n:n+room]...)
		n += room
		return n == len(p), nil
	})
	return n, err
}

// until tries until that is done, or until a deadline, which may change meanwhile.
func (b *wireBuffer) until(deadline *time.Time, try func() (done bool, err error)) error {
	for {
		b.mu.Lock()
		before := len(b.data)
		done, err := try()
		if len(b.data) != before {
			close(b.changed)
			b.changed = make(chan struct{})
		}
		changed, late := b.changed, (<-chan time.Time)(nil)
		if !deadline.IsZero() {
			late = time.After(time.Until(*deadline))
		}
		b.mu.Unlock()
		if done {
			return err
		}
		select {
		case <-changed:
		case <-late:
			return os.ErrDeadlineExceeded
		}
	}
}

// wireListener hands server ends to an http.Server.
type wireListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newWireListener() *wireListener {
	return &wireListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *wireListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *wireListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *wireListener) Addr() net.Addr { return wireAddr }

// connect returns the client's end of a connection that the listener accepts.
func (l *wireListener) connect(ctx context.Context) (net.Conn, error) {
	client, server := newWire()
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	_ = client.Close()
	return nil, dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))
}

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

// serveWire serves handler until the listener is closed.
func serveWire(l *wireListener, handler http.Handler, http1Only bool) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(!http1Only)
	server := &http.Server{
		Handler: handler, Protocols: protocols,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{wireCerts().good}, MinVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.X25519}},
		ErrorLog:  log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, wireKey{}, c)
		},
	}
	go func() { _ = server.ServeTLS(l, "", "") }()
	return server
}

// wireKey finds the connection of a request in its context.
type wireKey struct{}

// wireOf returns the server's end of the connection that r came by.
func wireOf(r *http.Request) *wireConn {
	return r.Context().Value(wireKey{}).(*tls.Conn).NetConn().(*wireConn)
}

// certificates are what servers of the matrix show. A bubble begins in the year 2000.
type certificates struct {
	roots                           *x509.CertPool
	good, strange, expired, foreign tls.Certificate
}

var wireCerts = sync.OnceValue(func() certificates {
	ca, strange := newAuthority(), newAuthority()
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	return certificates{
		roots:   roots,
		good:    ca.certify(year(1990), year(2100), "127.0.0.1", "localhost"),
		strange: strange.certify(year(1990), year(2100), "127.0.0.1", "localhost"),
		expired: ca.certify(year(1990), year(1999), "127.0.0.1", "localhost"),
		foreign: ca.certify(year(1990), year(2100), "", "elsewhere.test"),
	}
})

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority() authority {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: rand.Text()},
		NotBefore: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	return authority{must(x509.ParseCertificate(der)), key}
}

func (a authority) certify(from, until time.Time, ip, name string) tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{name},
	}
	if ip != "" {
		template.IPAddresses = []net.IP{net.ParseIP(ip)}
	}
	der := must(x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
