package mfa

import (
	"slices"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Policy is what the mount's configuration says about factors.
type Policy struct {
	// Bypass lets a person in whom Okta would ask for a factor, or for the
	// enrollment of one, without either.
	Bypass bool
	// SkipEnrollment accepts a person whom Okta asks to enroll a factor and lets skip
	// that.
	SkipEnrollment bool
	// Factors are the kinds that are accepted. None means all.
	Factors []Kind
	// AllDevices makes each phone of a person ring. Otherwise the first one does.
	AllDevices bool
	// PushTimeout is how long a login that is not held waits for its pushes, all of them
	// together, counted from the right password. Zero is MaxWait.
	PushTimeout time.Duration
	// Push bounds the pushes and codes that go wrong.
	Push PushLimit
}

// PushLimit says how many challenges of a person may go wrong before no more are
// sent: Failures within Window. A push goes wrong that the person rejects or does
// not answer. A code counts from when it is sent until the person answers one
// right. Zero Failures is no limit.
type PushLimit struct {
	Failures int
	Window   time.Duration
}

// accepts reports whether the mount accepts the factor.
func (p Policy) accepts(f okta.Factor) bool {
	return Usable(f) && (len(p.Factors) == 0 || slices.Contains(p.Factors, KindOf(f)))
}

// Accepted are the factors that can be verified on this mount, in their order.
func (p Policy) Accepted(offered []okta.Factor) []okta.Factor { return only(offered, p.accepts) }

// Number is the right answer of a number challenge, or a code to type into an app.
type Number struct {
	Answer    int       // 0 is one like any other
	Code      string    // to be typed on the phone, digit by digit; empty: Answer is to be chosen there
	Device    string    // the name of the phone that shows the numbers; may be empty
	ExpiresAt time.Time // of the challenge; zero where Okta did not say
}

// withoutBypass is the policy after a factor was verified: what Okta says then counts.
func (p Policy) withoutBypass() Policy {
	p.Bypass = false
	return p
}
