package store

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/singleflight"
)

const (
	// maxAge is when what was read is read again, in the background: Vault tells a
	// node of most changes that others make, but promises nothing.
	maxAge = 10 * time.Minute
	// retryAfter is when a read in the background that failed is tried again.
	retryAfter = time.Minute
	// maxIdle is how long something may be overdue and still be used. It is never
	// reached by what somebody asks for now and then.
	maxIdle = 10 * time.Minute
	// readTimeout bounds each read, since it does not end with those who wait for it.
	readTimeout = 30 * time.Second
)

// ErrTimeout says that somebody has waited for storage, or for another's write, for
// as long as they could.
var ErrTimeout error = logical.CodedError(http.StatusGatewayTimeout, "Vault's storage did not answer in time: try again later")

// aged is something that was read from storage; it is read again when it is due.
type aged[V any] struct {
	value V
	due   time.Time
}

// usable reports whether a may be used at that time. It is false for nil.
func (a *aged[V]) usable(now time.Time) bool { return a != nil && now.Sub(a.due) < maxIdle }

// use is usable, and tells the caller to refresh what is due. It tells nobody else
// until retryAfter has passed.
func (a *aged[V]) use(now time.Time) (usable, refresh bool) {
	if !a.usable(now) || now.Before(a.due) {
		return a.usable(now), false
	}
	a.due = now.Add(retryAfter)
	return true, true
}

// read reads an entry, or joins the read of it that is in flight, and keeps the
// result unless something has changed meanwhile. The caller holds the lock: so what
// it has not found there is still in flight, or nobody reads it.
func (s *Store[T]) read(ctx context.Context, from logical.Storage, name string) <-chan singleflight.Result {
	return s.fly(ctx, &s.reads, name, func(ctx context.Context) (any, error) {
		s.mu.Lock()
		began, changes := s.Now(), s.changes
		s.mu.Unlock()
		entry, err := Load[T](ctx, from, s.prefix+name)
		if err != nil {
			return nil, err
		}
		if entry != nil && s.ready != nil {
			s.ready(entry)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.changes == changes && !s.unsettled[name] {
			s.keep(name, entry, began)
		}
		return entry, nil
	})
}

// fly does work once for all who ask for key at the same time. It does not end with
// the caller who asks first, so that the others still get a result.
func (s *Store[T]) fly(ctx context.Context, group *singleflight.Group, key string, work func(context.Context) (any, error)) <-chan singleflight.Result {
	return group.DoChan(key, func() (result any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		defer context.AfterFunc(s.Life, cancel)()
		defer func() {
			if value := recover(); value != nil {
				if s.Panicked != nil {
					s.Panicked(value, debug.Stack())
				}
				result, err = nil, errPanicked
			}
		}()
		if result, err = work(ctx); err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = ErrTimeout
		}
		return result, err
	})
}

// wait returns what comes out of a read, unless ctx ends before.
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

// gaveUp is the error for whoever has waited until ctx ended.
func gaveUp(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ctx.Err()
}
