package mfa

import (
	"context"
	"time"
)

const (
	// PollInterval is the shortest time between two polls of one push. Okta gives no
	// figure; Identity Engine allows 10 requests per state token and 20 per user in
	// 5 s.
	// https://developer.okta.com/docs/reference/rl-additional-limits/
	PollInterval = 2 * time.Second

	// pollJitter is added, in part, to each interval: logins that began together
	// do not stay together.
	pollJitter = 500 * time.Millisecond

	// firstPoll is the shortest time between a push and its first poll. Up to a whole
	// interval is added, so that logins do not poll together from the start.
	firstPoll = time.Second

	// soonInterval is the time between two polls of a push in the time in which people
	// approve, soonFor after it was sent, where Okta's limit allows that; soonJitter is
	// added in part. A login polls at most soonPushes phones so often: Okta allows 20
	// requests of a user in 5 s.
	soonInterval = time.Second
	soonJitter   = 250 * time.Millisecond
	soonFor      = 12 * time.Second
	soonPushes   = 2

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
