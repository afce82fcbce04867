package mfa

import (
	"context"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// GroupRead reads a person's groups, and their attributes, while the login waits for
// something else: for Okta's check of the password, or for the person's answer to a push.
type GroupRead struct {
	userID     string
	began      time.Time
	done       chan struct{}
	groups     []okta.Group      // after done
	attributes map[string]string // after done, where err is nil
	err        error             // after done
}

// ReadGroups begins at now to read the groups of a user and, at the same time, their
// attributes. The read ends with ctx.
func (f Flow) ReadGroups(ctx context.Context, now time.Time, userID string) *GroupRead {
	r := &GroupRead{userID: userID, began: now, done: make(chan struct{})}
	attributes := make(chan error, 1)
	if f.Attributes == nil {
		attributes <- nil
	} else {
		go func() {
			var err error
			defer func() { attributes <- err }()
			defer panics.Recover(&err)
			r.attributes, err = f.Attributes(ctx, userID)
		}()
	}
	go func() {
		defer close(r.done)
		defer panics.Recover(&r.err)
		if r.groups, r.err = f.Groups(ctx, userID); r.err == nil {
			r.err = <-attributes
		}
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
