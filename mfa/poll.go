package mfa

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// PollInterval is the shortest time between two questions to Okta about one
	// push. Okta gives no figure; Identity Engine allows 10 requests per state
	// token and 20 per user in 5 s.
	// https://developer.okta.com/docs/reference/rl-additional-limits/
	PollInterval = 2 * time.Second

	// pollJitter is added, in part, to each interval: logins that began together
	// do not stay together.
	pollJitter = 500 * time.Millisecond

	// MaxWait bounds the wait for a push, whatever Okta's expiry says and however
	// much time the caller has.
	MaxWait = 5 * time.Minute

	// farewell is how long before the deadline of its context the wait for a push
	// ends: enough to cancel the transaction and to answer, while there is still
	// somebody to answer to.
	farewell = cancelTimeout + 2*time.Second
)

// Clock tells the time and waits. A nil Clock in a Poll is the system's.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or with ctx's error as soon as ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
}

// Poll is how a push is waited for. The zero value uses the system's clock.
type Poll struct {
	Clock Clock
}

// waiting is one push being waited for.
type waiting struct {
	clock Clock
	until time.Time
}

func (p Poll) start(ctx context.Context) waiting {
	clock := p.Clock
	if clock == nil {
		clock = systemClock{}
	}
	wait := MaxWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)-farewell)
	}
	return waiting{clock: clock, until: clock.Now().Add(wait)}
}

// next returns when it is time to ask again. It fails with ErrPushTimeout once
// the challenge has expired (zero: Okta did not say when it will) or the wait is
// over, and with ctx's error as soon as ctx ends.
func (w waiting) next(ctx context.Context, expires time.Time) error {
	if err := w.clock.Sleep(ctx, PollInterval+rand.N(pollJitter)); err != nil {
		return err
	}
	now := w.clock.Now()
	if now.After(w.until) || !expires.IsZero() && now.After(expires) {
		return ErrPushTimeout
	}
	return nil
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
