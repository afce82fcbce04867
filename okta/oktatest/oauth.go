package oktatest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// This file answers POST /oauth2/v1/token, and checks the tokens and proofs of
// management calls. The words of the errors are this package's own.
// https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/main/
// https://developer.okta.com/docs/guides/dpop/oktaresourceserver/main/

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertion  = time.Hour       // how far ahead its exp may be
	maxProofAge   = 5 * time.Minute // of a DPoP proof
)

func oauthError(status int, code, description string, args ...any) *answer {
	return &answer{status: status, body: object{"error": code, "error_description": fmt.Sprintf(description, args...)}}
}

func invalidClient(description string, args ...any) *answer {
	return oauthError(http.StatusUnauthorized, "invalid_client", description, args...)
}

func invalidProof(description string, args ...any) *answer {
	return oauthError(http.StatusBadRequest, "invalid_dpop_proof", description, args...)
}

func (o *Org) token(c *call) answer {
	a := o.tokenAnswer(c)
	a.header = http.Header{}
	a.header.Set("Dpop-Nonce", o.nonce)
	return a
}

func (o *Org) tokenAnswer(c *call) answer {
	form := c.form
	switch {
	case c.request.URL.RawQuery != "":
		return *oauthError(http.StatusBadRequest, "invalid_request", "Credentials do not belong into the query.")
	case form.Get("grant_type") != "client_credentials":
		return *oauthError(http.StatusBadRequest, "unsupported_grant_type", "This client has another grant type.")
	case form.Get("client_assertion_type") != assertionType:
		return *oauthError(http.StatusBadRequest, "invalid_request", "The client_assertion_type is not known.")
	}
	app, bad := o.checkAssertion(c, form.Get("client_assertion"))
	if bad != nil {
		return *bad
	}
	jkt, bad := o.checkTokenProof(c, app)
	if bad != nil {
		return *bad
	}
	return o.issue(app, jkt, form, c.now)
}

// issue answers with a token for the scopes that were asked for.
func (o *Org) issue(app *ServiceApp, jkt string, form url.Values, now time.Time) answer {
	scopes := strings.Fields(form.Get("scope"))
	if len(scopes) == 0 {
		return *oauthError(http.StatusBadRequest, "invalid_scope", "No scope was asked for.")
	}
	for _, scope := range scopes {
		if !slices.Contains(app.scopes, scope) {
			return *oauthError(http.StatusBadRequest, "invalid_scope", "The app has no scope %q.", scope)
		}
	}
	text, kind := "eyJ"+rand.Text()+rand.Text(), "Bearer"
	if jkt != "" {
		kind = "DPoP"
	}
	o.tokens[text] = &accessToken{app, scopes, now.Add(tokenLife), jkt}
	o.addSecret(text)
	app.issued++
	return ok(object{
		"token_type": kind, "expires_in": int(tokenLife / time.Second), "access_token": text, "scope": strings.Join(scopes, " "),
	})
}

// checkAssertion finds the app that has signed the assertion.
func (o *Org) checkAssertion(c *call, text string) (*ServiceApp, *answer) {
	t, err := parseJWS(text)
	if err != nil {
		return nil, invalidClient("The client_assertion is no token: %v.", err)
	}
	o.addSecret(text)
	app := o.appOf(t.text("iss"))
	if app == nil || t.text("sub") != app.ID {
		return nil, invalidClient("The iss and the sub must be the client id.")
	}
	if t.header.Alg != "RS256" && t.header.Alg != "ES256" {
		return nil, invalidClient("The alg is not one of private_key_jwt.")
	}
	key, known := app.key(t.header.KID)
	switch {
	case !known:
		return nil, invalidClient("The kid is not that of a key of the app.")
	case !t.signedBy(key):
		return nil, invalidClient("The signature is not valid.")
	case t.text("aud") != c.base+c.request.URL.Path:
		return nil, invalidClient("The aud must be the endpoint that is called.")
	}
	if bad := app.checkTimes(t, c.now); bad != nil {
		return nil, bad
	}
	return app, nil
}

// checkTimes checks when an assertion is good, and that it is used once.
func (a *ServiceApp) checkTimes(t jws, now time.Time) *answer {
	exp, isNumber := t.seconds("exp")
	switch {
	case !isNumber:
		return invalidClient("The exp is missing.")
	case exp <= now.Unix():
		return invalidClient("The assertion has expired.")
	case exp > now.Add(maxAssertion).Unix():
		return invalidClient("The exp is too far ahead.")
	}
	if iat, given := t.seconds("iat"); given && iat > now.Unix() {
		return invalidClient("The assertion is from the future.")
	}
	if jti := t.text("jti"); jti != "" {
		if a.jtis[jti] {
			return invalidClient("The assertion was used before.")
		}
		a.jtis[jti] = true
	}
	return nil
}

// checkTokenProof checks the proof of a request for a token, and returns the thumbprint of
// its key; or nothing, where the app need not send one.
func (o *Org) checkTokenProof(c *call, app *ServiceApp) (jkt string, bad *answer) {
	if app.bearer && c.request.Header.Get("Dpop") == "" {
		return "", nil
	}
	t, bad := o.checkProof(c)
	switch {
	case bad != nil:
		return "", bad
	case t.text("nonce") != o.nonce:
		return "", oauthError(http.StatusBadRequest, "use_dpop_nonce", "The proof needs this server's nonce.")
	}
	return t.header.JWK.thumbprint(), o.useProof(t)
}

// checkProof checks what all proofs have in common.
func (o *Org) checkProof(c *call) (t jws, bad *answer) {
	proofs := c.request.Header.Values("Dpop")
	if len(proofs) != 1 {
		return t, invalidProof("There must be one header with a proof, and not %d.", len(proofs))
	}
	t, err := parseJWS(proofs[0])
	if err != nil {
		return t, invalidProof("The proof is no token: %v.", err)
	}
	if t.header.Typ != "dpop+jwt" || t.header.JWK == nil {
		return t, invalidProof("The typ or the jwk is not that of a proof.")
	}
	key, err := t.header.JWK.public()
	if err != nil || !t.signedBy(key) {
		return t, invalidProof("The signature of the proof is not valid.")
	}
	iat, isNumber := t.seconds("iat")
	age := c.now.Unix() - iat
	switch {
	case t.text("htm") != c.request.Method:
		return t, invalidProof("The htm is not the method.")
	case t.text("htu") != c.base+c.request.URL.Path: // decoded, as observed
		return t, invalidProof("The htu is not the URL.")
	case !isNumber || age < 0 || age > int64(maxProofAge/time.Second):
		return t, invalidProof("The iat is not of the last five minutes.")
	case t.text("jti") == "":
		return t, invalidProof("The jti is missing.")
	}
	return t, nil
}

// useProof refuses a proof that was used before.
func (o *Org) useProof(t jws) *answer {
	jti := t.text("jti")
	if o.proofs[jti] {
		return invalidProof("The proof was used before.")
	}
	o.proofs[jti] = true
	return nil
}

// checkAccess checks the access token of a management call, and the proof for it.
func (o *Org) checkAccess(rt route, c *call, scheme, text string) *answer {
	token := o.tokens[text]
	if token == nil || !c.now.Before(token.expires) {
		return refusedToken(scheme, http.StatusUnauthorized, "invalid_token", "")
	}
	bound, proving := token.jkt != "", strings.EqualFold(scheme, "DPoP")
	switch {
	case bound && !proving:
		return oauthError(http.StatusBadRequest, "invalid_request", "This token belongs to the scheme DPoP.")
	case proving && !bound:
		return refusedToken(scheme, http.StatusUnauthorized, "invalid_token", "")
	case bound:
		if bad := o.checkAccessProof(c, token, text); bad != nil {
			return bad
		}
	}
	if !token.allows(rt) {
		return refusedToken(scheme, http.StatusForbidden, "insufficient_scope", scopeOf(rt))
	}
	return nil
}

func (o *Org) checkAccessProof(c *call, token *accessToken, text string) *answer {
	if len(c.request.Header.Values("Dpop")) == 0 {
		return oauthError(http.StatusBadRequest, "invalid_request", "This token needs a proof.")
	}
	t, bad := o.checkProof(c)
	switch {
	case bad != nil:
		return bad
	case t.header.JWK.thumbprint() != token.jkt:
		return invalidProof("The token is bound to another key.")
	case t.text("ath") != digest(text):
		return invalidProof("The ath is not that of the token.")
	}
	return o.useProof(t)
}

// refusedToken is an answer without a body, whose header says what is wrong.
func refusedToken(scheme string, status int, code, scope string) *answer {
	value := scheme + ` authorization_uri="https://authz.example", realm="https://realm.example", error="` + code + `"`
	if scope != "" {
		value += `, scope="` + scope + `"`
	}
	return &answer{status: status, header: http.Header{"Www-Authenticate": {value}}}
}
