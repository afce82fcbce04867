package okta_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// What the SDK does by itself does not happen in the calls that it makes: a request without
// end where a connection closes, waits and retries, redirects, answers from a cache, panics
// at links, names in errors, and a second document after the first.
func TestTypedCallsAreDeliveredOnceAndAsOurs(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	c := newClient(t, srv)
	good := `{"id":"` + mia.ID + `","status":"ACTIVE","profile":{"login":"mia.ito@acme.test"}}`
	malformedAnswer := func(err error) bool { return errors.Is(err, okta.ErrMalformed) }
	saysOkta := func(err error) bool { _, ok := errors.AsType[*okta.Error](err); return ok }
	for name, tc := range map[string]struct {
		fault oktatest.Fault
		is    func(error) bool
	}{
		"closed connection": {oktatest.CloseConnection(), func(err error) bool { return errors.Is(err, okta.ErrUnreachable) }},
		"rate limit":        {oktatest.RateLimitedBare(), saysOkta},
		"server error":      {oktatest.Status(500, "E0000009", "no"), saysOkta},
		"redirect":          {oktatest.Redirect(307, srv.URL+"/elsewhere"), malformedAnswer},
		"web page":          {oktatest.HTML(200), malformedAnswer},
		"two documents":     {oktatest.Body(200, "application/json", good+good), malformedAnswer},
		"a broken date":     {oktatest.Body(200, "application/json", strings.Replace(good, "{", `{"created":"soon",`, 1)), malformedAnswer},
		"null":              {oktatest.Body(200, "application/json", "null"), malformedAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			srv.Reset()
			srv.Fail("users", tc.fault.Times(3))
			got, err := c.Account(t.Context(), login)
			srv.ClearFaults()
			require.Error(t, err)
			assert.True(t, tc.is(err), "%v", err)
			assert.Zero(t, got)
			assert.NotContains(t, err.Error(), login)
			assert.NotContains(t, err.Error(), "soon")
			require.Len(t, srv.Requests(), 1)
			r := srv.Requests()[0]
			assert.Equal(t, []string{"SSWS " + srv.Token}, r.Header.Values("Authorization"))
			for _, header := range []string{"X-Okta-Retry-For", "X-Okta-Retry-Count"} {
				assert.Empty(t, r.Header.Get(header))
			}
			assert.NotContains(t, r.Header.Get("User-Agent"), "sdk")
		})
	}

	// Each answer is Okta's newest.
	mia.SetStatus("SUSPENDED")
	got, err := c.Account(t.Context(), login)
	require.NoError(t, err)
	assert.Equal(t, "SUSPENDED", got.Status)
	mia.SetStatus("ACTIVE")
	got, err = c.Account(t.Context(), login)
	require.NoError(t, err)
	assert.Equal(t, "ACTIVE", got.Status)
	assert.Equal(t, http.MethodGet, srv.Requests()[0].Method)
}
