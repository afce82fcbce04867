package mfa

import (
	"context"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file says what a login does about a code that Okta sends. The transaction
// in which it was sent may be this login's own or, more often, that of a login
// before. Whoever uses it does so in the code's turn.

const (
	// assumedLife is a transaction's where Okta does not say when it expires.
	assumedLife = 5 * time.Minute
	// longestLife is the most that is believed of a transaction's life. Codes by
	// e-mail may live for 30 minutes.
	longestLife = 30 * time.Minute
)

// sendCode has Okta send the code of f.
func (l *login) sendCode(ctx context.Context, f okta.Factor) error {
	err := l.sendGuarded(ctx, l.person, func() error { return l.main.verify(ctx, f, "") }, didNothing)
	if err != nil {
		return err
	}
	l.codeSent = true
	c := l.newCode(f)
	if err := c.isAwaited(); err != nil {
		return err
	}
	l.keepCode(c).cancel(ctx)
	return nil
}

// sendCodeAgain has the code that is pending sent again, if the person wants that.
func (l *login) sendCodeAgain(ctx context.Context, resend bool) error {
	c, own := l.code, l.own
	l.phase, l.factor, l.asked = PhasePassCode, c.factor, []okta.Factor{c.factor}
	if !resend {
		return nil
	}
	if err := c.turn.take(ctx); err != nil {
		return err
	}
	err := l.sendGuarded(ctx, l.person, func() error { return c.resend(ctx, l.flow.Okta) }, isUnsent)
	switch {
	case err == nil:
		l.codeSent = true
		l.flow.Mount.codes.renew(c, l.expires(c.leg))
	case !Retryable(err) && !uncertain(err):
		l.takeCode()
	}
	c.turn.give()
	if gone(err) && !own {
		return l.sendCode(ctx, c.factor)
	}
	return err
}

// isUnsent reports whether err says that no code was sent again.
func isUnsent(err error) bool { return didNothing(err) || gone(err) }

// answerCode tries the passcode on the code that was sent and, where another
// login had it sent, on the other factors in this one's transaction. Where the
// code's transaction is gone, this login's own takes the passcode.
func (l *login) answerCode(ctx context.Context, factors []okta.Factor, passCode string) error {
	c, own := l.code, l.own
	l.phase, l.factor = PhasePassCode, c.factor
	l.challenged.Store(true)
	if err := c.turn.take(ctx); err != nil {
		return err
	}
	err := c.try(ctx, l.flow.Okta, passCode)
	switch {
	case err == nil:
		defer c.turn.give()
		return l.verified(ctx, l.takeCode())
	case !Retryable(err) && !uncertain(err):
		l.takeCode()
	}
	c.turn.give()
	switch {
	case own:
	case gone(err):
		return l.tryPassCode(ctx, factors, passCode)
	case refusedPassCode(err) && len(factors) > 1:
		return triedOn(factors, l.tryPassCode(ctx, factors[1:], passCode))
	}
	return triedOn([]okta.Factor{c.factor}, err)
}

// newCode is a code that is awaited in the login's own transaction.
func (l *login) newCode(f okta.Factor) *code {
	return &code{person: l.person, factor: f, turn: newTurn(), leg: l.main}
}

// keepCode makes c, which nobody else knows yet, the person's pending code, and
// returns the one that was pending before, if any: the caller cancels it.
func (l *login) keepCode(c *code) (replaced *code) {
	l.code, l.own = c, true
	l.phase, l.factor, l.asked = PhasePassCode, c.factor, []okta.Factor{c.factor}
	return l.flow.Mount.codes.keep(c, l.expires(c.leg))
}

// takeCode makes the code's transaction one of this login's own, in the code's
// turn: the code is no longer pending. It returns nil if another login was quicker.
func (l *login) takeCode() *leg {
	c, own := l.code, l.own
	g := c.leg
	c.leg, l.code, l.own = nil, nil, false
	l.flow.Mount.codes.forget(c)
	if g != nil {
		g.okta = l.flow.Okta
	}
	switch {
	case own && g == nil: // main is the other login's by now
		l.legs = nil
	case !own && g != nil:
		l.legs = append(l.legs, g)
	}
	return g
}

// giveUpCode takes the login's own transaction back, if a code is pending in it.
func (l *login) giveUpCode(ctx context.Context) error {
	if !l.own {
		return nil
	}
	c := l.code
	if err := c.turn.take(ctx); err != nil {
		return err
	}
	defer c.turn.give()
	if l.takeCode() == nil {
		return ErrOver
	}
	return nil
}

// pending is the id of the factor whose code is pending, or "".
func (l *login) pending() string {
	if l.code == nil {
		return ""
	}
	return l.code.factor.ID
}

func (l *login) isPending(f okta.Factor) bool { return l.code != nil && l.code.factor.ID == f.ID }

// try tries the passcode, in the code's turn, on behalf of whoever brings it.
func (c *code) try(ctx context.Context, caller Authn, passCode string) error {
	if c.leg == nil {
		return ErrOver
	}
	c.leg.okta = caller
	return c.leg.verify(ctx, c.factor, passCode)
}

// resend has the code sent again, in the code's turn, on behalf of whoever asks for
// it.
func (c *code) resend(ctx context.Context, caller Authn) error {
	if c.leg == nil {
		return ErrOver
	}
	c.leg.okta = caller
	if err := c.leg.resend(ctx, c.factor); err != nil {
		return err
	}
	return c.isAwaited()
}

// isAwaited fails where Okta does not wait for the code.
func (c *code) isAwaited() error {
	switch step, err := Next(c.leg.tx); {
	case err != nil:
		return err
	case step != StepAnswer:
		return unexpected(c.leg.tx, "a code was asked for")
	case !c.leg.challenges(c.factor):
		return errOtherFactor
	}
	return nil
}

// cancel ends the transaction of a code that another has replaced; nil is none.
// The caller must not have another code's turn.
func (c *code) cancel(ctx context.Context) {
	if c == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), turnPatience)
	defer stop()
	if c.turn.take(ctx) != nil {
		return
	}
	defer c.turn.give()
	if c.leg != nil {
		c.leg.cancel(ctx)
		c.leg = nil
	}
}
