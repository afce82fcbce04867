package attempts_test

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
)

const other = "mia@other.test" // somebody else, in some plays

var (
	miasNames = []string{mia, "MÍA@acme.test", "mia", "Mia "}
	spellings = []string{mia, "MÍA@acme.test", "mia", "Mia ", other, "mia@junk.test", "noor@acme.test"}
	addresses = []string{home, there, another, "", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"}
)

// flight is a password that was let through.
type flight struct {
	*attempts.Ticket
	typed, address string
	begun          time.Time
	seen           bool // by Okta
}

// play is logins at random, and the Okta that they lead to.
type play struct {
	*mount
	dice   *rand.Rand
	limits attempts.Limits
	open   []*flight
	// two says that both accounts exist. Then Okta lets nobody in by the short name,
	// but wrong passwords for it may count for either.
	two    bool
	wrongs map[string][]time.Time // by account: those that Okta counts
	refuse map[string]int         // by the type of the error
	most   int                    // wrong passwords of an account within a window
}

func newPlay(t *testing.T, seed int64, l attempts.Limits) *play {
	return &play{
		mount: newMount(t), dice: rand.New(rand.NewSource(seed)), limits: l, two: seed%2 == 0,
		wrongs: map[string][]time.Time{}, refuse: map[string]int{},
	}
}

func pick[T any](p *play, from []T) T { return from[p.dice.Intn(len(from))] }

func (p *play) start(typed, address string) *flight {
	ticket, err := p.Begin(p.now, attempts.Attempt{Name: typed, Address: address}, p.limits)
	if err != nil {
		p.refuse[fmt.Sprintf("%T", err)]++
		return nil
	}
	f := &flight{ticket, typed, address, p.now, false}
	p.open = append(p.open, f)
	return f
}

// arrive has Okta see a wrong password, and checks the limit.
func (p *play) arrive(f *flight) {
	if f.seen {
		return
	}
	f.seen = true
	for _, account := range p.reached(f.typed) {
		p.wrongs[account] = append(p.wrongs[account], p.now)
		within := 0
		for _, at := range p.wrongs[account] {
			if p.now.Sub(at) < p.limits.Window {
				within++
			}
		}
		p.most = max(p.most, within)
		require.LessOrEqual(p.t, within, p.limits.MaxFailures, "%s at %s", account, p.now)
	}
}

// reached returns the accounts that a name may lead to.
func (p *play) reached(typed string) []string {
	switch folded := attempts.Fold(typed); {
	case folded == "mia" && p.two:
		return []string{mia, other}
	case folded == "mia" || folded == mia:
		return []string{mia}
	case folded == other && p.two:
		return []string{other}
	}
	return nil
}

// end has a login end at random. With right, a name that leads to one account logs
// that in, and Okta may have cleared its count as early as when the login began.
func (p *play) end(f *flight, right bool) {
	p.open = slices.DeleteFunc(p.open, func(o *flight) bool { return o == f })
	switch how := p.dice.Intn(6); {
	case right && !f.seen && len(p.reached(f.typed)) == 1:
		account := p.reached(f.typed)[0]
		f.Right()
		p.pass(time.Duration(p.dice.Intn(60)) * time.Second)
		p.wrongs[account] = slices.DeleteFunc(p.wrongs[account], func(at time.Time) bool { return !at.After(f.begun) })
		f.LoggedIn(account)
	case how == 0 && !f.seen:
		f.Unsent()
	case how == 1:
		p.arrive(f)
		f.Lost(p.now)
	case how == 2:
		p.arrive(f) // and is forgotten
	default:
		p.arrive(f)
		f.Wrong(p.now)
	}
}

// pass lets time pass. No login that is still waited for outlives its ticket.
func (p *play) pass(d time.Duration) {
	for _, f := range slices.Clone(p.open) {
		if f.begun.Add(attempts.TicketLife).Before(p.now.Add(d)) {
			p.end(f, false)
		}
	}
	p.now = p.now.Add(d)
}

// step does one thing at random, from those addresses.
func (p *play) step(from []string, rights bool) {
	switch what := p.dice.Intn(10); {
	case what < 5:
		p.start(pick(p, spellings), pick(p, from))
	case what < 6 && len(p.open) > 0:
		p.arrive(pick(p, p.open))
	case what < 8 && len(p.open) > 0:
		f := pick(p, p.open)
		p.end(f, rights && p.dice.Intn(3) == 0)
	case what < 9:
		p.pass(time.Duration(p.dice.Intn(60)) * time.Second)
	default:
		p.pass(time.Duration(p.dice.Int63n(int64(p.limits.Window))) / 2)
	}
}

// However logins from several addresses interleave, right ones, wrong ones and those
// whose end nobody knows: Okta sees no more wrong passwords of an account within a
// window than the limit, since the last right one.
func TestOktaNeverSeesMoreWrongPasswordsThanTheLimit(t *testing.T) {
	for limit := 1; limit <= 6; limit++ {
		most, refused := 0, map[string]int{}
		for seed := range int64(300) {
			l := attempts.Limits{MaxFailures: limit, Window: window, Lockout: time.Duration(seed%3) * 10 * time.Minute}
			p := newPlay(t, seed, l)
			for range 400 {
				p.step(addresses, true)
			}
			most = max(most, p.most)
			for kind, n := range p.refuse {
				refused[kind] += n
			}
		}
		assert.Equal(t, limit, most, "plays that come to the limit")
		assert.Greater(t, refused["*attempts.BlockedError"], 100)
		assert.Greater(t, refused["*attempts.BusyError"], 100)
	}
}

// Whatever strangers do, by all spellings and from all addresses but one: a person
// who has logged in from that one comes in there, also with as many wrong passwords
// before the right one as half of the limit less one.
func TestStrangersNeverKeepAPersonOutWhereTheyAreKnown(t *testing.T) {
	for _, limit := range []int{2, 3, 4, 5, 6, 10, 20} {
		for seed := range int64(40) {
			p := newPlay(t, seed, attempts.Limits{MaxFailures: limit, Window: window, Lockout: time.Duration(seed%3) * 10 * time.Minute})
			p.login("mia", mia, home) // before strangers come: from here on, both names are known
			for range 100 {
				for range p.dice.Intn(30) {
					p.step(addresses[1:], false)
				}
				p.visit(limit)
			}
			assert.NotEmpty(t, p.refuse)
		}
	}
}

// visit logs the person in from home.
func (p *play) visit(limit int) {
	name := pick(p, miasNames)
	for range p.dice.Intn(limit / 2) { // half of the limit less one, at most
		ticket, err := p.Begin(p.now, attempts.Attempt{Name: name, Address: home}, p.limits)
		require.NoError(p.t, err, "limit %d", limit)
		ticket.Wrong(p.now)
		p.now = p.now.Add(time.Second)
	}
	ticket, err := p.Begin(p.now, attempts.Attempt{Name: name, Address: home}, p.limits)
	require.NoError(p.t, err, "limit %d", limit)
	ticket.Right()
	p.now = p.now.Add(time.Second)
	ticket.LoggedIn(mia)
}
