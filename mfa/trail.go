package mfa

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// trail is what one login remembers for both of its halves: where it stands, the
// push that waits, the phones that rang, and the number that was shown. Whatever
// makes a phone ring or has a code sent asks it first. It is used in the session's
// turn only, except for challenged.
type trail struct {
	okta.Unprintable
	flow Flow
	// isEnding reports whether the login is about to end. Other logins call it.
	isEnding func() bool
	// withdraw ends the login in favor of another one.
	withdraw func(ctx context.Context)

	opened time.Time // when the password was right
	phase  Phase
	rang   map[string]bool // by phoneKey: no phone rings twice in one login
	number *Number         // of the push that waits
	shown  bool            // the client has been shown a number

	permit *permit   // the guard's, for the push that waits; nil: none waits
	leave  func()    // takes that push out of its pace
	begun  time.Time // when it was sent
	until  time.Time // when the wait for it ends
	due    time.Time // when to poll it next
	ending *permit   // of the push before, which is being taken back; nil for none
	gaveUp []*permit // of pushes that were given up for what the person chose instead

	challenged atomic.Bool
}

// phoneKey names a phone of an org like no other phone.
func phoneKey(org, factorID string) string { return org + " " + factorID }

// personKey names a person of an org, as the guard and the codes know them: the
// same user id in another org is somebody else.
func personKey(org, userID string) string { return org + " " + userID }

// newPermit describes a push that the login wants to send. The guard has not
// allowed it yet.
func (t *trail) newPermit(ctx context.Context, person string) *permit {
	return &permit{
		guard: &t.flow.Mount.guard, clock: t.flow.Clock, person: person, nonce: t.flow.Nonce,
		unattended: t.flow.Unattended, limit: t.flow.Policy.Push, until: t.flow.Clock.Now().Add(t.patience(ctx)),
		instead: cmp.Or(t.permit, t.ending), isEnding: t.isEnding, withdraw: t.withdraw, over: make(chan struct{}),
	}
}

// newCodePermit describes a code that the login wants to have sent. It may be sent
// without time to wait for the person: the next login brings the code.
func (t *trail) newCodePermit(ctx context.Context, person string) *permit {
	p := t.newPermit(ctx, person)
	p.isCode = true
	return p
}

// mayRing says why the person's phone must not ring now, for a push that expires
// then; the zero time is not known. It changes nothing.
func (t *trail) mayRing(ctx context.Context, person string, expires time.Time) error {
	p := t.newPermit(ctx, person)
	if t.isTooLate(earlier(expires, p.until)) {
		return ErrNoTime
	}
	return p.guard.check(p)
}

// maySend says why the person must not be sent a code now. It changes nothing.
func (t *trail) maySend(ctx context.Context, person string) error {
	p := t.newCodePermit(ctx, person)
	return p.guard.check(p)
}

// begin gets the guard's permit for a push that expires then; the zero time is not
// known. hangUp ends the permit.
func (t *trail) begin(ctx context.Context, person string, expires time.Time, pace *pace) error {
	p := t.newPermit(ctx, person)
	if err := p.guard.admit(ctx, p); err != nil {
		return err
	}
	if t.isTooLate(earlier(expires, p.until)) { // also after a wait for another login to end
		p.end(uncounted)
		return ErrNoTime
	}
	t.permit, t.begun, t.until, t.leave, t.number = p, t.flow.Clock.Now(), p.until, pace.enter(), nil
	return nil
}

// sendGuarded has a code sent to the person, by permit of the guard. It fails with the
// error of sending, of which unsent says that no code was sent.
func (t *trail) sendGuarded(ctx context.Context, person string, sending func() error, unsent func(error) bool) error {
	if err := ctx.Err(); err != nil {
		return MarkNotSent(err)
	}
	p := t.newCodePermit(ctx, person)
	if err := p.guard.admitCode(p); err != nil {
		return MarkNotSent(err)
	}
	err := sending()
	if unsent(err) {
		p.end(uncounted)
		return err
	}
	t.challenged.Store(true)
	return err
}

// isTooLate reports whether a push that ends then leaves the person no time to
// answer it.
func (t *trail) isTooLate(ends time.Time) bool { return ends.Sub(t.flow.Clock.Now()) < leastWait }

// hasRung notes that a phone has rung, or may have.
func (t *trail) hasRung(phone string) {
	t.rang[phone] = true
	t.challenged.Store(true)
}

// hangUp ends the guard's permit for the push that waits.
func (t *trail) hangUp(how result) { t.letGo()(how) }

// letGo lets go of the guard's permit for the push that waits, and returns what ends it.
func (t *trail) letGo() (end func(result)) {
	p, leave := t.permit, t.leave
	if p == nil {
		return func(result) {}
	}
	t.permit, t.ending = nil, p
	return func(how result) {
		p.end(how)
		leave()
	}
}

// later does what the answer need not wait for.
func (t *trail) later(farewell func()) {
	if t.flow.Later == nil {
		farewell()
		return
	}
	t.flow.Later(farewell)
}

// giveWayToChoice notes that the push which waits, if one does, is about to be given up
// for what the person has chosen instead.
func (t *trail) giveWayToChoice() {
	if t.permit != nil {
		t.gaveUp = append(t.gaveUp, t.permit)
	}
}

// provedOwn says that the person has given something right. So it was they who gave up
// the pushes before, which do not count as unanswered then.
func (t *trail) provedOwn() {
	for _, p := range t.gaveUp {
		p.excuse()
	}
	t.gaveUp = nil
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
// call; any other waits for as long as its policy says, and has to answer before its
// context ends.
func (t *trail) patience(ctx context.Context) time.Duration {
	wait := MaxWait
	if t.flow.Hold {
		return wait
	}
	if most := t.flow.Policy.PushTimeout; most > 0 {
		wait = most - t.flow.Clock.Now().Sub(t.opened)
	}
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)-reserve)
	}
	return wait
}
