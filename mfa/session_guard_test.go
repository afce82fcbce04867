package mfa_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
)

// TestValidationOnePushAtATime: while one waits, a login of the same person gets none,
// unless it has the same nonce: then it takes the place of the one that waits.
func TestValidationOnePushAtATime(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, first, second string
		replaces            bool
	}{
		{"another nonce", ours, theirs, false},
		{"no nonce", ours, "", false},
		{"both without a nonce", "", "", false},
		{"the same nonce", ours, ours, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(mfa.PushLimit{}).waits()
			one, two := b.validation(tc.first), b.validation(tc.second)
			first := begin(func() error { return one.Run(t.Context(), need(b.phone), nil) })
			soon(t, b.phone.rang)
			b.journal.read()
			second := begin(func() error {
				return two.Run(t.Context(), need(b.app, b.phone), gave(map[string]string{"app": "111111"}))
			})
			if tc.replaces {
				soon(t, b.phone.rang)
				assert.ErrorIs(t, soon(t, first), mfa.ErrReplaced)
				assert.True(t, one.Over())
				assert.False(t, one.Passed())
				b.phone.decided <- nil
				assert.NoError(t, soon(t, second))
				assert.Equal(t, "prepare app, prepare phone, answer app, withdraw phone, ring phone", b.journal.read(),
					"one is taken back before the other rings")
				return
			}
			err := soon(t, second)
			var at *mfa.MethodError
			require.ErrorAs(t, err, &at)
			assert.Equal(t, "phone", at.Method.Name)
			var spared *mfa.ChallengeRefusedError
			require.ErrorAs(t, err, &spared)
			assert.True(t, spared.Waiting)
			assert.InDelta(t, mfa.MaxWait, spared.Wait, float64(6*time.Second))
			assert.True(t, mfa.NotSent(err))
			assert.True(t, mfa.Retryable(err))
			assert.False(t, two.Challenged())
			assert.Equal(t, "prepare app, prepare phone, answer app", b.journal.read())

			assert.NoError(t, b.validation(tc.second).Run(t.Context(), need(b.phone), gave(map[string]string{"phone": "222222"})),
				"a passcode needs nobody's leave")
			other := &fakeMethod{name: "other", journal: &b.journal, rings: "eve"}
			assert.NoError(t, b.validation(tc.second).Run(t.Context(), need(other), nil), "somebody else has a phone of their own")
			b.phone.decided <- nil
			assert.NoError(t, soon(t, first), "the one that waits goes on")
		})
	}
}

// TestValidationAndLogin: a person has one phone, whether Okta's sign-on policy
// makes it ring or a method.
func TestValidationAndLogin(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	b.phone.rings = " " + mia.ID // a person of the org without a name, as those of flow are
	v := b.validation(ours)
	done := begin(func() error { return v.Run(t.Context(), need(b.phone), nil) })
	soon(t, b.phone.rang)
	authn := scripted(waiting(phone))
	_, err := run(t.Context(), b.flow(authn, theirs), required(phone), want{})
	assertError(t, errRefused, err)
	assert.Equal(t, "cancel t1", authn.asked())

	authn = scripted(success(mia))
	_, err = run(t.Context(), b.flow(authn, ours), required(phone), want{})
	assert.NoError(t, err)
	assert.ErrorIs(t, soon(t, done), mfa.ErrReplaced)
	assert.Equal(t, "prepare phone, ring phone, withdraw phone", b.journal.read())

	held, err := b.hold(t, scripted(waiting(phone)), theirs, required(phone))
	require.NoError(t, err)
	err = b.validation(ours).Run(t.Context(), need(b.phone), nil)
	assertError(t, errRefused, err)
	held.Close(t.Context())
}

// TestValidationLimit: after too many pushes that went wrong, no phone rings for
// a while; a passcode does.
func TestValidationLimit(t *testing.T) {
	t.Parallel()
	limit := mfa.PushLimit{Failures: 2, Window: time.Hour}
	for _, tc := range []struct {
		name    string
		first   func(t testing.TB) error // what the first push ends with
		counts  bool
		rejects bool
	}{
		{"rejected", func(testing.TB) error { return mfa.ErrRejected }, true, true},
		{"not answered", func(testing.TB) error { return mfa.ErrPushTimeout }, true, false},
		{"failed", func(testing.TB) error { return mfa.ErrFactorFailed }, true, false},
		{"denied by the service", func(testing.TB) error { return &mfa.DeniedError{Reason: "fraud"} }, true, false},
		{"rejected at the factor's service", func(testing.TB) error { return refused("E0000073") }, true, true},
		{"approved", func(testing.TB) error { return nil }, false, false},
		{"not sent", unsent, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(limit)
			ring := func(end error) error {
				b.phone.fails = end
				v := b.validation(ours)
				err := v.Run(t.Context(), need(b.phone), nil)
				assert.Equal(t, !mfa.NotSent(err), v.Challenged())
				return err
			}
			end := tc.first(t)
			assert.ErrorIs(t, ring(end), end)
			assert.ErrorIs(t, ring(mfa.ErrPushTimeout), mfa.ErrPushTimeout)
			b.journal.read()
			err := ring(nil)
			if !tc.counts {
				assert.NoError(t, err)
				return
			}
			var spared *mfa.ChallengeRefusedError
			require.ErrorAs(t, err, &spared)
			assert.Equal(t, mfa.ChallengeRefusedError{Wait: time.Hour}, *spared)
			assert.True(t, mfa.NotSent(err))
			assert.Equal(t, "prepare phone", b.journal.read())
			assert.NoError(t, b.validation(ours).Run(t.Context(), need(b.phone), gave(map[string]string{"phone": "222222"})))

			b.clock.Advance(time.Hour)
			assert.NoError(t, ring(nil), "it has its end")
			// Who approves has missed the others themselves; what was rejected was
			// somebody else's.
			assert.ErrorIs(t, ring(mfa.ErrPushTimeout), mfa.ErrPushTimeout)
			assert.NoError(t, ring(nil))
		})
	}
	t.Run("an approval forgives no rejection", func(t *testing.T) {
		t.Parallel()
		for _, end := range []error{mfa.ErrRejected, mfa.ErrPushTimeout} {
			b := newBench(limit)
			for _, err := range []error{end, nil, end} {
				b.phone.fails = err
				assert.ErrorIs(t, b.validation(ours).Run(t.Context(), need(b.phone), nil), err)
			}
			b.phone.fails = nil
			err := b.validation(ours).Run(t.Context(), need(b.phone), nil)
			if end == mfa.ErrRejected {
				assertError(t, errRefused, err)
			} else {
				assert.NoError(t, err)
			}
		}
	})
	t.Run("one that is replaced counts", func(t *testing.T) {
		t.Parallel()
		b := newBench(limit).waits()
		v := b.validation(ours)
		done := begin(func() error { return v.Run(t.Context(), need(b.phone), nil) })
		soon(t, b.phone.rang)
		next := begin(func() error { return b.validation(ours).Run(t.Context(), need(b.phone), nil) })
		soon(t, b.phone.rang)
		assert.ErrorIs(t, soon(t, done), mfa.ErrReplaced)
		err := b.validation(ours).Run(t.Context(), need(b.phone), nil)
		var spared *mfa.ChallengeRefusedError
		require.ErrorAs(t, err, &spared)
		assert.True(t, spared.Waiting, "to withdraw it would leave the person with none")
		b.phone.decided <- nil
		assert.NoError(t, soon(t, next))
	})
}

// TestValidationChallenged: only what may have reached a phone has.
func TestValidationChallenged(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, b *bench)
		want   bool
	}{
		{"approved", func(*testing.T, *bench) {}, true},
		{"rejected", func(_ *testing.T, b *bench) { b.phone.fails = mfa.ErrRejected }, true},
		{"failed", func(_ *testing.T, b *bench) { b.phone.fails = broken() }, true},
		{"lost", func(_ *testing.T, b *bench) { b.phone.fails, b.phone.lost = broken(), true }, true},
		{"not sent", func(t *testing.T, b *bench) { b.phone.fails = unsent(t) }, false},
		{"refused at once", func(_ *testing.T, b *bench) { b.phone.refuses = mfa.ErrNoFactor }, false},
		{"code", func(_ *testing.T, b *bench) { b.text.fails = &mfa.CodeSentError{}; b.phone = b.text }, true},
		{"code that was lost", func(_ *testing.T, b *bench) { b.text.fails = broken(); b.phone = b.text }, true},
		{"code that was not sent", func(t *testing.T, b *bench) { b.text.fails = unsent(t); b.phone = b.text }, false},
		{"while it waits", func(_ *testing.T, b *bench) { b.waits() }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(mfa.PushLimit{})
			tc.change(t, b)
			v := b.validation(ours)
			assert.False(t, v.Challenged())
			done := begin(func() error { return v.Run(t.Context(), need(b.phone), nil) })
			if b.phone.decided != nil {
				soon(t, b.phone.rang)
				assert.True(t, v.Challenged())
				b.phone.decided <- nil
			}
			_ = soon(t, done)
			assert.Equal(t, tc.want, v.Challenged())
		})
	}
}

// slowToRing is a method whose service takes its time before the phone rings.
type slowToRing struct {
	*fakeMethod
	pass func() // the time
}

func (f slowToRing) Prepare(ctx context.Context, who mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	a, err := f.fakeMethod.Prepare(ctx, who, c)
	ring := a.Ring
	a.Ring = func(ctx context.Context, x mfa.Exchange) (mfa.Push, error) {
		f.pass()
		return ring(ctx, x)
	}
	return a, err
}

// TestValidationContext: Run stops where its caller does, takes the push back,
// and makes room for the next.
func TestValidationContext(t *testing.T) {
	t.Parallel()
	t.Run("ends while a push waits", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{Failures: 1, Window: time.Hour}).waits()
		v := b.validation(ours)
		ctx, cancel := context.WithCancel(t.Context())
		done := begin(func() error { return v.Run(ctx, need(b.phone), nil) })
		soon(t, b.phone.rang)
		cancel()
		err := soon(t, done)
		assertAt(t, "phone", context.Canceled, err)
		assert.False(t, mfa.NotSent(err))
		assert.Equal(t, "prepare phone, ring phone, withdraw phone", b.journal.read())
		assert.True(t, v.Challenged())
		assert.False(t, v.Passed())
		assertError(t, errRefused, b.validation(ours).Run(t.Context(), need(b.phone), nil)) // it counts
	})
	t.Run("the wait ends before the deadline", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{}).waits()
		ctx := methodtest.Within(t.Context(), time.Minute)
		done := begin(func() error { return b.validation(ours).Run(ctx, need(b.phone), nil) })
		x := soon(t, b.phone.rang)
		assert.InDelta(t, 55, x.Until.Sub(noon).Seconds(), 2, "while there is somebody to answer to")
		b.phone.decided <- nil
		assert.NoError(t, soon(t, done))
	})
	t.Run("no time left", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{}).waits()
		ctx := methodtest.Within(t.Context(), 4*time.Second)
		v := b.validation(ours)
		err := v.Run(ctx, need(b.phone), nil)
		assertAt(t, "phone", mfa.ErrNoTime, err)
		assert.True(t, mfa.NotSent(err))
		assert.False(t, v.Challenged())
		assert.Equal(t, "prepare phone", b.journal.read())
	})
	t.Run("a method that waits for longer", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{}).waits()
		ctx := methodtest.Within(t.Context(), 30*time.Second)
		v := b.validation(ours)
		slow := slowToRing{b.phone, func() { b.clock.Advance(25*time.Second - 50*time.Millisecond) }}
		err := v.Run(ctx, []mfa.Required{{ID: "1", Name: "phone", Method: slow}}, nil)
		assertAt(t, "phone", mfa.ErrPushTimeout, err)
		assert.NoError(t, ctx.Err(), "there is somebody to answer to")
		assert.Equal(t, "prepare phone, ring phone, withdraw phone", b.journal.read())
		assert.True(t, v.Challenged())
	})
	t.Run("without a deadline", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{}).waits()
		done := begin(func() error { return b.validation(ours).Run(t.Context(), need(b.phone), nil) })
		assert.Equal(t, noon.Add(mfa.MaxWait), soon(t, b.phone.rang).Until)
		b.phone.decided <- nil
		assert.NoError(t, soon(t, done))
	})
}
