package oktatest

import (
	"crypto"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// ServiceApp is an OAuth 2.0 service app of the organization: a client that proves
// itself by a key, and calls the management APIs with access tokens.
type ServiceApp struct {
	// ID is the client id.
	ID string

	org    *Org
	source func() []byte // the jwks_uri, nil where keys are saved
	keys   map[string]crypto.PublicKey
	scopes []string
	bearer bool // it need not prove possession
	jtis   map[string]bool
	issued int
}

// accessToken is a token that the organization has issued.
type accessToken struct {
	app     *ServiceApp
	scopes  []string
	expires time.Time
	jkt     string // thumbprint of the key that it is bound to; empty: none
}

const tokenLife = time.Hour

// AddServiceApp adds an app to which the scopes are granted. It requires DPoP, as new
// apps do.
func (o *Org) AddServiceApp(scopes ...string) *ServiceApp {
	o.mu.Lock()
	defer o.mu.Unlock()
	app := &ServiceApp{ID: "0oa" + rand.Text()[:17], org: o, scopes: scopes, jtis: make(map[string]bool)}
	o.apps = append(o.apps, app)
	return app
}

// SaveKeys saves the public keys of a JWK set in the app, in place of those before.
func (a *ServiceApp) SaveKeys(set []byte) error {
	a.org.mu.Lock()
	defer a.org.mu.Unlock()
	a.source = nil
	return a.load(set)
}

// SetJWKSURI has the organization read the keys from source, as from a jwks_uri: again
// where it does not know the key of an assertion. source may not call the organization.
func (a *ServiceApp) SetJWKSURI(source func() []byte) {
	a.org.mu.Lock()
	defer a.org.mu.Unlock()
	a.source, a.keys = source, nil
}

// Grant replaces the scopes that are granted.
func (a *ServiceApp) Grant(scopes ...string) {
	a.org.mu.Lock()
	defer a.org.mu.Unlock()
	a.scopes = scopes
}

// RequireDPoP says whether the app has to prove possession of a key with its tokens.
func (a *ServiceApp) RequireDPoP(required bool) {
	a.org.mu.Lock()
	defer a.org.mu.Unlock()
	a.bearer = !required
}

// Issued returns how many access tokens the app has got.
func (a *ServiceApp) Issued() int {
	a.org.mu.Lock()
	defer a.org.mu.Unlock()
	return a.issued
}

// RevokeTokens revokes all access tokens of the app.
func (a *ServiceApp) RevokeTokens() {
	a.org.mu.Lock()
	defer a.org.mu.Unlock()
	for text, token := range a.org.tokens {
		if token.app == a {
			delete(a.org.tokens, text)
		}
	}
}

// ChangeNonce has the organization ask for another nonce in proofs for tokens, and take
// no other any more.
func (o *Org) ChangeNonce() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.nonce = rand.Text()
}

// load reads a JWK set. It needs the lock.
func (a *ServiceApp) load(set []byte) error {
	var read struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(set, &read); err != nil {
		return err
	}
	keys := make(map[string]crypto.PublicKey)
	for _, k := range read.Keys {
		key, err := k.public()
		if err != nil {
			return err
		}
		keys[k.KID] = key
	}
	a.keys = keys
	return nil
}

// key finds a key by its kid. It needs the lock.
func (a *ServiceApp) key(kid string) (crypto.PublicKey, bool) {
	if _, known := a.keys[kid]; !known && a.source != nil {
		if err := a.load(a.source()); err != nil {
			return nil, false
		}
	}
	key, known := a.keys[kid]
	return key, known
}

func (o *Org) appOf(id string) *ServiceApp {
	i := slices.IndexFunc(o.apps, func(a *ServiceApp) bool { return a.ID == id })
	if i < 0 {
		return nil
	}
	return o.apps[i]
}

// allows reports whether the token's scopes are enough for the route.
func (t *accessToken) allows(rt route) bool {
	manage := slices.Contains(t.scopes, "okta.users.manage")
	if strings.HasPrefix(rt.pattern, "GET ") {
		return manage || slices.Contains(t.scopes, "okta.users.read")
	}
	return manage
}

// scopeOf names the scope that the route needs.
func scopeOf(rt route) string {
	if strings.HasPrefix(rt.pattern, "GET ") {
		return "okta.users.read"
	}
	return "okta.users.manage"
}
