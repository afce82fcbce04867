package store

import (
	"context"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/singleflight"
)

// index holds the names of entries by their folds, sorted. It may hold a name that has
// no entry in storage. Callers share its slices, so it replaces them.
type index struct {
	fold   func(string) string
	byFold map[string][]string
}

func newIndex(fold func(string) string, names []string) index {
	x := index{fold: fold, byFold: make(map[string][]string, len(names))}
	for _, name := range names {
		x.add(name)
	}
	return x
}

// spellings returns the names that fold to the same as name.
func (x index) spellings(name string) []string { return x.byFold[x.fold(name)] }

func (x index) has(name string) bool { return slices.Contains(x.spellings(name), name) }

func (x index) add(name string) {
	same := x.spellings(name)
	if at, there := slices.BinarySearch(same, name); !there {
		x.byFold[x.fold(name)] = slices.Insert(slices.Clone(same), at, name)
	}
}

func (x index) remove(name string) {
	left := slices.DeleteFunc(slices.Clone(x.spellings(name)), func(other string) bool { return other == name })
	if len(left) == 0 {
		delete(x.byFold, x.fold(name))
		return
	}
	x.byFold[x.fold(name)] = left
}

func (x index) sorted() (all []string) {
	for _, names := range x.byFold {
		all = append(all, names...)
	}
	slices.Sort(all)
	return all
}

// Spellings returns the names, sorted, that the store takes for spellings of name:
// those that differ from it in case only, or as the store's own fold says. One of them
// may have no entry in storage: then Get returns nil.
func (s *Store[T]) Spellings(ctx context.Context, from logical.Storage, name string) ([]string, error) {
	index, err := s.list(ctx, from)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return index.spellings(name), nil
}

// among returns at which places of names those are that the index has in some case.
func (s *Store[T]) among(index index, names []string) (at []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, name := range names {
		if len(index.spellings(name)) > 0 {
			at = append(at, i)
		}
	}
	return at
}

// list returns the index. The index changes, so the caller takes the lock to read it.
func (s *Store[T]) list(ctx context.Context, from logical.Storage) (index, error) {
	known, listing := s.lookNames(ctx, from)
	if listing != nil {
		return wait[index](ctx, listing)
	}
	return known, nil
}

// ListAhead begins to list the names that callers will ask for, unless they are known, and
// does not wait for them. Whoever asks learns of a failure.
func (s *Store[T]) ListAhead(ctx context.Context, from logical.Storage) { s.lookNames(ctx, from) }

// lookNames returns the known index, or else the listing that is in flight.
func (s *Store[T]) lookNames(ctx context.Context, from logical.Storage) (known index, listing <-chan singleflight.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	usable, refresh := s.index.use(s.Now())
	if usable && !refresh {
		return s.index.value, nil
	}
	listing = s.inFlight(ctx, &s.listings, "", func(ctx context.Context) (any, error) { return s.listAnew(ctx, from) })
	if !usable {
		return index{}, listing
	}
	go s.report(listing)
	return s.index.value, nil
}

// listAnew lists storage and replaces the index. The entry of a name that has changed
// meanwhile may exist or not, so the index keeps the name and Get finds out.
func (s *Store[T]) listAnew(ctx context.Context, from logical.Storage) (index, error) {
	var changed []string
	s.mu.Lock()
	began := s.Now()
	s.listing = &changed
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listing = nil
	}()
	names, err := s.List(ctx, from)
	if err != nil {
		return index{}, err
	}
	listed := newIndex(s.Fold, names)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range changed {
		listed.add(name)
	}
	s.index = &aged[index]{listed, began.Add(maxAge)}
	return listed, nil
}
