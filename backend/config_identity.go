package backend

import (
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file holds the fields of config that say how the mount knows people.

func identityFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"alias_source": {
			Type:          framework.TypeString,
			Default:       sourceLogin,
			AllowedValues: []any{sourceLogin, sourceOktaID, sourceTyped},
			Description: `How the mount knows people: by "login", the login in Okta's own spelling and in lower case; by "okta_id", ` +
				`Okta's user id; or by what they "typed", as the builtin method does. "login" for a mount that is configured for the ` +
				`first time, "typed" for a configuration that was stored without it.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Alias Source"},
		},
		"login_domain": {
			Type: framework.TypeString,
			Description: `The domain that a name without one stands for under users/: with "acme.com", the entry "mia" is that of ` +
				`mia@acme.com and of nobody else. When empty, it is that of a login that is exactly "mia".`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Login Domain"},
		},
	}
}

// updateIdentity takes over the fields that say how the mount knows people. first says
// that the mount has not been configured before.
func (cfg *configEntry) updateIdentity(d *framework.FieldData, first bool) error {
	if first {
		cfg.AliasSource = sourceLogin
	}
	if v, ok := newest[string](d, "alias_source"); ok && v != "" {
		switch v = strings.ToLower(strings.TrimSpace(v)); v {
		case sourceLogin, sourceOktaID, sourceTyped:
			cfg.AliasSource = v
		default:
			return invalid("alias_source", `must be "login", "okta_id" or "typed"`)
		}
	}
	if v, ok := newest[string](d, "login_domain"); ok && d.Raw["login_domain"] != nil { // null is not given
		v = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(v), "@"))
		for label := range strings.SplitSeq(v, ".") {
			if v != "" && !okta.ValidHostLabel(label) {
				return invalid("login_domain", `must be the domain of logins, such as "acme.com"`)
			}
		}
		cfg.LoginDomain = v
	}
	return nil
}

const typedWarning = `alias_source is "typed": the mount knows people by what they type. Okta takes many spellings for one person ` +
	`(case, accents, the name without its domain), so one person may have many entities and aliases, an entity that is disabled ` +
	`does not keep its person out, and an entry of users/ may apply to another person of that name. List ` +
	`auth/<mount>/config/aliases to see what would change, move the aliases as the plugin's upgrade guide says, and write ` +
	`alias_source=login.`

// warnOfIdentity adds the warning about a mount that knows people by what they type.
func (cfg *configEntry) warnOfIdentity(resp *logical.Response) {
	if cfg.source() == sourceTyped {
		resp.AddWarning(typedWarning)
	}
}
