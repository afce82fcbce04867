package mfa_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// notSent is the error of a request that Okta certainly knows nothing of.
func notSent(t *testing.T) error {
	t.Helper()
	c, err := okta.New(okta.Config{OrgURL: "https://127.0.0.1:1"}) // nobody listens there
	require.NoError(t, err)
	_, err = c.Authenticate(t.Context(), login, password)
	require.True(t, okta.Unsent(err), "%v", err)
	return err
}

// TestOneFailedQuestionEndsNoPush: a poll that fails is asked again. Where its answer may
// have been lost, what is read is the state of the transaction, which sends nothing.
func TestOneFailedQuestionEndsNoPush(t *testing.T) {
	t.Parallel()
	const asked = "verify opf1 t1, verify opf1 t1, "
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"unsent":   {notSent(t), asked + "verify opf1 t1"},
		"too slow": {okta.ErrTimeout, asked + "state t1, verify opf1 t1"},
		"closed":   {okta.ErrUnreachable, asked + "state t1, verify opf1 t1"},
		"a page":   {&okta.Error{HTTPStatus: 502}, asked + "state t1, verify opf1 t1"},
		"broken":   {broken(), asked + "state t1, verify opf1 t1"},
	} {
		for _, held := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m := newMount(threeInTen)
				authn := scripted(waiting(phone), tc.err, waiting(phone), success(mia))
				if okta.Unsent(tc.err) {
					authn = scripted(waiting(phone), tc.err, success(mia))
				}
				flow := m.flow(authn, ours)
				flow.Hold = held
				if !held {
					_, err := run(t.Context(), flow, required(phone), want{})
					require.NoError(t, err)
					assert.Equal(t, tc.want, authn.asked())
					return
				}
				s, err := flow.Begin(t.Context(), required(phone), mfa.Input{})
				require.NoError(t, err)
				var st mfa.State
				for range 5 {
					m.clock.Advance(3 * time.Second)
					if st, err = s.Continue(t.Context(), mfa.Flow{}, mfa.Input{}); st.Phase == mfa.PhaseDone {
						break
					}
					require.NoError(t, err)
				}
				assert.Equal(t, mfa.PhaseDone, st.Phase)
				assert.Equal(t, tc.want, authn.asked())
			})
		}
	}
}

// TestWhyThePushEnded: where Okta fails until the wait is over, the error is that of the
// last question, and not that nobody answered.
func TestWhyThePushEnded(t *testing.T) {
	t.Parallel()
	m := newMount(threeInTen)
	authn := scripted(waiting(phone), okta.ErrTimeout)
	_, err := run(t.Context(), m.flow(authn, ours), required(phone), want{})
	assert.ErrorIs(t, err, okta.ErrTimeout)
	assert.NotErrorIs(t, err, mfa.ErrPushTimeout)
	assert.Regexp(t, "^verify opf1 t1, verify opf1 t1(, state t1)+, cancel t1$", authn.asked())
}

// TestLostLastAnswerEndsThePush: where the transaction is gone after an answer was lost,
// the login has ended, and neither asks on nor keeps the person from another push.
func TestLostLastAnswerEndsThePush(t *testing.T) {
	t.Parallel()
	m := newMount(threeInTen)
	answers := []any{waiting(phone), okta.ErrTimeout, refused(okta.CodeInvalidToken)}
	const asked = "verify opf1 t1, verify opf1 t1, state t1, cancel t1"
	authn := scripted(answers...)
	_, err := run(t.Context(), m.flow(authn, ours), required(phone), want{})
	assert.ErrorIs(t, err, okta.ErrTimeout)
	assert.Equal(t, asked, authn.asked())

	authn = scripted(answers...)
	flow := m.flow(authn, ours)
	flow.Hold = true
	s, err := flow.Begin(t.Context(), required(phone), mfa.Input{})
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, err)
		m.clock.Advance(3 * time.Second)
		_, err = s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
	}
	assert.ErrorIs(t, err, okta.ErrTimeout)
	assert.False(t, mfa.Retryable(err))
	assert.Equal(t, "verify opf1 t1, verify opf1 t1, state t1", strings.TrimSuffix(authn.asked(), ", cancel t1"))
}

// TestLostAnswersRingNoPhone: whatever the answer was that was lost, the phone rings
// once.
func TestLostAnswersRingNoPhone(t *testing.T) {
	t.Parallel()
	for result, want := range map[string]error{
		"REJECTED": mfa.ErrRejected, "TIMEOUT": mfa.ErrPushTimeout, "WAITING": nil, "SUCCESS": okta.ErrUnreachable,
	} {
		t.Run(result, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{})
			push := o.user.AddPush("WAITING", result, "SUCCESS")
			o.Fail("verify", oktatest.CloseConnection().Delivered().After(2).Times(1))
			tx, err := o.authenticate(t.Context())
			require.NoError(t, err)
			_, err = run(t.Context(), o.flow(), tx, mfa.Want{})
			assert.ErrorIs(t, err, want)
			assert.Equal(t, 1, push.Pushes())
		})
	}
}

// TestFirstPushIsSentOnce: where Okta certainly knows nothing of the push, it is asked
// for it again, within the login's time. Where that is not certain, the login ends.
func TestFirstPushIsSentOnce(t *testing.T) {
	t.Parallel()
	nothing := notSent(t)
	t.Run("unsent", func(t *testing.T) {
		t.Parallel()
		m := newMount(threeInTen)
		authn := scripted(nothing, nothing, waiting(phone), success(mia))
		s, err := run(t.Context(), m.flow(authn, ours), required(phone), want{})
		require.NoError(t, err)
		assert.True(t, s.Challenged())
		assert.Equal(t, "verify opf1 t1, verify opf1 t1, verify opf1 t1, verify opf1 t1", authn.asked())
	})
	t.Run("never sent", func(t *testing.T) {
		t.Parallel()
		m := newMount(mfa.PushLimit{Failures: 1, Window: time.Hour})
		authn := scripted(nothing)
		s, err := run(t.Context(), m.flow(authn, ours), required(phone), want{})
		assert.ErrorIs(t, err, okta.ErrUnreachable)
		assert.False(t, s.Challenged(), "a client may repeat it")
		assert.Equal(t, "verify opf1 t1, verify opf1 t1, verify opf1 t1, cancel t1", authn.asked())
		assert.NoError(t, m.login(t, ours, waiting(phone), success(mia)), "it does not count")
	})
	t.Run("no time", func(t *testing.T) {
		t.Parallel()
		m := newMount(threeInTen)
		ctx := methodtest.Within(t.Context(), 11*time.Second) // 5 s are for the answer, 5 for the person
		authn := scripted(nothing)
		_, err := run(ctx, m.flow(authn, ours), required(phone), want{})
		assert.ErrorIs(t, err, okta.ErrUnreachable)
		assert.Equal(t, "verify opf1 t1, cancel t1", authn.asked())
	})
	for _, lost := range []error{okta.ErrTimeout, okta.ErrUnreachable, broken(), &okta.Error{HTTPStatus: 502}} {
		t.Run(lost.Error(), func(t *testing.T) {
			t.Parallel()
			m := newMount(threeInTen)
			authn := scripted(lost)
			s, err := run(t.Context(), m.flow(authn, ours), required(phone), want{})
			assertError(t, lost, err)
			assert.True(t, s.Challenged())
			assert.Equal(t, "verify opf1 t1, cancel t1", authn.asked())
		})
	}
}
