package attempts

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
)

// MaxStale is how many refused passwords of tokens are remembered for one name. Names are
// as many as MaxKnown.
const MaxStale = 4

// ErrStale says that Okta has refused the password of a renewal before.
var ErrStale = errors.New("okta has refused this password before")

// mark is a hash of a password, by a key that nobody else knows.
type mark [sha256.Size]byte

// newSecret makes the key of the marks of one table.
func newSecret() (secret [sha256.Size]byte) {
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand ends the process instead
	return secret
}

func (t *Table) mark(password string) (m mark) {
	h := hmac.New(sha256.New, t.secret[:])
	_, _ = h.Write([]byte(password)) // never fails
	h.Sum(m[:0])
	return m
}

// isStale reports whether Okta has refused the password when a token of that name was
// renewed. A token keeps the password of its login, so each renewal would be one more
// wrong password, and in the end nobody could log in.
func (t *Table) isStale(w who, m mark) bool {
	marks, _ := t.stale.Get(w.name)
	return slices.Contains(marks, m)
}

// noteStale remembers a password that Okta has refused in a renewal. Passwords that
// people type are not remembered: strangers would push out those of tokens.
func (t *Table) noteStale(ticket *Ticket) {
	marks, _ := t.stale.Peek(ticket.name)
	marks = append(slices.Clone(marks), ticket.mark)
	t.stale.Add(ticket.name, marks[max(len(marks)-MaxStale, 0):])
}

// forgetStale forgets a password that has turned out to be right: the account may have
// been suspended or locked when Okta refused it.
func (t *Table) forgetStale(w who, m mark) {
	marks, _ := t.stale.Peek(w.name)
	marks = slices.DeleteFunc(slices.Clone(marks), func(other mark) bool { return other == m })
	if len(marks) == 0 {
		t.stale.Remove(w.name)
		return
	}
	t.stale.Add(w.name, marks)
}
