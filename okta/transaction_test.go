package okta_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestGolden decodes what Okta answers, as it comes over the wire. The bodies
// follow Okta's reference; their data is invented.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.Len(t, files, len(transactionOf)+len(errorOf)+1)

	// The org's clock is years from this machine's: expiries are converted.
	clock := oktatest.NewClock(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
	srv, _ := newOrg(t, oktatest.Options{Now: clock.Now})
	c := newClient(t, srv)
	for name, want := range transactionOf {
		t.Run(name, func(t *testing.T) {
			// The links of the bodies lead to the org that answers.
			body := strings.ReplaceAll(string(golden(t, name)), "https://acme.okta.com", srv.URL)
			srv.Fail("authn", oktatest.Body(200, "application/json", body).Times(1))
			got, err := c.Authenticate(t.Context(), login, password)
			require.NoError(t, err)
			if !want.ExpiresAt.IsZero() {
				assert.WithinDuration(t, time.Now().Add(want.ExpiresAt.Sub(clock.Now())), got.ExpiresAt, 10*time.Second)
				got.ExpiresAt = want.ExpiresAt
			}
			assert.Equal(t, want, got)
		})
	}
	for name, tc := range errorOf {
		t.Run(name, func(t *testing.T) {
			srv.Fail("authn", oktatest.Body(tc.status, "application/json; charset=utf-8", string(golden(t, name))).Times(1))
			tx, err := c.Authenticate(t.Context(), login, password)
			assert.Zero(t, tx)
			got := refusal(t, err)
			assert.NotEmpty(t, got.RequestID)
			want := tc.want
			want.HTTPStatus, want.Endpoint, want.ID, want.RequestID = tc.status, okta.EndpointAuthn, "oaeSample1", got.RequestID
			assert.Equal(t, want, *got)
			assert.NotContains(t, err.Error(), "left blank", "causes are not part of the text")
		})
	}
	t.Run("groups", func(t *testing.T) {
		srv.Fail("groups", oktatest.Body(200, "application/json", string(golden(t, "groups"))).Times(1))
		got, err := c.Groups(t.Context(), mia.ID)
		require.NoError(t, err)
		assert.Equal(t, []okta.Group{
			{ID: "00g1ever", Name: "Everyone", Type: "BUILT_IN"},
			{ID: "00g2scie", Name: "Scientists", Type: "OKTA_GROUP"},
			{ID: "00g3scie", Name: "Scientists", Type: "APP_GROUP"},
		}, got)
	})
}

// TestAgainstOrg decodes what oktatest says in each of its variants.
func TestAgainstOrg(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]oktatest.Options{
		"default":            {},
		"array under factor": {FactorArrayUnderFactor: true},
		"extra fields":       {ExtraFields: true},
		"objects":            {FactorsAsObject: true},
		"objects and fields": {FactorsAsObject: true, ExtraFields: true, VerifyByType: true},
		"empty profile":      {EmptyVerifyProfile: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, mia := newOrg(t, options)
			push := mia.AddPush("WAITING", "SUCCESS").Number(0, 1)
			mia.AddTOTP("GOOGLE")
			c := newClient(t, srv)
			tx, err := c.Authenticate(t.Context(), login, password)
			require.NoError(t, err)
			require.Equal(t, okta.StatusMFARequired, tx.Status)
			require.Len(t, tx.Factors, 2)
			assert.Nil(t, tx.Factor)
			assert.Equal(t, okta.User{ID: mia.ID, Login: login}, tx.User)
			assert.WithinDuration(t, time.Now().Add(5*time.Minute), tx.ExpiresAt, time.Minute)

			tx, err = c.Verify(t.Context(), tx, tx.Factors[0], "")
			require.NoError(t, err)
			require.NotNil(t, tx.Factor)
			assert.Equal(t, push.ID, tx.Factor.ID)
			assert.Nil(t, tx.Challenge)
			tx, err = c.Verify(t.Context(), tx, *tx.Factor, "")
			require.NoError(t, err)
			assert.Equal(t, &okta.Challenge{CorrectAnswer: 0}, tx.Challenge)
			tx, err = c.Verify(t.Context(), tx, *tx.Factor, "")
			require.NoError(t, err)
			assert.Equal(t, okta.StatusSuccess, tx.Status)
			assert.Equal(t, mia.ID, tx.User.ID)
			assert.Empty(t, tx.StateToken)
			assert.Equal(t, 1, push.Pushes())
		})
	}
}

// TestCanResend: the link is an array, and nothing that stands in its place
// spoils the transaction.
func TestCanResend(t *testing.T) {
	t.Parallel()
	const href = `"href":"https://acme.okta.com/api/v1/authn/factors/sms2phon01/verify/resend"`
	for links, want := range map[string]bool{
		`{"resend":[{"name":"sms",` + href + `}]}`:                   true,
		`{"resend":[{"name":"sms",` + href + `},{"name":"x"}]}`:      true,
		`{"resend":[{},{` + href + `}]}`:                             true,
		`{"resend":{"name":"sms",` + href + `}}`:                     true,
		`{"next":7,"prev":[],"resend":[{` + href + `,"hints":"x"}]}`: true,
		`{"resend":[{"href":7},{` + href + `}]}`:                     true,
		`{"resend":[]}`:                                              false,
		`{"resend":[null]}`:                                          false,
		`{"resend":[[{` + href + `}]]}`:                              false,
		`{"resend":[{"name":"sms"}]}`:                                false,
		`{"resend":[{"href":""}]}`:                                   false,
		`{"resend":[{"href":{}}]}`:                                   false,
		`{"resend":{}}`:                                              false,
		`{"resend":null}`:                                            false,
		`{"resend":"https://acme.okta.com"}`:                         false,
		`{"resend":true}`:                                            false,
		`{"resend":7}`:                                               false,
		`{}`:                                                         false,
		`null`:                                                       false,
		`[]`:                                                         false,
		`"resend"`:                                                   false,
		`[{"resend":[{` + href + `}]}]`:                              false,
	} {
		var got okta.Transaction
		err := json.Unmarshal([]byte(`{"status":"MFA_CHALLENGE","stateToken":"`+stateToken+`","_links":`+links+`}`), &got)
		require.NoError(t, err, links)
		assert.Equal(t, okta.Transaction{Status: okta.StatusMFAChallenge, StateToken: state, CanResend: want}, got, links)
	}
}

func TestValidHostLabel(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "acme", "ACME", "acme-2", "2acme", "x--y", strings.Repeat("a", 63)} {
		assert.True(t, okta.ValidHostLabel(s), s)
	}
	for _, s := range []string{"", "-", "-acme", "acme-", "acme.okta", "acme_1", "a b", "a/b", "a:1", "a@b", "é", "a\x00", strings.Repeat("a", 64)} {
		assert.False(t, okta.ValidHostLabel(s), s)
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		n    int
		want string
	}{
		{"", 3, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc…"},
		{"a\r\n\x1b[31m\x00b", 20, "a...[31m.b"},
		{"äöü", 2, "äö…"},
		{"a\u202eb\u2028c", 9, "a.b.c"},
	} {
		assert.Equal(t, tc.want, okta.Clip(tc.in, tc.n), "%q", tc.in)
	}
}

// Only what calls itself JSON is read, by one parser: the SDK would take XML for
// a list of groups, and an error would pass for a success under another name.
func TestMediaType(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	c := newClient(t, srv)
	success := string(golden(t, "success"))
	for _, mediaType := range []string{"text/html", "text/plain; application/json", "", "application/xml", "application/jsonx"} {
		srv.ClearFaults()
		srv.Fail("authn", oktatest.Body(200, mediaType, success))
		_, err := c.Authenticate(t.Context(), login, password)
		assert.ErrorIs(t, err, okta.ErrMalformed, mediaType)
	}
	for _, mediaType := range []string{"application/json", "Application/JSON;charset=UTF-8", "application/json; charset",
		"application/json; charset=UTF-8; charset=utf-8", "application/json, application/json"} {
		srv.ClearFaults()
		srv.Fail("authn", oktatest.Body(200, mediaType, success))
		_, err := c.Authenticate(t.Context(), login, password)
		assert.NoError(t, err, mediaType)
		srv.ClearFaults()
		srv.Fail("authn", oktatest.Body(202, mediaType, `{"errorCode":"E0000070","status":"SUCCESS"}`))
		_, err = c.Authenticate(t.Context(), login, password)
		refusal(t, err)
	}
	srv.Fail("groups", oktatest.Body(200, "application/xml", `<g><Profile><Name>admin</Name></Profile></g>`))
	_, err := c.Groups(t.Context(), mia.ID)
	assert.ErrorIs(t, err, okta.ErrMalformed)
}
