package attempts_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
)

// hang begins as many logins of strangers as are let through, by ever new names, and
// ends none.
func (m *mount) hang(address func(i int) string, tries int) (open []*attempts.Ticket) {
	for i := range tries {
		if ticket, err := m.begin(fmt.Sprintf("nobody%d@acme.test", i), address(i)); err == nil {
			open = append(open, ticket)
		}
	}
	return open
}

func TestAKnownLoginDoesNotWaitBehindStrangersThatHang(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	hanging := m.hang(func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250) }, 500)
	assert.Len(t, hanging, attempts.MaxStrangersInFlight)
	m.busy(mia, there)
	for range 100 {
		m.login(mia, mia, home)
	}
	hanging[0].Unsent()
	m.must(mia, there)
}

func TestAShareInWhichNothingMovesIsNotWaitedFor(t *testing.T) {
	m := newMount(t)
	hanging := m.hang(func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250) }, 500)
	worthWaiting := func() bool {
		_, err := m.begin(mia, there)
		busy := new(attempts.BusyError)
		require.ErrorAs(t, err, &busy)
		assert.Equal(t, time.Second, busy.Wait)
		return busy.ForAMoment()
	}
	assert.True(t, worthWaiting(), "a place may be free in a moment")
	m.now = m.now.Add(2 * time.Second)
	assert.False(t, worthWaiting(), "Okta hangs")
	hanging[0].Unsent()
	m.must(mia+".too", there)
	assert.True(t, worthWaiting(), "it answers again")
}

func TestOneAddressDoesNotFillTheShareOfStrangers(t *testing.T) {
	m := newMount(t)
	share := attempts.MaxStrangersInFlight
	assert.Len(t, m.hang(func(int) string { return there }, 500), share/2)
	assert.Len(t, m.hang(func(int) string { return another }, 500), share/4)
	assert.Len(t, m.hang(func(int) string { return "" }, 500), share/8)
	m.must(mia, home) // the first login of somebody else
}

func TestAWholeIPv6NetworkIsOneAddress(t *testing.T) {
	m := newMount(t)
	hanging := m.hang(func(i int) string { return fmt.Sprintf("2001:db8::%x", i+1) }, 500)
	assert.Len(t, hanging, attempts.MaxStrangersInFlight/2)
}

func TestTheMountHasACap(t *testing.T) {
	m := newMount(t)
	for i := range attempts.MaxInFlight + 1 {
		name := fmt.Sprintf("person%d@acme.test", i)
		m.login(name, name, home)
	}
	for i := range attempts.MaxInFlight {
		m.must(fmt.Sprintf("person%d@acme.test", i), home)
	}
	m.busy(fmt.Sprintf("person%d@acme.test", attempts.MaxInFlight), home)
	m.busy(mia, there)
}

func TestANameHasACapOfWhichStrangersHaveHalf(t *testing.T) {
	for _, limit := range []int{0, 20} {
		m, l := newMount(t), limits
		l.MaxFailures = limit
		m.login(mia, mia, home)
		begun := func(address string) (n int) {
			for range 100 {
				if _, err := m.Begin(m.now, attempts.Attempt{Name: mia, Address: address}, l); err == nil {
					n++
				} else {
					assert.Equal(t, &attempts.BusyError{Wait: time.Second}, err)
				}
			}
			return n
		}
		assert.Equal(t, attempts.MaxNameInFlight/2, begun(there))
		assert.Equal(t, attempts.MaxNameInFlight/2, begun(home))
	}
}

func TestForgottenTicketsFillNoCapForGood(t *testing.T) {
	m := newMount(t)
	for range 3 {
		assert.Len(t, m.hang(func(int) string { return there }, 500), attempts.MaxStrangersInFlight/2)
		m.now = m.now.Add(attempts.TicketLife + lockout)
	}
}

func TestStrangersAreShedWhenOktasOwnLimitRunsLow(t *testing.T) {
	reset := start.Add(40 * time.Second)
	for _, test := range []struct {
		quota attempts.Quota
		now   time.Time
		wait  time.Duration
	}{
		{attempts.Quota{}, start, 0},
		{attempts.Quota{Limit: 600, Remaining: 150, Reset: reset}, start, 0},
		{attempts.Quota{Limit: 600, Remaining: 149, Reset: reset}, start, 40 * time.Second},
		{attempts.Quota{Limit: 600, Remaining: 1, Reset: reset}, start, 40 * time.Second},
		{attempts.Quota{Limit: 600, Remaining: 0, Reset: reset}, start, 0}, // Okta refuses everybody
		{attempts.Quota{Limit: 600, Remaining: 0, Reset: reset}, reset, 0},
	} {
		m, l := newMount(t), limits
		m.login(mia, mia, home)
		l.Okta = test.quota
		_, err := m.Begin(test.now, attempts.Attempt{Name: mia, Address: home}, l)
		require.NoError(t, err)
		_, err = m.Begin(test.now, attempts.Attempt{Name: mia, Address: there}, l)
		if test.wait == 0 {
			assert.NoError(t, err)
		} else {
			assert.Equal(t, &attempts.BusyError{Wait: test.wait}, err)
		}
	}
}

// invent sends a wrong password for each of so many invented names.
func (m *mount) invent(names int, address func(i int) string) (sent int) {
	for i := range names {
		if ticket, err := m.begin(fmt.Sprintf("nobody%d@acme.test", i), address(i)); err == nil {
			ticket.Wrong(m.now)
			sent++
		}
	}
	return sent
}

func TestInventedNamesOfAnAddressPushNothingOut(t *testing.T) {
	m := newMount(t)
	m.wrong("new@acme.test", another, 2)
	assert.Equal(t, attempts.MaxNamesPerAddress, m.invent(20_000, func(int) string { return there }))
	m.blocked("new@acme.test", another, lockout)
	m.blocked("somebody@acme.test", there, window) // a stranger at that address
	m.must("somebody@acme.test", another)
	m.now = m.now.Add(window)
	m.must("somebody@acme.test", there)
}

// Each of the names comes from an address of its own.
func TestInventedNamesOfManyAddressesPushOutNobodyWhoHasLoggedIn(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	m.wrong(mia, there, 2)
	m.wrong("new@acme.test", there, 2)
	before := heap()
	assert.Equal(t, 200_000, m.invent(200_000, func(i int) string { return fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff) }))
	flood := heap() - before
	t.Logf("200,000 invented names move the heap by %d KiB", flood>>10)
	assert.Less(t, flood, 10<<20)
	m.blocked(mia, there, lockout)
	assert.True(t, m.Known(mia, home))
	m.must("new@acme.test", there) // all of them together did push that out
}

func TestPeopleAreBounded(t *testing.T) {
	m := newMount(t)
	before := heap()
	for i := range attempts.MaxKnown + 100 {
		name := fmt.Sprintf("person%d@acme.test", i)
		m.login(name, name, home)
		m.wrong(name, fmt.Sprintf("10.%d.%d.2", i/250, i%250), 2)
		m.wrong(name, home, 2)
	}
	all := heap() - before
	t.Logf("%d people with wrong passwords take %d KiB", attempts.MaxKnown, all>>10)
	assert.Less(t, all, 30<<20)
	assert.False(t, m.Known("person0@acme.test", home))
	assert.True(t, m.Known("person100@acme.test", home))
}

// heap returns the bytes that are in use.
func heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
