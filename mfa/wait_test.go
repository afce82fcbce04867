package mfa_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

func expiring(at time.Time) okta.Transaction {
	tx := waiting(phone)
	tx.ExpiresAt = at
	return tx
}

// TestPollInterval: never sooner than 2 s, with a jitter of less than 0.5 s,
// and until the approval comes.
func TestPollInterval(t *testing.T) {
	t.Parallel()
	clock := newClock()
	authn := scripted()
	for range 30 {
		authn.add(waiting(phone))
	}
	authn.add(success(mia))
	flow := authn.flow()
	flow.Clock = clock
	_, err := run(t.Context(), flow, required(phone), want{})
	require.NoError(t, err)
	require.Len(t, clock.sleeps(), 30)
	different := map[time.Duration]bool{}
	for i, d := range clock.sleeps() {
		least := mfa.PollInterval
		if i == 0 {
			least = time.Second // the first ones are spread wider
		}
		assert.GreaterOrEqual(t, d, least)
		assert.Less(t, d, mfa.PollInterval+500*time.Millisecond)
		different[d] = true
	}
	assert.Greater(t, len(different), 15)
}

// TestHeldInterval: who continues a held login as often as they like does not ask
// Okta more often than others, and who does so every PollInterval is never told
// that it is too early.
func TestHeldInterval(t *testing.T) {
	t.Parallel()
	authn := scripted(waiting(phone))
	l, flow := authn.hold(t, required(phone), want{})
	clock := flow.Clock.(*fakeClock)
	authn.asked()
	for range 50 {
		clock.Advance(100 * time.Millisecond)
		_, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, strings.Count(authn.asked(), "verify"), 3, "in five seconds")
	clock.Advance(mfa.PollInterval)
	for range 20 {
		_, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
		require.NoError(t, err)
		assert.Equal(t, "verify opf1 t1", authn.asked())
		clock.Advance(mfa.PollInterval)
	}
}

// TestPollEnds: at the newest expiry, and at MaxWait whatever the expiry says.
func TestPollEnds(t *testing.T) {
	t.Parallel()
	t.Run("expiry", func(t *testing.T) {
		t.Parallel()
		authn := scripted(expiring(noon.Add(3 * time.Second)))
		_, err := run(t.Context(), authn.flow(), required(phone), want{})
		assert.ErrorIs(t, err, mfa.ErrPushTimeout)
		assert.Equal(t, "verify opf1 t1, verify opf1 t1, cancel t1", authn.asked())
	})
	t.Run("expiry that slides", func(t *testing.T) {
		t.Parallel()
		later := expiring(noon.Add(30 * time.Second))
		authn := scripted(expiring(noon.Add(3*time.Second)), later, later, success(mia))
		_, err := run(t.Context(), authn.flow(), required(phone), want{})
		assert.NoError(t, err)
	})
	for name, expires := range map[string]time.Time{"for ever": noon.Add(1000 * time.Hour), "without an expiry": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authn := scripted(expiring(expires))
			flow := authn.flow()
			l, err := run(t.Context(), flow, required(phone), want{})
			assert.ErrorIs(t, err, mfa.ErrPushTimeout)
			assert.True(t, l.Challenged())
			assert.True(t, strings.HasSuffix(authn.asked(), "verify opf1 t1, cancel t1"))
			waited := flow.Clock.Now().Sub(noon)
			assert.Greater(t, waited, mfa.MaxWait)
			assert.Less(t, waited, mfa.MaxWait+3*time.Second)
		})
	}
}

// TestPollEndsBeforeTheDeadline: while there is still somebody to answer to.
func TestPollEndsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	ctx := methodtest.Within(t.Context(), time.Minute)
	authn := scripted(waiting(phone))
	flow := authn.flow()
	_, err := run(ctx, flow, required(phone), want{})
	assert.ErrorIs(t, err, mfa.ErrPushTimeout)
	assert.InDelta(t, 56, flow.Clock.Now().Sub(noon).Seconds(), 3)
	assertFarewell(t, authn, "cancel t1")
}

// TestContextEnds: the login stops where its context does, and takes its leave
// of Okta all the same.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tx   okta.Transaction
		want want
	}{
		"push":     {required(phone), want{}},
		"passcode": {required(verify), want{PassCode: code}},
		"code":     {required(sms), want{}},
		"warning":  {state(okta.StatusPasswordWarn), want{}},
	} {
		t.Run("before "+name, func(t *testing.T) {
			t.Parallel()
			for range 20 { // what is ready at the same time comes in any order
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				authn := scripted(success(mia))
				l, err := run(ctx, authn.flow(), tc.tx, tc.want)
				assert.ErrorIs(t, err, context.Canceled)
				assert.True(t, l.Over())
				assertFarewell(t, authn, "cancel t1")
			}
		})
	}
	t.Run("between Start and Wait", func(t *testing.T) {
		t.Parallel()
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			authn := scripted(waiting(phone))
			l, err := authn.flow().Begin(ctx, required(phone), mfa.Input{Want: want{}})
			require.NoError(t, err)
			cancel()
			assert.ErrorIs(t, l.Run(ctx), context.Canceled)
			assert.True(t, l.Over())
			assertFarewell(t, authn, "verify opf1 t1, cancel t1")
		}
	})
	t.Run("during a sleep", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		clock := newClock()
		clock.each = func(n int) {
			if n == 3 {
				cancel()
			}
		}
		authn := scripted(waiting(phone))
		flow := authn.flow()
		flow.Clock = clock
		l, err := run(ctx, flow, required(phone), want{})
		assert.ErrorIs(t, err, context.Canceled)
		assert.True(t, l.Challenged())
		assertFarewell(t, authn, "verify opf1 t1, verify opf1 t1, verify opf1 t1, cancel t1")
	})
	t.Run("during the push", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		authn := scripted(waiting(phone))
		authn.each = cancel
		l, err := run(ctx, authn.flow(), required(phone), want{})
		assert.ErrorIs(t, err, context.Canceled)
		assert.True(t, l.Challenged())
		assertFarewell(t, authn, "verify opf1 t1, cancel t1")
	})
	t.Run("during a pause between phones", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		clock := newClock()
		clock.each = func(int) { cancel() }
		authn := scripted(waiting(phone))
		flow := authn.flow()
		flow.Clock, flow.Policy.AllDevices = clock, true
		_, err := run(ctx, flow, required(phone, tablet), want{})
		assert.ErrorIs(t, err, context.Canceled)
		assertFarewell(t, authn, "verify opf1 t1, cancel t1")
	})
	// With the clock of the system, in a bubble: within the sleep, not after it.
	t.Run("during a sleep of the system", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			authn := scripted(expiring(began.Add(time.Minute)))
			flow := authn.flow()
			flow.Clock = nil
			l, err := flow.Begin(ctx, living(required(phone)), mfa.Input{Want: want{}})
			require.NoError(t, err)
			time.AfterFunc(20*time.Millisecond, cancel)
			assert.ErrorIs(t, l.Run(ctx), context.Canceled)
			assert.Equal(t, 20*time.Millisecond, time.Since(began))
			assertFarewell(t, authn, "verify opf1 t1, cancel t1")
		})
	})
	t.Run("after a sleep of the system", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			authn := scripted(expiring(time.Now().Add(time.Minute)), success(mia))
			flow := authn.flow()
			flow.Clock, flow.Policy.AllDevices = nil, true
			authn.answers = said(expiring(time.Now().Add(time.Minute)), okta.ErrUnreachable, success(mia))
			began := time.Now()
			l, err := flow.Begin(t.Context(), living(required(phone, tablet)), mfa.Input{Want: want{}}) // sleeps between the phones
			require.NoError(t, err)
			assert.GreaterOrEqual(t, time.Since(began), 400*time.Millisecond)
			l.Close(t.Context())
			assertFarewell(t, authn, "verify opf1 t1, again, cancel t1")
		})
	})
}

// living lets a transaction live for a minute of the system's clock.
func living(tx okta.Transaction) okta.Transaction {
	tx.ExpiresAt = time.Now().Add(time.Minute)
	return tx
}

// assertFarewell wants the last request to be a Cancel that had the time to be
// sent.
func assertFarewell(t *testing.T, s *script, asked string) {
	t.Helper()
	got := s.asked()
	if !strings.HasPrefix(asked, "cancel") {
		assert.Equal(t, asked, got)
	}
	assert.True(t, strings.HasSuffix(got, "cancel t1"), "the end of %q", got)
	assert.NoError(t, s.cancelErr, "Cancel needs a context that lives")
	assert.Greater(t, s.cancelLeft, time.Duration(0), "Cancel needs an end")
	assert.LessOrEqual(t, s.cancelLeft, 5*time.Second)
}
