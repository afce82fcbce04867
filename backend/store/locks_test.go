package store

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// held takes locks that are free.
func held(t *testing.T, lock func(context.Context, ...string) (func(), error), names ...string) (unlock func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	unlock, err := lock(ctx, names...)
	require.NoError(t, err, names)
	return unlock
}

// taken reports whether somebody else would have to wait for the locks.
func taken(t *testing.T, lock func(context.Context, ...string) (func(), error), names ...string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	unlock, err := lock(ctx, names...)
	if err == nil {
		unlock()
		return false
	}
	assert.ErrorIs(t, err, ErrTimeout)
	return true
}

func TestLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Locks
		unlock := held(t, l.Lock, "a", "b", "a")
		assert.True(t, taken(t, l.Lock, "a"))
		assert.True(t, taken(t, l.Share, "b"))
		assert.True(t, taken(t, l.Lock, "b", "c", "0"))
		assert.False(t, taken(t, l.Lock, "0", "c"), "whoever gives up keeps nothing")
		assert.False(t, taken(t, l.Lock))
		unlock()

		first, second := held(t, l.Share, "a"), held(t, l.Share, "a", "b")
		assert.True(t, taken(t, l.Lock, "a"))
		first()
		assert.True(t, taken(t, l.Lock, "a"))
		second()
		assert.False(t, taken(t, l.Lock, "a", "b"))
		assert.Empty(t, l.named, "what nobody has")
	})
}

// Whoever waits for a lock stops when they leave.
func TestLocksWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Locks
		defer held(t, l.Lock, "a")()
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := l.Lock(ctx, "a")
			left <- err
		}()
		synctest.Wait()
		leave()
		assert.ErrorIs(t, <-left, context.Canceled)
	})
}

// Many who lock the same names in any order all get them, one at a time.
func TestLocksInAnyOrder(t *testing.T) {
	var l Locks
	var all sync.WaitGroup
	count := 0
	for i := range 8 {
		names := []string{"a", "b", "c"}
		names[0], names[i%3] = names[i%3], names[0]
		all.Go(func() {
			for range 100 {
				unlock, err := l.Lock(t.Context(), names...)
				if !assert.NoError(t, err) {
					return
				}
				count++
				unlock()
			}
		})
	}
	all.Wait()
	assert.Equal(t, 800, count)
	assert.Empty(t, l.named)
}
