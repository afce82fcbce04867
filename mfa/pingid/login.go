package pingid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// begin begins an authentication, with the device of that id or, where id is empty, with
// the one that PingID chooses. A code goes out at once; a push does so only where async is
// true. begin fails where the login cannot go on with PingID's answer.
//
// ctx should not be cancelled with the caller where something may ring: only the answer
// says how a push can be taken back.
func (l *login) begin(ctx context.Context, id string, async bool) (answer, meaning, error) {
	body := object{"spAlias": "web", "userName": l.name}
	if async {
		body["async"] = "true" // a string, as the page's example has other flags
	}
	if id != "" {
		body["deviceId"] = json.Number(id)
	}
	if open, found := l.method.open.get(l.person, l.name, l.method.now()); found && open.id != "" {
		if open.choosing && id != "" {
			body["sessionId"] = open.id
		} else {
			l.method.withdraw(ctx, open.id) // PingID holds one authentication of a device at a time
		}
	}
	l.method.open.forget(l.person)
	said, err := l.method.call(ctx, opStart, body, l.method.client.Timeout, nil)
	if err != nil {
		return said, meaning{}, err
	}
	how := said.meaning()
	switch {
	case how.step == stepFail:
		return said, how, said.failure()
	case how.step != stepDone && said.SessionID == "":
		return said, how, fmt.Errorf("%w: an authentication without a session", mfa.ErrServiceMalformed)
	}
	return said, how, nil
}

// asks remembers the session of an answer that wants something of the person, and returns
// the error that says so.
func (l *login) asks(d device, said answer, how meaning) error {
	open := session{id: said.SessionID, name: l.name, device: d, words: how.words, until: l.method.now().Add(sessionLife)}
	switch how.step {
	case stepSent:
		if !d.sends() { // PingID has chosen the device
			open.device = device{ID: d.ID, Type: typeOf(how.sends)}
		}
		l.method.open.put(l.person, open)
		return &mfa.CodeSentError{Factor: open.device.factor(), By: vendor}
	case stepCode:
		open.resync = *said.ErrorID == outOfStep
		l.method.open.put(l.person, open)
		return mfa.MarkNotSent(&mfa.PassCodeNeededError{What: how.words})
	case stepChoose:
		open.choosing = true
		l.method.open.put(l.person, open)
		var devices []device
		_ = json.Unmarshal(said.Devices, &devices) // without them, the text names no device
		return mfa.MarkNotSent(&mfa.CredentialError{
			Problem: "asks you to choose a device, as mfa=<name>:device=<device>" + labels(inOrder(devices, "")),
		})
	}
	return said.failure()
}

// typeOf is PingID's type of the devices that get such a code.
func typeOf(sent okta.FactorType) string {
	for typ, does := range deviceKinds {
		if does.sent == sent {
			return typ
		}
	}
	return ""
}

// answer prepares the verification of a passcode.
func (l *login) answer(c mfa.Credential) (mfa.Attempt, error) {
	open, isOpen := l.method.open.get(l.person, l.name, l.method.now())
	if isOpen && !open.choosing && (c.Kind == "" || open.device.ID == "" || open.device.takes(c.Kind)) {
		return mfa.Attempt{Verify: func(ctx context.Context, x mfa.Exchange) error {
			if open.id == "" { // the device was chosen, and nothing begun
				return l.beginAndVerify(ctx, x, open.device, c.PassCode)
			}
			err := l.verify(ctx, x, open, c.PassCode)
			if errors.Is(err, errSessionOver) && !open.device.sends() && open.device.ID != "" {
				return l.beginAndVerify(ctx, x, open.device, c.PassCode)
			}
			return err
		}}, nil
	}
	if l.devices == nil {
		// What there is comes out by beginning, which may send a code.
		return mfa.Attempt{Sends: true, Anew: true, Rings: l.person, Verify: func(ctx context.Context, x mfa.Exchange) error {
			return l.beginAndVerify(ctx, x, device{}, c.PassCode)
		}}, nil
	}
	for _, d := range l.devices {
		if d.makes(c) {
			return mfa.Attempt{Verify: func(ctx context.Context, x mfa.Exchange) error {
				return l.beginAndVerify(ctx, x, d, c.PassCode)
			}}, nil
		}
	}
	return mfa.Attempt{}, &mfa.CredentialError{
		Problem: "has no device of yours that makes such a passcode, and knows of no code that was sent to you: have one sent first, without a passcode" + labels(l.devices),
	}
}

// yubiKeyTypes is how many characters a YubiKey types at least.
const yubiKeyTypes = 32

// makes reports whether the passcode may be one that the device makes itself.
func (d device) makes(c mfa.Credential) bool {
	does := d.does()
	isYubiKey := does == deviceKinds["yubikey"]
	return does.kind != "" && does.sent == "" && (c.Kind == "" || c.Kind == does.kind) && isYubiKey == (len(c.PassCode) >= yubiKeyTypes)
}

// beginAndVerify begins an authentication with the device, and verifies a passcode with it.
// It names the device where that is known: the one that PingID would choose may be another,
// which gets a code. Nothing has been sent unless it fails with *mfa.CodeSentError.
func (l *login) beginAndVerify(ctx context.Context, x mfa.Exchange, d device, passCode string) error {
	said, how, err := l.begin(ctx, string(d.ID), false)
	switch {
	case err != nil:
		return err
	case how.step == stepDone:
		return nil
	case how.step == stepWait: // on a push that nobody asked for
		l.method.withdraw(context.WithoutCancel(ctx), said.SessionID)
		return said.failure()
	case how.step == stepSent, how.step == stepChoose:
		return l.asks(d, said, how)
	}
	open := session{id: said.SessionID, name: l.name, device: d, until: l.method.now().Add(sessionLife), resync: *said.ErrorID == outOfStep}
	l.method.open.put(l.person, open)
	return mfa.MarkNotSent(l.verify(ctx, x, open, passCode))
}

// errSessionOver says that PingID no longer knows the session.
var errSessionOver = errors.New("the session is over")

// verify verifies a passcode with an open session. It forgets the session, unless another
// passcode may follow.
func (l *login) verify(ctx context.Context, x mfa.Exchange, open session, passCode string) error {
	body := object{"spAlias": "web", "userName": l.name, "otp": passCode, "sessionId": open.id}
	if open.resync {
		body["formParameters"] = object{"oathResync": "true"}
	}
	said, err := l.method.call(ctx, opOffline, body, l.method.client.Timeout, nil)
	if err != nil {
		return err
	}
	switch how := said.meaning(); {
	case how.step == stepDone && said.SessionID != "" && said.SessionID != open.id: // which PingID documents to echo
		return fmt.Errorf("%w: its session is another", mfa.ErrServiceMalformed)
	case how.step == stepDone:
		l.method.open.forget(l.person)
		x.Answered(l.person, open.device.factor())
		return nil
	case *said.ErrorID == outOfStep:
		open.resync = true
		l.method.open.put(l.person, open)
		return mfa.MarkNotSent(&mfa.PassCodeNeededError{What: how.words})
	case errors.Is(how.err, mfa.ErrWrongPassCode):
		return how.err
	case *said.ErrorID == sessionOver:
		l.method.open.forget(l.person)
		return fmt.Errorf("%w: %w", errSessionOver, said.failure())
	}
	l.method.open.forget(l.person)
	return said.failure()
}

// withdraw ends a session. Its own failure changes nothing: PingID gives a session up by
// itself.
func (m *Method) withdraw(ctx context.Context, sessionID string) {
	_, _ = m.call(ctx, opCancel, object{"cancelAuthenticationType": "DEFAULT", "sessionId": sessionID}, m.client.Timeout, nil)
}
