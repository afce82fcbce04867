package oktatest

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// OfferedTo makes the Factors API list and verify the factor only for callers at
// the given addresses, because Okta's policy looks at the caller's address and not
// at the user's. The caller's address is the first one of X-Forwarded-For, or else
// that of the connection. Without addresses nobody sees the factor. Transactions
// ignore all this.
func (f *Factor) OfferedTo(addresses ...string) *Factor {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.offered = make([]string, 0, len(addresses))
	for _, address := range addresses {
		f.offered = append(f.offered, canonical(address))
	}
	return f
}

// AutoFactors returns the factors that Options.AutoFactors adds in the
// Factors API: "email" and "question", unless the user enrolled one of that
// type. Transactions do not offer them.
func (u *User) AutoFactors() []*Factor {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	return u.automatic()
}

// automatic needs the lock.
func (u *User) automatic() (list []*Factor) {
	if !u.org.opts.AutoFactors {
		return nil
	}
	if u.auto == nil {
		u.auto = []*Factor{
			u.newFactor("auto", "email", "OKTA", 1),
			u.newFactor("auto", "question", "OKTA", 1),
		}
	}
	for _, f := range u.auto {
		enrolled := func(other *Factor) bool { return other.Type == f.Type && other.status != "NOT_SETUP" }
		if !slices.ContainsFunc(u.factors, enrolled) {
			list = append(list, f)
		}
	}
	return list
}

// listFactors answers GET /api/v1/users/{id}/factors.
func (o *Org) listFactors(c *call) answer {
	u := o.byID(c.param("user"))
	if u == nil {
		return notFound(c.param("user"), "User")
	}
	list := []object{}
	for _, f := range u.offers(c) {
		list = append(list, f.resource(c))
	}
	return ok(list)
}

// getFactor answers GET /api/v1/users/{id}/factors/{factorId}.
func (o *Org) getFactor(c *call) answer {
	f, a, found := o.findFactor(c)
	if !found {
		return a
	}
	return ok(f.resource(c))
}

// findFactor finds the factor of a path, as far as the caller may see it.
func (o *Org) findFactor(c *call) (*Factor, answer, bool) {
	u := o.byID(c.param("user"))
	if u == nil {
		return nil, notFound(c.param("user"), "User"), false
	}
	for _, f := range u.offers(c) {
		if f.ID == c.param("factor") {
			return f, answer{}, true
		}
	}
	return nil, notFound(c.param("factor"), "UserFactor"), false
}

// byID finds a user by id alone, because the Factors API takes no logins.
func (o *Org) byID(id string) *User {
	for _, u := range o.users {
		if u.ID == id {
			return u
		}
	}
	return nil
}

// offers lists the factors that the Factors API shows to a caller.
func (u *User) offers(c *call) (list []*Factor) {
	address := c.address()
	for _, f := range slices.Concat(u.factors, u.automatic()) {
		if f.status != "NOT_SETUP" && (f.offered == nil || slices.Contains(f.offered, address)) {
			list = append(list, f)
		}
	}
	return list
}

// address returns the caller's address, as policies see it. A real organization
// believes the header of its trusted proxies only.
func (c *call) address() string {
	if lines := c.request.Header.Values("X-Forwarded-For"); len(lines) > 0 {
		first, _, _ := strings.Cut(lines[0], ",")
		return canonical(first)
	}
	host, _, err := net.SplitHostPort(c.request.RemoteAddr)
	if err != nil {
		host = c.request.RemoteAddr
	}
	return canonical(host)
}

// canonical gives all spellings of an address one form.
func canonical(address string) string {
	address = strings.TrimSpace(address)
	if ip, err := netip.ParseAddr(address); err == nil {
		return ip.Unmap().String()
	}
	return address
}

// resource returns the factor as the Factors API shows it. Okta does not mask phone
// numbers there, but here they have no other form.
func (f *Factor) resource(c *call) object {
	status := f.status
	if status == "" {
		status = "ACTIVE"
	}
	at := f.resourceURL(c)
	return object{
		"id":          f.ID,
		"factorType":  f.Type,
		"provider":    f.Provider,
		"vendorName":  f.vendorName(),
		"status":      status,
		"created":     timestamp(f.enrolled),
		"lastUpdated": timestamp(f.enrolled),
		"profile":     f.profile(),
		"_links": object{
			"self":   hinted(at, "GET"),
			"user":   hinted(c.base+"/api/v1/users/"+f.User.ID, "GET"),
			"verify": hinted(at+"/verify", "POST"),
		},
	}
}

func (f *Factor) resourceURL(c *call) string {
	return c.base + "/api/v1/users/" + f.User.ID + "/factors/" + f.ID
}

// hinted returns a link that is followed with the given method.
func hinted(href, method string) object {
	return object{"href": href, "hints": object{"allow": []any{method}}}
}
