package attempts_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
)

const (
	mia     = "mia@acme.test"
	home    = "192.0.2.1"
	there   = "203.0.113.9"
	another = "198.51.100.7"
)

const window, lockout = 15 * time.Minute, 20 * time.Minute

var (
	limits = attempts.Limits{MaxFailures: 4, Window: window, Lockout: lockout}
	start  = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
)

// mount is a table with a clock.
type mount struct {
	*attempts.Table
	t   *testing.T
	now time.Time
}

func newMount(t *testing.T) *mount {
	t.Helper()
	return &mount{attempts.New(), t, start}
}

func (m *mount) begin(name, address string) (*attempts.Ticket, error) {
	return m.Begin(m.now, attempts.Attempt{Name: name, Address: address}, limits)
}

func (m *mount) must(name, address string) *attempts.Ticket {
	m.t.Helper()
	ticket, err := m.begin(name, address)
	require.NoError(m.t, err)
	return ticket
}

// wrong sends wrong passwords that all are let through.
func (m *mount) wrong(name, address string, times int) {
	m.t.Helper()
	for range times {
		m.must(name, address).Wrong(m.now)
	}
}

// login logs somebody in.
func (m *mount) login(name, login, address string) {
	m.t.Helper()
	ticket := m.must(name, address)
	ticket.Right()
	ticket.LoggedIn(login)
}

func (m *mount) blocked(name, address string, wait time.Duration) {
	m.t.Helper()
	_, err := m.begin(name, address)
	assert.Equal(m.t, &attempts.BlockedError{Wait: wait}, err)
}

func (m *mount) busy(name, address string) {
	m.t.Helper()
	_, err := m.begin(name, address)
	assert.Equal(m.t, &attempts.BusyError{Wait: time.Second}, err)
}

func TestStrangersHaveHalfOfTheLimit(t *testing.T) {
	for limit, share := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 10: 5, 20: 10, 1000: 10} {
		m, l := newMount(t), limits
		l.MaxFailures = limit
		sent := 0
		for i := range 100 { // from ever new addresses
			ticket, err := m.Begin(m.now, attempts.Attempt{Name: mia, Address: fmt.Sprintf("10.0.0.%d", i)}, l)
			if err == nil {
				ticket.Wrong(m.now)
				sent++
			}
		}
		assert.Equal(t, share, sent, "limit %d", limit)
	}
}

func TestAKnownAddressHasWhatStrangersLeaveAndAlwaysHalf(t *testing.T) {
	for strange, left := range map[int]int{0: 4, 1: 3, 2: 2} {
		m := newMount(t)
		m.login(mia, mia, home)
		m.wrong(mia, there, strange)
		m.wrong(mia, home, left)
		m.blocked(mia, home, lockout)
		m.blocked(mia, there, lockout)
	}
}

func TestARightPasswordClearsTheKnownShare(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	for range 10 {
		m.wrong(mia, home, 3)
		m.login(mia, mia, home)
	}
	m.wrong(mia, home, 4)
	m.blocked(mia, home, lockout) // no longer, for all that were before
	m.now = m.now.Add(lockout)
	m.wrong(mia, there, 1)
	m.login(mia, mia, there) // what was wrong from there was the person's as well
	m.wrong(mia, another, 2)
}

func TestARightPasswordAloneClearsNothingAndMakesNothingKnown(t *testing.T) {
	m := newMount(t)
	m.wrong(mia, there, 1)
	m.must(mia, there).Right() // a thief without the second factor
	assert.False(t, m.Known(mia, there))
	m.wrong(mia, there, 1)
	m.blocked(mia, there, lockout)
}

func TestOnlyARightPasswordLogsIn(t *testing.T) {
	for how, end := range map[string]func(*mount, *attempts.Ticket){
		"open":   func(*mount, *attempts.Ticket) {},
		"wrong":  func(m *mount, ticket *attempts.Ticket) { ticket.Wrong(m.now); ticket.Right() },
		"lost":   func(m *mount, ticket *attempts.Ticket) { ticket.Lost(m.now); ticket.Right() },
		"unsent": func(_ *mount, ticket *attempts.Ticket) { ticket.Unsent(); ticket.Right() },
	} {
		m := newMount(t)
		ticket := m.must(mia, home)
		end(m, ticket)
		ticket.LoggedIn(mia)
		assert.False(t, m.Known(mia, home), how)
	}
}

// A right password begins Okta's count anew at some time before the login has ended.
func TestALoginDoesNotClearWhatWasWrongSinceItBegan(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	waiting := m.must(mia, home)
	waiting.Right() // and the phone rings
	m.now = m.now.Add(time.Second)
	m.wrong(mia, home, 4)
	m.now = m.now.Add(time.Second)
	waiting.LoggedIn(mia)
	m.blocked(mia, home, lockout-time.Second)
}

func TestALoginGivesStrangersNoMoreGuesses(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	m.wrong(mia, there, 2)
	m.login(mia, mia, home)
	m.blocked(mia, there, lockout)
	m.blocked(mia, another, lockout)
}

func TestALoginDoesNotClearWhatWasWrongForSomebodyElse(t *testing.T) {
	m := newMount(t)
	m.login("mia@other.test", "mia@other.test", there)
	m.login(mia, mia, there)
	m.wrong("mia@other.test", there, 4)
	m.login(mia, mia, there)
	m.blocked("mia@other.test", there, lockout)
}

func TestParallelGuessesAreNoMoreThanGuessesInARow(t *testing.T) {
	m := newMount(t)
	first, second := m.must(mia, there), m.must("MIA", another)
	for range 10 {
		m.busy(mia, there)
	}
	first.Right() // who was refused meanwhile can go on
	third := m.must(mia, there)
	second.Wrong(m.now)
	m.busy(mia, there)
	third.Wrong(m.now)
	m.blocked(mia, there, lockout)
}

func TestSomebodyElseWithTheSameShortNameKeepsNobodyOut(t *testing.T) {
	m := newMount(t)
	m.login("mia@other.test", "mia@other.test", there)
	m.login(mia, mia, home)
	m.wrong("mia@other.test", there, 4) // somebody else, where they are known
	m.blocked("mia@other.test", there, lockout)
	m.wrong(mia, home, 4)
}

func TestOneAccountHasOneLimitForItsShortAndLongNames(t *testing.T) {
	for _, spelled := range [][2]string{{"mia", mia}, {mia, "mia"}, {"mia@other.test", "mia"}, {"mia@junk.test", mia}, {"ｍía ", "MIA@ACME.TEST"}} {
		m := newMount(t)
		m.wrong(spelled[0], there, 1)
		m.wrong(spelled[1], there, 1)
		m.blocked(spelled[0], there, lockout)
		m.blocked(spelled[1], there, lockout)
	}
	m := newMount(t)
	m.login("mia", mia, home) // by a short name: both are known now
	m.wrong("mia", home, 2)
	m.wrong(mia, home, 2)
	m.blocked("mia", home, lockout)
	m.blocked(mia, home, lockout)
}

// Okta lets nobody in by a short name that two people have: only who has come in by
// it is known by it.
func TestAShortNameIsKnownOnlyByItself(t *testing.T) {
	m := newMount(t)
	m.login("mia@other.test", "mia@other.test", there)
	assert.False(t, m.Known("mia", there))
	assert.False(t, m.Known(mia, there))
	m.login("mia", mia, home)
	assert.True(t, m.Known("mia", home))
	assert.True(t, m.Known(mia, home))
	assert.True(t, m.Known("MÍA@acme.test", home))
	assert.False(t, m.Known("mia@other.test", home))
}

func TestHowATicketEndsDecidesWhetherItCounts(t *testing.T) {
	for how, test := range map[string]struct {
		end    func(*mount, *attempts.Ticket)
		counts bool
		wait   time.Duration
	}{
		"wrong":         {func(m *mount, ticket *attempts.Ticket) { ticket.Wrong(m.now) }, true, lockout},
		"lost":          {func(m *mount, ticket *attempts.Ticket) { ticket.Lost(m.now) }, true, window},
		"unanswered":    {func(m *mount, ticket *attempts.Ticket) { ticket.Unanswered(m.now) }, true, attempts.FailureLife},
		"right":         {func(_ *mount, ticket *attempts.Ticket) { ticket.Right() }, false, 0},
		"unsent":        {func(_ *mount, ticket *attempts.Ticket) { ticket.Unsent() }, false, 0},
		"wrong, right":  {func(m *mount, ticket *attempts.Ticket) { ticket.Wrong(m.now); ticket.Right() }, true, lockout},
		"right, wrong":  {func(m *mount, ticket *attempts.Ticket) { ticket.Right(); ticket.Wrong(m.now) }, false, 0},
		"unsent, lost":  {func(m *mount, ticket *attempts.Ticket) { ticket.Unsent(); ticket.Lost(m.now) }, false, 0},
		"lost, unsent":  {func(m *mount, ticket *attempts.Ticket) { ticket.Lost(m.now); ticket.Unsent() }, true, window},
		"wrong, as was": {func(m *mount, ticket *attempts.Ticket) { ticket.Wrong(m.now); ticket.Wrong(m.now) }, true, lockout},
	} {
		t.Run(how, func(t *testing.T) {
			m := newMount(t)
			test.end(m, m.must(mia, there))
			assert.Equal(t, test.counts, m.Suspicious(m.now, mia))
			test.end(m, m.must(mia, there)) // a second one still goes: each counted once
			if test.counts {
				m.blocked(mia, there, test.wait)
				m.now = m.now.Add(test.wait)
			}
			test.end(m, m.must(mia, there))
		})
	}
}

func TestWrongPasswordsMakeANameSuspicious(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	assert.False(t, m.Suspicious(m.now, mia))
	m.wrong("mia", there, 1)
	for _, name := range []string{"mia", mia, "Mia@Acme.Test", "mia@other.test"} {
		assert.True(t, m.Suspicious(m.now, name), name)
	}
	assert.False(t, m.Suspicious(m.now, "noor@acme.test"))
	assert.False(t, m.Suspicious(m.now.Add(window), mia))
}

func TestAnIPv6StrangerHasOneAddress(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, "2001:db8:1:2::1")
	assert.True(t, m.Known(mia, "2001:db8:1:2:ffff::9%eth0"))
	assert.False(t, m.Known(mia, "2001:db8:1:3::1"))
	m.login(mia, mia, home)
	assert.True(t, m.Known(mia, "::ffff:192.0.2.1"))
}

func TestAnUnknownAddressIsNeverKnown(t *testing.T) {
	for _, address := range []string{"", "no address", "192.0.2.1:443"} {
		m := newMount(t)
		m.login(mia, mia, address)
		assert.False(t, m.Known(mia, address))
		m.wrong(mia, address, 2)
		m.blocked(mia, address, lockout)
	}
}

func TestOfManyPlacesTheLeastRecentIsForgotten(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	for i := range attempts.MaxPlaces - 1 {
		m.login(mia, mia, fmt.Sprintf("10.0.0.%d", i))
	}
	m.login(mia, mia, home)
	m.login(mia, mia, there)
	assert.True(t, m.Known(mia, home))
	assert.True(t, m.Known(mia, there))
	assert.False(t, m.Known(mia, "10.0.0.0"))
	assert.True(t, m.Known(mia, "10.0.0.1"))
}

// Strangers cannot tell from what they are answered whether a name is somebody's, who
// logs in beside them.
func TestStrangersAreAnsweredTheSameForAnyName(t *testing.T) {
	play := func(person bool) (answers []string) {
		m := newMount(t)
		for range 200 {
			if person {
				m.login(mia, mia, home)
			}
			ticket, err := m.begin(mia, there)
			answers = append(answers, fmt.Sprint(err))
			if err == nil {
				ticket.Wrong(m.now)
			}
			m.now = m.now.Add(3 * time.Minute)
		}
		return answers
	}
	assert.Equal(t, play(false), play(true))
}

func TestErrorsNameNobody(t *testing.T) {
	assert.EqualError(t, &attempts.BlockedError{Wait: time.Minute}, "too many wrong passwords: wait 1m0s")
	assert.EqualError(t, &attempts.BusyError{Wait: time.Second}, "too many logins at once: wait 1s")
}

func TestManyLoginsAtOnceKeepTheLimit(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	var wg sync.WaitGroup
	var mu sync.Mutex
	sent := 0
	for i := range 200 {
		wg.Go(func() {
			address := []string{home, there, another}[i%3]
			ticket, err := m.begin(mia, address)
			if err != nil {
				_, blocked := errors.AsType[*attempts.BlockedError](err)
				_, busy := errors.AsType[*attempts.BusyError](err)
				assert.True(t, blocked || busy)
				return
			}
			mu.Lock()
			sent++
			mu.Unlock()
			m.Suspicious(m.now, mia)
			ticket.Wrong(m.now)
			ticket.LoggedIn(mia)
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, sent, 4)
	assert.GreaterOrEqual(t, sent, 2)
}
