package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
)

// This file finds the entries of users and of groups that a name does not lead to: those
// that are bound to an id of Okta's, and patterns. The names of such entries are noted
// under what they are bound to. A note may be older than the entry; whoever follows it
// looks at the entry again.

const (
	userNotesPrefix  = "user-id/"    // notes under ids of users
	groupNotesPrefix = "group-note/" // notes under ids of groups, and patternNote
)

// maxNoted bounds the names in one note.
const maxNoted = 100

// errNoteFull says that a note holds maxNoted names.
var errNoteFull = errors.New("too many entries are bound to the same")

// noteFull is err in words about the field of an entry that was to get the value, if it is
// errNoteFull.
func noteFull(err error, field, value string) error {
	if errors.Is(err, errNoteFull) {
		return invalid(field, fmt.Sprintf("must not be %s in more than %d entries", value, maxNoted))
	}
	return err
}

// noteEntry is the names of the entries that are, or were, bound to one thing.
type noteEntry struct {
	Names []string `json:"names"`
}

// notes are the notes of users, or those of groups.
type notes struct {
	*store.Store[noteEntry]
	prefix string
	locks  *store.Locks
	search search
}

// search looks through all entries for those that are bound to key.
type search func(ctx context.Context, s logical.Storage, key string) (names []string, err error)

func newNotes(prefix string, options store.Options, locks *store.Locks, search search) notes {
	options.Fold = func(key string) string { return key } // ids differ by case
	return notes{store.New[noteEntry](prefix, nil, options), prefix, locks, search}
}

// boundIn searches the entries of a store. Among what it finds are those that cannot be
// read, since they may be bound to anything.
func boundIn[T any](entries *store.Store[T], prefix string, keyOf func(*T) string) search {
	return func(ctx context.Context, s logical.Storage, key string) (names []string, err error) {
		lost, err := entries.Scan(ctx, s, func(name string, entry *T) {
			if keyOf(entry) == key {
				names = append(names, name)
			}
		})
		for _, l := range lost {
			names = append(names, strings.TrimPrefix(l.Key, prefix))
		}
		return names, err
	}
}

// names returns the names that are noted under key.
func (n notes) names(ctx context.Context, s logical.Storage, key string) ([]string, error) {
	if key == "" || checkName("key", key) != nil {
		return nil, nil
	}
	// The list of keys is in memory: most have no note, and are not read.
	_, noted, err := n.Find(ctx, s, key)
	lost, err := unreadable(err)
	switch {
	case lost != nil:
		return n.again(ctx, s, key)
	case err != nil || noted == nil:
		return nil, err
	}
	return noted.Names, nil
}

// again replaces a note that cannot be read, and returns its names. A node that cannot
// write goes by what it has found.
func (n notes) again(ctx context.Context, s logical.Storage, key string) (names []string, err error) {
	found := false
	err = n.change(ctx, s, key, func(bound []string) []string {
		names, found = bound, true
		return bound
	})
	if found {
		err = nil
	}
	return names, err
}

// bind notes the name of an entry under key. It comes before the write of the entry: a
// note that nothing follows does no harm. It fails with errNoteFull.
func (n notes) bind(ctx context.Context, s logical.Storage, key, name string) error {
	return n.change(ctx, s, key, func(names []string) []string {
		if slices.Contains(names, name) {
			return names
		}
		return append(names, name)
	})
}

// unbind forgets the name of an entry that is no longer bound to key. It comes after the
// write of the entry.
func (n notes) unbind(ctx context.Context, s logical.Storage, key, name string) error {
	return n.change(ctx, s, key, func(names []string) []string {
		return slices.DeleteFunc(names, func(other string) bool { return other == name })
	})
}

// unbindAll forgets the name of an entry that is gone, under the key that it had or,
// where that is not known, under any. A deletion that failed half way can be repeated
// until nothing is left.
func (n notes) unbindAll(ctx context.Context, s logical.Storage, key, name string) error {
	if key != "" {
		return n.unbind(ctx, s, key, name)
	}
	var bound []string
	lost, err := n.Scan(ctx, s, func(key string, noted *noteEntry) {
		if slices.Contains(noted.Names, name) {
			bound = append(bound, key)
		}
	})
	for _, l := range lost { // which the name may stand in
		bound = append(bound, strings.TrimPrefix(l.Key, n.prefix))
	}
	for _, key := range bound {
		if err == nil {
			err = n.unbind(ctx, s, key, name)
		}
	}
	return err
}

// change changes the names that are noted under key. A note that cannot be read is first
// made anew.
func (n notes) change(ctx context.Context, s logical.Storage, key string, change func([]string) []string) error {
	if key == "" {
		return nil
	}
	unlock, err := n.locks.Lock(ctx, n.prefix+key)
	if err != nil {
		return err
	}
	defer unlock()
	noted, err := n.Stored(ctx, s, key)
	lost, err := unreadable(err)
	var before []string
	switch {
	case err != nil:
		return err
	case lost != nil:
		if before, err = n.search(ctx, s, key); err != nil {
			return err
		}
	case noted != nil:
		before = noted.Names
	}
	after := change(slices.Clone(before))
	switch {
	case lost == nil && slices.Equal(before, after):
		return nil
	case len(after) == 0:
		return n.Remove(ctx, s, key)
	case len(after) > max(maxNoted, len(before)):
		return errNoteFull
	}
	return n.Write(ctx, s, key, &noteEntry{Names: after})
}
