package mfa

import (
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// sentCodes are the codes that methods of Okta's have had sent, so that a login
// which does not bring the code does not have another one sent: a telephone must
// not ring for each. It belongs to one mount and lives in memory only. The zero
// value is ready.
type sentCodes struct {
	mu    sync.Mutex
	until map[sentCode]time.Time
}

type sentCode struct{ person, factor string }

// codeLife is how long a code is good that Okta sends by SMS or e-mail; those by
// e-mail may live longer.
const codeLife = 5 * time.Minute

// note remembers a code that was sent at now.
func (s *sentCodes) note(person string, f okta.Factor, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[sentCode]time.Time{}
	}
	if len(s.until) >= maxCodes {
		s.dropExpired(now)
	}
	if len(s.until) < maxCodes {
		s.until[sentCode{person, f.ID}] = now.Add(codeLife)
	}
}

// pending reports whether a code is good still.
func (s *sentCodes) pending(person string, f okta.Factor, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.until[sentCode{person, f.ID}])
}

// forget is for a code that has been used.
func (s *sentCodes) forget(person string, f okta.Factor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.until, sentCode{person, f.ID})
}

// tidy forgets the codes that are no longer good at now.
func (s *sentCodes) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropExpired(now)
}

func (s *sentCodes) dropExpired(now time.Time) {
	for code, until := range s.until {
		if !now.Before(until) {
			delete(s.until, code)
		}
	}
}
