package okta_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestOffersOfTheOrg: what the org offers by a link, it offers at its own host and the
// known path. A link that leads elsewhere, or makes no sense, offers nothing and
// spoils nothing.
func TestOffersOfTheOrg(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	for _, offer := range []struct {
		name, path, body string
		offered          func(okta.Transaction) bool
	}{
		{"skip", "/api/v1/authn/skip",
			`{"status":"MFA_ENROLL","stateToken":"00x","_embedded":{"factors":[{"factorType":"push"}]},"_links":{"skip":%s}}`,
			func(tx okta.Transaction) bool { return tx.CanSkip }},
		{"type", "/api/v1/authn/factors/token:software:totp/verify",
			`{"status":"MFA_REQUIRED","stateToken":"00x","_embedded":{"factors":[{"factorType":"push"}],` +
				`"factorTypes":[{"factorType":"token:software:totp","_links":{"next":%s}}]}}`,
			func(tx okta.Transaction) bool {
				return len(tx.FactorTypes) == 1 && tx.FactorTypes[0] == okta.FactorTOTP
			}},
	} {
		host := strings.TrimPrefix(srv.URL, "https://")
		own := fmt.Sprintf(`{"href":"%s%s"}`, srv.URL, offer.path)
		for link, want := range map[string]bool{
			own:                             true,
			"[" + own + "]":                 true,
			`[{"href":7},` + own + `]`:      true,
			`{"name":7,` + own[1:]:          true,
			`{"href":"` + offer.path + `"}`: false,
			fmt.Sprintf(`{"href":"https://foreign.example%s"}`, offer.path):                false,
			fmt.Sprintf(`{"href":"https://%s.foreign.example%s"}`, host, offer.path):       false,
			fmt.Sprintf(`{"href":"https://%s@foreign.example%s"}`, host, offer.path):       false,
			fmt.Sprintf(`{"href":"https://me:secret@%s%s"}`, host, offer.path):             false,
			fmt.Sprintf(`{"href":"http://%s%s"}`, host, offer.path):                        false,
			fmt.Sprintf(`{"href":"//%s%s"}`, host, offer.path):                             false,
			fmt.Sprintf(`{"href":"%s%s/"}`, srv.URL, offer.path):                           false,
			fmt.Sprintf(`{"href":"%s/x%s"}`, srv.URL, offer.path):                          false,
			fmt.Sprintf(`{"href":"%s/api/v1/authn/../authn%s"}`, srv.URL, offer.path[13:]): false,
			fmt.Sprintf(`{"href":"%s%s?next=1"}`, srv.URL, offer.path):                     false,
			fmt.Sprintf(`{"href":"%s/api/v1/authn/cancel"}`, srv.URL):                      false,
			fmt.Sprintf(`{"href":"%s/api/v1/authn/factors/ost1/verify"}`, srv.URL):         false,
			`{"href":"::%zz"}`: false, `{"href":""}`: false, `{"href":{}}`: false, `{}`: false, `[]`: false, `[[]]`: false,
			`null`: false, `7`: false, `"skip"`: false,
		} {
			srv.Fail("authn", oktatest.Body(200, "application/json", strings.Replace(offer.body, "%s", link, 1)).Times(1))
			tx, err := c.Authenticate(t.Context(), login, password)
			require.NoError(t, err, "%s %s", offer.name, link)
			assert.Equal(t, want, offer.offered(tx), "%s %s", offer.name, link)
			assert.Len(t, tx.Factors, 1, "%s %s", offer.name, link)
		}
	}
}

// TestOffersThatAreNone: shapes that hold no offer at all spoil nothing either.
func TestOffersThatAreNone(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	for _, body := range []string{
		`{"status":"MFA_REQUIRED","_embedded":{"factorTypes":7}}`,
		`{"status":"MFA_REQUIRED","_embedded":{"factorTypes":{"factorType":{}}}}`,
		`{"status":"MFA_REQUIRED","_embedded":{"factorTypes":[null,7,{"factorType":"..","_links":[]},{"_links":{"next":null}}]}}`,
		`{"status":"MFA_REQUIRED","_links":[{"skip":{"href":"` + srv.URL + `/api/v1/authn/skip"}}]}`,
		`{"status":"MFA_REQUIRED","_links":{"resend":7,"skip":true}}`,
	} {
		srv.Fail("authn", oktatest.Body(200, "application/json", body).Times(1))
		tx, err := c.Authenticate(t.Context(), login, password)
		require.NoError(t, err, body)
		assert.Equal(t, okta.Transaction{Status: okta.StatusMFARequired}, tx, body)
	}
}

// TestOneBrokenLinkHidesNoOther: each link stands for itself.
func TestOneBrokenLinkHidesNoOther(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	own := `{"href":"` + srv.URL + `/api/v1/authn/skip"}`
	for _, broken := range []string{`7`, `"x"`, `[7]`, `{"href":7}`, `null`} {
		body := `{"status":"MFA_ENROLL","_links":{"resend":` + broken + `,"skip":` + own + `}}`
		srv.Fail("authn", oktatest.Body(200, "application/json", body).Times(1))
		tx, err := c.Authenticate(t.Context(), login, password)
		require.NoError(t, err)
		assert.True(t, tx.CanSkip, broken)
		assert.False(t, tx.CanResend, broken)
	}
}

// TestVerifyByTypeNeedsAnOffer: without the link a wrong passcode may not count, so
// nothing is sent.
func TestVerifyByTypeNeedsAnOffer(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	for name, tx := range map[string]okta.Transaction{
		"none":         {StateToken: state},
		"another type": {StateToken: state, FactorTypes: []okta.FactorType{okta.FactorHOTP}},
	} {
		_, err := c.VerifyByType(t.Context(), tx, okta.FactorTOTP, passCode)
		assert.ErrorIs(t, err, okta.ErrMalformed, name)
	}
	offered := okta.Transaction{StateToken: state, FactorTypes: []okta.FactorType{okta.FactorTOTP}}
	_, err := c.VerifyByType(t.Context(), offered, okta.FactorTOTP, "")
	assert.ErrorIs(t, err, okta.ErrMalformed, "no passcode")
	assert.Empty(t, srv.Requests())

	_, err = c.VerifyByType(t.Context(), offered, okta.FactorTOTP, passCode)
	refusal(t, err)
	require.Equal(t, 1, srv.Count(http.MethodPost, "/api/v1/authn/factors/token:software:totp/verify"))
	assert.JSONEq(t, `{"stateToken":"`+stateToken+`","passCode":"`+passCode+`"}`, string(srv.Requests()[0].Body))
}

// TestUserIsKept: an answer on the way that names no user is about the same one. A
// success has to name its user itself.
func TestUserIsKept(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	before := okta.Transaction{StateToken: state, User: mia}
	nobody := `{"status":"MFA_REQUIRED","stateToken":"00y","_embedded":{"factors":[{"id":"opf1","factorType":"push"}]}}`
	for name, do := range map[string]func() (okta.Transaction, error){
		"verify":   func() (okta.Transaction, error) { return c.Verify(t.Context(), before, phone, passCode) },
		"resend":   func() (okta.Transaction, error) { return c.Resend(t.Context(), before, sms) },
		"previous": func() (okta.Transaction, error) { return c.Previous(t.Context(), before) },
		"skip":     func() (okta.Transaction, error) { return c.Skip(t.Context(), before) },
	} {
		srv.Fail(name, oktatest.Body(200, "application/json", nobody).Times(1))
		tx, err := do()
		require.NoError(t, err, name)
		assert.Equal(t, mia, tx.User, name)
		assert.Len(t, tx.Factors, 1, name)
		srv.Fail(name, oktatest.Body(200, "application/json", `{"status":"SUCCESS"}`).Times(1))
		tx, err = do()
		assert.ErrorIs(t, err, okta.ErrMalformed, name)
		assert.Zero(t, tx, name)
	}
	srv.Fail("authn", oktatest.Body(200, "application/json", nobody).Times(1))
	tx, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	assert.Zero(t, tx.User)
}

func TestNeedsBrowser(t *testing.T) {
	t.Parallel()
	for typ, want := range map[okta.FactorType]bool{
		okta.FactorPush: false, okta.FactorTOTP: false, okta.FactorHardware: false, okta.FactorToken: false, okta.FactorHOTP: false,
		okta.FactorSMS: false, okta.FactorCall: false, okta.FactorEmail: false, okta.FactorQuestion: false, "": false, "saml": false,
		okta.FactorWeb: true, okta.FactorU2F: true, okta.FactorWebAuthn: true, okta.FactorSignedNonce: true,
		"claims_provider": true, "assertion:saml2": true, "assertion:oidc": true,
	} {
		assert.Equal(t, want, typ.NeedsBrowser(), typ)
	}
}
