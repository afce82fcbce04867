package oktatest

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// User finds a user as a login does: by id, by login, or by the short name, which
// is the part of the login before the @. It returns nil where the name finds nobody
// or several people.
//
// Names are compared without regard to case first, then without regard to marks
// either: "MIA" and "mía" both find mia@acme.test. Two logins may differ by a mark
// alone. Then each is found by its own spelling only.
func (o *Org) User(name string) *User {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.find(name)
}

// find needs the lock. Okta documents that logins are unique without regard to case and
// diacritics, and that an unambiguous short name is enough. Undocumented: a name finds
// its user without regard to case and diacritics, too.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/
func (o *Org) find(name string) *User {
	own, coarse := exact(name), fold(name)
	for _, matches := range []func(*User) bool{
		func(u *User) bool { return u.ID == name },
		func(u *User) bool { return u.exact == own },
		func(u *User) bool { return u.folded == coarse },
		func(u *User) bool { return short(u.exact) == own },
		func(u *User) bool { return short(u.folded) == coarse },
	} {
		if found := o.filter(matches); len(found) == 1 {
			return found[0]
		} else if len(found) > 1 {
			return nil
		}
	}
	return nil
}

func (o *Org) filter(matches func(*User) bool) (list []*User) {
	for _, u := range o.users {
		if matches(u) {
			list = append(list, u)
		}
	}
	return list
}

// rename needs the lock.
func (u *User) rename(login string) { u.login, u.exact, u.folded = login, exact(login), fold(login) }

// SameLogin reports whether two logins cannot both exist, because they differ in
// nothing but case and the way their marks are written.
func SameLogin(a, b string) bool { return exact(a) == exact(b) }

// short returns the part of a login before the @.
func short(login string) string {
	before, _, _ := strings.Cut(login, "@")
	return before
}

// exact takes case away. It makes no difference between a letter with a mark and a
// letter that a mark follows.
func exact(name string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFD.String(name)))
}

// fold takes case and marks away. It also replaces what Unicode calls compatible
// characters, such as wide letters.
func fold(name string) string {
	folded := cases.Fold().String(norm.NFKD.String(name))
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(folded))
}
