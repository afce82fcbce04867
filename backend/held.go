package backend

import (
	"slices"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

const (
	// maxHeld bounds the logins that are held, on one mount.
	maxHeld = 10_000
	// maxHeldEach bounds those of one person from one origin; the oldest gives way.
	maxHeldEach = 4
	// maxHeldLife is the longest that a login is held, however often it is
	// continued.
	maxHeldLife = 30 * time.Minute
)

// heldLogin is a login with wait=false that has not ended. It is held in memory
// only, with the password, which a further phone and the token need.
type heldLogin struct {
	session  *mfa.Session
	ticket   *attempts.Ticket // of the password
	org      string           // where it was begun
	userID   string           // Okta's
	origin   string           // the address where it was begun; may be empty
	username string           // of the path: the id is good there only
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

// keep holds login until it expires, and returns the one that gives way, if any. It
// reports false where the login has ended meanwhile.
func (h *heldLogins) keep(login *heldLogin, expires time.Time) (gone *heldLogin, kept bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byID == nil {
		h.byID = map[string]*heldLogin{}
	}
	if login.session.Over() { // by another request
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
// at now.
func (h *heldLogins) expired(now time.Time) (gone []*heldLogin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, login := range h.byID {
		expired := now.After(login.expires)
		if expired {
			gone = append(gone, login)
		}
		if expired || login.session.Over() {
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
