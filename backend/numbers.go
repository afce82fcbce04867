package backend

import (
	"fmt"
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
	numbers map[string]*mfa.Number // nil until Okta tells the number
}

// open begins an entry for nonce. It refuses a nonce in use: a second login
// must not see, or overwrite, the first one's number.
func (n *numberBoard) open(nonce string) (show func(mfa.Number), end func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, used := n.numbers[nonce]; used {
		return nil, nil, invalid("nonce", "is in use by a login that is still running: use a new random one for each login")
	}
	if len(n.numbers) >= maxNumbers {
		return nil, nil, errTooManyLogins
	}
	if n.numbers == nil {
		n.numbers = map[string]*mfa.Number{}
	}
	n.numbers[nonce] = nil
	show = func(number mfa.Number) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.numbers[nonce] = &number
	}
	end = func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.numbers, nonce)
	}
	return show, end, nil
}

// read returns the number of the login with nonce, if it has one by now.
func (n *numberBoard) read(nonce string) (mfa.Number, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	number := n.numbers[nonce]
	if number == nil {
		return mfa.Number{}, false
	}
	return *number, true
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
