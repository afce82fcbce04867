// Package storetest provides a storage for tests, which counts its operations and which
// a test can stop, slow down or break.
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

// Storage wraps another storage. Tests name its operations like "get n/a".
type Storage struct {
	logical.Storage
	mu            sync.Mutex
	count         map[string]int
	before, after Step

	old      logical.Storage                   // what reads see, unless it is nil
	keepLate bool                              // writes are kept
	late     []func(ctx context.Context) error // writes that Heal does
}

// Step runs before or after an operation. If it returns an error, so does the operation.
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

// Undecryptable is a value that a Storage cannot decrypt.
const Undecryptable = "undecryptable"

func (s *Storage) Get(ctx context.Context, key string) (entry *logical.StorageEntry, err error) {
	err = s.run(ctx, "get "+key, func() (err error) { entry, err = s.read().Get(ctx, key); return err })
	if err == nil && entry != nil && string(entry.Value) == Undecryptable {
		return nil, errors.New("decryption failed: cipher: message authentication failed")
	}
	return entry, err
}

func (s *Storage) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.run(ctx, "list "+prefix, func() (err error) { names, err = s.read().List(ctx, prefix); return err })
	return names, err
}

func (s *Storage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	return s.write(ctx, "put "+entry.Key, func(ctx context.Context) error { return s.Storage.Put(ctx, entry) })
}

func (s *Storage) Delete(ctx context.Context, key string) error {
	return s.write(ctx, "delete "+key, func(ctx context.Context) error { return s.Storage.Delete(ctx, key) })
}

// Stage sets what runs before and after each operation from now on.
func (s *Storage) Stage(before, after Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

// A Fault is what a storage can be like. It stays so until Heal.
type Fault string

const (
	ReadOnly Fault = "read-only" // writes are refused as Vault refuses them
	Lagging  Fault = "lagging"   // reads answer what was there when it began, and writes are refused
	Failing  Fault = "failing"   // nothing is answered but errors
	Hanging  Fault = "hanging"   // nothing is answered until the caller leaves
	Late     Fault = "late"      // a write fails, and is done by Heal
)

// Faults are all faults.
var Faults = []Fault{ReadOnly, Lagging, Failing, Hanging, Late}

// Suffer has the storage be like that.
func (s *Storage) Suffer(ctx context.Context, fault Fault) error {
	if fault == Lagging {
		old, err := copied(ctx, s.Storage)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.old = old
		s.mu.Unlock()
	}
	s.Stage(func(ctx context.Context, op string) error {
		switch {
		case fault == Hanging:
			<-ctx.Done()
			return ErrGone
		case fault == Failing, fault == Late && Writes(op):
			return ErrDown
		case (fault == ReadOnly || fault == Lagging) && Writes(op):
			return logical.ErrReadOnly
		}
		return nil
	}, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepLate = fault == Late
	return nil
}

// Heal ends a fault. What was late is done.
func (s *Storage) Heal(ctx context.Context) (err error) {
	s.Stage(nil, nil)
	s.mu.Lock()
	late := s.late
	s.late, s.old, s.keepLate = nil, nil, false
	s.mu.Unlock()
	for _, write := range late {
		err = errors.Join(err, write(ctx))
	}
	return err
}

// read is where reads go.
func (s *Storage) read() logical.Storage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.old != nil {
		return s.old
	}
	return s.Storage
}

// write runs a write, or keeps it for later.
func (s *Storage) write(ctx context.Context, op string, do func(context.Context) error) error {
	s.mu.Lock()
	if s.keepLate {
		s.late = append(s.late, do)
	}
	s.mu.Unlock()
	return s.run(ctx, op, func() error { return do(ctx) })
}

func copied(ctx context.Context, from logical.Storage) (logical.Storage, error) {
	to := &logical.InmemStorage{}
	keys, err := logical.CollectKeys(ctx, from)
	for _, key := range keys {
		if err != nil {
			return nil, err
		}
		var entry *logical.StorageEntry
		if entry, err = from.Get(ctx, key); err == nil && entry != nil {
			err = to.Put(ctx, entry)
		}
	}
	return to, err
}

// Stop makes operations op wait when they are done, until they are released or their
// context ends. Then they return what then returns, if it is not nil.
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

// Restless makes operations yield, and fails that share of the writes. Some of those
// have happened all the same.
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

// Yield lets other goroutines run, for a random time.
func Yield() {
	for range rand.IntN(8) {
		runtime.Gosched()
	}
}

// Writes reports whether op is a write.
func Writes(op string) bool { return strings.HasPrefix(op, "put ") || strings.HasPrefix(op, "delete ") }

// Asked returns how often op was called: "get" counts the gets of all keys.
func (s *Storage) Asked(op string) (n int) {
	for other, times := range s.Operations() {
		if kind, _, _ := strings.Cut(other, " "); other == op || kind == op {
			n += times
		}
	}
	return n
}

// Reads returns how often storage was read.
func (s *Storage) Reads() int { return s.Asked("get") + s.Asked("list") }

// Operations returns how often each operation was called.
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

// Problem says what is wrong with a read that has found version n, or nothing, and that
// began when since was Answered. It is empty if the read is right.
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
