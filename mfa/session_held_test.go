package mfa_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// newHeld is a validation that goes on from call to call.
func newHeld(t testing.TB, b *bench) *validation {
	t.Helper()
	v := b.validation(ours)
	t.Cleanup(func() { v.Close(context.Background()) })
	return v
}

// continued asks until the push no longer waits.
func continued(t testing.TB, v *validation, required []mfa.Required) error {
	t.Helper()
	var err error
	require.Eventually(t, func() bool {
		var waiting *mfa.State
		waiting, err = v.Continue(t.Context(), required, nil)
		return waiting == nil || err != nil
	}, patience, time.Millisecond)
	return err
}

// TestContinue: a push waits, with its number and its phone, until it is decided;
// then the end is told once.
func TestContinue(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		number    *int
		expires   time.Time
		decided   error
		ends      time.Duration
		retryable bool
	}{
		{name: "approved"},
		{name: "approved, with a number", number: answerOf(47), expires: noon.Add(time.Minute), ends: time.Minute},
		{name: "approved, number zero", number: answerOf(0), expires: noon.Add(time.Hour)},
		{name: "rejected", decided: mfa.ErrRejected},
		{name: "not answered", decided: mfa.ErrPushTimeout},
		{name: "Okta wants to be left alone", decided: muchTooSoon(), retryable: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(mfa.PushLimit{}).waits()
			b.phone.number, b.phone.expires = tc.number, tc.expires
			methods := need(b.phone)
			v := newHeld(t, b)
			given := mfa.Given{"id of phone": {Device: "Phone 1"}}
			for range 3 {
				waiting, err := v.Continue(t.Context(), methods, given)
				given = nil
				require.NoError(t, err)
				require.NotNil(t, waiting)
				assert.Equal(t, &methods[0], waiting.Method)
				assert.Equal(t, "Phone 1", waiting.Device)
				if tc.number == nil {
					assert.Nil(t, waiting.Number)
				} else {
					assert.Equal(t, &mfa.Number{Answer: *tc.number, Device: "Phone 1", ExpiresAt: waiting.ExpiresAt}, waiting.Number)
				}
				if tc.ends > 0 {
					assert.Equal(t, tc.ends, waiting.ExpiresAt.Sub(noon))
				} else {
					assert.InDelta(t, mfa.MaxWait, waiting.ExpiresAt.Sub(noon), float64(10*time.Second))
				}
				assert.True(t, v.Challenged())
				assert.False(t, v.Over())
			}
			assert.Equal(t, "prepare phone, ring phone", b.journal.read(), "one push, however often it is asked about")
			b.phone.decided <- tc.decided
			err := continued(t, v, methods)
			if tc.decided == nil {
				assert.NoError(t, err)
			} else {
				assertAt(t, "phone", tc.decided, err)
			}
			assert.Equal(t, tc.decided == nil, v.Passed())
			assert.Equal(t, !tc.retryable, v.Over())
			if !tc.retryable {
				waiting, err := v.Continue(t.Context(), methods, nil)
				assert.ErrorIs(t, err, mfa.ErrOver, "it is told once")
				assert.Nil(t, waiting)
			}
			assert.Empty(t, b.journal.read())
		})
	}
}

// TestContinueNumberComesLate: it is told by the next call.
func TestContinueNumberComesLate(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	v := newHeld(t, b)
	waiting, err := v.Continue(t.Context(), need(b.phone), nil)
	require.NoError(t, err)
	assert.Nil(t, waiting.Number)
	x := soon(t, b.phone.rang)
	for _, n := range []int{7, 0} {
		x.show(n)
		again, err := v.Continue(t.Context(), need(b.phone), nil)
		require.NoError(t, err)
		assert.Equal(t, n, again.Number.Answer)
	}
	assert.Nil(t, waiting.Number, "what was told stays what it was")
}

// TestContinueTwoPushes: one after the other, each with a number of its own.
func TestContinueTwoPushes(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	b.phone.number = answerOf(47)
	second := &fakeMethod{name: "second", journal: &b.journal, rings: "mia elsewhere", rang: make(chan *fakePush, 1), decided: make(chan error, 1)}
	v := newHeld(t, b)
	methods := need(b.phone, second)
	waiting, err := v.Continue(t.Context(), methods, nil)
	require.NoError(t, err)
	assert.Equal(t, "phone", waiting.Method.Name)
	assert.NotNil(t, waiting.Number)
	b.phone.decided <- nil
	soon(t, b.phone.rang)
	require.Eventually(t, func() bool {
		waiting, err = v.Continue(t.Context(), methods, nil)
		return err != nil || waiting.Method.Name == "second"
	}, patience, time.Millisecond)
	require.NoError(t, err)
	assert.True(t, soon(t, second.rang).Numbers, "each is told")
	assert.Equal(t, "second", waiting.Method.Name)
	assert.Nil(t, waiting.Number, "the number was the first one's")
	second.decided <- nil
	assert.NoError(t, continued(t, v, methods))
}

// TestContinueRetries: what can be mended does not end the login, and what has
// been satisfied is not asked for again.
func TestContinueRetries(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	methods := need(b.app, b.text, b.phone)
	v := newHeld(t, b)
	b.text.sends = false

	_, err := v.Continue(t.Context(), methods, nil)
	assertMissing(t, "app, text", err)
	assert.Equal(t, "prepare app, prepare phone, prepare text", b.journal.read())
	_, err = v.Continue(t.Context(), methods, gave(map[string]string{"app": "000000", "text": "333333"}))
	assertAt(t, "app", mfa.ErrWrongPassCode, err)
	assert.Equal(t, "prepare app, prepare phone, prepare text, answer app", b.journal.read())
	_, err = v.Continue(t.Context(), methods, gave(map[string]string{"app": "111111", "text": "000000"}))
	assertAt(t, "text", mfa.ErrWrongPassCode, err)
	assert.False(t, v.Challenged())
	b.journal.read()
	b.text.refuses = &mfa.CredentialError{Problem: "takes no passcode like that"}
	_, err = v.Continue(t.Context(), methods, gave(map[string]string{"text": "x"}))
	assertAt(t, "text", b.text.refuses, err)
	b.text.refuses = nil
	assert.Equal(t, "prepare phone, prepare text", b.journal.read())
	assert.False(t, v.Over())
	waiting, err := v.Continue(t.Context(), methods, gave(map[string]string{"text": "333333"}))
	require.NoError(t, err)
	require.NotNil(t, waiting)
	assert.Equal(t, "prepare phone, prepare text, answer text, ring phone", b.journal.read())
	b.phone.decided <- nil
	assert.NoError(t, continued(t, v, methods))
	assert.Empty(t, b.journal.read())
}

// TestContinueSends: a code is sent by one call and brought by the next.
func TestContinueSends(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{})
	sent := &mfa.CodeSentError{}
	b.text.fails = sent
	v := newHeld(t, b)
	_, err := v.Continue(t.Context(), need(b.text), nil)
	assertMissing(t, "text", err)
	assert.False(t, v.Over())
	assert.True(t, v.Challenged())
	b.text.fails = nil
	_, err = v.Continue(t.Context(), need(b.text), gave(map[string]string{"text": "333333"}))
	assert.NoError(t, err)
	assert.True(t, v.Over())
	assert.Equal(t, "prepare text, send text, prepare text, answer text", b.journal.read())
}

// TestContinueOtherwise: in place of a push that waits, the person takes another
// phone, or a passcode. The push is taken back first.
func TestContinueOtherwise(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	methods := need(b.phone)
	v := newHeld(t, b)
	b.phone.number = answerOf(5)
	_, err := v.Continue(t.Context(), methods, mfa.Given{"id of phone": {Device: "Phone 1"}})
	require.NoError(t, err)
	b.phone.number = nil
	waiting, err := v.Continue(t.Context(), methods, mfa.Given{"id of phone": {Device: "Tablet"}})
	require.NoError(t, err)
	assert.Equal(t, "Tablet", waiting.Device)
	assert.Nil(t, waiting.Number)
	assert.Equal(t, "prepare phone, ring phone, prepare phone, withdraw phone, ring phone", b.journal.read())
	_, err = v.Continue(t.Context(), methods, gave(map[string]string{"phone": "000000"}))
	assertAt(t, "phone", mfa.ErrWrongPassCode, err)
	assert.Equal(t, "prepare phone, withdraw phone, answer phone", b.journal.read())
	waiting, err = v.Continue(t.Context(), methods, gave(map[string]string{"phone": "222222"}))
	assert.NoError(t, err)
	assert.Nil(t, waiting)
	assert.Equal(t, "prepare phone, answer phone", b.journal.read())
	assert.True(t, v.Over())
}

// TestContinueMoreRequired: what the mount requires may change while a push
// waits.
func TestContinueMoreRequired(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	v := newHeld(t, b)
	_, err := v.Continue(t.Context(), need(b.phone), nil)
	require.NoError(t, err)
	waiting, err := v.Continue(t.Context(), need(b.phone, b.app), nil)
	require.NoError(t, err)
	assert.NotNil(t, waiting)
	b.phone.decided <- nil
	assertMissing(t, "app", continued(t, v, need(b.phone, b.app)))
	assert.False(t, v.Over())
	b.journal.read()
	_, err = v.Continue(t.Context(), need(b.phone, b.app), gave(map[string]string{"app": "111111"}))
	assert.NoError(t, err)
	assert.Equal(t, "prepare app, answer app", b.journal.read())
	assert.True(t, v.Over())
}

// TestContinueCallerLeaves: a call on a held login is served to its end, also where
// its caller leaves meanwhile.
func TestContinueCallerLeaves(t *testing.T) {
	t.Parallel()
	t.Run("while a method is prepared", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{}).waits()
		v := newHeld(t, b)
		_, err := v.Continue(t.Context(), need(b.app), nil)
		assertMissing(t, "app", err)
		b.journal.read()
		gate := &gated{fakeMethod: b.phone, begun: make(chan struct{}), open: make(chan struct{})}
		methods := []mfa.Required{{ID: "1", Name: "phone", Method: gate}}
		ctx, cancel := context.WithCancel(t.Context())
		done := begin(func() error { _, err := v.Continue(ctx, methods, nil); return err })
		soon(t, gate.begun)
		cancel()
		close(gate.open)
		assert.NoError(t, soon(t, done))
		waiting, err := v.Continue(t.Context(), methods, nil)
		require.NoError(t, err)
		assert.NotNil(t, waiting)
		assert.Equal(t, "prepare phone, ring phone", b.journal.read(), "of one call after the other there is one push")
		b.phone.decided <- nil
		assert.NoError(t, continued(t, v, methods))
	})
	t.Run("while the push is taken back", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{}).waits()
		b.phone.slow = make(chan struct{})
		v := newHeld(t, b)
		_, err := v.Continue(t.Context(), need(b.phone), nil)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := begin(func() error {
			_, err := v.Continue(ctx, need(b.phone), gave(map[string]string{"phone": "000000"}))
			return err
		})
		push := soon(t, b.phone.rang)
		soon(t, push.withdrawn)
		cancel()
		close(b.phone.slow)
		assertAt(t, "phone", mfa.ErrWrongPassCode, soon(t, done))
		_, err = v.Continue(t.Context(), need(b.phone), gave(map[string]string{"phone": "222222"}))
		assert.NoError(t, err)
		assert.Equal(t, "prepare phone, ring phone, prepare phone, withdraw phone, gone phone, answer phone, prepare phone, answer phone", b.journal.read())
	})
	t.Run("before its call is served", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{}).waits()
		v := newHeld(t, b)
		_, err := v.Continue(t.Context(), need(b.phone), nil)
		require.NoError(t, err)
		gate := &gated{fakeMethod: b.app, begun: make(chan struct{}), open: make(chan struct{})}
		methods := []mfa.Required{{ID: "1", Name: "app", Method: gate}}
		first := begin(func() error { _, err := v.Continue(t.Context(), methods, nil); return err })
		soon(t, gate.begun)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = v.Continue(ctx, methods, nil)
		assert.ErrorIs(t, err, context.Canceled)
		close(gate.open)
		assertMissing(t, "app", soon(t, first))
		assert.False(t, v.Over())
	})
}

// gated is a method that is prepared once its gate is open.
type gated struct {
	*fakeMethod
	once        sync.Once
	begun, open chan struct{}
}

func (g *gated) Prepare(ctx context.Context, who mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	g.once.Do(func() { close(g.begun) })
	<-g.open
	return g.fakeMethod.Prepare(ctx, who, c)
}

// TestValidationClose: Close takes the push back, also where its caller has left.
func TestValidationClose(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	v := newHeld(t, b)
	assert.False(t, v.Over())
	_, err := v.Continue(t.Context(), need(b.phone), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v.Close(ctx)
	assert.Equal(t, "prepare phone, ring phone, withdraw phone", b.journal.read(), "when Close returns")
	assert.True(t, v.Over())
	for range 2 {
		waiting, err := v.Continue(t.Context(), need(b.phone), gave(map[string]string{"phone": "222222"}))
		assert.ErrorIs(t, err, mfa.ErrOver)
		assert.Nil(t, waiting)
	}
	assert.Empty(t, b.journal.read())
	assert.True(t, v.Challenged())
	v.Close(t.Context())

	blocked := b.validation(ours)
	done := begin(func() error { return blocked.Run(t.Context(), need(b.phone), nil) })
	soon(t, b.phone.rang)
	soon(t, b.phone.rang)
	blocked.Close(t.Context())
	assert.ErrorIs(t, soon(t, done), mfa.ErrOver)
}

// TestContinueReplaced: a held login makes room for the next one with the same nonce,
// and for none with another.
func TestContinueReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{}).waits()
	one, stranger, two := newHeld(t, b), b.validation(theirs), newHeld(t, b)
	_, err := one.Continue(t.Context(), need(b.phone), nil)
	require.NoError(t, err)
	_, err = stranger.Continue(t.Context(), need(b.phone), nil)
	assertError(t, errRefused, err)
	assert.False(t, stranger.Over(), "there may be another way")
	_, err = stranger.Continue(t.Context(), need(b.phone), gave(map[string]string{"phone": "222222"}))
	assert.NoError(t, err)

	b.journal.read()
	waiting, err := two.Continue(t.Context(), need(b.phone), nil)
	require.NoError(t, err)
	assert.NotNil(t, waiting)
	assert.Equal(t, "prepare phone, withdraw phone, ring phone", b.journal.read())
	assert.True(t, one.Over())
	waiting, err = one.Continue(t.Context(), need(b.phone), nil)
	assert.ErrorIs(t, err, mfa.ErrReplaced)
	assert.Nil(t, waiting)
	b.phone.decided <- nil
	assert.NoError(t, continued(t, two, need(b.phone)))
}

// TestContinueTogether: of many calls at the same time, one is told of the
// success.
func TestContinueTogether(t *testing.T) {
	t.Parallel()
	for range 20 {
		b := newBench(mfa.PushLimit{})
		v := b.validation(ours)
		_, err := v.Continue(t.Context(), need(b.app, b.phone), nil)
		assertMissing(t, "app", err)
		var all sync.WaitGroup
		results := make(chan error, 8)
		for range 8 {
			all.Go(func() {
				for {
					waiting, err := v.Continue(t.Context(), need(b.app, b.phone), gave(map[string]string{"app": "111111"}))
					if waiting == nil {
						results <- err
						return
					}
				}
			})
		}
		all.Wait()
		close(results)
		passed := 0
		for err := range results {
			if err == nil {
				passed++
			} else {
				assert.ErrorIs(t, err, mfa.ErrOver)
			}
		}
		assert.Equal(t, 1, passed)
		v.Close(t.Context())
	}
}
