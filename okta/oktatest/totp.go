package oktatest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 as authenticator apps use it
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const (
	totpStep = 30 * time.Second
	// totpWindow is how many steps a code may be early or late, about the
	// minute that Okta accepts (observed).
	totpWindow = 1
	// totpDrift is how many steps away a code is still recognized, though
	// not accepted: 10 minutes.
	totpDrift = 20
)

// hotp is the code of RFC 4226 for a counter.
func hotp(secret []byte, counter int64, digits int) string {
	var message [8]byte
	binary.BigEndian.PutUint64(message[:], uint64(counter))
	mac := hmac.New(sha1.New, secret)
	mac.Write(message[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	value := uint64(binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff)
	modulus := uint64(1)
	for range digits {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", digits, value%modulus)
}

// totpStepAt is the counter of RFC 6238 for a time.
func totpStepAt(t time.Time) int64 { return t.Unix() / int64(totpStep/time.Second) }

// CodeAt returns the TOTP code of a time.
func (f *Factor) CodeAt(t time.Time) string { return hotp(f.secret, totpStepAt(t), 6) }

// OTPAuthURL returns the otpauth:// URL of a TOTP factor, which
// authenticator apps take as text or as a QR code.
func (f *Factor) OTPAuthURL() string {
	issuer := "Okta Simulator"
	if f.Provider == "GOOGLE" {
		issuer = "Okta Simulator (Google)"
	}
	query := url.Values{
		"secret": {base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(f.secret)},
		"issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"},
	}
	label := url.PathEscape(issuer + ":" + f.User.Login())
	// Apps show a plus sign as it is, so spaces are written the other way.
	return "otpauth://totp/" + label + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

// checkTOTP judges a code: the empty string means that it is right, anything
// else is the error code. Used codes are remembered by the factor, so that
// one cannot serve two logins (the reference does not say how far replay
// memory goes).
func (f *Factor) checkTOTP(code string, now time.Time) string {
	current := totpStepAt(now)
	for step := current - totpWindow; step <= current+totpWindow; step++ {
		if hotp(f.secret, step, 6) != code {
			continue
		}
		if f.usedSteps[step] {
			return "E0000082"
		}
		f.usedSteps[step] = true
		return ""
	}
	for step := current - totpDrift; step <= current+totpDrift; step++ {
		if hotp(f.secret, step, 6) == code {
			return "E0000083"
		}
	}
	return "E0000068"
}
