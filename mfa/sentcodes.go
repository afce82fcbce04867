package mfa

import (
	"slices"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// sentCodes remembers which codes the methods of a mount have had Okta send, so
// that a login which does not bring the code does not have another one sent. It
// lives in memory only. The zero value is ready.
type sentCodes struct {
	mu   sync.Mutex
	good byPerson[[]sentCode]
}

// sentCode is a code that Okta has sent for a factor.
type sentCode struct {
	factor string // its id
	until  time.Time
}

const (
	// codeLife is how long a code is good that Okta sends by SMS or e-mail. Those by
	// e-mail may live longer.
	codeLife = 5 * time.Minute

	// maxCodesEach bounds the codes that are remembered of one person: as many as
	// they may have factors of different kinds and numbers.
	maxCodesEach = 8
)

// note remembers a code that was sent at now.
func (s *sentCodes) note(person string, f okta.Factor, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	codes := append(without(s.good.get(person), f), sentCode{f.ID, now.Add(codeLife)})
	s.good.put(person, codes[max(0, len(codes)-maxCodesEach):])
}

// isGood reports whether a code of the factor has been sent that is good at now.
func (s *sentCodes) isGood(person string, f okta.Factor, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.good.get(person), func(c sentCode) bool { return c.factor == f.ID && now.Before(c.until) })
}

// forget is for a code that has been used.
func (s *sentCodes) forget(person string, f okta.Factor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if codes := without(s.good.get(person), f); len(codes) > 0 {
		s.good.put(person, codes)
	} else {
		s.good.remove(person)
	}
}

// tidy forgets the codes that are no longer good at now.
func (s *sentCodes) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.good.each(func(person string, codes []sentCode) {
		if !slices.ContainsFunc(codes, func(c sentCode) bool { return now.Before(c.until) }) {
			s.good.remove(person)
		}
	})
}

func without(codes []sentCode, f okta.Factor) []sentCode {
	return slices.DeleteFunc(codes, func(c sentCode) bool { return c.factor == f.ID })
}
