package mfa

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Authn is what a Login asks of Okta; *okta.Client has it. Each method sends
// one request and stops with its context.
type Authn interface {
	// Verify answers or starts the challenge of a factor, or polls an open one.
	Verify(ctx context.Context, t okta.Transaction, f okta.Factor, passCode string) (okta.Transaction, error)
	// Resend has the code of an open challenge sent again.
	Resend(ctx context.Context, t okta.Transaction, f okta.Factor) (okta.Transaction, error)
	// Previous goes back from a challenge to the choice of a factor.
	Previous(ctx context.Context, t okta.Transaction) (okta.Transaction, error)
	// Skip passes over a warning.
	Skip(ctx context.Context, t okta.Transaction) (okta.Transaction, error)
	// Cancel ends the transaction.
	Cancel(ctx context.Context, t okta.Transaction) error
}

// Flow is how the logins of one mount go. Okta, Guard and Codes are required;
// the zero value of every other field is useful.
type Flow struct {
	// Okta acts on behalf of the person who logs in.
	Okta Authn
	// Org names the org that Okta is: the same person's id in another org is
	// somebody else.
	Org    string
	Policy Policy

	// Guard and Codes are those of the mount, and so is Pace, which may be nil.
	Guard *Guard
	Codes *Codes
	Pace  *Pace

	// Limit tells what is left of Okta's rate limit; nil: nobody knows.
	Limit func() okta.RateLimit

	// Again verifies the password once more, for a transaction of its own for
	// each further phone. Where it is nil only the first phone rings.
	Again func(ctx context.Context) (okta.Transaction, error)

	// Origin tells where the login comes from: one from the same origin may take
	// the place of one that waits. The empty string is never the same.
	Origin string

	// Unattended is a login that nobody began and nobody watches, such as the
	// renewal of a token: it takes nobody's place.
	Unattended bool

	// Hold is a login that is continued by further calls, which ask for its
	// State; otherwise Wait brings it to its end.
	Hold bool

	// Meanwhile, unless it is nil, is called before Okta is asked about a passcode or
	// has a phone ring: once the person has passed, what it begins will be needed.
	Meanwhile func()

	// Show is called with the right number of a number challenge, each time Okta
	// tells it. Where it is nil, and the login is not held, a number challenge is
	// ErrNumberChallenge.
	Show func(Number)

	// Clock is the system's where it is nil.
	Clock Clock
}

// Phase is what a Login waits for.
type Phase int

const (
	// PhaseFactor: the person has to choose a factor.
	PhaseFactor Phase = iota + 1
	// PhasePassCode: the person has to give a passcode.
	PhasePassCode
	// PhaseWaiting: the person has to approve a push.
	PhaseWaiting
	// PhaseDone: Okta has let the person in.
	PhaseDone
)

// State is where a Login stands.
type State struct {
	Phase     Phase
	Factor    okta.Factor   // what is waited for; zero in PhaseFactor and PhaseDone
	Number    *Number       // of a number challenge, once Okta has told it
	ExpiresAt time.Time     // unless somebody goes on with it before
	Others    []okta.Factor // what else the person could use
}

// Login is one login on its way from the right password to its end. It is safe
// for concurrent use: one call is served at a time.
type Login struct {
	flow   Flow
	user   string // the Okta user id whose password was right
	person string // and the org's name: whom Guard and Codes know
	turn   turn

	// life ends when another login takes this one's place.
	life context.Context
	stop context.CancelCauseFunc

	// All of the rest is used in turn only.

	main *leg
	legs []*leg // all that are open, main and those of further phones
	code *code  // that has been sent, by this login or one before
	own  bool   // the code's transaction is main

	phase   Phase
	factor  okta.Factor
	number  *Number
	offered []okta.Factor
	asked   []okta.Factor   // those of them that a passcode by itself is for; none: all
	rung    map[string]bool // by factor id: no phone rings twice
	ring    *ring           // while a push waits
	leave   func()          // Pace, then
	until   time.Time       // when the wait for a push ends
	due     time.Time       // when to ask Okta again

	admitted okta.User    // whom Okta let in
	by       *okta.Factor // by which factor, if Okta has asked for one
	warning  bool
	sent     bool // a code, by this login

	challenged atomic.Bool
	over       atomic.Bool
}

// Start takes a transaction as far as it goes without waiting for anybody. When
// it fails the login has ended, unless it is held: then it must be closed.
func (f Flow) Start(ctx context.Context, tx okta.Transaction, want Want) (*Login, error) {
	if f.Clock == nil {
		f.Clock = systemClock{}
	}
	life, stop := context.WithCancelCause(context.Background())
	l := &Login{
		flow: f, user: tx.User.ID, person: f.Org + " " + tx.User.ID, turn: newTurn(), life: life, stop: stop,
		main: &leg{okta: f.Okta, tx: tx}, rung: map[string]bool{},
	}
	l.legs = []*leg{l.main}
	return l, l.do(ctx, func(ctx context.Context) error { return l.start(ctx, want) })
}

// Wait asks Okta how a push stands, at intervals, until that is decided. It
// fails with *CodeSentError where a code has been sent instead.
func (l *Login) Wait(ctx context.Context) error {
	if l.User() != (okta.User{}) { // Start was enough
		return nil
	}
	return l.do(ctx, func(ctx context.Context) error {
		for l.phase == PhaseWaiting {
			if err := l.flow.Clock.Sleep(ctx, l.due.Sub(l.flow.Clock.Now())); err != nil {
				return err
			}
			if err := l.poll(ctx); err != nil {
				return err
			}
		}
		switch {
		case l.phase == PhaseDone:
			return nil
		case l.phase == PhasePassCode && l.code != nil:
			return &CodeSentError{Factor: l.factor, Again: !l.sent}
		}
		return unexpected(l.main.tx, "nothing to wait for")
	})
}

// Continue goes on with a held login: with what the person gave by now or, where
// that is nothing, with a question to Okta how a push stands, if it is time for
// one. Of now, Okta and Policy count from here on; the zero Flow is the one that
// the login has. Continue tells where the login stands then; of all calls one at
// most is told PhaseDone. A caller that leaves ends neither the login nor what
// Okta is being asked.
func (l *Login) Continue(ctx context.Context, now Flow, want Want) (s State, err error) {
	err = l.do(ctx, func(ctx context.Context) error {
		if err := l.follow(now); err != nil {
			return err
		}
		err := l.proceed(ctx, want)
		s = l.state()
		return err
	})
	return s, err
}

// follow takes over what may have changed since the last call.
func (l *Login) follow(now Flow) error {
	if now.Okta == nil {
		return nil
	}
	l.flow.Okta, l.flow.Policy, l.flow.Limit = now.Okta, now.Policy, now.Limit
	for _, g := range l.legs {
		g.okta = now.Okta
	}
	if l.factor.ID != "" && !l.flow.Policy.accepts(l.factor) {
		return ErrOver // what it waits for is no longer good enough
	}
	return nil
}

// Close ends the login where it has not ended, and cancels at Okta what is open,
// also where ctx has ended. A code that has been sent stays good for the next
// login.
func (l *Login) Close(ctx context.Context) {
	l.end(ctx, func(ctx context.Context) {})
}

// Cancel ends the login and cancels at Okta all that is open, also a code that
// this login has had sent, on behalf of now.Okta unless that is nil.
func (l *Login) Cancel(ctx context.Context, now Flow) {
	l.end(ctx, func(ctx context.Context) {
		_ = l.follow(now) // what it waits for matters no more
		_ = l.giveUpCode(ctx)
	})
}

// Expire ends a login that nobody has gone on with in time. What has expired at
// Okta, too, is not cancelled there.
func (l *Login) Expire(ctx context.Context) {
	l.end(ctx, func(context.Context) {
		now := l.flow.Clock.Now()
		l.legs = slices.DeleteFunc(l.legs, func(g *leg) bool { return now.After(l.expires(g)) })
	})
}

// end ends the login, and the call that is being served. before is done first,
// unless it had ended by itself.
func (l *Login) end(ctx context.Context, before func(ctx context.Context)) {
	l.stop(ErrOver)
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), turnPatience)
	defer stop()
	if l.turn.take(ctx) != nil {
		return
	}
	defer l.turn.give()
	if !l.over.Load() {
		before(ctx)
		l.finish(ctx, unanswered)
	}
}

// do serves one call: in turn, until the caller leaves or another login takes
// this one's place. A login that fails for good has ended when do returns.
func (l *Login) do(ctx context.Context, step func(ctx context.Context) error) error {
	if err := l.turn.take(ctx); err != nil {
		return err
	}
	defer l.turn.give()
	if l.over.Load() {
		return context.Cause(l.life) // ErrOver or ErrReplaced
	}
	if l.flow.Hold && l.phase != 0 {
		// It outlives its callers. What Okta says to one who has left counts, too: to
		// ask again about a push that was rejected would send another.
		var stop context.CancelFunc
		ctx, stop = withoutCaller(ctx)
		defer stop()
	}
	during, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(l.life, stop)()
	err := step(during)
	switch {
	case l.life.Err() != nil && l.phase != PhaseDone:
		err = context.Cause(l.life)
		l.finish(ctx, unanswered)
	case err == nil && l.phase == PhaseDone:
		l.finish(ctx, approved)
	case err != nil && !(l.flow.Hold && Retryable(err)):
		l.finish(ctx, resultOf(err))
	}
	return err
}

// withoutCaller is ctx until its deadline, whoever leaves.
func withoutCaller(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if ctx = context.WithoutCancel(ctx); !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}

// withdraw ends the login in favour of another.
func (l *Login) withdraw(ctx context.Context) {
	l.stop(ErrReplaced)
	l.Close(ctx)
}

// finish ends the login: what rings, and what is open at Okta.
func (l *Login) finish(ctx context.Context, how result) {
	if l.over.Swap(true) {
		return
	}
	l.stop(ErrOver)
	l.hangUp(how)
	timeout := cancelTimeout
	if l.phase == PhaseDone {
		timeout = successTimeout
	}
	l.cancel(ctx, timeout, func(*leg) bool { return true })
}

// cancel ends those of the open transactions at Okta that gone reports, at the
// same time. One that waits for a code is kept for the next login.
func (l *Login) cancel(ctx context.Context, timeout time.Duration, gone func(*leg) bool) {
	var all sync.WaitGroup
	l.legs = slices.DeleteFunc(l.legs, func(g *leg) bool {
		if !gone(g) || l.own && g == l.main {
			return false
		}
		all.Go(func() { g.cancel(ctx, timeout) })
		return true
	})
	all.Wait()
}

// State tells where the login stands after Start.
func (l *Login) State(ctx context.Context) (State, error) {
	if err := l.turn.take(ctx); err != nil {
		return State{}, err
	}
	defer l.turn.give()
	if l.over.Load() && l.phase != PhaseDone {
		return State{}, context.Cause(l.life)
	}
	return l.state(), nil
}

func (l *Login) state() State {
	s := State{Phase: l.phase, Factor: l.factor, Number: l.number, ExpiresAt: l.expiry()}
	for _, f := range l.flow.Policy.Accepted(l.offered) {
		if f.ID != l.factor.ID {
			s.Others = append(s.Others, f)
		}
	}
	return s
}

// expiry is when Okta, or this package, gives the login up.
func (l *Login) expiry() time.Time {
	switch {
	case l.phase == PhaseWaiting:
		return l.ends(l.main)
	case l.isPending(l.factor):
		return l.flow.Codes.expiry(l.code)
	}
	return l.expires(l.main)
}

// User is whom Okta let in; zero unless the login has succeeded.
func (l *Login) User() okta.User { return l.admitted }

// Verified is the factor by which the person has answered Okta's challenge, and
// whether that was a number challenge; nil where Okta did not ask for one.
func (l *Login) Verified() (f *okta.Factor, byNumber bool) {
	return l.by, l.by != nil && l.number != nil
}

// PasswordWarning says that the password is about to expire.
func (l *Login) PasswordWarning() bool { return l.warning }

// Challenged says that a phone may have rung, or a code may have been sent, for
// this login or for the one that it completes, even where it then failed: who
// repeats it may have that happen again.
func (l *Login) Challenged() bool { return l.challenged.Load() }

// Over reports whether the login has ended.
func (l *Login) Over() bool { return l.over.Load() }

// done takes the success of leg, by the factor f if it took one.
func (l *Login) done(g *leg, f *okta.Factor) error {
	if g.tx.User.ID == "" || g.tx.User.ID != l.user {
		return fmt.Errorf("%w: a success for nobody, or for somebody else", okta.ErrMalformed)
	}
	l.admitted, l.by, l.warning, l.phase = g.tx.User, f, g.warned, PhaseDone
	l.legs = slices.DeleteFunc(l.legs, func(open *leg) bool { return open == g })
	return nil
}
