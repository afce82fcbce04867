package okta_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const deviceToken = "9f0c2d7e41b84b6c8a5d3e2f1a0b9c8d"

// TestDeviceIsSent: the token goes with the password, the wish with each request that
// verifies, and neither anywhere else.
func TestDeviceIsSent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		device okta.Device
		body   string
		query  string
	}{
		"none":                {okta.Device{}, ``, ""},
		"token":               {okta.Device{Token: okta.NewSecret(deviceToken)}, `,"context":{"deviceToken":"` + deviceToken + `"}`, ""},
		"remember":            {okta.Device{Token: okta.NewSecret(deviceToken), Remember: true}, `,"context":{"deviceToken":"` + deviceToken + `"}`, "rememberDevice=true"},
		"remember of nothing": {okta.Device{Remember: true}, ``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, mia := newOrg(t, oktatest.Options{PageSize: 1})
			mia.SetGroups("Everyone", "Scientists")
			c := newClient(t, srv).OnDevice(tc.device).For(okta.Caller{Address: "198.51.100.7"})
			all := calls(t, srv, mia)
			srv.Reset()
			for _, call := range all {
				_ = call.do(t.Context(), c) // the answer does not matter
			}
			verified := 0
			for _, r := range srv.Requests() {
				switch {
				case r.Path == "/api/v1/authn":
					assert.JSONEq(t, `{"username":"`+login+`","password":"`+password+`","options":{"warnBeforePasswordExpired":true}`+tc.body+`}`, string(r.Body))
					assert.Empty(t, r.RawQuery)
				case strings.HasPrefix(r.Path, "/api/v1/authn/factors/") && strings.HasSuffix(r.Path, "/verify"):
					verified++
					assert.Equal(t, tc.query, r.RawQuery)
					assert.NotContains(t, string(r.Body), deviceToken)
				default:
					assert.NotContains(t, r.RawQuery, "rememberDevice", r.Path)
					assert.NotContains(t, string(r.Body), deviceToken, r.Path)
				}
			}
			assert.Equal(t, 2, verified)
			assert.Equal(t, 1, srv.Count(http.MethodPost, "/api/v1/authn"))
		})
	}
}

func TestParseDeviceToken(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", deviceToken, "a-b_c.d~!", strings.Repeat("x", 32)} {
		got, err := okta.ParseDeviceToken(s)
		require.NoError(t, err, s)
		assert.Equal(t, s, got.Reveal())
	}
	for _, s := range []string{"", strings.Repeat("x", 33), "a b", "a\n", "\x00", "ä", "a\x7f", " a", "\u202e"} {
		got, err := okta.ParseDeviceToken(s)
		assert.Error(t, err, "%q", s)
		assert.True(t, got.IsZero())
		assert.NotContains(t, err.Error(), "a b")
	}
}

// TestDeviceOfOneClient: OnDevice changes the client that it returns, and no other.
func TestDeviceOfOneClient(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	_ = c.OnDevice(okta.Device{Token: okta.NewSecret(deviceToken)})
	_, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	assert.NotContains(t, string(srv.Requests()[0].Body), "context", "the client that it was made of has no device")
}
