package okta_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const organizationPath = "/.well-known/okta-organization"

// TestOrgID: the id is asked for once in a client's life, by the program and without
// its token, whoever wants to know it.
func TestOrgID(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t, oktatest.Options{OrgID: "00o1acme"})
	base := newClient(t, srv, func(cfg *okta.Config) { cfg.UserAgent = "login-test/1.0" })
	for _, c := range []*okta.Client{base.For(okta.Caller{Address: "198.51.100.7", UserAgent: "curl/8"}), base, base.For(okta.Caller{})} {
		id, err := c.OrgID(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "00o1acme", id)
	}
	require.Len(t, srv.Requests(), 1)
	r := srv.Requests()[0]
	assert.Equal(t, "GET "+organizationPath, r.Method+" "+r.Path)
	assert.Empty(t, r.Header.Get("Authorization"))
	assert.Empty(t, r.ForwardedFor())
	assert.Equal(t, "login-test/1.0", r.UserAgent())

	_, err := newClient(t, srv).OrgID(t.Context())
	require.NoError(t, err)
	assert.Len(t, srv.Requests(), 2, "clients that For did not make share nothing")
}

// TestNoOrgID: what is no answer about an org is kept for 30 seconds, so that logins do
// not wait for it again and again.
func TestNoOrgID(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	clock := oktatest.NewClock(time.Now())
	c := newClient(t, srv, func(cfg *okta.Config) { cfg.Now = clock.Now })
	for name, tc := range map[string]struct {
		fault oktatest.Fault
		want  func(*testing.T, error)
	}{
		"no org":       {oktatest.HTML(404), said(404, "", "", 0)},
		"no id":        {oktatest.Without("id"), is(okta.ErrMalformed)},
		"a number":     {oktatest.Body(200, "application/json", `{"id":7}`), is(okta.ErrMalformed)},
		"a web page":   {oktatest.HTML(200), is(okta.ErrMalformed)},
		"another host": {oktatest.Redirect(302, "https://evil.test"+organizationPath), is(okta.ErrMalformed)},
		"broken":       {oktatest.CloseConnection(), is(okta.ErrUnreachable)},
		"a rate limit": {oktatest.RateLimited(0, time.Minute), said(429, "E0000047", "Too much was asked in too short a time.", time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			srv.Fail("organization", tc.fault.Times(1))
			id, err := c.OrgID(t.Context())
			tc.want(t, err)
			assert.Empty(t, id)

			requests := len(srv.Requests())
			clock.Advance(30*time.Second - 1)
			_, again := c.For(okta.Caller{}).OrgID(t.Context())
			assert.Equal(t, err, again)
			assert.Len(t, srv.Requests(), requests)
			clock.Advance(1)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.OrgID(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	id, err := c.OrgID(t.Context()) // the end of a caller's context says nothing about the org
	require.NoError(t, err)
	assert.Equal(t, srv.OrgID(), id)
}

// TestSameOrg: one org has many URLs, and two orgs are different only where both
// have said so.
func TestSameOrg(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t, oktatest.Options{OrgID: "00o1acme"})
	custom, _ := newOrg(t, oktatest.Options{OrgID: "00o1acme"})
	other, _ := newOrg(t)
	silent, _ := newOrg(t)
	silent.Fail("organization", oktatest.HTML(404))
	at := func(srv *oktatest.Server) *okta.Client { return newClient(t, srv) }
	spelled := func(url string) *okta.Client {
		return newClient(t, srv, func(cfg *okta.Config) { cfg.OrgURL = url })
	}
	localhost := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	for _, tc := range []struct {
		name        string
		a, b        *okta.Client
		same, known bool
	}{
		{"the same client", at(srv), at(srv), true, true},
		{"two spellings", spelled("https://acme.okta.test"), spelled("HTTPS://ACME.okta.test.:443/"), true, true},
		{"a silent org's only URL", at(silent), at(silent), true, true},
		{"two hosts of one server", at(srv), spelled(localhost), true, true},
		{"a domain of its own", at(srv), at(custom), true, true},
		{"another org", at(srv), at(other), false, true},
		{"one that does not say", at(srv), at(silent), false, false},
		{"one that does not say, the other way", at(silent), at(srv), false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			same, known := okta.SameOrg(t.Context(), tc.a, tc.b)
			assert.Equal(t, tc.same, same)
			assert.Equal(t, tc.known, known)
		})
	}
}
