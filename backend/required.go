package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file decides which MFA methods a person has to satisfy. The field mfa_methods of
// config, of groups and of users names them.

// mfaMethodsField is the field of config, users and groups that requires methods.
func mfaMethodsField(whose string) *framework.FieldSchema {
	return &framework.FieldSchema{
		Type: framework.TypeCommaStringSlice,
		Description: "Names of the MFA methods (see mfa/method) that " + whose + " has to satisfy at each login, all of them, " +
			"beside what Okta asks for: a list or a comma-separated string. Of methods that are joined by |, as in my_totp|my_duo, " +
			"one is enough. None, when empty.",
		DisplayAttrs: &framework.DisplayAttributes{
			Name: "MFA Methods", Description: "MFA methods of the mount that " + whose + " has to satisfy at each login."},
	}
}

// requiredWarning is given wherever mfa_methods is set.
const requiredWarning = "mfa_methods is obeyed by this plugin only: Vault's builtin okta method, should the mount be " +
	"switched back to it, does not know the field, asks for no method, and drops it when it writes the entry."

// warning is the text of a warning, and whether it is to be given.
type warning struct {
	given bool
	text  string
}

func (w warning) addTo(resp *logical.Response) {
	if w.given {
		resp.AddWarning(w.text)
	}
}

// warned returns the answer to a write, with the warnings that are to be given.
func warned(warnings ...warning) *logical.Response {
	resp := &logical.Response{}
	for _, w := range warnings {
		w.addTo(resp)
	}
	if len(resp.Warnings) == 0 {
		return nil // 204, as the builtin method answers
	}
	return resp
}

// released warns of the requirement that a deletion drops.
func released(methods []string) warning {
	return warning{len(methods) > 0,
		"with the entry, its mfa_methods are gone: " + strings.Join(methods, ", ") + " is not required by it any more"}
}

// lockEntry locks the entry at key, and the names of the methods in the request's
// mfa_methods, which nobody can then rename or delete. The caller calls unlock when its
// write is done. Writes of other entries do not wait.
//
// All callers take locks in this order: the name of a method in a path, a method, names of
// methods in mfa_methods, any other entry.
func (b *backend) lockEntry(ctx context.Context, key string, d *framework.FieldData) (unlock func(), err error) {
	named, _ := newest[[]string](d, "mfa_methods")
	unlockNames, err := b.locks.Share(ctx, nameLocks(named...)...)
	if err != nil {
		return nil, err
	}
	unlockEntry, err := b.locks.Lock(ctx, key)
	if err != nil {
		unlockNames()
		return nil, err
	}
	return func() { unlockEntry(); unlockNames() }, nil
}

// alternatives returns the names of the methods of which one is enough.
func alternatives(ref string) []string { return strings.Split(ref, "|") }

// nameLocks returns the locks of what mfa_methods calls methods: names or ids.
func nameLocks(refs ...string) (locks []string) {
	for _, name := range namesIn(refs) {
		if name != "" {
			locks = append(locks, "mfa_methods/"+store.Fold(name))
		}
	}
	return locks
}

// updateMethods changes the field mfa_methods, which may only name methods that exist. A
// request without the field keeps what is stored, because a client that does not know
// the field must not drop a requirement. set reports whether the request requires
// something. The caller has called lockEntry.
func (b *backend) updateMethods(ctx context.Context, s logical.Storage, d *framework.FieldData, into *[]string) (set bool, err error) {
	given, ok := newest[[]string](d, "mfa_methods")
	if !ok || d.Raw["mfa_methods"] == nil {
		return false, nil
	}
	all, err := b.storedMethods(ctx, s)
	if err != nil {
		return false, err
	}
	for i, ref := range given {
		names := alternatives(ref)
		for j, name := range names {
			if names[j] = strings.TrimSpace(name); names[j] == "" {
				return false, invalid("mfa_methods", "must not hold an empty name; an empty list requires nothing")
			}
			switch m, err := all.find(names[j]); {
			case err != nil:
				return false, err
			case m == nil:
				return false, invalid("mfa_methods", fmt.Sprintf("names %q, which does not exist: create it under mfa/method first", names[j]))
			}
		}
		given[i] = strings.Join(unique(names), "|")
	}
	*into = unique(given)
	return len(given) > 0, nil
}

// namesIn returns the names of the methods in what mfa_methods holds.
func namesIn(refs []string) (names []string) {
	for _, ref := range refs {
		names = append(names, alternatives(ref)...)
	}
	return names
}

// usesOf returns where any of the names of a method is required. It asks storage, not the
// memory, so that it misses no requirement, and fails where an entry cannot be read that
// may have one.
func (b *backend) usesOf(ctx context.Context, s logical.Storage, names ...string) ([]string, error) {
	requires := func(methods []string) bool {
		return slices.ContainsFunc(namesIn(methods), func(m string) bool { return slices.Contains(names, m) })
	}
	var uses []string
	cfg, err := b.configs.Stored(ctx, s, configKey)
	if err != nil {
		return nil, err
	}
	if cfg != nil && requires(cfg.MFAMethods) {
		uses = append(uses, "config")
	}
	lostGroups, err := b.mappings.Scan(ctx, s, func(name string, group *groupEntry) {
		if requires(group.MFAMethods) {
			uses = append(uses, "groups/"+name)
		}
	})
	if err != nil {
		return nil, err
	}
	lostUsers, err := b.users.Scan(ctx, s, func(name string, user *userEntry) {
		if requires(user.MFAMethods) {
			uses = append(uses, "users/"+name)
		}
	})
	if lost := append(lostGroups, lostUsers...); err == nil && len(uses) == 0 && len(lost) > 0 {
		return nil, lost[0]
	}
	return uses, err
}

// inUse says that a method is required, and where.
func inUse(uses []string) string {
	const shown = 5
	list := strings.Join(uses[:min(shown, len(uses))], ", ")
	if more := len(uses) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return "the method is required by mfa_methods of " + list + ": take it out there first"
}

// errMethodGone says that a required method does not exist.
var errMethodGone = errors.New("a required MFA method does not exist")

// requirement is what an entry requires in mfa_methods.
type requirement struct {
	entry string // its path below the mount, such as "groups/ops"
	ref   string // the names of methods, joined by |, of which one is enough
}

func requirements(entry string, refs []string) []requirement {
	all := make([]requirement, len(refs))
	for i, ref := range refs {
		all[i] = requirement{entry, ref}
	}
	return all
}

// requiredOf returns the methods that a person has to satisfy; see requirementsOn.
func (b *backend) requiredOf(ctx context.Context, req *logical.Request, cfg *configEntry, who mfa.Subject, users []namedUser) ([]mfa.Required, error) {
	all, err := b.requirementsOn(ctx, req.Storage, cfg, who, users)
	if err != nil {
		return nil, err
	}
	return b.require(ctx, req, cfg, all)
}

// anyGroup stands for the entry of a group where nobody knows the person's.
const anyGroup = "groups/*"

// requirementsOn returns what is required of a person: by config, by the groups in Okta,
// also those that give no rights, and by each entry of users that may be about the
// person, with the groups that it names. It finds requirements more coarsely than rights,
// so that no other spelling avoids one. Where nobody knows the groups in Okta, it returns
// what any group requires, because each may be the person's.
func (b *backend) requirementsOn(ctx context.Context, s logical.Storage, cfg *configEntry, who mfa.Subject, users []namedUser) ([]requirement, error) {
	all := requirements(configKey, cfg.MFAMethods)
	for _, user := range users {
		all = append(all, requirements("users/"+user.name, user.MFAMethods)...)
	}
	if who.GroupsError != nil {
		groups, lost, err := b.mappings.All(ctx, s)
		if len(lost) > 0 {
			return nil, lost[0]
		}
		for _, group := range groups {
			all = append(all, requirements(anyGroup, group.MFAMethods)...)
		}
		return all, err
	}
	requiring, err := b.groupsRequiring(ctx, s, membership(who.Groups, unique(ownGroups(users))))
	for _, group := range requiring {
		all = append(all, requirements("groups/"+group.name, group.MFAMethods)...)
	}
	return all, err
}

// require makes the required methods, each once. It returns an error for a method that
// does not exist, because nobody can satisfy it.
func (b *backend) require(ctx context.Context, req *logical.Request, cfg *configEntry, all []requirement) ([]mfa.Required, error) {
	var required []mfa.Required
	seen := map[string]bool{}
	for _, r := range all {
		one, err := b.requireOne(ctx, req, cfg, r.ref)
		if err != nil {
			return nil, err
		}
		if !seen[one.ID] {
			seen[one.ID] = true
			required = append(required, one)
		}
	}
	return required, nil
}

// requireOne makes the methods that ref names, of which one is enough.
func (b *backend) requireOne(ctx context.Context, req *logical.Request, cfg *configEntry, ref string) (mfa.Required, error) {
	var all methodList
	var err error
	if all.methods, all.unreadable, err = b.methods.All(ctx, req.Storage); err != nil {
		return mfa.Required{}, err
	}
	var or []mfa.Required
	for _, name := range alternatives(ref) {
		entry, err := all.find(name)
		if err != nil {
			return mfa.Required{}, fmt.Errorf("finding the required MFA method %q: %w", name, err)
		}
		if entry == nil {
			return mfa.Required{}, fmt.Errorf("%w: %q", errMethodGone, name)
		}
		method, err := b.make(ctx, req, cfg, entry)
		if err != nil {
			return mfa.Required{}, fmt.Errorf("making the MFA method %q: %w", entry.label(), err)
		}
		or = append(or, mfa.Required{ID: entry.ID, Name: entry.label(), Type: entry.Type, Method: method, Revision: entry.revision(cfg)})
	}
	if len(or) == 1 {
		return or[0], nil
	}
	ids, labels := make([]string, len(or)), make([]string, len(or))
	for i, m := range or {
		ids[i], labels[i] = m.ID, m.Name
	}
	slices.Sort(ids)
	return mfa.Required{ID: strings.Join(ids, "|"), Name: strings.Join(labels, " or "), Or: or}, nil
}
