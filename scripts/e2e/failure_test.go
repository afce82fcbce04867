package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// fault is a way for Okta to fail, and what the login then answers.
type fault struct {
	name   string
	fault  oktatest.Fault
	status int
	words  []string // in the error's text
}

// faults are failures of any endpoint, before anything was sent to the user.
var faults = []fault{
	{"500", oktatest.Status(500, "E0000009", "Internal Server Error"), 502, []string{"E0000009"}},
	{"503 read-only", oktatest.Status(503, "E0000010", "Service is in read only mode."), 502, []string{"E0000010"}},
	{"web page", oktatest.HTML(502), 502, nil},
	{"web page as success", oktatest.HTML(200), 502, nil},
	{"truncated", oktatest.TruncatedJSON(), 502, nil},
	{"huge", oktatest.HugeBody(64 << 20), 502, nil},
	{"endless", oktatest.EndlessBody(), 502, nil},
	{"closed", oktatest.CloseConnection(), 502, nil},
	{"202 with an error", oktatest.Accepted202(), 502, nil},
	{"no object", oktatest.Body(200, "application/json", `"hello"`), 502, nil},
	{"rate limited", oktatest.RateLimited(0, 42*time.Second), 429, nil},
	{"rate limited, bare", oktatest.RateLimitedBare(), 429, nil},
	{"too many at once", oktatest.RateLimitedConcurrency(), 429, nil},
}

func TestFaultsOfLogin(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"authn", "groups"} {
		for _, f := range faults {
			t.Run(endpoint+" "+f.name, func(t *testing.T) {
				t.Parallel()
				m := newMount(t)
				u := m.addUser("mia@acme.test")
				m.org.Fail(endpoint, f.fault)
				requireRefused(t, m.login(u), f.status, f.words...)
				require.Equal(t, 1, m.org.Count(http.MethodPost, "/api/v1/authn"), "a password is delivered once")
				m.org.ClearFaults()
				m.mustLogin(u)
			})
		}
	}
}

// A list of groups that breaks off is no list: its policies are not given.
func TestFaultOfSecondPageOfGroups(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test", manyGroups(250)...)
	m.org.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error").After(1))
	requireRefused(t, m.login(u), http.StatusBadGateway, "E0000009")
}

func manyGroups(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("Group %d", i)
	}
	return names
}

// Vault's Go client repeats a request that answers 429 or 5xx. Once a push
// may be out, such an answer would send another one.
func TestFaultsAfterPush(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"verify", "groups"} {
		for _, f := range faults {
			t.Run(endpoint+" "+f.name, func(t *testing.T) {
				t.Parallel()
				m := newMount(t)
				u := m.addUser("mia@acme.test")
				push := u.AddPush("SUCCESS")
				if endpoint == "verify" {
					push.SetScript("WAITING", "SUCCESS")
					m.org.Fail(endpoint, f.fault.After(1))
				} else {
					m.org.Fail(endpoint, f.fault)
				}
				requireRefused(t, m.login(u), http.StatusBadRequest)
				require.Equal(t, 1, push.Pushes())
			})
		}
	}
}

// The answer to the request that sends the push can get lost, too.
func TestFaultsOfSendingPush(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{
		{name: "closed", fault: oktatest.CloseConnection()},
		{name: "500", fault: oktatest.Status(500, "E0000009", "Internal Server Error")},
		{name: "web page", fault: oktatest.HTML(502)},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			push := u.AddPush("SUCCESS")
			m.org.Fail("verify", f.fault.Delivered())
			requireRefused(t, m.login(u), http.StatusBadRequest)
			require.Equal(t, 1, push.Pushes())
		})
	}
}

// A redirection would hand password, passcode and API token to another host.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newOrg(t)
	for _, endpoint := range []string{"authn", "groups", "verify"} {
		for _, code := range []int{301, 302, 307, 308} {
			t.Run(fmt.Sprintf("%s %d", endpoint, code), func(t *testing.T) {
				t.Parallel()
				m := newMount(t)
				u := m.addUser("mia@acme.test")
				var body object
				want := http.StatusBadGateway
				if endpoint == "verify" {
					body = object{"totp": u.AddTOTP("OKTA").Code()}
				}
				m.org.Fail(endpoint, oktatest.Redirect(code, elsewhere.URL+"/api/v1/authn"))
				requireRefused(t, m.login(u, body), want)
				require.Empty(t, elsewhere.Requests())
			})
		}
	}
}

// A next link that leads to another host must not take the API token there,
// and one that leads to itself must not be followed for ever.
func TestGroupLinksThatLeadAstray(t *testing.T) {
	t.Parallel()
	elsewhere := newOrg(t)
	for name, style := range map[string]oktatest.LinkStyle{"foreign": oktatest.LinkForeign, "loop": oktatest.LinkLoop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			m.org.Configure(func(o *oktatest.Options) { o.GroupLinkStyle, o.ForeignBase = style, elsewhere.URL })
			a := m.login(m.addUser("mia@acme.test", manyGroups(250)...))
			require.Empty(t, elsewhere.Requests())
			require.Less(t, len(m.org.Requests()), 200)
			if style == oktatest.LinkLoop {
				requireRefused(t, a, http.StatusBadGateway)
			}
		})
	}
}

func TestOktaOutOfReach(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := l.Addr().String()
	require.NoError(t, l.Close())
	for _, base := range []string{"https://" + closed, "https://no-such-org.okta.test"} {
		m.mustWrite("config", object{"base_url": base})
		requireRefused(t, m.attempt("mia@acme.test", object{"password": secret()}), http.StatusBadGateway)
	}
}

func TestOktaTooSlow(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]oktatest.Fault{"silent": oktatest.Hang(), "stalled": oktatest.HangBody()} {
		for _, endpoint := range []string{"authn", "groups"} {
			t.Run(name+" "+endpoint, func(t *testing.T) {
				t.Parallel()
				m := newMount(t)
				u := m.addUser("mia@acme.test")
				m.org.Fail(endpoint, f)
				requireRefused(t, m.login(u), http.StatusGatewayTimeout)
			})
		}
	}
}

// The text of a 429 says how long to wait, by Okta's clock.
func TestRateLimitSaysHowLong(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	now := time.Now().Add(-24 * time.Hour)
	m.org.Configure(func(o *oktatest.Options) { o.Now = func() time.Time { return now } })
	m.org.Fail("authn", oktatest.RateLimited(0, 40*time.Second))
	a := m.attempt("mia@acme.test", object{"password": secret()})
	requireRefused(t, a, http.StatusTooManyRequests)
	require.Regexp(t, regexp.MustCompile(`\b(39|4[0-9])\s?s`), a.Errors())
}

// A caller who leaves takes the polling along.
func TestPollingStopsWhenTheCallerLeaves(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush("WAITING")
	ctx, leave := context.WithCancel(t.Context())
	ended := m.start(ctx, u)
	eventually(t, "a push", func() bool { return f.Pushes() == 1 })
	leave()
	require.ErrorIs(t, (<-ended).err, context.Canceled)
	eventually(t, "no requests for longer than any interval", func() bool {
		requests := m.org.Requests()
		return time.Since(requests[len(requests)-1].Time) > 6*time.Second
	})
	require.Equal(t, 1, f.Pushes())
}

// Vault gives a request up after max_request_duration, 90 s by default, and
// answers 500 by itself, which clients repeat: a second push. So the plugin
// answers before.
func TestPushEndsBeforeVaultGivesUp(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush("WAITING")
	a := m.login(u)
	require.Equal(t, http.StatusBadRequest, a.Status, a.Errors())
	require.Contains(t, a.Errors(), "not answered in time")
	require.Equal(t, 1, f.Pushes())
	require.Zero(t, f.Waiting(), "nothing is left to approve")
}
