package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

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

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	for range 5 {
		m.mustLogin(u)
	}
	require.Equal(t, 1, m.org.Connections())
	require.Equal(t, 1, suite.proxy.Tunnels(m.org.Host()))
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
		running = append(running, m.start(t.Context(), u))
	}
	for i, ended := range running {
		o := <-ended
		requireSuccess(t, o)
		require.Equal(t, []any{"default", "science", fmt.Sprintf("user%d@acme.test", i)}, policies(o.Answer))
	}
	require.Len(t, m.org.Requests(), 2*logins)
	require.Less(t, m.org.Connections(), 10)
}

// Okta sees the address of the person who logs in, not only Vault's.
func TestForwardedAddress(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddTOTP("OKTA")
	m.mustLogin(u, object{"totp": f.Code()})
	var paths []string
	for _, r := range m.org.Requests() {
		if r.Method == http.MethodPost {
			require.Contains(t, r.Header.Get("X-Forwarded-For"), "127.0.0.1", r.Path)
		}
		paths = append(paths, r.Path)
	}
	require.Contains(t, strings.Join(paths, " "), "/verify")
}
