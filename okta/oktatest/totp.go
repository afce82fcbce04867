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
	// totpWindow is how many steps a code may be early or late. Okta accepts codes of
	// about a minute (observed).
	totpWindow = 1
	// totpDrift is how many steps away a code is still recognized, though not
	// accepted, which is 10 minutes.
	totpDrift = 20
)

// hotp returns the code of RFC 4226 for a counter.
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

// timed is a generator of RFC 6238, whose counter is the time. RSA and SYMANTEC make
// codes in other ways, but one cannot see that in a code.
type timed struct {
	secret []byte
	step   time.Duration
	digits int
	drift  int64 // how many steps away a code is recognized, for E0000083
	// ordered also refuses the codes that were shown before an accepted one, as a
	// server does that wants the next tokencode.
	ordered bool
	used    map[int64]bool
}

func (g *timed) code(now time.Time) string { return g.at(g.stepAt(now)) }

func (g *timed) at(step int64) string { return hotp(g.secret, step, g.digits) }

// stepAt returns the counter of RFC 6238 for a time.
func (g *timed) stepAt(t time.Time) int64 { return t.Unix() / int64(g.step/time.Second) }

// check remembers the codes that were used, so that one cannot serve two logins.
// Undocumented: Okta remembers them for each factor, over all transactions.
func (g *timed) check(code string, now time.Time) string {
	current := g.stepAt(now)
	for step := current - totpWindow; step <= current+totpWindow; step++ {
		if g.at(step) != code {
			continue
		}
		if g.used[step] {
			return "E0000082"
		}
		g.used[step] = true
		for earlier := current - totpWindow; g.ordered && earlier < step; earlier++ {
			g.used[earlier] = true
		}
		return ""
	}
	for step := current - g.drift; step <= current+g.drift; step++ {
		if g.at(step) == code {
			return "E0000083"
		}
	}
	return "E0000068"
}

// CodeAt returns the code that a TOTP, RSA or SYMANTEC generator shows at a time, and
// nothing for other factors.
func (f *Factor) CodeAt(t time.Time) string {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	if g, ok := f.generator.(*timed); ok {
		return g.code(t)
	}
	return ""
}

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
