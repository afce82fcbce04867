package service

import (
	"context"
	"errors"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// Ring makes a push of a service that holds a request until the person has
// answered. send sends the push and returns once it is decided: nil lets the person
// pass. It calls sent as soon as the push is on its way, with what there is to know
// about it, and stops with its context, which ends with the login or at the end of the
// wait for the push.
//
// Ring returns at the call of sent, or with the error of a send that never got so
// far.
func Ring(ctx context.Context, x mfa.Exchange, send func(ctx context.Context, sent func(mfa.Waiting)) error) (mfa.Push, error) {
	during, cancel := context.WithTimeout(x.Life, x.Until.Sub(x.Clock.Now()))
	p := &push{cancel: cancel, decided: make(chan struct{})}
	sent := make(chan mfa.Waiting, 1)
	go func() {
		defer close(p.decided)
		defer cancel()
		defer panics.Recover(&p.err)
		p.err = pushError(during, send(during, func(w mfa.Waiting) {
			select {
			case sent <- w:
			default: // said before
			}
		}))
	}()
	select {
	case p.waiting = <-sent:
		return p, nil
	case <-ctx.Done():
		cancel()
		<-p.decided
	case <-p.decided:
		select {
		case p.waiting = <-sent: // right before: the push was on its way
			return p, nil
		default:
		}
	}
	if p.err == nil {
		return p, nil
	}
	return nil, p.err
}

// push is a push that a goroutine waits for.
type push struct {
	waiting mfa.Waiting
	cancel  context.CancelFunc
	decided chan struct{}
	err     error // after decided
}

func (p *push) Waiting() mfa.Waiting { return p.waiting }

func (p *push) Decided() <-chan struct{} { return p.decided }

func (p *push) Poll(context.Context) (passed bool, err error) {
	select {
	case <-p.decided:
		return p.err == nil, p.err
	default:
		return false, nil
	}
}

func (p *push) Cancel(ctx context.Context) {
	p.cancel()
	select {
	case <-p.decided:
	case <-ctx.Done():
	}
}

// pushError tells why a push failed: an error about time is mfa.ErrPushTimeout where
// the wait for the push had ended.
func pushError(during context.Context, err error) error {
	late := errors.Is(err, mfa.ErrServiceTimeout) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case !late || !errors.Is(during.Err(), context.DeadlineExceeded):
		return err
	case mfa.NotSent(err):
		return mfa.MarkNotSent(mfa.ErrPushTimeout)
	}
	return mfa.ErrPushTimeout
}
