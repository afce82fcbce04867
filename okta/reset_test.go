package okta_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestResetStream: net/http repeats a request, a password included, when its
// HTTP/2 stream is reset with certain codes. The count is of what the server
// has read to its end.
func TestResetStream(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]uint32{"PROTOCOL_ERROR": 1, "INTERNAL_ERROR": 2, "REFUSED_STREAM": 7, "CANCEL": 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newResetter(t, code)
			c, err := okta.New(okta.Config{OrgURL: srv.url, APIToken: okta.NewSecret("00token"), RootCAs: srv.pool, Timeout: patience})
			require.NoError(t, err)
			t.Cleanup(c.CloseIdleConnections)
			both(t, c, is(okta.ErrUnreachable))
			assert.EqualValues(t, 2, srv.requests.Load())
		})
	}
}

// resetter speaks just enough HTTP/2 to take a request and reset its stream.
type resetter struct {
	url      string
	pool     *x509.CertPool
	requests atomic.Int32
}

func newResetter(t *testing.T, code uint32) *resetter {
	t.Helper()
	donor := httptest.NewTLSServer(nil) // of a certificate
	donor.Close()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: donor.TLS.Certificates, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() { stop(); _ = ln.Close() })
	r := &resetter{url: "https://" + ln.Addr().String(), pool: x509.NewCertPool()}
	r.pool.AddCert(donor.Certificate())
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			go r.serve(conn, code)
		}
	}()
	return r
}

// serve knows four of the frames of RFC 9113: DATA 0, HEADERS 1, RST_STREAM 3
// and SETTINGS 4.
func (r *resetter) serve(conn net.Conn, code uint32) {
	defer conn.Close()
	frame := func(kind, flags byte, stream, payload []byte) {
		head := append([]byte{0, 0, byte(len(payload)), kind, flags}, stream...)
		_, _ = conn.Write(append(head, payload...))
	}
	if _, err := io.ReadFull(conn, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	frame(4, 0, make([]byte, 4), nil)
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, conn, length); err != nil {
			return
		}
		switch kind, flags := head[3], head[4]; {
		case kind == 4 && flags == 0:
			frame(4, 1, make([]byte, 4), nil)
		case kind <= 1 && flags&1 != 0: // the end of the request
			r.requests.Add(1)
			frame(3, 0, head[5:9], binary.BigEndian.AppendUint32(nil, code))
		}
	}
}
