package attempts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
)

// These tests are about how long a wrong password counts.

func TestAForgottenTicketIsLostAfterItsLife(t *testing.T) {
	m := newMount(t)
	late, _ := m.must(mia, there), m.must(mia, there)
	m.now = m.now.Add(attempts.TicketLife - 1)
	m.busy(mia, there)
	m.now = m.now.Add(1)
	m.blocked(mia, there, window)
	late.Right() // too late
	late.LoggedIn(mia)
	assert.False(t, m.Known(mia, there))
	m.blocked(mia, there, window)
	m.now = m.now.Add(window)
	m.wrong(mia, there, 1)
}

func TestALockoutEndsWhenItSays(t *testing.T) {
	for _, test := range []struct{ lockout, wait, second time.Duration }{
		{20 * time.Minute, 20 * time.Minute, 0},
		{0, 5 * time.Minute, 10 * time.Minute}, // as the window slides
		{5 * time.Minute, 5 * time.Minute, 10 * time.Minute},
		{7 * time.Minute, 7 * time.Minute, 8 * time.Minute},
	} {
		m, l := newMount(t), limits
		l.Lockout = test.lockout
		wrong := func() error {
			ticket, err := m.Begin(m.now, attempts.Attempt{Name: mia, Address: there}, l)
			if err == nil {
				ticket.Wrong(m.now)
			}
			return err
		}
		require.NoError(t, wrong())
		m.now = m.now.Add(10 * time.Minute)
		require.NoError(t, wrong())
		assert.Equal(t, &attempts.BlockedError{Wait: test.wait}, wrong())
		m.now = m.now.Add(test.wait - 1)
		assert.Equal(t, &attempts.BlockedError{Wait: 1}, wrong(), "asking does not prolong it")
		m.now = m.now.Add(1)
		require.NoError(t, wrong())
	}
}

// The arithmetic of the package's documentation.
func TestWrongPasswordsThatKeepComingCountForLonger(t *testing.T) {
	for _, test := range []struct {
		window time.Duration
		after  []time.Duration // the wrong passwords that strangers can have sent
	}{
		{15 * time.Minute, []time.Duration{0, 15 * time.Minute, 135 * time.Minute, 1095 * time.Minute, 2535 * time.Minute}},
		{3 * time.Hour, []time.Duration{0, 3 * time.Hour, 27 * time.Hour, 51 * time.Hour}},
		{48 * time.Hour, []time.Duration{0, 48 * time.Hour, 96 * time.Hour}},
	} {
		m := newMount(t)
		l := attempts.Limits{MaxFailures: 4, Window: test.window}
		sent := 0
		for _, after := range test.after {
			for m.now.Before(start.Add(after)) {
				_, err := m.Begin(m.now, attempts.Attempt{Name: mia, Address: there}, l)
				require.Error(t, err, "%s", m.now.Sub(start))
				m.now = m.now.Add(5 * time.Minute)
			}
			for range 2 {
				ticket, err := m.Begin(m.now, attempts.Attempt{Name: mia, Address: there}, l)
				require.NoError(t, err, "after %s", after)
				ticket.Wrong(m.now)
				sent++
			}
		}
		assert.Equal(t, 2*len(test.after), sent)
	}
}

// Pauses and other names for the same account gain strangers nothing.
func TestNoPaceOfGuessesLocksAnAccountWithinADay(t *testing.T) {
	for _, pause := range []time.Duration{time.Minute, window, window + time.Minute, time.Hour, 2 * time.Hour, 5 * time.Hour, 12 * time.Hour} {
		m := newMount(t)
		sent := 0
		for m.now.Before(start.Add(24 * time.Hour)) {
			name := []string{mia, "mia", "mia@other.test"}[sent%3]
			if ticket, err := m.begin(name, there); err == nil {
				ticket.Wrong(m.now)
				sent++
			}
			m.now = m.now.Add(pause)
		}
		assert.LessOrEqual(t, sent, 8, "%s", pause)
	}
}

func TestAQuietDayBeginsTheHoldAnew(t *testing.T) {
	m := newMount(t)
	m.wrong(mia, there, 2)
	m.now = m.now.Add(24*time.Hour + window)
	m.wrong(mia, there, 2)
	m.blocked(mia, there, lockout)
}

func TestWithoutALimitNothingIsLockedOutAndMuchIsSuspicious(t *testing.T) {
	m := newMount(t)
	l := attempts.Limits{Window: window, Lockout: lockout}
	m.login(mia, mia, home)
	for range 100 {
		for _, address := range []string{home, there} {
			ticket, err := m.Begin(m.now, attempts.Attempt{Name: mia, Address: address}, l)
			require.NoError(t, err)
			ticket.Wrong(m.now)
		}
	}
	m.login("mia@other.test", "mia@other.test", there)
	ticket, err := m.Begin(m.now, attempts.Attempt{Name: "mia@other.test", Address: there}, l)
	require.NoError(t, err)
	ticket.Wrong(m.now)
	assert.True(t, m.Suspicious(m.now, mia))
	assert.True(t, m.Suspicious(m.now, "mia"))
	assert.False(t, m.Suspicious(m.now.Add(window), mia))
}

// Strangers who have been at it for hours do not make a person wait for longer.
func TestTheHoldOfStrangersIsTheirs(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	for range 3 {
		m.wrong(mia, there, 2)
		m.now = m.now.Add(2*time.Hour + window)
	}
	m.wrong(mia, home, 2)
	m.blocked(mia, home, lockout)
	m.now = m.now.Add(lockout)
	m.wrong(mia, home, 2)
}

func TestALowerLimitHoldsForWhatWasBefore(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	for range 3 {
		m.wrong(mia, home, 1)
		m.now = m.now.Add(time.Minute)
	}
	l := limits
	l.MaxFailures = 2
	_, err := m.Begin(m.now, attempts.Attempt{Name: mia, Address: home}, l)
	assert.Equal(t, &attempts.BlockedError{Wait: window - 2*time.Minute}, err, "until the second one has expired")
}
