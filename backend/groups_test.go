package backend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// order is the sequence of what Okta was asked for, in short.
func (m *mount) order() string {
	var list []string
	for _, r := range m.okta.Requests() {
		segments := strings.Split(r.Path, "/")
		list = append(list, segments[len(segments)-1])
	}
	return strings.Join(list, " ")
}

// While a phone rings, the groups are read; and once only.
func TestGroupsWhileThePhoneRings(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		phone := m.addUser("Scientists").AddPush()
		m.write("groups/scientists", fields{"policies": "science"})
		step := m.clock.hold(t)
		done := m.waiting(phone, m.from(callerIP, nil, nil))
		m.eventually(func() bool { return m.called("/groups") }, "the groups wait for the phone")
		phone.Approve()
		step()
		o := m.finished(done)
		require.Equal(t, http.StatusOK, o.status, o.text)
		assert.Equal(t, []string{"science"}, o.resp.Auth.Policies)
		assert.Equal(t, 1, strings.Count(m.order(), "groups"))
	})
}

// What cannot be read meanwhile is told at the end; who is denied is asked nothing
// else.
func TestGroupsFailWhileThePhoneRings(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		phone := m.addUser().AddPush("WAITING", "SUCCESS")
		m.okta.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error"))
		assert.Contains(t, m.refused(nil), "Okta failed with HTTP 500 (E0000009)")
		m.okta.ClearFaults()
		phone.SetScript("WAITING", "REJECTED")
		assert.Contains(t, m.refused(nil), "rejected")
	})
}

// Without prefetch_groups nobody's groups are read before their password is known to be
// right, nor where Okta asks for nothing else, twice.
func TestGroupsAfterThePassword(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"prefetch_groups": "never"})
		m.addUser()
		m.mustLogin(nil)
		assert.Equal(t, "authn groups", m.order())
		m.okta.Reset()
		m.refused(fields{"password": "wrong"})
		m.refused(fields{"password": "wrong"})
		assert.Equal(t, "authn authn", m.order())
	})
}

// With prefetch_groups those of people who have logged in before are read beside
// the password, and thrown away where that is wrong.
func TestPrefetchGroups(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Scientists")
		m.write("groups/scientists", fields{"policies": "science"})
		m.okta.Reset()
		m.mustLogin(nil)
		assert.Equal(t, "authn groups", m.order(), "nobody is known yet")

		m.okta.Reset()
		answer := m.stall("authn")
		done := m.background(t.Context(), m.from(callerIP, nil, nil))
		m.eventually(func() bool { return m.called("/authn") && m.called("/groups") }, "the groups wait for the password")
		answer()
		o := m.finished(done)
		require.Equal(t, http.StatusOK, o.status, o.text)
		assert.Equal(t, []string{"science"}, o.resp.Auth.Policies)
		assert.Len(t, m.okta.Requests(), 2)

		m.refused(fields{"password": "wrong"})
		_, status, _ := m.do(logical.UpdateOperation, "login/never.seen@acme.test", fields{"password": "x"})
		assert.Equal(t, http.StatusBadRequest, status)

		// The name was somebody else's: the groups of who has logged in are what counts.
		other := m.okta.AddUser("tom@acme.test", "another-password")
		other.SetGroups("Others")
		m.inner.known.note(m.okta.URL, testLogin, knownPerson{id: other.ID, login: testLogin})
		assert.Equal(t, []string{"Scientists"}, aliasNames(m.mustLogin(nil)))
	})
}

func TestKnownPeopleAreBounded(t *testing.T) {
	t.Parallel()
	k := newKnownPeople()
	assert.Empty(t, known(k, "org", "mia"))
	for i := range maxKnown + 10 {
		k.note("org", strings.Repeat("x", i%7)+time.Duration(i).String(), knownPerson{id: "id"})
	}
	k.note("org", "mia", knownPerson{id: "00u1"})
	assert.Equal(t, "00u1", known(k, "org", "mia"))
	assert.Equal(t, "00u1", known(k, "org", "MÍA"), "one person takes up one place, however it is spelled")
	assert.Empty(t, known(k, "other", "mia"))
	assert.LessOrEqual(t, k.byName.Len(), maxKnown)
}

func known(k knownPeople, org, name string) string {
	who, _ := k.find(org, name)
	return who.id
}

// What could not be read while the phone rang is read again: the person has
// approved, and is not to be asked once more.
func TestGroupsAreReadAgain(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Scientists").AddPush("WAITING", "SUCCESS")
		m.write("groups/scientists", fields{"policies": "science"})
		m.okta.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error").Times(1))
		assert.Equal(t, []string{"science"}, m.mustLogin(nil).Policies)
		assert.Equal(t, 2, strings.Count(m.order(), "groups"))
	})
}
