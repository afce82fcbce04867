package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// All logins of an org share Okta's rate limits with everything else that
// calls it: a login must cost as few requests as possible.
func TestRequestsOfALogin(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		groups int
		pages  int
	}{
		{"few groups", 3, 1},
		{"a full page", 200, 1},
		{"one more", 201, 2},
		{"many", 450, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test", manyGroups(row.groups)...)
			m.mustLogin(u)
			requests := m.org.Requests()
			require.Len(t, requests, 1+row.pages)
			require.Equal(t, "/api/v1/authn", requests[0].Path)
			for _, r := range requests[1:] {
				require.Equal(t, http.MethodGet, r.Method)
				require.Equal(t, "/api/v1/users/"+u.ID+"/groups", r.Path)
			}
		})
	}
}

// calls are the requests of the mount's org so far, in short: the last part of
// each path. Those for groups, which are made beside others, come last. They are
// forgotten then.
func (m *mount) calls() string {
	var names, groups []string
	for _, r := range m.org.Requests() {
		name := r.Path[strings.LastIndex(r.Path, "/")+1:]
		if name == "groups" {
			groups = append(groups, name)
			continue
		}
		names = append(names, name)
	}
	m.org.Reset()
	return strings.Join(append(names, groups...), " ")
}

func TestRequestsOfAFactor(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors, object{"prefetch_groups": "never"})
	clock := m.ownClock()
	u := m.addUser("mia@acme.test")
	generator := u.AddTOTP("OKTA")
	m.mustLogin(u, object{"totp": generator.Code()})
	require.Equal(t, "authn verify groups", m.calls(), "a passcode")

	clock.Advance(time.Minute)
	h := m.begin(u)
	require.Equal(t, "authn", m.calls(), "a login that waits for a passcode")
	h.next().next()
	require.Empty(t, m.calls(), "asking how it stands")
	h.requireEnd(h.post(object{"totp": generator.Code()}))
	require.Equal(t, "verify groups", m.calls())

	other := m.addUser("eve@acme.test")
	text := other.AddFactor("sms", "OKTA")
	m.login(other)
	require.Equal(t, "authn verify", m.calls(), "the code is sent")
	m.login(other)
	soon(t, 1, m.cancels)
	require.Equal(t, "authn cancel", m.calls(), "it is not sent again")
	m.mustLogin(other, object{"totp": text.Code()})
	soon(t, 1, m.cancels)
	require.ElementsMatch(t, []string{"authn", "verify", "cancel", "groups"}, strings.Fields(m.calls()), "the code comes back")

	third := m.addUser("kim@acme.test")
	phone := third.AddPush("WAITING", "WAITING", "SUCCESS")
	m.mustLogin(third)
	require.Equal(t, "authn verify verify verify verify groups", m.calls(), "a push, and three questions")
	phone.SetScript("WAITING")
	rejected := m.start(t.Context(), third)
	soon(t, 1, func() int { return m.org.Count(http.MethodGet, "/api/v1/users/"+third.ID+"/groups") })
	eventually(t, "a push", func() bool { return phone.Waiting() == 1 }) // sent beside the read of the groups
	require.Equal(t, 1, phone.Reject())
	<-rejected
	soon(t, 1, m.cancels)
	require.Regexp(t, "^authn (verify )+cancel groups$", m.calls(), "a push that is rejected")
	phone.SetScript("SUCCESS")
	tablet := third.AddPush("WAITING", "SUCCESS")
	phone.SetScript("WAITING")
	m.mustLogin(third)
	soon(t, 1, m.cancels)
	calls := strings.Fields(m.calls())
	slices.Sort(calls)
	require.Equal(t, "authn authn cancel groups verify verify verify verify verify verify", strings.Join(calls, " "),
		"two phones, asked about twice")
	require.Equal(t, 1, tablet.Pushes())
}

func TestRequestsSayWhoSendsThem(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustLogin(m.addUser("mia@acme.test"))
	for _, r := range m.org.Requests() {
		require.Contains(t, r.Header.Get("User-Agent"), "vault-plugin-auth-okta")
		require.Equal(t, m.org.Host(), r.Host)
		require.Empty(t, r.Header.Get("Cookie"))
	}
}

// The first login of a person goes over the strangers' connection, and all others over
// the mount's own.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	for range 5 {
		m.mustLogin(u)
	}
	require.Equal(t, 2, m.org.Connections())
	// A login that comes before a new connection is ready dials another, which it does not use.
	require.LessOrEqual(t, suite.proxy.Tunnels(m.org.Host()), 3)
}

func TestManyLoginsAtOnce(t *testing.T) {
	t.Parallel()
	const logins = 50
	m := newMount(t)
	m.mustWrite("groups/scientists", object{"policies": "science"})
	var running []<-chan outcome
	for i := range logins {
		u := m.addUser(fmt.Sprintf("user%d@acme.test", i), "Scientists")
		m.mustWrite("users/"+u.Login(), object{"policies": u.Login()})
		running = append(running, m.startAmongStrangers(u))
	}
	for i, ended := range running {
		o := <-ended
		requireSuccess(t, o)
		require.Equal(t, []any{"default", "science", fmt.Sprintf("user%d@acme.test", i)}, policies(o.Answer))
	}
	require.Len(t, m.org.Requests(), 2*logins)
	require.Less(t, m.org.Connections(), 10)
}
