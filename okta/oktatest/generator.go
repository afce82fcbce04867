package oktatest

import (
	"crypto/sha256"
	"time"
)

// generator makes the codes of a device and judges them.
type generator interface {
	// code is what the device shows at a time. A device with a button makes
	// a new one each time.
	code(now time.Time) string
	// check returns the error code for a passcode. It is empty where the passcode
	// is right.
	check(code string, now time.Time) string
}

// newGenerator returns the device of a factor, or nil if it has none.
func newGenerator(factorType, provider string, secret []byte) generator {
	totp := &timed{secret: secret, step: totpStep, digits: 6, used: make(map[int64]bool)}
	switch {
	case factorType == "token:software:totp":
		totp.drift = totpDrift
		return totp
	case factorType == "token" && provider == "SYMANTEC":
		totp.ordered = true
		return totp
	case factorType == "token" && (provider == "RSA" || provider == "DEL_OATH"):
		totp.ordered, totp.step = true, time.Minute // a tokencode a minute
		return totp
	case factorType == "token:hotp":
		return &counted{secret: secret, digits: 6}
	case factorType == "token:hardware" && provider == "YUBICO":
		return newYubiKey(secret)
	}
	return nil
}

// deviceSecret returns the secret of a factor. It is the same every time the factor is
// enrolled.
func deviceSecret(factorID string) []byte {
	sum := sha256.Sum256([]byte("secret" + factorID))
	return sum[:20]
}

// SetDigits changes the length of the codes of a TOTP, HOTP, RSA or SYMANTEC
// generator, which is 6. Codes of RSA tokens may have 8.
func (f *Factor) SetDigits(n int) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	switch g := f.generator.(type) {
	case *timed:
		g.digits = n
	case *counted:
		g.digits = n
	}
}

// RequireNextToken lets the organization answer the next right code of a token with
// 409 E0000113: it wants the following code as well, as an RSA server does after
// several wrong ones. The following code completes the factor. The first one is a
// replay if it is sent again.
//
// Undocumented: the transaction does not change, and the factor wants the following
// code in later transactions, too.
func (f *Factor) RequireNextToken() {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.wantNext = true
}
