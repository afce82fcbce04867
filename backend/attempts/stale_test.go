package attempts_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
)

// renewal asks for leave to renew a token.
func (m *mount) renewal(name, password string) (*attempts.Ticket, error) {
	return m.Begin(m.now, attempts.Attempt{Name: name, Address: home, Password: password, Renewal: true}, limits)
}

// refusedRenewal is a renewal whose password Okta is sent and refuses.
func (m *mount) refusedRenewal(name, password string) {
	m.t.Helper()
	ticket, err := m.renewal(name, password)
	require.NoError(m.t, err)
	ticket.Wrong(m.now)
}

func (m *mount) stale(name, password string) {
	m.t.Helper()
	_, err := m.renewal(name, password)
	assert.ErrorIs(m.t, err, attempts.ErrStale)
}

// What Okta has refused in a renewal is not sent for another one, however often and late
// that comes, and costs nobody a share of wrong passwords.
func TestAStalePasswordIsSentOnce(t *testing.T) {
	m := newMount(t)
	m.login(mia, mia, home)
	m.refusedRenewal(mia, "old")
	for range 100 {
		m.stale("MIA@acme.test", "old")
		m.now = m.now.Add(window)
	}
	ticket, err := m.Begin(m.now, attempts.Attempt{Name: mia, Address: home, Password: "old"}, limits)
	require.NoError(t, err, "a person may have it as their password again")
	ticket.Wrong(m.now)
	ticket, err = m.renewal(mia, "new")
	require.NoError(t, err, "another password is sent")
	ticket.Right()
	_, err = m.renewal("eve@acme.test", "old")
	assert.NoError(t, err, "the password of somebody else")
}

// A login with the password shows that it is right, by whichever name.
func TestAStalePasswordThatIsRightAgain(t *testing.T) {
	for _, typed := range []string{mia, "mia"} {
		m := newMount(t)
		m.refusedRenewal(mia, "one")
		m.refusedRenewal(mia, "two")
		m.now = m.now.Add(lockout)
		ticket, err := m.Begin(m.now, attempts.Attempt{Name: typed, Address: home, Password: "one"}, limits)
		require.NoError(t, err)
		ticket.Right()
		m.stale(mia, "one")
		ticket.LoggedIn(mia)
		m.stale(mia, "two")
		ticket, err = m.renewal(mia, "one")
		require.NoError(t, err)
		ticket.Unsent()
	}
}

// What did not come from Okta's judgement of the password makes none stale, and neither
// does what people type.
func TestWhatMakesNoPasswordStale(t *testing.T) {
	m := newMount(t)
	for _, end := range []func(*attempts.Ticket){
		func(t *attempts.Ticket) { t.Lost(m.now) }, func(t *attempts.Ticket) { t.Unanswered(m.now) },
		func(t *attempts.Ticket) { t.Unsent() }, func(t *attempts.Ticket) { t.Right() }, func(t *attempts.Ticket) { t.Locked(m.now) },
	} {
		ticket, err := m.renewal(mia, "old")
		require.NoError(t, err)
		end(ticket)
		m.now = m.now.Add(48 * window)
	}
	ticket, err := m.Begin(m.now, attempts.Attempt{Name: mia, Address: home, Password: "typed"}, limits)
	require.NoError(t, err)
	ticket.Wrong(m.now)
	ticket, err = m.renewal(mia, "typed")
	require.NoError(t, err)
	ticket.Unsent()
}

// Of too many passwords of one name the first ones are forgotten, and of too many names
// the one that was used least recently.
func TestStalePasswordsAreBounded(t *testing.T) {
	m := newMount(t)
	note := func(name, password string) {
		a := attempts.Attempt{Name: name, Address: home, Password: password, Renewal: true}
		ticket, err := m.Begin(m.now, a, attempts.Limits{Window: window}) // of any number
		require.NoError(t, err)
		ticket.Wrong(m.now)
	}
	for i := range attempts.MaxStale + 1 {
		note(mia, fmt.Sprint(i))
	}
	m.stale(mia, "1")
	m.stale(mia, fmt.Sprint(attempts.MaxStale))
	m.now = m.now.Add(window)
	ticket, err := m.renewal(mia, "0")
	require.NoError(t, err)
	ticket.Unsent()
	for i := range attempts.MaxKnown - 1 {
		note(fmt.Sprintf("person-%d", i), "old")
	}
	m.stale(mia, "1")
	note("one-more", "old")
	m.stale(mia, "1") // used since
	m.now = m.now.Add(window)
	ticket, err = m.renewal("person-0", "old")
	require.NoError(t, err)
	ticket.Unsent()
}
