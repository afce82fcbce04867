// Package attempts decides whether a password may be sent to Okta for a name from
// an address. Anybody who reaches Vault can try to log in, so that decision is what
// keeps strangers from three things:
//
//   - locking somebody's account at Okta, by wrong passwords;
//   - locking somebody out of this mount, by the same;
//   - making people wait, by logins that hang at a slow Okta.
//
// A login asks for a Ticket, sends the password, and says on the ticket what became
// of it:
//
//	ticket, err := table.Begin(now, attempts.Attempt{Name: typed, Address: ip}, limits)
//	if err != nil {
//		return err // *BlockedError or *BusyError: 429, with its Wait
//	}
//	tx, err := client.Authenticate(ctx, typed, password)
//	// one of ticket.Right(), ticket.Wrong(now), ticket.Locked(now),
//	// ticket.Lost(now), ticket.Unanswered(now) and ticket.Unsent()
//	// and, once the second factor was right as well and a token is to be issued:
//	ticket.LoggedIn(tx.User.Login)
//
// # Two shares
//
// Okta counts the wrong passwords of an account, begins anew after a right one, and
// locks the account at 10 by default, often at 5. It does not say that its count ever
// expires:
// https://support.okta.com/help/s/article/When-does-the-MFA-Lockout-Counter-reset
// https://support.okta.com/help/s/article/user-not-getting-auto-unlocked-after-10-consecutive-lockouts
//
// Within any Limits.Window, this mount sends Okta at most Limits.MaxFailures wrong
// passwords of an account that no right one has followed. Half of them (two of 4) are
// the share of strangers, which are all pairs of name and address that have never
// logged in here. What strangers leave, and always the other half, is for known pairs.
// With a limit of 4, whatever strangers do, a person at a known address has room for a
// wrong password and then a right one, which clears what was wrong at known addresses.
// A limit of 1 leaves known pairs nothing.
//
// A password that has been sent and not been answered yet counts as a wrong one. It
// makes others wait a moment (BusyError), which is no lockout (BlockedError). So a
// hundred guesses at once are no more than a hundred in a row.
//
// Since Okta's count may never expire, wrong passwords that keep coming count for
// longer than the window: each time that a share has been used up, eight times as
// long, up to a day. With a limit of 4 and a window of 15 minutes, strangers alone
// have sent 2 wrong passwords at once, 4 after 15 minutes, 6 after 2 hours, 8 after
// 18 hours and 10 after 42 hours, unless a right one begins Okta's count anew. With a
// window of 3 hours they have sent 4 after 3 hours and 6 after 27 hours.
//
// A right password does not clear the wrong ones of strangers: it would give them
// more guesses, and show them that the name is somebody's.
//
// # Renewals
//
// Vault renews a token with the password of its login, again and again. Once Okta has
// refused that password in a renewal, no renewal of that name sends it once more, until a
// login has shown that it is right.
//
// # Limits of what this can know
//
// Everybody behind one address is one stranger, or shares what is known there. What
// was known is forgotten when the process ends: until people have logged in again,
// they have the share of strangers, together with strangers. What is remembered is
// bounded (MaxNames): strangers who have that many wrong passwords answered by Okta,
// from 8 addresses or more, push out those for names that nobody has logged in by.
// Wrong passwords that Okta gets by other ways than this mount count there, and not
// here, and so do wrong passcodes.
package attempts

import (
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// These bound the passwords that are at Okta at once. A login that would be one more is
// refused: its caller may wait for a place where BusyError.ForAMoment says so. Okta's limit for an org is some
// 600 passwords a minute, so with half a second each, 5 at once are a busy mount.
const (
	// MaxInFlight is for the whole mount: as many as the connections to an Okta
	// that is reached by HTTP/1.1.
	MaxInFlight = 64
	// MaxStrangersInFlight is the part that strangers may take. The rest is for known
	// pairs, so they get through while strangers hang at a slow Okta. An address may
	// take no more of it than it leaves free: alone it gets half, with one other a
	// third, and the first login from a new address finds room.
	MaxStrangersInFlight = 24
	// MaxNameInFlight is for one person, where MaxFailures is off or larger.
	// Strangers may take half of it.
	MaxNameInFlight = 16
)

// These bound what is remembered.
const (
	// MaxLimit is the highest Limits.MaxFailures: a higher one counts as this.
	MaxLimit = 20
	// MaxNames is for how many names wrong passwords are remembered: more than Okta's
	// limit lets a flood add in 25 minutes. After that the least recent one is
	// forgotten of those that nobody has logged in by.
	MaxNames = 16_384
	// MaxNamesPerAddress is how many of those names an address can occupy. Strangers
	// at an address with so many are locked out until some have expired.
	MaxNamesPerAddress = MaxNames / 8
	// MaxKnown is for how many people known addresses are remembered.
	MaxKnown = 20_000
	// MaxPlaces is how many pairs of name and address are remembered for a person.
	MaxPlaces = 16
	// TicketLife is how long a ticket is waited for. One that is still open after
	// that is taken for Lost. A request to Okta must have ended long before.
	TicketLife = 2 * time.Minute
	// FailureLife is how long a password counts that Okta did not answer.
	FailureLife = time.Minute
)

const (
	day = 24 * time.Hour
	// moment is how long to wait for one of those that are in flight.
	moment = time.Second
	// stuckAfter is how long nobody has got a place in the share of strangers when it
	// is no longer worth waiting for one: Okta hangs.
	stuckAfter = 2 * time.Second
	// sweeping is how often what has expired is removed.
	sweeping = time.Minute
)

// Limits are those of the mount's configuration, and what Okta says of its own.
type Limits struct {
	MaxFailures int           // wrong passwords of an account within Window; 0: any number
	Window      time.Duration // how long a wrong password counts, at least
	Lockout     time.Duration // how long the last of too many counts, at least
	Okta        Quota
}

// Quota is how many requests Okta allows in a window, how many are left of them,
// and when the next window begins. The zero value says nothing.
type Quota struct {
	Limit, Remaining int
	Reset            time.Time
}

// low reports whether less than a quarter is left, which is kept for known pairs. Where
// nothing is left there is nothing to keep: Okta itself refuses everybody then.
func (q Quota) low(now time.Time) bool {
	return q.Remaining > 0 && q.Remaining*4 < q.Limit && now.Before(q.Reset)
}

// Attempt is a login that is about to send a password.
type Attempt struct {
	Name     string // as it was typed
	Address  string // the client's IP address; "" is an unknown one, and never known
	Password string `json:"-"` // of which the table keeps a hash at most
	Renewal  bool   // the password is one that is kept with a token
}

// Format prints a placeholder, whatever the verb.
func (Attempt) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[attempt]") }

// BlockedError says that there were too many wrong passwords.
type BlockedError struct{ Wait time.Duration }

func (e *BlockedError) Error() string {
	return fmt.Sprintf("too many wrong passwords: wait %s", e.Wait)
}

// BusyError says that there are too many logins at this moment.
type BusyError struct {
	Wait  time.Duration
	stuck bool // no place has become free lately
}

func (e *BusyError) Error() string { return fmt.Sprintf("too many logins at once: wait %s", e.Wait) }

// ForAMoment reports whether a place may be free within a moment. Otherwise it is Okta's
// own limit that the login waits for, or Okta hangs.
func (e *BusyError) ForAMoment() bool { return e.Wait <= moment && !e.stuck }

// Table remembers, for one mount and one org, the passwords that are at Okta, those
// that were wrong, and from where people have logged in. It is safe for concurrent use,
// in memory only, and of bounded size. Names, addresses and passwords are kept as hashes.
type Table struct {
	mu       sync.Mutex
	seed     maphash.Seed
	open     []*Ticket     // by the time they began
	freed    chan struct{} // closed when one of them ends
	failures *simplelru.LRU[key, *record]
	owned    map[key]int // records of failures by their owner
	tallies  *simplelru.LRU[class, tally]
	known    *simplelru.LRU[key, []place]
	secret   [sha256.Size]byte // of the marks
	stale    *simplelru.LRU[key, []mark]
	swept    time.Time
}

// New returns an empty table.
func New() *Table {
	t := &Table{seed: maphash.MakeSeed(), secret: newSecret(), owned: map[key]int{}, freed: make(chan struct{})}
	t.failures = newLRU(MaxNames, func(_ key, removed *record) {
		if t.owned[removed.owner]--; t.owned[removed.owner] == 0 {
			delete(t.owned, removed.owner)
		}
	})
	t.tallies = newLRU[class, tally](MaxNames, nil)
	t.known = newLRU[key, []place](MaxKnown, nil)
	t.stale = newLRU[key, []mark](MaxKnown, nil)
	return t
}

func newLRU[K comparable, V any](size int, evicted func(K, V)) *simplelru.LRU[K, V] {
	lru, err := simplelru.NewLRU(size, evicted)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return lru
}

// Begin asks for leave to send the password of a. The error is a *BlockedError, a
// *BusyError or, for a renewal, ErrStale, and the same whether or not the name is
// anybody's. Every ticket has to be closed.
func (t *Table) Begin(now time.Time, a Attempt, l Limits) (*Ticket, error) {
	w, m := t.who(a.Name, t.addressKey(a.Address)), t.mark(a.Password)
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.Renewal && t.isStale(w, m) {
		return nil, ErrStale
	}
	t.settle(now)
	w.known = t.knows(w)
	r := t.live(w.local, now)
	if err := t.refused(now, w, r, l); err != nil {
		return nil, err
	}
	ticket := &Ticket{table: t, who: w, limits: l, begun: now, mark: m, renewal: a.Renewal}
	t.open = append(t.open, ticket)
	return ticket, nil
}

// Freed returns a channel that is closed when the next ticket ends: a login that was
// refused for want of a place may try again then. The caller gets it before Begin.
func (t *Table) Freed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.freed
}

// refused says why the password of w is not sent.
func (t *Table) refused(now time.Time, w who, r *record, l Limits) error {
	if wait := t.blocked(now, w, r, l); wait > 0 {
		return &BlockedError{Wait: wait}
	}
	f := t.inFlight(w)
	all, strange := r.against(w)
	n := l.max()
	switch {
	case n > 0 && len(all)+f.name >= n,
		n > 0 && !w.known && len(strange)+f.nameStrange >= strangers(n),
		f.name >= MaxNameInFlight,
		!w.known && f.nameStrange >= strangers(MaxNameInFlight),
		f.mount >= MaxInFlight:
		return &BusyError{Wait: moment}
	case !w.known && f.address >= MaxStrangersInFlight-f.strange:
		return &BusyError{Wait: moment, stuck: now.Sub(f.newest) >= stuckAfter}
	case !w.known && l.Okta.low(now):
		return &BusyError{Wait: l.Okta.Reset.Sub(now)}
	}
	return nil
}

// blocked returns how long w is locked out, by passwords that were wrong.
func (t *Table) blocked(now time.Time, w who, r *record, l Limits) time.Duration {
	n := l.max()
	if n == 0 {
		return 0
	}
	all, strange := r.against(w)
	wait := untilFewer(all, n).Sub(now)
	if !w.known {
		wait = max(wait, untilFewer(strange, strangers(n)).Sub(now))
		if t.owned[w.address] >= MaxNamesPerAddress {
			wait = max(wait, l.Window)
		}
	}
	return wait
}

// flights are the passwords at Okta.
type flights struct {
	mount, strange    int       // all, and those of strangers
	address           int       // of strangers at the address
	name, nameStrange int       // that count against the name, and those of strangers
	newest            time.Time // when the last of those of strangers began
}

func (t *Table) inFlight(w who) (f flights) {
	for _, o := range t.open {
		against := o.countsAgainst(w)
		f.mount++
		if against {
			f.name++
		}
		if o.known {
			continue
		}
		f.strange++
		f.newest = o.begun // they are in the order of time
		if against {
			f.nameStrange++
		}
		if o.address == w.address {
			f.address++
		}
	}
	return f
}

// Suspicious reports whether there were wrong passwords for the name lately, or for
// one that may be the same account's. Until the password has been right, nothing is
// to be done for such a name that needs the mount's own rights at Okta.
func (t *Table) Suspicious(now time.Time, name string) bool {
	w := t.who(name, 0)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(now)
	all, _ := t.live(w.local, now).against(w)
	return len(all) > 0
}

// Blocked returns for how long no password for the name is sent from an address that is not
// known for it, because too many were wrong.
func (t *Table) Blocked(now time.Time, name string, l Limits) time.Duration {
	w := t.who(name, 0)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(now)
	return max(0, t.blocked(now, w, t.live(w.local, now), l))
}

// Known reports whether somebody has logged in by that name from that address.
func (t *Table) Known(name, address string) bool {
	w := t.who(name, t.addressKey(address))
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.knows(w)
}

// max returns the limit in force; 0 is none.
func (l Limits) max() int { return min(max(l.MaxFailures, 0), MaxLimit) }

// strangers returns the part of n that strangers may take.
func strangers(n int) int { return n - n/2 }
