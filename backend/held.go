package backend

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
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

// heldLogin is one of them: first at Okta, then, once Okta has let the person in,
// at the MFA methods of the mount.
type heldLogin struct {
	run      *mfa.Login
	check    atomic.Pointer[mfa.Validation] // nil while it is at Okta
	org      string                         // where it was begun
	userID   string                         // Okta's
	origin   string
	username string // of the path: the id is good there only
	password string
	id       string // the transaction_id
	began    time.Time
	expires  time.Time   // under the lock of heldLogins
	ended    atomic.Bool // by a cancel, by others, or by its time

	turn     chan struct{} // one request goes on with it at a time; guards the rest
	given    credentials   // for the methods, not used yet
	groups   []string      // the person's, in Okta
	warnings []string
}

// take waits for the login's turn; the caller gives it back.
func (h *heldLogin) take(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *heldLogin) give() { <-h.turn }

// over reports whether nothing can go on with the login.
func (h *heldLogin) over() bool {
	if h.ended.Load() {
		return true
	}
	if check := h.check.Load(); check != nil {
		return check.Over()
	}
	return h.run.Over()
}

// challenged reports whether a phone may have rung, or a code been sent, for it.
func (h *heldLogin) challenged() bool {
	check := h.check.Load()
	return h.run.Challenged() || check != nil && check.Challenged()
}

// end ends the login, wherever it is: first by run, where it is at Okta, and Close
// where that is nil.
func (h *heldLogin) end(ctx context.Context, run func(*mfa.Login)) {
	h.ended.Store(true)
	if run == nil {
		run = func(l *mfa.Login) { l.Close(ctx) }
	}
	run(h.run)
	if check := h.check.Load(); check != nil {
		check.Close(ctx)
	}
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

// keep holds login until it expires, and returns the one that gives way, if any. It
// reports false where the login has ended meanwhile.
func (h *heldLogins) keep(login *heldLogin, expires time.Time) (gone *heldLogin, kept bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byID == nil {
		h.byID = map[string]*heldLogin{}
	}
	if login.over() { // by another request
		return nil, false
	}
	login.expires = expires
	if h.byID[login.id] != nil {
		return nil, true
	}
	h.byID[login.id] = login
	var same []*heldLogin
	for _, other := range h.byID {
		if other.userID == login.userID && other.origin == login.origin {
			same = append(same, other)
		}
	}
	if len(same) <= maxHeldEach {
		return nil, true
	}
	gone = slices.MinFunc(same, func(a, b *heldLogin) int { return a.began.Compare(b.began) })
	delete(h.byID, gone.id)
	return gone, true
}

// has reports whether the login is held.
func (h *heldLogins) has(login *heldLogin) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byID[login.id] == login
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

// expired takes out the logins that have ended, and returns those that have expired
// at now. (One that is over at Okta may be on its way to the methods: it comes back
// by itself.)
func (h *heldLogins) expired(now time.Time) (gone []*heldLogin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, login := range h.byID {
		expired := now.After(login.expires)
		if expired {
			gone = append(gone, login)
		}
		if expired || login.over() {
			delete(h.byID, id)
		}
	}
	return gone
}

// drain takes out all logins.
func (h *heldLogins) drain() (all []*heldLogin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, login := range h.byID {
		all = append(all, login)
	}
	clear(h.byID)
	return all
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
		username: in.username, password: in.password, began: b.now(), given: in.mfa,
		turn: make(chan struct{}, 1),
	}
	login.turn <- struct{}{}
	defer login.give()
	state, err := run.State(ctx)
	if err != nil {
		return b.setback(ctx, req, login, err)
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
		login.end(ctx, func(l *mfa.Login) { l.Cancel(ctx, mfa.Flow{}) }) // at the org where it was begun
		return b.answer(errNoTransaction, login.challenged())
	}
	now := b.flow(cfg, client.For(caller(req)), req, in)
	if in.cancel {
		b.held.forget(login)
		login.end(ctx, func(l *mfa.Login) { l.Cancel(ctx, now) })
		return &logical.Response{Data: map[string]any{"transaction_id": login.id, "state": "cancelled"}}, nil
	}
	if err := login.take(ctx); err != nil {
		return b.answer(err, login.challenged())
	}
	defer login.give()
	if len(in.mfa) > 0 {
		login.given = in.mfa
	}
	if login.check.Load() != nil {
		return b.validateHeld(ctx, req, cfg, login)
	}
	state, err := login.run.Continue(ctx, now, in.want)
	if err != nil {
		return b.setback(ctx, req, login, err)
	}
	return b.progress(ctx, req, cfg, client, login, state)
}

// setback tells why a held login did not get on. What the person can mend leaves
// it open, unless it was begun by this very request: then nobody knows its id.
func (b *backend) setback(ctx context.Context, req *logical.Request, login *heldLogin, err error) (*logical.Response, error) {
	b.logRefusal(req, okta.User{ID: login.userID}, err)
	if !login.over() && b.held.has(login) {
		return b.answerOpen(err, login.challenged())
	}
	b.held.forget(login)
	login.end(ctx, nil)
	if errors.Is(err, mfa.ErrOver) {
		err = errNoTransaction
	}
	return b.answer(err, login.challenged())
}

// progress answers with the token, or with what the login waits for.
func (b *backend) progress(ctx context.Context, req *logical.Request, cfg *configEntry, client *okta.Client, login *heldLogin, state mfa.State) (*logical.Response, error) {
	if state.Phase == mfa.PhaseDone {
		return b.admit(ctx, req, cfg, client, login)
	}
	return b.stays(ctx, req, login, describeState(login.id, state))
}

// admit goes on with a login whose person Okta has let in: with the token, unless
// they have to satisfy MFA methods of the mount.
func (b *backend) admit(ctx context.Context, req *logical.Request, cfg *configEntry, client *okta.Client, login *heldLogin) (*logical.Response, error) {
	var err error
	if login.groups, login.warnings, err = b.oktaGroups(ctx, cfg, client, login.run, nil); err != nil {
		b.held.forget(login)
		return b.answer(err, login.challenged())
	}
	login.check.Store(b.validation(req, cfg, login.org, login.username, login.run))
	if login.ended.Load() { // while the groups were read
		return b.setback(ctx, req, login, mfa.ErrOver)
	}
	return b.validateHeld(ctx, req, cfg, login)
}

// stays holds the login, and answers with what it waits for.
func (b *backend) stays(ctx context.Context, req *logical.Request, login *heldLogin, waits waitsFor) (*logical.Response, error) {
	if end := login.began.Add(maxHeldLife); end.Before(waits.until) {
		waits.until = end
	}
	gone, kept := b.held.keep(login, waits.until)
	if !kept {
		return b.setback(ctx, req, login, mfa.ErrOver)
	}
	if gone != nil {
		gone.end(ctx, nil)
	}
	waits.data["expires_at"] = waits.until.UTC().Format(time.RFC3339)
	return &logical.Response{Data: waits.data}, nil
}

// waitsFor is what a held login waits for, and until when.
type waitsFor struct {
	data  map[string]any
	until time.Time
}

// phases are the words for what a held login waits for.
var phases = map[mfa.Phase]string{
	mfa.PhaseFactor:   "factor_required",
	mfa.PhasePassCode: "passcode_required",
	mfa.PhaseWaiting:  "waiting",
}

func describeState(id string, state mfa.State) waitsFor {
	data := describeFactor(state.Factor)
	data["transaction_id"] = id
	data["state"] = phases[state.Phase]
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
	return waitsFor{data, state.ExpiresAt}
}

// describeWaiting tells of a push of a method.
func describeWaiting(id string, w *mfa.Waiting) waitsFor {
	data := describeMethod(w.Method)
	data["transaction_id"] = id
	data["state"] = phases[mfa.PhaseWaiting]
	if w.Device != "" {
		data["device"] = w.Device
	}
	if w.Number != nil {
		data["correct_answer"] = w.Number.Answer
	}
	return waitsFor{data, w.ExpiresAt}
}

// needsLife is how long a held login waits for credentials.
const needsLife = 5 * time.Minute

// describeNeeds tells which methods want a passcode.
func (b *backend) describeNeeds(login *heldLogin, methods []mfa.Required) waitsFor {
	list := make([]map[string]any, len(methods))
	for i, m := range methods {
		list[i] = describeMethod(m)
	}
	return waitsFor{
		map[string]any{"transaction_id": login.id, "state": "mfa_required", "mfa_methods": list},
		b.now().Add(needsLife),
	}
}

func describeMethod(m mfa.Required) map[string]any {
	return map[string]any{"mfa_method": m.Name, "mfa_type": m.Type}
}

// endAll ends logins at the same time.
func endAll(ctx context.Context, logins []*heldLogin, run func(*mfa.Login)) {
	var all sync.WaitGroup
	for _, login := range logins {
		all.Go(func() { login.end(ctx, run) })
	}
	all.Wait()
}

// clean is called when the mount goes: nobody can go on with what is held.
func (b *backend) clean(ctx context.Context) {
	endAll(ctx, b.held.drain(), nil)
	b.clients.drop()
}

// tidy is called once a minute: it forgets what has expired.
func (b *backend) tidy(ctx context.Context, _ *logical.Request) error {
	now := b.now()
	endAll(ctx, b.held.expired(now), func(l *mfa.Login) { l.Expire(ctx) })
	b.codes.Tidy(now)
	b.sent.Tidy(now)
	b.guard.Tidy(now)
	return nil
}
