package okta_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// account is what the org's user looks like from here.
func account(u *oktatest.User) okta.Account {
	return okta.Account{ID: u.ID, Login: u.Login(), Email: u.Email(), Status: u.Status()}
}

// TestAccount: by each of the names that Okta knows a person by, and by no part
// of another's.
func TestAccount(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	mia.SetEmail("mia@home.test")
	srv.AddUser("eve@acme.test", password)
	srv.AddUser("eve@other.test", password)
	srv.AddUser("a/b@acme.test", password)
	slash := srv.AddUser("ops/root", password)
	c := newClient(t, srv)
	for _, tc := range []struct {
		name, asked, path string
		want              *oktatest.User // nil: there is none
	}{
		{"id", mia.ID, mia.ID, mia},
		{"login", login, "mia.ito@acme.test", mia},
		{"login in another case", "MIA.Ito@Acme.Test", "MIA.Ito@Acme.Test", mia},
		{"short name", "mia.ito", "mia.ito", mia},
		{"short name in another case", "Mia.Ito", "Mia.Ito", mia},
		{"unknown", "nobody", "nobody", nil},
		{"short name of two", "eve", "eve", nil},
		{"part of a name", "mia", "mia", nil},
		{"e-mail address", "mia@home.test", "mia@home.test", nil},
		{"slash", "a/b@acme.test", "a%2Fb@acme.test", nil}, // Okta's limit
		{"slash, by id", slash.ID, slash.ID, slash},
		{"way up", "../groups", "..%2Fgroups", nil},
		{"way down", login + "/factors", "mia.ito@acme.test%2Ffactors", nil},
		{"query", "mia.ito?search=x", "mia.ito%3Fsearch=x", nil},
		{"fragment", "mia.ito#x", "mia.ito%23x", nil},
		{"encoded", "mia%2eito", "mia%252eito", nil},
		{"line break", "mia.ito\r\nX: y", "mia.ito%0D%0AX:%20y", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv.Reset()
			got, err := c.Account(t.Context(), tc.asked)
			if tc.want == nil {
				none := refusal(t, err)
				assert.Equal(t, okta.CodeNotFound, none.Code)
				assert.Equal(t, 404, none.HTTPStatus)
				assert.Zero(t, got)
			} else {
				require.NoError(t, err)
				assert.Equal(t, account(tc.want), got)
			}
			require.Len(t, srv.Requests(), 1)
			r := srv.Requests()[0]
			assert.Equal(t, http.MethodGet, r.Method)
			assert.Equal(t, "/api/v1/users/"+tc.path, r.Path)
			assert.Empty(t, r.RawQuery)
			assert.Empty(t, r.Body)
			assert.Equal(t, "SSWS "+srv.Token, r.Header.Get("Authorization"))
		})
	}
	for _, name := range []string{"", ".", ".."} {
		t.Run("refused "+name, func(t *testing.T) {
			srv.Reset()
			got, err := c.Account(t.Context(), name)
			assert.ErrorIs(t, err, okta.ErrMalformed)
			assert.Zero(t, got)
			assert.Empty(t, srv.Requests())
		})
	}
}

// TestAccountStatus: an account that may not log in is found, and says so.
func TestAccountStatus(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	c := newClient(t, srv)
	for _, status := range []string{"ACTIVE", "SUSPENDED", "LOCKED_OUT", "DEPROVISIONED", "STAGED", "PROVISIONED", "RECOVERY", "PASSWORD_EXPIRED"} {
		mia.SetStatus(status)
		got, err := c.Account(t.Context(), mia.ID)
		require.NoError(t, err)
		assert.Equal(t, okta.Account{ID: mia.ID, Login: login, Email: login, Status: status}, got)
		assert.Equal(t, status == "ACTIVE", got.Status == okta.AccountActive)
	}
	mia.Delete()
	_, err := c.Account(t.Context(), mia.ID)
	said(404, okta.CodeNotFound, "There is nothing like "+mia.ID+" (User)", 0)(t, withoutCauses(err))
}

// withoutCauses lets said compare an error whose causes do not matter.
func withoutCauses(err error) error {
	if e, ok := errors.AsType[*okta.Error](err); ok {
		e.Causes = nil
	}
	return err
}

func TestAccountGolden(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	want := okta.Account{ID: "00u1miaito", Login: login, Email: "mia@home.test", Status: "ACTIVE"}
	raw := string(golden(t, "users/user"))
	srv.Fail("users", oktatest.Body(200, "application/json", raw).Times(1))
	got, err := c.Account(t.Context(), login)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	srv.Fail("listusers", oktatest.Body(200, "application/json", "["+raw+"]").Times(1))
	list, err := c.AccountsByEmail(t.Context(), "Mia@home.test")
	require.NoError(t, err)
	assert.Equal(t, []okta.Account{want}, list)
}

// TestNotAnAccount: an answer that is not one of a user names nobody.
func TestNotAnAccount(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	c := newClient(t, srv)
	for _, body := range []string{``, `null`, `{}`, `[]`, `"00u1"`, `{"id":""}`, `{"id":7}`, `{"id":"00u1","profile":[]}`, `{"status":"ACTIVE","profile":{"login":"mia.ito@acme.test"}}`} {
		srv.Fail("users", oktatest.Body(200, "application/json", body).Times(1))
		got, err := c.Account(t.Context(), mia.ID)
		assert.ErrorIs(t, err, okta.ErrMalformed, body)
		assert.Zero(t, got, body)
	}
	for _, body := range []string{``, `{}`, `"00u1"`, `[7]`, `[{"id":7}]`, `[{"id":"00u1","profile":{"email":[]}}]`} {
		srv.Fail("listusers", oktatest.Body(200, "application/json", body).Times(1))
		got, err := c.AccountsByEmail(t.Context(), login)
		assert.ErrorIs(t, err, okta.ErrMalformed, body)
		assert.Empty(t, got, body)
	}
}

// TestAccountsByEmail: all who have the address, as it is written in whatever
// case, and nobody else.
func TestAccountsByEmail(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	mia.SetEmail("mia@home.test")
	shared := []*oktatest.User{srv.AddUser("one@acme.test", password), srv.AddUser("two@acme.test", password)}
	for _, u := range shared {
		u.SetEmail("Team@acme.test")
	}
	quoted := srv.AddUser("odd@acme.test", password)
	quoted.SetEmail(`o"mal\\le"y\@acme.test`)
	gone := srv.AddUser("gone@acme.test", password)
	gone.SetStatus("SUSPENDED")
	c := newClient(t, srv)
	for _, tc := range []struct {
		name, asked string
		want        []*oktatest.User
	}{
		{"one", "mia@home.test", []*oktatest.User{mia}},
		{"another case", "MIA@Home.TEST", []*oktatest.User{mia}},
		{"two", "team@acme.test", shared},
		{"none", "nobody@home.test", nil},
		{"a login that is no address", login, nil},
		{"a part", "mia@home", nil},
		{"nothing", "", nil},
		{"quotes and backslashes", `o"mal\\le"y\@acme.test`, []*oktatest.User{quoted}},
		{"other quotes and backslashes", `o"mal\le"y\@acme.test`, nil},
		{"a way out of the quotes", `x" or profile.login eq "` + login, nil},
		{"an escaped way out", `x\" or profile.login eq \"` + login, nil},
		{"a backslash at the end", `mia@home.test\`, nil},
		{"what a query is made of", "a&limit=200#+%22@home.test", nil},
		{"suspended", "gone@acme.test", []*oktatest.User{gone}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv.Reset()
			got, err := c.AccountsByEmail(t.Context(), tc.asked)
			require.NoError(t, err)
			var want []okta.Account
			for _, u := range tc.want {
				want = append(want, account(u))
			}
			assert.Equal(t, want, got)
			require.Len(t, srv.Requests(), 1)
			r := srv.Requests()[0]
			assert.Equal(t, "/api/v1/users", r.Path)
			query, err := url.ParseQuery(r.RawQuery)
			require.NoError(t, err)
			assert.Equal(t, "10", query.Get("limit"))
			assert.Len(t, query, 2)
			assert.True(t, strings.HasPrefix(query.Get("search"), `profile.email eq "`), query.Get("search"))
		})
	}
}

// TestAccountsByEmailAreOfThatEmail: where the index is behind, or answers another
// question, accounts with another address are left out.
func TestAccountsByEmailAreOfThatEmail(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	user := func(n int, email string) string {
		return fmt.Sprintf(`{"id":"00u%d","status":"ACTIVE","profile":{"login":"u%[1]d@acme.test","email":%q}}`, n, email)
	}
	srv.Fail("listusers", oktatest.Body(200, "application/json",
		"["+user(1, "eve@acme.test")+","+user(2, "Mia@acme.test")+","+user(3, "")+","+user(4, "xmia@acme.test")+`,{"id":"00u5"},null]`))
	got, err := c.AccountsByEmail(t.Context(), "mia@acme.test")
	require.NoError(t, err)
	assert.Equal(t, []okta.Account{{ID: "00u2", Login: "u2@acme.test", Email: "Mia@acme.test", Status: "ACTIVE"}}, got)
}

func TestAccountsNeedAToken(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	c := newClient(t, srv, func(cfg *okta.Config) { cfg.APIToken = okta.Secret{} })
	got, err := c.Account(t.Context(), mia.ID)
	assert.ErrorIs(t, err, okta.ErrNoAPIToken)
	assert.Zero(t, got)
	list, err := c.AccountsByEmail(t.Context(), login)
	assert.ErrorIs(t, err, okta.ErrNoAPIToken)
	assert.Empty(t, list)
	assert.Empty(t, srv.Requests())

	weak := newClient(t, srv, func(cfg *okta.Config) { cfg.APIToken = okta.NewSecret("00another") })
	_, err = weak.Account(t.Context(), mia.ID)
	assert.Equal(t, okta.CodeInvalidToken, refusal(t, err).Code)
	assert.NotContains(t, err.Error(), "00another")
}

// The API token is used, and by itself: also where a service app makes the other calls,
// and where logins do not send it.
func TestUseAPIToken(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	app, c := appOf(t, srv, okta.ES256, readUsers)
	assert.ErrorIs(t, c.UseAPIToken(t.Context()), okta.ErrNoAPIToken)
	assert.Empty(t, srv.Requests())

	key, err := okta.NewSigningKey(okta.ES256)
	require.NoError(t, err)
	c = newClient(t, srv, func(cfg *okta.Config) {
		cfg.PublicApp = true
		cfg.ServiceApp = &okta.ServiceApp{ClientID: app.ID, Scopes: []string{readUsers}, Key: key}
	})
	require.NoError(t, c.UseAPIToken(t.Context()))
	require.Len(t, srv.Requests(), 1)
	r := srv.Requests()[0]
	assert.Equal(t, "GET /api/v1/users/me", r.Method+" "+r.Path)
	assert.Equal(t, "SSWS "+srv.Token, r.Header.Get("Authorization"))

	c = newClient(t, srv, func(cfg *okta.Config) { cfg.APIToken = okta.NewSecret("00dead") })
	assert.Equal(t, okta.CodeInvalidToken, refusal(t, c.UseAPIToken(t.Context())).Code)
}

// A public application sends no token with logins, and one that is trusted does.
func TestTokenWithLoginsOnlyWhereTrusted(t *testing.T) {
	t.Parallel()
	for _, public := range []bool{false, true} {
		srv, mia := newOrg(t)
		mia.AddPush("SUCCESS")
		c := newClient(t, srv, func(cfg *okta.Config) { cfg.PublicApp = public })
		tx, err := c.Authenticate(t.Context(), login, password)
		require.NoError(t, err)
		_, err = c.Verify(t.Context(), tx, tx.Factors[0], "")
		require.NoError(t, err)
		for _, r := range srv.Requests() {
			require.True(t, strings.HasPrefix(r.Path, "/api/v1/authn"), r.Path)
			assert.Equal(t, public, r.Header.Get("Authorization") == "", r.Path)
		}
		srv.Reset()
		_, err = c.Groups(t.Context(), mia.ID)
		require.NoError(t, err)
		assert.Equal(t, "SSWS "+srv.Token, srv.Requests()[0].Header.Get("Authorization"))
	}
}
