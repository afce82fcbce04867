package duo

import (
	"crypto/x509"
	"testing"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestRoots: Duo's own hosts have to show a certificate of a pinned authority,
// whatever else is trusted.
func TestRoots(t *testing.T) {
	t.Parallel()
	if pinnedRoots().Equal(x509.NewCertPool()) {
		t.Fatal("the library pins nothing")
	}
	own := x509.NewCertPool()
	for host, pinned := range map[string]bool{
		"api-1.duosecurity.com":      true,
		"API-1.DuoSecurity.com:8443": true,
		"api-1.duofederal.com":       true,
		"duosecurity.com":            true,
		"api-1.notduosecurity.com":   false,
		"duosecurity.com.acme.test":  false,
		"127.0.0.1:443":              false,
		"[::1]:443":                  false,
	} {
		want := own
		if pinned {
			want = pinnedRoots()
		}
		m, err := New(Config{IntegrationKey: "DI", SecretKey: okta.NewSecret("s"), APIHostname: host, RootCAs: own})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.client.Transport.TLSClientConfig; got.RootCAs != want || got.InsecureSkipVerify {
			t.Errorf("%s trusts other roots", host)
		}
	}
}
