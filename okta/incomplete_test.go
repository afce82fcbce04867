package okta_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestIncompleteAnswers: an answer that lacks what a login is authorized by makes
// no sense, and leaves nothing behind that could be used all the same.
func TestIncompleteAnswers(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	eve := srv.AddUser("eve@acme.test", password)
	push := eve.AddPush("SUCCESS")
	c := newClient(t, srv)
	const id, name = "_embedded.user.id", "_embedded.user.profile.login"
	authenticate := func(ctx context.Context) (any, error) { return c.Authenticate(ctx, login, password) }
	verify := func(ctx context.Context) (any, error) {
		required, err := c.Authenticate(ctx, eve.Login(), password)
		require.NoError(t, err)
		return c.Verify(ctx, required, enrolled(push), "")
	}
	account := func(ctx context.Context) (any, error) { return c.Account(ctx, user.ID) }
	accounts := func(ctx context.Context) (any, error) { return c.AccountsByEmail(ctx, login) }
	factors := func(ctx context.Context) (any, error) { return c.Factors(ctx, eve.ID) }
	groups := func(ctx context.Context) (any, error) { return c.Groups(ctx, user.ID) }
	for _, tc := range []struct {
		endpoint string
		ask      func(context.Context) (any, error)
		missing  []string
	}{
		{"authn", authenticate, []string{"status", "_embedded", "_embedded.user", id, "_embedded.user.profile", name}},
		{"verify", verify, []string{"status", "_embedded", "_embedded.user", id, "_embedded.user.profile", name}},
		{"users", account, []string{"id", "status", "profile", "profile.login"}},
		{"listusers", accounts, []string{"id", "status", "profile.login"}},
		{"listfactors", factors, []string{"id", "status", "factorType"}},
		{"groups", groups, []string{"id", "profile", "profile.name"}},
	} {
		for _, field := range tc.missing {
			t.Run(tc.endpoint+" without "+field, func(t *testing.T) {
				srv.Fail(tc.endpoint, oktatest.Without(field).Times(1))
				got, err := tc.ask(t.Context())
				assert.ErrorIs(t, err, okta.ErrMalformed)
				assert.Empty(t, got)
			})
		}
		t.Run(tc.endpoint+" with all", func(t *testing.T) {
			srv.Fail(tc.endpoint, oktatest.Without("nothing.of.that.name").Times(1))
			got, err := tc.ask(t.Context())
			require.NoError(t, err)
			assert.NotEmpty(t, got)
		})
	}
}

// TestNothingListed: null is not a list with nothing in it.
func TestNothingListed(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	c := newClient(t, srv)
	for endpoint, ask := range map[string]func() (any, error){
		"listusers":   func() (any, error) { return c.AccountsByEmail(t.Context(), login) },
		"listfactors": func() (any, error) { return c.Factors(t.Context(), user.ID) },
		"groups":      func() (any, error) { return c.Groups(t.Context(), user.ID) },
	} {
		srv.Fail(endpoint, oktatest.Body(200, "application/json", "null"))
		got, err := ask()
		assert.ErrorIs(t, err, okta.ErrMalformed, endpoint)
		assert.Empty(t, got, endpoint)
		srv.ClearFaults()
		srv.Fail(endpoint, oktatest.Body(200, "application/json", "[]"))
		_, err = ask()
		assert.NoError(t, err, endpoint)
	}
}
