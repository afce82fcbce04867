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
	// check judges a code: the empty string means that it is right, anything
	// else is the error code.
	check(code string, now time.Time) string
}

// newGenerator makes the device of a factor; nil if the factor has none.
func newGenerator(factorType, provider string, secret []byte) generator {
	totp := &timed{secret: secret, step: totpStep, digits: 6, used: make(map[int64]bool)}
	switch {
	case factorType == "token:software:totp":
		totp.drift = totpDrift
		return totp
	case factorType == "token" && provider == "SYMANTEC":
		totp.ordered = true
		return totp
	case factorType == "token" && provider == "RSA":
		totp.ordered, totp.step = true, time.Minute // a tokencode a minute
		return totp
	case factorType == "token:hotp":
		return &counted{secret: secret, digits: 6}
	case factorType == "token:hardware" && provider == "YUBICO":
		return newYubiKey(secret)
	}
	return nil
}

// deviceSecret is the same for a factor every time it is enrolled.
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

// RequireNextToken makes the next right code of a token be answered with 409
// E0000113: the server wants the code that follows, too, as an RSA server
// does after several wrong ones. That code then completes the factor; the
// first one sent again is a replay.
//
// Undocumented: the transaction stays as it is meanwhile, and the demand is
// the factor's, so that it outlives the transaction.
func (f *Factor) RequireNextToken() {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.wantNext = true
}
