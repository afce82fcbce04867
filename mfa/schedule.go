package mfa

import (
	"math/rand/v2"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// The schedule of polls. pollAfter decides it, pace keeps the polls of a mount apart and
// within Okta's limit, and trail holds when a login polls next.
const (
	// PollInterval is the shortest time between two polls of one push where nothing
	// speaks for more of them. Okta gives no figure; Identity Engine allows 10 requests
	// per state token and 20 per user in 5 s.
	// https://developer.okta.com/docs/reference/rl-additional-limits/
	PollInterval = 2 * time.Second

	// pollJitter is added, in part, to each interval: logins that began together
	// do not stay together.
	pollJitter = 500 * time.Millisecond

	// firstPoll is the shortest time between a push and its first poll. Up to a whole
	// interval is added, so that logins do not poll together from the start.
	firstPoll = time.Second

	// Where Okta's limit is ample, a push is polled once after firstPoll, when Okta tells
	// the number of a number challenge. People have their phone in hand from soonFrom on:
	// until soonMost, soonInterval lies between an answer and the next poll, and
	// soonLater until soonUntil. The sum of polls is that of one poll a second, at most.
	soonFrom     = 2500 * time.Millisecond
	soonMost     = 6 * time.Second
	soonUntil    = 12 * time.Second
	soonInterval = 650 * time.Millisecond
	soonJitter   = 200 * time.Millisecond
	soonLater    = 1100 * time.Millisecond
)

// polling is what the time of the next poll depends on.
type polling struct {
	waited time.Duration // since the push was sent
	pushes int           // that the login polls
	first  bool          // it has polled none
	held   bool          // the login goes on when its client asks, each PollInterval
	ample  bool          // few pushes wait, and more than half of the limit is left
}

// pollAfter is the time from now, or from the answer to the last poll, to the next one:
// least, and a part of spread.
func pollAfter(p polling) (least, spread time.Duration) {
	switch {
	case p.held:
		return PollInterval - pollJitter, 0
	case p.first && p.ample:
		return firstPoll, pollJitter
	case p.first:
		return firstPoll, PollInterval + pollJitter - firstPoll
	case !p.ample || p.waited >= soonUntil:
		return PollInterval, pollJitter
	case p.waited < soonMost:
		least = soonInterval
	default:
		least = soonLater
	}
	// Okta counts the requests of a user, too: several phones share what one has.
	n := time.Duration(max(p.pushes, 1))
	least = min(max(n*least, soonFrom-p.waited), PollInterval)
	return least, min(n*soonJitter, pollJitter)
}

// inPart is least and a random part of spread.
func inPart(least, spread time.Duration) time.Duration {
	if spread > 0 {
		least += rand.N(spread)
	}
	return least
}

// PollPause is the time between the beginnings of two polls of a push that was sent so
// long ago, for a service that has not limited the rate. first says that there was no
// poll with time to spare before.
func PollPause(waited time.Duration, first bool) time.Duration {
	return inPart(pollAfter(polling{waited: waited, pushes: 1, first: first, ample: true}))
}

// polls is what the next poll of a login depends on.
type polls struct {
	pace   *pace
	limit  func() okta.RateLimit // of the API that is polled; nil: not known
	pushes int                   // that the login polls
	ends   time.Time             // of the push
}

// interval is the time until the next poll of a push; first says that there was none
// before.
func (t *trail) interval(p polls, first bool) time.Duration {
	now := t.flow.Clock.Now()
	return inPart(pollAfter(polling{
		waited: now.Sub(t.begun), pushes: p.pushes, first: first, held: t.flow.Hold, ample: p.pace.isAmple(now, p.limit),
	}))
}

// schedule says when to poll next: after the interval, or later where other logins
// and Okta's rate limit leave no room, but once more before the push ends.
func (t *trail) schedule(interval time.Duration, p polls) {
	t.due = p.pace.nextPoll(t.flow.Clock.Now(), interval, p.pushes, p.ends, p.limit)
	t.permit.extend(p.ends)
}

// putOff schedules the next poll after Okta has limited the rate for so long.
func (t *trail) putOff(pause time.Duration, p polls) {
	if pause > 0 {
		now := t.flow.Clock.Now()
		p.pace.rest(now, now.Add(pause), p.limit)
	}
	t.schedule(t.interval(p, false)+pause, p)
}

// mayAskAgain reports whether a poll that failed may be sent again, at a time when the
// push will still wait.
func (t *trail) mayAskAgain(err error, ends time.Time) bool {
	return !isFinal(err) && (tooManyRequests(err) || isPassing(err)) && t.flow.Clock.Now().Add(retryAfter(err)).Before(ends)
}
