package okta

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ServiceApp is an OAuth 2.0 service app of the org, by which management calls prove
// themselves in place of an API token.
// https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/main/
type ServiceApp struct {
	ClientID string
	Scopes   []string // that are asked for; Okta grants all of them or none
	Key      *SigningKey
}

const (
	tokenPath = "/oauth2/v1/token"

	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife = 5 * time.Minute

	// clockSlack is how far in the past assertions and proofs are dated: Okta takes none
	// from the future, and a proof of up to 5 minutes ago.
	clockSlack = 30 * time.Second

	// refreshBefore is how long before its end a token is replaced, while it still
	// serves the other calls, and unusableBefore how long before its end it no longer does.
	refreshBefore  = 10 * time.Minute
	unusableBefore = time.Minute
)

// serviceApp proves by access tokens that are bound to a key of this client (DPoP).
// https://developer.okta.com/docs/guides/dpop/oktaresourceserver/main/
type serviceApp struct {
	ServiceApp
	now        func() time.Time
	assertions jose.Signer
	proofs     jose.Signer

	turn chan struct{} // whoever holds it asks for a token

	mu     sync.Mutex
	token  accessToken
	nonce  string
	failed *tokenFailure // the last request for a token, if it has failed
	asked  int           // requests for a token that have ended
}

// accessToken is a token and how it is sent.
type accessToken struct {
	scheme string // "DPoP" or "Bearer"
	value  Secret
	ends   time.Time
}

// tokenFailure is an error that those who waited for the same token share.
type tokenFailure struct{ err error }

func newServiceApp(app ServiceApp, now func() time.Time) (*serviceApp, error) {
	if app.ClientID == "" || len(app.Scopes) == 0 || app.Key == nil {
		return nil, errors.New("a service app needs a client id, scopes and a key")
	}
	bound, err := NewSigningKey(ES256) // of this client alone, and never stored
	if err != nil {
		return nil, err
	}
	assertions, err := app.Key.signer((&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	proofs, err := bound.signer((&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		return nil, err
	}
	return &serviceApp{ServiceApp: app, now: now, assertions: assertions, proofs: proofs, turn: make(chan struct{}, 1)}, nil
}

func (a *serviceApp) prove(ctx context.Context, c *Client, req *http.Request) error {
	token, err := a.current(ctx, c)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", token.scheme+" "+token.value.Reveal())
	if token.scheme != "DPoP" {
		return nil
	}
	sum := sha256.Sum256([]byte(token.value.Reveal()))
	return a.addProof(c, req, map[string]any{"ath": base64.RawURLEncoding.EncodeToString(sum[:])})
}

// addProof proves possession of the key for one request. Okta compares the URL with the
// decoded path, without the query.
func (a *serviceApp) addProof(c *Client, req *http.Request, more map[string]any) error {
	claims := map[string]any{
		"htm": req.Method, "htu": c.orgURL + req.URL.Path, "iat": a.now().Add(-clockSlack).Unix(), "jti": rand.Text(),
	}
	a.mu.Lock()
	if a.nonce != "" {
		claims["nonce"] = a.nonce
	}
	a.mu.Unlock()
	proof, err := jwt.Signed(a.proofs).Claims(claims).Claims(more).Serialize()
	if err != nil {
		return err
	}
	req.Header.Set("DPoP", proof)
	return nil
}

// renew drops a token that Okta no longer takes, unless another one has replaced it.
func (a *serviceApp) renew(req *http.Request, err error) bool {
	if a.keepNonce(asksForNonce(err)) {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Endpoint == EndpointToken || e.HTTPStatus != http.StatusUnauthorized {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if req.Header.Get("Authorization") == a.token.scheme+" "+a.token.value.Reveal() {
		a.token = accessToken{}
	}
	return true
}

// keepNonce keeps a nonce of Okta's, and reports whether there is one.
func (a *serviceApp) keepNonce(nonce string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if nonce != "" {
		a.nonce = nonce
	}
	return nonce != ""
}

// current returns a token that is good for a while. One caller at a time asks Okta for
// one; the others take the one before as long as it is good, or wait for the new one and
// share its error.
func (a *serviceApp) current(ctx context.Context, c *Client) (accessToken, error) {
	token, asked, fresh := a.look()
	if fresh {
		return token, nil
	}
	usable := !token.value.IsZero()
	select {
	case a.turn <- struct{}{}:
	default:
		if usable {
			return token, nil
		}
		select {
		case a.turn <- struct{}{}:
		case <-ctx.Done():
			return token, contextError(ctx.Err())
		}
	}
	defer func() { <-a.turn }()
	switch others, now, failed := a.since(asked); {
	case failed != nil:
		return token, failed
	case others && !now.value.IsZero():
		return now, nil
	}
	got, err := a.fetch(ctx, c)
	a.note(ctx, got, err)
	if err != nil && usable {
		return token, nil // it is good for some minutes, and others will ask again
	}
	return got, err
}

// look returns the token if it is usable, and whether it need not be replaced yet.
func (a *serviceApp) look() (token accessToken, asked int, fresh bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := a.token.ends.Sub(a.now())
	if a.token.value.IsZero() || left <= unusableBefore {
		return accessToken{}, a.asked, false
	}
	return a.token, a.asked, left > refreshBefore
}

// since returns what has come of the requests for a token after the one of that number.
func (a *serviceApp) since(asked int) (others bool, token accessToken, failed error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked == asked {
		return false, accessToken{}, nil
	}
	if a.failed != nil {
		return true, accessToken{}, a.failed.err
	}
	return true, a.token, nil
}

// note keeps what has come of a request for a token. That a caller has left says nothing
// to the others.
func (a *serviceApp) note(ctx context.Context, got accessToken, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		a.token, a.failed = got, nil
	case ctx.Err() != nil:
		return
	default:
		a.failed = &tokenFailure{err}
	}
	a.asked++
}

// fetch asks Okta for a token, with a new assertion and a new proof each time: the first
// request may get nothing but the nonce for the second one.
func (a *serviceApp) fetch(ctx context.Context, c *Client) (accessToken, error) {
	token, err := a.ask(ctx, c)
	if a.keepNonce(asksForNonce(err)) {
		token, err = a.ask(ctx, c)
	}
	if err != nil {
		return accessToken{}, fmt.Errorf("asking for an access token: %w", err)
	}
	return token, nil
}

func (a *serviceApp) ask(ctx context.Context, c *Client) (accessToken, error) {
	asked := a.now()
	assertion, err := a.assertion(c.orgURL+tokenPath, asked)
	if err != nil {
		return accessToken{}, err
	}
	body := url.Values{
		"grant_type": {"client_credentials"}, "scope": {strings.Join(a.Scopes, " ")},
		"client_assertion_type": {assertionType}, "client_assertion": {assertion},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.orgURL+tokenPath, bytes.NewReader([]byte(body.Encode())))
	if err != nil {
		return accessToken{}, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	Caller{}.describe(req.Header, c.userAgent) // the program asks for itself
	if err := a.addProof(c, req, nil); err != nil {
		return accessToken{}, err
	}
	resp, answer, err := c.transport.send(req)
	if err != nil {
		return accessToken{}, err
	}
	a.keepNonce(Clip(resp.Header.Get("DPoP-Nonce"), maxNonce))
	return a.granted(resp, answer, asked)
}

// assertion proves that the program is the app.
func (a *serviceApp) assertion(audience string, now time.Time) (string, error) {
	return jwt.Signed(a.assertions).Claims(map[string]any{
		"iss": a.ClientID, "sub": a.ClientID, "aud": audience, "jti": rand.Text(),
		"iat": now.Add(-clockSlack).Unix(), "exp": now.Add(assertionLife).Unix(),
	}).Serialize()
}

// granted reads the answer to a request for a token. Okta may grant less than was asked
// for, and then some calls would fail later.
func (a *serviceApp) granted(resp *http.Response, answer []byte, asked time.Time) (accessToken, error) {
	var w struct {
		Type    string `json:"token_type"`
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"` // seconds
		Scope   string `json:"scope"`
	}
	if err := json.Unmarshal(answer, &w); err != nil {
		return accessToken{}, malformed("not the JSON of a token", resp)
	}
	scheme := map[string]string{"dpop": "DPoP", "bearer": "Bearer"}[strings.ToLower(w.Type)]
	if scheme == "" || w.Token == "" || w.Expires <= 0 || strings.ContainsFunc(w.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return accessToken{}, malformed("no access token", resp)
	}
	granted := strings.Fields(w.Scope)
	for _, scope := range a.Scopes {
		if !slices.Contains(granted, scope) {
			return accessToken{}, &Error{HTTPStatus: resp.StatusCode, Endpoint: EndpointToken, Code: CodeInsufficientScope, RequestID: requestID(resp.Header)}
		}
	}
	return accessToken{scheme, NewSecret(w.Token), asked.Add(time.Duration(min(w.Expires, 24*3600)) * time.Second)}, nil
}

// maxNonce is the longest nonce that is kept.
const maxNonce = 256

// TryServiceApp asks Okta for an access token as the app, and forgets it: whether Okta
// takes the key and grants the scopes.
func (c *Client) TryServiceApp(ctx context.Context, app ServiceApp) error {
	a, err := newServiceApp(app, c.transport.now)
	if err != nil {
		return err
	}
	_, err = a.fetch(ctx, c)
	return err
}
