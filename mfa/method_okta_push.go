package mfa

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// sendPush makes the phone ring.
func (m *OktaMethod) sendPush(ctx context.Context, api FactorsAPI, userID string, phone okta.Factor, x Exchange) (Push, error) {
	switch {
	case m.NumberOnly && !x.Numbers && x.Shown:
		return nil, MarkNotSent(ErrNumberShown)
	case m.NumberOnly && !x.Numbers:
		return nil, MarkNotSent(ErrNumberChallenge)
	case ctx.Err() != nil:
		return nil, MarkNotSent(ctx.Err())
	}
	// The request is not cancelled with its caller: only Okta's answer says how the
	// push can be taken back.
	asking, stop := withoutCaller(ctx)
	defer stop()
	t, err := api.ChallengeFactor(asking, userID, phone, x.Numbers)
	if err != nil {
		return nil, unlessRefused(err)
	}
	p := &oktaPush{api: api, phone: phone, numberOnly: m.NumberOnly, numbers: x.Numbers, t: t}
	return p, nil
}

// oktaPush is a push of the Factors API.
type oktaPush struct {
	api        FactorsAPI
	phone      okta.Factor
	numberOnly bool
	numbers    bool                   // can be shown
	t          okta.FactorTransaction // the newest answer
	over       bool                   // Okta has decided
}

// closed is a channel that is closed.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Decided is closed where Okta's first answer was more than that the push waits.
func (p *oktaPush) Decided() <-chan struct{} {
	if p.t.Result != okta.ResultWaiting || p.numberOnly && p.t.Challenge == nil {
		return closed
	}
	return nil
}

func (p *oktaPush) Waiting() Waiting {
	w := Waiting{Device: p.phone.DeviceName, ExpiresAt: p.t.ExpiresAt}
	if p.t.Challenge != nil && p.numbers {
		w.Number = &Number{Answer: p.t.Challenge.CorrectAnswer, Device: p.phone.DeviceName}
	}
	return w
}

func (p *oktaPush) Poll(ctx context.Context) (passed bool, err error) {
	if p.Decided() == nil {
		next, err := p.api.PollFactor(ctx, p.t)
		switch {
		case okta.Pending(err):
			return false, nil // the former answer, that the push waits, still holds
		case err != nil:
			return false, err
		}
		if next.Challenge == nil { // Okta tells the number once
			next.Challenge = p.t.Challenge
		}
		p.t = next
	}
	return p.judge()
}

// judge says what the newest answer means. An answer that nobody understands
// decides nothing: the push is cancelled then.
func (p *oktaPush) judge() (passed bool, err error) {
	step, err := nextOfFactor(p.t, p.phone)
	switch {
	case err != nil:
		p.over = !is[*UnexpectedError](err) && !errors.Is(err, okta.ErrMalformed)
		return false, err
	case step != StepDone && step != StepWait:
		return false, unexpectedFactor(p.t, "a push was sent")
	case p.numberOnly && p.t.Challenge == nil:
		p.over = step == StepDone
		return false, unexpectedFactor(p.t, "a push without the number that was asked for")
	}
	p.over = step == StepDone
	return step == StepDone, nil
}

// Cancel takes the push back, unless Okta has decided. Its own failure changes
// nothing: Okta forgets the push by itself.
func (p *oktaPush) Cancel(ctx context.Context) {
	if !p.over {
		_ = p.api.CancelFactor(ctx, p.t)
	}
}

// nextOfFactor judges an answer of the Factors API.
func nextOfFactor(t okta.FactorTransaction, f okta.Factor) (Step, error) {
	switch t.Result {
	case okta.ResultSuccess:
		return StepDone, nil
	case "":
		return 0, fmt.Errorf("%w: an answer about a factor without a result", okta.ErrMalformed)
	}
	return nextOfChallenge(okta.Transaction{Status: okta.StatusMFAChallenge, FactorResult: t.Result, Factor: &f})
}

func unexpectedFactor(t okta.FactorTransaction, why string) error {
	return &UnexpectedError{FactorResult: t.Result, Why: why}
}

// unlessRefused marks the error of a challenge that Okta has certainly not begun.
func unlessRefused(err error) error {
	if didNothing(err) || errors.Is(err, okta.ErrNoAPIToken) {
		return MarkNotSent(err)
	}
	return err
}
