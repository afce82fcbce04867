package backend

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// This file holds the fields of config about the renewal of tokens. See renew.go.

// Values of renewal.
const (
	renewalLogin  = "login"  // the login is repeated, as the builtin method does it
	renewalStatus = "status" // Okta is asked about the account
	renewalNever  = "never"  // no token is renewed
)

// maxRenewalGrace bounds renewal_grace.
const maxRenewalGrace = 24 * time.Hour

func renewalFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"renewal": {
			Type:          framework.TypeString,
			Default:       renewalLogin,
			AllowedValues: []any{renewalLogin, renewalStatus, renewalNever},
			Description: `What renews a token: a "login" with the password, which Vault keeps for that, and with a push where Okta asks ` +
				`for a factor; the "status" of the account, for which Okta is asked by the user id and no password is kept; or nothing: ` +
				`"never". "status" needs an api_token or a client_id. "login" when empty.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Renewal"},
		},
		"renewal_grace": {
			Type:    framework.TypeDurationSecond,
			Default: "0s",
			Description: `With renewal "status": for how long after Okta's last word about the account its tokens are renewed while Okta ` +
				`cannot be reached, does not answer in time or fails: up to 24h. 0, which is the default, refuses such renewals.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Renewal Grace"},
		},
	}
}

// renewal is what renews the tokens of the mount.
func (cfg *configEntry) renewal() string { return cmp.Or(cfg.Renewal, renewalLogin) }

// updateRenewal takes over the fields about renewal.
func (cfg *configEntry) updateRenewal(d *framework.FieldData) error {
	if v, ok := newest[string](d, "renewal"); ok && d.Raw["renewal"] != nil { // null is not given
		switch v = strings.ToLower(strings.TrimSpace(v)); v {
		case "", renewalLogin, renewalStatus, renewalNever:
			cfg.Renewal = v
		default:
			return invalid("renewal", fmt.Sprintf("must be %q, %q or %q", renewalLogin, renewalStatus, renewalNever))
		}
	}
	if v, ok := newest[int](d, "renewal_grace"); ok && d.Raw["renewal_grace"] != nil {
		grace := time.Duration(v) * time.Second
		if grace < 0 || grace > maxRenewalGrace {
			return invalid("renewal_grace", "must be 0 to 24h")
		}
		cfg.RenewalGrace = grace
	}
	return nil
}

// renewalProblems returns what is wrong with the fields about renewal and others together.
func (cfg *configEntry) renewalProblems() []problem {
	if cfg.renewal() == renewalStatus && !cfg.readsOkta() {
		err := invalid("renewal", `must not be "status" without an api_token or a client_id, with which Okta is asked about the account`)
		return []problem{wrong(err, "renewal", "api_token", "token", "client_id")}
	}
	return nil
}

const renewalWarning = "renewal and renewal_grace are obeyed by this plugin only: Vault's builtin okta method, should the mount be " +
	"switched back to it, drops them when it writes config, and cannot renew a token that was issued or renewed with " +
	"renewal=status: its owner logs in again."

// warnOfRenewal adds a warning to the answer to a write that sets a field about renewal.
func (cfg *configEntry) warnOfRenewal(d *framework.FieldData, resp *logical.Response) {
	if (d.Raw["renewal"] != nil || d.Raw["renewal_grace"] != nil) && cfg.renewal() != renewalLogin {
		resp.AddWarning(renewalWarning)
	}
}
