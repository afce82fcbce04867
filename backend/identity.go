package backend

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/text/unicode/norm"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file says who somebody is to the mount. Okta ignores case and marks in the
// name that a person types, and takes the part before the @ for the whole, so one
// person has many names. What is bound to what was typed is bound to nobody.

// Values of alias_source.
const (
	sourceLogin  = "login"   // the login, in Okta's own spelling and in lower case
	sourceOktaID = "okta_id" // the user id
	sourceTyped  = "typed"   // what the person typed, as the builtin method does it
)

// source is where the names of people come from. An entry that was stored without it
// is the builtin method's, or of a version that knew nothing else.
func (cfg *configEntry) source() string { return cmp.Or(cfg.AliasSource, sourceTyped) }

// identity is what the mount calls a person.
type identity struct {
	alias string // of the identity entity
	name  string // in the token's display name and metadata
}

// identify says what the mount calls somebody whom Okta let in.
func (cfg *configEntry) identify(who mfa.Subject) identity {
	login := canonicalLogin(who.Login)
	switch cfg.source() {
	case sourceLogin:
		if strings.ToLower(login) != login { // as Vault does when it compares aliases
			return identity{alias: who.ID, name: login}
		}
		return identity{alias: login, name: login}
	case sourceOktaID:
		return identity{alias: who.ID, name: login} // a renewal logs in by the name
	}
	return identity{alias: who.Name, name: who.Name}
}

// canonicalLogin is a login as it stands in an alias. Two logins have one alias only if
// an entry of users would be both's. A login with the Kelvin sign, for example, of which
// Unicode makes a k, stays as it is, and its alias is the user id.
func canonicalLogin(login string) string {
	lower := strings.ToLower(norm.NFC.String(login))
	if store.FoldLogin(lower) != store.FoldLogin(login) {
		return login
	}
	return lower
}

// expectAlias is the alias that a login by that name would have, as far as it can be
// known without Okta.
func (b *backend) expectAlias(cfg *configEntry, typed string) string {
	if cfg.source() == sourceTyped {
		return typed
	}
	if org, err := cfg.orgURL(); err == nil {
		if known, ok := b.known.find(org, typed); ok {
			return cfg.identify(mfa.Subject{ID: known.id, Login: known.login, Name: typed}).alias
		}
	}
	return canonicalLogin(cfg.completeLogin(typed))
}

// completeLogin adds login_domain to a name that has no domain.
func (cfg *configEntry) completeLogin(name string) string {
	if cfg.LoginDomain == "" || strings.Contains(name, "@") {
		return name
	}
	return name + "@" + cfg.LoginDomain
}

// namedUser is an entry of users, and its name.
type namedUser struct {
	name string
	*userEntry
}

// appliesTo reports whether the entry gives the person what is in it. An entry with
// an okta_id is that account's, whatever its name is. Any other is the person's whose
// login it names; a name without a domain stands for the one in login_domain, or else
// for a login that is exactly that.
func (u namedUser) appliesTo(cfg *configEntry, who mfa.Subject) bool {
	switch {
	case u.OktaID != "":
		return u.OktaID == who.ID
	case cfg.source() == sourceTyped:
		return u.name == who.Name
	}
	return store.FoldLogin(cfg.completeLogin(u.name)) == store.FoldLogin(who.Login)
}

// usersAbout returns the entries of users that may be about the person, sorted: by
// any spelling of a name that the person goes by, and by their account.
func (b *backend) usersAbout(ctx context.Context, s logical.Storage, who mfa.Subject) ([]namedUser, error) {
	var names []string
	for _, name := range namesOf(who.Name, who.Login) {
		spellings, err := b.users.Spellings(ctx, s, name)
		if err != nil {
			return nil, err
		}
		names = append(names, spellings...)
	}
	bound, err := b.userNotes.names(ctx, s, who.ID)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(names, bound)
	slices.Sort(all)
	var users []namedUser
	for _, name := range slices.Compact(all) {
		user, err := b.users.Get(ctx, s, name)
		if err != nil {
			return nil, err
		}
		if user != nil && (user.OktaID == who.ID || slices.Contains(names, name)) { // a note may be out of date
			users = append(users, namedUser{name, user})
		}
	}
	return users, nil
}

// namesOf returns the names that a person may go by: as typed, as Okta spells the
// login, and the part before the @ of both. Those that storage cannot hold are left
// out.
func namesOf(typed, login string) []string {
	var names []string
	for _, name := range []string{typed, login} {
		short, _, _ := strings.Cut(name, "@")
		names = append(names, name, short)
	}
	return unique(names)
}

// own are those of the entries that apply to the person.
func own(cfg *configEntry, who mfa.Subject, users []namedUser) (mine []namedUser) {
	for _, u := range users {
		if u.appliesTo(cfg, who) {
			mine = append(mine, u)
		}
	}
	return mine
}

// ownGroups are the groups that entries of users give.
func ownGroups(users []namedUser) (groups []string) {
	for _, u := range users {
		groups = append(groups, u.Groups...)
	}
	return groups
}
