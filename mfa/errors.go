package mfa

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// These errors tell why a login is denied although Okta gave a good answer. Errors
// of the client (*okta.Error, okta.ErrTimeout and so on) are passed on beside them.
var (
	// ErrLockedOut: the account is locked.
	ErrLockedOut = errors.New("the account is locked out")
	// ErrPasswordExpired: the password was right, and must be changed first.
	ErrPasswordExpired = errors.New("the password has expired")
	// ErrRecovery: the account is in the middle of a password reset, an unlock or
	// an activation.
	ErrRecovery = errors.New("the account is being recovered or activated")
	// ErrNotActive: the account was suspended, deactivated or locked while the login
	// went on.
	ErrNotActive = errors.New("the account is no longer active")
	// ErrEnrollment: the org requires the person to enroll a factor first.
	ErrEnrollment = errors.New("a factor must be enrolled first")
	// ErrSignInPage: Okta wants something that only its sign-in page can ask for.
	ErrSignInPage = errors.New("the sign-in page has to be used")
	// ErrAdminConsent: an administrator of the org has to consent first.
	ErrAdminConsent = errors.New("an administrator has to consent")
	// ErrEnrollmentMaySkip: so it does, and would let them skip that.
	ErrEnrollmentMaySkip = fmt.Errorf("%w, or skipped", ErrEnrollment)
	// ErrRejected: the person said no on their phone, or chose the wrong number.
	ErrRejected = errors.New("the push was rejected")
	// ErrAppTooOld: the person could not answer, because their Okta Verify app has to be
	// updated first.
	ErrAppTooOld = errors.New("the okta verify app is too old for the push")
	// ErrPushTimeout: nobody answered the push.
	ErrPushTimeout = errors.New("the push was not answered in time")
	// ErrNoTime: no push was sent, because the login or Okta's transaction ends before
	// the person could answer it.
	ErrNoTime = errors.New("too little time is left to answer a push")
	// ErrCancelled: the challenge was cancelled at Okta.
	ErrCancelled = errors.New("the challenge was cancelled")
	// ErrFactorFailed: Okta could not carry the challenge out.
	ErrFactorFailed = errors.New("okta could not verify the factor")
	// ErrPassCodeReplayed: the passcode has been used before.
	ErrPassCodeReplayed = errors.New("the passcode has been used already")
	// ErrPassCodeTimeWindow: the passcode is right but belongs to another time.
	ErrPassCodeTimeWindow = errors.New("the passcode is outside its time window")
	// ErrReplaced: another login of the same person, with the same nonce, took this
	// one's place.
	ErrReplaced = errors.New("another login took the place of this one")
	// ErrRungBefore: the person wants a push on a phone that has had one for this
	// login.
	ErrRungBefore = errors.New("the phone has been sent a push for this login before")
	// ErrOver: the login has ended before.
	ErrOver = errors.New("the login has ended")
	// ErrNumberChallenge: the push shows numbers on the phone, and there is no way
	// to tell the person which one is right.
	ErrNumberChallenge = errors.New("the number of the number challenge cannot be shown")
)

// UnexpectedError says that a transaction is in a state that this package does
// not know, or does not expect at this point. It always denies. An answer whose
// shape is wrong is okta.ErrMalformed instead.
type UnexpectedError struct {
	Status       okta.Status
	FactorResult okta.FactorResult
	Why          string // what was expected
}

func (e *UnexpectedError) Error() string {
	return fmt.Sprintf("unexpected answer from okta: %s (status %q, factor result %q)",
		e.Why, okta.Clip(string(e.Status), 64), okta.Clip(string(e.FactorResult), 64))
}

func unexpected(tx okta.Transaction, why string) error {
	return &UnexpectedError{Status: tx.Status, FactorResult: tx.FactorResult, Why: why}
}

var errOtherFactor = fmt.Errorf("%w: a challenge of another factor", okta.ErrMalformed)

// NoFactorError says that Okta asks for a factor, and that what the person gave
// chooses or answers none of those on offer, or several.
type NoFactorError struct {
	Want    Want          // what the person gave, without the passcode
	Given   bool          // the person gave a passcode
	Policy  Policy        // of the mount
	Offered []okta.Factor // in Okta's order; may be empty
	// Forms are those of passcodes that the chosen factors have, as "6 digits", where the
	// passcode given is of none of them.
	Forms []string
}

// Chosen are the accepted factors that the person's choice leaves, by kind,
// provider and device.
func (e *NoFactorError) Chosen() []okta.Factor {
	return only(e.Policy.Accepted(e.Offered), e.Want.names)
}

func noFactor(want Want, policy Policy, offered []okta.Factor) error {
	e := &NoFactorError{Want: want, Given: want.PassCode != "", Policy: policy, Offered: offered}
	if e.Given {
		e.Forms = missedForms(e.Chosen(), want.PassCode)
	}
	e.Want.PassCode = "" // an error may be logged
	return e
}

func (e *NoFactorError) Error() string {
	return fmt.Sprintf("no usable factor among the %d on offer", len(e.Offered))
}

// WrongPassCodeError says that Okta found a passcode wrong, and on which factors it was
// tried.
type WrongPassCodeError struct {
	error
	Factors []okta.Factor
}

func (e *WrongPassCodeError) Unwrap() error { return e.error }

// triedOn adds the factors to an error that says that the passcode is wrong.
func triedOn(factors []okta.Factor, err error) error {
	if refusedPassCode(err) {
		return &WrongPassCodeError{err, factors}
	}
	return err
}

// CodeSentError says that Okta, or another service, has sent a code, and that the next
// login has to bring it.
type CodeSentError struct {
	Factor okta.Factor // whose code it is
	By     string      // the service; empty is Okta
	Again  bool        // it was sent for a login before, and not again
}

func (e *CodeSentError) Error() string { return "a code has been sent" }

// ChallengeRefusedError says that no push and no code is sent for a while, which
// spares the person's phone. A passcode is accepted all the while.
type ChallengeRefusedError struct {
	Wait    time.Duration // how long none is sent
	Waiting bool          // because a push waits; otherwise because too many challenges went wrong
}

func (e *ChallengeRefusedError) Error() string {
	if e.Waiting {
		return "a push to this person is waiting already"
	}
	return "too many pushes and codes to this person went wrong"
}

// finalError is an error after which the person cannot try again in the same
// login: a factor has been verified and cannot be verified again, or a push is over
// and must not be sent anew.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

func isFinal(err error) bool { return is[*finalError](err) }

// is reports whether err wraps an E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// Retryable reports whether a held login stays open after err: the person may try
// again with something else.
func Retryable(err error) bool {
	switch {
	case isFinal(err):
		return false
	case is[*MissingError](err), is[*CodeSentError](err), is[*CredentialError](err), is[*PassCodesBarredError](err),
		is[*NoFactorError](err), is[*ChallengeRefusedError](err):
		return true
	}
	for _, target := range []error{ErrWrongPassCode, ErrRungBefore, ErrNoTime, ErrPassCodeReplayed, ErrPassCodeTimeWindow} {
		if errors.Is(err, target) {
			return true
		}
	}
	return refusedPassCode(err) || tooManyRequests(err) ||
		saidBy(err, okta.CodePassCodeReplayed, okta.CodePassCodeTimeWindow, okta.CodeNextPassCode)
}

// refusedPassCode reports whether Okta found a passcode wrong, and nothing worse.
func refusedPassCode(err error) bool { return saidBy(err, okta.CodeInvalidPassCode) }

// gone reports whether a transaction no longer exists, or is no longer in the state
// in which it was left.
func gone(err error) bool {
	return errors.Is(err, ErrOver) || saidBy(err, okta.CodeInvalidToken, okta.CodeWrongState)
}

func tooManyRequests(err error) bool {
	e, ok := errors.AsType[*okta.Error](err)
	return ok && e.HTTPStatus == http.StatusTooManyRequests
}

// uncertain reports whether Okta may have acted upon a request that failed, or
// may still do so.
func uncertain(err error) bool {
	if e, ok := errors.AsType[*okta.Error](err); ok {
		return e.HTTPStatus >= http.StatusInternalServerError
	}
	return errors.Is(err, okta.ErrTimeout) || errors.Is(err, okta.ErrUnreachable) || errors.Is(err, okta.ErrMalformed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// saidBy reports whether err is one of Okta's with one of the codes.
func saidBy(err error, codes ...string) bool {
	e, ok := errors.AsType[*okta.Error](err)
	return ok && slices.Contains(codes, e.Code)
}

// resultOf is what a push came to whose login ended with err.
func resultOf(err error) result {
	if errors.Is(err, ErrRejected) || saidBy(err, okta.CodeFactorRejected) {
		return rejected
	}
	return unanswered
}

// refused reports whether Okta has answered that it does not do what it was asked.
func refused(err error) bool {
	e, ok := errors.AsType[*okta.Error](err)
	return ok && e.HTTPStatus >= 400 && e.HTTPStatus < 500
}

// didNothing reports whether it is certain that Okta did not do what it was asked: it
// said so, or it knows nothing of the request.
func didNothing(err error) bool { return refused(err) || okta.Unsent(err) }

// isPassing reports whether a question failed by something that may be over when it is
// asked again: the network, a gateway, or Okta itself.
func isPassing(err error) bool {
	if e, ok := errors.AsType[*okta.Error](err); ok {
		return e.HTTPStatus >= http.StatusInternalServerError
	}
	return errors.Is(err, okta.ErrBusy) || errors.Is(err, okta.ErrTimeout) || errors.Is(err, okta.ErrUnreachable)
}

// retryAfter is how long Okta wants not to be asked.
func retryAfter(err error) time.Duration {
	e, ok := errors.AsType[*okta.Error](err)
	switch {
	case ok && e.RetryAfter > 0:
		return e.RetryAfter
	case isPassing(err):
		return 0
	}
	return assumedPause
}
