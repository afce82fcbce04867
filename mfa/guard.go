package mfa

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// guard protects people against MFA fatigue, and whoever pays against the cost of
// codes. It lets one push at a time wait for a person and, after too many pushes
// and codes that went wrong, no more be sent for a while. A passcode needs no
// permit.
//
// It belongs to one mount, knows people by their org and Okta user id, and
// forgets everything when the process ends. The zero value is ready.
type guard struct {
	mu      sync.Mutex
	people  byPerson[*record]
	permits uint64 // so far
}

// record is what the guard knows of one person.
type record struct {
	waiting *permit   // whose push waits; nil: none does
	failed  []failure // in the order of time
}

// failure is a challenge that went wrong, or a code that has not been answered.
type failure struct {
	at         time.Time
	rejected   bool   // by the person; otherwise nobody answered
	unattended bool   // nobody had asked for it
	serial     uint64 // that of the permit
}

// permit allows a login to send one challenge.
type permit struct {
	okta.Unprintable
	guard      *guard
	clock      Clock
	person     string
	nonce      string // of the login
	unattended bool
	limit      PushLimit
	isCode     bool      // for a code, which a later login may answer; otherwise for a push
	serial     uint64    // tells the challenge from others, once it is permitted
	until      time.Time // when the wait for the push ends; under the guard's lock
	instead    *permit   // of the same login, which gives that push up for this challenge, or has
	settled    bool      // how the push ended has been noted; under the guard's lock

	// isEnding reports whether the login is about to end, and the permit with it.
	isEnding func() bool
	// withdraw ends the login in favor of another one.
	withdraw func(ctx context.Context)
	// over is closed at the end of the permit.
	over chan struct{}
}

// result is how a challenge ended.
type result int

const (
	approved   result = iota + 1
	rejected          // the person said no
	unanswered        // anything else, once the challenge may have been sent
	uncounted         // it was not sent, or it was approved and Okta denies the login all the same
)

const (
	// maxWindow is the longest that a failure counts.
	maxWindow = 24 * time.Hour
	// withdrawal bounds the wait for another login to end.
	withdrawal = 5 * time.Second
)

// admit permits p's push, or says why not. Where another push waits, admit ends its
// login if that has the same nonce, because then the client repeats a request. Where
// that login is about to end by itself, as after an interrupt, admit waits for it
// briefly.
func (g *guard) admit(ctx context.Context, p *permit) error {
	patience, stop := context.WithTimeout(ctx, withdrawal)
	defer stop()
	for {
		if err := ctx.Err(); err != nil { // no push for nobody
			return err
		}
		other, err := g.enter(p)
		if err != nil || other == nil {
			return err
		}
		if other != p.instead && p.replaces(other) {
			other.withdraw(patience)
		}
		select {
		case <-other.over:
		case <-patience.Done():
			if ctx.Err() == nil {
				return g.waits(other)
			}
		}
	}
}

// enter enters p's push as the one that waits, or returns the permit that has to end
// before.
func (g *guard) enter(p *permit) (other *permit, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.of(p)
	if err := r.forbids(p); err != nil || r.waiting != nil {
		return r.waiting, err
	}
	g.permits++
	r.waiting, p.serial = p, g.permits
	g.people.put(p.person, r)
	return nil, nil
}

// admitCode permits p's code, or says why not. The code counts as one that nobody
// answered from now on, so that logins that have codes sent at the same time do not
// get past the limit together.
func (g *guard) admitCode(p *permit) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.of(p)
	if err := r.forbids(p); err != nil {
		return err
	}
	g.permits++
	p.serial = g.permits
	r.fail(p, failure{at: p.clock.Now(), unattended: p.unattended, serial: p.serial})
	g.people.put(p.person, r)
	g.drop(p.person, r) // where there is no limit
	return nil
}

// check says why p's challenge must not be sent, and changes nothing.
func (g *guard) check(p *permit) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.of(p).forbids(p)
}

// answered notes that the person has answered a code of the factor right. That
// makes up for all that they did not answer, as an approval does. A factor that
// sends no codes changes nothing.
func (g *guard) answered(person string, f okta.Factor) {
	if !KindOf(f).sends() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.people.get(person); r != nil {
		r.forgive()
		g.drop(person, r)
	}
}

// of returns the record of p's person, up to date.
func (g *guard) of(p *permit) *record {
	r := g.people.get(p.person)
	if r == nil {
		return &record{}
	}
	now := p.clock.Now()
	r.expire(now)
	r.forget(now.Add(-2 * p.limit.Window))
	return r
}

// waits says that other's push is in the way.
func (g *guard) waits(other *permit) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &ChallengeRefusedError{Wait: other.until.Sub(other.clock.Now()), Waiting: true}
}

// drop removes a record that says nothing any more.
func (g *guard) drop(person string, r *record) {
	if r.waiting == nil && len(r.failed) == 0 {
		g.people.remove(person)
	}
}

// tidy forgets what no longer matters at now.
func (g *guard) tidy(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.people.each(func(person string, r *record) {
		r.expire(now)
		r.forget(now.Add(-2 * maxWindow))
		g.drop(person, r)
	})
}

// count returns how many pushes wait at now.
func (g *guard) count(now time.Time) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.people.each(func(_ string, r *record) {
		if r.waiting != nil && !now.After(r.waiting.until) {
			n++
		}
	})
	return n
}

// forbids says why p's challenge must not be sent.
func (r *record) forbids(p *permit) error {
	now, w := p.clock.Now(), r.waiting
	if wait := barred(r.failed, p).Sub(now); wait > 0 {
		return &ChallengeRefusedError{Wait: wait}
	}
	if w == nil {
		return nil
	}
	// The push that waits may go unanswered, too. To withdraw it only to refuse the
	// next one for that would leave the person with none.
	failed := slices.Clone(r.failed)
	if !w.settled {
		failed = append(failed, failure{at: now, unattended: w.unattended})
	}
	wait := barred(failed, p).Sub(now)
	switch {
	case wait > 0 && (w == p.instead || w.isEnding()):
		return &ChallengeRefusedError{Wait: wait}
	case wait <= 0 && (p.isCode || w == p.instead || w.isEnding() || p.replaces(w)):
		return nil
	}
	return &ChallengeRefusedError{Wait: w.until.Sub(now), Waiting: true}
}

// barred is until when failures bar p: for the length of the window after the last
// of too many within one. What nobody had asked for bars only others of its kind,
// unless it was rejected.
func barred(failed []failure, p *permit) (until time.Time) {
	var counted []time.Time
	for _, f := range failed {
		if f.rejected || !f.unattended || p.unattended {
			counted = append(counted, f.at)
		}
	}
	for last := p.limit.Failures - 1; p.limit.Failures > 0 && last < len(counted); last++ {
		if counted[last].Sub(counted[last-p.limit.Failures+1]) < p.limit.Window {
			until = counted[last].Add(p.limit.Window)
		}
	}
	return until
}

// fail adds a failure, and drops the oldest ones where there are more than can
// decide anything: attended and unattended ones, of one window and the one before.
// Where there is no limit, none decides anything.
func (r *record) fail(p *permit, f failure) {
	r.failed = append(r.failed, f)
	if most := 4 * p.limit.Failures; len(r.failed) > most {
		r.failed = slices.Delete(r.failed, 0, len(r.failed)-most)
	}
}

// forgive drops what nobody answered. What was rejected was somebody else's.
func (r *record) forgive() {
	r.failed = slices.DeleteFunc(r.failed, func(f failure) bool { return !f.rejected })
}

// expire ends the wait for a push that nobody polls any more.
func (r *record) expire(now time.Time) {
	if w := r.waiting; w != nil && now.After(w.until) {
		r.release()
		if !w.settled {
			r.fail(w, failure{at: w.until, unattended: w.unattended, serial: w.serial})
		}
	}
}

// release ends the wait for the push.
func (r *record) release() {
	close(r.waiting.over)
	r.waiting = nil
}

// forget drops the failures that are not younger than before.
func (r *record) forget(before time.Time) {
	r.failed = slices.DeleteFunc(r.failed, func(f failure) bool { return !f.at.After(before) })
}

// replaces reports whether p's login may take the place of other's.
func (p *permit) replaces(other *permit) bool {
	return p.nonce != "" && p.nonce == other.nonce && !p.unattended
}

// end ends a permit. Only the first call counts. A code counts until the person
// answers one, unless it was not sent.
func (p *permit) end(how result) {
	g := p.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.people.get(p.person)
	switch {
	case r == nil:
		return
	case p.isCode && how == uncounted:
		r.excuse(p)
	case p.isCode || r.waiting != p:
		return
	default:
		r.release()
		r.note(p, how)
	}
	g.drop(p.person, r)
}

// settle notes how a push ended while other phones still ring for the same permit: until
// it is ended, no other push is sent.
func (p *permit) settle(how result) {
	g := p.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.people.get(p.person); r != nil && r.waiting == p {
		r.note(p, how)
	}
}

// note notes how a push ended, once.
func (r *record) note(p *permit, how result) {
	if p.settled {
		return
	}
	p.settled = true
	switch how {
	case approved: // who approves has missed the others themselves
		r.forgive()
	case rejected, unanswered:
		r.fail(p, failure{at: p.clock.Now(), rejected: how == rejected, unattended: p.unattended, serial: p.serial})
	}
}

// excuse drops the failure of p's challenge.
func (r *record) excuse(p *permit) {
	r.failed = slices.DeleteFunc(r.failed, func(f failure) bool { return f.serial == p.serial })
}

// excuse takes back that p's push counts as one that nobody answered: its login gave it up
// for something else of the person's, which was right.
func (p *permit) excuse() {
	g := p.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.people.get(p.person); r != nil {
		r.excuse(p)
		g.drop(p.person, r)
	}
}

// extend says until when the push waits.
func (p *permit) extend(until time.Time) {
	p.guard.mu.Lock()
	defer p.guard.mu.Unlock()
	p.until = until
}
