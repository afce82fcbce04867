package store

import (
	"bytes"
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
)

// undecryptable is in the error of a read where Vault cannot decrypt what it has found,
// which no other read tells anything about. The plugin protocol carries only the text
// (lockSwitchedGet in Vault's vault/barrier_aes_gcm.go, and Get in OpenBao's).
const undecryptable = "decryption failed: "

// Load reads the entry at key. It returns nil if storage has none, and an
// *UnreadableError if what storage has is no entry of that type.
func Load[T any](ctx context.Context, from logical.Storage, key string) (*T, error) {
	raw, err := from.Get(ctx, key)
	if err != nil && strings.Contains(err.Error(), undecryptable) {
		return nil, &UnreadableError{Key: key, Why: "Vault cannot decrypt it"}
	}
	if err != nil || raw == nil {
		return nil, err
	}
	entry := new(T)
	if err := raw.DecodeJSON(entry); err != nil {
		return nil, &UnreadableError{Key: key, Why: whyNot(err)}
	}
	if bytes.Equal(bytes.TrimSpace(raw.Value), []byte("null")) { // which decodes into anything
		return nil, &UnreadableError{Key: key, Why: "it is null"}
	}
	return entry, nil
}

// Put stores an entry at key. It returns when storage has answered, even if ctx ends
// before that: a write that the caller takes for failed must not happen later.
func Put(ctx context.Context, to logical.Storage, key string, entry any) error {
	raw, err := logical.StorageEntryJSON(key, entry)
	if err != nil {
		return err
	}
	return sentinel(to.Put(context.WithoutCancel(ctx), raw))
}

// Delete deletes the entry at key. It waits for storage as Put does.
func Delete(ctx context.Context, from logical.Storage, key string) error {
	return sentinel(from.Delete(context.WithoutCancel(ctx), key))
}

// sentinel restores logical.ErrReadOnly, which makes Vault forward the request. The
// plugin protocol carries only the text of storage's errors (GRPCStorageClient.Put in
// sdk/plugin/grpc_storage.go), so sentinel has to compare the text, as Vault does.
func sentinel(err error) error {
	if err != nil && strings.Contains(err.Error(), logical.ErrReadOnly.Error()) {
		return logical.ErrReadOnly
	}
	return err
}

// Names lists the names of the entries below prefix. A name may hold slashes, which
// storage takes for folders. Names walks all folders, so that each name it returns can be
// read: first those in no folder, sorted, then the folders from the last to
// the first. Vault's builtin methods list in this order.
func Names(ctx context.Context, from logical.Storage, prefix string) (names []string, err error) {
	err = logical.ScanView(ctx, logical.NewStorageView(from, prefix), func(name string) { names = append(names, name) })
	return names, err
}

// The methods below ask storage and not the memory, which may be older: whoever writes or
// deletes decides by them. What they return is the caller's own.

// Stored returns the entry with exactly that name. It returns nil if storage has none,
// and an *UnreadableError if the entry cannot be read.
func (s *Store[T]) Stored(ctx context.Context, from logical.Storage, name string) (*T, error) {
	found, err := s.load(ctx, from, name)
	if err != nil {
		return nil, asked(ctx, err)
	}
	return found.get()
}

// FindStored returns what Find returns once memory knows all that is in storage. It also
// returns the name of an entry that cannot be read.
func (s *Store[T]) FindStored(ctx context.Context, from logical.Storage, name string) (stored string, entry *T, err error) {
	if entry, err = s.Stored(ctx, from, name); err != nil || entry != nil {
		return name, entry, err
	}
	names, err := s.List(ctx, from)
	if err != nil {
		return "", nil, asked(ctx, err)
	}
	for _, other := range newIndex(s.Fold, names).spellings(name) {
		if entry, err = s.Stored(ctx, from, other); err != nil || entry != nil {
			return other, entry, err
		}
	}
	return "", nil, nil
}

// asked is the error of a call of storage, or ErrTimeout where ctx has timed out: the
// plugin protocol hands on the text of an error only.
func asked(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return gaveUp(ctx)
	}
	return err
}

// List lists the names of all entries.
func (s *Store[T]) List(ctx context.Context, from logical.Storage) ([]string, error) {
	return Names(ctx, from, s.prefix)
}

// Scan visits all entries that can be read, in the order of List, and returns the others.
func (s *Store[T]) Scan(ctx context.Context, from logical.Storage, visit func(name string, entry *T)) (unreadable []*UnreadableError, err error) {
	names, err := s.List(ctx, from)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		found, err := s.load(ctx, from, name)
		switch {
		case err != nil:
			return nil, err
		case found.unreadable != nil:
			unreadable = append(unreadable, found.unreadable)
		case found.entry != nil:
			visit(name, found.entry)
		}
	}
	return unreadable, nil
}
