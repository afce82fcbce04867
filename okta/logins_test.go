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

// TestFactorAfterFactor: the answer to a right passcode can ask for another factor.
func TestFactorAfterFactor(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t, oktatest.Options{FactorsAsObject: true})
	app, push := user.AddTOTP("OKTA"), user.AddPush("WAITING", "SUCCESS")
	user.SetSequence([]*oktatest.Factor{app}, []*oktatest.Factor{push})
	c := newClient(t, srv)
	tx, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	require.Len(t, tx.Factors, 1)
	token := tx.StateToken.Reveal()
	tx, err = c.Verify(t.Context(), tx, tx.Factors[0], app.Code())
	require.NoError(t, err)
	assert.Equal(t, okta.StatusMFARequired, tx.Status)
	assert.Equal(t, okta.User{ID: user.ID, Login: login}, tx.User)
	assert.Equal(t, token, tx.StateToken.Reveal())
	require.Len(t, tx.Factors, 1)
	assert.Equal(t, push.ID, tx.Factors[0].ID)
	for _, want := range []okta.Status{okta.StatusMFAChallenge, okta.StatusMFAChallenge, okta.StatusSuccess} {
		tx, err = c.Verify(t.Context(), tx, okta.Factor{ID: push.ID, Type: okta.FactorPush}, "")
		require.NoError(t, err)
		assert.Equal(t, want, tx.Status)
	}
}

// TestVerifyByType: one request tries the passcode on all apps, and a wrong one counts
// once.
func TestVerifyByType(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t, oktatest.Options{VerifyByType: true})
	user.AddTOTP("OKTA")
	second := user.AddTOTP("OKTA")
	c := newClient(t, srv)
	tx, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	require.Equal(t, []okta.FactorType{okta.FactorTOTP}, tx.FactorTypes)
	_, err = c.VerifyByType(t.Context(), tx, okta.FactorTOTP, "no code")
	assert.Equal(t, okta.CodeInvalidPassCode, refusal(t, err).Code)
	assert.Equal(t, 1, user.WrongPassCodes())
	tx, err = c.VerifyByType(t.Context(), tx, okta.FactorTOTP, second.Code())
	require.NoError(t, err)
	assert.Equal(t, okta.StatusSuccess, tx.Status)
	assert.Equal(t, 2, srv.Count(http.MethodPost, "/api/v1/authn/factors/token:software:totp/verify"))
}

// TestNewPINDialogue: a token's server leads the person through a new PIN, each entry
// in the same transaction.
func TestNewPINDialogue(t *testing.T) {
	t.Parallel()
	clock := oktatest.NewClock(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
	srv, user := newOrg(t, oktatest.Options{Now: clock.Now})
	token := user.AddFactor("token", "DEL_OATH")
	pin := token.RequireServerPIN()
	c := newClient(t, srv)
	tx, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	require.Len(t, tx.Factors, 1)
	assert.Equal(t, okta.ProviderOnPrem, tx.Factors[0].Provider)
	for _, entry := range []string{token.Code(), pin} {
		_, err = c.Verify(t.Context(), tx, tx.Factors[0], entry)
		said := refusal(t, err)
		assert.Equal(t, okta.CodeNextPassCode, said.Code)
		assert.Contains(t, said.Words.Reveal(), "PIN")
		assert.Empty(t, said.Summary)
		assert.NotContains(t, err.Error(), pin)
	}
	clock.Advance(time.Minute)
	tx, err = c.Verify(t.Context(), tx, tx.Factors[0], token.Code())
	require.NoError(t, err)
	assert.Equal(t, okta.StatusSuccess, tx.Status)
}

// TestSkippedEnrollment: what follows a skipped enrollment is a status like any other.
func TestSkippedEnrollment(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	user.SetStatus("MFA_ENROLL")
	c := newClient(t, srv)
	tx, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	assert.False(t, tx.CanSkip)
	user.SetSkip(true)
	tx, err = c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	assert.True(t, tx.CanSkip)
	skipped, err := c.Skip(t.Context(), tx)
	require.NoError(t, err)
	assert.Equal(t, okta.StatusSuccess, skipped.Status)

	user.AddTOTP("GOOGLE")
	tx, err = c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	skipped, err = c.Skip(t.Context(), tx)
	require.NoError(t, err)
	assert.Equal(t, okta.StatusMFARequired, skipped.Status)
}

// TestRememberedDevice: after a factor with the wish, the password alone is enough on
// this device, and on no other.
func TestRememberedDevice(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	push := user.AddPush("WAITING", "SUCCESS")
	plain := newClient(t, srv)
	c := plain.OnDevice(okta.Device{Token: okta.NewSecret(deviceToken), Remember: true})
	tx, err := c.Authenticate(t.Context(), login, password)
	for range 3 {
		require.NoError(t, err)
		tx, err = c.Verify(t.Context(), tx, okta.Factor{ID: push.ID, Type: okta.FactorPush}, "")
	}
	require.NoError(t, err)
	require.Equal(t, okta.StatusSuccess, tx.Status)
	for client, want := range map[*okta.Client]okta.Status{c: okta.StatusSuccess, plain: okta.StatusMFARequired} {
		tx, err = client.Authenticate(t.Context(), login, password)
		require.NoError(t, err)
		assert.Equal(t, want, tx.Status)
	}
}
