package mfa

import (
	"context"
	"fmt"
	"slices"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file says how a login goes from choice to choice, and what it does with a
// passcode.

// start takes a transaction whose password was right as far as it goes without
// waiting for anybody.
func (l *login) start(ctx context.Context, want Want) error {
	step, err := l.main.settle(ctx, l.flow.Policy)
	switch {
	case err != nil:
		return err
	case step == StepDone:
		l.bypassed = bypassable(l.main.tx.Status)
		return l.done(ctx, l.main, nil)
	case step != StepChoose:
		return unexpected(l.main.tx, "a challenge that nobody started")
	}
	if l.user == "" {
		return fmt.Errorf("%w: a transaction of nobody", okta.ErrMalformed)
	}
	l.phase, l.offered = PhaseFactor, l.main.tx.Factors
	l.code = l.flow.Mount.codes.of(l.person, l.flow.Clock.Now())
	return l.choose(ctx, want)
}

// proceed continues a held login: with what the person wants or, where that is
// nothing, with a poll if one is due.
func (l *login) proceed(ctx context.Context, want Want) error {
	switch {
	case want != (Want{}):
		return l.choose(ctx, want)
	case l.phase == PhaseWaiting && !l.flow.Clock.Now().Before(l.due):
		return l.poll(ctx)
	}
	return nil
}

// choose acts on what the person gave. It gives up the challenge that was open
// before, but not for a choice that is refused.
func (l *login) choose(ctx context.Context, want Want) error {
	choice, err := l.choice(want)
	if err != nil {
		return err
	}
	if choice.Action == ActionRing {
		if choice.Factors, err = l.phones(choice.Factors); err != nil {
			return err
		}
	}
	first := choice.Factors[0]
	if choice.Action == ActionAsk {
		return l.ask(ctx, choice.Factors, want)
	}
	if err := l.may(ctx, choice, want); err != nil {
		return err
	}
	if l.isPending(first) {
		return l.useCode(ctx, choice, want)
	}
	if err := l.goBack(ctx); err != nil {
		return err
	}
	if choice.Action == ActionSend {
		return l.sendCode(ctx, first)
	}
	l.readGroups()
	if choice.Action == ActionAnswer {
		return l.tryPassCode(ctx, choice.Factors, want.PassCode)
	}
	return l.ring(ctx, choice.Factors, want.Device != "")
}

// useCode acts on a choice of the code that is pending. It gives up the challenge
// that was open before, unless that is the one of the code.
func (l *login) useCode(ctx context.Context, choice Choice, want Want) error {
	if !l.own {
		if err := l.goBack(ctx); err != nil {
			return err
		}
	}
	if choice.Action == ActionSend {
		return l.sendCodeAgain(ctx, want.Resend)
	}
	l.readGroups()
	return l.answerCode(ctx, choice.Factors, want.PassCode)
}

// choice calls Choose. A passcode that comes alone answers what the person was
// asked for.
func (l *login) choice(want Want) (Choice, error) {
	if len(l.asked) > 0 && want == (Want{PassCode: want.PassCode}) {
		choice, err := Choose(l.asked, want, l.flow.Policy, l.pending())
		if err != nil {
			err = noFactor(want, l.flow.Policy, l.offered)
		}
		return choice, err
	}
	return Choose(l.offered, want, l.flow.Policy, l.pending())
}

// phones are those of the chosen ones that have not rung in this login. While a push
// waits on the first one, to ask for a push again is to ask for that, and no other phone
// rings.
func (l *login) phones(chosen []okta.Factor) ([]okta.Factor, error) {
	fresh := only(chosen, func(f okta.Factor) bool { return !l.rang[l.phone(f)] })
	if len(fresh) == 0 || l.phase == PhaseWaiting && fresh[0].ID != chosen[0].ID {
		return nil, ErrRungBefore
	}
	return fresh, nil
}

// may says why the choice is refused, before anything is given up for it.
func (l *login) may(ctx context.Context, choice Choice, want Want) error {
	switch first := choice.Factors[0]; {
	case choice.Action == ActionRing:
		return l.mayRing(ctx, l.person, l.mainExpires())
	case choice.Action == ActionSend && (want.Resend || !l.isPending(first)):
		return l.maySend(ctx, l.person)
	}
	return nil
}

// ask waits for the person's next choice, where there is a way for them to make
// it.
func (l *login) ask(ctx context.Context, factors []okta.Factor, want Want) error {
	if !l.flow.Hold {
		return noFactor(want, l.flow.Policy, l.offered)
	}
	if err := l.goBack(ctx); err != nil {
		return err
	}
	l.phase, l.factor, l.asked = PhaseFactor, okta.Factor{}, factors
	if len(factors) == 1 {
		l.phase, l.factor = PhasePassCode, factors[0]
	}
	return nil
}

// goBack gives up the challenge that is open, so that another factor can be
// chosen in the same transaction.
func (l *login) goBack(ctx context.Context) error {
	if err := l.giveUpCode(ctx); err != nil {
		return err
	}
	if l.main.tx.Status != okta.StatusMFAChallenge {
		return nil
	}
	l.drop(ctx, func(g *leg) bool { return g != l.main })()
	if l.phase != PhaseWaiting {
		l.phase, l.factor, l.asked = PhaseFactor, okta.Factor{}, nil
	}
	// Where Okta does not go back, the push still waits, and keeps its permit.
	if err := l.main.advance(l.main.okta.Previous(ctx, l.main.tx)); err != nil {
		return err
	}
	l.giveWayToChoice()
	l.hangUp(unanswered)
	l.phase, l.factor, l.number, l.asked = PhaseFactor, okta.Factor{}, nil, nil
	if l.main.tx.Status != okta.StatusMFARequired {
		return unexpected(l.main.tx, "no way back to the choice of a factor")
	}
	return nil
}

// tryPassCode tries the passcode on each factor, once.
func (l *login) tryPassCode(ctx context.Context, factors []okta.Factor, passCode string) error {
	var err error
	tried := map[okta.FactorType]bool{}
	for _, f := range factors {
		if tried[f.Type] {
			continue // with all of its type
		}
		l.phase, l.factor = PhasePassCode, f
		if slices.Contains(l.main.tx.FactorTypes, f.Type) && ofType(factors, f.Type) > 1 {
			tried[f.Type] = true
			err = l.main.verifyByType(ctx, f.Type, passCode)
		} else {
			err = l.main.verify(ctx, f, passCode)
		}
		if !refusedPassCode(err) {
			break
		}
	}
	switch {
	case err == nil:
		return l.verified(ctx, l.main)
	case saidBy(err, okta.CodeNextPassCode):
		// The token's server wants the next passcode in the same conversation.
		l.keepCode(l.newCode(l.factor)).cancel(ctx)
	}
	return triedOn(factors, err)
}

// verified follows a passcode that was right.
func (l *login) verified(ctx context.Context, g *leg) error {
	step, err := g.settle(ctx, l.flow.Policy.withoutBypass())
	switch {
	case err != nil:
		return err
	case step != StepChoose && step != StepDone:
		return unexpected(g.tx, leftBefore)
	}
	l.provedOwn()
	if step == StepChoose {
		return l.another(ctx, g, l.factor)
	}
	f := l.factor
	return l.done(ctx, g, &f)
}

func ofType(factors []okta.Factor, typ okta.FactorType) int {
	return len(only(factors, func(f okta.Factor) bool { return f.Type == typ }))
}

// maxFactors bounds the factors that Okta may want one after the other.
const maxFactors = 3

// another goes on where Okta wants another factor after f, which was verified on g: with a
// push, or with what the person has to give next.
func (l *login) another(ctx context.Context, g *leg, f okta.Factor) error {
	if l.earlier = append(l.earlier, f); len(l.earlier) >= maxFactors {
		return &finalError{unexpected(g.tx, "one factor after the other")}
	}
	l.drop(ctx, func(other *leg) bool { return other != g })()
	l.hangUp(approved)
	l.main, g.factor, g.failed = g, okta.Factor{}, nil
	l.phase, l.factor, l.number, l.asked, l.offered = PhaseFactor, okta.Factor{}, nil, nil, g.tx.Factors
	if len(l.offered) == 0 {
		return &finalError{unexpected(g.tx, "another factor, and none on offer")}
	}
	want := Want{}
	if l.flow.Unattended {
		want.Kind = KindPush // nobody could give a code
	}
	return l.choose(ctx, want)
}
