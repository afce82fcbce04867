package store

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Locks are locks by name. They keep writes apart that depend on one another, and are
// held while storage is called, which may hang. Therefore a wait for a lock ends with
// the caller's context, and returns ErrTimeout if its deadline has passed. The zero
// value is ready.
//
// A call locks its names in an order that is the same for all calls. A caller who
// holds some locks and asks for more has to avoid deadlocks.
type Locks struct {
	mu    sync.Mutex
	named map[string]*lock
}

type lock struct {
	semaphore *semaphore.Weighted
	users     int // callers who hold it or wait for it
}

// exclusive is the weight of a lock that nobody shares.
const exclusive = 1 << 30

// Lock waits until nobody else holds any of the names, and holds them until the
// caller calls unlock.
func (l *Locks) Lock(ctx context.Context, names ...string) (unlock func(), err error) {
	return l.acquire(ctx, exclusive, names)
}

// Share is like Lock, but other callers of Share may hold the names at the same time.
func (l *Locks) Share(ctx context.Context, names ...string) (unlock func(), err error) {
	return l.acquire(ctx, 1, names)
}

func (l *Locks) acquire(ctx context.Context, weight int64, names []string) (unlock func(), err error) {
	var held []string
	unlock = func() {
		for _, name := range held {
			l.leave(name, weight)
		}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if err := l.enter(name).Acquire(ctx, weight); err != nil {
			l.leave(name, 0)
			unlock()
			return nil, gaveUp(ctx)
		}
		held = append(held, name)
	}
	return unlock, nil
}

// enter returns the lock of that name. The caller calls leave when done with it.
func (l *Locks) enter(name string) *semaphore.Weighted {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.named == nil {
		l.named = map[string]*lock{}
	}
	if l.named[name] == nil {
		l.named[name] = &lock{semaphore: semaphore.NewWeighted(exclusive)}
	}
	l.named[name].users++
	return l.named[name].semaphore
}

// leave releases the weight that the caller holds. The last user deletes the lock.
func (l *Locks) leave(name string, weight int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.named[name]
	left.semaphore.Release(weight)
	if left.users--; left.users == 0 {
		delete(l.named, name)
	}
}
