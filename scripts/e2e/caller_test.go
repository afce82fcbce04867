package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const ownAgent = "vault-plugin-auth-okta/" + pluginVersion

// Okta sees the person who logs in, not only Vault: on every request of a login,
// as far as Vault tells.
func TestCaller(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		tuned   []string
		trusted string // trusted_proxies
		header  []string
		address string
		agent   string
	}{
		{name: "connection", address: "127.0.0.7", agent: ownAgent},
		{
			name: "not passed through", header: []string{"X-Forwarded-For", "203.0.113.7", "User-Agent", "curl/8.9.1"},
			address: "127.0.0.7", agent: ownAgent,
		},
		{
			name: "passed through, and not trusted", tuned: []string{"X-Forwarded-For", "User-Agent"}, trusted: "127.0.0.8",
			header:  []string{"X-Forwarded-For", "203.0.113.7", "User-Agent", "curl/8.9.1"},
			address: "127.0.0.7", agent: "curl/8.9.1 " + ownAgent,
		},
		{
			name: "passed through", tuned: []string{"X-Forwarded-For", "User-Agent"}, trusted: "127.0.0.7",
			header:  []string{"X-Forwarded-For", "203.0.113.7", "User-Agent", "curl/8.9.1"},
			address: "203.0.113.7", agent: "curl/8.9.1 " + ownAgent,
		},
		{
			name: "several proxies", tuned: []string{"x-forwarded-for", "user-agent"}, trusted: "127.0.0.7,198.51.100.0/24,2001:db8::/32",
			header:  []string{"X-Forwarded-For", "8.8.8.8, 203.0.113.7", "X-Forwarded-For", "198.51.100.2, 2001:db8::1"},
			address: "203.0.113.7",
		},
		{
			name: "address only", tuned: []string{"X-Forwarded-For"}, trusted: "127.0.0.0/24",
			header:  []string{"X-Forwarded-For", "203.0.113.7:4711", "User-Agent", "curl/8.9.1"},
			address: "203.0.113.7", agent: ownAgent,
		},
		{
			name: "forged", tuned: []string{"X-Forwarded-For", "User-Agent"}, trusted: "127.0.0.7",
			header:  []string{"X-Forwarded-For", "<script>, 203.0.113.7", "User-Agent", strings.Repeat("x", 5000)},
			address: "203.0.113.7",
		},
		{
			name: "nonsense", tuned: []string{"X-Forwarded-For", "User-Agent"}, trusted: "127.0.0.7",
			header: []string{"X-Forwarded-For", "unknown", "User-Agent", ""}, address: "127.0.0.7", agent: ownAgent,
		},
		{
			name: "tuned, and nothing sent", tuned: []string{"X-Forwarded-For"}, trusted: "127.0.0.7", address: "127.0.0.7", agent: ownAgent,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, allFactors, object{"trusted_proxies": row.trusted})
			if row.tuned != nil {
				m.tune(row.tuned...)
			}
			m.at("127.0.0.7", row.header...).everyRequest()
			for _, r := range m.org.Requests() {
				if r.Method != http.MethodPost {
					continue // of the mount itself
				}
				require.Equal(t, row.address, r.ForwardedFor(), r.Path)
				if row.agent != "" {
					require.Equal(t, row.agent, r.UserAgent(), r.Path)
				}
				require.True(t, strings.HasSuffix(r.UserAgent(), ownAgent), r.UserAgent())
				require.Less(t, len(r.UserAgent()), 400)
			}
		})
	}
}

// everyRequest logs in such that Okta gets every kind of request there is.
func (m *mount) everyRequest() {
	t := m.t
	t.Helper()
	clock := m.ownClock()
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 2)
	text := u.AddFactor("sms", "OKTA")
	u.SetStatus("PASSWORD_WARN")
	h := m.begin(u)
	eventually(t, "a question about both phones", func() bool {
		h.next()
		return slices.Equal(all.numbers((*oktatest.Factor).Polls), []int{1, 1})
	})
	h.next(object{"factor": "sms"})
	clock.Advance(time.Minute)
	h.next(object{"factor": "sms", "resend": true})
	h.requireEnd(h.post(object{"totp": text.Code()}))
	var kinds []string
	for _, r := range m.org.Requests() {
		kinds = append(kinds, r.Path[strings.LastIndex(r.Path, "/")+1:])
	}
	slices.Sort(kinds)
	require.Equal(t, []string{"authn", "cancel", "groups", "previous", "resend", "skip", "verify"}, slices.Compact(kinds))
}

func TestCallerByTheTool(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.ownClock()
	u, cli := m.addUser("mia@acme.test"), m.person()
	f := u.AddTOTP("OKTA")
	m.requireLoggedIn(cli, m.runLogin(cli, m.loginArgs(u, "password="+u.Password(), "totp="+f.Code())...))
	posts := 0
	for _, r := range m.org.Requests() {
		if r.Method == http.MethodPost {
			posts++
			require.Equal(t, "127.0.0.1", r.ForwardedFor())
			require.Equal(t, ownAgent, r.UserAgent())
		}
	}
	require.Equal(t, 2, posts)
}
