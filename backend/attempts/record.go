package attempts

import (
	"slices"
	"time"
)

// key is the hash of a name or an address, by a seed that nobody else knows.
type key uint64

// who is a name at an address.
type who struct {
	// local is the folded name up to its "@", under which all is found that may
	// be the same account: Okta takes "mia" for mia@acme.test.
	local   key
	name    key // the whole folded name
	address key // 0: unknown
	short   bool
	known   bool // when the login began
}

// countsAgainst reports whether a wrong password of o is one for w. All that
// strangers give for a local part counts for all its names, so that no spelling and
// no domain gives them more. What comes from a known address counts only for the
// same name and between a short name and the long ones: mia@acme.test must not be
// locked out by mia@other.test, who is somebody else.
func (o who) countsAgainst(w who) bool {
	return o.local == w.local && (!o.known || o.name == w.name || o.short || w.short)
}

// failure is a password that was wrong, or may have been.
type failure struct {
	who
	at, until time.Time // it counts before until
}

// record has the failures of a local part. Strangers add at most their share, and
// known pairs at most MaxFailures for each name.
type record struct {
	failures []failure
	owner    key // the address that it was made for
}

// against returns until when the failures count that count against w: all, and
// those of strangers.
func (r *record) against(w who) (all, strange []time.Time) {
	if r == nil {
		return nil, nil
	}
	for _, f := range r.failures {
		if !f.countsAgainst(w) {
			continue
		}
		all = append(all, f.until)
		if !f.known {
			strange = append(strange, f.until)
		}
	}
	return all, strange
}

// untilFewer returns when fewer than n are left, or the zero time where they are.
func untilFewer(until []time.Time, n int) time.Time {
	if len(until) < n {
		return time.Time{}
	}
	slices.SortFunc(until, time.Time.Compare)
	return until[len(until)-n]
}

// live returns the record of local without what has expired; nil if that is all.
func (t *Table) live(local key, now time.Time) *record {
	r, ok := t.failures.Peek(local)
	if !ok {
		return nil
	}
	r.failures = slices.DeleteFunc(r.failures, func(f failure) bool { return !now.Before(f.until) })
	if len(r.failures) == 0 {
		t.failures.Remove(local)
		return nil
	}
	return r
}

// fail counts a password as wrong. lockout says that too many of them lock out.
func (t *Table) fail(ticket *Ticket, at time.Time, lockout bool) {
	w, n := ticket.who, ticket.limits.max()
	r := t.recordOf(ticket, at)
	if n == 0 { // the last one, as a stranger's, is enough for Suspicious
		w.known = false
		r.failures = []failure{{w, at, at.Add(ticket.limits.Window)}}
		return
	}
	r.failures = append(r.failures, failure{w, at, at.Add(t.hold(w, at, ticket.limits))})
	if !lockout {
		return
	}
	all, strange := r.against(w)
	for i := range r.failures {
		f := &r.failures[i]
		tooMany := f.countsAgainst(w) && len(all) >= n || !f.known && len(strange) >= strangers(n)
		if end := at.Add(ticket.limits.Lockout); tooMany && f.until.Before(end) {
			f.until = end
		}
	}
}

// recordOf returns the record of the ticket's local part, which is the most recent one
// then.
func (t *Table) recordOf(ticket *Ticket, now time.Time) *record {
	r := t.live(ticket.local, now)
	if r == nil {
		t.makeRoom()
		r = &record{owner: ticket.address}
		t.owned[r.owner]++
	}
	t.failures.Add(ticket.local, r)
	return r
}

// class is whose wrong passwords are tallied: those of strangers for a local part,
// or those of a known name.
type class struct {
	key
	known bool
}

// tally is the number of wrong passwords. It begins anew a day after the last one of
// them has expired, so that pausing gains nobody anything.
type tally struct {
	n     int
	until time.Time
}

// hold tallies a wrong password, and returns how long it counts: longer each time
// that the share has been used up, and never less than the window.
func (t *Table) hold(w who, at time.Time, l Limits) time.Duration {
	c, share := class{w.local, false}, strangers(l.max())
	if w.known {
		c, share = class{w.name, true}, l.max()
	}
	y, _ := t.tallies.Peek(c)
	if !at.Before(y.until) {
		y = tally{}
	}
	length := l.Window
	for range y.n / share {
		length = min(8*length, max(day, l.Window))
	}
	t.tallies.Add(c, tally{y.n + 1, at.Add(length + day)})
	return length
}

// makeRoom makes room for a record. The least recent goes, but people who have
// logged in keep theirs, unless too many in a row are such.
func (t *Table) makeRoom() {
	const inARow = 64
	for i := 0; t.failures.Len() >= MaxNames; i++ {
		local, _, _ := t.failures.GetOldest()
		if i < inARow && t.known.Contains(local) {
			t.failures.Get(local) // the most recent one now
			continue
		}
		t.failures.Remove(local)
	}
}

// place is a name at an address that has logged in.
type place struct{ name, address key }

// knows reports whether somebody has logged in by that very name from there. The
// short name and the long one are two: if two people have the same short name, Okta
// lets neither in by it.
func (t *Table) knows(w who) bool {
	places, _ := t.known.Peek(w.local)
	return slices.Contains(places, place{w.name, w.address})
}

// remember makes the pair known. Of too many places the least recent is forgotten.
func (t *Table) remember(w who) {
	old, _ := t.known.Peek(w.local)
	this := place{w.name, w.address}
	places := []place{this}
	for _, p := range old {
		if p != this && len(places) < MaxPlaces {
			places = append(places, p)
		}
	}
	t.known.Add(w.local, places)
}
