package mfa

import "time"

// Mount is what the logins of one mount share: the guard over people's phones, the
// codes that are on their way, and the pace at which Okta is polled. It lives in
// memory only and forgets everything when the process ends. The zero value is
// ready. A Mount is safe for concurrent use and must not be copied.
type Mount struct {
	guard guard
	codes codes     // sent by Okta's own challenges
	sent  sentCodes // sent by methods of Okta's

	// pace and factorPace spread the polls of Okta's two APIs, which have rate
	// limits of their own.
	pace, factorPace pace
}

// Waiting returns how many pushes wait at now for somebody to answer them.
func (m *Mount) Waiting(now time.Time) int { return m.guard.count(now) }

// Tidy forgets what no longer matters at now. The caller calls it about once a
// minute.
func (m *Mount) Tidy(now time.Time) {
	m.guard.tidy(now)
	m.codes.tidy(now)
	m.sent.tidy(now)
}

// Forbids says why no push or code would be sent to a person of an org by now. It changes
// nothing. A nil clock is the system's.
func (m *Mount) Forbids(org, userID string, limit PushLimit, clock Clock) error {
	if clock == nil {
		clock = SystemClock()
	}
	return m.guard.check(&permit{clock: clock, person: personKey(org, userID), limit: limit})
}
