package okta

import (
	"context"
	"errors"
	"time"
)

const (
	// maxRequests is how many requests of a client are on their way at once. Okta
	// serves 75 requests of an org at once.
	// https://developer.okta.com/docs/reference/rl-additional-limits/
	maxRequests = 64

	// MaxAuthentications is how many of these requests may be calls of Authenticate,
	// which anybody can cause. The rest is for logins whose password was right: their
	// polls, passcodes, groups and cancels never queue behind passwords.
	MaxAuthentications = 48

	// maxQueue is how long a request waits for room at most.
	maxQueue = 5 * time.Second
)

// queue holds requests back while too many others are on their way. An element in a
// channel is a request.
type queue struct {
	all, authentications chan struct{}
	patience             time.Duration // how long a request waits for room at most
}

func newQueue(patience time.Duration) queue {
	return queue{
		all:             make(chan struct{}, maxRequests),
		authentications: make(chan struct{}, MaxAuthentications),
		patience:        patience,
	}
}

// enter waits for room for a request, and fails with ErrBusy where there is none in
// time. Otherwise the caller has to call leave when the request is over.
func (q *queue) enter(ctx context.Context, authenticates bool) (leave func(), err error) {
	ctx, stop := context.WithTimeout(ctx, q.patience)
	defer stop()
	if !authenticates {
		return take(ctx, q.all)
	}
	leaveFirst, err := take(ctx, q.authentications)
	if err != nil {
		return nil, err
	}
	leaveSecond, err := take(ctx, q.all)
	if err != nil {
		leaveFirst()
		return nil, err
	}
	return func() { leaveSecond(); leaveFirst() }, nil
}

// take waits for room in one channel. Callers get room in the order in which they
// came.
func take(ctx context.Context, room chan struct{}) (leave func(), err error) {
	leave = func() { <-room }
	select {
	case room <- struct{}{}:
		return leave, nil
	default:
	}
	select {
	case room <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, context.Canceled
		}
		return nil, ErrBusy
	}
}
