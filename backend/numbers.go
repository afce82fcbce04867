package backend

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

const (
	// maxNonce bounds a nonce, in bytes. The CLI's have 20, Vault's UI's 36.
	maxNonce = 128
	// maxNumbers bounds the logins with a nonce that run at once.
	maxNumbers = 10_000
)

// numberBoard holds, for as long as a login runs, the number of its number
// challenge under the login's nonce. The zero value is ready.
type numberBoard struct {
	mu      sync.Mutex
	byNonce map[string][]*shownNumber // those of each nonce in the order of time
	logins  int
}

// shownNumber is the number of one login, nil until Okta tells it.
type shownNumber struct {
	username string
	number   *mfa.Number
}

// open begins an entry for a login. Two logins at a time may have one nonce where
// they are of the same username: a client that repeats its request sends the same
// nonce. A login of somebody else is refused, because it must not overwrite the
// first one's number.
func (n *numberBoard) open(nonce, username string) (show func(mfa.Number), end func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if others := n.byNonce[nonce]; len(others) > 0 && others[0].username != username {
		return nil, nil, invalid("nonce", "is in use by a login that is still running: use a new random one for each login")
	}
	if n.logins >= maxNumbers {
		return nil, nil, errTooManyLogins
	}
	if n.byNonce == nil {
		n.byNonce = map[string][]*shownNumber{}
	}
	own := &shownNumber{username: username}
	n.byNonce[nonce] = append(n.byNonce[nonce], own)
	n.logins++
	show = func(number mfa.Number) {
		n.mu.Lock()
		defer n.mu.Unlock()
		own.number = &number
	}
	return show, func() { n.close(nonce, own) }, nil
}

// close ends the entry of a login.
func (n *numberBoard) close(nonce string, own *shownNumber) {
	n.mu.Lock()
	defer n.mu.Unlock()
	others := slices.DeleteFunc(n.byNonce[nonce], func(s *shownNumber) bool { return s == own })
	n.byNonce[nonce] = others
	if len(others) == 0 {
		delete(n.byNonce, nonce)
	}
	n.logins--
}

// read returns the number of the newest login with nonce that has one by now.
func (n *numberBoard) read(nonce string) (mfa.Number, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range slices.Backward(n.byNonce[nonce]) {
		if s.number != nil {
			return *s.number, true
		}
	}
	return mfa.Number{}, false
}

// checkNonce accepts what can stand in the path of verify/:nonce as it is.
func checkNonce(nonce string) error {
	if len(nonce) > maxNonce {
		return invalid("nonce", fmt.Sprintf("must not be longer than %d bytes", maxNonce))
	}
	for _, r := range nonce {
		if r <= ' ' || r > '~' || strings.ContainsRune(`/\?#%`, r) {
			return invalid("nonce", "must be letters, digits and punctuation other than / \\ ? # %")
		}
	}
	return nil
}
