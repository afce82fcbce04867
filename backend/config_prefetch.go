package backend

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// prefetch says when groups are read while Okta verifies the password. It is stored as
// text; empty is prefetchAuto.
type prefetch string

// Values of prefetch_groups.
const (
	prefetchAuto   prefetch = "auto"   // as prefetchAlways, while more than half of Okta's limit for groups is left
	prefetchAlways prefetch = "always" // for people who have logged in before
	prefetchNever  prefetch = "never"
)

// UnmarshalJSON also reads the booleans that the field was before it had words.
func (p *prefetch) UnmarshalJSON(raw []byte) error {
	switch {
	case bytes.Equal(raw, []byte("true")):
		*p = prefetchAlways
		return nil
	case bytes.Equal(raw, []byte("false")):
		*p = prefetchNever
		return nil
	}
	return json.Unmarshal(raw, (*string)(p))
}

func prefetchField() *framework.FieldSchema {
	return &framework.FieldSchema{
		Type:          framework.TypeString,
		Default:       string(prefetchAuto),
		AllowedValues: []any{string(prefetchAuto), string(prefetchAlways), string(prefetchNever)},
		Description: `When to read the groups of people while Okta verifies their password, and not after: "always" for people who have ` +
			`logged in by that name from that address before, without recent wrong passwords; "auto" for the same people while more than ` +
			`half of Okta's limit for groups is left and groups_on_error is not "local"; or "never". A wrong password has then cost a request more. True is "always", ` +
			`false is "never". "auto" when empty.`,
		DisplayAttrs: &framework.DisplayAttributes{Name: "Prefetch Groups"},
	}
}

// prefetch is when groups are read beside the password.
func (cfg *configEntry) prefetch() prefetch { return cmp.Or(cfg.PrefetchGroups, prefetchAuto) }

// updatePrefetch takes over prefetch_groups. A null counts as not given.
func (cfg *configEntry) updatePrefetch(d *framework.FieldData) error {
	text, ok := newest[string](d, "prefetch_groups")
	if !ok || d.Raw["prefetch_groups"] == nil {
		return nil
	}
	text = strings.ToLower(strings.TrimSpace(text))
	if on, err := strconv.ParseBool(text); err == nil { // a JSON boolean arrives as 1 or 0
		text = string(prefetchNever)
		if on {
			text = string(prefetchAlways)
		}
	}
	switch v := prefetch(text); v {
	case "", prefetchAuto, prefetchAlways, prefetchNever:
		cfg.PrefetchGroups = v
		return nil
	}
	return invalid("prefetch_groups", fmt.Sprintf("must be %q, %q or %q", prefetchAuto, prefetchAlways, prefetchNever))
}

// prefetch begins to read the groups of a user who logged in by that name before, if the
// mount is configured so: it is not known yet whether the password is right.
func (l *loginRequest) prefetch(ctx context.Context, flow mfa.Flow) *mfa.GroupRead {
	if !l.cfg.readsOkta() || !l.mayPrefetch() || l.suspicious() {
		return nil
	}
	known, ok := l.known.find(l.client.OrgURL(), l.in.username)
	if !ok {
		return nil
	}
	return flow.ReadGroups(ctx, l.now(), known.id)
}

// mayPrefetch reports whether the mount's configuration and Okta's limit allow to read
// groups beside the password.
func (l *loginRequest) mayPrefetch() bool {
	switch l.cfg.prefetch() {
	case prefetchAlways:
		return true
	case prefetchAuto:
		// A connection that breaks while groups are read takes the request with the password
		// along, and groups_on_error=local promises a login without groups.
		return l.cfg.GroupsOnError != groupsLocal && l.client.UsersLimit().IsAmple(l.now())
	}
	return false
}
