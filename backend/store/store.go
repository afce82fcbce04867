// Package store keeps entries of Vault's storage in memory, decoded, so that a
// login reads no storage. It reads the names below a prefix once, each entry when
// somebody first asks for it, and both again in the background after maxAge. It
// compares names as Fold does.
//
//	users := store.New[userEntry]("user/", nil, store.Options{})
//	user, err := users.Get(ctx, req.Storage, "mia")
//
// Locks keep writes apart that depend on one another. Load, Put and Delete are for
// entries that are not kept in memory.
package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/singleflight"
)

// Options are what the stores of one mount have in common.
type Options struct {
	// Life ends the reads of the store when the mount goes. Nil: nothing does.
	Life context.Context
	// Now tells the time. Nil: time.Now.
	Now func() time.Time
	// Panicked is told what a read panicked with, and where. Those who wait for the
	// read get an error. Nil: nobody is told.
	Panicked func(value any, stack []byte)
}

// Store holds the entries below one prefix. All its methods may be called at the
// same time, except that writes of one entry must not overlap: Locks are for that.
//
// Whoever asks after a write was answered sees that write, or a later one. Entries
// are shared between callers, so nobody may change one.
type Store[T any] struct {
	Options
	prefix string
	ready  func(*T)

	reads, listings singleflight.Group // by name; the listing under the empty one

	mu        sync.Mutex
	entries   *simplelru.LRU[string, *aged[*T]] // by name; the value nil: storage has none
	index     *aged[index]                      // nil until the names have been listed
	listing   *[]string                         // names that changed since the running listing began
	unsettled map[string]bool                   // names with a write that storage has not answered
	changes   uint64                            // counts the changes of all entries
}

// maxKept bounds the entries in memory. The names are all kept.
const maxKept = 20_000

// New returns a store of the entries below prefix. Ready completes each entry that
// was read, before anybody sees it; it may be nil.
func New[T any](prefix string, ready func(*T), options Options) *Store[T] {
	entries, err := simplelru.NewLRU[string, *aged[*T]](maxKept, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Life == nil {
		options.Life = context.Background()
	}
	return &Store[T]{Options: options, prefix: prefix, ready: ready, entries: entries, unsettled: map[string]bool{}}
}

// Get returns the entry with exactly that name, nil if storage has none.
func (s *Store[T]) Get(ctx context.Context, from logical.Storage, name string) (*T, error) {
	entry, reading := s.look(ctx, from, name)
	if reading != nil {
		return wait[*T](ctx, reading)
	}
	return entry, nil
}

// look returns what is known of an entry, or else the read of it that is in flight.
func (s *Store[T]) look(ctx context.Context, from logical.Storage, name string) (entry *T, reading <-chan singleflight.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	kept, _ := s.entries.Get(name)
	switch usable, refresh := kept.use(now); {
	case !usable && s.index.usable(now) && !s.index.value.has(name):
		return nil, nil
	case !usable:
		return nil, s.read(ctx, from, name)
	case refresh:
		s.read(ctx, from, name) // nobody waits for it
	}
	return kept.value, nil
}

// Find returns the entry called name, exactly or else in another case, and the name
// it is stored under; nil if storage has none.
func (s *Store[T]) Find(ctx context.Context, from logical.Storage, name string) (stored string, entry *T, err error) {
	candidates, err := s.Spellings(ctx, from, name)
	if err != nil {
		return "", nil, err
	}
	if slices.Contains(candidates, name) {
		candidates = append([]string{name}, candidates...)
	}
	for _, stored := range candidates {
		entry, err := s.Get(ctx, from, stored)
		if err != nil || entry != nil {
			return stored, entry, err
		}
	}
	return "", nil, nil
}

// FindAll returns the entries that Find returns for the names, without those that
// storage does not have.
func (s *Store[T]) FindAll(ctx context.Context, from logical.Storage, names []string) ([]*T, error) {
	if len(names) == 0 {
		return nil, nil
	}
	index, err := s.list(ctx, from)
	if err != nil {
		return nil, err
	}
	var entries []*T
	for _, name := range s.among(index, names) {
		_, entry, err := s.Find(ctx, from, name)
		if err != nil {
			return nil, err
		}
		if entry != nil {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// All returns all entries, in the order of their names.
func (s *Store[T]) All(ctx context.Context, from logical.Storage) ([]*T, error) {
	index, err := s.list(ctx, from)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	names := index.sorted()
	s.mu.Unlock()
	var entries []*T
	for _, name := range names {
		entry, err := s.Get(ctx, from, name)
		if err != nil {
			return nil, err
		}
		if entry != nil {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// Write stores an entry, and keeps it once storage has accepted it. If storage
// fails, the write may have happened all the same: the next read finds out.
//
// Write returns when storage has answered, even if ctx ends before. Otherwise
// storage could do it when a later write has been answered.
func (s *Store[T]) Write(ctx context.Context, to logical.Storage, name string, entry *T) error {
	return s.change(name, entry, func() error { return Put(ctx, to, s.prefix+name, entry) })
}

// Remove deletes an entry, in the same way as Write stores one.
func (s *Store[T]) Remove(ctx context.Context, from logical.Storage, name string) error {
	return s.change(name, nil, func() error { return Delete(ctx, from, s.prefix+name) })
}

// change has do make entry what storage holds under name. Nothing is kept under
// that name meanwhile, nor after a failure until it has been read again.
func (s *Store[T]) change(name string, entry *T, do func() error) (err error) {
	s.mu.Lock()
	s.forget(name)
	s.unsettled[name] = true
	s.mu.Unlock()
	err = errPanicked // unless do returns
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.unsettled, name)
		s.forget(name)
		if err == nil {
			s.keep(name, entry, s.Now())
		}
	}()
	return do()
}

// Drop forgets the entry of that name, which another node has changed.
func (s *Store[T]) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(name)
}

// forget drops what is known of name. A read in flight may return the old entry to
// those who wait for it, but is not kept, and nobody else joins it. The caller holds
// the lock.
func (s *Store[T]) forget(name string) {
	s.changes++
	s.reads.Forget(name)
	s.entries.Remove(name)
	if s.index != nil {
		s.index.value.add(name) // storage may have it: Get finds out
	}
	if s.listing != nil {
		*s.listing = append(*s.listing, name)
	}
}

// keep enters what storage had at the time that was read. The caller holds the lock.
func (s *Store[T]) keep(name string, entry *T, read time.Time) {
	if s.index != nil {
		if entry == nil { // the index tells
			s.index.value.remove(name)
			s.entries.Remove(name)
			return
		}
		s.index.value.add(name)
	}
	s.entries.Add(name, &aged[*T]{entry, read.Add(maxAge)})
}

var errPanicked = errors.New("storage: a call panicked")
