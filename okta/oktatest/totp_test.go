package oktatest

import (
	"encoding/base32"
	"net/url"
	"testing"
	"time"
)

// TestTOTPVectors checks the SHA-1 vectors of RFC 6238, appendix B.
func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	g := timed{secret: secret, step: totpStep, digits: 8}
	for unix, want := range map[int64]string{
		59:          "94287082",
		1111111109:  "07081804",
		1111111111:  "14050471",
		1234567890:  "89005924",
		2000000000:  "69279037",
		20000000000: "65353130",
	} {
		if got := g.code(time.Unix(unix, 0)); got != want {
			t.Errorf("code at %d = %s, want %s", unix, got, want)
		}
		if got := hotp(secret, g.stepAt(time.Unix(unix, 0)), 6); got != want[2:] {
			t.Errorf("short code at %d = %s, want %s", unix, got, want[2:])
		}
	}
}

func TestOTPAuthURL(t *testing.T) {
	t.Parallel()
	u := New(Options{}).AddUser("mia.ito@acme.test", "password")
	f := u.AddTOTP("GOOGLE")
	parsed, err := url.Parse(f.OTPAuthURL())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := parsed.Path, "/Okta Simulator (Google):mia.ito@acme.test"; got != want {
		t.Errorf("label = %q, want %q", got, want)
	}
	secret, err := base32.StdEncoding.DecodeString(parsed.Query().Get("secret"))
	if err != nil || string(secret) != string(f.secret) {
		t.Errorf("secret = %x, %v, want %x", secret, err, f.secret)
	}
}
