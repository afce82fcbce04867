package mfa

import (
	"context"
	"errors"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// cancelTimeout bounds the cancellation of what nobody is to answer any more.
	cancelTimeout = 3 * time.Second

	leftBefore = "a state that was left before"
)

// leg is one transaction at Okta. A login has one from its password, and one more
// for each further phone that rings.
type leg struct {
	okta    Authn
	tx      okta.Transaction // the newest answer
	factor  okta.Factor      // of a push: the phone that rings
	failed  error            // why it is no longer polled
	lost    error            // why the last question about its push got no answer
	warned  bool             // a warning has been skipped
	excused bool             // an enrollment has been skipped
}

// advance takes over the answer tx. After an error the transaction stays as it was,
// so that it can be cancelled. An answer without a state token leaves that as it
// was, too.
func (g *leg) advance(tx okta.Transaction, err error) error {
	if err != nil {
		return err
	}
	if tx.StateToken.IsZero() && tx.Status != okta.StatusSuccess {
		tx.StateToken = g.tx.StateToken
	}
	g.tx = tx
	return nil
}

// verify sends a passcode. Without one it starts a challenge, or polls the one that
// is open.
func (g *leg) verify(ctx context.Context, f okta.Factor, passCode string) error {
	tx, err := g.okta.Verify(ctx, g.tx, f, passCode)
	if okta.Pending(err) && passCode == "" && g.tx.Status == okta.StatusMFAChallenge && g.challenges(f) {
		return nil // the former answer still holds
	}
	return g.advance(tx, err)
}

// poll asks what has become of a push that waits. Where the answer to the last question
// was lost, it reads the state of the transaction: Okta may have told that the push was
// rejected, and would take the same question for the wish for another push. Where there is
// no transaction any more, the lost answer was the last one.
func (g *leg) poll(ctx context.Context) error {
	var err error
	if g.lost == nil || okta.Unsent(g.lost) {
		err = g.verify(ctx, g.factor, "")
	} else {
		var tx okta.Transaction
		if tx, err = g.okta.State(ctx, g.tx); gone(err) { // it was approved, or cancelled
			return &finalError{g.lost}
		}
		err = g.advance(tx, err)
	}
	switch {
	case err == nil:
		g.lost = nil
	case isPassing(err) && !(g.lost != nil && okta.Unsent(err)):
		g.lost = err
	}
	return err
}

// verifyByType tries a passcode on all factors of a type.
func (g *leg) verifyByType(ctx context.Context, typ okta.FactorType, passCode string) error {
	return g.advance(g.okta.VerifyByType(ctx, g.tx, typ, passCode))
}

// resend has a code sent again: by Okta's link for that, or by starting the
// challenge again where Okta publishes no link.
func (g *leg) resend(ctx context.Context, f okta.Factor) error {
	if !g.tx.CanResend {
		return g.verify(ctx, f, "")
	}
	return g.advance(g.okta.Resend(ctx, g.tx, f))
}

// settle skips a warning and, where the policy says so, the enrollment of a factor,
// each once, and says what the transaction wants then.
func (g *leg) settle(ctx context.Context, policy Policy) (Step, error) {
	for {
		if policy.Bypass && bypassable(g.tx.Status) {
			return StepDone, nil
		}
		skipped := &g.warned
		step, err := Next(g.tx)
		if errors.Is(err, ErrEnrollmentMaySkip) && policy.SkipEnrollment {
			skipped, step, err = &g.excused, StepSkip, nil
		}
		if err != nil || step != StepSkip {
			return step, err
		}
		if *skipped {
			return 0, unexpected(g.tx, leftBefore)
		}
		*skipped = true
		if err := g.advance(g.okta.Skip(ctx, g.tx)); err != nil {
			return 0, &finalError{err}
		}
	}
}

// bypassable reports whether Policy.Bypass makes a success of the state: the
// password was right, and only a factor is missing.
func bypassable(s okta.Status) bool {
	return s == okta.StatusMFARequired || s == okta.StatusMFAEnroll || s == okta.StatusMFAEnrollActivate
}

// challenges reports whether the open challenge is one of f.
func (g *leg) challenges(f okta.Factor) bool { return g.tx.Factor != nil && g.tx.Factor.ID == f.ID }

// cancel ends the transaction at Okta, also where ctx has ended, so that nothing
// is left to approve or to answer. Its own failure changes nothing: Okta forgets
// the transaction by itself.
func (g *leg) cancel(ctx context.Context) {
	if g.tx.StateToken.IsZero() {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer stop()
	_ = g.okta.Cancel(ctx, g.tx)
}
