package okta_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// open begins a transaction of the user whose only factor it returns.
func open(t *testing.T, c *okta.Client) (okta.Transaction, okta.Factor) {
	t.Helper()
	tx, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	require.Equal(t, okta.StatusMFARequired, tx.Status)
	assert.False(t, tx.CanResend)
	require.Len(t, tx.Factors, 1)
	return tx, tx.Factors[0]
}

// TestSentCode: a code is sent, sent once more, and answered.
func TestSentCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		factor  okta.FactorType
		tooSoon string
		wait    time.Duration
	}{
		{okta.FactorSMS, okta.CodeResendSMS, 30 * time.Second},
		{okta.FactorCall, okta.CodeResendCall, 30 * time.Second},
		{okta.FactorEmail, okta.CodeResendEmail, 5 * time.Second},
	} {
		t.Run(string(tc.factor), func(t *testing.T) {
			t.Parallel()
			clock := oktatest.NewClock(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
			srv, user := newOrg(t, oktatest.Options{Now: clock.Now})
			device := user.AddFactor(string(tc.factor), "OKTA")
			c := newClient(t, srv)

			tx, f := open(t, c)
			assert.NotEmpty(t, f.SentTo)
			tx, err := c.Verify(t.Context(), tx, f, "")
			require.NoError(t, err)
			assert.Equal(t, okta.StatusMFAChallenge, tx.Status)
			if tc.factor != okta.FactorCall { // Okta does not always publish the link for one
				assert.True(t, tx.CanResend)
			}
			assert.Equal(t, &f, tx.Factor)

			_, err = c.Resend(t.Context(), tx, f)
			refused := refusal(t, err)
			assert.Equal(t, tc.tooSoon, refused.Code)
			assert.Equal(t, tc.wait, refused.RetryAfter)

			clock.Advance(refused.RetryAfter)
			tx, err = c.Resend(t.Context(), tx, f)
			require.NoError(t, err)
			assert.Equal(t, okta.StatusMFAChallenge, tx.Status)
			assert.Equal(t, 2, device.Sent())

			tx, err = c.Verify(t.Context(), tx, f, device.Code())
			require.NoError(t, err)
			assert.Equal(t, okta.StatusSuccess, tx.Status)
		})
	}
}

// TestKnownCode: factors that need no challenge are answered at once.
func TestKnownCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		factor   okta.FactorType
		provider okta.Provider
	}{
		{okta.FactorTOTP, okta.ProviderGoogle},
		{okta.FactorHardware, okta.ProviderYubico},
		{okta.FactorToken, okta.ProviderRSA},
		{okta.FactorToken, okta.ProviderSymantec},
		{okta.FactorHOTP, okta.ProviderCustom},
		{okta.FactorQuestion, okta.ProviderOkta},
	} {
		t.Run(string(tc.factor)+" "+string(tc.provider), func(t *testing.T) {
			t.Parallel()
			srv, user := newOrg(t)
			device := user.AddFactor(string(tc.factor), string(tc.provider))
			c := newClient(t, srv)
			tx, f := open(t, c)
			assert.Equal(t, tc.factor, f.Type)
			assert.Equal(t, tc.provider, f.Provider)
			assert.Equal(t, tc.factor == okta.FactorQuestion, f.Question != "")

			_, err := c.Verify(t.Context(), tx, f, "wrong")
			refused := refusal(t, err)
			assert.Equal(t, okta.CodeInvalidPassCode, refused.Code)
			tx, err = c.Verify(t.Context(), tx, f, device.Code())
			require.NoError(t, err)
			assert.Equal(t, okta.StatusSuccess, tx.Status)
		})
	}
}

// TestPrevious: an open challenge is left for the list of factors.
func TestPrevious(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	push := user.AddPush()
	c := newClient(t, srv)
	required, f := open(t, c)
	_, err := c.Previous(t.Context(), required)
	refused := refusal(t, err)
	assert.Equal(t, okta.CodeWrongState, refused.Code)

	tx, err := c.Verify(t.Context(), required, f, "")
	require.NoError(t, err)
	assert.Equal(t, 1, push.Waiting())
	tx, err = c.Previous(t.Context(), tx)
	require.NoError(t, err)
	assert.Equal(t, okta.StatusMFARequired, tx.Status)
	assert.Equal(t, required.Factors, tx.Factors)
	assert.False(t, tx.CanResend)
	assert.Zero(t, push.Waiting())
}
