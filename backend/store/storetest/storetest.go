// Package storetest has a storage for tests: it counts what it is asked, and a test
// can stop it, slow it down or break it.
package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/vault/sdk/logical"
)

// Errors of a Storage.
var (
	ErrDown = errors.New("storage is down")
	// ErrGone is what Vault's storage answers over gRPC to a caller who has left: it
	// wraps no error of package context.
	ErrGone = errors.New("rpc error: code = Canceled desc = context canceled")
)

// Storage is a storage before another one. Tests write its operations as "get n/a".
type Storage struct {
	logical.Storage
	mu            sync.Mutex
	count         map[string]int
	before, after Step
}

// Step is done before or after an operation. Its error is the operation's.
type Step = func(ctx context.Context, op string) error

func (s *Storage) run(ctx context.Context, op string, do func() error) error {
	s.mu.Lock()
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.count[op]++
	before, after := s.before, s.after
	s.mu.Unlock()
	for _, step := range []Step{before, func(context.Context, string) error { return do() }, after} {
		if step == nil {
			continue
		}
		if err := step(ctx, op); err != nil {
			return err
		}
	}
	return nil
}

func (s *Storage) Get(ctx context.Context, key string) (entry *logical.StorageEntry, err error) {
	err = s.run(ctx, "get "+key, func() (err error) { entry, err = s.Storage.Get(ctx, key); return err })
	return entry, err
}

func (s *Storage) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.run(ctx, "list "+prefix, func() (err error) { names, err = s.Storage.List(ctx, prefix); return err })
	return names, err
}

func (s *Storage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	return s.run(ctx, "put "+entry.Key, func() error { return s.Storage.Put(ctx, entry) })
}

func (s *Storage) Delete(ctx context.Context, key string) error {
	return s.run(ctx, "delete "+key, func() error { return s.Storage.Delete(ctx, key) })
}

// Stage has something happen before and after each operation that begins now.
func (s *Storage) Stage(before, after Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

// Stop has operations op wait when they are done, until they are released or their
// context ends. Then they answer what then does, or as if nothing had been.
func (s *Storage) Stop(op string, then func() error) (release func()) {
	released := make(chan struct{})
	s.Stage(nil, func(ctx context.Context, done string) error {
		if done != op {
			return nil
		}
		select {
		case <-released:
		case <-ctx.Done():
		}
		if then == nil {
			return nil
		}
		return then()
	})
	return func() { close(released) }
}

// Restless has storage take its time, and fail that share of the writes, some of
// which it has done.
func (s *Storage) Restless(failures float64) {
	step := func(ctx context.Context, op string) error {
		Yield()
		switch {
		case ctx.Err() != nil:
			return ErrGone
		case Writes(op) && rand.Float64() < failures:
			return ErrDown
		}
		return nil
	}
	s.Stage(step, step)
}

// Yield lets others run, for a time that nobody can tell.
func Yield() {
	for range rand.IntN(8) {
		runtime.Gosched()
	}
}

// Writes reports whether op is a write.
func Writes(op string) bool { return strings.HasPrefix(op, "put ") || strings.HasPrefix(op, "delete ") }

// Asked is how often storage was asked for op: "get" is a get of any key.
func (s *Storage) Asked(op string) (n int) {
	for other, times := range s.Operations() {
		if kind, _, _ := strings.Cut(other, " "); other == op || kind == op {
			n += times
		}
	}
	return n
}

// Reads is how often storage was read.
func (s *Storage) Reads() int { return s.Asked("get") + s.Asked("list") }

// Operations is how often storage was asked, by operation.
func (s *Storage) Operations() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]int{}
	for op, times := range s.count {
		all[op] = times
	}
	return all
}

// Versions count the writes of one entry, of which each fourth removes it.
type Versions struct{ Begun, Answered atomic.Int64 }

// Problem tells what is wrong with a read that began when since was Answered: it
// found version n, or none where there is not any. It is empty for a right one.
func (v *Versions) Problem(since, n int64, found bool) string {
	begun := v.Begun.Load()
	switch {
	case !found && begun/4*4 < since:
		return "no entry, though there was one by then"
	case found && n < since:
		return "an old entry"
	case found && n > begun:
		return "an entry that was never written"
	}
	return ""
}
