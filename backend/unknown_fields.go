package backend

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file warns of the fields of a request that its path does not have. They are most
// often misspelled. The framework warns of them only where a path answers with something
// by itself, so that a write of the field policy to groups/ would look like a success.

const (
	maxUnknown   = 8  // fields that a warning names
	maxFieldName = 64 // characters of a field's name that a warning repeats
	maxAdvice    = 3  // fields that it names in place of one
)

// alsoSent has the fields that clients of the builtin method send to a path that does not
// have them, by the beginning of the path. Python's hvac repeats the name of the user.
var alsoSent = map[string][]string{"users/": {"username"}}

// takeUnknown returns the request without the fields that its path does not have, and
// warnings of these. A warning repeats the name of a field, cleaned and bounded, and
// never a value.
func (b *backend) takeUnknown(req *logical.Request) (known *logical.Request, warnings []string) {
	switch req.Operation {
	case logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation, logical.ReadOperation, logical.ListOperation, logical.DeleteOperation:
	default:
		return req, nil // what Vault's core asks, and for help
	}
	path := b.Route(req.Path)
	if path == nil {
		return req, nil
	}
	isUnknown := func(name string, _ any) bool {
		return path.Fields[name] == nil || pageFields[name] != nil && req.Operation != logical.ListOperation
	}
	var unknown []string
	for name, value := range req.Data {
		if isUnknown(name, value) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return req, nil
	}
	without := *req
	without.Data = maps.Clone(req.Data)
	maps.DeleteFunc(without.Data, isUnknown)
	return &without, warningsOf(req, path, unknown)
}

// warningsOf returns a warning of each of the unknown fields, but for those that clients
// are known to send.
func warningsOf(req *logical.Request, path *framework.Path, unknown []string) (warnings []string) {
	for prefix, fields := range alsoSent {
		if strings.HasPrefix(req.Path, prefix) {
			unknown = slices.DeleteFunc(unknown, func(name string) bool { return slices.Contains(fields, name) })
		}
	}
	slices.Sort(unknown)
	for i, name := range unknown {
		if i == maxUnknown {
			return append(warnings, fmt.Sprintf("%d more fields do not exist on this path, and were ignored", len(unknown)-i))
		}
		advice := "see the help of the path (path-help) for its fields"
		if nearest := nearestFields(path, req.Operation, name); len(nearest) > 0 {
			advice = `use "` + strings.Join(nearest, `" or "`) + `"`
		}
		warnings = append(warnings, fmt.Sprintf("the field %q does not exist on this path, and was ignored: %s", okta.Clip(name, maxFieldName), advice))
	}
	return warnings
}

// warnedOf adds the warnings to what the path has answered. An answer without content,
// which a write gives, becomes one with the warnings; a read without content is of
// something that does not exist, and stays so. Vault hands on no warning beside an error,
// so the sentence of an error ends with them.
func warnedOf(warnings []string, op logical.Operation, resp *logical.Response) *logical.Response {
	if len(warnings) == 0 {
		return resp
	}
	if resp == nil {
		if op == logical.ReadOperation || op == logical.ListOperation {
			return nil
		}
		resp = &logical.Response{}
	}
	if resp.IsError() {
		return logical.ErrorResponse("%s (%s)", resp.Error().Error(), strings.Join(warnings, "; "))
	}
	for _, warning := range warnings {
		resp.AddWarning(warning)
	}
	return resp
}

// captured finds the fields that are parts of a path.
var captured = regexp.MustCompile(`\(\?P<(\w+)>`)

// nearestFields returns the field of the path that somebody has most likely meant by name:
// the nearest one of which more than half agrees with name, or else those that begin or
// end alike. For reads and deletions these are fields of the query, for writes all others.
func nearestFields(path *framework.Path, op logical.Operation, name string) (nearest []string) {
	if len(name) > maxFieldName {
		return nil
	}
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	inPath := captured.FindStringSubmatch(path.Pattern)
	writes := op == logical.CreateOperation || op == logical.UpdateOperation || op == logical.PatchOperation
	var parts []string
	best := 0
	for _, field := range slices.Sorted(maps.Keys(path.Fields)) {
		schema := path.Fields[field]
		if schema.Query == writes || slices.Contains(inPath, field) {
			continue
		}
		apart := 2 * distance(name, field)
		near := apart < max(len(name), len(field))
		if schema.Deprecated {
			apart++ // the new name is better advice
		}
		switch {
		case near && (nearest == nil || apart < best):
			nearest, best = []string{field}, apart
		case beginsOrEndsAlike(name, field):
			parts = append(parts, field)
		}
	}
	if nearest == nil {
		return parts[:min(len(parts), maxAdvice)]
	}
	return nearest
}

// beginsOrEndsAlike reports whether one of the names begins or ends with the other.
func beginsOrEndsAlike(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	const tooShort = 3 // characters, to mean anything
	return len(a) >= tooShort && (strings.HasPrefix(b, a) || strings.HasSuffix(b, a))
}

// distance counts the characters that have to be inserted, deleted or replaced to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
