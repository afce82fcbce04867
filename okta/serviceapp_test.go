package okta_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// appOf adds a service app with a new key, and returns a client that is the app.
func appOf(t *testing.T, srv *oktatest.Server, algorithm string, scopes ...string) (*oktatest.ServiceApp, *okta.Client) {
	t.Helper()
	return appAt(t, srv, nil, algorithm, scopes...)
}

// appAt is appOf for a client with a clock.
func appAt(t *testing.T, srv *oktatest.Server, now func() time.Time, algorithm string, scopes ...string) (*oktatest.ServiceApp, *okta.Client) {
	t.Helper()
	key, err := okta.NewSigningKey(algorithm)
	require.NoError(t, err)
	jwk, err := key.PublicJWK()
	require.NoError(t, err)
	app := srv.AddServiceApp(scopes...)
	require.NoError(t, app.SaveKeys([]byte(`{"keys":[`+string(jwk)+`]}`)))
	return app, newClient(t, srv, func(c *okta.Config) {
		c.APIToken, c.Now = okta.Secret{}, now
		c.ServiceApp = &okta.ServiceApp{ClientID: app.ID, Scopes: scopes, Key: key}
	})
}

const readUsers = "okta.users.read"

func TestServiceAppReadsGroups(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{okta.RS256, okta.ES256} {
		for _, bearer := range []bool{false, true} {
			t.Run(fmt.Sprint(algorithm, " bearer ", bearer), func(t *testing.T) {
				t.Parallel()
				srv, mia := newOrg(t, oktatest.Options{PageSize: 2})
				mia.SetGroups("a", "b", "c", "d", "e")
				app, c := appOf(t, srv, algorithm, readUsers)
				app.RequireDPoP(!bearer)
				groups, err := c.Groups(t.Context(), mia.ID)
				require.NoError(t, err)
				assert.Len(t, groups, 5)
				_, err = c.Account(t.Context(), login)
				require.NoError(t, err, "a name with an @ in the path")
				_, err = c.AccountsByEmail(t.Context(), login)
				require.NoError(t, err)
				assert.Equal(t, 1, app.Issued())
				tx, err := c.Authenticate(t.Context(), login, password)
				require.NoError(t, err)
				assert.NotEmpty(t, tx.Status)
				for _, r := range srv.Requests() {
					if strings.HasPrefix(r.Path, "/api/v1/authn") || r.Path == "/oauth2/v1/token" {
						assert.Empty(t, r.Header.Get("Authorization"), r.Path)
					}
					assert.NotContains(t, r.RawQuery, "assertion")
				}
			})
		}
	}
}

// Many calls at once ask for one token.
func TestOneTokenForCallsAtOnce(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	app, c := appOf(t, srv, okta.ES256, readUsers)
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			_, err := c.Groups(t.Context(), mia.ID)
			assert.NoError(t, err)
		})
	}
	calls.Wait()
	assert.Equal(t, 1, app.Issued())
	assert.Equal(t, 2, srv.Count("POST", "/oauth2/v1/token"), "the first one gets the nonce")
}

// A token that Okta no longer takes is replaced once, and the call goes on.
func TestRevokedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	app, c := appOf(t, srv, okta.ES256, readUsers)
	_, err := c.Groups(t.Context(), mia.ID)
	require.NoError(t, err)
	app.RevokeTokens()
	srv.ChangeNonce()
	_, err = c.Groups(t.Context(), mia.ID)
	require.NoError(t, err)
	assert.Equal(t, 2, app.Issued())

	srv.Reset()
	srv.Fail("groups", oktatest.Status(401, "E0000011", "no").Times(3))
	_, err = c.Groups(t.Context(), mia.ID)
	assert.Equal(t, 401, refusal(t, err).HTTPStatus)
	assert.Equal(t, 2, srv.Count("GET", "/api/v1/users/"+mia.ID+"/groups"), "one retry")
}

// A token is replaced before its end, and one that is still good outlasts a failure.
func TestTokenIsReplacedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	clock := oktatest.NewClock(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	srv, mia := newOrg(t, oktatest.Options{Now: clock.Now})
	app, c := appAt(t, srv, clock.Now, okta.ES256, readUsers)
	read := func() {
		t.Helper()
		_, err := c.Groups(t.Context(), mia.ID)
		require.NoError(t, err)
	}
	read()
	clock.Advance(49 * time.Minute)
	read()
	assert.Equal(t, 1, app.Issued())
	clock.Advance(2 * time.Minute)
	srv.Fail("token", oktatest.Status(503, "E0000009", "no").Times(1))
	read()
	assert.Equal(t, 1, app.Issued(), "the old one is still good")
	read()
	assert.Equal(t, 2, app.Issued())
	clock.Advance(2 * time.Hour)
	read()
	assert.Equal(t, 3, app.Issued())
}

func TestServiceAppRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(*oktatest.ServiceApp)
		code  string
	}{
		"no such key":       {func(a *oktatest.ServiceApp) { _ = a.SaveKeys([]byte(`{"keys":[]}`)) }, "invalid_client"},
		"scope not granted": {func(a *oktatest.ServiceApp) { a.Grant("okta.groups.read") }, "invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, mia := newOrg(t)
			app, c := appOf(t, srv, okta.ES256, readUsers)
			tc.spoil(app)
			_, err := c.Groups(t.Context(), mia.ID)
			e := refusal(t, err)
			assert.Equal(t, tc.code, e.Code)
			assert.Equal(t, okta.EndpointToken, e.Endpoint)
			assert.True(t, okta.RefusesMount(err))
			assert.Zero(t, app.Issued())
		})
	}
	t.Run("scope too narrow for the call", func(t *testing.T) {
		t.Parallel()
		srv, mia := newOrg(t)
		_, c := appOf(t, srv, okta.ES256, "okta.groups.read")
		_, err := c.Groups(t.Context(), mia.ID)
		assert.Equal(t, okta.CodeInsufficientScope, refusal(t, err).Code)
		assert.True(t, okta.RefusesMount(err))
	})
}
