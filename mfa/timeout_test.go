package mfa_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestPushTimeout: a login that waits does so for as long as the policy says, and no
// longer, also where another push follows the first one. A held login holds nobody up.
func TestPushTimeout(t *testing.T) {
	t.Parallel()
	const most = 20 * time.Second
	t.Run("one push", func(t *testing.T) {
		t.Parallel()
		m := newMount(threeInTen)
		flow := m.flow(scripted(waiting(phone)), ours)
		flow.Policy.PushTimeout = most
		began := m.clock.Now()
		_, err := run(t.Context(), flow, required(phone), want{})
		assert.ErrorIs(t, err, mfa.ErrPushTimeout)
		assert.InDelta(t, most.Seconds(), m.clock.Now().Sub(began).Seconds(), 1)
	})
	t.Run("from the right password on", func(t *testing.T) {
		t.Parallel()
		m := newMount(threeInTen)
		// Okta wants another factor after the push, which has taken nearly all of the time.
		authn := scripted(waiting(phone), required(tablet))
		authn.each = func() { m.clock.Advance((most - 6*time.Second) / 2) }
		flow := m.flow(authn, ours)
		flow.Policy.PushTimeout = most
		s, err := run(t.Context(), flow, required(phone), want{})
		assert.ErrorIs(t, err, mfa.ErrNoTime, "too little is left for a second push")
		assert.True(t, s.Challenged())
	})
	t.Run("held", func(t *testing.T) {
		t.Parallel()
		m := newMount(threeInTen)
		flow := m.flow(scripted(waiting(phone)), ours)
		flow.Hold, flow.Policy.PushTimeout = true, most
		s, err := flow.Begin(t.Context(), required(phone), mfa.Input{})
		require.NoError(t, err)
		m.clock.Advance(4 * most)
		st, err := s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
		require.NoError(t, err)
		assert.Equal(t, []any{mfa.PhaseWaiting, okta.FactorPush}, []any{st.Phase, st.Factor.Type})
	})
}
