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

// of returns the groups of the user, once r has read them. ok is false where the
// caller has to read them itself: r is of another user, is older than oldest, or has
// failed. A failure may be old, and the person should not have to approve another push
// because of it.
func (r *GroupRead) of(ctx context.Context, userID string, oldest time.Time) (groups []okta.Group, ok bool, err error) {
	if r == nil || r.userID != userID || r.began.Before(oldest) {
		return nil, false, nil
	}
	select {
	case <-r.done:
		return r.groups, r.err == nil, nil
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}
