package backend

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file holds the MFA methods of the mount: their entries in storage, their types,
// and the cache of what was made of them. Each type of method has a file of its own.

// methodPrefix is where methods are stored, by id.
const methodPrefix = "mfa/method/"

// methodEntry is a stored method. Type says which one of the last four fields it has.
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

// label returns what people call the method.
func (m *methodEntry) label() string { return cmp.Or(m.Name, m.ID) }

// revision is another where anything but the method's name has changed, a key included, or
// by which name the mount knows the people whom the method asks about.
func (m *methodEntry) revision(cfg *configEntry) string {
	unnamed := *m
	unnamed.Name = ""
	raw, _ := json.Marshal(unnamed) // it has been read from JSON: never fails
	sum := sha256.Sum256(append(raw, cfg.source()...))
	return string(sum[:])
}

// whole reports whether the entry has the field that its type requires.
func (m *methodEntry) whole() bool {
	return map[string]bool{"okta": m.Okta != nil, "totp": m.TOTP != nil, "duo": m.Duo != nil, "pingid": m.PingID != nil}[m.Type]
}

// errNoSense says that storage holds an entry that this plugin cannot have stored.
var errNoSense = errors.New("it is no MFA method that this version of the plugin knows")

// ready checks an entry that was read from storage.
func (m *methodEntry) ready(id string) error {
	if m.ID != id || !m.whole() {
		return errNoSense
	}
	return nil
}

// called reports whether a name in mfa_methods means this method.
func (m *methodEntry) called(name string) bool { return name == m.ID || name != "" && name == m.Name }

// format returns the method's username_format, which a write has checked.
func (m *methodEntry) format(accessor string) (mfa.Format, error) {
	f, err := mfa.ParseFormat(m.UsernameFormat, accessor)
	if err != nil {
		return f, fmt.Errorf("the stored username_format %v", err) // an operator's fault, not the person's
	}
	return f, nil
}

const maxMethodName = 128 // bytes

// checkMethodName accepts what can be a method's name in a credential and in a path.
func checkMethodName(name string) error {
	if strings.Trim(name, ".") == "" || len(name) > maxMethodName || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
	}) {
		return invalid("method_name", fmt.Sprintf("must be 1 to %d letters and digits of ASCII, hyphens, underscores and full stops, and not full stops alone", maxMethodName))
	}
	return nil
}

// isMethodID reports whether id can be that of a method, as part of a storage key.
func isMethodID(id string) bool {
	return checkName("method_id", id) == nil && !strings.Contains(id, "/")
}

// storedMethod returns what storage holds of the method of a type with that id, nil if
// it does not exist. The entry is the caller's own.
func (b *backend) storedMethod(ctx context.Context, s logical.Storage, typ, id string) (*methodEntry, error) {
	if !isMethodID(id) {
		return nil, nil
	}
	m, err := b.methods.Stored(ctx, s, id)
	if err != nil || m == nil || m.Type != typ {
		return nil, err
	}
	return m, nil
}

// methodList is all methods of the mount.
type methodList struct {
	methods    []*methodEntry
	unreadable []*store.UnreadableError
}

// storedMethods returns all methods that storage holds.
func (b *backend) storedMethods(ctx context.Context, s logical.Storage) (all methodList, err error) {
	all.unreadable, err = b.methods.Scan(ctx, s, func(_ string, m *methodEntry) { all.methods = append(all.methods, m) })
	return all, err
}

// find returns the method that a name in mfa_methods means, nil if there is none. It
// fails where only a method that cannot be read can be the one.
func (l methodList) find(name string) (*methodEntry, error) {
	for _, m := range l.methods {
		if m.called(name) {
			return m, nil
		}
	}
	for _, lost := range l.unreadable {
		if lost.Key == methodPrefix+name {
			return nil, lost
		}
	}
	if len(l.unreadable) > 0 {
		return nil, l.unreadable[0] // whose name nobody knows
	}
	return nil, nil
}

// make makes the method that a stored entry describes.
func (b *backend) make(ctx context.Context, req *logical.Request, cfg *configEntry, entry *methodEntry) (mfa.Method, error) {
	for _, t := range methodTypes {
		if t.name == entry.Type {
			return t.make(ctx, b, req, cfg, entry)
		}
	}
	return nil, errNoSense
}

// methodType is a type of MFA method.
type methodType struct {
	name   string // in paths
	title  string // in texts
	fields func() map[string]*framework.FieldSchema
	// update changes the fields that the request names. It returns an error for a value
	// that cannot be read, or that may not be changed so.
	update func(d *framework.FieldData, entry *methodEntry) error
	// check returns what is wrong with the type's own fields.
	check func(entry *methodEntry) []problem
	// describe adds the fields that may be read to data. It leaves out secrets.
	describe func(entry *methodEntry, data map[string]any)
	// alsoTold are what a read tells beside the fields.
	alsoTold fieldSchemas
	make     func(ctx context.Context, b *backend, req *logical.Request, cfg *configEntry, entry *methodEntry) (mfa.Method, error)
	help     string
}

var methodTypes = []*methodType{oktaMethodType, totpMethodType, duoMethodType, pingIDMethodType}

// methodCache keeps the methods that have connections of their own, so that later
// logins use the same connections. The zero value is ready.
type methodCache struct {
	mu   sync.Mutex
	byID map[string]cachedMethod
}

type cachedMethod struct {
	entry    *methodEntry // what it was made of, with the accessor
	accessor string
	method   mfa.Method
}

// get returns the method that was made of the same entry before, or makes a new one.
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
	c.close(entry.ID) // one of an older entry
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
	c.close(id)
}

// drop forgets all methods.
func (c *methodCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.byID {
		c.close(id)
	}
}

func (c *methodCache) close(id string) {
	if kept, ok := c.byID[id].method.(interface{ CloseIdleConnections() }); ok {
		kept.CloseIdleConnections()
	}
	delete(c.byID, id)
}
