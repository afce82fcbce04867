package oktatest

import (
	"slices"
	"time"
)

// AddPush enrolls an Okta Verify push. The script says what becomes of each new push.
// The request that sends the push answers WAITING, the first poll answers the first
// entry of the script, the second poll the second, and the last entry repeats. Where
// the script does not start with WAITING, the request that sends the push answers the
// first entry already.
//
// OKTA_VERIFY_UPGRADE_REQUIRED is REJECTED with that factorResultMessage, which an app that
// is too old gets. E0000070 is 202 and an error document in place of a transaction, and the push goes on
// waiting. SUCCESS completes the factor. REJECTED, TIMEOUT, CANCELLED, ERROR and any
// other entry end the push with that factorResult; an empty one leaves
// factorResult out. An empty script is a push that waits for Approve,
// Reject, or the end of its life.
func (u *User) AddPush(script ...string) *Factor {
	f := u.AddFactor("push", "OKTA")
	if len(script) > 0 {
		f.SetScript(script...)
	}
	return f
}

// SetScript replaces the script of the pushes still to be sent; see AddPush.
func (f *Factor) SetScript(script ...string) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.script = slices.Clone(script)
	if len(f.script) == 0 {
		f.script = []string{"WAITING"}
	}
}

// Number adds a number challenge to the factor's pushes: the user has to pick n on the
// phone. While the push waits, answers show the number from the given poll on. Poll 1
// is the first one, and 0 means the request that sends the push.
//
// This applies to pushes of transactions. In the Factors API the client asks for a
// number challenge, and sees the number at once.
func (f *Factor) Number(n, fromPoll int) *Factor {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.number, f.numberFrom = &n, fromPoll
	return f
}

// CorrectAnswer returns the number that Number set. Where none was set, it returns the
// number last made up for a client of the Factors API that asked for one.
func (f *Factor) CorrectAnswer() (n int, set bool) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	switch {
	case f.number != nil:
		return *f.number, true
	case f.drawn != nil:
		return *f.drawn, true
	}
	return 0, false
}

// Pushes returns the number of push notifications sent.
func (f *Factor) Pushes() int {
	if f.Type != "push" {
		return 0
	}
	return f.Sent()
}

// Polls returns how many requests polled a push. The request that sends a push does
// not count.
func (f *Factor) Polls() int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.polls
}

// LastPoll returns when a push was last polled, by the organization's clock. It
// returns the zero time if none was.
func (f *Factor) LastPoll() time.Time {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.polled
}

// Withdrawn returns the number of pushes that were given up while they
// waited for the user: the transaction was cancelled or went back to the
// choice of factors, another challenge took their place, the code of another
// factor made them needless, or a client of the Factors API cancelled them.
func (f *Factor) Withdrawn() int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.withdrawn
}

// Waiting returns the number of pushes that wait for the user.
func (f *Factor) Waiting() int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return len(f.waiting())
}

// Approve accepts all pushes of the factor that wait, and returns how many
// they were. The next poll of each completes the factor.
func (f *Factor) Approve() int { return f.decide("SUCCESS") }

// Answer approves all pushes of the factor that wait, or denies them, and returns how
// many they were.
func (f *Factor) Answer(approve bool) int {
	if approve {
		return f.Approve()
	}
	return f.Reject()
}

// Reject denies all pushes of the factor that wait, and returns how many
// they were.
func (f *Factor) Reject() int { return f.decide("REJECTED") }

func (f *Factor) decide(result string) int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	waiting := f.waiting()
	for _, ch := range waiting {
		ch.decided = result
	}
	return len(waiting)
}

// WaitingNumber returns the number of a push that waits, and whether one has a number.
func (f *Factor) WaitingNumber() (n int, set bool) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	for _, ch := range f.waiting() {
		if ch.number != nil {
			return *ch.number, true
		}
	}
	return 0, false
}

// Pick picks a number on the phone: that approves the pushes that wait with this number,
// and denies those that wait with another one. It returns how many they were.
func (f *Factor) Pick(n int) (approved, rejected int) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	for _, ch := range f.waiting() {
		switch {
		case ch.number == nil:
		case *ch.number == n:
			ch.decided = "SUCCESS"
			approved++
		default:
			ch.decided = "REJECTED"
			rejected++
		}
	}
	return approved, rejected
}

// waiting needs the lock.
func (f *Factor) waiting() []*challenge {
	var list []*challenge
	now := f.User.org.opts.Now()
	for _, tx := range f.User.org.transactions {
		if ch := tx.challenge; ch != nil && ch.factor == f && ch.waits(now) && !now.After(tx.expires) {
			list = append(list, ch)
		}
	}
	for _, p := range f.User.org.pushes {
		if p.factor == f && p.waits(now) {
			list = append(list, &p.challenge)
		}
	}
	return list
}
