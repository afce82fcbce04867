package duo

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	duoapi "github.com/duosecurity/duo_api_golang"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Config says which application of a Duo account lets people in.
type Config struct {
	// IntegrationKey and SecretKey are the application's, of Duo's type "Auth API".
	IntegrationKey string
	SecretKey      okta.Secret
	// APIHostname is the application's host, "api-12345678.duosecurity.com". It may
	// have a port.
	APIHostname string
	// PushInfo is what the phone shows with a push, as URL-encoded pairs. It may be
	// empty.
	PushInfo string
	// UsePassCode demands a passcode: a login without one fails, and no push is sent.
	UsePassCode bool
	// Format makes the username at Duo.
	Format mfa.Format
	// UserAgent stands before that of Duo's library in each request.
	UserAgent string
	// RootCAs are trusted for a host outside of Duo's own domains; nil means the
	// system's. A host of Duo's domains must have a certificate of the authorities
	// that Duo's library pins, whatever RootCAs says.
	RootCAs *x509.CertPool
	// Timeout bounds a request that does not wait for the person. Zero means 15 s.
	Timeout time.Duration
	// Clock tells the time and waits before a login has an exchange. Nil is the system's.
	Clock mfa.Clock
	// Dial connects to the host; nil means a net.Dialer.
	Dial okta.Dial
}

// String returns a placeholder, never the keys.
func (Config) String() string { return "[duo config]" }

// GoString returns a placeholder, never the keys.
func (c Config) GoString() string { return c.String() }

// maxPushInfo is Duo's own limit, in bytes.
// https://duo.com/docs/authapi#/auth
const maxPushInfo = 20_000

// Problems returns an error for each field that is wrong. The error begins with the
// field's name in the HTTP API, says what would be right, and quotes no value.
func (c Config) Problems() (problems []error) {
	if c.IntegrationKey == "" {
		problems = append(problems, errors.New("integration_key is required"))
	}
	if c.SecretKey.IsZero() {
		problems = append(problems, errors.New("secret_key is required"))
	}
	switch {
	case c.APIHostname == "":
		problems = append(problems, errors.New("api_hostname is required"))
	case !service.IsHost(c.APIHostname):
		problems = append(problems, errors.New("api_hostname must be the bare name of a host, such as api-12345678.duosecurity.com"))
	}
	switch {
	case len(c.PushInfo) >= maxPushInfo:
		problems = append(problems, fmt.Errorf("push_info must be shorter than %d bytes", maxPushInfo))
	case !isPairs(c.PushInfo):
		problems = append(problems, errors.New("push_info must be URL-encoded pairs, such as from=vault%20login&domain=acme.test"))
	}
	return problems
}

// Validate returns the first of the problems.
func (c Config) Validate() error {
	if problems := c.Problems(); len(problems) > 0 {
		return problems[0]
	}
	return nil
}

// isPairs reports whether s is empty or URL-encoded pairs.
func isPairs(s string) bool {
	if s == "" {
		return true
	}
	for pair := range strings.SplitSeq(s, "&") {
		if name, _, found := strings.Cut(pair, "="); !found || name == "" {
			return false
		}
	}
	_, err := url.ParseQuery(s)
	return err == nil
}

// domains are Duo's own: for the public, and for the federal government of the United
// States.
var domains = []string{"duosecurity.com", "duofederal.com"}

// pinnedRoots are the certificate authorities that Duo's library pins. Where a
// later version of the library no longer tells them, nothing is trusted.
var pinnedRoots = sync.OnceValue(func() *x509.CertPool {
	var roots *x509.CertPool
	duoapi.NewDuoApi("", "", "", "", duoapi.SetTransport(func(t *http.Transport) { roots = t.TLSClientConfig.RootCAs }))
	return cmp.Or(roots, x509.NewCertPool())
})

// roots are the authorities to trust. Only Duo's own domains have certificates of the
// pinned ones, so that pinning would break any other host, such as a simulated Duo.
func (c Config) roots() *x509.CertPool {
	host := strings.ToLower((&url.URL{Host: c.APIHostname}).Hostname())
	for _, domain := range domains {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return pinnedRoots()
		}
	}
	return c.RootCAs
}
