package backend

import (
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// This file warns of what a mount loses that is switched back to the builtin method.

const lostWarning = " obeyed by this plugin only: Vault's builtin okta method, should the mount be switched back to it, does not know " +
	"what is set so, and drops it when it writes config"

// warnOfLost adds a warning that names those of the fields which the request takes away
// from their defaults and which the builtin method does not have, unless another warning
// of resp says what becomes of them.
func (cfg *configEntry) warnOfLost(resp *logical.Response, d *framework.FieldData) {
	unset := map[string]any{}
	for _, s := range (&configEntry{}).settings() {
		unset[s.field] = s.value
	}
	var lost []string
	for _, s := range cfg.settings() {
		told := slices.ContainsFunc(resp.Warnings, func(w string) bool {
			return strings.Contains(w, s.field) && strings.Contains(w, "builtin")
		})
		if s.set && d.Raw[s.field] != nil && !told && !reflect.DeepEqual(s.value, unset[s.field]) &&
			s.field != "alias_metadata" { // which the builtin method has by now
			lost = append(lost, s.field)
		}
	}
	switch len(lost) {
	case 0:
	case 1:
		resp.AddWarning(lost[0] + " is" + lostWarning)
	default:
		slices.Sort(lost)
		resp.AddWarning(enumerate("and", lost) + " are" + lostWarning)
	}
}
