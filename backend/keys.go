package backend

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file holds the keys by which the mount proves itself to Okta as a service app.

// keysKey is where the keys are stored. The builtin method does not know the entry.
const keysKey = "service-app/keys"

// retiredFor is how long the public half of a key is served after its successor has
// taken over. Okta takes an assertion for an hour at most.
const retiredFor = time.Hour

// keysEntry is what is stored of the keys.
type keysEntry struct {
	Current *keyPair    `json:"current,omitempty"` // signs
	Next    *keyPair    `json:"next,omitempty"`    // is served, so that Okta knows it before it signs
	Retired *retiredKey `json:"retired,omitempty"`
}

// keyPair is a key pair in storage.
type keyPair struct {
	okta.Unprintable
	PrivateKey string    `json:"private_key"` // PEM
	Created    time.Time `json:"created"`

	signing *okta.SigningKey // PrivateKey, if it can be read
}

// retiredKey is a key that no longer signs. Its private half is gone.
type retiredKey struct {
	JWK   json.RawMessage `json:"jwk"`
	Until time.Time       `json:"until"` // it is served until then
}

// ready parses the keys of an entry that was read from storage. The current one goes on
// signing where the next one cannot be read.
func (e *keysEntry) ready(string) error {
	for _, k := range []*keyPair{e.Current, e.Next} {
		if k != nil {
			k.signing, _ = okta.ParseSigningKey(okta.NewSecret(k.PrivateKey)) // whose error may quote it
		}
	}
	if e.Current != nil && e.Current.signing == nil {
		return errors.New("its current private key is not valid")
	}
	return nil
}

var errNextUnreadable = invalid("config/key", "has a next key that cannot be read from storage: write config/key/rotate, which replaces it")

// signs returns the key that signs, nil where there is none.
func (e *keysEntry) signs() *okta.SigningKey {
	if e == nil || e.Current == nil {
		return nil
	}
	return e.Current.signing
}

// next returns the next key, which must have that kid unless kid is empty.
func (e *keysEntry) next(kid string) (*okta.SigningKey, error) {
	switch {
	case e == nil || e.Current == nil || e.Next == nil:
		return nil, errNoNextKey
	case e.Next.signing == nil:
		return nil, errNextUnreadable
	case kid != "" && kid != e.Next.signing.ID():
		return nil, invalid("kid", "is not that of the next key: read config/key")
	}
	return e.Next.signing, nil
}

// newKeyPair makes a key.
func newKeyPair(algorithm string, now time.Time) (*keyPair, error) {
	signing, err := okta.NewSigningKey(algorithm)
	if err != nil {
		return nil, err
	}
	text, err := signing.PEM()
	if err != nil {
		return nil, err
	}
	return &keyPair{PrivateKey: text.Reveal(), Created: now.UTC(), signing: signing}, nil
}

// promoted returns the keys once the next one has taken over.
func (e *keysEntry) promoted(now time.Time) (*keysEntry, error) {
	jwk, err := e.Current.signing.PublicJWK()
	return &keysEntry{Current: e.Next, Retired: &retiredKey{jwk, now.Add(retiredFor).UTC()}}, err
}

// served returns the public keys that Okta may need by now.
func (e *keysEntry) served(now time.Time) ([]json.RawMessage, error) {
	served := []json.RawMessage{}
	if e == nil {
		return served, nil
	}
	for _, k := range []*keyPair{e.Current, e.Next} {
		if k == nil || k.signing == nil {
			continue
		}
		jwk, err := k.signing.PublicJWK()
		if err != nil {
			return nil, err
		}
		served = append(served, jwk)
	}
	if e.Retired != nil && now.Before(e.Retired.Until) {
		served = append(served, e.Retired.JWK)
	}
	return served, nil
}

// describe tells a key, without its private half.
func (k *keyPair) describe() (map[string]any, error) {
	if k.signing == nil {
		return nil, errNextUnreadable
	}
	raw, err := k.signing.PublicJWK()
	if err != nil {
		return nil, err
	}
	var jwk map[string]any
	if err := json.Unmarshal(raw, &jwk); err != nil {
		return nil, err
	}
	return map[string]any{
		"kid":          k.signing.ID(),
		"algorithm":    k.signing.Algorithm(),
		"created_time": k.Created.Format(time.RFC3339),
		"public_jwk":   jwk,
	}, nil
}

// keysOfMount returns the keys, nil where the mount has none. Callers must not change them.
func (b *backend) keysOfMount(ctx context.Context, s logical.Storage) (*keysEntry, error) {
	return b.keys.Get(ctx, s, keysKey)
}

// changeKeys stores what change makes of the keys, unless it fails. It returns what is
// stored, and what that has replaced because it could not be read: change gets keys that
// are empty then, as where there are none.
func (b *backend) changeKeys(ctx context.Context, s logical.Storage, change func(*keysEntry) (*keysEntry, error)) (
	after *keysEntry, lost *store.UnreadableError, err error,
) {
	unlock, err := b.locks.Lock(ctx, keysKey)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	before, err := b.keys.Stored(ctx, s, keysKey)
	if lost, err = unreadable(err); err != nil {
		return nil, nil, err
	}
	if before == nil {
		before = &keysEntry{}
	}
	if after, err = change(before); err != nil {
		return nil, nil, err
	}
	return after, lost, b.keys.Write(ctx, s, keysKey, after)
}
