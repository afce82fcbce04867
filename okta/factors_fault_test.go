package okta_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
			refusal, _ := asError(err)
			require.NotNil(t, refusal, "there is no such push: %v", err)
			assert.Equal(t, okta.CodeNotFound, refusal.Code)
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

// management lists the calls of the users and the factors API: of one user with a
// push, which waits, and an app.
func management(t *testing.T, c *okta.Client, user *oktatest.User) []call {
	t.Helper()
	push, app := user.AddPush(), user.AddTOTP("OKTA")
	waiting, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), true)
	require.NoError(t, err)
	transaction := func(got okta.FactorTransaction, err error) error {
		if err != nil && visible(got) != (okta.FactorTransaction{}) {
			panic("a transaction beside an error")
		}
		return err
	}
	const users = "/api/v1/users"
	polled := "" // the answer's secret
	return []call{
		{"account", "users", http.MethodGet, users + "/" + user.ID, 0, func(ctx context.Context, c *okta.Client) error {
			got, err := c.Account(ctx, user.ID)
			if err != nil && got != (okta.Account{}) {
				panic("an account beside an error")
			}
			return err
		}},
		{"accounts by email", "listusers", http.MethodGet, users, 0, func(ctx context.Context, c *okta.Client) error {
			got, err := c.AccountsByEmail(ctx, login)
			if err != nil && got != nil {
				panic("accounts beside an error")
			}
			return err
		}},
		{"factors", "listfactors", http.MethodGet, users + "/" + user.ID + "/factors", 0, func(ctx context.Context, c *okta.Client) error {
			got, err := c.Factors(ctx, user.ID)
			if err != nil && got != nil {
				panic("factors beside an error")
			}
			return err
		}},
		{"challenge", "verifyfactor", http.MethodPost, factorPath(push) + "/verify", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.ChallengeFactor(ctx, user.ID, enrolled(push), true))
		}},
		{"answer", "verifyfactor", http.MethodPost, factorPath(app) + "/verify", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.AnswerFactor(ctx, user.ID, enrolled(app), passCode))
		}},
		{"poll", "transaction", http.MethodGet, polled, 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.PollFactor(ctx, waiting))
		}},
		{"cancel", "canceltransaction", http.MethodDelete, polled, 0, func(ctx context.Context, c *okta.Client) error {
			return c.CancelFactor(ctx, waiting)
		}},
	}
}

// TestFactorFaults: as TestFaults, for the users and the factors API.
func TestFactorFaults(t *testing.T) {
	t.Parallel()
	var leaked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	t.Cleanup(elsewhere.Close)
	const tooMany = "API call exceeded rate limit due to too many requests."
	faults := []struct {
		name  string
		fault oktatest.Fault
		want  func(*testing.T, error)
		hasty bool // ends with the client's patience
	}{
		{"closed connection", oktatest.CloseConnection(), is(okta.ErrUnreachable), false},
		{"redirect 307", oktatest.Redirect(307, elsewhere.URL), is(okta.ErrMalformed), false},
		{"redirect within the org", oktatest.Redirect(308, "/api/v1/users/me"), is(okta.ErrMalformed), false},
		{"web page 200", oktatest.HTML(200), is(okta.ErrMalformed), false},
		{"web page 502", oktatest.HTML(502), said(502, "", "", 0), false},
		{"truncated JSON", oktatest.TruncatedJSON(), is(okta.ErrMalformed), false},
		{"5 MB", oktatest.HugeBody(5 << 20), is(okta.ErrMalformed), false},
		{"hanging before headers", oktatest.Hang(), is(okta.ErrTimeout), true},
		{"403", oktatest.Status(403, "E0000006", "You do not have permission"), said(403, okta.CodeAccessDenied, "You do not have permission", 0), false},
		{"404", oktatest.Status(404, "E0000007", "Not found"), said(404, okta.CodeNotFound, "Not found", 0), false},
		{"500", oktatest.Status(500, "E0000009", "Internal Server Error"), said(500, "E0000009", "Internal Server Error", 0), false},
		{"202 that is an error", oktatest.Accepted202(), said(202, "E0000070", "Waiting for ACK", 0), false},
		{"429", oktatest.RateLimited(0, 30*time.Second), said(429, "E0000047", tooMany, 30*time.Second), false},
		{"429 without headers", oktatest.RateLimitedBare(), said(429, "E0000047", tooMany, 0), false},
	}
	protocols(t, func(t *testing.T, options oktatest.Options, _ string) {
		for i := range 7 {
			srv, user := newOrg(t, options)
			patient := newClient(t, srv)
			hasty := newClient(t, srv, func(cfg *okta.Config) { cfg.Timeout = 200 * time.Millisecond })
			call := management(t, patient, user)[i]
			t.Run(call.name, func(t *testing.T) {
				t.Parallel()
				for _, f := range faults {
					t.Run(f.name, func(t *testing.T) {
						c := patient
						if f.hasty {
							c = hasty
						}
						// On a connection that has been used: only there net/http would repeat a
						// GET, or a DELETE.
						require.Eventually(t, func() bool {
							_, err := c.Authenticate(t.Context(), login, password)
							return err == nil
						}, 10*time.Second, time.Millisecond)
						srv.Reset()
						srv.Fail(call.endpoint, f.fault)
						start := time.Now()
						err := call.do(t.Context(), c)
						took := time.Since(start)
						sent := slices.DeleteFunc(srv.Requests(), func(r oktatest.Request) bool { return r.Path == "/api/v1/authn" })
						srv.ClearFaults()

						if assert.Error(t, err) {
							f.want(t, err)
							for _, secret := range []string{passCode, srv.Token, "<html"} {
								assert.NotContains(t, err.Error(), secret)
							}
						}
						assert.Less(t, took, 15*time.Second)
						require.Len(t, sent, 1)
						assert.Equal(t, call.method, sent[0].Method)
						if call.path != "" {
							assert.Equal(t, call.path, sent[0].Path)
						}
					})
				}
			})
		}
	})
	t.Cleanup(func() { assert.Zero(t, leaked.Load(), "requests that followed a redirect") })
}

// TestFactorContexts: each call stops when its caller does.
func TestFactorContexts(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	c := newClient(t, srv)
	for _, call := range management(t, c, user) {
		t.Run(call.name, func(t *testing.T) {
			srv.ClearFaults()
			srv.Fail(call.endpoint, oktatest.Hang())
			srv.Reset()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- call.do(ctx, c) }()
			require.Eventually(t, func() bool { return len(srv.Requests()) == 1 }, 10*time.Second, time.Millisecond)
			cancel()
			err := <-done
			assert.ErrorIs(t, err, context.Canceled)
			assert.NotErrorIs(t, err, okta.ErrUnreachable)

			srv.Reset()
			assert.ErrorIs(t, call.do(ctx, c), context.Canceled)
			assert.Empty(t, srv.Requests(), "a context that has ended before")

			late, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer stop()
			assert.ErrorIs(t, call.do(late, c), okta.ErrTimeout)
		})
	}
}

// TestFactorsUnreachable: nothing is sent to a server that is not known.
func TestFactorsUnreachable(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	c := newClient(t, srv)
	list := management(t, c, user)
	srv.Reset()
	strange := newClient(t, srv, func(cfg *okta.Config) { cfg.RootCAs = x509.NewCertPool() })
	for _, call := range list {
		is(okta.ErrUnreachable)(t, call.do(t.Context(), strange))
	}
	assert.Empty(t, srv.Requests())
	srv.Close()
	for _, call := range list {
		is(okta.ErrUnreachable)(t, call.do(t.Context(), c))
	}
}
