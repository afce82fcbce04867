package mfa_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// wantsPassCode is a method that takes any passcode.
type wantsPassCode struct{}

func (wantsPassCode) Prepare(_ context.Context, _ mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	if c.PassCode == "" {
		return mfa.Attempt{}, mfa.ErrNeedsPassCode
	}
	return mfa.Attempt{Passed: true}, nil
}

// TestBypassed: people whom the bypass has let in without the factor that Okta asked for
// are told from those of whom Okta asked none. A held login of theirs ends where the
// bypass has ended.
func TestBypassed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		answers  []any // after the password
		tx       okta.Transaction
		bypassed bool
	}{
		{"a factor is asked for", nil, required(google), true},
		{"an enrollment is asked for", nil, state(okta.StatusMFAEnroll), true},
		{"a factor is asked for after a warning", []any{required(google)}, state(okta.StatusPasswordWarn), true},
		{"nothing is asked for", nil, success(mia), false},
		{"nothing is asked for after a warning", []any{success(mia)}, state(okta.StatusPasswordWarn), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, ended := range []bool{true, false} {
				flow := scripted(tc.answers...).flow()
				flow.Hold, flow.Policy.Bypass = true, true
				flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) {
					return []mfa.Required{{ID: "id", Name: "name", Method: wantsPassCode{}}}, nil
				}
				s, err := flow.Begin(t.Context(), tc.tx, mfa.Input{})
				require.NoError(t, err)
				assert.Equal(t, tc.bypassed, s.Who().Bypassed)
				assert.Nil(t, s.Who().Verified)
				now := flow
				now.Policy.Bypass = !ended
				_, err = s.Continue(t.Context(), now, mfa.Input{Given: mfa.Given{"name": {PassCode: "123456"}}})
				if tc.bypassed && ended {
					assert.ErrorIs(t, err, mfa.ErrOver)
				} else {
					assert.NoError(t, err)
				}
				assert.True(t, s.Over())
			}
		})
	}
}

// TestExcused: people who have skipped an enrollment are told from those of whom Okta asked
// none, and a held login of theirs ends where the mount lets nobody skip it any more.
func TestExcused(t *testing.T) {
	t.Parallel()
	maySkip := state(okta.StatusMFAEnroll)
	maySkip.CanSkip = true
	for _, excused := range []bool{true, false} {
		for _, ended := range []bool{true, false} {
			tx, answers := success(mia), []any(nil)
			if excused {
				tx, answers = maySkip, []any{success(mia)}
			}
			flow := scripted(answers...).flow()
			flow.Hold, flow.Policy.SkipEnrollment = true, true
			flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) {
				return []mfa.Required{{ID: "id", Name: "name", Method: wantsPassCode{}}}, nil
			}
			s, err := flow.Begin(t.Context(), tx, mfa.Input{})
			require.NoError(t, err)
			assert.Equal(t, excused, s.Who().Excused)
			now := flow
			now.Policy.SkipEnrollment = !ended
			_, err = s.Continue(t.Context(), now, mfa.Input{Given: mfa.Given{"name": {PassCode: "123456"}}})
			if excused && ended {
				assert.ErrorIs(t, err, mfa.ErrOver)
			} else {
				assert.NoError(t, err)
			}
		}
	}
}
