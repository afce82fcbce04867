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

// The tests in this file are about what one half of a session has to know of the
// other: Okta's own challenge and the methods of the mount.

// seam is a login of mia with Okta's own challenge and methods after it.
type seam struct {
	*bench
	authn   *script
	session *mfa.Session
}

// seamFlow is a flow whose methods are required.
func (b *bench) seamFlow(authn mfa.Authn, nonce string, required ...mfa.Required) mfa.Flow {
	flow := b.flow(authn, nonce)
	flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) { return required, nil }
	return flow
}

// newSeam begins a held login on which Okta's push waits.
func newSeam(t *testing.T, limit mfa.PushLimit, factors []okta.Factor, methods ...mfa.Required) *seam {
	t.Helper()
	s := &seam{bench: newBench(limit).waits(), authn: scripted(waiting(factors[0]))}
	flow := s.seamFlow(s.authn, ours, methods...)
	flow.Hold, flow.Show = true, nil
	var err error
	s.session, err = flow.Begin(t.Context(), required(factors...), mfa.Input{})
	require.NoError(t, err)
	return s
}

// next is a call on the login.
func (s *seam) next(t *testing.T, in mfa.Input) (mfa.State, error) {
	t.Helper()
	return s.session.Continue(t.Context(), mfa.Flow{}, in)
}

// oktaMethod is a method of type okta in the org of the login itself.
func oktaMethod(api *factorsScript) mfa.Required {
	m := api.method()
	m.Org, m.Kinds = "", []mfa.Kind{mfa.KindPush, mfa.KindToken}
	return mfa.Required{ID: "id of okta", Name: "okta", Method: m}
}

// elsewhereMethod is a method of type okta in another org.
func elsewhereMethod(api *factorsScript) mfa.Required {
	return mfa.Required{ID: "id of okta", Name: "okta", Method: api.method()}
}

// TestNoPhoneRingsTwiceInOneLogin: Okta's push went to the phone, the person
// answered with a passcode instead, and a method finds the same phone.
func TestNoPhoneRingsTwiceInOneLogin(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, factors ...okta.Factor) (*seam, *factorsScript) {
		api := &factorsScript{factors: factors, answers: []okta.FactorTransaction{{Result: okta.ResultWaiting, ExpiresAt: noon.Add(time.Minute)}}}
		s := newSeam(t, mfa.PushLimit{}, []okta.Factor{phone, verify}, oktaMethod(api))
		s.authn.add(required(phone, verify), success(mia))
		return s, api
	}
	totp := mfa.Input{Want: want{PassCode: code}}

	t.Run("another factor is left", func(t *testing.T) {
		t.Parallel()
		s, api := begin(t, active(phone), active(yubikey))
		_, err := s.next(t, totp)
		refusal := new(mfa.CredentialError)
		require.ErrorAs(t, err, &refusal)
		assert.Contains(t, refusal.Problem, "another push in the same login")
		assert.Contains(t, refusal.Problem, "token", "what else the person can give")
		assert.NotContains(t, api.asked(), "challenge")
		assert.False(t, s.session.Over(), "the person can go on")

		api.answers = []okta.FactorTransaction{{Result: okta.ResultSuccess}}
		st, err := s.next(t, mfa.Input{Given: mfa.Given{"okta": {PassCode: otp}}})
		require.NoError(t, err)
		assert.Equal(t, mfa.PhaseDone, st.Phase)
	})
	t.Run("another phone is left", func(t *testing.T) {
		t.Parallel()
		s, api := begin(t, active(phone), active(tablet))
		st, err := s.next(t, totp)
		require.NoError(t, err)
		assert.Equal(t, mfa.PhaseWaiting, st.Phase)
		assert.Contains(t, api.asked(), "challenge opf2")
	})
	t.Run("nothing is left", func(t *testing.T) {
		t.Parallel()
		s, api := begin(t, active(phone))
		_, err := s.next(t, totp)
		assert.ErrorIs(t, err, mfa.ErrRungBefore)
		assert.NotContains(t, api.asked(), "challenge")
	})
	t.Run("in another org it is another phone", func(t *testing.T) {
		t.Parallel()
		api := &factorsScript{factors: []okta.Factor{active(phone)}, answers: []okta.FactorTransaction{{Result: okta.ResultWaiting}}}
		s := newSeam(t, mfa.PushLimit{}, []okta.Factor{phone, verify}, elsewhereMethod(api))
		s.authn.add(required(phone, verify), success(mia))
		st, err := s.next(t, totp)
		require.NoError(t, err)
		assert.Equal(t, mfa.PhaseWaiting, st.Phase)
	})
}

func active(f okta.Factor) okta.Factor { return with(okta.FactorActive, f) }

// TestCancelBetweenTheHalves: a login that is cancelled while the requirements are
// looked up makes no phone ring.
func TestCancelBetweenTheHalves(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	authn := scripted()
	asked := make(chan struct{})
	flow := b.flow(authn, ours)
	flow.Hold, flow.Show = true, nil
	flow.Require = func(ctx context.Context, _ mfa.Subject) ([]mfa.Required, error) {
		close(asked)
		<-ctx.Done() // by the cancel
		return need(b.phone), nil
	}
	s, err := flow.Begin(t.Context(), required(verify), mfa.Input{})
	require.NoError(t, err)
	authn.add(success(mia))
	done := begin(func() error {
		_, err := s.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: code}})
		return err
	})
	soon(t, asked)
	cancelled := begin(func() error { s.Cancel(t.Context(), mfa.Flow{}); return nil })
	assert.ErrorIs(t, soon(t, done), mfa.ErrOver)
	soon(t, cancelled)
	assert.Empty(t, b.journal.read(), "no method was prepared")
	assert.True(t, s.Over())
}

// TestRequirementAddedBetweenTheHalves: what is required when Okta is satisfied
// counts, not what was required at the start, and so it goes while a push waits.
func TestRequirementAddedBetweenTheHalves(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	authn := scripted()
	var now []mfa.Required
	flow := b.flow(authn, ours)
	flow.Hold, flow.Show = true, nil
	flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) { return now, nil }
	s, err := flow.Begin(t.Context(), required(verify), mfa.Input{})
	require.NoError(t, err)
	now = need(b.phone)
	authn.add(success(mia))
	st, err := s.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: code}})
	require.NoError(t, err)
	require.Equal(t, mfa.PhaseWaiting, st.Phase)
	now = need(b.phone, b.app)
	push := soon(t, b.phone.rang)
	b.phone.decided <- nil
	soon(t, push.done)
	st, err = s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
	require.NoError(t, err)
	require.Equal(t, mfa.PhaseMethods, st.Phase)
	assert.Equal(t, need(b.app), st.Missing)
	now = nil // the operator takes all of it back
	st, err = s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
	require.NoError(t, err)
	assert.Equal(t, mfa.PhaseDone, st.Phase)
}

// TestRequirementDroppedWhileItsPushWaits: nobody waits for a push that no longer
// matters, and it does not count as one that nobody answered.
func TestRequirementDroppedWhileItsPushWaits(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{Failures: 1, Window: time.Hour}).waits()
	v := newHeld(t, b)
	_, err := v.Continue(t.Context(), need(b.phone), nil)
	require.NoError(t, err)
	waiting, err := v.Continue(t.Context(), nil, nil)
	require.NoError(t, err)
	assert.Nil(t, waiting)
	assert.True(t, v.Passed())
	assert.Equal(t, "prepare phone, ring phone, withdraw phone", b.journal.read())
	other := newHeld(t, b)
	_, err = other.Continue(t.Context(), need(b.phone), nil)
	assert.NoError(t, err)
}

// TestGuardKnowsBothHalves: a push that was rejected in one half counts in the
// other.
func TestGuardKnowsBothHalves(t *testing.T) {
	t.Parallel()
	limit := mfa.PushLimit{Failures: 1, Window: time.Hour}
	t.Run("Okta's push, then the method's", func(t *testing.T) {
		t.Parallel()
		b := newBench(limit)
		_, err := run(t.Context(), b.seamFlow(scripted(challenge(phone, okta.ResultRejected)), ours), required(phone), want{})
		assert.ErrorIs(t, err, mfa.ErrRejected)
		b.phone.rings = " " + mia.ID
		_, err = run(t.Context(), b.seamFlow(scripted(success(mia)), ours, need(b.phone)...), required(verify), want{PassCode: code})
		assertError(t, errRefused, err)
		assert.Equal(t, "prepare phone", b.journal.read())
	})
	t.Run("the method's push, then Okta's", func(t *testing.T) {
		t.Parallel()
		b := newBench(limit)
		b.phone.rings, b.phone.fails = " "+mia.ID, mfa.ErrRejected
		_, err := run(t.Context(), b.seamFlow(scripted(success(mia)), ours, need(b.phone)...), required(verify), want{PassCode: code})
		assert.ErrorIs(t, err, mfa.ErrRejected)
		authn := scripted(waiting(phone))
		_, err = run(t.Context(), b.seamFlow(authn, ours), required(phone), want{})
		assertError(t, errRefused, err)
		assert.Equal(t, "cancel t1", authn.asked())
	})
}

// TestNumberOfOneHalfIsKnownToTheOther: a client that waits reads one number in a
// login, whichever half showed it.
func TestNumberOfOneHalfIsKnownToTheOther(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{})
	b.phone.rang, b.phone.number = make(chan *fakePush, 1), answerOf(7)
	flow := b.seamFlow(scripted(waiting(phone), number(phone, 31), success(mia)), ours, need(b.phone)...)
	var shown []int
	flow.Show = func(n mfa.Number) { shown = append(shown, n.Answer) }
	_, err := run(t.Context(), flow, required(phone), want{})
	require.NoError(t, err)
	assert.Equal(t, []int{31}, shown)
	x := soon(t, b.phone.rang)
	assert.False(t, x.Numbers)
	assert.True(t, x.Shown)
}
