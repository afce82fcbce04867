package backend

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// This file holds what the paths share. Each path has a file of its own.

// operationPrefix begins every OpenAPI operation id of this method.
const operationPrefix = "okta"

// maxName bounds the name of a user or group, in bytes. Okta's logins have at
// most 100 characters and its group names 255.
const maxName = 1024

// checkName refuses a name that cannot be a storage key, or that would be another key
// than it seems. The error names the field.
func checkName(field, name string) error {
	switch {
	case name == "":
		return invalid(field, "must not be empty")
	case len(name) > maxName:
		return invalid(field, fmt.Sprintf("must not be longer than %d bytes", maxName))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return invalid(field, "must be text without control characters")
	case strings.Contains(name, ".."):
		return invalid(field, `must not contain ".."`)
	case slices.Contains(strings.Split(name, "/"), "."):
		return invalid(field, `must not be ".", alone or between slashes`)
	case strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.Contains(name, "//"):
		return invalid(field, "must not begin or end with a slash, or hold two in a row")
	}
	return nil
}

// newest returns the value of the first of the fields that the request names.
func newest[T any](d *framework.FieldData, fields ...string) (v T, ok bool) {
	for _, field := range fields {
		if raw, ok := d.GetOk(field); ok {
			return raw.(T), true
		}
	}
	return v, false
}

// replaces reports whether a write has a say about the field. The builtin method's
// writes replace the whole entry. A write that names a field that the builtin method does
// not have is by a client that knows this plugin, and changes only what it names, as a
// patch does.
func replaces(req *logical.Request, d *framework.FieldData, field string) bool {
	_, named := d.Raw[field]
	knows := slices.ContainsFunc([]string{"mfa_methods", "okta_id", "group_id", "pattern"}, func(ours string) bool { return d.Raw[ours] != nil })
	return named || !isPatch(req) && !knows
}

// setting is a field that the builtin method does not have.
type setting struct {
	field string
	value any  // in force
	set   bool // somebody has set it
}

// show adds those of the settings to data that have been set, or all of them if the
// request asks for defaults. Clients of the builtin method compare what they read with
// what they wrote, and take a field that they do not know for a difference.
func show(data map[string]any, d *framework.FieldData, settings []setting) {
	all := d.Get("defaults").(bool)
	for _, s := range settings {
		if all || s.set {
			data[s.field] = s.value
		}
	}
}

// defaultsField is the field of reads that asks show for all settings.
func defaultsField() *framework.FieldSchema {
	return &framework.FieldSchema{
		Type:         framework.TypeBool,
		Query:        true,
		Default:      false,
		Description:  "For reads: return the fields that nobody has set, too, with their defaults. False when not set.",
		DisplayAttrs: &framework.DisplayAttributes{Name: "Defaults"},
	}
}

// durationText returns a duration as it is written, "10m" or "1h30m": the form in which
// fields that the builtin method does not have are read. Those that it has are read in
// seconds, because its clients count on a number; the vault command shows both alike.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// listed returns l, or an empty list for nil: clients take null for a fault.
func listed(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

// mapped returns m, or an empty map for nil: clients take null for a fault.
func mapped(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// listPath returns the path that lists all users, or all groups.
func listPath(pattern, suffix, summary string, list func(context.Context, logical.Storage) ([]string, error)) *framework.Path {
	callback := func(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
		names, err := list(ctx, req.Storage)
		if err != nil {
			return nil, err
		}
		return logical.ListResponse(names), nil
	}
	return &framework.Path{
		Pattern: pattern,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{Callback: callback, Summary: summary, Responses: toldList(nil)},
		},
		HelpSynopsis:    summary,
		HelpDescription: summary,
		DisplayAttrs: &framework.DisplayAttributes{
			OperationPrefix: operationPrefix, OperationSuffix: suffix, Navigation: true,
			ItemType: map[string]string{"users": "User", "groups": "Group"}[suffix]},
	}
}
