package store

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
)

// outdated runs test with a store that knows the entry "a" and all names. Another
// node has written both since, and nobody has told the store.
func outdated(t *testing.T, test func(r *remembering)) {
	synctest.Test(t, func(t *testing.T) {
		r := remember(t, "a", "b")
		r.has(1, false)
		r.set("a", 2)
		r.set("new", 1)
		test(r)
		synctest.Wait()
	})
}

// has asks for what is known and compares it: the version of "a", and whether there is
// a name "new". Nobody may wait for it.
func (r *remembering) has(version int64, isNew bool) {
	r.t.Helper()
	began := time.Now()
	entry, err := r.Get(r.t.Context(), r.s, "a")
	require.NoError(r.t, err)
	assert.Equal(r.t, &numbered{"a", version}, entry)
	names, err := r.Spellings(r.t.Context(), r.s, "NEW")
	require.NoError(r.t, err)
	assert.Equal(r.t, isNew, len(names) > 0, names)
	assert.Zero(r.t, time.Since(began), "somebody has waited")
}

// reads settles what runs in the background, and returns how often storage was read.
func (r *remembering) reads() int {
	synctest.Wait()
	return r.s.Reads()
}

// hang has storage answer nothing until it is released. Reads return what storage
// had when they began.
func (r *remembering) hang() (release func()) {
	released := make(chan struct{})
	r.s.Stage(nil, func(ctx context.Context, _ string) error {
		select {
		case <-released:
			return nil
		case <-ctx.Done():
			return storetest.ErrGone
		}
	})
	return func() {
		r.s.Stage(nil, nil)
		close(released)
	}
}

// TestStorePromise: while storage answers, nobody gets what is more than ten minutes old.
func TestStorePromise(t *testing.T) {
	assert.LessOrEqual(t, maxAge+maxIdle, 10*time.Minute)
	outdated(t, func(r *remembering) {
		r.later(10 * time.Minute)
		r.has(2, true)
	})
}

// What is due is read again, once, and nobody waits for it.
func TestStoreRefreshesInTheBackground(t *testing.T) {
	outdated(t, func(r *remembering) {
		before := r.reads()
		r.later(maxAge - 1)
		r.has(1, false)
		assert.Equal(t, before, r.reads(), "too early")
		r.later(1)
		release := r.hang()
		r.has(1, false)
		assert.Equal(t, before+2, r.reads())
		r.has(1, false)
		assert.Equal(t, before+2, r.reads(), "more than once")
		r.later(retryAfter - 1)
		release()
		assert.Equal(t, before+2, r.reads())
		r.has(2, true)
		r.later(maxAge - retryAfter)
		r.has(2, true)
		assert.Equal(t, before+2, r.reads(), "good for as long again")
		r.later(1)
		r.has(2, true)
		assert.Equal(t, before+4, r.reads(), "from when storage was asked")
	})
}

// An entry that a refresh finds unchanged stays the very one: callers keep what they
// have made of it.
func TestStoreRefreshKeepsWhatHasNotChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := remember(t, "a")
		first, err := r.Get(t.Context(), r.s, "a")
		require.NoError(t, err)
		for range 2 {
			r.later(maxAge)
			again, err := r.Get(t.Context(), r.s, "a")
			require.NoError(t, err)
			r.reads()
			assert.Same(t, first, again)
		}
		assert.Equal(t, 3, r.reads())
	})
}

// A refresh that fails takes nothing away, is tried again after a minute, and ends.
func TestStoreKeepsWhatCannotBeRefreshed(t *testing.T) {
	for name, fault := range map[string]storetest.Step{
		"fails":  func(context.Context, string) error { return storetest.ErrDown },
		"panics": func(context.Context, string) error { panic("storage") },
		"hangs":  func(ctx context.Context, _ string) error { <-ctx.Done(); return storetest.ErrGone },
	} {
		t.Run(name, func(t *testing.T) {
			outdated(t, func(r *remembering) {
				before := r.reads()
				r.later(maxAge)
				r.s.Stage(fault, nil)
				for try := range 30 { // far longer than it would be kept if nobody asked
					r.has(1, false)
					assert.Equal(t, before+2*(try+1), r.reads())
					time.Sleep(readTimeout) // of this bubble
					r.later(retryAfter - 1)
					r.has(1, false)
					assert.Equal(t, before+2*(try+1), r.reads(), "too early")
					r.later(1)
				}
				assert.EqualValues(t, 2*30, r.failed.Load(), "reported")
				r.s.Stage(nil, nil)
				r.has(1, false)
				r.reads()
				r.has(2, true)
			})
		})
	}
}

// What nobody has asked for since it was to be read again is not used any more.
func TestStoreForgetsWhatNobodyAsksFor(t *testing.T) {
	outdated(t, func(r *remembering) {
		r.later(maxAge + maxIdle)
		r.has(2, true)
	})
	outdated(t, func(r *remembering) {
		r.later(maxAge + maxIdle - 1)
		r.has(1, false)
	})
}

// A write that is answered during a refresh is not undone by it.
func TestStoreWriteOvertakesARefresh(t *testing.T) {
	outdated(t, func(r *remembering) {
		r.later(maxAge)
		release := r.hang()
		r.has(1, false)
		r.reads()
		r.s.Stage(nil, nil)
		require.NoError(t, r.Write(t.Context(), r.s, "a", &numbered{"a", 5}))
		require.NoError(t, r.Remove(t.Context(), r.s, "new"))
		release()
		r.reads()
		r.agrees("a", "b", "new")
	})
}
