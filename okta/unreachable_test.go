package okta

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// notReached asks at a URL, and returns why that failed.
func notReached(t *testing.T, at string, roots *x509.CertPool, change func(*http.Transport)) *UnreachableError {
	t.Helper()
	c, err := New(Config{OrgURL: at, RootCAs: roots, Timeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	if change != nil {
		change(c.transport.base.(*http.Transport))
	}
	_, err = c.OrgID(t.Context())
	require.ErrorIs(t, err, ErrUnreachable)
	why, ok := errors.AsType[*UnreachableError](err)
	require.True(t, ok, "%T", err)
	return why
}

// expired returns a certificate of 127.0.0.1 whose time is over, and a pool that
// trusts it.
func expired(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
}

// TestUnreachableReason: whoever is told that Okta could not be reached is told why,
// in words that quote nothing.
func TestUnreachableReason(t *testing.T) {
	t.Parallel()
	closing := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	closing.StartTLS()
	plain := httptest.NewServer(http.NotFoundHandler())
	const nobody = "127.0.0.1:1" // a port of the system's on which nothing listens
	cert, itself := expired(t)
	old := httptest.NewUnstartedServer(nil)
	old.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	old.StartTLS()
	for _, srv := range []*httptest.Server{closing, plain, old} {
		t.Cleanup(srv.Close)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(closing.Certificate())
	proxy := func(tr *http.Transport) {
		tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: nobody})
	}
	noName := func(tr *http.Transport) {
		tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "acme.okta.test", IsNotFound: true}}
		}
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(closing.URL, "https://"))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		at     string
		roots  *x509.CertPool
		change func(*http.Transport)
		want   UnreachableReason
	}{
		"name":        {"https://acme.okta.test", trusted, noName, UnreachableName},
		"refused":     {"https://" + nobody, trusted, nil, UnreachableRefused},
		"closed":      {closing.URL, trusted, nil, UnreachableClosed},
		"certificate": {closing.URL, x509.NewCertPool(), nil, UnreachableCertificate},
		"expired":     {old.URL, itself, nil, UnreachableExpired},
		"hostname":    {"https://localhost:" + port, trusted, nil, UnreachableHostname},
		"no TLS":      {strings.Replace(plain.URL, "http", "https", 1), trusted, nil, UnreachableTLS},
		"proxy":       {closing.URL, trusted, proxy, UnreachableProxy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, notReached(t, tc.at, tc.roots, tc.change).Reason)
		})
	}
}

// TestUnreachableReasonOfErrors: errors that no test can bring about by a network.
func TestUnreachableReasonOfErrors(t *testing.T) {
	t.Parallel()
	op := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	for _, tc := range []struct {
		err  error
		want UnreachableReason
	}{
		{op(syscall.ECONNRESET), UnreachableClosed},
		{op(syscall.EPIPE), UnreachableClosed},
		{fmt.Errorf("x: %w", io.ErrUnexpectedEOF), UnreachableClosed},
		{op(syscall.EHOSTUNREACH), UnreachableRoute},
		{op(syscall.ENETUNREACH), UnreachableRoute},
		{op(&net.DNSError{Err: "server misbehaving", Name: "acme.okta.test"}), UnreachableName},
		{&net.OpError{Op: "proxyconnect", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "proxy.acme.test"}}, UnreachableProxy},
		{networkError("the proxy answered HTTP 407"), UnreachableProxy},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, UnreachableExpired},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}}, UnreachableCertificate},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, UnreachableCertificate},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, UnreachableTLS},
		{errors.New("mia@acme.test"), UnreachableOther},
	} {
		err := unreachable(tc.err)
		why, ok := errors.AsType[*UnreachableError](err)
		require.True(t, ok)
		assert.Equal(t, tc.want, why.Reason, "%v", tc.err)
		assert.True(t, strings.HasPrefix(err.Error(), "okta could not be reached: "), err.Error())
		assert.NotContains(t, err.Error(), "mia")
	}
}
