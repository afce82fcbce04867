package attempts

import (
	"slices"
	"time"
)

// Ticket is the leave to send one password. It is closed by the first of Right,
// Wrong, Locked, Lost, Unanswered and Unsent; the others then do nothing.
type Ticket struct {
	who
	table   *Table
	limits  Limits
	begun   time.Time
	mark    mark // of the password
	renewal bool
	closed  bool // the fields from here on are under the table's lock
	right   bool
}

// Known reports whether somebody has logged in by that name from that address before.
func (t *Ticket) Known() bool { return t.known }

// Right closes the ticket of a password that Okta took for right, whatever the
// account needs beside it. An answer that the account is locked is Locked.
func (t *Ticket) Right() { t.end(func() { t.right = true }) }

// Wrong closes the ticket of a password that Okta refused. It does not tell a wrong
// password from a name that does not exist, and neither does this.
func (t *Ticket) Wrong(now time.Time) {
	t.end(func() {
		t.table.fail(t, now, true)
		if t.renewal {
			t.table.noteStale(t)
		}
	})
}

// Locked closes the ticket where Okta answered that the account is locked, which says
// nothing about the password. It counts as wrong.
func (t *Ticket) Locked(now time.Time) { t.end(func() { t.table.fail(t, now, true) }) }

// Unanswered closes the ticket where Okta, or the network on the way there, failed to
// answer. Okta may have looked at the password. It counts as wrong for FailureLife
// only: an hour without Okta must not end in an hour without logins, and no client can
// make Okta fail.
func (t *Ticket) Unanswered(now time.Time) {
	t.end(func() {
		r := t.table.recordOf(t, now)
		r.failures = append(r.failures, failure{t.who, now, now.Add(min(FailureLife, t.limits.Window))})
	})
}

// Lost closes the ticket where nobody knows what Okta made of the password: it may
// have come there, and no good answer came back. It counts as wrong, without the
// lockout of too many.
func (t *Ticket) Lost(now time.Time) { t.end(func() { t.table.fail(t, now, false) }) }

// Unsent closes the ticket of a password that Okta certainly did not look at: it
// could not be sent, or was refused by a rate limit or a gateway, or Okta's answer is not
// about the password. It does not count.
func (t *Ticket) Unsent() { t.end(func() {}) }

func (t *Ticket) end(how func()) {
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	if t.closed {
		return
	}
	t.table.close(t)
	how()
}

// LoggedIn says that the login of a password that was Right came to its end, and
// whose it was by Okta's own spelling. From here on, the person is known by both names
// at the address of the ticket. What was wrong at known addresses before this login
// began is cleared: later ones may have come to Okta after it had cleared its own.
func (t *Ticket) LoggedIn(login string) {
	table := t.table
	byLogin := table.who(login, t.address)
	table.mu.Lock()
	defer table.mu.Unlock()
	if !t.right {
		return
	}
	for _, w := range []who{t.who, byLogin} {
		table.forgetStale(w, t.mark)
		if t.address == 0 {
			continue
		}
		table.remember(w)
		table.tallies.Remove(class{w.name, true})
		if r, ok := table.failures.Peek(w.local); ok {
			r.failures = slices.DeleteFunc(r.failures, func(f failure) bool {
				return f.name == w.name && !f.at.After(t.begun) && table.knows(f.who)
			})
		}
	}
}

// close takes the ticket out of those in flight.
func (t *Table) close(ticket *Ticket) {
	ticket.closed = true
	t.open = slices.DeleteFunc(t.open, func(o *Ticket) bool { return o == ticket })
	close(t.freed)
	t.freed = make(chan struct{})
}

// settle closes the tickets that were forgotten, and now and then removes what has
// expired.
func (t *Table) settle(now time.Time) {
	for len(t.open) > 0 && !now.Before(t.open[0].begun.Add(TicketLife)) {
		forgotten := t.open[0]
		t.close(forgotten)
		t.fail(forgotten, forgotten.begun.Add(TicketLife), false)
	}
	if now.Sub(t.swept) < sweeping {
		return
	}
	t.swept = now
	for _, local := range t.failures.Keys() {
		t.live(local, now)
	}
}
