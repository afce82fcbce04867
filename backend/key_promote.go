package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file has the next key of the service app take over.

// promoteKey has the next key take over, which must have that kid unless kid is empty.
// Unless force is set, Okta has to grant an access token for the key first.
func (b *backend) promoteKey(ctx context.Context, s logical.Storage, kid string, force bool) (*keysEntry, error) {
	if !force {
		next, err := b.tryNextKey(ctx, s, kid)
		if err != nil {
			return nil, err
		}
		kid = next // another one may be next by now
	}
	after, _, err := b.changeKeys(ctx, s, func(before *keysEntry) (*keysEntry, error) {
		if _, err := before.next(kid); err != nil {
			return nil, err
		}
		return before.promoted(b.now())
	})
	return after, err
}

// tryNextKey asks Okta for an access token with the next key, and returns the kid of that
// key. It asks nothing on a mount without a client_id.
func (b *backend) tryNextKey(ctx context.Context, s logical.Storage, kid string) (string, error) {
	keys, err := b.keys.Stored(ctx, s, keysKey)
	if err != nil {
		return "", err
	}
	next, err := keys.next(kid)
	if err != nil {
		return "", err
	}
	cfg, err := b.config(ctx, s)
	if err != nil {
		return "", err
	}
	if cfg == nil || cfg.ClientID == "" {
		return next.ID(), nil
	}
	client, err := b.client(ctx, s, cfg)
	if err != nil {
		return "", err
	}
	return next.ID(), client.TryServiceApp(ctx, okta.ServiceApp{ClientID: cfg.ClientID, Scopes: cfg.scopes(), Key: next})
}

// nextKeyRefused says what to do where Okta refuses the app with the next key. It returns
// any other error as it is.
func nextKeyRefused(err error) error {
	said, ok := errors.AsType[*okta.Error](err)
	if !ok || !okta.RefusesMount(err) {
		return err
	}
	remedy := "check client_id and scopes of config, and what is granted to the app in Okta"
	if said.Code == okta.CodeInvalidClient {
		remedy = "give the public_jwk of the next key (read config/key) to the app in Okta, or, where the app has this mount's jwks as its " +
			"jwks_uri, wait until Okta has read it again"
	}
	return invalid("config/key/promote", fmt.Sprintf("has changed nothing, because Okta grants no access token for the next key%s: %s, "+
		"and promote then. With force=true the key takes over nevertheless, and logins fail until Okta takes it", codeOf(err), remedy))
}
