package mfa

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Authn is what a Login asks of Okta; *okta.Client has it. Each method sends
// one request and stops with its context.
type Authn interface {
	// Verify answers or starts the challenge of a factor, or polls an open one.
	Verify(ctx context.Context, t okta.Transaction, f okta.Factor, passCode string) (okta.Transaction, error)
	// Skip passes over a warning.
	Skip(ctx context.Context, t okta.Transaction) (okta.Transaction, error)
	// Cancel ends the transaction.
	Cancel(ctx context.Context, t okta.Transaction) error
}

// Login takes a transaction from the right password to its end. The zero value
// of every field but Okta is useful.
type Login struct {
	Okta Authn
	Want Want

	// Bypass accepts a person whom Okta would ask for a factor, or for the
	// enrolment of one, without either.
	Bypass bool

	// ShowNumber is called with the right number of a number challenge, each
	// time Okta tells it. Where it is nil, a number challenge ends the login with
	// ErrNumberChallenge.
	ShowNumber func(number int)

	// Poll is how a push is waited for.
	Poll Poll
}

// Outcome is how a Login went.
type Outcome struct {
	// User is whom Okta let in; zero where the login failed.
	User okta.User
	// PasswordWarning says that the password is about to expire.
	PasswordWarning bool
	// ChallengeSent says that a request which makes a phone ring has left, even
	// where the login then failed: repeating it would ring again.
	ChallengeSent bool
}

// cancelTimeout bounds the farewell to a transaction whose login has failed.
const cancelTimeout = 3 * time.Second

// Complete sees the transaction through. When it fails, the transaction is
// cancelled at Okta, also where ctx has ended.
func (l Login) Complete(ctx context.Context, tx okta.Transaction) (Outcome, error) {
	r := run{Login: l, tx: tx, userID: tx.User.ID}
	if err := r.complete(ctx); err != nil {
		r.cancel(ctx)
		r.out.User = okta.User{}
		return r.out, err
	}
	return r.out, nil
}

// run is the state of one Complete.
type run struct {
	Login
	tx       okta.Transaction // the newest answer
	userID   string           // whose password was right
	verified bool             // a factor has been verified, or tried
	out      Outcome
}

// complete goes from state to state. It ends: a warning is skipped once, a
// factor is chosen once.
func (r *run) complete(ctx context.Context) error {
	for {
		step, err := Next(r.tx)
		if r.Bypass && bypassable(r.tx.Status) {
			step, err = StepDone, nil
		}
		switch {
		case err != nil:
			return err
		case step == StepDone:
			return r.done()
		case step == StepSkip && !r.out.PasswordWarning:
			r.out.PasswordWarning = true
			err = r.advance(r.Okta.Skip(ctx, r.tx))
		case step == StepChoose && !r.verified:
			r.verified = true
			err = r.verify(ctx)
		default:
			return unexpected(r.tx, "a state that was left before")
		}
		if err != nil {
			return err
		}
	}
}

// bypassable lists the states that Bypass takes for a success: the password was
// right, and what is missing is a factor.
func bypassable(s okta.Status) bool {
	return s == okta.StatusMFARequired || s == okta.StatusMFAEnroll || s == okta.StatusMFAEnrollActivate
}

func (r *run) done() error {
	if r.tx.User.ID == "" || r.tx.User.ID != r.userID {
		return fmt.Errorf("%w: a success for nobody, or for somebody else", okta.ErrMalformed)
	}
	r.out.User = r.tx.User
	return nil
}

// advance takes over the answer tx. On an error the transaction stays what it
// was, so that it can be cancelled; so does the state token where an answer
// leaves it out.
func (r *run) advance(tx okta.Transaction, err error) error {
	if err != nil {
		return err
	}
	if tx.StateToken == "" && tx.Status != okta.StatusSuccess {
		tx.StateToken = r.tx.StateToken
	}
	r.tx = tx
	return nil
}

func (r *run) verify(ctx context.Context) error {
	factors, err := Choose(r.tx.Factors, r.Want)
	if err != nil {
		return err
	}
	if r.Want.PassCode == "" {
		return r.push(ctx, factors[0])
	}
	// A passcode says nothing of the generator it comes from: with two enrolled,
	// each is tried once.
	for i, f := range factors {
		err = r.advance(r.Okta.Verify(ctx, r.tx, f, r.Want.PassCode))
		var refused *okta.Error
		if i == len(factors)-1 || !errors.As(err, &refused) || refused.Code != okta.CodeInvalidPassCode {
			break
		}
	}
	return err
}

// push makes the phone ring, once, and waits until Okta says something else
// than waiting.
func (r *run) push(ctx context.Context, f okta.Factor) error {
	r.out.ChallengeSent = true // from here on even a lost answer may mean a push
	if err := r.advance(r.Okta.Verify(ctx, r.tx, f, "")); err != nil {
		return err
	}
	wait := r.Poll.start(ctx)
	for {
		// Anything but a challenge that waits is for complete to judge.
		if step, err := Next(r.tx); err != nil || step != StepWait {
			return nil
		}
		if r.tx.Factor.ID != f.ID {
			return fmt.Errorf("%w: a challenge of another factor", okta.ErrMalformed)
		}
		if err := r.show(r.tx.Challenge); err != nil {
			return err
		}
		if err := wait.next(ctx, r.tx.ExpiresAt); err != nil {
			return err
		}
		if err := r.advance(r.Okta.Verify(ctx, r.tx, f, "")); err != nil {
			return err
		}
	}
}

func (r *run) show(c *okta.Challenge) error {
	if c == nil {
		return nil
	}
	if r.ShowNumber == nil {
		return ErrNumberChallenge
	}
	r.ShowNumber(c.CorrectAnswer)
	return nil
}

// cancel ends the transaction at Okta, so that nothing is left to approve. Its
// own failure changes nothing: Okta forgets the transaction by itself.
func (r *run) cancel(ctx context.Context) {
	if r.tx.StateToken == "" {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer stop()
	_ = r.Okta.Cancel(ctx, r.tx)
}
