package backend

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// maxHeld bounds the logins that are held, on one mount.
	maxHeld = 10_000
	// maxHeldEach bounds those of one person from one origin, and maxHeldPerson those of
	// one person. See makeRoom.
	maxHeldEach   = 4
	maxHeldPerson = 16
	// maxHeldLife is the longest that a login is held, however often it is
	// continued.
	maxHeldLife = 30 * time.Minute
)

// heldLogin is a login with wait=false that has not ended. It is held in memory
// only, with the password, which a further phone and the token need.
type heldLogin struct {
	okta.Unprintable
	session  *mfa.Session
	ticket   *attempts.Ticket // of the password
	org      string           // where it was begun
	userID   string           // Okta's
	origin   string           // the address where it was begun; may be empty
	username string           // of the path: the id is good there only
	password string
	device   okta.Secret // zero for none
	mfa      credentials // of the first request
	id       string      // the transaction_id
	began    time.Time

	// The fields below are under the lock of heldLogins.

	expires time.Time
	waiting bool   // for a push, when it was last continued
	used    uint64 // the higher, the later it was last continued
}

// heldLogins are those of one mount, by transaction_id. The zero value is ready.
type heldLogins struct {
	mu   sync.Mutex
	byID map[string]*heldLogin
	uses uint64 // how often a login was kept
	gone bool   // the mount has ended: no login is kept any more
}

// full reports whether there is no room for one more.
func (h *heldLogins) full() bool { return h.count() >= maxHeld }

// count is how many logins are held.
func (h *heldLogins) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.byID)
}

// keep holds login until it expires, and returns the one that gives way, if any. waiting
// says that login waits for a push. keep fails with mfa.ErrOver where the login has ended
// meanwhile, with errTooManyLogins where the person has too many, and with errMountGone
// after drain.
func (h *heldLogins) keep(login *heldLogin, expires time.Time, waiting bool) (gone *heldLogin, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byID == nil {
		h.byID = map[string]*heldLogin{}
	}
	if h.gone {
		return nil, errMountGone
	}
	if login.session.Over() { // by another request
		return nil, mfa.ErrOver
	}
	if h.byID[login.id] == nil {
		if gone, err = h.makeRoom(login); err != nil {
			return nil, err
		}
		h.byID[login.id] = login
	}
	h.uses++
	login.expires, login.waiting, login.used = expires, waiting, h.uses
	return gone, nil
}

// makeRoom takes out the login that has to give way to one more of the same person: the
// least recently used one. A login whose push waits does not give way, because the person
// would take the next push, which may be that of somebody who knows the password, for
// their own.
func (h *heldLogins) makeRoom(login *heldLogin) (gone *heldLogin, err error) {
	var here, anywhere []*heldLogin
	for _, other := range h.byID {
		if other.userID != login.userID {
			continue
		}
		anywhere = append(anywhere, other)
		if other.origin == login.origin {
			here = append(here, other)
		}
	}
	crowd := anywhere
	switch {
	case len(here) >= maxHeldEach:
		crowd = here
	case len(anywhere) < maxHeldPerson:
		return nil, nil
	}
	crowd = slices.DeleteFunc(crowd, func(other *heldLogin) bool { return other.waiting })
	if len(crowd) == 0 {
		return nil, errTooManyLogins
	}
	gone = slices.MinFunc(crowd, func(a, b *heldLogin) int { return cmp.Compare(a.used, b.used) })
	delete(h.byID, gone.id)
	return gone, nil
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

// drain takes out all logins, for good.
func (h *heldLogins) drain() (all []*heldLogin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, login := range h.byID {
		all = append(all, login)
	}
	clear(h.byID)
	h.gone = true
	return all
}
