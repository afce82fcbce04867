package mfa_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestRetryable: after which errors a held login goes on.
func TestRetryable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{&mfa.NoFactorError{}, true},
		{&mfa.ChallengeRefusedError{}, true},
		{mfa.ErrRungBefore, true},
		{mfa.ErrNoTime, true},
		{refused(okta.CodeInvalidPassCode), true},
		{refused(okta.CodePassCodeReplayed), true},
		{refused(okta.CodePassCodeTimeWindow), true},
		{refused(okta.CodeNextPassCode), true},
		{tooSoon("E0000047"), true},
		{tooSoon(okta.CodeResendEmail), true},
		{fmt.Errorf("wrapped: %w", refused(okta.CodeInvalidPassCode)), true},

		{nil, false},
		{&mfa.CodeSentError{}, true},
		{&mfa.MissingError{}, true},
		{&mfa.CredentialError{}, true},
		{&mfa.PassCodesBarredError{}, true},
		{&mfa.MethodError{Err: mfa.ErrWrongPassCode}, true},
		{&mfa.MethodError{Err: mfa.ErrRejected}, false},
		{&mfa.UnexpectedError{}, false},
		{mfa.ErrRejected, false},
		{mfa.ErrPushTimeout, false},
		{mfa.ErrCancelled, false},
		{mfa.ErrLockedOut, false},
		{mfa.ErrReplaced, false},
		{mfa.ErrOver, false},
		{mfa.ErrNumberChallenge, false},
		{refused(okta.CodeUserLocked), false},
		{refused(okta.CodeInvalidToken), false},
		{refused(okta.CodeWrongState), false},
		{broken(), false},
		{okta.ErrTimeout, false},
		{okta.ErrMalformed, false},
		{context.Canceled, false},
	} {
		assert.Equal(t, tc.want, mfa.Retryable(tc.err), "%v", tc.err)
	}
}

// TestErrorTexts: what a log shows. None of it is a secret.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"a code has been sent":                                            &mfa.CodeSentError{Factor: sms, Again: true},
		"a push to this person is waiting already":                        &mfa.ChallengeRefusedError{Wait: time.Minute, Waiting: true},
		"too many pushes and codes to this person went wrong":             &mfa.ChallengeRefusedError{Wait: time.Minute},
		"no usable factor among the 2 on offer":                           &mfa.NoFactorError{Want: mfa.Want{PassCode: code}, Offered: set{phone, sms}},
		`unexpected answer from okta: x (status "A.B", factor result "")`: &mfa.UnexpectedError{Status: "A\nB", Why: "x"},
	} {
		assert.EqualError(t, err, want)
	}
}
