package mfa_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

var (
	allStatuses = []okta.Status{
		okta.StatusSuccess, okta.StatusPasswordWarn, okta.StatusPasswordExpired, okta.StatusPasswordReset,
		okta.StatusRecovery, okta.StatusRecoveryChallenge, okta.StatusLockedOut, okta.StatusMFAEnroll,
		okta.StatusMFAEnrollActivate, okta.StatusMFARequired, okta.StatusMFAChallenge, okta.StatusUnauthenticated,
		"", "PASSKEY_REQUIRED", "success", "SUCCESS ",
	}
	allResults = []okta.FactorResult{
		"", okta.ResultWaiting, okta.ResultChallenge, okta.ResultSuccess, okta.ResultRejected, okta.ResultTimeout,
		okta.ResultCancelled, okta.ResultCanceled, okta.ResultError, okta.ResultFailed, okta.ResultExpired,
		okta.ResultPassCodeReplayed, okta.ResultTimeWindowExceeded, okta.ResultUpgradeRequired, "MAYBE", "waiting",
	}
)

// TestNext has a row for every status with every factor result, known or not.
// A status that is not in the table is not a reason to go on.
func TestNext(t *testing.T) {
	t.Parallel()
	// What the factor result does not change.
	steps := map[okta.Status]mfa.Step{okta.StatusPasswordWarn: mfa.StepSkip, okta.StatusMFARequired: mfa.StepChoose}
	denials := map[okta.Status]error{
		okta.StatusPasswordExpired:   mfa.ErrPasswordExpired,
		okta.StatusPasswordReset:     mfa.ErrRecovery,
		okta.StatusRecovery:          mfa.ErrRecovery,
		okta.StatusRecoveryChallenge: mfa.ErrRecovery,
		okta.StatusLockedOut:         mfa.ErrLockedOut,
		okta.StatusMFAEnroll:         mfa.ErrEnrollment,
		okta.StatusMFAEnrollActivate: mfa.ErrEnrollment,
		okta.StatusUnauthenticated:   errStrange,
		"":                           okta.ErrMalformed,
		"PASSKEY_REQUIRED":           errStrange,
		"success":                    errStrange,
		"SUCCESS ":                   errStrange,
	}
	// And where it does.
	challenge := map[okta.FactorResult]error{
		okta.ResultSuccess:            errStrange,
		okta.ResultRejected:           mfa.ErrRejected,
		okta.ResultUpgradeRequired:    mfa.ErrAppTooOld,
		okta.ResultTimeout:            mfa.ErrPushTimeout,
		okta.ResultExpired:            mfa.ErrPushTimeout,
		okta.ResultCancelled:          mfa.ErrCancelled,
		okta.ResultCanceled:           mfa.ErrCancelled,
		okta.ResultError:              mfa.ErrFactorFailed,
		okta.ResultFailed:             mfa.ErrFactorFailed,
		okta.ResultPassCodeReplayed:   mfa.ErrPassCodeReplayed,
		okta.ResultTimeWindowExceeded: mfa.ErrPassCodeTimeWindow,
		"MAYBE":                       errStrange,
		"waiting":                     errStrange,
	}
	type want struct {
		step mfa.Step
		err  error
	}
	expect := func(s okta.Status, r okta.FactorResult) want {
		if step, ok := steps[s]; ok {
			return want{step, nil}
		}
		if err, ok := denials[s]; ok {
			return want{0, err}
		}
		if s == okta.StatusSuccess {
			if r == "" || r == okta.ResultSuccess {
				return want{mfa.StepDone, nil}
			}
			return want{0, errStrange}
		}
		switch r {
		case okta.ResultWaiting:
			return want{mfa.StepWait, nil}
		case okta.ResultChallenge, "":
			return want{mfa.StepAnswer, nil}
		}
		err, ok := challenge[r]
		assert.True(t, ok, "no row for %q %q", s, r)
		return want{0, err}
	}
	for _, status := range allStatuses {
		for _, result := range allResults {
			t.Run(fmt.Sprintf("%s %s", status, result), func(t *testing.T) {
				want := expect(status, result)
				step, err := mfa.Next(okta.Transaction{Status: status, FactorResult: result, Factor: &okta.Factor{ID: "opf1"}})
				assert.Equal(t, want.step, step)
				assertError(t, want.err, err)
			})
		}
	}

	for _, result := range []okta.FactorResult{okta.ResultWaiting, okta.ResultChallenge, ""} {
		step, err := mfa.Next(okta.Transaction{Status: okta.StatusMFAChallenge, FactorResult: result})
		assert.Zero(t, step)
		assert.ErrorIs(t, err, okta.ErrMalformed, "a challenge that does not name its factor")
	}
}

func TestUnexpectedErrorText(t *testing.T) {
	t.Parallel()
	_, err := mfa.Next(okta.Transaction{Status: "NEW\n\x1b[31m", FactorResult: "ODD", StateToken: okta.NewSecret("00secret")})
	assert.EqualError(t, err, `unexpected answer from okta: an unknown status (status "NEW..[31m", factor result "ODD")`)
}
