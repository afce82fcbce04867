package backend

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file holds the fields of config that say which groups count, and for what.

// maxRequiredGroups bounds required_groups.
const maxRequiredGroups = 100

func groupSettingFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"required_groups": {
			Type: framework.TypeCommaStringSlice,
			Description: "Groups of which a person has to be in at least one to log in, whatever else the mount gives them: names, in " +
				"any case, of groups in Okta or under users/, or ids of groups in Okta (00g…). A list or a comma-separated string. " +
				"None, when empty: whoever Okta lets in may log in.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Required Groups",
				Description: "Groups, by name or Okta id, of which a person has to be in at least one to log in."},
		},
	}
}

// groupSettings are those fields for reads.
func (cfg *configEntry) groupSettings() []setting {
	return []setting{
		{"required_groups", listed(cfg.RequiredGroups), len(cfg.RequiredGroups) > 0},
	}
}

// updateGroupSettings changes those of the fields that the request names. A null counts
// as not given, because it must not let anybody in who was shut out.
func (cfg *configEntry) updateGroupSettings(d *framework.FieldData) error {
	if given, ok := newest[[]string](d, "required_groups"); ok && d.Raw["required_groups"] != nil {
		groups, err := parseGroups("required_groups", given)
		if err != nil {
			return err
		}
		cfg.RequiredGroups = groups
	}
	return nil
}

// parseGroups reads names and ids of groups, and keeps each once. An empty name among
// them is refused: a list of nothing else would mean that no group is required.
func parseGroups(field string, given []string) ([]string, error) {
	groups := make([]string, len(given))
	for i, name := range given {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
			return nil, invalid(field, "must not hold an empty name; an empty list requires no group")
		case len(name) > maxName:
			return nil, invalid(field, fmt.Sprintf("must not hold a name that is longer than %d bytes", maxName))
		case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
			return nil, invalid(field, "must hold text without control characters")
		}
		groups[i] = name
	}
	groups = unique(groups)
	if len(groups) > maxRequiredGroups {
		return nil, invalid(field, fmt.Sprintf("must not hold more than %d groups", maxRequiredGroups))
	}
	return groups, nil
}

// groupID is the form of Okta's ids of groups.
var groupID = regexp.MustCompile(`^00g[0-9A-Za-z]{17}$`)

// isRequired reports whether somebody in those groups, of Okta's and of the mount's own,
// may log in. What looks like an id is one: it is never compared with names, because
// whoever can name a group must not get in by that.
func (cfg *configEntry) isRequired(inOkta []okta.Group, own []string) bool {
	if len(cfg.RequiredGroups) == 0 {
		return true
	}
	names, ids := slices.Clone(own), map[string]bool{}
	for _, g := range inOkta {
		names = append(names, g.Name)
		ids[g.ID] = true
	}
	called := map[string]bool{}
	for _, name := range names {
		called[store.Fold(name)] = true
	}
	return slices.ContainsFunc(cfg.RequiredGroups, func(required string) bool {
		if groupID.MatchString(required) {
			return ids[required]
		}
		return called[store.Fold(required)]
	})
}

// What the builtin method makes of a mount with these fields, each of which it does not
// know.
var lostGroupSettings = map[string]string{
	"required_groups": "it lets in everybody whom Okta lets in",
}

// warnOfGroupSettings adds warnings about those of the fields that the request sets.
func (cfg *configEntry) warnOfGroupSettings(resp *logical.Response, d *framework.FieldData) {
	for _, s := range cfg.groupSettings() {
		if lost := lostGroupSettings[s.field]; s.set && names(d, s.field) {
			resp.AddWarning(s.field + " is obeyed by this plugin only: Vault's builtin okta method, should the mount be switched back " +
				"to it, does not know the field: " + lost + ", and drops the field when it writes the configuration.")
		}
	}
}
