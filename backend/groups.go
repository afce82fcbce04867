package backend

import (
	"context"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"

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

// groupsGiving returns the entries that give their policies to the members of the groups.
// That is the entry of a group's name, unless it is bound to an id, and each entry that
// is bound to the group's id, whatever its name is.
func (b *backend) groupsGiving(ctx context.Context, s logical.Storage, groups []okta.Group) (giving []*groupEntry, err error) {
	named, err := b.mappings.FindAll(ctx, s, groupNames(groups))
	if err != nil {
		return nil, err
	}
	for i, g := range groups {
		if named[i] != nil && named[i].GroupID == "" {
			giving = append(giving, named[i])
		}
		bound, err := b.groupsBoundTo(ctx, s, g.ID)
		if err != nil {
			return nil, err
		}
		giving = append(giving, bound...)
	}
	return giving, nil
}

// groupsRequiring returns the entries whose methods the members of the groups have to
// satisfy. It finds more than groupsGiving, so that no requirement is avoided: what the
// entries of all spellings of a name require, also of one that is bound to the id of
// another group.
func (b *backend) groupsRequiring(ctx context.Context, s logical.Storage, groups []okta.Group) (requiring []*groupEntry, err error) {
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
		requiring = append(append(requiring, named...), bound...)
	}
	return requiring, nil
}

// groupsNamed returns the entries with exactly those names.
func (b *backend) groupsNamed(ctx context.Context, s logical.Storage, names []string) (entries []*groupEntry, err error) {
	for _, name := range names {
		entry, err := b.mappings.Get(ctx, s, name)
		if err != nil {
			return nil, err
		}
		if entry != nil {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// groupsBoundTo returns the entries that are bound to the group of that id.
func (b *backend) groupsBoundTo(ctx context.Context, s logical.Storage, id string) ([]*groupEntry, error) {
	names, err := b.groupNotes.names(ctx, s, id)
	if err != nil {
		return nil, err
	}
	noted, err := b.groupsNamed(ctx, s, names)
	return slices.DeleteFunc(noted, func(g *groupEntry) bool { return g.GroupID != id }), err
}
