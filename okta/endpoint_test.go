package okta_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestEndpointOfErrors: an answer says which operation it came from, whatever names
// and ids the path holds.
func TestEndpointOfErrors(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t, oktatest.Options{PageSize: 1})
	mia.SetGroups("Everyone", "Scientists")
	c := newClient(t, srv)
	ofEndpoint := map[string]okta.Endpoint{
		"authn": okta.EndpointAuthn, "verify": okta.EndpointVerify, "resend": okta.EndpointResend, "previous": okta.EndpointPrevious,
		"skip": okta.EndpointSkip, "cancel": okta.EndpointCancel, "groups": okta.EndpointGroups,
		"users": okta.EndpointUsers, "listusers": okta.EndpointUsers, "listfactors": okta.EndpointFactors,
		"verifyfactor": okta.EndpointFactors, "transaction": okta.EndpointFactors, "canceltransaction": okta.EndpointFactors,
	}
	for _, call := range calls(t, srv, mia) {
		srv.ClearFaults()
		srv.Fail(call.endpoint, oktatest.Status(403, "E0000006", "You do not have permission").After(call.pass))
		assert.Equal(t, ofEndpoint[call.endpoint], refusal(t, call.do(t.Context(), c)).Endpoint, call.name)
	}
	srv.Fail("organization", oktatest.Status(403, "E0000006", "You do not have permission"))
	_, err := c.OrgID(t.Context())
	assert.Equal(t, okta.EndpointOrganization, refusal(t, err).Endpoint)

	srv.ClearFaults()
	for _, name := range []string{"groups", "factors", "groups/", "a/groups", "verify/resend", "..x"} {
		_, err := c.Account(t.Context(), name)
		assert.Equal(t, okta.EndpointUsers, refusal(t, err).Endpoint, name)
		_, err = c.Groups(t.Context(), name)
		assert.Equal(t, okta.EndpointGroups, refusal(t, err).Endpoint, name)
		_, err = c.Factors(t.Context(), name)
		assert.Equal(t, okta.EndpointFactors, refusal(t, err).Endpoint, name)
		_, err = c.Verify(t.Context(), okta.Transaction{StateToken: state}, okta.Factor{ID: name}, passCode)
		assert.Equal(t, okta.EndpointVerify, refusal(t, err).Endpoint, name)
	}
}

// TestRefusesMount: a code that is the mount's matter in one operation can be the
// person's in another, and a state token is never the mount's.
func TestRefusesMount(t *testing.T) {
	t.Parallel()
	inLogin := []okta.Endpoint{okta.EndpointVerify, okta.EndpointResend, okta.EndpointPrevious, okta.EndpointSkip, okta.EndpointCancel}
	byToken := []okta.Endpoint{okta.EndpointAuthn, okta.EndpointGroups, okta.EndpointUsers, okta.EndpointFactors, okta.EndpointOrganization}
	all := slices.Concat(inLogin, byToken)
	ofTheMount := map[string][]okta.Endpoint{
		"E0000001": append([]okta.Endpoint{okta.EndpointGroups}, inLogin...),
		"E0000005": all,
		"E0000006": all,
		"E0000007": append([]okta.Endpoint{okta.EndpointGroups}, inLogin...),
		"E0000011": byToken,
		"E0000015": all,
		"E0000022": all,
		"E0000038": append([]okta.Endpoint{okta.EndpointGroups}, inLogin...),
		// What the person did, or Okta.
		"E0000004": nil, "E0000009": nil, "E0000047": nil, "E0000068": nil, "E0000069": nil, "E0000070": nil, "E0000079": nil,
		"E0000082": nil, "E0000085": nil, "E0000113": nil, "": nil,
	}
	for code, endpoints := range ofTheMount {
		for _, e := range append(all, "") {
			want := slices.Contains(endpoints, e)
			err := fmt.Errorf("x: %w", &okta.Error{HTTPStatus: 403, Code: code, Endpoint: e})
			assert.Equal(t, want, okta.RefusesMount(err), "%s at %q", code, e)
		}
	}
	assert.False(t, okta.RefusesMount(nil))
	assert.False(t, okta.RefusesMount(errors.New("E0000006")))
}

// TestRefusesPassword: of the answers to a password, those by which Okta may have judged it
// are told from those about the program, the rate, a policy, and those of a gateway.
func TestRefusesPassword(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		answer okta.Error
		want   bool
	}{
		{okta.Error{HTTPStatus: 401, Code: okta.CodeAuthenticationFailed}, true},
		{okta.Error{HTTPStatus: 401, Code: okta.CodeSignInFailed}, true},
		{okta.Error{HTTPStatus: 403, Code: okta.CodeSignInFailed}, true},
		{okta.Error{HTTPStatus: 401, Code: "E0000999"}, true},
		{okta.Error{HTTPStatus: 401, Code: okta.CodeInvalidToken}, false},
		{okta.Error{HTTPStatus: 401, Code: okta.CodeInvalidSession}, false},
		{okta.Error{HTTPStatus: 401, Code: okta.CodeNoFeature}, false},
		{okta.Error{HTTPStatus: 401, Code: okta.CodeInvalidAccessToken}, false},
		{okta.Error{HTTPStatus: 401, Code: "unauthorized"}, false},
		{okta.Error{HTTPStatus: 401}, false},
		{okta.Error{HTTPStatus: 403, Code: okta.CodePolicyDenied}, false},
		{okta.Error{HTTPStatus: 403, Code: "E0000999"}, false},
		{okta.Error{HTTPStatus: 429, Code: "E0000047"}, false},
		{okta.Error{HTTPStatus: 500, Code: okta.CodeInternal}, false},
	} {
		row.answer.Endpoint = okta.EndpointAuthn
		assert.Equal(t, row.want, okta.RefusesPassword(fmt.Errorf("x: %w", &row.answer)), "%d %s", row.answer.HTTPStatus, row.answer.Code)
	}
	assert.False(t, okta.RefusesPassword(&okta.Error{HTTPStatus: 401, Code: "E0000999", Endpoint: okta.EndpointGroups}))
	assert.False(t, okta.RefusesPassword(nil))
	assert.False(t, okta.RefusesPassword(okta.ErrTimeout))
}

// TestNextEntry: after Okta's question for one more entry the same state token goes
// on, and the question is for the person alone.
func TestNextEntry(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	token := user.AddFactor("token", "RSA")
	token.SetCode("314159")
	c := newClient(t, srv)
	tx, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	const asks = "Your new PIN is 5086-x. Type it again."
	srv.Fail("verify", oktatest.Status(409, okta.CodeNextPassCode, asks).Times(1))
	next, err := c.Verify(t.Context(), tx, tx.Factors[0], "271828")
	assert.Zero(t, next)
	said := refusal(t, err)
	assert.Equal(t, asks, said.Words.Reveal())
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %+v", err, err, err, *said), "5086")
	assert.False(t, okta.RefusesMount(err))
	next, err = c.Verify(t.Context(), tx, tx.Factors[0], "314159")
	require.NoError(t, err)
	assert.Equal(t, okta.StatusSuccess, next.Status)
}

// TestPending: an error document with status 202 says that a push still waits, and
// the transaction before it goes on.
func TestPending(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	user.AddPush("WAITING", "SUCCESS")
	c := newClient(t, srv)
	tx, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	tx, err = c.Verify(t.Context(), tx, tx.Factors[0], "")
	require.NoError(t, err)
	srv.Fail("verify", oktatest.Accepted202().Times(1))
	_, err = c.Verify(t.Context(), tx, *tx.Factor, "")
	require.True(t, okta.Pending(fmt.Errorf("x: %w", err)))
	for _, want := range []okta.Status{okta.StatusMFAChallenge, okta.StatusSuccess} {
		tx, err = c.Verify(t.Context(), tx, *tx.Factor, "")
		require.NoError(t, err)
		assert.Equal(t, want, tx.Status)
	}
	assert.False(t, okta.Pending(nil))
	assert.False(t, okta.Pending(&okta.Error{HTTPStatus: 202}))
	assert.False(t, okta.Pending(&okta.Error{HTTPStatus: 403, Code: "E0000068"}))
}

// TestEveryPostHasAContentType: one without a body, too.
func TestEveryPostHasAContentType(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t, oktatest.Options{PageSize: 1})
	mia.SetGroups("Everyone", "Scientists")
	c := newClient(t, srv)
	for _, call := range calls(t, srv, mia) {
		_ = call.do(t.Context(), c) // the answer does not matter
	}
	_, err := c.ChallengeFactor(t.Context(), mia.ID, okta.Factor{ID: "sms1", Type: okta.FactorSMS}, false)
	refusal(t, err)
	empty := 0
	for _, r := range srv.Requests() {
		if r.Method != http.MethodPost {
			assert.Empty(t, r.Header.Get("Content-Type"), r.Path)
			continue
		}
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"), r.Path)
		if len(r.Body) == 0 {
			empty++
			assert.Equal(t, "0", r.Header.Get("Content-Length"), r.Path)
		}
	}
	assert.NotZero(t, empty, "requests without a body")
}
