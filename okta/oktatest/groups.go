package oktatest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// group is a group. Its name is unique among groups of its type only, because an
// imported group may have the name of one that was made in Okta.
type group struct {
	id  string
	key groupKey
}

type groupKey struct{ name, kind string }

// group finds or makes a group. It needs the lock.
func (o *Org) group(name, kind string) *group {
	key := groupKey{name, kind}
	g := o.groups[key]
	if g == nil {
		g = &group{id: "00g" + stableID("group", kind, name), key: key}
		for renamed := range maps.Values(o.groups) {
			if renamed.id == g.id {
				g.id = "00g" + stableID("group", kind, name, renamed.key.name)
			}
		}
		o.groups[key] = g
	}
	return g
}

// RenameGroup gives the group of that name and type another name, and returns its id,
// which stays. A group that has the old name later is another one.
func (o *Org) RenameGroup(name, kind, to string) (id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.group(name, kind)
	delete(o.groups, g.key)
	g.key.name = to
	o.groups[g.key] = g
	return g.id
}

// SetGroups replaces the user's groups. They are of type OKTA_GROUP, but
// Everyone is BUILT_IN. Without names the user is in no group at all, not
// even in Everyone.
func (u *User) SetGroups(names ...string) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.groups = nil
	for _, name := range names {
		kind := "OKTA_GROUP"
		if name == "Everyone" {
			kind = "BUILT_IN"
		}
		u.addGroup(name, kind)
	}
}

// AddGroup adds the user to a group of a type: OKTA_GROUP, BUILT_IN or
// APP_GROUP. Groups of different types may share a name.
func (u *User) AddGroup(name, kind string) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.addGroup(name, kind)
}

func (u *User) addGroup(name, kind string) {
	if g := u.org.group(name, kind); !slices.Contains(u.groups, g) {
		u.groups = append(u.groups, g)
	}
}

// Groups returns the names of the user's groups.
func (u *User) Groups() []string {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	var names []string
	for _, g := range u.groups {
		names = append(names, g.key.name)
	}
	return names
}

// listGroups answers GET /api/v1/users/{id}/groups, a page at a time.
func (o *Org) listGroups(c *call) answer {
	u := o.findParam(c.param("user"))
	if u == nil {
		return notFound(c.param("user"), "User")
	}
	query := c.request.URL.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > o.opts.PageSize {
		limit = o.opts.PageSize
	}
	start := 0
	if after := query.Get("after"); after != "" {
		at := slices.IndexFunc(u.groups, func(g *group) bool { return g.cursor() == after })
		if at < 0 {
			return oktaError("E0000001", "after: Invalid paging cursor")
		}
		start = at + 1
	}
	end := min(start+limit, len(u.groups))

	page := []object{}
	for _, g := range u.groups[start:end] {
		page = append(page, g.json(c))
	}
	a := ok(page)
	next := ""
	if end < len(u.groups) {
		next = u.groups[end-1].cursor()
	}
	a.header = http.Header{"Link": o.groupLinks(c, u, limit, next)}
	return a
}

// cursor says where the page after this group begins. It does not look like
// the group's id, so that clients cannot build it.
func (g *group) cursor() string {
	sum := sha256.Sum256([]byte("cursor" + g.id))
	return "200u" + hex.EncodeToString(sum[:8])
}

func (o *Org) groupLinks(c *call, u *User, limit int, cursor string) []string {
	path := "/api/v1/users/" + u.ID + "/groups"
	self := c.base + c.request.URL.RequestURI()
	next := ""
	if cursor != "" {
		query := url.Values{"after": {cursor}, "limit": {strconv.Itoa(limit)}}
		next = c.base + path + "?" + query.Encode()
	}
	switch {
	case o.opts.GroupLinkStyle == LinkLoop:
		next = self
	case o.opts.GroupLinkStyle == LinkForeign && next != "":
		next = o.opts.ForeignBase + strings.TrimPrefix(next, c.base)
	}
	links := []string{fmt.Sprintf(`<%s>; rel="self"`, self)}
	if next != "" {
		links = append(links, fmt.Sprintf(`<%s>; rel="next"`, next))
	}
	if o.opts.GroupLinkStyle == LinkJoined {
		return []string{strings.Join(links, ", ")}
	}
	return links
}

func (g *group) json(c *call) object {
	class := "okta:user_group"
	profile := object{"name": g.key.name, "description": nil}
	if g.key.kind == "APP_GROUP" {
		class = "okta:windows_security_principal"
		profile["samAccountName"] = g.key.name
		profile["dn"] = "CN=" + g.key.name + ",OU=Groups,DC=acme,DC=test"
		profile["windowsDomainQualifiedName"] = `ACME\` + g.key.name
		profile["externalId"] = stableID("external", g.id)
	}
	const long = "2024-01-01T00:00:00.000Z"
	return object{
		"id":                    g.id,
		"created":               long,
		"lastUpdated":           long,
		"lastMembershipUpdated": long,
		"objectClass":           []any{class},
		"type":                  g.key.kind,
		"profile":               profile,
		"_links":                object{"users": object{"href": c.base + "/api/v1/groups/" + g.id + "/users"}},
	}
}
