package mfa

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// maxPhones bounds the phones that ring for one login.
	maxPhones = 4

	// ringPace is the time between two phones. Each is a transaction of its own,
	// with the password, of which Okta allows four per second and person; this
	// leaves room for another login of theirs.
	// https://developer.okta.com/docs/reference/rl-additional-limits/
	ringPace = 400 * time.Millisecond

	// sendTries bounds how often Okta is asked for a push while it cannot be reached.
	sendTries = 3
)

// ring makes the phones ring, each once: the first, and then the others, unless
// one was named or numbers are to be chosen from.
func (l *login) ring(ctx context.Context, phones []okta.Factor, named bool) error {
	if err := l.begin(ctx, l.person, l.expires(l.main), &l.flow.Mount.pace); err != nil {
		return err
	}
	l.main.factor, l.main.failed, l.main.lost = phones[0], nil, nil
	if err := l.noteRing(phones[0], l.sendPush(ctx, phones[0])); err != nil {
		if didNothing(err) {
			l.hangUp(uncounted)
		}
		return err
	}
	l.phase, l.factor = PhaseWaiting, phones[0]
	if err := l.judge(ctx, l.main); err != nil {
		return &finalError{err}
	}
	if l.phase != PhaseWaiting || l.factor.ID != phones[0].ID { // it was approved at once
		return nil
	}
	if l.flow.Policy.AllDevices && !named && l.flow.Again != nil {
		if err := l.ringMore(ctx, phones[1:min(len(phones), maxPhones)]); err != nil {
			return err
		}
	}
	if l.phase == PhaseWaiting { // none has been answered meanwhile
		l.schedule(l.interval(l.polls(), true), l.polls())
	}
	return nil
}

// sendPush has Okta send the first push. Where Okta certainly knows nothing of that, it
// is asked once more, after a while, as long as the person has time to answer.
func (l *login) sendPush(ctx context.Context, phone okta.Factor) error {
	err := l.main.verify(ctx, phone, "")
	for range sendTries - 1 {
		if !okta.Unsent(err) || ctx.Err() != nil || l.isTooLate(l.ends(l.main).Add(-PollInterval)) {
			break
		}
		if l.flow.Clock.Sleep(ctx, PollInterval) != nil {
			break
		}
		err = l.main.verify(ctx, phone, "")
	}
	return err
}

// ringMore makes further phones ring, until one has an answer or wants a number
// to be chosen, or too little time is left to answer on another.
func (l *login) ringMore(ctx context.Context, phones []okta.Factor) error {
	for _, phone := range phones {
		if l.number != nil || l.phase != PhaseWaiting || l.isTooLate(l.until) {
			break
		}
		if l.rang[l.phone(phone)] {
			continue
		}
		if err := l.flow.Clock.Sleep(ctx, ringPace); err != nil {
			return err
		}
		tx, err := l.flow.Again(ctx)
		if err != nil {
			return ctx.Err() // the phones that ring are enough
		}
		if err := l.ringToo(ctx, phone, tx); err != nil {
			return err
		}
	}
	return nil
}

// noteRing notes that the phone rings, or may ring, unless err says that Okta has not
// sent the push. It returns err.
func (l *login) noteRing(phone okta.Factor, err error) error {
	if !didNothing(err) {
		l.hasRung(l.phone(phone))
	}
	return err
}

// ringToo makes one more phone ring, in a transaction of its own.
func (l *login) ringToo(ctx context.Context, phone okta.Factor, tx okta.Transaction) error {
	g := &leg{okta: l.flow.Okta, tx: tx, factor: phone}
	l.legs = append(l.legs, g)
	switch {
	case tx.Status != okta.StatusMFARequired || tx.User.ID != l.user:
		g.failed = unexpected(tx, "another transaction of the same login")
		return nil
	case l.isTooLate(l.expires(g)):
		g.failed = ErrNoTime
		return nil
	}
	err := l.noteRing(phone, g.verify(ctx, phone, ""))
	if err == nil {
		err = l.judge(ctx, g)
	}
	return l.bear(ctx, g, err)
}

// poll polls each push once. The first approval lets the person in, and a rejection
// on any phone ends them all.
func (l *login) poll(ctx context.Context) error {
	var pause time.Duration
	now := l.flow.Clock.Now() // one phone's answer must not make the next one late
	for _, g := range slices.Clone(l.legs) {
		if g.failed != nil || !slices.Contains(l.legs, g) {
			continue
		}
		err := l.late(g, now)
		if err == nil {
			err = g.poll(ctx)
		}
		switch {
		case err == nil:
			err = l.judge(ctx, g)
		case l.mayAskAgain(err, l.until):
			pause, err = max(pause, retryAfter(err)), nil
		}
		if err = l.bear(ctx, g, err); err != nil || l.passed() {
			return err
		}
	}
	if l.phase == PhaseWaiting {
		l.putOff(pause, l.polls())
	}
	return nil
}

// polls is what the polls of the phones that ring depend on.
func (l *login) polls() polls {
	return polls{pace: &l.flow.Mount.pace, limit: l.flow.Limit, pushes: len(l.legs), ends: l.ends(l.main)}
}

func (l *login) phone(f okta.Factor) string { return phoneKey(l.flow.Org, f.ID) }

// late fails once the wait is over, or the challenge has expired: with why the last
// question got no answer, if that is so.
func (l *login) late(g *leg, now time.Time) error {
	if now.After(l.until) || !g.tx.ExpiresAt.IsZero() && now.After(g.tx.ExpiresAt) {
		return cmp.Or(g.lost, ErrPushTimeout)
	}
	return nil
}

// judge says what has become of a push: nil while it waits and when it is
// approved.
func (l *login) judge(ctx context.Context, g *leg) error {
	step, err := g.settle(ctx, l.flow.Policy.withoutBypass())
	switch {
	case err != nil && g.tx.Status != okta.StatusMFAChallenge:
		if !errors.Is(err, okta.ErrMalformed) {
			l.hangUpAll(ctx, uncounted) // it was approved, and for nothing
		}
		return &finalError{err}
	case err != nil:
		return err
	case step == StepDone:
		phone := g.factor
		return l.done(ctx, g, &phone)
	case step == StepChoose:
		return l.another(ctx, g, g.factor)
	case step == StepAnswer:
		return unexpected(g.tx, "a push was sent")
	case step != StepWait:
		return &finalError{unexpected(g.tx, leftBefore)}
	case !g.challenges(g.factor):
		return errOtherFactor
	case g.tx.Challenge != nil:
		return l.showNumber(ctx, g)
	}
	return nil
}

// bear decides whether the failure of one push ends the login: a rejection does,
// what follows an approval does, and anything else once no other phone rings.
func (l *login) bear(ctx context.Context, g *leg, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil || isFinal(err) || resultOf(err) == rejected || errors.Is(err, ErrNumberChallenge) {
		return &finalError{err}
	}
	g.failed = err
	for _, other := range l.legs {
		if other.failed == nil {
			if g == l.main {
				l.main, l.factor = other, other.factor
			}
			return nil
		}
	}
	return &finalError{l.legs[0].failed} // what became of the phone that rang first
}

// showNumber tells the right number of a number challenge. The person is in front
// of that phone, so the others need not ring any more.
func (l *login) showNumber(ctx context.Context, g *leg) error {
	if l.flow.Show == nil && !l.flow.Hold {
		return ErrNumberChallenge
	}
	l.factor, l.main = g.factor, g
	l.show(Number{Answer: g.tx.Challenge.CorrectAnswer, Device: g.factor.DeviceName, ExpiresAt: l.ends(g)})
	l.later(l.drop(ctx, func(other *leg) bool { return other != g }))
	return nil
}

// ends is when a push can no longer be approved.
func (l *login) ends(g *leg) time.Time {
	if expires := l.expires(g); expires.Before(l.until) {
		return expires
	}
	return l.until
}
