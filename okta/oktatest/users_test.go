package oktatest_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestGetUser(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	srv.AddUser("strange/login", password)
	srv.AddUser("tom@acme.test", password)
	srv.AddUser("tom@other.test", password)
	for _, name := range []string{u.ID, login, "MIA.ITO@ACME.TEST", "mia.ito"} {
		r := c.get("/api/v1/users/"+url.PathEscape(name)).is(t, 200, "ACTIVE")
		if got := r.str("id"); got != u.ID {
			t.Errorf("%s: id = %q, want %q", name, got, u.ID)
		}
		if got := r.str("profile", "login"); got != login {
			t.Errorf("%s: login = %q, want %q", name, got, login)
		}
	}
	for _, name := range []string{"nobody", "tom", "strange/login", strings.ToLower(u.ID) + "x"} {
		c.get("/api/v1/users/"+url.PathEscape(name)).is(t, 404, "E0000007")
	}

	for status, want := range map[string]string{
		"SUSPENDED": "SUSPENDED", "HIDDEN_LOCKED_OUT": "LOCKED_OUT", "PASSWORD_WARN": "ACTIVE",
		"MFA_ENROLL": "ACTIVE", "PASSWORD_RESET": "RECOVERY", "BRAND_NEW": "BRAND_NEW",
	} {
		u.SetStatus(status)
		c.get("/api/v1/users/"+u.ID).is(t, 200, want)
	}
	u.SetLogin("mia.sato@acme.test")
	c.get("/api/v1/users/"+login).is(t, 404, "E0000007")
	u.Delete()
	c.get("/api/v1/users/"+u.ID).is(t, 404, "E0000007")
	if got := c.get("/api/v1/users/me").is(t, 200, "ACTIVE").str("profile", "login"); got != "token.owner@acme.test" {
		t.Errorf("me is %q", got)
	}
}

func TestManagementNeedsTheToken(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	req := c.request("GET", "/api/v1/users/"+u.ID, nil)
	c.do(req).is(t, 401, "E0000005")
	req.Header.Set("Authorization", "SSWS wrong")
	c.do(req).is(t, 401, "E0000011")
}

// group is what a client needs of a group.
type group struct {
	Type    string
	Profile struct{ Name string }
}

// next finds the next link of a reply, in separate or joined headers.
func (r reply) next() string {
	for _, header := range r.header.Values("Link") {
		for _, part := range strings.Split(header, ", ") {
			if target, found := strings.CutSuffix(part, `>; rel="next"`); found {
				return strings.TrimPrefix(target, "<")
			}
		}
	}
	return ""
}

func TestGroupPages(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	var want []string
	for i := range 450 {
		want = append(want, fmt.Sprintf("Group %d, with a comma", i))
	}
	u.SetGroups(want...)

	for _, tc := range []struct {
		query string
		style oktatest.LinkStyle
		sizes []int
	}{
		{"", oktatest.LinkSeparate, []int{200, 200, 50}},
		{"?limit=1000", oktatest.LinkJoined, []int{200, 200, 50}},
		{"?limit=150", oktatest.LinkSeparate, []int{150, 150, 150}},
	} {
		srv.Configure(func(o *oktatest.Options) { o.GroupLinkStyle = tc.style })
		var got []string
		var sizes []int
		for at := "/api/v1/users/" + u.ID + "/groups" + tc.query; at != ""; {
			r := c.get(at)
			var page []group
			if err := json.Unmarshal(r.raw, &page); err != nil {
				t.Fatalf("%v in %s", err, r.raw)
			}
			for _, g := range page {
				got = append(got, g.Profile.Name)
			}
			sizes = append(sizes, len(page))
			at = r.next()
		}
		if !slices.Equal(got, want) || !slices.Equal(sizes, tc.sizes) {
			t.Errorf("%q: got %d groups in pages of %v, want %d in %v", tc.query, len(got), sizes, len(want), tc.sizes)
		}
	}
	c.get("/api/v1/users/"+u.ID+"/groups?after=nonsense").is(t, 400, "E0000001")
	c.get("/api/v1/users/nobody/groups").is(t, 404, "E0000007")
}

func TestGroupLinkStyles(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t, oktatest.Options{PageSize: 1})
	u := srv.AddUser(login, password)
	u.SetGroups("Everyone", "Scientists")
	path := "/api/v1/users/" + u.ID + "/groups"
	r := c.get(path)
	if got := len(r.header.Values("Link")); got != 2 {
		t.Errorf("%d Link headers, want 2", got)
	}
	cursor := strings.TrimPrefix(r.next(), srv.URL)

	for _, tc := range []struct {
		style oktatest.LinkStyle
		lines int
		next  string
	}{
		{oktatest.LinkJoined, 1, srv.URL + cursor},
		{oktatest.LinkForeign, 2, "https://foreign.example" + cursor},
		{oktatest.LinkLoop, 2, srv.URL + path},
	} {
		srv.Configure(func(o *oktatest.Options) { o.GroupLinkStyle = tc.style })
		r := c.get(path)
		if got := len(r.header.Values("Link")); got != tc.lines {
			t.Errorf("style %d: %d Link headers, want %d", tc.style, got, tc.lines)
		}
		if got := r.next(); got != tc.next {
			t.Errorf("style %d: next = %s, want %s", tc.style, got, tc.next)
		}
	}
}

func TestGroupTypes(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	u.AddGroup("Admins", "OKTA_GROUP")
	u.AddGroup("Admins", "APP_GROUP")
	u.AddGroup("Admins", "APP_GROUP")
	var page []group
	if err := json.Unmarshal(c.get("/api/v1/users/"+u.ID+"/groups").raw, &page); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range page {
		got = append(got, g.Profile.Name+" "+g.Type)
	}
	want := []string{"Everyone BUILT_IN", "Admins OKTA_GROUP", "Admins APP_GROUP"}
	if !slices.Equal(got, want) {
		t.Errorf("groups = %q, want %q", got, want)
	}
	u.SetGroups()
	if raw := strings.TrimSpace(string(c.get("/api/v1/users/" + u.ID + "/groups").raw)); raw != "[]" {
		t.Errorf("no groups = %s, want []", raw)
	}
}
