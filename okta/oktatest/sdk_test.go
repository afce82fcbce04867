package oktatest_test

import (
	"errors"
	"testing"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"
	"github.com/okta/okta-sdk-golang/v2/okta/query"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOfficialSDK finds a user and sends a push as a program does that knows
// Okta through its SDK only.
func TestOfficialSDK(t *testing.T) {
	t.Parallel()
	_, srv := newClient(t)
	u := srv.AddUser(login, password)
	u.SetEmail("mia@home.test")
	phone := u.AddPush("WAITING", "SUCCESS")
	totp := u.AddTOTP("OKTA")
	ctx, client, err := sdk.NewClient(t.Context(),
		sdk.WithOrgUrl(srv.URL), sdk.WithToken(srv.Token), sdk.WithAuthorizationMode("SSWS"),
		sdk.WithHttpClientPtr(srv.Client()),
		sdk.WithCache(false)) // it would answer each poll with the first answer
	require.NoError(t, err)

	for name, params := range map[string]*query.Params{
		"search": query.NewQueryParams(query.WithSearch(`profile.email eq "MIA@home.test"`)),
		"filter": query.NewQueryParams(query.WithFilter(`profile.login eq "mia.ito@acme.test"`), query.WithLimit(2)),
	} {
		users, resp, err := client.User.ListUsers(ctx, params)
		require.NoError(t, err, name)
		require.Len(t, users, 1, name)
		assert.Equal(t, u.ID, users[0].Id, name)
		assert.Equal(t, "ACTIVE", users[0].Status, name)
		assert.Equal(t, login, (*users[0].Profile)["login"], name)
		assert.False(t, resp.HasNextPage(), name)
	}
	_, _, err = client.User.ListUsers(ctx, query.NewQueryParams(query.WithSearch("nonsense")))
	refused, ok := errors.AsType[*sdk.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "E0000031", refused.ErrorCode)

	factors, _, err := client.UserFactor.ListFactors(ctx, u.ID)
	require.NoError(t, err)
	require.Len(t, factors, 2)
	first := factors[0].(*sdk.UserFactor)
	assert.Equal(t, []string{phone.ID, "push", "OKTA", "ACTIVE"},
		[]string{first.Id, first.FactorType, first.Provider, first.Status})

	right, _, err := client.UserFactor.VerifyFactor(ctx, u.ID, totp.ID, sdk.VerifyFactorRequest{PassCode: totp.Code()}, nil, nil)
	require.NoError(t, err)
	assert.Equal(t, "SUCCESS", right.FactorResult)

	started, resp, err := client.UserFactor.VerifyFactor(ctx, u.ID, first.Id, sdk.VerifyFactorRequest{}, nil, nil)
	require.NoError(t, err)
	assert.Equal(t, 201, resp.StatusCode)
	assert.Equal(t, "WAITING", started.FactorResult)
	assert.NotNil(t, started.ExpiresAt)
	href := started.Links.(map[string]any)["poll"].(map[string]any)["href"].(string)
	id := href[len(srv.URL+factorPath(phone)+"/transactions/"):]
	for _, want := range []string{"WAITING", "SUCCESS"} {
		polled, _, err := client.UserFactor.GetFactorTransactionStatus(ctx, u.ID, first.Id, id)
		require.NoError(t, err)
		assert.Equal(t, want, polled.FactorResult)
	}
	_, _, err = client.UserFactor.GetFactorTransactionStatus(ctx, u.ID, first.Id, id)
	refused, ok = errors.AsType[*sdk.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "E0000007", refused.ErrorCode)
	assert.Equal(t, 1, phone.Pushes())
}
