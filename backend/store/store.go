// Package store keeps the entries below a prefix of Vault's storage in memory, decoded,
// so that a login need not read storage.
//
//	users := store.New[userEntry]("user/", nil, store.Options{})
//	user, err := users.Get(ctx, req.Storage, "mia")
//
// A Store lists the names once and reads each entry when somebody first asks for it.
// After five minutes it reads them again in the background, and while storage answers, an
// entry is no older than ten. It finds names in any case. An entry that cannot be read
// fails those who ask for it, and nobody else.
// Load, Put and Delete serve entries that no Store holds, and Locks keep writes apart
// that depend on one another.
package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/singleflight"
)

// Options are what the stores of one mount have in common.
type Options struct {
	// Fold maps the names to one another that Spellings and Find take for the same.
	// Nil: the function Fold.
	Fold func(string) string
	// Life is the context that ends all reads of the store, with the mount. If it is
	// nil, only readTimeout ends them.
	Life context.Context
	// Now returns the time. It is time.Now if it is nil.
	Now func() time.Time
	// Unreadable, if it is not nil, is called when a read has found something that is no
	// entry.
	Unreadable func(*UnreadableError)
	// RefreshFailed, if it is not nil, is called when a read in the background has
	// failed. Callers get what is in memory.
	RefreshFailed func(error)
}

// Store holds the entries below one prefix. Its methods may be called at the same
// time, except that the caller must not let writes of one entry overlap.
//
// Once Write or Remove has returned without an error, Get returns what was written or
// something newer. Callers share the entries, so nobody may change one.
type Store[T any] struct {
	Options
	prefix string
	ready  func(entry *T, name string) error

	reads, listings singleflight.Group // by name; a listing has the empty one

	hits, misses atomic.Int64 // of Get

	mu        sync.Mutex
	entries   *simplelru.LRU[string, *aged[content[T]]] // by name
	index     *aged[index]                              // nil until the names have been listed
	listing   *[]string                                 // names that have changed since the listing in flight began
	unsettled map[string]bool                           // names whose write storage has not answered
	changes   uint64                                    // how often any entry has changed
}

// maxKept bounds the entries in memory. The index holds all names.
const maxKept = 20_000

// New returns a store of the entries below prefix. It calls ready, unless that is nil,
// to complete each entry that it has read. Where ready returns an error, the entry is
// unreadable, and the error says why.
func New[T any](prefix string, ready func(entry *T, name string) error, options Options) *Store[T] {
	entries, err := simplelru.NewLRU[string, *aged[content[T]]](maxKept, nil)
	if err != nil {
		panic(err) // cannot happen: the size is positive
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Fold == nil {
		options.Fold = Fold
	}
	if options.Life == nil {
		options.Life = context.Background()
	}
	return &Store[T]{Options: options, prefix: prefix, ready: ready, entries: entries, unsettled: map[string]bool{}}
}

// Get returns the entry with exactly that name. It returns nil if storage has none, and
// an *UnreadableError if the entry cannot be read, which is kept in memory as an entry is.
func (s *Store[T]) Get(ctx context.Context, from logical.Storage, name string) (*T, error) {
	known, reading := s.lookEntry(ctx, from, name)
	if reading != nil {
		s.misses.Add(1)
		var err error
		if known, err = wait[content[T]](ctx, reading); err != nil {
			return nil, err
		}
		return known.get()
	}
	s.hits.Add(1)
	return known.get()
}

// Uses returns how often Get had what it needed in memory, and how often it had to wait
// for storage.
func (s *Store[T]) Uses() (hits, misses int64) { return s.hits.Load(), s.misses.Load() }

// lookEntry returns what is known under the name, or else the read that is in flight.
func (s *Store[T]) lookEntry(ctx context.Context, from logical.Storage, name string) (known content[T], reading <-chan singleflight.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	kept, _ := s.entries.Get(name)
	switch usable, refresh := kept.use(now); {
	case !usable && s.index.usable(now) && !s.index.value.has(name):
		return content[T]{}, nil
	case !usable:
		return content[T]{}, s.read(ctx, from, name)
	case refresh:
		go s.report(s.read(ctx, from, name))
	}
	return kept.value, nil
}

// Find returns the entry with that name, or else one whose name differs in case only,
// and the name it is stored under. It returns nil if storage has none.
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

// Found is the entry that was found by a name, nil if there is none, and the name that it
// is stored under.
type Found[T any] struct {
	Name  string
	Entry *T
}

// FindAll returns for each of the names what Find finds. It fails if one of the entries
// cannot be read.
func (s *Store[T]) FindAll(ctx context.Context, from logical.Storage, names []string) ([]Found[T], error) {
	if len(names) == 0 {
		return nil, nil
	}
	index, err := s.list(ctx, from)
	if err != nil {
		return nil, err
	}
	all := make([]Found[T], len(names))
	for _, i := range s.among(index, names) {
		if all[i].Name, all[i].Entry, err = s.Find(ctx, from, names[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// All returns all entries that can be read, in the order of their names, and the others.
func (s *Store[T]) All(ctx context.Context, from logical.Storage) (entries []*T, unreadable []*UnreadableError, err error) {
	index, err := s.list(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	names := index.sorted()
	s.mu.Unlock()
	for _, name := range names {
		entry, err := s.Get(ctx, from, name)
		damaged, isDamaged := errors.AsType[*UnreadableError](err)
		switch {
		case isDamaged:
			unreadable = append(unreadable, damaged)
		case err != nil:
			return nil, nil, err
		case entry != nil:
			entries = append(entries, entry)
		}
	}
	return entries, unreadable, nil
}

// Write stores an entry, and keeps it in memory once storage has accepted it. After an
// error nobody knows whether storage has it, so the next Get reads it.
//
// Write returns when storage has answered, even if ctx ends before that. The caller
// holds a lock of the entry until then, so no later write can be overtaken.
func (s *Store[T]) Write(ctx context.Context, to logical.Storage, name string, entry *T) error {
	return s.change(name, entry, func() error { return Put(ctx, to, s.prefix+name, entry) })
}

// Remove deletes an entry. It waits for storage as Write does.
func (s *Store[T]) Remove(ctx context.Context, from logical.Storage, name string) error {
	return s.change(name, nil, func() error { return Delete(ctx, from, s.prefix+name) })
}

// change calls do, which makes entry what storage holds under name. Until do returns,
// and after an error until a new read, memory holds nothing under that name.
func (s *Store[T]) change(name string, entry *T, do func() error) (err error) {
	s.mu.Lock()
	s.forget(name)
	s.unsettled[name] = true
	s.mu.Unlock()
	err = errPanicked // if do does not return
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.unsettled, name)
		s.forget(name)
		if err == nil {
			s.keep(name, content[T]{entry: entry}, s.Now())
		}
	}()
	return do()
}

// Drop forgets the entry of that name. It is called when another node has changed it.
func (s *Store[T]) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(name)
}

// forget forgets the entry of that name. A read in flight may return the old entry to
// its waiters, but is not kept, and later callers do not join it. The caller holds the
// lock.
func (s *Store[T]) forget(name string) {
	s.changes++
	s.reads.Forget(name)
	s.entries.Remove(name)
	if s.index != nil {
		s.index.value.add(name) // it may exist: Get finds out
	}
	if s.listing != nil {
		*s.listing = append(*s.listing, name)
	}
}

// keep keeps what storage held at the time of the read. The caller holds the lock.
func (s *Store[T]) keep(name string, found content[T], read time.Time) {
	if s.index != nil {
		if found == (content[T]{}) { // the index says so
			s.index.value.remove(name)
			s.entries.Remove(name)
			return
		}
		s.index.value.add(name)
	}
	s.entries.Add(name, &aged[content[T]]{found, read.Add(maxAge)})
}

var errPanicked = errors.New("storage: a call panicked")
