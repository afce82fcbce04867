package store

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/singleflight"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
)

const (
	// maxAge is the age at which the store reads an entry again, in the background.
	// Vault invalidates what another node changes, but does not promise to.
	maxAge = 5 * time.Minute
	// retryAfter is the time after which the store retries a failed refresh.
	retryAfter = time.Minute
	// maxIdle is how long the store still uses an entry that is due. Whoever asks for
	// the entry meanwhile causes a refresh and sets a new due time, so only what nobody
	// has asked for gets too old. Together with maxAge it makes ten minutes, which the
	// documents promise.
	maxIdle = 5 * time.Minute
	// readTimeout bounds each read, because a read does not end with its callers.
	readTimeout = 30 * time.Second
)

// ErrTimeout says that a wait for storage, or for another caller's write, has timed
// out. It is an answer that Vault understands.
var ErrTimeout error = logical.CodedError(http.StatusGatewayTimeout, "the storage of Vault did not answer in time: try again later")

// aged is a value from storage, and when the store has to read it again.
type aged[V any] struct {
	value V
	due   time.Time
}

// usable reports whether the value may be used at that time. It is false for nil.
func (a *aged[V]) usable(now time.Time) bool { return a != nil && now.Sub(a.due) < maxIdle }

// use is like usable, and also reports whether the caller has to refresh the value. It
// asks one caller for that until retryAfter has passed.
func (a *aged[V]) use(now time.Time) (usable, refresh bool) {
	if !a.usable(now) || now.Before(a.due) {
		return a.usable(now), false
	}
	a.due = now.Add(retryAfter)
	return true, true
}

// read reads an entry, or joins the read that is in flight, and keeps the result
// unless something has changed meanwhile. The caller holds the lock, so no read can
// end between the caller's look at the entries and this call.
func (s *Store[T]) read(ctx context.Context, from logical.Storage, name string) <-chan singleflight.Result {
	return s.inFlight(ctx, &s.reads, name, func(ctx context.Context) (any, error) {
		s.mu.Lock()
		began, changes := s.Now(), s.changes
		s.mu.Unlock()
		found, err := s.load(ctx, from, name)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if kept, ok := s.entries.Peek(name); ok && reflect.DeepEqual(kept.value, found) {
			found = kept.value // so that what callers have made of it stays valid
		}
		if s.changes == changes && !s.unsettled[name] {
			s.keep(name, found, began)
		}
		return found, nil
	})
}

// inFlight runs work once for all callers who ask for key at the same time. The work
// does not end with the caller who began it, because the others still wait.
func (s *Store[T]) inFlight(ctx context.Context, group *singleflight.Group, key string, work func(context.Context) (any, error)) <-chan singleflight.Result {
	return group.DoChan(key, func() (result any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		defer context.AfterFunc(s.Life, cancel)()
		defer panics.Recover(&err)
		if result, err = work(ctx); err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = ErrTimeout
		}
		return result, err
	})
}

// wait returns the result of a read, or an error when ctx ends before.
func wait[V any](ctx context.Context, read <-chan singleflight.Result) (none V, err error) {
	select {
	case result := <-read:
		if result.Err != nil {
			return none, result.Err
		}
		return result.Val.(V), nil
	case <-ctx.Done():
		return none, gaveUp(ctx)
	}
}

// report waits for a read that no caller waits for, and reports its failure.
func (s *Store[T]) report(read <-chan singleflight.Result) {
	if result := <-read; result.Err != nil && s.RefreshFailed != nil && s.Life.Err() == nil {
		s.RefreshFailed(result.Err)
	}
}

// gaveUp returns the error for a caller who has waited until ctx ended.
func gaveUp(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ctx.Err()
}
