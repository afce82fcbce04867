package mfa

import (
	"context"
	"slices"
	"sync"
	"time"
)

// guard keeps pushes from wearing a person down until they approve one that is
// not theirs. It lets one push at a time wait for a person, and after too many
// that went wrong, none for a while. A passcode never needs its leave.
//
// It belongs to one mount, knows people by their org and Okta user id, and
// forgets everything when the process ends. The zero value is ready.
type guard struct {
	mu     sync.Mutex
	people map[string]*pushes
}

// pushes are those of one person.
type pushes struct {
	waiting *ring
	failed  []failure // in the order of time
}

type failure struct {
	at         time.Time
	rejected   bool // by the person; otherwise nobody answered
	unattended bool // nobody had asked for it
}

// ring is the leave to make a person's phones ring, once.
type ring struct {
	guard      *guard
	clock      Clock
	person     string
	origin     string
	unattended bool
	limit      PushLimit
	until      time.Time
	instead    *ring // that of the same login, which is about to end
	// withdraw ends the login that waits, and with it the ring.
	withdraw func(ctx context.Context)
}

// result is how a ring ended.
type result int

const (
	approved   result = iota + 1
	rejected          // the person said no
	unanswered        // anything else, once the phone may have rung
	uncounted         // Okta refused to send the push, or lets nobody in who approves it
)

const (
	// maxWindow is the longest that a failure counts.
	maxWindow = 24 * time.Hour
	// withdrawal bounds the time that a login takes to make room for another.
	withdrawal = 5 * time.Second
)

// begin asks for leave to send r.person a push. One that waits is in the way,
// unless it came from the same origin: people interrupt a login and try again.
// Then that one is withdrawn. An empty origin is nobody's, and what is unattended
// takes nobody's place.
func (g *guard) begin(ctx context.Context, r *ring) error {
	for {
		inTheWay, err := g.admit(r)
		if err != nil || inTheWay == nil {
			return err
		}
		patience, cancel := context.WithTimeout(ctx, withdrawal)
		inTheWay.withdraw(patience)
		cancel()
		inTheWay.end(unanswered) // where the login was too slow to say so
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// admit enters r, or returns the ring that has to be withdrawn before.
func (g *guard) admit(r *ring) (inTheWay *ring, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.of(r)
	if err := p.refusal(r); err != nil || p.waiting != nil {
		return p.waiting, err
	}
	if g.people == nil {
		g.people = map[string]*pushes{}
	}
	p.waiting = r
	g.people[r.person] = p
	return nil, nil
}

// check tells whether begin would refuse r, and changes nothing.
func (g *guard) check(r *ring) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.of(r).refusal(r)
}

// of returns the pushes of r's person, up to date.
func (g *guard) of(r *ring) *pushes {
	p := g.people[r.person]
	if p == nil {
		return &pushes{}
	}
	now := r.clock.Now()
	p.expire(now)
	p.forget(now.Add(-2 * r.limit.Window))
	return p
}

// refusal says why r must not be.
func (p *pushes) refusal(r *ring) error {
	now, w := r.clock.Now(), p.waiting
	if wait := barred(p.failed, r).Sub(now); wait > 0 {
		return &PushRefusedError{Wait: wait}
	}
	if w == nil {
		return nil
	}
	same := r.origin != "" && r.origin == w.origin && !r.unattended
	// To withdraw one only to be refused for that would leave the person with none.
	last := append(slices.Clone(p.failed), failure{at: now, unattended: w.unattended})
	tooMany := barred(last, r).Sub(now)
	switch {
	case w == r.instead && tooMany > 0:
		return &PushRefusedError{Wait: tooMany}
	case w != r.instead && (!same || tooMany > 0):
		return &PushRefusedError{Wait: w.until.Sub(now), Waiting: true}
	}
	return nil
}

// barred is until when so many failures bar r: for the length of the window after
// the last of too many within one. A push that nobody asked for bars only others
// of its kind, unless it was rejected.
func barred(failed []failure, r *ring) (until time.Time) {
	var counted []time.Time
	for _, f := range failed {
		if f.rejected || !f.unattended || r.unattended {
			counted = append(counted, f.at)
		}
	}
	for last := r.limit.Failures - 1; r.limit.Failures > 0 && last < len(counted); last++ {
		if counted[last].Sub(counted[last-r.limit.Failures+1]) < r.limit.Window {
			until = counted[last].Add(r.limit.Window)
		}
	}
	return until
}

// expire ends a wait that nobody asks about any more.
func (p *pushes) expire(now time.Time) {
	if w := p.waiting; w != nil && now.After(w.until) {
		p.waiting = nil
		p.failed = append(p.failed, failure{at: w.until, unattended: w.unattended})
	}
}

// forget drops the failures that are not younger than before.
func (p *pushes) forget(before time.Time) {
	p.failed = slices.DeleteFunc(p.failed, func(f failure) bool { return !f.at.After(before) })
}

// end gives the leave back. Only the first call counts.
func (r *ring) end(how result) {
	g := r.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.people[r.person]
	if p == nil || p.waiting != r {
		return
	}
	p.waiting = nil
	switch how {
	case approved:
		// Who approves has missed the others themselves. What they rejected was
		// somebody else's.
		p.failed = slices.DeleteFunc(p.failed, func(f failure) bool { return !f.rejected })
	case rejected, unanswered:
		p.failed = append(p.failed, failure{at: r.clock.Now(), rejected: how == rejected, unattended: r.unattended})
	}
	if len(p.failed) == 0 {
		delete(g.people, r.person)
	}
}

// extend says until when the ring waits.
func (r *ring) extend(until time.Time) {
	r.guard.mu.Lock()
	defer r.guard.mu.Unlock()
	r.until = until
}

// tidy forgets what no longer matters at now.
func (g *guard) tidy(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for person, p := range g.people {
		p.expire(now)
		p.forget(now.Add(-2 * maxWindow))
		if p.waiting == nil && len(p.failed) == 0 {
			delete(g.people, person)
		}
	}
}
