package mfa

import (
	"context"
	"time"
)

const (
	// MaxWait bounds the wait for a push, whatever Okta's expiry says and however
	// much time the caller has.
	MaxWait = 5 * time.Minute

	// leastWait is the shortest wait for which a push is sent: in less time nobody
	// finds their phone.
	leastWait = 5 * time.Second

	// assumedPause is how long Okta is left alone where it limits the rate without
	// saying for how long.
	assumedPause = 10 * time.Second

	// turnPatience bounds the wait for a call that is being served to end.
	turnPatience = 5 * time.Second

	// reserve is the time between the end of the wait for a push and the deadline of
	// the login: enough to cancel the transaction and to answer the client.
	reserve = cancelTimeout + 2*time.Second
)

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or with ctx's error as soon as ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the clock of this machine.
func SystemClock() Clock { return systemClock{} }

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
