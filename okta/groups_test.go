package okta_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func groupNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("Group %03d", i))
	}
	return names
}

func namesOf(groups []okta.Group) []string {
	var names []string
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names
}

// TestGroupPages: all groups, in order, in no more requests than pages of 200.
func TestGroupPages(t *testing.T) {
	t.Parallel()
	var foreign atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign.Add(1) }))
	t.Cleanup(elsewhere.Close)
	styles := []struct {
		name  string
		style oktatest.LinkStyle
	}{
		{"separate", oktatest.LinkSeparate},
		{"joined", oktatest.LinkJoined},
		{"foreign", oktatest.LinkForeign},
	}
	for _, style := range styles {
		t.Run(style.name, func(t *testing.T) {
			t.Parallel()
			srv, mia := newOrg(t, oktatest.Options{GroupLinkStyle: style.style, ForeignBase: elsewhere.URL})
			c := newClient(t, srv)
			for _, tc := range []struct{ groups, requests int }{{0, 1}, {1, 1}, {200, 1}, {201, 2}, {450, 3}} {
				mia.SetGroups(groupNames(tc.groups)...)
				srv.Reset()
				got, err := c.Groups(t.Context(), mia.ID)
				require.NoError(t, err)
				assert.Equal(t, groupNames(tc.groups), namesOf(got))
				require.Len(t, srv.Requests(), tc.requests, "%d groups", tc.groups)
				for i, r := range srv.Requests() {
					assert.Equal(t, "/api/v1/users/"+mia.ID+"/groups", r.Path)
					query, err := url.ParseQuery(r.RawQuery)
					require.NoError(t, err)
					assert.Equal(t, []string{"200"}, query["limit"])
					assert.Len(t, query["after"], min(i, 1))
				}
			}
		})
	}
	t.Cleanup(func() { assert.Zero(t, foreign.Load(), "requests sent to the host of a link") })
}

func TestGroupFields(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t, oktatest.Options{ExtraFields: true})
	mia.SetGroups("Everyone")
	mia.AddGroup("Scientists", "OKTA_GROUP")
	mia.AddGroup("Scientists", "APP_GROUP") // names are unique within a type only
	mia.AddGroup(`Ünï, "cödé"; <rel="next">`, "OKTA_GROUP")
	got, err := newClient(t, srv).Groups(t.Context(), mia.ID)
	require.NoError(t, err)
	require.Len(t, got, 4)
	seen := map[string]bool{}
	for i := range got {
		assert.Regexp(t, `^00g\w+$`, got[i].ID)
		assert.False(t, seen[got[i].ID])
		seen[got[i].ID] = true
		got[i].ID = ""
	}
	assert.Equal(t, []okta.Group{
		{Name: "Everyone", Type: "BUILT_IN"},
		{Name: "Scientists", Type: "OKTA_GROUP"},
		{Name: "Scientists", Type: "APP_GROUP"},
		{Name: `Ünï, "cödé"; <rel="next">`, Type: "OKTA_GROUP"},
	}, got)
}

func TestGroupLoopEnds(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t, oktatest.Options{GroupLinkStyle: oktatest.LinkLoop})
	mia.SetGroups(groupNames(3)...)
	got, err := newClient(t, srv).Groups(t.Context(), mia.ID)
	assert.ErrorIs(t, err, okta.ErrMalformed)
	assert.Nil(t, got)
	assert.Len(t, srv.Requests(), 1)
}

// pagesOf serves groups. The Link header of the n-th request, from 1 on, is link(n).
func pagesOf(t *testing.T, link func(n int) []string) (*okta.Client, *atomic.Int32) {
	t.Helper()
	var requests atomic.Int32
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := int(requests.Add(1))
		w.Header()["Link"] = link(n)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `[{"id":"00g%d","type":"OKTA_GROUP","profile":{"name":"Group %[1]d"}}]`, n)
	}))
	t.Cleanup(srv.Close)
	return clientOf(t, srv), &requests
}

func TestGroupLoopOfTwoPagesEnds(t *testing.T) {
	t.Parallel()
	c, requests := pagesOf(t, func(n int) []string {
		return []string{fmt.Sprintf(`</api/v1/users/00u1/groups?after=%c>; rel="next"`, "ab"[n%2])}
	})
	got, err := c.Groups(t.Context(), "00u1")
	assert.ErrorIs(t, err, okta.ErrMalformed)
	assert.Nil(t, got)
	assert.EqualValues(t, 3, requests.Load())
}

// TestGroupPagesAreCapped: a server that invents cursors for ever is left
// after a bounded number of pages.
func TestGroupPagesAreCapped(t *testing.T) {
	t.Parallel()
	c, requests := pagesOf(t, func(n int) []string {
		return []string{fmt.Sprintf(`</api/v1/users/00u1/groups?after=c%d>; rel="next"`, n)}
	})
	got, err := c.Groups(t.Context(), "00u1")
	assert.ErrorIs(t, err, okta.ErrMalformed)
	assert.Nil(t, got)
	assert.EqualValues(t, 100, requests.Load())

	c, requests = pagesOf(t, func(n int) []string {
		if n == 100 {
			return nil
		}
		return []string{fmt.Sprintf(`</api/v1/users/00u1/groups?after=c%d>; rel="next"`, n)}
	})
	got, err = c.Groups(t.Context(), "00u1")
	assert.NoError(t, err, "100 pages are allowed")
	assert.Len(t, got, 100)
	assert.EqualValues(t, 100, requests.Load())
}

// TestStrangeLinks: a link that cannot be followed fails all, and none makes
// a parser panic.
func TestStrangeLinks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		links []string
		fails bool
	}{
		{"next is not a URL", []string{`<::%zz>; rel="next"`}, true},
		{"self is not a URL", []string{`<::%zz>; rel="self"`}, false},
		{"no cursor", []string{`<https://acme.okta.com/api/v1/users/00u1/groups>; rel="next"`}, true},
		{"does not end", []string{`<https://acme.okta.com/?after=x; rel="next"`}, true},
		{"empty", []string{``}, false},
		{"no brackets", []string{`https://acme.okta.com/?after=x; rel="next"`}, false},
		{"only a separator", []string{`;`, `,`, `<>;`, `<`}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, requests := pagesOf(t, func(int) []string { return tc.links })
			got, err := c.Groups(t.Context(), "00u1")
			assert.EqualValues(t, 1, requests.Load())
			if tc.fails {
				assert.ErrorIs(t, err, okta.ErrMalformed)
				assert.Nil(t, got)
				return
			}
			assert.NoError(t, err)
			assert.Len(t, got, 1)
		})
	}
}

func TestNotGroups(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	c := newClient(t, srv)
	const good = `{"id":"00g1","type":"OKTA_GROUP","profile":{"name":"Everyone"}}`
	for _, tc := range []struct{ contentType, body string }{
		{"application/json", ``},
		{"application/json", `null`},
		{"application/json", `{}`},
		{"application/json", good},
		{"application/json", `"x"`},
		{"application/json", `[null]`},
		{"application/json", `[` + good + `,null]`},
		{"application/json", `[{}]`},
		{"application/json", `[{"id":"00g1","profile":null}]`},
		{"application/json", `[{"id":"00g1","profile":""}]`},
		{"application/json", `[{"id":"00g1","profile":[]}]`},
		{"application/json", `[{"id":"00g1","profile":{}}]`},
		{"application/json", `[{"id":"00g1","profile":{"name":7}}]`},
		{"application/json", `[` + good + `,{"id":"00g2","profile":{"description":"x"}}]`},
		{"application/json", `[[` + good + `]]`},
		{"application/octet-stream", `[` + good + `]`},
		{"application/xml", `[` + good + `]`},
		{"application/xml", `<groups><group><id>1</id></group></groups>`},
		{"text/html", `[` + good + `]`},
		{"", `<html>`},
	} {
		srv.Fail("groups", oktatest.Body(200, tc.contentType, tc.body).Times(1))
		got, err := c.Groups(t.Context(), mia.ID)
		assert.ErrorIs(t, err, okta.ErrMalformed, "%s %s", tc.contentType, tc.body)
		assert.Nil(t, got, "%s %s", tc.contentType, tc.body)
	}
	srv.Fail("groups", oktatest.Body(200, "application/json;charset=UTF-8", `[`+good+`]`).Times(1))
	got, err := c.Groups(t.Context(), mia.ID)
	assert.NoError(t, err)
	assert.Equal(t, []okta.Group{{ID: "00g1", Name: "Everyone", Type: "OKTA_GROUP"}}, got)
}

// TestGroupsAreNotCached: a group taken away is gone at the next login.
func TestGroupsAreNotCached(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	c := newClient(t, srv)
	mia.SetGroups("Everyone", "Admins")
	_, err := c.Groups(t.Context(), mia.ID)
	require.NoError(t, err)
	mia.SetGroups("Everyone")
	got, err := c.Groups(t.Context(), mia.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"Everyone"}, namesOf(got))
}

// TestConcurrentUse is for the race detector: one client serves all logins.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t, oktatest.Options{PageSize: 2})
	mia.SetGroups(groupNames(5)...)
	c := newClient(t, srv)
	done := make(chan error)
	for i := range 8 {
		go func() {
			tx, err := c.For(okta.Caller{Address: fmt.Sprint("198.51.100.", i)}).Authenticate(t.Context(), login, password)
			if err == nil {
				_, err = c.Groups(t.Context(), tx.User.ID)
			}
			done <- err
		}()
	}
	for range 8 {
		assert.NoError(t, <-done)
	}
}
