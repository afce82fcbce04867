package pingid

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// sessionLife is how long a session is remembered that a passcode may end. PingID does
	// not say how long it keeps one; this is how long a mount takes a code for good.
	sessionLife = 5 * time.Minute

	// maxSessions bounds the sessions of a method. Only people whose password was right
	// have one.
	maxSessions = 10_000
)

// session is an authentication that PingID has begun and that a passcode may end.
type session struct {
	id     string // PingID's; empty: not begun, and only the device is chosen
	name   string // of the person at PingID
	device device // zero: not known
	until  time.Time

	words    string // for the passcode
	choosing bool   // the person has to choose a device first
	resync   bool   // the next passcode brings the token into step
}

// sessions are the open ones, one for each person. The zero value is ready.
type sessions struct {
	mu   sync.Mutex
	open *simplelru.LRU[string, session]
}

// get returns the person's session, if it is of that name at PingID and good at now.
func (s *sessions) get(person, name string, now time.Time) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		return session{}, false
	}
	at, found := s.open.Get(person)
	if !found || at.name != name || !now.Before(at.until) {
		return session{}, false
	}
	return at, true
}

func (s *sessions) put(person string, at session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		open, err := simplelru.NewLRU[string, session](maxSessions, nil)
		if err != nil {
			panic(err) // only for a size that is not positive
		}
		s.open = open
	}
	s.open.Add(person, at)
}

func (s *sessions) forget(person string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		s.open.Remove(person)
	}
}
