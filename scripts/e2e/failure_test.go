package e2e

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// fault is a way for Okta to fail, and what the login then answers.
type fault struct {
	name   string
	fault  oktatest.Fault
	status int
	words  []string // in the error's text
	waits  bool     // of a push, it says that it waits: see TestPollAnsweredByError
	passes bool     // a question about a push is asked again after it
}

// faults are failures of any endpoint, before anything was sent to the user.
var faults = []fault{
	{"500", oktatest.Status(500, "E0000009", "Internal Server Error"), 502, []string{"E0000009"}, false, true},
	{"503 read-only", oktatest.Status(503, "E0000010", "Service is in read only mode."), 502, []string{"E0000010"}, false, true},
	{"web page", oktatest.HTML(502), 502, nil, false, true},
	{"web page as success", oktatest.HTML(200), 502, nil, false, false},
	{"truncated", oktatest.TruncatedJSON(), 502, nil, false, false},
	{"huge", oktatest.HugeBody(64 << 20), 502, nil, false, false},
	{"endless", oktatest.EndlessBody(), 502, nil, false, false},
	{"closed", oktatest.CloseConnection(), 502, nil, false, true},
	{"202 with an error", oktatest.Accepted202(), 502, nil, true, false},
	{"no object", oktatest.Body(200, "application/json", `"hello"`), 502, nil, false, false},
	{"rate limited", oktatest.RateLimited(0, 42*time.Second), 429, nil, false, false},
	{"rate limited, bare", oktatest.RateLimitedBare(), 429, nil, false, false},
	{"too many at once", oktatest.RateLimitedConcurrency(), 429, nil, false, false},
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
			if endpoint == "verify" && f.waits {
				continue
			}
			t.Run(endpoint+" "+f.name, func(t *testing.T) {
				t.Parallel()
				m := newMount(t)
				u := m.addUser("mia@acme.test")
				push := u.AddPush("SUCCESS")
				if endpoint == "verify" {
					push.SetScript("WAITING", "SUCCESS")
					m.org.Fail(endpoint, f.onPolls().After(1))
				} else {
					m.org.Fail(endpoint, f.fault)
				}
				if endpoint == "verify" && f.passes {
					m.mustLogin(u)
				} else {
					requireRefused(t, m.login(u), http.StatusBadRequest)
				}
				if endpoint == "groups" && f.name == "closed" { // it is the connection of the push, too
					require.LessOrEqual(t, push.Pushes(), 1)
				} else {
					require.Equal(t, 1, push.Pushes())
				}
			})
		}
	}
}

// onPolls is the fault for questions about a push. A limit of requests ends the
// wait only where it lasts for longer. What passes happens once.
func (f fault) onPolls() oktatest.Fault {
	if f.passes {
		return f.fault.Times(1)
	}
	if f.status == http.StatusTooManyRequests {
		return oktatest.RateLimited(0, 10*time.Minute)
	}
	return f.fault
}

// A limit that is over before the wait is does not end it: Okta is asked again,
// and not before.
func TestRateLimitWhileAPushWaits(t *testing.T) {
	t.Parallel()
	const pause = 4 * time.Second
	for name, wait := range map[string]func(m *mount, u *oktatest.User) harness.Answer{
		"blocking": func(m *mount, u *oktatest.User) harness.Answer { return m.login(u) },
		"held":     func(m *mount, u *oktatest.User) harness.Answer { return m.begin(u).wait() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			push := u.AddPush("WAITING", "SUCCESS")
			m.org.Fail("verify", oktatest.RateLimited(0, pause).After(1).Times(1))
			a := wait(m, u)
			require.NoError(t, a.Err())
			require.NotEmpty(t, a.Token(), "%s", a.Raw)
			require.Equal(t, []int{1, 2}, []int{push.Pushes(), push.Polls()})
			var refused time.Time
			for _, r := range m.org.Requests() {
				if !strings.HasSuffix(r.Path, "/verify") {
					continue // the groups, which are read beside the wait
				}
				if !refused.IsZero() {
					// The reset is told in whole seconds.
					require.GreaterOrEqual(t, r.Time.Sub(refused), pause-time.Second)
				}
				if r.Status == http.StatusTooManyRequests {
					refused = r.Time
				}
			}
			require.NotZero(t, refused)
		})
	}
}

// A push that Okta refuses to send was not sent: a client may repeat that.
func TestRateLimitOfSendingAPush(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"max_push_failures": 1})
	u := m.addUser("mia@acme.test")
	push, generator := u.AddPush(), u.AddTOTP("OKTA")
	limited := oktatest.RateLimited(0, 42*time.Second).Times(1)
	for _, wait := range []bool{true, false} {
		m.org.Fail("verify", limited)
		requireRefused(t, m.login(u, object{"wait": wait}), http.StatusTooManyRequests, "E0000047", "try again in 4")
	}
	h := m.begin(u, object{"factor": "totp"})
	m.org.Fail("verify", limited)
	requireRefused(t, h.post(object{"factor": "push"}), http.StatusTooManyRequests, "E0000047", "still open")
	require.Zero(t, push.Pushes())
	h.next().require(object{"state": "passcode_required", "factor": "totp"})
	h.next(object{"factor": "push"}).require(object{"state": "waiting"})
	h.requireEnd(h.post(object{"totp": generator.Code()}))
	require.Equal(t, 1, push.Pushes())
}

// It is no other with a code that was sent, nor with a login that goes on from
// request to request.
func TestFaultsAfterACode(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"verify", "groups"} {
		for _, f := range faults {
			t.Run(endpoint+" "+f.name, func(t *testing.T) {
				t.Parallel()
				m := newMount(t, allFactors)
				u := m.addUser("mia@acme.test")
				text := u.AddFactor("sms", "OKTA")
				requireRefused(t, m.login(u), http.StatusBadRequest, "by SMS")
				m.org.Fail(endpoint, f.fault)
				requireRefused(t, m.login(u, object{"totp": text.Code()}), http.StatusBadRequest)
				require.Equal(t, 1, text.Sent())
			})
		}
	}
}

func TestFaultsOfHeldLogins(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"verify", "groups"} {
		for _, f := range faults {
			if endpoint == "verify" && f.waits {
				continue
			}
			t.Run(endpoint+" "+f.name, func(t *testing.T) {
				t.Parallel()
				m := newMount(t)
				u := m.addUser("mia@acme.test")
				push := u.AddPush("WAITING", "SUCCESS")
				h := m.begin(u)
				if endpoint == "verify" {
					m.org.Fail(endpoint, f.onPolls())
				} else {
					m.org.Fail(endpoint, f.fault)
				}
				a := h.wait()
				if endpoint == "verify" && f.passes {
					require.NotEmpty(t, a.Token(), "%s", a.Raw)
				} else {
					requireRefused(t, a, http.StatusBadRequest)
				}
				h.requireOver()
				require.Equal(t, 1, push.Pushes())
			})
		}
	}
}

// Before anything was sent, the statuses of a held login are those of any other.
func TestFaultsBeforeAHeldLogin(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			u.AddPush("WAITING", "SUCCESS")
			m.org.Fail("authn", f.fault)
			requireRefused(t, m.login(u, object{"wait": false}), f.status, f.words...)
		})
	}
}

// The answer to the request that sends the push can get lost, too.
func TestFaultsOfSending(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{
		{name: "closed", fault: oktatest.CloseConnection()},
		{name: "500", fault: oktatest.Status(500, "E0000009", "Internal Server Error")},
		{name: "web page", fault: oktatest.HTML(502)},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, allFactors)
			u := m.addUser("mia@acme.test")
			push := u.AddPush("SUCCESS")
			other := m.addUser("eve@acme.test")
			text := other.AddFactor("sms", "OKTA")
			m.org.Fail("verify", f.fault.Delivered())
			requireRefused(t, m.login(u), http.StatusBadRequest)
			requireRefused(t, m.login(other), http.StatusBadRequest)
			require.Equal(t, 1, push.Pushes())
			require.Equal(t, 1, text.Sent())
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
	closed, err := harness.FreeAddress()
	require.NoError(t, err)
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

// interval is the longest time between two questions about a push.
const interval = 2500 * time.Millisecond

// requireSilence checks that the push of a login that its caller has left was
// withdrawn, and that nobody asks about it after that: not for longer than any
// interval.
func (m *mount) requireSilence(f *oktatest.Factor) {
	m.t.Helper()
	eventually(m.t, "an end of the wait", func() bool { return f.Withdrawn() == 1 })
	withdrawn := time.Now()
	require.Zero(m.t, f.Waiting(), "nothing is left to approve")
	polls, lastPoll := f.Polls(), f.LastPoll()
	eventually(m.t, "more than an interval to pass", func() bool { return time.Since(withdrawn) > interval+time.Second })
	require.Equal(m.t, polls, f.Polls())
	require.Equal(m.t, lastPoll, f.LastPoll())
	require.True(m.t, slices.ContainsFunc(m.org.Requests(), func(r oktatest.Request) bool {
		return r.Path == "/api/v1/authn/cancel" && r.Status == http.StatusOK
	}))
	require.Equal(m.t, 1, f.Pushes())
	require.Equal(m.t, 1, m.org.Count(http.MethodPost, "/api/v1/authn"), "the login is not repeated")
}

// A caller who leaves takes the polling along.
func TestPollingStopsWhenTheCallerLeaves(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush()
	ctx, leave := context.WithCancel(t.Context())
	ended := m.start(ctx, u)
	eventually(t, "a question about the push", func() bool { return f.Polls() >= 1 })
	leave()
	require.ErrorIs(t, (<-ended).err, context.Canceled)
	m.requireSilence(f)
}

// So does the command line tool, however it ends.
func TestPollingStopsWhenTheToolEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*harness.Terminal) error{
		"Ctrl-C": (*harness.Terminal).Interrupt,
		"killed": (*harness.Terminal).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			f := u.AddPush()
			terminal, err := m.person().OnTerminal(t.Context(), m.loginArgs(u, "password="+u.Password())...)
			require.NoError(t, err)
			eventually(t, "a question about the push", func() bool { return f.Polls() >= 1 })
			require.NoError(t, end(terminal))
			require.NotZero(t, terminal.Wait())
			m.requireSilence(f)

			f.SetScript("SUCCESS") // people try again
			cli := m.person()
			m.requireLoggedIn(cli, m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...))
		})
	}
}

// Vault gives a request up after max_request_duration, 90 s by default, and
// answers 500 by itself, which clients repeat: a second push. So the plugin
// answers before.
func TestPushEndsBeforeVaultGivesUp(t *testing.T) {
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush("WAITING")
	ended := m.start(t.Context(), u)
	t.Parallel() // late: no other test takes as long as this one, so it begins before them
	a := <-ended
	require.NoError(t, a.err)
	require.Equal(t, http.StatusBadRequest, a.Status, a.Errors())
	require.Contains(t, a.Errors(), "not answered in time")
	require.Equal(t, 1, f.Pushes())
	soon(t, 0, f.Waiting, "nothing is left to approve")
}
