package okta_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// waitingAt is a push that waits, with these links.
func waitingAt(poll, cancel string) string {
	return fmt.Sprintf(`{"factorResult":"WAITING","_links":{"poll":{"href":%q},"cancel":{"href":%q}}}`, poll, cancel)
}

// TestFactorLinks: a link decides which of the push's own paths is asked for, and
// never at which host.
func TestFactorLinks(t *testing.T) {
	t.Parallel()
	var foreign atomic.Int32
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign.Add(1) }))
	t.Cleanup(elsewhere.Close)
	srv, user := newOrg(t)
	push := user.AddPush()
	c := newClient(t, srv)
	at := factorPath(push) + "/transactions/"
	for _, tc := range []struct{ name, link, path, query string }{
		{"the org's own", srv.URL + at + "v2mst.a", at + "v2mst.a", ""},
		{"another host", elsewhere.URL + at + "v2mst.a", at + "v2mst.a", ""},
		{"another host and a user", strings.Replace(elsewhere.URL, "https://", "https://me:secret@", 1) + at + "a", at + "a", ""},
		{"another scheme", "http://127.0.0.1:1" + at + "a", at + "a", ""},
		{"no scheme", strings.TrimPrefix(elsewhere.URL, "https:") + at + "a", at + "a", ""},
		{"no host", at + "a", at + "a", ""},
		{"dots", srv.URL + at + "...a..b.", at + "...a..b.", ""},
		{"query", srv.URL + at + "a?x=1&y=..%2F", at + "a", "x=1&y=..%2F"},
		{"fragment", srv.URL + at + "a#/../../", at + "a", ""},
		{"encoded letters", srv.URL + at + "%61%20b%3F", at + "%61%20b%3F", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv.Fail("verifyfactor", oktatest.Body(201, "application/json", waitingAt(tc.link, tc.link)).Times(1))
			got, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), false)
			require.NoError(t, err)
			srv.Reset()
			_, err = c.PollFactor(t.Context(), got)
			assert.Equal(t, okta.CodeNotFound, refusal(t, err).Code, "there is no such push")
			assert.Error(t, c.CancelFactor(t.Context(), got))
			require.Len(t, srv.Requests(), 2)
			for i, r := range srv.Requests() {
				assert.Equal(t, []string{http.MethodGet, http.MethodDelete}[i], r.Method)
				assert.Equal(t, tc.path, r.Path)
				assert.Equal(t, tc.query, r.RawQuery)
				assert.Equal(t, strings.TrimPrefix(srv.URL, "https://"), r.Host)
			}
		})
	}
	assert.Zero(t, foreign.Load(), "requests that followed a link to another host")
}

// TestFactorLinksElsewhere: the API token can do more than to ask about a push.
// Where a link leads to anything else, it is not used at all.
func TestFactorLinksElsewhere(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	eve := srv.AddUser("eve@acme.test", password)
	push, other := user.AddPush(), eve.AddPush()
	c := newClient(t, srv)
	at := factorPath(push) + "/transactions/"
	for name, path := range map[string]string{
		"another user":                   factorPath(other) + "/transactions/a",
		"another factor":                 strings.Replace(at, push.ID, "opf2", 1) + "a",
		"the factor":                     factorPath(push),
		"the user":                       "/api/v1/users/" + user.ID,
		"another endpoint":               "/api/v1/users/" + user.ID + "/lifecycle/deactivate",
		"another API":                    "/api/v1/authn",
		"no id":                          at,
		"no id and no slash":             strings.TrimSuffix(at, "/"),
		"query in place of the id":       at + "?id=a",
		"one dot":                        at + ".",
		"two dots":                       at + "..",
		"two dots, encoded":              at + "%2e%2e",
		"two dots, half encoded":         at + ".%2E",
		"one dot, encoded":               at + "%2e",
		"up and down":                    at + "../../" + other.ID + "/transactions/a",
		"up, encoded slash":              at + "..%2F..",
		"encoded slash":                  at + "a%2Fb",
		"encoded slash in lower case":    at + "a%2fb",
		"backslash":                      at + `..\..`,
		"encoded backslash":              at + "..%5C..",
		"longer":                         at + "a/approve",
		"slash at the end":               at + "a/",
		"two slashes":                    at + "/a",
		"up before the user":             "/api/v1/users/x/../" + strings.TrimPrefix(at, "/api/v1/users/") + "a",
		"encoded where it need not be":   strings.Replace(at, "transactions", "%74ransactions", 1) + "a",
		"another case":                   strings.Replace(at, "transactions", "Transactions", 1) + "a",
		"prefix of something else":       "/x" + at + "a",
		"nothing but a host":             "",
		"broken escape":                  at + "%zz",
		"control character in the place": at + "a\x00",
	} {
		t.Run(name, func(t *testing.T) {
			good, bad := srv.URL+at+"a", srv.URL+path
			for which, body := range map[string]string{"poll": waitingAt(bad, good), "cancel": waitingAt(good, bad)} {
				srv.Reset()
				srv.Fail("verifyfactor", oktatest.Body(201, "application/json", strings.ReplaceAll(body, `\x00`, `\u0000`)).Times(1))
				got, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), false)
				assert.ErrorIs(t, err, okta.ErrMalformed, which)
				assert.NotContains(t, err.Error(), other.ID, "links are not quoted")
				_, err = c.PollFactor(t.Context(), got)
				assert.ErrorIs(t, err, okta.ErrMalformed, which)
				assert.NoError(t, c.CancelFactor(t.Context(), got), which)
				assert.Len(t, srv.Requests(), 1, "%s: nothing is sent but the challenge", which)
			}
		})
	}
	for name, link := range map[string]string{"opaque": "https:" + strings.TrimPrefix(at, "/") + "a", "script": "javascript:alert(1)", "relative": "a"} {
		t.Run(name, func(t *testing.T) {
			srv.Fail("verifyfactor", oktatest.Body(201, "application/json", waitingAt(link, link)).Times(1))
			_, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), false)
			assert.ErrorIs(t, err, okta.ErrMalformed)
		})
	}
}

// TestPollKeepsItsLinks: what an answer to a poll links to is not followed.
func TestPollKeepsItsLinks(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	push := user.AddPush()
	c := newClient(t, srv)
	got, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), false)
	require.NoError(t, err)
	srv.Fail("transaction", oktatest.Body(200, "application/json", waitingAt(srv.URL+"/api/v1/users/me", srv.URL+"/api/v1/users/"+user.ID)).Times(1))
	got, err = c.PollFactor(t.Context(), got)
	require.NoError(t, err)
	_, err = c.PollFactor(t.Context(), got)
	require.NoError(t, err)
	require.NoError(t, c.CancelFactor(t.Context(), got))
	assert.Equal(t, 1, push.Withdrawn())
	for _, r := range srv.Requests()[1:] {
		assert.True(t, strings.HasPrefix(r.Path, factorPath(push)+"/transactions/v2mst."), r.Path)
	}
}
