package mfa

import (
	"context"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// GroupRead reads a person's groups while the login waits for something else: for
// Okta's check of the password, or for the person's answer to a push.
type GroupRead struct {
	userID string
	began  time.Time
	done   chan struct{}
	groups []okta.Group // after done
	err    error        // after done
}

// ReadGroups begins at now to read the groups of a user. The read ends with ctx.
func ReadGroups(ctx context.Context, now time.Time, userID string, read func(ctx context.Context, userID string) ([]okta.Group, error)) *GroupRead {
	r := &GroupRead{userID: userID, began: now, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer panics.Recover(&r.err)
		r.groups, r.err = read(ctx, userID)
	}()
	return r
}

// groupPatience bounds the wait for a read of groups and for the one that follows where
// it has failed. One request takes no longer, so a login does not wait for two time outs.
const groupPatience = okta.DefaultTimeout

// isOf reports whether r is a read of the user's groups that began at oldest or later. A
// nil r is not.
func (r *GroupRead) isOf(userID string, oldest time.Time) bool {
	return r != nil && r.userID == userID && !r.began.Before(oldest)
}

// wait returns what r has read, as soon as r is done.
func (r *GroupRead) wait(ctx context.Context) ([]okta.Group, error) {
	select {
	case <-r.done:
		return r.groups, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
