package mfa

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// trail is what one login remembers for both of its halves: where it stands, the
// push that waits, the phones that rang, and the number that was shown. Whatever
// makes a phone ring asks it first. It is used in the session's turn only, except
// for challenged.
type trail struct {
	flow Flow
	// withdraw ends the login in favor of another one.
	withdraw func(ctx context.Context)

	phase  Phase
	rang   map[string]bool // by phoneKey: no phone rings twice in one login
	number *Number         // of the push that waits
	shown  bool            // the client has been shown a number

	ring  *ring     // the guard's leave for the push that waits; nil: none waits
	leave func()    // takes that push out of its pace
	until time.Time // when the wait for it ends
	due   time.Time // when to poll it next

	challenged atomic.Bool
}

// phoneKey names a phone of an org like no other phone.
func phoneKey(org, factorID string) string { return org + " " + factorID }

// personKey names a person of an org, as the guard and the codes know them: the
// same user id in another org is somebody else.
func personKey(org, userID string) string { return org + " " + userID }

// newRing describes the push that the login wants to send.
func (t *trail) newRing(ctx context.Context, person string) *ring {
	return &ring{
		guard: &t.flow.Mount.guard, clock: t.flow.Clock, person: person, origin: t.flow.Origin,
		unattended: t.flow.Unattended, limit: t.flow.Policy.Push, until: t.flow.Clock.Now().Add(t.patience(ctx)),
		instead: t.ring, withdraw: t.withdraw,
	}
}

// mayRing says why the guard would not let the person's phone ring. It changes
// nothing.
func (t *trail) mayRing(ctx context.Context, person string) error {
	return t.flow.Mount.guard.check(t.newRing(ctx, person))
}

// begin gets the guard's leave for a push. hangUp gives it back.
func (t *trail) begin(ctx context.Context, person string, p *pace) error {
	r := t.newRing(ctx, person)
	if err := t.flow.Mount.guard.begin(ctx, r); err != nil {
		return err
	}
	t.ring, t.until, t.leave, t.number = r, r.until, p.enter(), nil
	return nil
}

// hasRung notes that a phone has rung, or may have.
func (t *trail) hasRung(phone string) {
	t.rang[phone] = true
	t.challenged.Store(true)
}

// hangUp gives the guard's leave back.
func (t *trail) hangUp(how result) {
	if t.ring != nil {
		t.ring.end(how)
		t.leave()
		t.ring = nil
	}
}

// canShow reports whether the number of a further push could be shown. A client
// that waits reads one number in a login; a held login tells each in its state.
func (t *trail) canShow() bool { return t.flow.Hold || t.flow.Show != nil && !t.shown }

// show tells the number of the push that waits.
func (t *trail) show(number Number) {
	t.number = &number
	if t.flow.Show != nil {
		t.shown = true
		t.flow.Show(number)
	}
}

// patience is how long a push may wait. A login that is held goes on from call to
// call; any other has to answer before its context ends.
func (t *trail) patience(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok && !t.flow.Hold {
		return min(MaxWait, time.Until(deadline)-farewell)
	}
	return MaxWait
}

// interval is the time until the next poll of a push. A client that continues a
// held login every PollInterval gets a new answer each time.
func (t *trail) interval() time.Duration {
	if t.flow.Hold {
		return PollInterval - pollJitter
	}
	return PollInterval + rand.N(pollJitter)
}

// firstInterval is the time until the first poll of a push.
func (t *trail) firstInterval() time.Duration {
	if t.flow.Hold {
		return t.interval()
	}
	return firstPoll + rand.N(PollInterval+pollJitter-firstPoll)
}

// polls is what the next poll of a login depends on.
type polls struct {
	pace   *pace
	limit  func() okta.RateLimit // of the API that is polled; nil: not known
	pushes int                   // that the login polls
	ends   time.Time             // of the push
}

// schedule says when to poll next: after the interval, or later where other logins
// and Okta's rate limit leave no room, but once more before the push ends.
func (t *trail) schedule(interval time.Duration, p polls) {
	t.due = p.pace.nextPoll(t.flow.Clock.Now(), interval, p.pushes, p.ends, p.limit)
	t.ring.extend(p.ends)
}

// putOff schedules the next poll after Okta has limited the rate for so long.
func (t *trail) putOff(pause time.Duration, p polls) {
	if pause > 0 {
		now := t.flow.Clock.Now()
		p.pace.rest(now, now.Add(pause), p.limit)
	}
	t.schedule(t.interval()+pause, p)
}

// mayAskAgain reports whether Okta has put a poll off to a time when the push will
// still wait.
func (t *trail) mayAskAgain(err error, ends time.Time) bool {
	return tooManyRequests(err) && t.flow.Clock.Now().Add(retryAfter(err)).Before(ends)
}
