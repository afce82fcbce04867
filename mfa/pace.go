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

	// lastMoment is how long before the end of a wait the last question is asked.
	lastMoment = 500 * time.Millisecond

	// freeGap is the time between two questions, of whatever logins, that nobody needs
	// to be kept from.
	freeGap = 20 * time.Millisecond
)

// Pace spreads the questions about pushes that the logins of one mount ask Okta:
// those of a rush do not come all at once, and they leave room for others where
// Okta's rate limit is running out. It belongs to one mount. The zero value is
// ready, and a nil *Pace lets every question be asked when it is due.
type Pace struct {
	mu      sync.Mutex
	waiting int
	next    time.Time // the next question is asked, or later
	resting time.Time // until then none is
}

// enter counts one more push that waits, until leave is called.
func (p *Pace) enter() (leave func()) {
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

// question is when to ask the next question about a push that waits until a time:
// after the interval, or later, each question at a time of its own, but once more
// before the wait ends. limit tells what Okta has left; nil: nobody knows.
func (p *Pace) question(now time.Time, interval time.Duration, until time.Time, limit func() okta.RateLimit) time.Time {
	due := now.Add(interval)
	if p != nil {
		var left okta.RateLimit
		if limit != nil {
			left = limit()
		}
		due = p.slot(due, now, left)
	}
	if due.After(until) && until.Sub(now) > PollInterval {
		return until.Add(-lastMoment)
	}
	return due
}

func (p *Pace) slot(due, now time.Time, left okta.RateLimit) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resting.After(now) {
		now = p.resting
	}
	if p.next.After(due) {
		due = earlier(p.next, now.Add(longestCycle)) // a rush that has grown has reserved too much
	}
	if now.After(due) {
		due = now
	}
	p.next = due.Add(gap(p.waiting, now, left))
	return due
}

// rest lets nobody ask before a time: Okta wants to be left alone.
func (p *Pace) rest(until time.Time) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.resting) {
		p.resting = until
	}
}

// gap is the time between two questions about so many pushes.
func gap(waiting int, now time.Time, limit okta.RateLimit) time.Duration {
	n := time.Duration(max(waiting, 1))
	g := min(pollCycle/n, freeGap)
	// Less than half is left: the questions take half of that, evenly until the limit
	// is reset.
	if left := limit.Reset.Sub(now); left > 0 && limit.Remaining < limit.Limit/2 {
		g = max(g, left/time.Duration(max(limit.Remaining/2, 1)))
	}
	return min(g, longestCycle/n)
}
