package mfa

import (
	"errors"
	"fmt"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Why a login is denied although Okta gave a good answer. Errors of the client
// (*okta.Error, okta.ErrTimeout and so on) are passed on beside these.
var (
	// ErrLockedOut: the account is locked.
	ErrLockedOut = errors.New("the account is locked out")
	// ErrPasswordExpired: the password was right, and must be changed first.
	ErrPasswordExpired = errors.New("the password has expired")
	// ErrRecovery: the account is in the middle of a password reset, an unlock or
	// an activation.
	ErrRecovery = errors.New("the account is being recovered or activated")
	// ErrEnrollment: the org asks the person to enrol a factor first.
	ErrEnrollment = errors.New("a factor must be enrolled first")
	// ErrRejected: the person said no on their phone, or chose the wrong number.
	ErrRejected = errors.New("the push was rejected")
	// ErrPushTimeout: nobody answered the push.
	ErrPushTimeout = errors.New("the push was not answered in time")
	// ErrCancelled: the challenge was cancelled at Okta.
	ErrCancelled = errors.New("the challenge was cancelled")
	// ErrFactorFailed: Okta could not carry the challenge out.
	ErrFactorFailed = errors.New("okta could not verify the factor")
	// ErrPassCodeReplayed: the passcode has been used before.
	ErrPassCodeReplayed = errors.New("the passcode has been used already")
	// ErrPassCodeTimeWindow: the passcode is right but belongs to another time.
	ErrPassCodeTimeWindow = errors.New("the passcode is outside its time window")
	// ErrNumberChallenge: the push shows numbers on the phone, and there is no way
	// to tell the person which one is right.
	ErrNumberChallenge = errors.New("the number of the number challenge cannot be shown")
)

// UnexpectedError says that a transaction is in a state that this package does
// not know, or not at this point. It always denies. (An answer whose shape is
// wrong is okta.ErrMalformed.)
type UnexpectedError struct {
	Status       okta.Status
	FactorResult okta.FactorResult
	Why          string
}

func (e *UnexpectedError) Error() string {
	return fmt.Sprintf("unexpected answer from okta: %s (status %q, factor result %q)",
		e.Why, okta.Clip(string(e.Status), 64), okta.Clip(string(e.FactorResult), 64))
}

func unexpected(tx okta.Transaction, why string) error {
	return &UnexpectedError{Status: tx.Status, FactorResult: tx.FactorResult, Why: why}
}

// NoFactorError says that Okta asks for a factor and none of those on offer can
// be verified with what the person gave.
type NoFactorError struct {
	Want    Want
	Offered []okta.Factor // in Okta's order; may be empty
}

func (e *NoFactorError) Error() string {
	return fmt.Sprintf("no usable factor among the %d on offer", len(e.Offered))
}
