package oktatest_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
)

func search(expression string) string { return url.QueryEscape(expression) }

func TestSearchUsers(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	mia, tom := srv.AddUser(login, password), srv.AddUser("tom@acme.test", password)
	odd := srv.AddUser(`odd "one"\two`, password)
	tom.SetEmail("Team@acme.test")
	odd.SetEmail("Team@acme.test")
	assert.Equal(t, login, mia.Email())

	for _, tc := range []struct {
		kind, expression string
		want             []string
	}{
		{"search", `profile.login eq "mia.ito@acme.test"`, []string{mia.ID}},
		{"search", `profile.login eq "MIA.Ito@acme.test"`, []string{mia.ID}},
		{"search", `profile.login eq "mia.ito"`, nil}, // not a short name
		{"search", `profile.login eq ""`, nil},
		{"search", `profile.email eq "mia.ito@acme.test"`, []string{mia.ID}}, // the login by default
		{"search", `profile.email eq "team@ACME.test"`, []string{tom.ID, odd.ID}},
		{"search", `profile.email eq "tom@acme.test"`, nil},
		{"search", `profile.login eq "team@acme.test"`, nil},
		{"search", `profile.login eq "tom@acme.test" or profile.email eq "team@acme.test"`, []string{tom.ID, odd.ID}},
		{"search", `profile.email eq "mia.ito@acme.test" or profile.login eq "tom@acme.test"`, []string{mia.ID, tom.ID}},
		{"search", `profile.login eq "ODD \"one\"\\two"`, []string{odd.ID}},
		{"search", `profile.login eq "x\" or profile.login eq \"tom@acme.test"`, nil},
		{"filter", `profile.login eq "mia.ito@acme.test"`, []string{mia.ID}},
		{"filter", `profile.login eq "Mia.ito@acme.test"`, nil},
		{"filter", `profile.email eq "Team@acme.test"`, []string{tom.ID, odd.ID}},
		{"filter", `profile.email eq "team@acme.test"`, nil},
		{"filter", `profile.login eq "odd \"one\"\\two"`, []string{odd.ID}},
	} {
		r := c.get("/api/v1/users?" + tc.kind + "=" + search(tc.expression))
		var got []string
		for _, u := range r.list(t) {
			got = append(got, u.ID)
		}
		assert.Equal(t, tc.want, got, "%s %s", tc.kind, tc.expression)
		self := srv.URL + "/api/v1/users?" + tc.kind + "=" + search(tc.expression)
		assert.Equal(t, []string{"<" + self + `>; rel="self"`}, r.header.Values("Link"))
	}

	got := c.get("/api/v1/users?search=" + search(`profile.login eq "tom@acme.test"`)).list(t)[0]
	assert.Equal(t, "ACTIVE", got.Status)
	assert.Equal(t, "tom@acme.test", got.Profile["login"])
	assert.Equal(t, "Team@acme.test", got.Profile["email"])
}

func TestSearchesThatAreRefused(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	srv.AddUser(login, password)
	const login = `profile.login eq "a"`
	for _, query := range []string{
		"", "?limit=5", "?q=mia", "?search=", "?filter=",
		"?search=" + search(login) + "&q=mia",
		"?search=" + search(login) + "&filter=" + search(login),
		"?filter=" + search(login+" or "+login),
	} {
		r := c.get("/api/v1/users"+query).is(t, 400, "E0000031")
		assert.Equal(t, "This is no search.", r.str("errorSummary"))
	}
	for _, expression := range []string{
		`profile.login eq a`, `profile.login eq "a`, `profile.login eq 'a'`, `profile.login eq "a""`,
		`profile.login eq "a\"`, `profile.login eq "a\b"`, `profile.login sw "a"`, `profile.login ne "a"`,
		`login eq "a"`, `profile.firstName eq "a"`, `status eq "LOCKED_OUT"`, `id eq "00u1"`,
		login + ` and ` + login, login + ` or`, login + ` or `, `or ` + login, `(` + login + `)`, ` ` + login,
		login + ` ` + login, login + "\n", `profile.login eq "x" or profile.login pr`,
	} {
		for _, kind := range []string{"search", "filter"} {
			c.get("/api/v1/users?"+kind+"="+search(expression)).is(t, 400, "E0000031")
		}
	}
}

func TestActiveUsers(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	srv.AddUser("lea@acme.test", password).SetStatus("LOCKED_OUT")
	mia := srv.AddUser(login, password)
	active := search(`status eq "ACTIVE"`)
	r := c.get("/api/v1/users?limit=1&filter="+active).is(t, 200, "")
	assert.Contains(t, string(r.raw), mia.ID)
	c.get("/api/v1/users?search="+active).is(t, 400, "E0000031")
}

func TestSearchLimit(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	for i := range 205 {
		srv.AddUser(fmt.Sprintf("user%d@acme.test", i), password).SetEmail("team@acme.test")
	}
	path := "/api/v1/users?search=" + search(`profile.email eq "team@acme.test"`)
	for limit, want := range map[string]int{"": 200, "&limit=2": 2, "&limit=500": 200, "&limit=0": 200, "&limit=x": 200} {
		r := c.get(path + limit)
		assert.Len(t, r.list(t), want, limit)
		assert.Empty(t, r.next())
	}
}

func TestNobodyIsFoundByEmail(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	u.SetEmail("mia@home.test")
	assert.Equal(t, "mia@home.test", u.Email())
	for _, name := range []string{"mia@home.test", "mia"} {
		c.get("/api/v1/users/"+name).is(t, 404, "E0000007")
		c.login(name, password).is(t, 401, "E0000004")
	}
	r := c.get("/api/v1/users/"+login).is(t, 200, "ACTIVE")
	assert.Equal(t, "mia@home.test", r.str("profile", "email"))
	assert.Equal(t, login, r.str("profile", "login"))
	f := u.AddFactor("email", "OKTA")
	assert.Equal(t, "m...a@home.test", c.get(factorPath(f)).str("profile", "email"))
	u.SetEmail("")
	assert.Equal(t, login, u.Email())
}
