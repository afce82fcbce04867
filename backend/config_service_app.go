package backend

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file holds the fields of config that make the mount a service app of Okta's.

// defaultScopes are asked for where scopes is empty: people and their groups are read.
var defaultScopes = []string{"okta.users.read", "okta.groups.read"}

const (
	maxClientID = 128
	maxScopes   = 32

	// A key that has been replaced is served for an hour, see retiredFor.
	minKeyRotation = time.Hour
	maxKeyRotation = 10 * 365 * 24 * time.Hour
)

func serviceAppFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"client_id": {
			Type: framework.TypeString,
			Description: "Client id of an OAuth 2.0 service app in Okta. The mount then reads people and groups as that app, with the key of " +
				"config/key, and not with api_token. Off, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Client ID"},
		},
		"scopes": {
			Type:    framework.TypeCommaStringSlice,
			Default: defaultScopes,
			Description: "Scopes that the service app asks for, all of which Okta has to grant: a list or a comma-separated string. " +
				enumerate("and", defaultScopes) + ", when empty. MFA methods of type okta need okta.users.manage, too.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Scopes"},
		},
		"key_rotation_period": {
			Type:    framework.TypeDurationSecond,
			Default: "0s",
			Description: "How old the key of the service app becomes before the mount replaces it by itself: 1h to 87600h (10 years). " +
				"The new key takes over once Okta takes it, for which Okta has to read the path jwks. 0, which is the default, leaves it to " +
				"config/key/rotate and config/key/promote.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Key Rotation Period"},
		},
		"trusted_app": {
			Type:    framework.TypeBool,
			Default: true,
			Description: "Send api_token with logins, too, so that Okta takes the mount for a trusted application: it then heeds the " +
				"device_token of a login. With false, logins send no token, and api_token only reads people, groups and factors. True when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Trusted Application"},
		},
	}
}

// updateServiceApp takes over the fields about the service app.
func (cfg *configEntry) updateServiceApp(d *framework.FieldData) error {
	if v, ok := newest[string](d, "client_id"); ok {
		v = strings.TrimSpace(v)
		if len(v) > maxClientID || strings.ContainsFunc(v, notToken) {
			return invalid("client_id", `must be the client id of a service app, such as "0oa1b2c3d4"`)
		}
		cfg.ClientID = v
	}
	if list, ok := newest[[]string](d, "scopes"); ok && d.Raw["scopes"] != nil {
		if len(list) > maxScopes || slices.ContainsFunc(list, func(s string) bool { return s == "" || strings.ContainsFunc(s, notToken) }) {
			return invalid("scopes", fmt.Sprintf("must be a list of at most %d scopes, such as %q", maxScopes, defaultScopes[0]))
		}
		cfg.Scopes = unique(list)
	}
	if v, ok := newest[int](d, "key_rotation_period"); ok && d.Raw["key_rotation_period"] != nil { // null is not given
		period := time.Duration(v) * time.Second
		if period != 0 && (period < minKeyRotation || period > maxKeyRotation) {
			return invalid("key_rotation_period", "must be 1h to 87600h, or 0 for never")
		}
		cfg.KeyRotationPeriod = period
	}
	if v, ok := newest[bool](d, "trusted_app"); ok && d.Raw["trusted_app"] != nil {
		cfg.TrustedApp = &v
	}
	return nil
}

// trustedApp reports whether logins send the API token.
func (cfg *configEntry) trustedApp() bool { return cfg.TrustedApp == nil || *cfg.TrustedApp }

// notToken reports whether r can be no part of a client id or a scope.
func notToken(r rune) bool { return r <= ' ' || r > unicode.MaxASCII-1 || r == '"' || r == '\\' }

// scopes returns the scopes in force.
func (cfg *configEntry) scopes() []string {
	if len(cfg.Scopes) == 0 {
		return defaultScopes
	}
	return cfg.Scopes
}

// readsOkta reports whether the mount may make management calls: as a service app or with
// an API token.
func (cfg *configEntry) readsOkta() bool { return cfg.ClientID != "" || cfg.Token != "" }

// serviceApp returns the app that the mount is, nil where it is none.
func (cfg *configEntry) serviceApp(keys *keysEntry) (*okta.ServiceApp, error) {
	if cfg.ClientID == "" {
		return nil, nil
	}
	key := keys.signs()
	if key == nil {
		return nil, errNoKey
	}
	return &okta.ServiceApp{ClientID: cfg.ClientID, Scopes: cfg.scopes(), Key: key}, nil
}

// checkServiceApp refuses a client_id without a key.
func (b *backend) checkServiceApp(ctx context.Context, s logical.Storage, cfg *configEntry, d *framework.FieldData) error {
	if cfg.ClientID == "" || !names(d, "client_id") {
		return nil
	}
	keys, err := b.keysOfMount(ctx, s)
	if err != nil {
		return err
	}
	if keys.signs() == nil {
		return invalid("client_id", "needs a key: write config/key first, and give its public_jwk to the app in Okta")
	}
	return nil
}

const (
	builtinHasNoTokenWarning = "client_id is set and there is no api_token: after a switch back to Vault's builtin method people can log in, " +
		"but their groups in Okta are not read. Write an api_token before such a switch."
	tokenBesideAppWarning = "client_id is set, so people and groups are read as the service app. The api_token is still stored%s. " +
		`Write api_token="" once the service app works, unless Vault's builtin method is to read groups after a switch back.`
	noRotationWarning = "key_rotation_period has no effect while client_id is empty: the mount is no service app."
	untrustedWarning  = "trusted_app is false: logins send Okta no api_token. Vault's builtin okta method does not know the field, and sends it " +
		"with each login after a switch back."
	forgetsDevicesWarning = "remember_device has no effect while trusted_app is false: Okta heeds a device_token only in a login that sends an api_token."
)

// warnOfServiceApp adds the warning about a mount that is a service app.
func (cfg *configEntry) warnOfServiceApp(resp *logical.Response) {
	switch {
	case cfg.ClientID == "":
	case cfg.Token == "":
		resp.AddWarning(builtinHasNoTokenWarning)
	default:
		sent := ", and sent with logins"
		if !cfg.trustedApp() {
			sent = ""
		}
		resp.AddWarning(fmt.Sprintf(tokenBesideAppWarning, sent))
	}
}

// warnOfUpkeep adds the warnings of a write that sets key_rotation_period or trusted_app.
func (cfg *configEntry) warnOfUpkeep(d *framework.FieldData, resp *logical.Response) {
	if d.Raw["key_rotation_period"] != nil && cfg.KeyRotationPeriod > 0 && cfg.ClientID == "" {
		resp.AddWarning(noRotationWarning)
	}
	if d.Raw["trusted_app"] != nil && !cfg.trustedApp() && cfg.Token != "" {
		resp.AddWarning(untrustedWarning)
	}
	if cfg.RememberDevice && !cfg.trustedApp() && (d.Raw["trusted_app"] != nil || d.Raw["remember_device"] != nil) {
		resp.AddWarning(forgetsDevicesWarning)
	}
}
