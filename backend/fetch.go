package backend

import (
	"context"
	"sync"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file has a person's groups read beside something else that takes its time:
// while a phone rings or a passcode is looked at and, where prefetch_groups is on,
// while the password is.

// groupFetch is a read of a person's groups that goes on by itself, until the
// context that it was begun with ends.
type groupFetch struct {
	userID string
	done   chan struct{}
	groups []okta.Group // after done
	err    error
}

func fetchGroups(ctx context.Context, client *okta.Client, userID string) *groupFetch {
	f := &groupFetch{userID: userID, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.groups, f.err = client.Groups(ctx, userID)
	}()
	return f
}

// groupsOf returns the groups of the person, from f if that is about them and has
// not failed.
func (f *groupFetch) groupsOf(ctx context.Context, client *okta.Client, userID string) ([]okta.Group, error) {
	if f == nil || f.userID != userID {
		return client.Groups(ctx, userID)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.err != nil { // long ago, maybe; a factor that was approved is not to be asked for again
		return client.Groups(ctx, userID)
	}
	return f.groups, nil
}

// meanwhile begins to read the groups of somebody whose password was right, unless
// that has begun.
func meanwhile(ctx context.Context, cfg *configEntry, client *okta.Client, tx okta.Transaction, begun *groupFetch) *groupFetch {
	if cfg.Token == "" || tx.User.ID == "" || begun != nil && begun.userID == tx.User.ID {
		return begun
	}
	return fetchGroups(ctx, client, tx.User.ID)
}

// maxKnown bounds the people who are remembered.
const maxKnown = 20_000

// knownPeople are those who have logged in before, by the org and the name that
// they typed, with their id at Okta. The zero value is ready.
type knownPeople struct {
	mu  sync.Mutex
	ids map[string]string
}

func (k *knownPeople) note(org, name, userID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil {
		k.ids = map[string]string{}
	}
	for other := range k.ids {
		if len(k.ids) < maxKnown {
			break
		}
		delete(k.ids, other)
	}
	k.ids[org+" "+name] = userID
}

func (k *knownPeople) id(org, name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ids[org+" "+name]
}

// prefetch begins to read the groups of somebody who has logged in by that name
// before, if the mount is configured so: their password is not known to be right.
func (b *backend) prefetch(ctx context.Context, cfg *configEntry, client *okta.Client, name string) *groupFetch {
	if !cfg.PrefetchGroups || cfg.Token == "" {
		return nil
	}
	userID := b.known.id(client.OrgURL(), name)
	if userID == "" {
		return nil
	}
	return fetchGroups(ctx, client, userID)
}
