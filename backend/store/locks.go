package store

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Locks are locks by name, for writes that depend on one another. They are held
// while storage is called, which may hang: so whoever waits for one stops when their
// context ends, with ErrTimeout if it was for its deadline. The zero value is ready.
//
// Whoever locks twice has to take care of the order: all names of one call are
// locked in the same order, by whoever calls.
type Locks struct {
	mu    sync.Mutex
	named map[string]*lock
}

type lock struct {
	semaphore *semaphore.Weighted
	users     int // who hold it or wait for it
}

// exclusive is the weight of a lock that nobody shares.
const exclusive = 1 << 30

// Lock waits until nobody else has any of the names, and keeps them until unlock is
// called.
func (l *Locks) Lock(ctx context.Context, names ...string) (unlock func(), err error) {
	return l.acquire(ctx, exclusive, names)
}

// Share is Lock, but others may share the names at the same time.
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

// enter returns the lock of that name, which stays until its users have left.
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

// leave gives back what the caller holds of the lock.
func (l *Locks) leave(name string, weight int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.named[name]
	left.semaphore.Release(weight)
	if left.users--; left.users == 0 {
		delete(l.named, name)
	}
}
