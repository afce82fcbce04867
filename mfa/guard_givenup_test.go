package mfa_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestPushGivenUpForAPassCode: a push that waits when the person gives a right passcode
// instead is nobody's attack, so it does not count as one that nobody answered. It counts
// where the passcode is wrong.
func TestPushGivenUpForAPassCode(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 1, Window: time.Hour})
	begin := func(answer any) error {
		flow := m.flow(scripted(m.fresh(waiting(phone)), m.fresh(required(phone, google)), answer), ours)
		flow.Hold = true
		s, err := flow.Begin(t.Context(), m.fresh(required(phone, google)), mfa.Input{})
		if err != nil {
			return err
		}
		defer s.Close(t.Context())
		st, err := s.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: mfa.Want{PassCode: code}})
		if err == nil {
			assert.Equal(t, mfa.PhaseDone, st.Phase)
		}
		return err
	}
	for range 3 {
		require.NoError(t, begin(success(mia)))
	}
	assertError(t, refused(okta.CodeInvalidPassCode), begin(refused(okta.CodeInvalidPassCode)))
	assertError(t, errRefused, begin(success(mia)))
	m.clock.Advance(time.Hour)
	assertError(t, mfa.ErrPassCodeReplayed, begin(m.fresh(challenge(google, okta.ResultPassCodeReplayed))))
	assertError(t, errRefused, begin(success(mia)))
}

// TestPushOfAMethodGivenUpForAPassCode: the same of the methods.
func TestPushOfAMethodGivenUpForAPassCode(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{Failures: 1, Window: time.Hour}).waits()
	begin := func(passCode string) error {
		flow := b.flow(scripted(), ours)
		flow.Hold = true
		flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) { return need(b.phone), nil }
		s, err := flow.Begin(t.Context(), success(mia), mfa.Input{})
		if err != nil {
			return err
		}
		defer s.Close(t.Context())
		_, err = s.Continue(t.Context(), mfa.Flow{}, mfa.Input{Given: gave(map[string]string{"phone": passCode})})
		return err
	}
	for range 3 {
		require.NoError(t, begin(b.phone.passCode))
	}
	assert.Error(t, begin("000000"))
	assertError(t, errRefused, begin(b.phone.passCode))
}
