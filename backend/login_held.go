package backend

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// A login with wait=false answers at once, and further requests, which name it by
// its transaction_id, take it to its end.

// hold begins a login that further requests continue.
func (l *loginRequest) hold(ctx context.Context) (*logical.Response, error) {
	if l.held.full() {
		return l.fail(ctx, nil, errTooManyLogins)
	}
	flow := l.flow()
	tx, err := l.verifyPassword(ctx, &flow)
	if err != nil {
		return l.fail(ctx, nil, err)
	}
	session, err := flow.Begin(ctx, tx, l.in.given())
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		session.Close(ctx) // nobody knows of it
		return l.fail(ctx, session, err)
	}
	login := &heldLogin{
		session: session, ticket: l.ticket, org: l.client.OrgURL(), userID: session.UserID(), origin: l.caller.Address,
		id: newTransactionID(), username: l.in.username, password: l.in.password, device: l.in.device, mfa: l.in.mfa, began: l.now(),
	}
	state, err := session.State(ctx)
	if err != nil {
		return l.setback(ctx, login, err)
	}
	return l.progress(ctx, login, state)
}

// proceed continues a held login.
func (l *loginRequest) proceed(ctx context.Context) (*logical.Response, error) {
	login := l.held.find(l.in.transactionID, l.in.username, l.now())
	if login == nil {
		return l.fail(ctx, nil, errNoTransaction)
	}
	if login.org != l.client.OrgURL() { // the mount has moved since
		l.held.forget(login)
		login.session.Cancel(ctx, mfa.Flow{}) // at the org where it was begun
		return l.fail(ctx, login.session, errNoTransaction)
	}
	l.in.password, l.in.device = login.password, login.device
	if len(l.in.mfa) == 0 {
		l.named = login.mfa
	}
	if l.in.cancel {
		l.held.forget(login)
		login.session.Cancel(ctx, l.flow())
		return &logical.Response{Data: map[string]any{"transaction_id": login.id, "state": "cancelled"}}, nil
	}
	state, err := login.session.Continue(ctx, l.flow(), l.in.given())
	if err != nil {
		return l.setback(ctx, login, err)
	}
	return l.progress(ctx, login, state)
}

// progress answers with the token, or with what the login waits for.
func (l *loginRequest) progress(ctx context.Context, login *heldLogin, state mfa.State) (*logical.Response, error) {
	if state.Phase == mfa.PhaseDone {
		l.held.forget(login)
		today, err := l.stillGood(ctx, login.session)
		if err == nil {
			err = l.sameAddress(login)
		}
		if err != nil {
			return l.fail(ctx, login.session, err)
		}
		l.loggedIn(ctx, login.session, login.ticket)
		return today.token(login.session), nil
	}
	until := state.ExpiresAt
	if end := login.began.Add(maxHeldLife); end.Before(until) {
		until = end
	}
	gone, err := l.held.keep(login, until, state.Phase == mfa.PhaseWaiting)
	if err != nil {
		return l.setback(ctx, login, err)
	}
	if gone != nil {
		l.later(func() { gone.session.Close(ctx) })
	}
	data := describeState(state)
	data["transaction_id"] = login.id
	data["expires_at"] = until.UTC().Format(time.RFC3339)
	resp := &logical.Response{Data: data}
	switch {
	case state.Phase == mfa.PhaseMethods:
		resp.Warnings = l.needs(login.session, &mfa.MissingError{Methods: state.Missing}).hints()
	case len(l.found.required) > 0 && len(l.in.mfa) > 0: // by now it is known what is asked for
		resp.Warnings = l.misnamedWarnings()
	}
	return resp, nil
}

// setback tells why a held login did not get on. What the person can mend leaves
// it open, unless it was begun by this very request: then nobody knows its id.
func (l *loginRequest) setback(ctx context.Context, login *heldLogin, err error) (*logical.Response, error) {
	err = apiTokenRefused(l.cfg, err)
	if !login.session.Over() && l.held.has(login) {
		attemptOf(ctx).used(login.session.Kind())
		l.logRefusal(ctx, l.caller, okta.User{ID: login.userID}, err)
		return l.answerOpen(ctx, l.explained(login.session, err), login.session.Challenged())
	}
	l.held.forget(login)
	login.session.Close(ctx)
	if errors.Is(err, mfa.ErrOver) {
		err = errNoTransaction
	}
	return l.fail(ctx, login.session, err)
}

// newTransactionID makes 128 random bits.
func newTransactionID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// endAll ends logins at the same time.
func endAll(logins []*heldLogin, end func(*mfa.Session)) {
	var all panics.Group
	for _, login := range logins {
		all.Go(func() { end(login.session) })
	}
	all.Wait()
}

// tidy is called once a minute: it forgets what has expired.
func (b *backend) tidy(ctx context.Context, req *logical.Request) error {
	now := b.now()
	endAll(b.held.expired(now), func(s *mfa.Session) { s.Expire(ctx) })
	b.logins.Tidy(now)
	b.maintain(ctx, req.Storage)
	return nil
}
