package okta_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestProfile: texts, numbers and booleans of a profile are texts, and all else is left out.
func TestProfile(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	c := newClient(t, srv)
	for name, value := range map[string]any{
		"department": "R & D", "floor": 3, "badge": json.Number("12345678901234567890"), "remote": true,
		"manager": nil, "tags": []string{"a"}, "office": map[string]any{"city": "Oslo"}, "empty": "",
	} {
		mia.SetAttribute(name, value)
	}
	got, err := c.Profile(t.Context(), mia.ID)
	require.NoError(t, err)
	for _, name := range []string{"firstName", "lastName", "login", "email"} {
		assert.NotEmpty(t, got[name], name)
		delete(got, name)
	}
	assert.Equal(t, map[string]string{"department": "R & D", "floor": "3", "badge": "12345678901234567890", "remote": "true", "empty": ""}, got)

	srv.Fail("users", oktatest.Without("profile").Times(1))
	got, err = c.Profile(t.Context(), mia.ID)
	require.NoError(t, err)
	assert.Empty(t, got)
	for _, body := range []string{`{}`, `null`, `{"id":"00u1","profile":{"department":"x"}}`, `{"id":"` + mia.ID + `","profile":[]}`} {
		srv.Fail("users", oktatest.Body(200, "application/json", body).Times(1))
		got, err = c.Profile(t.Context(), mia.ID)
		assert.ErrorIs(t, err, okta.ErrMalformed, body)
		assert.Nil(t, got)
	}
	none := newClient(t, srv, func(cfg *okta.Config) { cfg.APIToken = okta.Secret{} })
	_, err = none.Profile(t.Context(), mia.ID)
	assert.ErrorIs(t, err, okta.ErrNoAPIToken)
}
