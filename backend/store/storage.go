package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
)

// Load reads the entry at key, nil if storage has none.
func Load[T any](ctx context.Context, from logical.Storage, key string) (*T, error) {
	raw, err := from.Get(ctx, key)
	if err != nil || raw == nil {
		return nil, err
	}
	entry := new(T)
	if err := raw.DecodeJSON(entry); err != nil {
		return nil, fmt.Errorf("stored entry %q: %w", key, err)
	}
	return entry, nil
}

// Put stores an entry at key. It returns when storage has answered, even if ctx ends
// before: a write that its caller takes for failed must not happen later.
func Put(ctx context.Context, to logical.Storage, key string, entry any) error {
	raw, err := logical.StorageEntryJSON(key, entry)
	if err != nil {
		return err
	}
	return sentinel(to.Put(context.WithoutCancel(ctx), raw))
}

// Delete deletes the entry at key, in the same way as Put stores one.
func Delete(ctx context.Context, from logical.Storage, key string) error {
	return sentinel(from.Delete(context.WithoutCancel(ctx), key))
}

// sentinel restores logical.ErrReadOnly, for which Vault forwards a request. The
// plugin protocol hands on nothing but the text of storage's errors (see
// GRPCStorageClient.Put in sdk/plugin/grpc_storage.go), so the text has to tell.
func sentinel(err error) error {
	if err != nil && strings.Contains(err.Error(), logical.ErrReadOnly.Error()) {
		return logical.ErrReadOnly
	}
	return err
}

// Names lists the entries below prefix, sorted. A name may hold slashes, which
// storage takes for folders: it walks all of them, so that whatever is listed can be
// read under that name.
func Names(ctx context.Context, from logical.Storage, prefix string) (names []string, err error) {
	err = logical.ScanView(ctx, logical.NewStorageView(from, prefix), func(name string) { names = append(names, name) })
	slices.Sort(names)
	return names, err
}

// List lists the names of all entries in storage, past what is kept in memory.
func (s *Store[T]) List(ctx context.Context, from logical.Storage) ([]string, error) {
	return Names(ctx, from, s.prefix)
}

// Scan visits all entries in storage, in the order of their names, past what is kept
// in memory.
func (s *Store[T]) Scan(ctx context.Context, from logical.Storage, visit func(name string, entry *T)) error {
	names, err := s.List(ctx, from)
	if err != nil {
		return err
	}
	for _, name := range names {
		entry, err := Load[T](ctx, from, s.prefix+name)
		if err != nil {
			return err
		}
		if entry != nil {
			visit(name, entry)
		}
	}
	return nil
}
