package backend

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// A login with wait=false answers at once and is continued by further requests,
// which name it by its transaction_id. Until it ends it is held here, in memory
// only, with the password, which a further phone and the token need.

const (
	// maxHeld bounds the logins that are held, on one mount.
	maxHeld = 10_000
	// maxHeldEach bounds those of one person from one origin; the oldest gives way.
	maxHeldEach = 4
	// maxHeldLife is the longest that a login is held, however often it is gone on
	// with.
	maxHeldLife = 30 * time.Minute
)

// heldLogin is one of them.
type heldLogin struct {
	run      *mfa.Login
	org      string // where it was begun
	userID   string // Okta's
	origin   string
	username string // of the path: the id is good there only
	password string
	id       string // the transaction_id
	began    time.Time
	expires  time.Time // under the lock of heldLogins
}

// heldLogins are those of one mount, by transaction_id. The zero value is ready.
type heldLogins struct {
	mu   sync.Mutex
	byID map[string]*heldLogin
}

// full reports whether there is no room for one more.
func (h *heldLogins) full() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.byID) >= maxHeld
}

// keep holds login until it expires, and returns the one that gives way, if any.
func (h *heldLogins) keep(login *heldLogin, expires time.Time) (gone *heldLogin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byID == nil {
		h.byID = map[string]*heldLogin{}
	}
	if login.run.Over() { // by another request, meanwhile
		return nil
	}
	login.expires = expires
	if h.byID[login.id] != nil {
		return nil
	}
	h.byID[login.id] = login
	var same []*heldLogin
	for _, other := range h.byID {
		if other.userID == login.userID && other.origin == login.origin {
			same = append(same, other)
		}
	}
	if len(same) <= maxHeldEach {
		return nil
	}
	gone = slices.MinFunc(same, func(a, b *heldLogin) int { return a.began.Compare(b.began) })
	delete(h.byID, gone.id)
	return gone
}

// find returns the login with id, if it is username's and has not expired.
func (h *heldLogins) find(id, username string, now time.Time) *heldLogin {
	h.mu.Lock()
	defer h.mu.Unlock()
	login := h.byID[id]
	if login == nil || login.username != username || now.After(login.expires) {
		return nil
	}
	return login
}

func (h *heldLogins) forget(login *heldLogin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byID, login.id)
}

// expired takes out the logins that have expired at now, or ended by themselves.
func (h *heldLogins) expired(now time.Time) (gone []*heldLogin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, login := range h.byID {
		if now.After(login.expires) || login.run.Over() {
			gone = append(gone, login)
			delete(h.byID, id)
		}
	}
	return gone
}

// newTransactionID makes 128 random bits.
func newTransactionID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// holdLogin begins a login that further requests go on with.
func (b *backend) holdLogin(ctx context.Context, req *logical.Request, cfg *configEntry, in loginInput) (*logical.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	if b.held.full() {
		return b.answer(errTooManyLogins, false)
	}
	client, err := b.client(cfg)
	if err != nil {
		return b.answer(err, false)
	}
	authn := client.For(caller(req))
	tx, err := authn.Authenticate(ctx, in.username, in.password)
	if err != nil {
		return b.answer(apiTokenRefused(cfg, err), false)
	}
	run, err := b.flow(cfg, authn, req, in).Start(ctx, tx, in.want)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		run.Close(ctx) // nobody knows of it
		b.logRefusal(req, tx.User, err)
		return b.answer(err, run.Challenged())
	}
	login := &heldLogin{
		run: run, org: client.OrgURL(), userID: tx.User.ID, origin: origin(req), id: newTransactionID(),
		username: in.username, password: in.password, began: b.now(),
	}
	state, err := run.State(ctx)
	if err != nil {
		return b.setback(req, login, err)
	}
	return b.progress(ctx, req, cfg, client, login, state)
}

// continueLogin goes on with a held login.
func (b *backend) continueLogin(ctx context.Context, req *logical.Request, cfg *configEntry, in loginInput) (*logical.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	client, err := b.client(cfg)
	if err != nil {
		return b.answer(err, false)
	}
	login := b.held.find(in.transactionID, in.username, b.now())
	if login == nil {
		return b.answer(errNoTransaction, false)
	}
	if login.org != client.OrgURL() { // the mount has moved since
		b.held.forget(login)
		login.run.Cancel(ctx, mfa.Flow{}) // at the org where it was begun
		return b.answer(errNoTransaction, login.run.Challenged())
	}
	now := b.flow(cfg, client.For(caller(req)), req, in)
	if in.cancel {
		b.held.forget(login)
		login.run.Cancel(ctx, now)
		return &logical.Response{Data: map[string]any{"transaction_id": login.id, "state": "cancelled"}}, nil
	}
	state, err := login.run.Continue(ctx, now, in.want)
	if err != nil {
		return b.setback(req, login, err)
	}
	return b.progress(ctx, req, cfg, client, login, state)
}

// setback tells why a held login did not get on. What the person can mend leaves
// it open.
func (b *backend) setback(req *logical.Request, login *heldLogin, err error) (*logical.Response, error) {
	b.logRefusal(req, okta.User{ID: login.userID}, err)
	if !login.run.Over() {
		return b.answerOpen(err, login.run.Challenged())
	}
	b.held.forget(login)
	if errors.Is(err, mfa.ErrOver) {
		err = errNoTransaction
	}
	return b.answer(err, login.run.Challenged())
}

// progress answers with the token, or with what the login waits for.
func (b *backend) progress(ctx context.Context, req *logical.Request, cfg *configEntry, client *okta.Client, login *heldLogin, state mfa.State) (*logical.Response, error) {
	if state.Phase == mfa.PhaseDone {
		b.held.forget(login)
		who, err := b.resolve(ctx, req.Storage, cfg, client, login.username, login.run)
		if err != nil {
			return b.answer(err, login.run.Challenged())
		}
		return authResponse(cfg, login.username, login.password, who), nil
	}
	if end := login.began.Add(maxHeldLife); end.Before(state.ExpiresAt) {
		state.ExpiresAt = end
	}
	if gone := b.held.keep(login, state.ExpiresAt); gone != nil {
		gone.run.Close(ctx)
	}
	return &logical.Response{Data: describeState(login.id, state)}, nil
}

// phases are the words for what a held login waits for.
var phases = map[mfa.Phase]string{
	mfa.PhaseFactor:   "factor_required",
	mfa.PhasePassCode: "passcode_required",
	mfa.PhaseWaiting:  "waiting",
}

func describeState(id string, state mfa.State) map[string]any {
	data := describeFactor(state.Factor)
	data["transaction_id"] = id
	data["state"] = phases[state.Phase]
	data["expires_at"] = state.ExpiresAt.UTC().Format(time.RFC3339)
	if state.Number != nil {
		data["correct_answer"] = state.Number.Answer
	}
	others := make([]map[string]any, 0, len(state.Others))
	for _, f := range state.Others {
		other := describeFactor(f)
		other["id"] = f.ID
		others = append(others, other)
	}
	data["factors"] = others
	return data
}

// tidy is called once a minute: it forgets what has expired.
func (b *backend) tidy(ctx context.Context, _ *logical.Request) error {
	now := b.now()
	var all sync.WaitGroup
	for _, login := range b.held.expired(now) {
		all.Go(func() { login.run.Expire(ctx) })
	}
	all.Wait()
	b.codes.Tidy(now)
	b.guard.Tidy(now)
	return nil
}
