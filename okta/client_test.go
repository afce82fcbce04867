package okta_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestRequestBodies(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	open := okta.Transaction{StateToken: state}
	for name, tc := range map[string]struct {
		do         func() error
		path, body string
	}{
		"authenticate": {
			func() error { _, err := c.Authenticate(t.Context(), login, `p"<&>ß`); return err },
			"/api/v1/authn",
			`{"username":"mia.ito@acme.test","password":"p\"<&>ß","options":{"warnBeforePasswordExpired":true}}`,
		},
		"passcode": {
			func() error { _, err := c.Verify(t.Context(), open, okta.Factor{ID: "ost1"}, "048213"); return err },
			"/api/v1/authn/factors/ost1/verify",
			`{"stateToken":"00aB3stateTokenSample","passCode":"048213"}`,
		},
		"start of a challenge, and poll": { // an empty passCode may count as a wrong one
			func() error { _, err := c.Verify(t.Context(), open, okta.Factor{ID: "opf1"}, ""); return err },
			"/api/v1/authn/factors/opf1/verify",
			`{"stateToken":"00aB3stateTokenSample"}`,
		},
		"answer": {
			func() error { _, err := c.Verify(t.Context(), open, dislike, " Grün kohl "); return err },
			"/api/v1/authn/factors/ufs4ques01/verify",
			`{"stateToken":"00aB3stateTokenSample","answer":" Grün kohl "}`,
		},
		"no answer": {
			func() error { _, err := c.Verify(t.Context(), open, dislike, ""); return err },
			"/api/v1/authn/factors/ufs4ques01/verify",
			`{"stateToken":"00aB3stateTokenSample"}`,
		},
		"code that was sent": { // a string: its zeros count
			func() error { _, err := c.Verify(t.Context(), open, sms, "000123"); return err },
			"/api/v1/authn/factors/sms2phon01/verify",
			`{"stateToken":"00aB3stateTokenSample","passCode":"000123"}`,
		},
		"resend": {
			func() error { _, err := c.Resend(t.Context(), open, email); return err },
			"/api/v1/authn/factors/emf5mail01/verify/resend",
			`{"stateToken":"00aB3stateTokenSample"}`,
		},
		"previous": {
			func() error { _, err := c.Previous(t.Context(), open); return err },
			"/api/v1/authn/previous",
			`{"stateToken":"00aB3stateTokenSample"}`,
		},
		"skip": {
			func() error { _, err := c.Skip(t.Context(), open); return err },
			"/api/v1/authn/skip",
			`{"stateToken":"00aB3stateTokenSample"}`,
		},
		"cancel": {
			func() error { return c.Cancel(t.Context(), open) },
			"/api/v1/authn/cancel",
			`{"stateToken":"00aB3stateTokenSample"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv.Reset()
			refusal(t, tc.do()) // the state token and the password are invented
			require.Len(t, srv.Requests(), 1)
			r := srv.Requests()[0]
			assert.Equal(t, http.MethodPost, r.Method)
			assert.Equal(t, tc.path, r.Path)
			assert.Empty(t, r.RawQuery)
			var got, want any
			require.NoError(t, json.Unmarshal(r.Body, &got))
			require.NoError(t, json.Unmarshal([]byte(tc.body), &want))
			assert.Equal(t, want, got)
		})
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t, oktatest.Options{PageSize: 1})
	mia.SetGroups("Everyone", "Scientists")

	type headers struct {
		authorization, forwardedFor, userAgent string
	}
	seen := func(t *testing.T, c *okta.Client) map[string]headers {
		t.Helper()
		srv.Reset()
		for _, call := range authnCalls(mia) {
			_ = call.do(t.Context(), c) // the state token is unknown: only the request counts
		}
		got := map[string]headers{}
		for _, r := range srv.Requests() {
			assert.Equal(t, []string{"application/json"}, r.Header.Values("Accept"), r.Path)
			if r.Method == http.MethodPost {
				assert.Equal(t, []string{"application/json"}, r.Header.Values("Content-Type"), r.Path)
			}
			assert.Empty(t, r.Header.Values("Cookie"), "%s: the org's cookies must not come back", r.Path)
			got[r.Path] = headers{
				strings.Join(r.Header.Values("Authorization"), "|"),
				strings.Join(r.Header.Values("X-Forwarded-For"), "|"),
				strings.Join(r.Header.Values("User-Agent"), "|"),
			}
		}
		return got
	}
	authn := []string{"/api/v1/authn", "/api/v1/authn/factors/ost1/verify", "/api/v1/authn/factors/sms1/verify/resend",
		"/api/v1/authn/previous", "/api/v1/authn/skip", "/api/v1/authn/cancel"}
	groups := "/api/v1/users/" + mia.ID + "/groups"

	t.Run("with a token, for a caller", func(t *testing.T) {
		base := newClient(t, srv, func(cfg *okta.Config) { cfg.UserAgent = "login-test/1.0" })
		got := seen(t, base.For(okta.Caller{Address: "198.51.100.7"}))
		ssws := "SSWS " + srv.Token
		for _, path := range authn {
			assert.Equal(t, headers{ssws, "198.51.100.7", "login-test/1.0"}, got[path], path)
		}
		assert.Equal(t, headers{ssws, "", "login-test/1.0"}, got[groups], "groups are asked for by the plugin, not by the caller")

		assert.Empty(t, seen(t, base)[authn[0]].forwardedFor, "For must not change the client it is called on")
		assert.Empty(t, seen(t, base.For(okta.Caller{}))[authn[0]].forwardedFor)
	})
	t.Run("for a caller behind a gateway", func(t *testing.T) {
		const browser = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15"
		base := newClient(t, srv, func(cfg *okta.Config) { cfg.UserAgent = "login-test/1.0" })
		got := seen(t, base.For(okta.Caller{Address: "198.51.100.7, 2001:db8::9", UserAgent: browser}))
		for _, path := range authn {
			assert.Equal(t, headers{"SSWS " + srv.Token, "198.51.100.7, 2001:db8::9", browser + " login-test/1.0"}, got[path], path)
		}
		assert.Equal(t, headers{"SSWS " + srv.Token, "", "login-test/1.0"}, got[groups])
		assert.Equal(t, "login-test/1.0", seen(t, base)[authn[0]].userAgent, "For must not change the client it is called on")
	})
	t.Run("for a caller who is up to no good", func(t *testing.T) {
		base := newClient(t, srv, func(cfg *okta.Config) { cfg.UserAgent = "login-test/1.0" })
		got := seen(t, base.For(okta.Caller{
			Address:   "198.51.100.7\r\nX-Evil: 1",
			UserAgent: "curl/8\r\nAuthorization: SSWS 00evil\x00\x7f\xff é",
		}))
		for _, path := range authn {
			assert.Equal(t, headers{"SSWS " + srv.Token, "", "curl/8Authorization: SSWS 00evil login-test/1.0"}, got[path], path)
		}
		for _, r := range srv.Requests() {
			assert.Empty(t, r.Header.Values("X-Evil"), r.Path)
		}
	})
	t.Run("without a name of its own", func(t *testing.T) {
		base := newClient(t, srv)
		assert.Equal(t, "curl/8", seen(t, base.For(okta.Caller{UserAgent: "curl/8"}))[authn[0]].userAgent)
	})
	t.Run("without a token", func(t *testing.T) {
		c := newClient(t, srv, func(cfg *okta.Config) { cfg.APIToken = okta.Secret{} })
		got := seen(t, c)
		for _, path := range authn {
			assert.Empty(t, got[path].authorization, path)
		}
		assert.NotContains(t, got, groups, "groups cannot be asked for without a token")
		_, err := c.Groups(t.Context(), mia.ID)
		assert.ErrorIs(t, err, okta.ErrNoAPIToken)
	})
}

func TestPathsAreEscaped(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	for _, tc := range []struct{ id, want string }{
		{"opf7push01", "opf7push01"},
		{"../x", "..%2Fx"},
		{"a/b?c", "a%2Fb%3Fc"},
		{"a#b", "a%23b"},
		{"a%2Fb", "a%252Fb"},
		{"a b", "a%20b"},
		{"a\r\nX: y", "a%0D%0AX:%20y"},
		{"...", "..."},
		{"ü", "%C3%BC"},
	} {
		t.Run(tc.id, func(t *testing.T) {
			srv.Reset()
			_, err := c.Verify(t.Context(), okta.Transaction{StateToken: state}, okta.Factor{ID: tc.id}, passCode)
			require.Error(t, err)
			_, err = c.Groups(t.Context(), tc.id)
			require.Error(t, err)
			_, err = c.Resend(t.Context(), okta.Transaction{StateToken: state}, okta.Factor{ID: tc.id})
			require.Error(t, err)
			require.Len(t, srv.Requests(), 3)
			assert.Equal(t, "/api/v1/authn/factors/"+tc.want+"/verify/resend", srv.Requests()[2].Path)
			assert.Equal(t, "/api/v1/authn/factors/"+tc.want+"/verify", srv.Requests()[0].Path)
			assert.Equal(t, "/api/v1/users/"+tc.want+"/groups", srv.Requests()[1].Path)
			assert.Equal(t, "limit=200", srv.Requests()[1].RawQuery)
		})
	}
	// Nothing escapes these: "users/../groups" may be resolved to all groups there are.
	for _, id := range []string{"", ".", ".."} {
		t.Run("refused "+id, func(t *testing.T) {
			srv.Reset()
			_, err := c.Verify(t.Context(), okta.Transaction{StateToken: state}, okta.Factor{ID: id}, passCode)
			assert.ErrorIs(t, err, okta.ErrMalformed)
			_, err = c.Groups(t.Context(), id)
			assert.ErrorIs(t, err, okta.ErrMalformed)
			_, err = c.Resend(t.Context(), okta.Transaction{StateToken: state}, okta.Factor{ID: id})
			assert.ErrorIs(t, err, okta.ErrMalformed)
			assert.Empty(t, srv.Requests())
		})
	}
}

// TestOneConnection: two logins, with all that belongs to one, share a
// connection, whoever they are made for.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, options oktatest.Options, proto string) {
		connections := twoLogins(t, options, proto)
		// Over HTTP/1.1 net/http gives a connection up where it learns too late that a request
		// has been written: 50 ms after the answer, which a busy machine may need.
		for tries := 1; options.HTTP1Only && connections > 1 && tries < 5; tries++ {
			connections = twoLogins(t, options, proto)
		}
		assert.Equal(t, 1, connections)
	})
}

// twoLogins logs in twice, and returns how many connections that took.
func twoLogins(t *testing.T, options oktatest.Options, proto string) int {
	srv, mia := newOrg(t, options)
	mia.SetStatus("PASSWORD_WARN")
	mia.SetGroups("Everyone", "Scientists")
	mia.AddPush("SUCCESS")
	c := newClient(t, srv)
	for _, address := range []string{"198.51.100.7", "198.51.100.8"} {
		c := c.For(okta.Caller{Address: address})
		tx, err := c.Authenticate(t.Context(), login, password)
		require.NoError(t, err)
		require.Equal(t, okta.StatusMFARequired, tx.Status)
		tx, err = c.Verify(t.Context(), tx, tx.Factors[0], "")
		require.NoError(t, err)
		require.Equal(t, okta.StatusPasswordWarn, tx.Status)
		tx, err = c.Skip(t.Context(), tx)
		require.NoError(t, err)
		require.Equal(t, okta.StatusSuccess, tx.Status)
		groups, err := c.Groups(t.Context(), tx.User.ID)
		require.NoError(t, err)
		assert.Len(t, groups, 2)
	}
	assert.Len(t, srv.Requests(), 8)
	for _, r := range srv.Requests() {
		assert.Equal(t, proto, r.Proto)
	}
	return srv.Connections()
}

// TestConnectionClosedWhileIdle: a server may close a connection that nobody
// uses, and the next login must not notice.
func TestConnectionClosedWhileIdle(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{true, false} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"status":"LOCKED_OUT"}`))
		}))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		t.Cleanup(srv.Close)
		closed := make(chan struct{}, 10)
		c := clientOf(t, srv, func(cfg *okta.Config) {
			cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				return closing{conn, sync.OnceFunc(func() { closed <- struct{}{} })}, err
			}
		})
		for range 3 {
			_, err := c.Authenticate(t.Context(), login, password)
			require.NoError(t, err, "HTTP/2: %v", http2)
			srv.CloseClientConnections()
			<-closed // the client has heard of it
		}
	}
}

// closing is a connection that tells once that it is closed.
type closing struct {
	net.Conn
	tell func()
}

func (c closing) Close() error {
	c.tell()
	return c.Conn.Close()
}

func TestNewRefusesBadURLs(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "http://acme.okta.com", "https://acme.okta.com/path", "acme.okta.com"} {
		_, err := okta.New(okta.Config{OrgURL: s, APIToken: okta.NewSecret("00token")})
		assert.Error(t, err, s)
	}
}
