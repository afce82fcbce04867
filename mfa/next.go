package mfa

import (
	"fmt"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Step says what to do next with a transaction.
type Step int

const (
	// StepDone: Okta is satisfied.
	StepDone Step = iota + 1
	// StepSkip: Okta warns about the age of the password. Skip the warning.
	StepSkip
	// StepChoose: choose a factor and verify it.
	StepChoose
	// StepWait: a push waits for the person. Poll it later.
	StepWait
	// StepAnswer: a code waits for its answer.
	StepAnswer
)

// Next says what to do with a transaction. It names every documented state. Any
// other is an error, so that a state which Okta invents tomorrow denies the login.
func Next(tx okta.Transaction) (Step, error) {
	switch tx.Status {
	case okta.StatusSuccess:
		if tx.FactorResult != "" && tx.FactorResult != okta.ResultSuccess {
			return 0, unexpected(tx, "success with a failed factor")
		}
		return StepDone, nil
	case okta.StatusPasswordWarn:
		return StepSkip, nil
	case okta.StatusMFARequired:
		return StepChoose, nil
	case okta.StatusMFAChallenge:
		return nextOfChallenge(tx)
	case okta.StatusLockedOut:
		return 0, ErrLockedOut
	case okta.StatusPasswordExpired:
		return 0, ErrPasswordExpired
	case okta.StatusMFAEnroll, okta.StatusMFAEnrollActivate:
		if tx.CanSkip && tx.Status == okta.StatusMFAEnroll {
			return 0, ErrEnrollmentMaySkip
		}
		return 0, ErrEnrollment
	case okta.StatusPasswordReset, okta.StatusRecovery, okta.StatusRecoveryChallenge:
		return 0, ErrRecovery
	case okta.StatusAdminConsentRequired:
		return 0, ErrAdminConsent
	case okta.StatusFactorRequired, okta.StatusFactorChallenge, okta.StatusFactorEnroll, okta.StatusFactorEnrollActivate,
		okta.StatusProfileRequired, okta.StatusConsentRequired, okta.StatusDeviceActivate, okta.StatusPoll:
		return 0, fmt.Errorf("%w: %w", ErrSignInPage, unexpected(tx, "a state of the sign-in page"))
	case "":
		return 0, fmt.Errorf("%w: a transaction without a status", okta.ErrMalformed)
	case okta.StatusUnauthenticated:
		return 0, unexpected(tx, "a state of another flow")
	}
	return 0, unexpected(tx, "an unknown status")
}

func nextOfChallenge(tx okta.Transaction) (Step, error) {
	switch tx.FactorResult {
	case okta.ResultWaiting:
		return ofFactor(tx, StepWait)
	case okta.ResultChallenge, "": // Okta leaves it out where a code was sent by SMS
		return ofFactor(tx, StepAnswer)
	case okta.ResultRejected:
		return 0, ErrRejected
	case okta.ResultUpgradeRequired:
		return 0, ErrAppTooOld
	case okta.ResultTimeout, okta.ResultExpired:
		return 0, ErrPushTimeout
	case okta.ResultCancelled, okta.ResultCanceled:
		return 0, ErrCancelled
	case okta.ResultError, okta.ResultFailed:
		return 0, ErrFactorFailed
	case okta.ResultPassCodeReplayed:
		return 0, ErrPassCodeReplayed
	case okta.ResultTimeWindowExceeded:
		return 0, ErrPassCodeTimeWindow
	case okta.ResultSuccess:
		// In the Authentication API only the status says that a challenge succeeded.
		return 0, unexpected(tx, "a challenge that succeeded without ending")
	}
	return 0, unexpected(tx, "an unknown factor result")
}

func ofFactor(tx okta.Transaction, step Step) (Step, error) {
	if tx.Factor == nil {
		return 0, fmt.Errorf("%w: a challenge that does not name its factor", okta.ErrMalformed)
	}
	return step, nil
}
