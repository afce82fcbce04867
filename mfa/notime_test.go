package mfa_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// lasting lets a transaction expire so long after noon.
func lasting(d time.Duration, tx okta.Transaction) okta.Transaction {
	tx.ExpiresAt = noon.Add(d)
	return tx
}

// TestNoPushWithoutTime: nobody's phone rings for a push that they have no time to
// answer. A code is sent all the same: the next login brings it.
func TestNoPushWithoutTime(t *testing.T) {
	t.Parallel()
	const short = 2 * time.Second
	t.Run("the login ends", func(t *testing.T) {
		t.Parallel()
		m := newMount(threeInTen)
		ctx := methodtest.Within(t.Context(), 5*time.Second+short) // 5 s are for the answer
		authn := scripted(sent(sms))
		l, err := run(ctx, m.flow(authn, ours), required(phone, sms), want{})
		assert.ErrorIs(t, err, mfa.ErrNoTime)
		assert.False(t, l.Challenged())
		assert.Equal(t, "cancel t1", authn.asked())
		_, err = run(ctx, m.flow(authn, ours), required(phone, sms), want{Kind: mfa.KindSMS})
		assertError(t, errSent, err)
		assert.Equal(t, "verify sms1 t1", authn.asked())
	})
	t.Run("the transaction ends", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{Failures: 1, Window: time.Hour})
		authn := scripted(success(mia))
		l, err := run(t.Context(), m.flow(authn, ours), lasting(short, required(phone)), want{})
		assert.ErrorIs(t, err, mfa.ErrNoTime)
		assert.False(t, l.Challenged())
		assert.Equal(t, "cancel t1", authn.asked())
		assert.NoError(t, m.login(t, ours, success(mia)), "it does not count")
	})
	t.Run("of a held login, which stays open for a passcode", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := scripted()
		flow := m.flow(authn, ours)
		flow.Hold = true
		l, err := flow.Begin(t.Context(), required(phone, verify), mfa.Input{Want: want{Kind: mfa.KindTOTP}})
		require.NoError(t, err)
		m.clock.Advance(5*time.Minute - short)
		_, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{Kind: mfa.KindPush}})
		assert.ErrorIs(t, err, mfa.ErrNoTime)
		assert.Empty(t, authn.asked())
		authn.add(success(mia))
		st, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: code}})
		require.NoError(t, err)
		assert.Equal(t, mfa.PhaseDone, st.Phase)
	})
	t.Run("of a further phone's transaction", func(t *testing.T) {
		t.Parallel()
		authn := scripted(waiting(phone), on("t2", lasting(short, required(phone, tablet))), success(mia))
		flow := authn.flow()
		flow.Policy.AllDevices = true
		_, err := run(t.Context(), flow, required(phone, tablet), want{})
		assert.NoError(t, err)
		assert.Equal(t, "verify opf1 t1, again, verify opf1 t1, cancel t2", authn.asked())
	})
	t.Run("of the login, before a further phone", func(t *testing.T) {
		t.Parallel()
		ctx := methodtest.Within(t.Context(), time.Minute)
		m := newMount(mfa.PushLimit{})
		slow := scripted(waiting(phone), success(mia))
		first := true
		slow.each = func() {
			if first {
				m.clock.Advance(51 * time.Second) // Okta is slow to send the first push
			}
			first = false
		}
		flow := m.flow(slow, ours)
		flow.Policy.AllDevices, flow.Again = true, slow.again
		_, err := run(ctx, flow, required(phone, tablet), want{})
		assert.NoError(t, err)
		assert.Equal(t, "verify opf1 t1, verify opf1 t1", slow.asked())
	})
	t.Run("after a wait for another login to end", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{})
		authn := leaving(waiting(phone))
		first := interrupted(t, m, authn)
		soon(t, authn.entered)
		authn.asked()
		second, begun := m.second(t.Context(), authn.script)
		soon(t, begun)
		m.clock.Advance(5*time.Minute - short)
		close(authn.gate)
		assert.ErrorIs(t, soon(t, second), mfa.ErrNoTime)
		soon(t, first)
		assert.NotContains(t, authn.asked(), "verify")
	})
}
