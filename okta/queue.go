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

	// MaxUnproven is how many of these calls may be for names that have not been proven;
	// see Unproven. They have as many connections of their own.
	MaxUnproven = 24

	// maxQueue is how long a request waits for room at most.
	maxQueue = 5 * time.Second
)

// share is the part of the requests that a request belongs to. Each share is within
// the one before it.
type share int

const (
	shareAll share = iota
	sharePasswords
	shareUnproven
	shares // how many there are
)

type (
	passwordKey struct{}
	unprovenKey struct{}
)

// withPassword marks a request under the context as one that carries a password.
func withPassword(ctx context.Context) context.Context {
	return context.WithValue(ctx, passwordKey{}, true)
}

// Unproven marks calls of Authenticate under the context as those for a name that
// nobody has proven to be theirs, at the place from which they call. Strangers can
// cause as many of them as they like, so they have connections of their own, and only
// MaxUnproven of them are on their way at once. One more fails with ErrBusy at once.
func Unproven(ctx context.Context) context.Context {
	return context.WithValue(ctx, unprovenKey{}, true)
}

// shareOf returns the share of a request under ctx.
func shareOf(ctx context.Context) share {
	switch {
	case ctx.Value(passwordKey{}) == nil:
		return shareAll
	case ctx.Value(unprovenKey{}) == nil:
		return sharePasswords
	}
	return shareUnproven
}

// queue holds requests back while too many others are on their way. An element in a
// channel is a request.
type queue struct {
	rooms    [shares]chan struct{}
	patience time.Duration // how long a request waits for room at most
}

func newQueue(patience time.Duration) queue {
	return queue{
		rooms: [shares]chan struct{}{
			make(chan struct{}, maxRequests), make(chan struct{}, MaxAuthentications), make(chan struct{}, MaxUnproven),
		},
		patience: patience,
	}
}

// enter waits for room for a request of the share, and fails with ErrBusy where there
// is none in time. Otherwise the caller has to call leave when the request is over.
func (q *queue) enter(ctx context.Context, s share) (leave func(), err error) {
	ctx, stop := context.WithTimeout(ctx, q.patience)
	defer stop()
	entered := s + 1
	leave = func() {
		for i := entered; i <= s; i++ {
			<-q.rooms[i]
		}
	}
	for i := s; i >= shareAll; i-- { // the narrowest first, so that nobody holds room for others while they wait there
		if err := take(ctx, q.rooms[i], i != shareUnproven); err != nil {
			leave()
			return nil, err
		}
		entered = i
	}
	return leave, nil
}

// take takes room in one channel, and waits for it if it may. Callers get room in the
// order in which they came.
func take(ctx context.Context, room chan struct{}, waits bool) error {
	select {
	case room <- struct{}{}:
		return nil
	default:
	}
	if !waits {
		return ErrBusy
	}
	select {
	case room <- struct{}{}:
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return context.Canceled
		}
		return ErrBusy
	}
}
