package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

func (b *backend) pathsKeys() []*framework.Path {
	update := func(summary string, f framework.OperationFunc, failures ...int) map[logical.Operation]framework.OperationHandler {
		return map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{Callback: f, Summary: summary,
				Responses: told(keyAnswer(), append(failures, http.StatusBadRequest)...)},
		}
	}
	return []*framework.Path{
		{
			Pattern: "config/key",
			Fields:  grouped("Key", fieldSchemas{"algorithm": algorithmField()}),
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ReadOperation: &framework.PathOperation{
					Callback: b.pathKeyRead, Summary: "Read the public keys of the mount's service app.",
					Responses: told(with(keyAnswer(), fieldSchemas{
						"next": {Type: framework.TypeMap, Description: "The next key, if there is one."},
					}), http.StatusBadRequest, http.StatusNotFound),
				},
				logical.UpdateOperation: &framework.PathOperation{
					Callback: b.pathKeyWrite, Summary: "Make the first key of the mount's service app.",
					Responses: told(keyAnswer(), http.StatusBadRequest),
				},
				logical.DeleteOperation: &framework.PathOperation{
					Callback: b.pathKeyDelete, Summary: "Delete the keys of the mount's service app.", Responses: written(),
				},
			},
			HelpSynopsis:    "The key by which the mount proves itself to Okta as a service app.",
			HelpDescription: keyHelp,
			DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "key"},
		},
		{
			Pattern:         "config/key/rotate",
			Fields:          grouped("Key", fieldSchemas{"algorithm": algorithmField()}),
			Operations:      update("Make the next key; jwks serves it beside the current one.", b.pathKeyRotate),
			HelpSynopsis:    "Make the next key of the mount's service app.",
			HelpDescription: keyHelp,
			DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: "rotate", OperationSuffix: "key"},
		},
		{
			Pattern: "config/key/promote",
			Fields:  grouped("Key", fieldSchemas{"kid": promoteKidField(), "force": promoteForceField()}),
			Operations: update("Sign with the next key from now on.", b.pathKeyPromote,
				http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout),
			HelpSynopsis:    "Have the next key of the mount's service app take over.",
			HelpDescription: keyHelp,
			DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: "promote", OperationSuffix: "key"},
		},
		{
			Pattern: "jwks",
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ReadOperation: &framework.PathOperation{
					Callback: b.pathJWKSRead, Summary: "Read the public keys as a JWK set, without a token.",
					Responses: told(fieldSchemas{"keys": {Type: framework.TypeSlice, Description: "The JWK set itself, without Vault's envelope."}}),
				},
			},
			HelpSynopsis:    "The public keys of the mount's service app, as a JWK set.",
			HelpDescription: "The jwks_uri of a service app in Okta may be this path. It needs no token, and answers with the plain JWK set.",
			DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "jwks"},
		},
	}
}

// keyAnswer are the fields of an answer about a key: see describe.
func keyAnswer() fieldSchemas {
	return fieldSchemas{
		"kid":          {Type: framework.TypeString, Description: "Id of the key."},
		"algorithm":    {Type: framework.TypeString, Description: "Algorithm of the key."},
		"created_time": {Type: framework.TypeTime, Description: "When it was made."},
		"public_jwk":   {Type: framework.TypeMap, Description: "Its public half, as a JWK, for the app in Okta."},
	}
}

func algorithmField() *framework.FieldSchema {
	return &framework.FieldSchema{
		Type:          framework.TypeString,
		Default:       okta.RS256,
		AllowedValues: []any{okta.RS256, okta.ES256},
		Description:   `Algorithm of the key: "RS256", with 3072 bits, or "ES256". "RS256" when empty.`,
		DisplayAttrs:  &framework.DisplayAttributes{Name: "Algorithm"},
	}
}

func promoteKidField() *framework.FieldSchema {
	return &framework.FieldSchema{
		Type:         framework.TypeString,
		Description:  "The kid of the key that is meant: the request fails where another one is the next key. Whichever is next, when empty.",
		DisplayAttrs: &framework.DisplayAttributes{Name: "Key ID"},
	}
}

func promoteForceField() *framework.FieldSchema {
	return &framework.FieldSchema{
		Type:    framework.TypeBool,
		Default: false,
		Description: "Promote the next key without asking Okta for an access token with it first. Until Okta takes that key, " +
			"the mount reads nothing from Okta, and logins fail. False when not set.",
		DisplayAttrs: &framework.DisplayAttributes{Name: "Force"},
	}
}

// algorithmOf returns the algorithm of a request.
func algorithmOf(d *framework.FieldData) (string, error) {
	switch v, _ := newest[string](d, "algorithm"); v {
	case "":
		return okta.RS256, nil
	case okta.RS256, okta.ES256:
		return v, nil
	}
	return "", invalid("algorithm", fmt.Sprintf("must be %q or %q", okta.RS256, okta.ES256))
}

func (b *backend) pathKeyRead(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	keys, err := b.keysOfMount(ctx, req.Storage)
	if err != nil || keys == nil || keys.Current == nil {
		return nil, err
	}
	data, err := keys.Current.describe()
	if err != nil {
		return answerInput(err)
	}
	if keys.Next != nil {
		if data["next"], err = keys.Next.describe(); err != nil {
			return answerInput(err)
		}
	}
	return &logical.Response{Data: data}, nil
}

// pathKeyWrite makes the first key. It replaces none, because Okta would know the new one
// too late.
func (b *backend) pathKeyWrite(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	return b.makeKey(ctx, req, d, func(keys *keysEntry, made *keyPair) error {
		if keys.Current != nil {
			return invalid("config/key", "exists: write config/key/rotate and then config/key/promote, or delete it first")
		}
		keys.Current = made
		return nil
	})
}

// pathKeyRotate makes a next key in place of one that has not been promoted.
func (b *backend) pathKeyRotate(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	return b.makeKey(ctx, req, d, func(keys *keysEntry, made *keyPair) error {
		if keys.Current == nil {
			return errNoKey
		}
		keys.Next = made
		return nil
	})
}

var (
	errNoKey     = invalid("config/key", "does not exist: write it first")
	errNoNextKey = invalid("config/key/promote", "needs a next key: write config/key/rotate first")
)

// makeKey makes a key, has put place it, and answers with its public half.
func (b *backend) makeKey(ctx context.Context, req *logical.Request, d *framework.FieldData, put func(*keysEntry, *keyPair) error) (*logical.Response, error) {
	algorithm, err := algorithmOf(d)
	if err != nil {
		return answerInput(err)
	}
	made, err := newKeyPair(algorithm, b.now())
	if err != nil {
		return nil, err
	}
	_, lost, err := b.changeKeys(ctx, req.Storage, func(before *keysEntry) (*keysEntry, error) {
		after := *before
		return &after, put(&after, made)
	})
	if err != nil {
		return answerInput(err)
	}
	resp, err := answerKey(made)
	if err == nil {
		replaced(lost).addTo(resp)
	}
	return resp, err
}

func answerKey(k *keyPair) (*logical.Response, error) {
	data, err := k.describe()
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: data}, nil
}

func (b *backend) pathKeyPromote(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	kid, _ := newest[string](d, "kid")
	keys, err := b.promoteKey(ctx, req.Storage, kid, d.Get("force").(bool))
	switch err = nextKeyRefused(err); {
	case isA[*store.UnreadableError](err):
		return nil, err
	case isA[*inputError](err):
		return answerInput(err)
	case err != nil:
		return b.answer(ctx, err, false)
	}
	return answerKey(keys.Current)
}

func (b *backend) pathKeyDelete(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	unlock, err := b.locks.Lock(ctx, configKey, keysKey)
	if err != nil {
		return nil, err
	}
	defer unlock()
	_, err = b.keys.Stored(ctx, req.Storage, keysKey)
	lost, err := unreadable(err)
	if err != nil {
		return nil, err
	}
	if lost == nil { // otherwise nothing can use it
		cfg, err := b.configs.Stored(ctx, req.Storage, configKey)
		switch {
		case err != nil:
			return nil, err
		case cfg != nil && cfg.ClientID != "":
			return answerInput(invalid("client_id", "of config needs the key: empty it first, or replace the key by config/key/rotate and config/key/promote"))
		}
	}
	if err := b.keys.Remove(ctx, req.Storage, keysKey); err != nil {
		return nil, err
	}
	return warned(replaced(lost)), nil
}

func (b *backend) pathJWKSRead(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	keys, err := b.keysOfMount(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	served, err := keys.served(b.now())
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"keys": served})
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{
		logical.HTTPStatusCode:  http.StatusOK,
		logical.HTTPContentType: "application/json",
		logical.HTTPRawBody:     body,
	}}, nil
}

const keyHelp = `
An OAuth 2.0 service app in Okta takes the place of an API token. The mount makes the
key pair itself: the private key never leaves Vault's storage. Give the public key to
the app in Okta, or let Okta read the path "jwks". Then write client_id to "config".

"config/key/rotate" makes a next key, and "jwks" serves it beside the current one.
Unless Okta reads "jwks", give it the next key then. "config/key/promote" has the mount
sign with the next key. "jwks" serves the old key for another hour.

Where client_id is set, "config/key/promote" first asks Okta for an access token with
the next key, and changes nothing if Okta grants none. With key_rotation_period of
"config" the mount makes the next key and promotes it by itself, once Okta has read
"jwks".
`
