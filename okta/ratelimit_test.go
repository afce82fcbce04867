package okta_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// What is left of a limit is known from any answer of its API, errors included, by
// this machine's clock.
func TestRateLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	clock := oktatest.NewClock(now.Add(time.Hour)) // Okta's is another
	srv := oktatest.NewServer(t, oktatest.Options{Now: clock.Now, RateLimit: 100})
	u := srv.AddUser("mia@acme.test", "password")
	u.AddPush("WAITING")
	c, err := okta.New(okta.Config{OrgURL: srv.URL, APIToken: okta.NewSecret(srv.Token), RootCAs: srv.CertPool(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	assert.Zero(t, c.AuthnLimit())
	assert.Zero(t, c.UsersLimit())
	assert.Zero(t, c.PushLimit())

	_, err = c.Authenticate(t.Context(), "mia@acme.test", "wrong")
	require.Error(t, err)
	_, err = c.For(okta.Caller{}).Authenticate(t.Context(), "mia@acme.test", "password")
	require.NoError(t, err)
	assert.Equal(t, okta.RateLimit{Limit: 100, Remaining: 98, Reset: now.Add(time.Minute)}, c.AuthnLimit())

	_, err = c.Account(t.Context(), u.ID)
	require.NoError(t, err)
	_, err = c.Account(t.Context(), "x/groups")
	require.Error(t, err)
	assert.Zero(t, c.UsersLimit(), "reads of users have another limit")
	_, err = c.Groups(t.Context(), u.ID)
	require.NoError(t, err)
	assert.Equal(t, okta.RateLimit{Limit: 600, Remaining: 599, Reset: now.Add(time.Minute)}, c.UsersLimit())
	factors, err := c.Factors(t.Context(), u.ID)
	require.NoError(t, err)
	assert.Zero(t, c.PushLimit(), "those of other things are not looked at")
	tx, err := c.ChallengeFactor(t.Context(), u.ID, factors[0], false)
	require.NoError(t, err)
	_, err = c.PollFactor(t.Context(), tx)
	require.NoError(t, err)
	assert.Equal(t, okta.RateLimit{Limit: 600, Remaining: 599, Reset: now.Add(time.Minute)}, c.PushLimit())
	assert.Equal(t, 98, c.AuthnLimit().Remaining)
	assert.Equal(t, 599, c.UsersLimit().Remaining)
	srv.Fail("groups", oktatest.RateLimited(0, 42*time.Second).Times(1))
	_, err = c.Groups(t.Context(), u.ID)
	require.Error(t, err)
	assert.Equal(t, okta.RateLimit{Limit: 600, Remaining: 0, Reset: now.Add(42 * time.Second)}, c.UsersLimit())

	// A limit of requests at the same time is none of these, nor is an answer that
	// does not say.
	for _, fault := range []oktatest.Fault{oktatest.RateLimitedConcurrency(), oktatest.RateLimitedBare(), oktatest.HTML(http.StatusBadGateway)} {
		srv.Fail("authn", fault.Times(1))
		_, err = c.Authenticate(t.Context(), "mia@acme.test", "password")
		require.Error(t, err)
		assert.Equal(t, 98, c.AuthnLimit().Remaining)
	}
	srv.Fail("authn", oktatest.RateLimited(0, 42*time.Second).Times(1))
	_, err = c.Authenticate(t.Context(), "mia@acme.test", "password")
	require.Error(t, err)
	assert.Equal(t, okta.RateLimit{Limit: 600, Remaining: 0, Reset: now.Add(42 * time.Second)}, c.AuthnLimit())
}
