package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file holds the MFA methods of the mount: how they are stored, who has to
// satisfy which, and what becomes of one that is in use. Each type of method has a
// file of its own.

// methodPrefix is where methods are stored, by id.
const methodPrefix = "mfa/method/"

// methodEntry is a stored method; one of the last four is there, as Type says.
type methodEntry struct {
	ID             string `json:"id"`
	Type           string `json:"type"`
	Name           string `json:"name,omitempty"`
	UsernameFormat string `json:"username_format,omitempty"`

	Okta   *oktaMethodEntry   `json:"okta,omitempty"`
	TOTP   *totpMethodEntry   `json:"totp,omitempty"`
	Duo    *duoMethodEntry    `json:"duo,omitempty"`
	PingID *pingIDMethodEntry `json:"pingid,omitempty"`
}

// label is what people call the method.
func (m *methodEntry) label() string { return cmp.Or(m.Name, m.ID) }

// whole reports whether the entry has the part that its type says.
func (m *methodEntry) whole() bool {
	return map[string]bool{"okta": m.Okta != nil, "totp": m.TOTP != nil, "duo": m.Duo != nil, "pingid": m.PingID != nil}[m.Type]
}

// errNoSense says that storage holds what nothing here has stored.
var errNoSense = errors.New("the stored MFA method makes no sense")

// called reports whether the method is meant by a name in mfa_methods.
func (m *methodEntry) called(name string) bool { return name == m.ID || name != "" && name == m.Name }

// format is the method's username_format, which a write has checked.
func (m *methodEntry) format(accessor string) (mfa.Format, error) {
	f, err := mfa.ParseFormat(m.UsernameFormat, accessor)
	if err != nil {
		return f, fmt.Errorf("the stored username_format %v", err) // an operator's fault, not the person's
	}
	return f, nil
}

const maxMethodName = 128 // bytes

// checkMethodName accepts what can be a method's name in a credential.
func checkMethodName(name string) error {
	if name == "" || len(name) > maxMethodName || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
	}) {
		return invalid("method_name", fmt.Sprintf("must be 1 to %d letters and digits of ASCII, hyphens, underscores and full stops", maxMethodName))
	}
	return nil
}

// method loads a method of a type; nil if there is none with that id.
func (b *backend) method(ctx context.Context, s logical.Storage, typ, id string) (*methodEntry, error) {
	if id == "" || strings.Contains(id, "/") {
		return nil, nil
	}
	m, err := b.methods.get(ctx, s, id)
	switch {
	case err != nil || m == nil || m.Type != typ:
		return nil, err
	case !m.whole():
		return nil, errNoSense
	}
	return m, nil
}

func findMethod(all []*methodEntry, name string) *methodEntry {
	for _, m := range all {
		if m.called(name) {
			return m
		}
	}
	return nil
}

// mfaMethodsField is the field of config, users and groups that requires methods.
func mfaMethodsField(whose string) *framework.FieldSchema {
	return &framework.FieldSchema{
		Type: framework.TypeCommaStringSlice,
		Description: "Names of the MFA methods (see mfa/method) that " + whose + " has to satisfy at each login, all of them, " +
			"beside what Okta asks for: a list or a comma-separated string.",
		DisplayAttrs: &framework.DisplayAttributes{
			Name: "MFA Methods", Description: "MFA methods of the mount that " + whose + " has to satisfy at each login."},
	}
}

// requiredWarning is told wherever mfa_methods is set.
const requiredWarning = "mfa_methods is obeyed by this plugin only: Vault's builtin okta method, should the mount be " +
	"switched back to it, does not know the field, asks for no method, and drops it when it writes the entry."

// updateMethods takes over the field mfa_methods, which may only name methods that
// there are. What does not name it keeps it: clients that do not know it must not
// take a requirement away. set says that the request requires something.
func (b *backend) updateMethods(ctx context.Context, s logical.Storage, d *framework.FieldData, into *[]string) (set bool, err error) {
	given, ok := newest[[]string](d, "mfa_methods")
	if !ok || d.Raw["mfa_methods"] == nil {
		return false, nil
	}
	all, err := b.methods.all(ctx, s)
	if err != nil {
		return false, err
	}
	var names []string
	for _, name := range given {
		switch {
		case name == "":
			return false, invalid("mfa_methods", "must not hold an empty name; an empty list requires nothing")
		case findMethod(all, name) == nil:
			return false, invalid("mfa_methods", fmt.Sprintf("names %q, which there is not: create it below mfa/method first", name))
		}
		names = append(names, name)
	}
	*into = unique(names)
	return len(names) > 0, nil
}

// usesOf tells where a method is required, by any of the names.
func (b *backend) usesOf(ctx context.Context, s logical.Storage, names ...string) ([]string, error) {
	requires := func(methods []string) bool {
		return slices.ContainsFunc(methods, func(m string) bool { return slices.Contains(names, m) })
	}
	var uses []string
	cfg, err := b.config(ctx, s)
	if err != nil {
		return nil, err
	}
	if cfg != nil && requires(cfg.MFAMethods) {
		uses = append(uses, "config")
	}
	err = each(ctx, s, groupPrefix, func(name string, group *groupEntry) {
		if requires(group.MFAMethods) {
			uses = append(uses, "groups/"+name)
		}
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, s, userPrefix, func(name string, user *userEntry) {
		if requires(user.MFAMethods) {
			uses = append(uses, "users/"+name)
		}
	})
	return uses, err
}

// each loads all entries below a prefix.
func each[T any](ctx context.Context, s logical.Storage, prefix string, visit func(name string, entry *T)) error {
	all, err := names(ctx, s, prefix)
	if err != nil {
		return err
	}
	for _, name := range all {
		entry, err := load[T](ctx, s, prefix+name)
		if err != nil {
			return err
		}
		if entry != nil {
			visit(name, entry)
		}
	}
	return nil
}

// inUse is the error for a method that is required somewhere.
func inUse(uses []string) error {
	const shown = 5
	list := strings.Join(uses[:min(shown, len(uses))], ", ")
	if more := len(uses) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("the method is required by mfa_methods of %s: take it out there first", list)
}

// errMethodGone says that a method is required which there is not.
var errMethodGone = errors.New("a required MFA method does not exist")

// require makes the methods of the names, each once; one that there is not is an
// error: it can be satisfied by nobody.
func (b *backend) require(req *logical.Request, cfg *configEntry, all []*methodEntry, refs []string) ([]mfa.Required, error) {
	var required []mfa.Required
	seen := map[string]bool{}
	for _, ref := range refs {
		entry := findMethod(all, ref)
		if entry == nil {
			return nil, fmt.Errorf("%w: %q", errMethodGone, ref)
		}
		if seen[entry.ID] {
			continue
		}
		seen[entry.ID] = true
		method, err := b.make(req, cfg, entry)
		if err != nil {
			return nil, fmt.Errorf("making the MFA method %q: %w", entry.label(), err)
		}
		required = append(required, mfa.Required{ID: entry.ID, Name: entry.label(), Type: entry.Type, Method: method})
	}
	return required, nil
}

// make makes what a stored method describes.
func (b *backend) make(req *logical.Request, cfg *configEntry, entry *methodEntry) (mfa.Method, error) {
	for _, t := range methodTypes {
		if t.name == entry.Type && entry.whole() {
			return t.make(b, req, cfg, entry)
		}
	}
	return nil, errNoSense
}

// methodType is a type of MFA method.
type methodType struct {
	name   string // in paths
	title  string // in texts
	fields func() map[string]*framework.FieldSchema
	// update takes over the fields that the request names, and says what is wrong
	// with the result.
	update func(b *backend, req *logical.Request, d *framework.FieldData, entry *methodEntry) error
	// describe adds what may be read to data: no secret.
	describe func(entry *methodEntry, data map[string]any)
	make     func(b *backend, req *logical.Request, cfg *configEntry, entry *methodEntry) (mfa.Method, error)
	help     string
}

var methodTypes = []*methodType{oktaMethodType, totpMethodType, duoMethodType, pingIDMethodType}

// methodCache keeps the methods that have connections of their own, from login to
// login. The zero value is ready.
type methodCache struct {
	mu   sync.Mutex
	byID map[string]cachedMethod
}

type cachedMethod struct {
	entry    *methodEntry // what it was made of, with the accessor
	accessor string
	method   mfa.Method
}

// get returns the method that was made of the same entry before, or makes it.
func (c *methodCache) get(entry *methodEntry, accessor string, make func() (mfa.Method, error)) (mfa.Method, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.byID[entry.ID]; ok && kept.entry == entry && kept.accessor == accessor {
		return kept.method, nil
	}
	method, err := make()
	if err != nil {
		return nil, err
	}
	if c.byID == nil {
		c.byID = map[string]cachedMethod{}
	}
	c.byID[entry.ID] = cachedMethod{entry, accessor, method}
	return method, nil
}

// forget drops the method with that id.
func (c *methodCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byID, id)
}

// requiredOf is what somebody has to satisfy who is known by those names and is in
// groups with those mappings: what config requires, their groups, and each entry of
// users whose name differs from one of theirs in case only, with the groups that it
// names. A requirement must not be got round by another spelling.
func (b *backend) requiredOf(ctx context.Context, req *logical.Request, cfg *configEntry, groups []*groupEntry, called []string) ([]mfa.Required, error) {
	refs := slices.Clone(cfg.MFAMethods)
	users, err := b.usersCalled(ctx, req.Storage, called)
	if err != nil {
		return nil, err
	}
	for _, user := range users {
		refs = append(refs, user.MFAMethods...)
		more, err := b.mappings.findAll(ctx, req.Storage, user.Groups)
		if err != nil {
			return nil, err
		}
		groups = slices.Concat(groups, more)
	}
	for _, group := range groups {
		refs = append(refs, group.MFAMethods...)
	}
	if len(refs) == 0 {
		return nil, nil
	}
	all, err := b.methods.all(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	return b.require(req, cfg, all, refs)
}

// usersCalled returns the entries of users that go by one of the names, in any case.
func (b *backend) usersCalled(ctx context.Context, s logical.Storage, called []string) ([]*userEntry, error) {
	var users []*userEntry
	seen := map[string]bool{}
	for _, name := range called {
		stored, err := b.users.called(ctx, s, name)
		if err != nil {
			return nil, err
		}
		for _, name := range stored {
			if seen[name] {
				continue
			}
			seen[name] = true
			user, err := b.users.get(ctx, s, name)
			if err != nil {
				return nil, err
			}
			if user != nil {
				users = append(users, user)
			}
		}
	}
	return users, nil
}

// namesOf are the names that a person may be known by: as typed, as Okta spells
// it, and the part before the @.
func namesOf(typed, login string) []string {
	called := map[string]bool{}
	for _, name := range []string{typed, login} {
		short, _, _ := strings.Cut(name, "@")
		called[name], called[short] = true, true
	}
	delete(called, "")
	return slices.Sorted(maps.Keys(called))
}
