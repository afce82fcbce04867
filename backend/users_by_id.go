package backend

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
)

// This file finds the entries of users by the Okta user id that they are bound to. An
// entry may have any name then, so its name is noted under the id. Such a note may be
// older than the entry; whoever follows it looks at the entry again.

// userIDPrefix is where the names are stored, by user id.
const userIDPrefix = "user-id/"

// userIDEntry is the names of the entries that are, or were, bound to one user id.
type userIDEntry struct {
	Names []string `json:"names"`
}

// usersBoundTo returns the names that are noted under a user id.
func (b *backend) usersBoundTo(ctx context.Context, s logical.Storage, userID string) ([]string, error) {
	if userID == "" || checkName("okta_id", userID) != nil {
		return nil, nil
	}
	// The list of ids is in memory: most people have no entry, and are not read.
	ids, err := b.userIDs.Spellings(ctx, s, userID)
	if err != nil || !slices.Contains(ids, userID) {
		return nil, err
	}
	noted, err := b.userIDs.Get(ctx, s, userID)
	lost, err := unreadable(err)
	switch {
	case lost != nil:
		return b.notedAgain(ctx, s, userID)
	case err != nil || noted == nil:
		return nil, err
	}
	return noted.Names, nil
}

// notedAgain replaces a note that cannot be read, and returns its names. A node that
// cannot write goes by what it has found.
func (b *backend) notedAgain(ctx context.Context, s logical.Storage, userID string) (names []string, err error) {
	found := false
	err = b.changeBound(ctx, s, userID, func(bound []string) []string {
		names, found = bound, true
		return bound
	})
	if found {
		err = nil
	}
	return names, err
}

// namesBoundTo looks through all entries of users for those that are bound to a user id.
// Among them are those that cannot be read, since they may be.
func (b *backend) namesBoundTo(ctx context.Context, s logical.Storage, userID string) (names []string, err error) {
	lost, err := b.users.Scan(ctx, s, func(name string, user *userEntry) {
		if user.OktaID == userID {
			names = append(names, name)
		}
	})
	for _, l := range lost {
		names = append(names, strings.TrimPrefix(l.Key, userPrefix))
	}
	return names, err
}

// bind notes the name of an entry under its user id. It comes before the write of the
// entry: a note that nothing follows does no harm.
func (b *backend) bind(ctx context.Context, s logical.Storage, userID, name string) error {
	return b.changeBound(ctx, s, userID, func(names []string) []string {
		if slices.Contains(names, name) {
			return names
		}
		return append(names, name)
	})
}

// unbind forgets the name of an entry that is no longer bound to the user id. It comes
// after the write of the entry.
func (b *backend) unbind(ctx context.Context, s logical.Storage, userID, name string) error {
	return b.changeBound(ctx, s, userID, func(names []string) []string {
		return slices.DeleteFunc(names, func(other string) bool { return other == name })
	})
}

// unbindAll forgets the name of an entry that is gone, under the user id that it had
// or, where that is not known, under any. A deletion that failed half way can be
// repeated until nothing is left.
func (b *backend) unbindAll(ctx context.Context, s logical.Storage, userID, name string) error {
	if userID != "" {
		return b.unbind(ctx, s, userID, name)
	}
	var bound []string
	lost, err := b.userIDs.Scan(ctx, s, func(id string, noted *userIDEntry) {
		if slices.Contains(noted.Names, name) {
			bound = append(bound, id)
		}
	})
	for _, l := range lost { // which the name may stand in
		bound = append(bound, strings.TrimPrefix(l.Key, userIDPrefix))
	}
	for _, id := range bound {
		if err == nil {
			err = b.unbind(ctx, s, id, name)
		}
	}
	return err
}

// changeBound changes the names that are noted under a user id. A note that cannot be read
// is first made anew.
func (b *backend) changeBound(ctx context.Context, s logical.Storage, userID string, change func([]string) []string) error {
	if userID == "" {
		return nil
	}
	unlock, err := b.locks.Lock(ctx, userIDPrefix+userID)
	if err != nil {
		return err
	}
	defer unlock()
	noted, err := b.userIDs.Stored(ctx, s, userID)
	lost, err := unreadable(err)
	var before []string
	switch {
	case err != nil:
		return err
	case lost != nil:
		if before, err = b.namesBoundTo(ctx, s, userID); err != nil {
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
		return b.userIDs.Remove(ctx, s, userID)
	}
	return b.userIDs.Write(ctx, s, userID, &userIDEntry{Names: after})
}
