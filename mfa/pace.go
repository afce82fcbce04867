package mfa

import (
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// pollCycle is the time in which every push that waits is asked about once, while
	// Okta has room for that.
	pollCycle = PollInterval + pollJitter/2

	// longestCycle is that time where Okta has hardly any room left. A login waits for
	// 80 s at most, and should not find out too late that it was approved.
	longestCycle = 20 * time.Second

	// lastMoment is how long before the end of a wait the last question is asked, so
	// that there is time for its answer.
	lastMoment = time.Second

	// freeGap is the time between two questions, of whatever logins, that nobody needs
	// to be kept from.
	freeGap = 20 * time.Millisecond
)

// pace spreads the questions about pushes that the logins of one mount ask Okta:
// those of a rush do not come all at once, and they leave room for others where
// Okta's rate limit is running out. It belongs to one mount. The zero value is
// ready, and a nil *pace lets every question be asked when it is due.
type pace struct {
	mu      sync.Mutex
	waiting int
	next    time.Time // the next question is reserved, or later
	resting time.Time // until then none is
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

// question is when to ask the next question about a login's pushes that wait until
// a time: after the interval, or later, each login at a time of its own, but once
// more before the wait ends; a moment after its end, if that has been done. pushes
// is the number of the login's. limit tells what Okta has left; nil: nobody knows.
func (p *pace) question(now time.Time, interval time.Duration, pushes int, until time.Time, limit func() okta.RateLimit) time.Time {
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

// slot keeps questions apart by when they are reserved, not by when they are due: a
// long interval of one login does not hold up another one's short interval.
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

// rest lets nobody ask before a time, where a 429 is about everybody: what Okta has
// left for all of them is nothing. If nobody knows, they rest for as long as they
// would at the slowest pace; the limit may be one person's.
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

// gap is the time between the questions of two logins, of so many that wait, one of
// them about so many pushes.
func gap(waiting, pushes int, now time.Time, limit okta.RateLimit) time.Duration {
	n := time.Duration(max(waiting, 1))
	g := min(pollCycle/n, freeGap)
	// Less than half is left: the questions take half of that, evenly until the limit
	// is reset.
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
