package mfa

import (
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// maxCodes bounds the codes that wait for their answer, on one mount.
const maxCodes = 10_000

// codes holds the challenges by SMS, call and e-mail that wait for their answer,
// one for each person, known by their org and Okta user id: a login has the code sent,
// and the next one answers. So it goes when an RSA token has to show one more
// code. It belongs to one mount and lives in memory only. The zero value is
// ready.
type codes struct {
	mu      sync.Mutex
	pending map[string]*code
}

// code is one such challenge: a transaction whose factor is known.
type code struct {
	person  string
	factor  okta.Factor
	expires time.Time // changed under the lock of codes
	turn    turn
	leg     *leg // used in turn only
}

// of returns the code that waits for the person, nil if there is none.
func (s *codes) of(person string, now time.Time) *code {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.pending[person]
	if c != nil && now.After(c.expires) {
		delete(s.pending, person)
		return nil
	}
	return c
}

// full reports whether there is no room for one more person.
func (s *codes) full(person string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) < maxCodes || s.pending[person] != nil {
		return false
	}
	s.dropExpired(now)
	return len(s.pending) >= maxCodes
}

// keep puts c, until it expires, in the place of what waited for the person
// before, and returns that, if any.
func (s *codes) keep(c *code, expires time.Time) (replaced *code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		s.pending = map[string]*code{}
	}
	replaced = s.pending[c.person]
	c.expires = expires
	s.pending[c.person] = c
	return replaced
}

// renew says when c expires, unless another is in its place by now.
func (s *codes) renew(c *code, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[c.person] == c {
		c.expires = expires
	}
}

// expiry is when c expires.
func (s *codes) expiry(c *code) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.expires
}

// forget removes c, unless another is there by now.
func (s *codes) forget(c *code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[c.person] == c {
		delete(s.pending, c.person)
	}
}

// tidy forgets the codes that have expired at now.
func (s *codes) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropExpired(now)
}

func (s *codes) dropExpired(now time.Time) {
	for person, c := range s.pending {
		if now.After(c.expires) {
			delete(s.pending, person)
		}
	}
}
