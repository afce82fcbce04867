package oktatest

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"time"
)

// User is a user of the organization.
type User struct {
	// ID is the permanent id, "00u...". It depends on the first login alone.
	ID string

	org      *Org
	login    string
	exact    string // the login as exact has it
	folded   string // the login as fold has it
	email    string // empty where it is the login
	password string
	status   string
	afterMFA string
	canSkip  bool
	failures int // wrong passcodes in a row
	misses   int // wrong passwords in a row
	refused  int // all wrong passcodes so far
	requests window
	changed  time.Time
	groups   []*group
	factors  []*Factor
	sequence [][]*Factor     // see SetSequence
	devices  map[string]bool // remembered, by their tokens
	auto     []*Factor       // see AutoFactors
	extra    map[string]any  // see SetAttribute
	deleted  bool
}

// AddUser adds an active user, who is in the group Everyone. It panics if
// the login is taken; see [SameLogin].
func (o *Org) AddUser(login, password string) *User {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, u := range o.users {
		if u.exact == exact(login) {
			panic("oktatest: there is a user " + login)
		}
	}
	u := &User{
		ID:       "00u" + stableID("user", login),
		org:      o,
		password: password,
		status:   "ACTIVE",
		changed:  o.opts.Now(),
	}
	u.rename(login)
	u.groups = []*group{o.group("Everyone", "BUILT_IN")}
	o.users = append(o.users, u)
	o.addSecret(password)
	return u
}

// Users returns all users in the order they were added.
func (o *Org) Users() []*User {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.users)
}

// stableID makes 17 characters of a kind and a name, so that an organization
// has the same ids every time it is built.
func stableID(parts ...string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	id := make([]byte, 17)
	for i := range id {
		id[i] = alphabet[int(sum[i])%len(alphabet)]
	}
	return string(id)
}

// Login returns the canonical login.
func (u *User) Login() string {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	return u.login
}

// Password returns the password.
func (u *User) Password() string {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	return u.password
}

// Status returns the status; see SetStatus.
func (u *User) Status() string {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	return u.status
}

// SetLogin renames the user. The id stays.
func (u *User) SetLogin(login string) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.rename(login)
}

// Email returns the e-mail address; see SetEmail.
func (u *User) Email() string {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	return u.address()
}

// SetEmail changes the e-mail address, which is the login by default. Users
// may share one, and nobody can log in or be looked up by it.
func (u *User) SetEmail(email string) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.email = email
	for _, f := range u.auto {
		f.destination = destination(f.Type, u.address())
	}
}

// address needs the lock.
func (u *User) address() string {
	if u.email == "" {
		return u.login
	}
	return u.email
}

// SetPassword changes the password.
func (u *User) SetPassword(password string) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.password = password
	u.changed = u.org.opts.Now()
	u.org.addSecret(password)
}

// SetStatus decides what a login with the right password gets.
//
//   - ACTIVE: factors if there are any, then SUCCESS.
//   - PASSWORD_EXPIRED: the same, but PASSWORD_EXPIRED in place of SUCCESS.
//   - PASSWORD_WARN: an active user whose password is about to expire, which
//     Okta says to clients that asked for the warning.
//   - LOCKED_OUT: 200 LOCKED_OUT without a token, whatever the password, as
//     with a password policy that shows lockouts.
//   - HIDDEN_LOCKED_OUT, SUSPENDED, DEPROVISIONED, STAGED, PROVISIONED and
//     RECOVERY: 401 E0000004, or Options.SignInCode.
//   - SUCCESS: SUCCESS at once, factors or not, as with a policy that asks
//     for a password only.
//   - anything else: a transaction with that status, known to Okta or not.
//
// The status stays until it is changed, also while a login waits, and the users API
// shows it; see [Meanwhile]. Taking a lock away also forgets the failures that led to
// it.
//
// Undocumented: the groups of a user can be read in any status.
func (u *User) SetStatus(status string) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.status = status
	u.failures, u.misses = 0, 0
}

// SetStatusAfterMFA decides the status that follows a verified factor, such as
// MFA_ENROLL. Where it is empty, SetStatus decides.
func (u *User) SetStatusAfterMFA(status string) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.afterMFA = status
}

// SetSkip says whether MFA_ENROLL may be skipped, as in a grace period. By default it
// may not.
func (u *User) SetSkip(allowed bool) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.canSkip = allowed
}

// Delete removes the user from the organization.
func (u *User) Delete() {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	u.deleted = true
	u.org.users = slices.DeleteFunc(u.org.users, func(other *User) bool { return other == u })
}

// WrongPassCodes returns how many passcodes and answers were refused so far, at any
// factor, because they were wrong, used before, or out of time. A right code after
// which RequireNextToken wants another does not count.
func (u *User) WrongPassCodes() int {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	return u.refused
}

// Factors returns the user's factors in the order they were added.
func (u *User) Factors() []*Factor {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	return slices.Clone(u.factors)
}

// getUser answers GET /api/v1/users/{id | login | short name}.
func (o *Org) getUser(c *call) answer {
	if c.param("user") == "me" {
		return o.me(c)
	}
	u := o.findParam(c.param("user"))
	if u == nil {
		return notFound(c.param("user"), "User")
	}
	return ok(u.resource(c))
}

// me answers with the administrator who has made the API token, who is in no list of
// this package. Access tokens have no such person.
func (o *Org) me(c *call) answer {
	if scheme, _, _ := strings.Cut(c.request.Header.Get("Authorization"), " "); !strings.EqualFold(scheme, "SSWS") {
		return notFound("me", "User")
	}
	admin := &User{ID: "00u" + stableID("token owner"), org: o, status: "ACTIVE", changed: c.now}
	admin.rename("token.owner@acme.test")
	return ok(admin.resource(c))
}

// resource returns the user as the users API shows it.
func (u *User) resource(c *call) object {
	return object{
		"id":              u.ID,
		"status":          u.lifecycle(),
		"created":         timestamp(u.changed),
		"activated":       nil,
		"statusChanged":   nil,
		"lastLogin":       nil,
		"lastUpdated":     timestamp(u.changed),
		"passwordChanged": timestamp(u.changed),
		"type":            object{"id": "oty" + stableID("type")},
		"profile":         u.profile(),
		"credentials":     object{"provider": object{"type": "OKTA", "name": "OKTA"}},
		"_links":          object{"self": object{"href": c.base + "/api/v1/users/" + u.ID}},
	}
}

// lifecycle returns the status as the users API knows it.
func (u *User) lifecycle() string {
	switch u.status {
	case "HIDDEN_LOCKED_OUT":
		return "LOCKED_OUT"
	case "PASSWORD_RESET", "RECOVERY_CHALLENGE":
		return "RECOVERY"
	case "SUCCESS", "PASSWORD_WARN", "MFA_ENROLL", "MFA_ENROLL_ACTIVATE", "UNAUTHENTICATED":
		return "ACTIVE" // only transactions have these statuses
	}
	return u.status
}

// findParam finds the user of a path segment. Logins with a slash cannot be
// looked up, and "me" is reserved; see me.
func (o *Org) findParam(name string) *User {
	if strings.Contains(name, "/") || name == "me" {
		return nil
	}
	return o.find(name)
}

func (u *User) profile() object {
	before, _, _ := strings.Cut(u.login, "@")
	first, last, _ := strings.Cut(before, ".")
	profile := object{"login": u.login, "email": u.address(), "firstName": first, "lastName": last}
	maps.Copy(profile, u.extra)
	return profile
}

// SetAttribute gives the user's profile an attribute, or takes it away if the value is
// nil. The users API alone shows it.
func (u *User) SetAttribute(name string, value any) {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	if value == nil {
		delete(u.extra, name)
		return
	}
	if u.extra == nil {
		u.extra = map[string]any{}
	}
	u.extra[name] = value
}

// embedded returns the user as transactions show it.
func (u *User) embedded() object {
	before, _, _ := strings.Cut(u.login, "@")
	first, last, _ := strings.Cut(before, ".")
	return object{
		"id":              u.ID,
		"passwordChanged": timestamp(u.changed),
		"profile": object{
			"login": u.login, "firstName": first, "lastName": last,
			"locale": "en_US", "timeZone": "Europe/Lisbon",
		},
	}
}
