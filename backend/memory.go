package backend

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"
)

// memory keeps the entries below one storage prefix, decoded, so that a login
// reads no storage. It reads what is asked for and when it is asked for: the names
// once, all of them, and then each entry once.
//
// A write is told to it once storage has it, and before the write is answered:
// whoever asks after that sees it. What is being read meanwhile may be older: those
// who wait for it get it, and it is not kept. Entries are shared, so nobody changes
// one. The zero value with a prefix is ready.
type memory[T any] struct {
	prefix string
	// ready completes an entry that has been read, unless it is nil.
	ready func(*T)

	mu      sync.Mutex
	entries map[string]*T       // by name; nil: there is none
	names   map[string][]string // by fold; nil until they have been listed
	reads   map[string]*read[T]
	listing *listing
}

// read is a read of an entry, which several may wait for.
type read[T any] struct {
	done  chan struct{}
	entry *T
	err   error
	left  bool // who read has left: the error is theirs
	stale bool // under the lock of memory: the entry has changed since
}

// listing is a read of the names.
type listing struct {
	done    chan struct{}
	names   map[string][]string
	err     error
	left    bool     // who listed has left: the error is theirs
	changed []string // under the lock of memory: since it began
}

// maxKept bounds the entries that are kept. Their names are kept all.
const maxKept = 20_000

// get returns the entry of that name; nil if there is none.
func (m *memory[T]) get(ctx context.Context, s logical.Storage, name string) (*T, error) {
	for {
		m.mu.Lock()
		entry, known := m.entries[name]
		if known || m.names != nil && !slices.Contains(m.names[fold(name)], name) {
			m.mu.Unlock()
			return entry, nil
		}
		r := m.reads[name]
		if r == nil {
			r = m.begin(name)
			m.mu.Unlock()
			m.finish(ctx, name, r, func() (*T, error) { return load[T](ctx, s, m.prefix+name) })
			return r.entry, r.err
		}
		m.mu.Unlock()
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !r.left { // or else whoever is still here reads on
			return r.entry, r.err
		}
	}
}

// begin enters a read, in the lock.
func (m *memory[T]) begin(name string) *read[T] {
	r := &read[T]{done: make(chan struct{})}
	if m.reads == nil {
		m.reads = map[string]*read[T]{}
	}
	m.reads[name] = r
	return r
}

// finish reads, keeps the result if it is still true, and wakes those who wait.
func (m *memory[T]) finish(ctx context.Context, name string, r *read[T], load func() (*T, error)) {
	defer close(r.done)
	r.err = errors.New("reading storage: it panicked") // unless load returns
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if r.stale {
			return
		}
		delete(m.reads, name)
		if r.err == nil {
			m.keep(name, r.entry)
		}
	}()
	entry, err := load()
	if entry != nil && m.ready != nil {
		m.ready(entry)
	}
	// Storage's own error does not tell: over gRPC it wraps none of package context.
	r.entry, r.err, r.left = entry, err, err != nil && ctx.Err() != nil
}

// keep enters what storage has, in the lock.
func (m *memory[T]) keep(name string, entry *T) {
	if m.entries == nil {
		m.entries = map[string]*T{}
	}
	if m.names != nil {
		if entry == nil { // the names say so
			m.unname(name)
			delete(m.entries, name)
			return
		}
		m.name(name)
	}
	for other := range m.entries {
		if len(m.entries) < maxKept {
			break
		}
		delete(m.entries, other)
	}
	m.entries[name] = entry
}

// put tells that storage has entry under that name by now; nil: none.
func (m *memory[T]) put(name string, entry *T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.change(name)
	m.keep(name, entry)
}

// drop tells that nobody knows what storage has under that name.
func (m *memory[T]) drop(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.change(name)
	delete(m.entries, name)
	if m.names != nil {
		m.name(name) // it may be there: get finds out
	}
}

// change makes what is being read no longer good enough to be kept, in the lock.
func (m *memory[T]) change(name string) {
	if r := m.reads[name]; r != nil {
		r.stale = true
		delete(m.reads, name)
	}
	if m.listing != nil {
		m.listing.changed = append(m.listing.changed, name)
	}
}

func (m *memory[T]) name(name string) { addName(m.names, name) }

func (m *memory[T]) unname(name string) {
	folded := fold(name)
	left := slices.DeleteFunc(slices.Clone(m.names[folded]), func(other string) bool { return other == name })
	if len(left) == 0 {
		delete(m.names, folded)
		return
	}
	m.names[folded] = left
}

func addName(names map[string][]string, name string) {
	folded := fold(name)
	if at, there := slices.BinarySearch(names[folded], name); !there {
		names[folded] = slices.Insert(slices.Clone(names[folded]), at, name)
	}
}

// called returns the names that are name in that case or any other, sorted. There
// may be no entry of one of them: get tells.
func (m *memory[T]) called(ctx context.Context, s logical.Storage, name string) ([]string, error) {
	names, err := m.list(ctx, s)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return names[fold(name)], nil // a slice that nobody changes
}

// list returns the names by fold, to be looked at in the lock.
func (m *memory[T]) list(ctx context.Context, s logical.Storage) (map[string][]string, error) {
	for {
		m.mu.Lock()
		if m.names != nil {
			defer m.mu.Unlock()
			return m.names, nil
		}
		l := m.listing
		if l == nil {
			l = &listing{done: make(chan struct{}), err: errors.New("listing storage: it panicked")}
			m.listing = l
			m.mu.Unlock()
			m.finishList(ctx, l, func() ([]string, error) { return names(ctx, s, m.prefix) })
			return l.names, l.err
		}
		m.mu.Unlock()
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !l.left {
			return l.names, l.err
		}
	}
}

func (m *memory[T]) finishList(ctx context.Context, l *listing, list func() ([]string, error)) {
	defer close(l.done)
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.listing = nil
		if l.err != nil {
			return
		}
		for _, name := range l.changed {
			addName(l.names, name) // it may be there: get finds out
		}
		m.names = l.names
	}()
	all, err := list()
	l.names = make(map[string][]string, len(all))
	for _, name := range all {
		addName(l.names, name)
	}
	l.err, l.left = err, err != nil && ctx.Err() != nil
}

// find returns the entry called name, exactly or else in another case, and the
// name it is stored under; nil if there is none.
func (m *memory[T]) find(ctx context.Context, s logical.Storage, name string) (string, *T, error) {
	candidates, err := m.called(ctx, s, name)
	if err != nil {
		return "", nil, err
	}
	if slices.Contains(candidates, name) {
		candidates = append([]string{name}, candidates...)
	}
	for _, stored := range candidates {
		entry, err := m.get(ctx, s, stored)
		if err != nil || entry != nil {
			return stored, entry, err
		}
	}
	return "", nil, nil
}

// findAll is find for many names; those that there are not are left out.
func (m *memory[T]) findAll(ctx context.Context, s logical.Storage, called []string) ([]*T, error) {
	if len(called) == 0 {
		return nil, nil
	}
	if _, err := m.list(ctx, s); err != nil {
		return nil, err
	}
	var entries []*T
	for _, name := range m.some(called) {
		_, entry, err := m.find(ctx, s, name)
		if err != nil {
			return nil, err
		}
		if entry != nil {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// some returns those of the names that there may be.
func (m *memory[T]) some(called []string) (some []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range called {
		if m.names == nil || len(m.names[fold(name)]) > 0 {
			some = append(some, name)
		}
	}
	return some
}

// all returns all entries, in the order of their names.
func (m *memory[T]) all(ctx context.Context, s logical.Storage) ([]*T, error) {
	byFold, err := m.list(ctx, s)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	sorted := slices.Sorted(func(yield func(string) bool) {
		for _, names := range byFold {
			for _, name := range names {
				if !yield(name) {
					return
				}
			}
		}
	})
	m.mu.Unlock()
	var entries []*T
	for _, name := range sorted {
		entry, err := m.get(ctx, s, name)
		if err != nil {
			return nil, err
		}
		if entry != nil {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// write stores an entry. Writes of one entry must not overlap: the last to be told
// here would be kept, which need not be the last in storage.
//
// A caller who leaves does not end it. Storage might do it all the same, later, when
// what it replaces has been read and kept again.
func (m *memory[T]) write(ctx context.Context, s logical.Storage, name string, entry *T) error {
	if err := store(context.WithoutCancel(ctx), s, m.prefix+name, entry); err != nil {
		m.drop(name) // storage may have it all the same
		return err
	}
	m.put(name, entry)
	return nil
}

// remove deletes an entry, as write writes one.
func (m *memory[T]) remove(ctx context.Context, s logical.Storage, name string) error {
	if err := s.Delete(context.WithoutCancel(ctx), m.prefix+name); err != nil {
		m.drop(name)
		return err
	}
	m.put(name, nil)
	return nil
}
