package store

import (
	"context"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/singleflight"
)

// index is the names of entries by their folds, sorted. It may hold a name that
// storage has no entry of. Its slices are shared, so it replaces them.
type index map[string][]string

func (x index) has(name string) bool { return slices.Contains(x[Fold(name)], name) }

func (x index) add(name string) {
	folded := Fold(name)
	if at, there := slices.BinarySearch(x[folded], name); !there {
		x[folded] = slices.Insert(slices.Clone(x[folded]), at, name)
	}
}

func (x index) remove(name string) {
	folded := Fold(name)
	left := slices.DeleteFunc(slices.Clone(x[folded]), func(other string) bool { return other == name })
	if len(left) == 0 {
		delete(x, folded)
		return
	}
	x[folded] = left
}

func (x index) sorted() (all []string) {
	for _, names := range x {
		all = append(all, names...)
	}
	slices.Sort(all)
	return all
}

// Spellings returns the names of entries that differ from name in case only, sorted,
// name itself included. Storage may have no entry of one of them: Get tells.
func (s *Store[T]) Spellings(ctx context.Context, from logical.Storage, name string) ([]string, error) {
	index, err := s.list(ctx, from)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return index[Fold(name)], nil
}

// among returns those of the names that the index has in some case.
func (s *Store[T]) among(index index, names []string) (some []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if len(index[Fold(name)]) > 0 {
			some = append(some, name)
		}
	}
	return some
}

// list returns the index, which changes: the caller takes the lock to look at it.
func (s *Store[T]) list(ctx context.Context, from logical.Storage) (index, error) {
	known, listing := s.lookUp(ctx, from)
	if listing != nil {
		return wait[index](ctx, listing)
	}
	return known, nil
}

// lookUp returns the index that is known, or else the listing that is in flight.
func (s *Store[T]) lookUp(ctx context.Context, from logical.Storage) (known index, listing <-chan singleflight.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	usable, refresh := s.index.use(s.Now())
	if !usable || refresh {
		listing = s.fly(ctx, &s.listings, "", func(ctx context.Context) (any, error) { return s.listAnew(ctx, from) })
	}
	if usable {
		return s.index.value, nil // nobody waits for a listing
	}
	return nil, listing
}

// listAnew lists storage and replaces the index. A name that has changed meanwhile
// may be there or not, so it is in the index.
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
		return nil, err
	}
	listed := make(index, len(names))
	for _, name := range names {
		listed.add(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range changed {
		listed.add(name)
	}
	s.index = &aged[index]{listed, began.Add(maxAge)}
	return listed, nil
}
