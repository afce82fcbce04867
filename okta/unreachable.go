package okta

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// UnreachableReason says why no answer came. It is a clause in fixed words, which
// quotes nothing and may be shown to anybody.
type UnreachableReason string

const (
	UnreachableName        UnreachableReason = "its name does not resolve"
	UnreachableRoute       UnreachableReason = "no route leads to its address"
	UnreachableRefused     UnreachableReason = "the connection was refused"
	UnreachableClosed      UnreachableReason = "the connection was closed before the answer was complete"
	UnreachableCertificate UnreachableReason = "its certificate is not trusted"
	UnreachableExpired     UnreachableReason = "its certificate has expired or is not valid yet"
	UnreachableHostname    UnreachableReason = "its certificate is for another name"
	UnreachableTLS         UnreachableReason = "no TLS connection came about"
	UnreachableProxy       UnreachableReason = "the proxy on the way to it does not connect"
	UnreachableOther       UnreachableReason = "the connection failed"
)

// UnreachableError is the error behind ErrUnreachable. Its text is for logs: it may
// name addresses and certificates. Reason is for everybody.
type UnreachableError struct {
	Reason UnreachableReason
	detail string
}

func (e *UnreachableError) Error() string { return ErrUnreachable.Error() + ": " + e.detail }

// Unwrap returns ErrUnreachable.
func (e *UnreachableError) Unwrap() error { return ErrUnreachable }

// unreachable translates an error of the network.
func unreachable(err error) error {
	return &UnreachableError{reasonOf(err), NetworkDetail(err)}
}

func reasonOf(err error) UnreachableReason {
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case isA[networkError](err), isOp && op.Op == "proxyconnect": // net/http's word for all that fails there
		return UnreachableProxy
	case isA[*net.DNSError](err):
		return UnreachableName
	case isA[*tls.CertificateVerificationError](err):
		return reasonOfCertificate(err)
	case isA[tls.RecordHeaderError](err), isA[tls.AlertError](err), isOp && op.Op == "remote error":
		return UnreachableTLS
	}
	for _, known := range []struct {
		err    error
		reason UnreachableReason
	}{
		{syscall.ECONNREFUSED, UnreachableRefused},
		{syscall.ECONNRESET, UnreachableClosed},
		{syscall.EPIPE, UnreachableClosed},
		{io.EOF, UnreachableClosed},
		{io.ErrUnexpectedEOF, UnreachableClosed},
		{syscall.EHOSTUNREACH, UnreachableRoute},
		{syscall.ENETUNREACH, UnreachableRoute},
	} {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return UnreachableOther
}

func reasonOfCertificate(err error) UnreachableReason {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return UnreachableExpired
	}
	if isA[x509.HostnameError](err) {
		return UnreachableHostname
	}
	return UnreachableCertificate
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// NetworkDetail tells an administrator what is wrong with the network. It repeats the text of
// errors that name addresses and certificates only. Others may quote what the server
// sent, so it tells no more than the reason or their type.
func NetworkDetail(err error) string {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[networkError](err); ok {
		return e.Error()
	}
	if why := reasonOf(err); why != UnreachableOther {
		return string(why)
	}
	return fmt.Sprintf("the connection failed (%T)", err)
}
