package backend

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file finds the entries of groups that are about a person's groups.

// membership is the groups of a person: those in Okta, and then those that the mount
// gives, which have a name only.
func membership(inOkta []okta.Group, own []string) []okta.Group {
	groups := slices.Clone(inOkta)
	for _, name := range own {
		groups = append(groups, okta.Group{Name: name})
	}
	return groups
}

// namedGroup is an entry of groups, and its name.
type namedGroup struct {
	name string
	*groupEntry
}

// groupsGiving returns what the entries give that give their policies to the members of
// the groups. That is the entry of a group's name, unless it is bound to an id or a pattern, and each
// entry that is bound to the group's id, whatever its name is. Where there is none of
// these, it is each pattern that matches.
func (b *backend) groupsGiving(ctx context.Context, s logical.Storage, groups []okta.Group) (giving []grant, err error) {
	named, err := b.mappings.FindAll(ctx, s, groupNames(groups))
	if err != nil {
		return nil, err
	}
	patterns, err := b.groupPatterns(ctx, s)
	if err != nil {
		return nil, err
	}
	for i, g := range groups {
		bound, err := b.groupsBoundTo(ctx, s, g.ID)
		if err != nil {
			return nil, err
		}
		own := bound
		if named[i].Entry != nil && named[i].Entry.noteKey() == "" {
			own = append([]namedGroup{{named[i].Name, named[i].Entry}}, bound...)
		}
		if len(own) == 0 {
			if own, err = patterns.matching(g.Name); err != nil {
				return nil, err
			}
		}
		for _, entry := range own {
			giving = append(giving, grant{"groups/" + entry.name, g.Name, entry.Policies})
		}
	}
	return giving, nil
}

// groupsRequiring returns the entries whose methods the members of the groups have to
// satisfy. It finds more than groupsGiving, so that no requirement is avoided: what the
// entries of all spellings of a name require, also of one that is bound to the id of
// another group, and all patterns that match.
func (b *backend) groupsRequiring(ctx context.Context, s logical.Storage, groups []okta.Group) (requiring []namedGroup, err error) {
	patterns, err := b.groupPatterns(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		spellings, err := b.mappings.Spellings(ctx, s, g.Name)
		if err != nil {
			return nil, err
		}
		named, err := b.groupsNamed(ctx, s, spellings)
		if err != nil {
			return nil, err
		}
		bound, err := b.groupsBoundTo(ctx, s, g.ID)
		if err != nil {
			return nil, err
		}
		matching, err := patterns.matching(g.Name)
		if err != nil {
			return nil, err
		}
		requiring = append(append(append(requiring, named...), bound...), matching...)
	}
	return requiring, nil
}

// groupsNamed returns the entries with exactly those names.
func (b *backend) groupsNamed(ctx context.Context, s logical.Storage, names []string) (entries []namedGroup, err error) {
	for _, name := range names {
		entry, err := b.mappings.Get(ctx, s, name)
		if err != nil {
			return nil, err
		}
		if entry != nil {
			entries = append(entries, namedGroup{name, entry})
		}
	}
	return entries, nil
}

// groupsBoundTo returns the entries that are bound to the group of that id.
func (b *backend) groupsBoundTo(ctx context.Context, s logical.Storage, id string) ([]namedGroup, error) {
	names, err := b.groupNotes.names(ctx, s, id)
	if err != nil {
		return nil, err
	}
	noted, err := b.groupsNamed(ctx, s, names)
	return slices.DeleteFunc(noted, func(g namedGroup) bool { return g.GroupID != id }), err
}

// groupPatterns are the entries that are patterns, by these.
type groupPatterns map[string]groupPattern

// groupPattern is the entry of a pattern, or why it cannot be read.
type groupPattern struct {
	namedGroup
	lost error
}

// groupPatterns returns the entries that are patterns.
func (b *backend) groupPatterns(ctx context.Context, s logical.Storage) (groupPatterns, error) {
	names, err := b.groupNotes.names(ctx, s, patternNote)
	if err != nil {
		return nil, err
	}
	patterns := groupPatterns{}
	for _, name := range names {
		entry, err := b.mappings.Get(ctx, s, name)
		lost, err := unreadable(err)
		switch {
		case err != nil:
			return nil, err
		case lost != nil: // which the groups that it matches are denied by alone
			patterns[matchable(name)] = groupPattern{lost: lost}
		case entry != nil && entry.Pattern:
			patterns[matchable(name)] = groupPattern{namedGroup: namedGroup{name, entry}}
		}
	}
	return patterns, nil
}

// matching returns the entries whose patterns match the name of a group, in any case. It
// fails where one of them cannot be read.
func (p groupPatterns) matching(name string) (entries []namedGroup, err error) {
	if len(p) == 0 {
		return nil, nil
	}
	name = matchable(name)
	for _, pattern := range slices.Sorted(maps.Keys(p)) {
		if ok, err := path.Match(pattern, name); !ok || err != nil {
			continue
		}
		if p[pattern].lost != nil {
			return nil, p[pattern].lost
		}
		entries = append(entries, p[pattern].namedGroup)
	}
	return entries, nil
}

// matchable is the name of a group, or a pattern, for path.Match, to which a slash is
// more than a character.
func matchable(name string) string { return strings.ReplaceAll(store.Fold(name), "/", "\x00") }

// isPattern reports whether a name is a pattern that makes sense.
func isPattern(name string) bool {
	_, err := path.Match(matchable(name), "")
	return err == nil
}
