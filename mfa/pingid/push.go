package pingid

import (
	"context"
	"encoding/json"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
)

// ring prepares a push, to the device of that id or, where that is empty, to the one that
// PingID chooses.
func (l *login) ring(d device, id string) mfa.Attempt {
	return mfa.Attempt{
		Rings: l.person,
		Phone: l.person, // one push of PingID's in a login, whatever the device
		Ring: func(ctx context.Context, x mfa.Exchange) (mfa.Push, error) {
			if !l.method.start && id == "" {
				return l.online(ctx, x, d, "")
			}
			return l.push(ctx, x, d, id)
		},
	}
}

// push sends a push by startauthentication.
func (l *login) push(ctx context.Context, x mfa.Exchange, d device, id string) (mfa.Push, error) {
	switch {
	case ctx.Err() != nil:
		return nil, mfa.MarkNotSent(ctx.Err())
	case !x.Clock.Now().Before(x.Until):
		return nil, mfa.MarkNotSent(mfa.ErrPushTimeout)
	}
	asking := context.WithoutCancel(ctx)
	said, how, err := l.begin(asking, id, true)
	if err != nil {
		return nil, err
	}
	switch how.step {
	case stepOnline:
		return l.online(ctx, x, d, said.SessionID)
	case stepWait, stepDone:
	default:
		return nil, l.asks(d, said, how)
	}
	p := &push{login: l, device: d, sessionID: said.SessionID, said: said}
	if said.Extended.Number == nil || x.Numbers {
		return p, nil
	}
	p.Cancel(asking) // nobody could answer it
	if x.Shown {
		return nil, mfa.ErrNumberShown
	}
	return nil, mfa.ErrNumberChallenge
}

// push is a push that startauthentication has sent.
type push struct {
	login     *login
	device    device
	sessionID string
	said      answer // the newest one
	over      bool   // PingID has decided, or it was taken back
}

func (p *push) Waiting() mfa.Waiting {
	w := mfa.Waiting{Device: p.device.name()}
	if n := p.said.Extended.Number; n != nil {
		w.Number = &mfa.Number{Answer: *n, Device: w.Device}
	}
	return w
}

// decided is a channel that is closed.
var decided = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Decided is closed where PingID's first answer was more than that the push waits.
func (p *push) Decided() <-chan struct{} {
	if p.said.meaning().step != stepWait {
		return decided
	}
	return nil
}

// Poll asks once by authstatus, which tells no number: the first answer's stays.
func (p *push) Poll(ctx context.Context) (passed bool, err error) {
	if p.Decided() == nil {
		m := p.login.method
		said, err := m.call(ctx, opStatus, object{"sessionId": p.sessionID}, m.client.Timeout, nil)
		if err != nil {
			return false, rang(err)
		}
		said.Extended.Number = p.said.Extended.Number
		p.said = said
	}
	switch how := p.said.meaning(); how.step {
	case stepWait:
		return false, nil
	case stepDone:
		p.over = true
		return true, nil
	case stepSent, stepCode: // the phone was not reached, and a passcode may follow
		p.over = true
		p.said.SessionID = p.sessionID
		return false, rang(p.login.asks(p.device, p.said, how))
	default:
		p.over = true
		return false, rang(p.said.failure())
	}
}

// Cancel takes the push back, unless PingID has decided.
func (p *push) Cancel(ctx context.Context) {
	if !p.over {
		p.over = true
		p.login.method.withdraw(ctx, p.sessionID)
	}
}

// online rings the person's phone by authonline and waits for their answer. sessionID is
// that of startauthentication; it may be empty.
//
// Where ctx ends, the wait ends and the connection is closed. Without a session the push
// cannot be taken back: authonline tells its own only when the push is over.
func (l *login) online(ctx context.Context, x mfa.Exchange, d device, sessionID string) (mfa.Push, error) {
	p, err := service.Ring(ctx, x, func(ctx context.Context, sent func(mfa.Waiting)) error {
		body := object{"spAlias": "web", "userName": l.name, "authType": "CONFIRM"}
		if sessionID != "" {
			body["sessionId"] = sessionID
		}
		if sessionID != "" && d.ID != "" {
			body["deviceId"] = json.Number(string(d.ID))
		}
		said, err := l.method.call(ctx, opOnline, body, 0, func() { sent(mfa.Waiting{Device: d.name()}) })
		if err != nil {
			return err
		}
		switch how := said.meaning(); how.step {
		case stepDone:
			return nil
		case stepSent, stepCode: // the phone was not reached, and a passcode may follow
			if said.SessionID == "" {
				return said.failure()
			}
			return rang(l.asks(d, said, how))
		default:
			return said.failure()
		}
	})
	if err != nil || sessionID == "" {
		return p, err
	}
	return &onlinePush{p, l.method, sessionID}, nil
}

// rang takes the mark away by which an error says that no phone has rung.
func rang(err error) error {
	if inner, ok := err.(interface{ Unwrap() error }); ok && mfa.NotSent(err) {
		return inner.Unwrap()
	}
	return err
}

// onlinePush is a push by authonline whose session is known.
type onlinePush struct {
	mfa.Push
	method    *Method
	sessionID string
}

// Cancel ends the wait, and takes the push back unless it was answered.
func (p *onlinePush) Cancel(ctx context.Context) {
	select {
	case <-p.Decided():
		p.Push.Cancel(ctx)
	default:
		p.Push.Cancel(ctx)
		p.method.withdraw(ctx, p.sessionID)
	}
}
