package mfa

import (
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// pollCycle is the time in which every push that waits is polled once, while Okta
	// has room for that.
	pollCycle = PollInterval + pollJitter/2

	// longestCycle is that time where Okta has hardly any room left. A login waits for
	// 80 s at most, and should not learn too late that it was approved.
	longestCycle = 20 * time.Second

	// lastMoment is the time between the last poll and the end of the wait, so that
	// there is time for the answer.
	lastMoment = time.Second

	// freeGap is a time between two polls, of whatever logins, that is never too
	// short.
	freeGap = 20 * time.Millisecond
)

// pace spreads the polls of the logins of one mount, so that those of a rush do not
// come all at once, and leave room for other requests where Okta's rate limit is
// running out. The zero value is ready. A nil *pace lets each login poll when a poll
// is due.
type pace struct {
	mu      sync.Mutex
	waiting int
	next    time.Time // before it, no further poll is reserved
	resting time.Time // until then, nobody polls
}

// enter counts one more push that waits, until leave is called.
func (p *pace) enter() (leave func()) {
	if p == nil {
		return func() {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.waiting--
	})
}

// nextPoll is when to poll a login's pushes, which wait until a time: after the
// interval or later, at a time of the login's own, but once more before the wait
// ends. After that last poll it is a moment after the end. pushes is the number of
// the login's pushes. limit tells what Okta has left; nil: that is not known.
func (p *pace) nextPoll(now time.Time, interval time.Duration, pushes int, until time.Time, limit func() okta.RateLimit) time.Time {
	due := now.Add(interval)
	if p != nil {
		due = p.slot(now, interval, pushes, known(limit))
	}
	switch last := until.Add(-lastMoment); {
	case !due.After(last):
		return due
	case until.Sub(now) >= 2*lastMoment:
		return last
	case !due.After(until):
		return due
	}
	return until.Add(time.Millisecond)
}

func known(limit func() okta.RateLimit) okta.RateLimit {
	if limit == nil {
		return okta.RateLimit{}
	}
	return limit()
}

// fewWaiting is how many pushes may wait that are polled about once a second.
const fewWaiting = 20

// isAmple reports whether few pushes wait and Okta has more than half of its limit left.
func (p *pace) isAmple(now time.Time, limit func() okta.RateLimit) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	waiting := p.waiting
	p.mu.Unlock()
	return waiting <= fewWaiting && known(limit).IsAmple(now)
}

// slot keeps polls apart by when they are reserved, not by when they are due: a long
// interval of one login does not hold up another one's short interval.
func (p *pace) slot(now time.Time, interval time.Duration, pushes int, left okta.RateLimit) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resting.After(now.Add(interval)) {
		now = p.resting.Add(-interval)
	}
	slot := now
	if p.next.After(now) {
		slot = earlier(p.next, now.Add(max(longestCycle-interval, 0))) // a rush that has grown has reserved too much
	}
	p.next = slot.Add(gap(p.waiting, pushes, now, left))
	return slot.Add(interval)
}

// rest lets nobody poll before a time, where a 429 concerns everybody: Okta has
// nothing left for them. Where the limit is not known, it may be one person's, and
// everybody rests no longer than at the slowest pace.
func (p *pace) rest(now, until time.Time, limit func() okta.RateLimit) {
	if p == nil {
		return
	}
	switch left := known(limit); {
	case !left.Reset.After(now):
		until = earlier(until, now.Add(longestCycle))
	case left.Remaining > 0:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.resting) {
		p.resting = until
	}
}

// gap is the time between the polls of two logins, where so many wait and the login
// polls so many pushes.
func gap(waiting, pushes int, now time.Time, limit okta.RateLimit) time.Duration {
	n := time.Duration(max(waiting, 1))
	g := min(pollCycle/n, freeGap)
	// Less than half is left: the polls take half of that, evenly until the limit is
	// reset.
	if left := limit.Reset.Sub(now); left > 0 && limit.Remaining < limit.Limit/2 {
		g = max(g, left*time.Duration(pushes)/time.Duration(max(limit.Remaining/2, 1)))
	}
	return min(g, longestCycle/n)
}

// earlier is the earlier of two times, of which a may be zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
