package mfa

import (
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// codes holds the pending codes of a mount: challenges of Okta's by SMS, call and
// e-mail that wait for their answer, one for each person. A login has the code
// sent, and the next one answers. A token of RSA's that has to show one more
// passcode counts as a code, too. Where a code makes room for somebody else's, its
// answer is still good: the login that brings it uses its own transaction, as it
// does after a restart. codes lives in memory only. The zero value is ready.
type codes struct {
	mu      sync.Mutex
	pending byPerson[*code]
}

// code is one such challenge: a transaction whose factor is known.
type code struct {
	person  string
	factor  okta.Factor
	expires time.Time // changed under the lock of codes
	turn    turn
	leg     *leg // used in turn only
}

// of returns the person's pending code, nil if there is none.
func (s *codes) of(person string, now time.Time) *code {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.pending.get(person)
	if c != nil && now.After(c.expires) {
		s.pending.remove(person)
		return nil
	}
	return c
}

// keep makes c the person's pending code until it expires, and returns the one
// that was pending before, if any.
func (s *codes) keep(c *code, expires time.Time) (replaced *code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	replaced = s.pending.get(c.person)
	c.expires = expires
	s.pending.put(c.person, c)
	return replaced
}

// renew says when c expires, unless another code has replaced it.
func (s *codes) renew(c *code, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending.get(c.person) == c {
		c.expires = expires
	}
}

// expiry is when c expires.
func (s *codes) expiry(c *code) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.expires
}

// forget removes c, unless another code has replaced it.
func (s *codes) forget(c *code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending.get(c.person) == c {
		s.pending.remove(c.person)
	}
}

// tidy forgets the codes that have expired at now.
func (s *codes) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending.each(func(person string, c *code) {
		if now.After(c.expires) {
			s.pending.remove(person)
		}
	})
}
