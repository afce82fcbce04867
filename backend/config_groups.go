package backend

import (
	"cmp"
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

const (
	maxRequiredGroups = 100  // groups
	maxGroupFilter    = 1024 // bytes
)

// Values of groups_on_error.
const (
	groupsDeny  = "deny"  // nobody logs in whose groups in Okta cannot be read
	groupsLocal = "local" // the mount's own groups and policies are what they get
)

// allGroupTypes are the types of groups that Okta has.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Group/#tag/Group/operation/listGroups
var allGroupTypes = []string{"OKTA_GROUP", "APP_GROUP", "BUILT_IN"}

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
		"group_types": {
			Type: framework.TypeCommaStringSlice,
			Description: "Types of groups in Okta that count: a list or a comma-separated string of OKTA_GROUP (made in Okta), " +
				"APP_GROUP (imported from a directory or an application) and BUILT_IN (such as Everyone). Groups of other types give no " +
				"policies, are no group aliases and let nobody in; their mfa_methods are required all the same. All types, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Group Types",
				Description: "Types of groups in Okta that count: OKTA_GROUP, APP_GROUP, BUILT_IN. All, when empty."},
		},
		"group_filter": {
			Type: framework.TypeString,
			Description: "A regular expression (RE2) that the name of a group in Okta has to match to count, anywhere in the name unless " +
				"it is anchored: ^vault-. Case matters, unless it begins with (?i). Other groups give no policies, are no group aliases " +
				"and let nobody in; their mfa_methods are required all the same. All names, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Group Filter"},
		},
		"groups_on_error": {
			Type:          framework.TypeString,
			Default:       groupsDeny,
			AllowedValues: []any{groupsDeny, groupsLocal},
			Description: `What becomes of a login, and of a renewal, while Okta cannot be reached, fails or limits the rate of requests, so that ` +
				`the person's groups cannot be read: "deny" it, or go on with the "local" groups and policies, those under users/. "deny" ` +
				`when empty.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Groups On Error"},
		},
	}
}

// groupSettings are those fields for reads.
func (cfg *configEntry) groupSettings() []setting {
	return []setting{
		{"required_groups", listed(cfg.RequiredGroups), len(cfg.RequiredGroups) > 0},
		{"group_types", listed(cfg.GroupTypes), len(cfg.GroupTypes) > 0},
		{"group_filter", cfg.GroupFilter, cfg.GroupFilter != ""},
		{"groups_on_error", cmp.Or(cfg.GroupsOnError, groupsDeny), cfg.GroupsOnError != ""},
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
	if given, ok := newest[[]string](d, "group_types"); ok && d.Raw["group_types"] != nil {
		types := make([]string, len(given))
		for i, name := range given {
			if types[i] = strings.ToUpper(strings.TrimSpace(name)); !slices.Contains(allGroupTypes, types[i]) {
				return invalid("group_types", "must be a list of "+strings.Join(allGroupTypes, ", ")+"; empty means all")
			}
		}
		cfg.GroupTypes = unique(types)
	}
	if given, ok := newest[string](d, "group_filter"); ok && d.Raw["group_filter"] != nil {
		if len(given) > maxGroupFilter {
			return invalid("group_filter", fmt.Sprintf("must not be longer than %d bytes", maxGroupFilter))
		}
		cfg.GroupFilter = given
		if err := cfg.compileFilter(); err != nil {
			return invalid("group_filter", fmt.Sprintf("must be a regular expression of RE2, such as ^vault-: %v", err))
		}
	}
	if given, ok := newest[string](d, "groups_on_error"); ok && d.Raw["groups_on_error"] != nil {
		switch strings.ToLower(strings.TrimSpace(given)) {
		case "", groupsDeny:
			cfg.GroupsOnError = ""
		case groupsLocal:
			cfg.GroupsOnError = groupsLocal
		default:
			return invalid("groups_on_error", fmt.Sprintf("must be %q or %q", groupsDeny, groupsLocal))
		}
	}
	return nil
}

// goesWithoutGroups reports whether a login goes on although the person's groups could not
// be read because of err. It does while Okta is down or has no time for the mount, which
// passes. An API token that is refused stays so until somebody learns of it.
func (cfg *configEntry) goesWithoutGroups(err error) bool {
	return cfg.GroupsOnError == groupsLocal && (isOutage(err) || isRateLimit(err))
}

// compileFilter makes the expression of GroupFilter. Where that fails, no group counts.
func (cfg *configEntry) compileFilter() (err error) {
	cfg.filter, err = regexp.Compile(cfg.GroupFilter)
	return err
}

// counted returns those of a person's groups in Okta that give rights.
func (cfg *configEntry) counted(inOkta []okta.Group) (counted []okta.Group) {
	for _, g := range inOkta {
		ofType := len(cfg.GroupTypes) == 0 || slices.Contains(cfg.GroupTypes, g.Type)
		if ofType && (cfg.GroupFilter == "" || cfg.filter != nil && cfg.filter.MatchString(g.Name)) {
			counted = append(counted, g)
		}
	}
	return counted
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
	for _, g := range cfg.counted(inOkta) {
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
	"group_types":     "groups of every type give policies and are group aliases there",
	"group_filter":    "groups of every name give policies and are group aliases there",
	"groups_on_error": "it denies a login whose groups it cannot read",
}

const unanchoredWarning = "group_filter does not begin with ^, so it matches anywhere in a group's name: whoever can name a group " +
	"in Okta may write anything before it"

// warnOfGroupSettings adds warnings about those of the fields that the request sets.
func (cfg *configEntry) warnOfGroupSettings(resp *logical.Response, d *framework.FieldData) {
	for _, s := range cfg.groupSettings() {
		if lost := lostGroupSettings[s.field]; s.set && names(d, s.field) {
			if s.field == "group_filter" && !strings.HasPrefix(cfg.GroupFilter, "^") && !strings.HasPrefix(cfg.GroupFilter, "(?i)^") {
				resp.AddWarning(unanchoredWarning)
			}
			resp.AddWarning(s.field + " is obeyed by this plugin only: Vault's builtin okta method, should the mount be switched back " +
				"to it, does not know the field: " + lost + ", and drops the field when it writes the configuration.")
		}
	}
}
