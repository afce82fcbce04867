package backend

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/logical"
)

// Storage keys, the builtin method's.
const (
	configKey   = "config"
	userPrefix  = "user/"
	groupPrefix = "group/"
)

// maxName bounds the name of a user or group, in bytes. Okta's logins have at
// most 100 characters and its group names 255.
const maxName = 1024

// checkName refuses what cannot be a storage key, or would be another one than
// it seems; field names the parameter in the error.
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
	case strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.Contains(name, "//"):
		return invalid(field, "must not begin or end with a slash, or hold two in a row")
	}
	return nil
}

// load reads the entry at key; nil if there is none.
func load[T any](ctx context.Context, s logical.Storage, key string) (*T, error) {
	raw, err := s.Get(ctx, key)
	if err != nil || raw == nil {
		return nil, err
	}
	entry := new(T)
	if err := raw.DecodeJSON(entry); err != nil {
		return nil, fmt.Errorf("stored entry %q: %w", key, err)
	}
	return entry, nil
}

func store(ctx context.Context, s logical.Storage, key string, entry any) error {
	raw, err := logical.StorageEntryJSON(key, entry)
	if err != nil {
		return err
	}
	return s.Put(ctx, raw)
}

// names lists the entries below prefix, sorted. A name may hold slashes, which
// storage takes for folders: all of them are walked, so that whatever is listed
// can be read under that name.
func names(ctx context.Context, s logical.Storage, prefix string) ([]string, error) {
	var all []string
	view := logical.NewStorageView(s, prefix)
	if err := logical.ScanView(ctx, view, func(name string) { all = append(all, name) }); err != nil {
		return nil, err
	}
	sort.Strings(all)
	return all, nil
}

// listed returns l, or an empty list for nil: clients take null for a fault.
func listed(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

// fold maps names that differ in case only to one another, as strings.EqualFold
// compares them but for one thing: no letter outside ASCII is one within it. The
// Kelvin sign is no k, and the long s no s, lest a group that only looks like
// "kube" gets its policies.
func fold(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s) // what follows, and nothing to do where s is it
	}
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			if (next < utf8.RuneSelf) == (r < utf8.RuneSelf) {
				least = min(least, next)
			}
		}
		return least
	}, s)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lower returns name in lower case, in which new groups are stored, or as it is
// where that would be the name of another group ("İ" becomes "i").
func lower(name string) string {
	if l := strings.ToLower(name); fold(l) == fold(name) {
		return l
	}
	return name
}
