package backend

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/go-uuid"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file creates, changes and deletes MFA methods. A path names a method by its id or
// by its name. No name looks like an id.

// isUUID reports whether what a path calls a method is an id, and not a name.
func isUUID(ref string) bool {
	_, err := uuid.ParseUUID(ref)
	return err == nil
}

// noMethod is the answer to a request for a method that does not exist.
func noMethod(t *methodType, ref string) error {
	what := "name"
	if isUUID(ref) {
		what = "method_id"
	}
	return logical.CodedError(http.StatusNotFound, fmt.Sprintf("an MFA method of type %s with this %s does not exist", t.title, what))
}

// storedMethodAt returns the method of a type that a path calls by its id or its name, nil
// if it does not exist. It goes by storage, and not by what this node remembers of it. The
// entry is the caller's own. It fails where a method cannot be read that may be the one.
func (b *backend) storedMethodAt(ctx context.Context, s logical.Storage, t *methodType, ref string) (*methodEntry, error) {
	if isUUID(ref) {
		return b.storedMethod(ctx, s, t.name, ref)
	}
	all, err := b.storedMethods(ctx, s)
	if err != nil {
		return nil, err
	}
	m, err := all.find(ref)
	if err != nil || m == nil || m.Type != t.name {
		return nil, err
	}
	return m, nil
}

// isAt reports whether the method that cannot be read is the one that a path calls so, of
// whatever type.
func isAt(lost *store.UnreadableError, ref string) bool {
	return lost != nil && lost.Key == methodPrefix+ref
}

// writeMethod creates a method, or changes the one with the method_id of the request.
func (b *backend) writeMethod(t *methodType) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
		if id := d.Get("method_id").(string); id != "" {
			return b.changeMethod(ctx, req, d, t, id, "")
		}
		return b.createMethod(ctx, req, d, t, "")
	}
}

// writeMethodAt changes the method that the path calls by its id or its name. It creates
// one of that name if it does not exist, so that tools which describe what there should
// be can write the same request again and again.
func (b *backend) writeMethodAt(t *methodType) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
		ref := d.Get("method_id").(string)
		if isUUID(ref) {
			return b.changeMethod(ctx, req, d, t, ref, "")
		}
		if err := checkMethodName(ref); err != nil {
			return answerInput(err)
		}
		if name, _ := newest[string](d, "method_name"); strings.TrimSpace(name) != "" && strings.TrimSpace(name) != ref {
			return answerInput(invalid("method_name", "must be the name in the path, or be left out: rename a method by its method_id"))
		}
		// Of two first writes, the second one changes what the first one has created.
		unlock, err := b.locks.Lock(ctx, "mfa/method by name/"+store.Fold(ref))
		if err != nil {
			return nil, err
		}
		defer unlock()
		m, err := b.storedMethodAt(ctx, req.Storage, t, ref)
		lost, err := unreadable(err)
		switch {
		case err != nil:
			return nil, err
		case m == nil:
			resp, err := b.createMethod(ctx, req, d, t, ref)
			if lost != nil && err == nil && !resp.IsError() {
				resp.AddWarning(lost.Error() + ", so it may have been the MFA method of this name: " + remedy(lost.Key))
			}
			return resp, err
		}
		return b.changeMethod(ctx, req, d, t, m.ID, ref)
	}
}

// createMethod creates a method. called is its name in the path, "" where the field
// method_name gives it.
func (b *backend) createMethod(ctx context.Context, req *logical.Request, d *framework.FieldData, t *methodType, called string) (*logical.Response, error) {
	id, err := uuid.GenerateUUID()
	if err != nil {
		return nil, err
	}
	unlock, err := b.locks.Lock(ctx, methodPrefix+id)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return b.storeMethod(ctx, req, d, t, &methodEntry{ID: id, Type: t.name}, called, true)
}

// changeMethod changes the fields that the request names. called is the method's name in
// the path, "" where the path or the request has its id.
func (b *backend) changeMethod(ctx context.Context, req *logical.Request, d *framework.FieldData, t *methodType, id, called string) (*logical.Response, error) {
	unlock, err := b.locks.Lock(ctx, methodPrefix+id)
	if err != nil {
		return nil, err
	}
	defer unlock()
	stored, err := b.storedMethod(ctx, req.Storage, t.name, id)
	lost, err := unreadable(err)
	switch {
	case err != nil:
		return nil, err
	case lost != nil:
		resp, err := b.storeMethod(ctx, req, d, t, &methodEntry{ID: id, Type: t.name}, called, true)
		if err == nil && !resp.IsError() {
			replaced(lost).addTo(resp)
		}
		return resp, err
	case stored == nil, called != "" && stored.Name != called: // renamed or deleted meanwhile
		return nil, noMethod(t, cmp.Or(called, id))
	}
	entry := *stored // which logins are using
	return b.storeMethod(ctx, req, d, t, &entry, called, false)
}

// storeMethod makes what the request says of a copy of a method, and stores it only if
// all of it is sound. The caller has locked the method.
func (b *backend) storeMethod(ctx context.Context, req *logical.Request, d *framework.FieldData, t *methodType, entry *methodEntry,
	called string, created bool,
) (*logical.Response, error) {
	name, named := newest[string](d, "method_name")
	if called != "" {
		name, named = called, true
	}
	unlockNames, err := b.nameMethod(ctx, req.Storage, entry, strings.TrimSpace(name), named)
	if err != nil {
		return answerInput(err)
	}
	defer unlockNames()
	unsound, err := t.change(req, d, entry, created)
	if err != nil {
		return answerInput(err)
	}
	err = b.methods.Write(ctx, req.Storage, entry.ID, entry)
	b.forgetMethod(entry.ID)
	if err != nil || !created && called == "" && len(unsound) == 0 {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"method_id": entry.ID}, Warnings: unsound}, nil
}

// change changes the fields other than the name. It returns an error if a value that the
// request names is not sound, and warnings of the others.
func (t *methodType) change(req *logical.Request, d *framework.FieldData, entry *methodEntry, created bool) (warnings []string, err error) {
	if v, ok := newest[string](d, "username_format"); ok && t.fields()["username_format"] != nil {
		entry.UsernameFormat = strings.TrimSpace(v)
	}
	if err := t.update(d, entry); err != nil {
		return nil, err
	}
	problems := t.check(entry)
	if _, err := mfa.ParseFormat(entry.UsernameFormat, req.MountAccessor); err != nil {
		problems = append([]problem{wrong(invalid("username_format", err.Error()), "username_format")}, problems...)
	}
	return judge(d, created, problems)
}

// nameMethod changes the method's name, if the request has one. Until the caller calls unlock, nobody else can
// require or take the old or the new name. The name of a method that is in use cannot
// change, because what requires it would require nothing.
func (b *backend) nameMethod(ctx context.Context, s logical.Storage, entry *methodEntry, name string, named bool) (unlock func(), err error) {
	if !named || name == entry.Name {
		return func() {}, nil
	}
	if name != "" {
		if err := checkMethodName(name); err != nil {
			return nil, err
		}
		if isUUID(name) {
			return nil, invalid("method_name", "must not look like a method_id")
		}
		if strings.EqualFold(name, oktaName) {
			return nil, invalid("method_name", fmt.Sprintf("must not be %q: that name stands for the factor that Okta itself asks for", name))
		}
	}
	unlock, err = b.locks.Lock(ctx, nameLocks(entry.Name, name)...)
	if err != nil {
		return nil, err
	}
	if err := b.checkRename(ctx, s, entry, name); err != nil {
		unlock()
		return nil, err
	}
	entry.Name = name
	return unlock, nil
}

// checkRename refuses a name that another method has, and refuses to change a name that
// is in use.
func (b *backend) checkRename(ctx context.Context, s logical.Storage, entry *methodEntry, name string) error {
	all, err := b.storedMethods(ctx, s)
	if err != nil {
		return err
	}
	if taken := slices.IndexFunc(all.methods, func(m *methodEntry) bool { return name != "" && strings.EqualFold(m.Name, name) && m.ID != entry.ID }); taken >= 0 {
		return invalid("method_name", fmt.Sprintf("is that of another MFA method, of type %s", all.methods[taken].Type))
	}
	if entry.Name == "" {
		return nil
	}
	uses, err := b.usesOf(ctx, s, entry.Name)
	if err != nil {
		return err
	}
	if len(uses) > 0 {
		return invalid("method_name", "cannot be changed: "+inUse(uses))
	}
	return nil
}

// deleteMethod deletes a method that nobody has to satisfy, with its TOTP keys.
func (b *backend) deleteMethod(t *methodType) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
		ref := d.Get("method_id").(string)
		m, err := b.storedMethodAt(ctx, req.Storage, t, ref)
		if lost, _ := unreadable(err); err != nil && !isAt(lost, ref) {
			return nil, err
		}
		id := ref
		if m != nil {
			id = m.ID
		}
		unlock, err := b.locks.Lock(ctx, methodPrefix+id)
		if err != nil {
			return nil, err
		}
		defer unlock()
		m, err = b.storedMethodAt(ctx, req.Storage, t, ref)
		lost, _ := unreadable(err)
		if isAt(lost, ref) { // it may be of type totp, and have keys
			m, err = &methodEntry{ID: id, Type: totpMethodType.name}, nil
		}
		if err != nil {
			return nil, err
		}
		if m == nil || m.ID != id { // renamed or deleted meanwhile
			return nil, b.tidyKeys(ctx, req.Storage, t, ref)
		}
		uses, err := b.removeMethod(ctx, req.Storage, m)
		if len(uses) > 0 {
			return logical.ErrorResponse(inUse(uses)), nil
		}
		if err != nil {
			return nil, err
		}
		return warned(replaced(lost)), nil
	}
}

// tidyKeys deletes the TOTP keys that belong to a method_id which no method has, and
// returns the answer to a deletion of that method. Earlier builds left such keys, which
// deleted the method first.
func (b *backend) tidyKeys(ctx context.Context, s logical.Storage, t *methodType, ref string) error {
	if t == totpMethodType && isUUID(ref) {
		if err := b.keysOf(s, ref).destroyAll(ctx); err != nil {
			return err
		}
	}
	return noMethod(t, ref)
}

// removeMethod deletes the TOTP keys of a method, and then the method itself: a deletion
// that fails half way leaves a method that can be deleted again, by its name, too. If the
// method is required somewhere, removeMethod deletes nothing and returns where. Nobody
// can require it meanwhile, and nobody can make a key, because the caller has locked the
// method.
func (b *backend) removeMethod(ctx context.Context, s logical.Storage, m *methodEntry) (uses []string, err error) {
	names := []string{m.ID}
	if m.Name != "" {
		names = append(names, m.Name)
	}
	unlock, err := b.locks.Lock(ctx, nameLocks(names...)...)
	if err != nil {
		return nil, err
	}
	defer unlock()
	uses, err = b.usesOf(ctx, s, names...)
	if err != nil || len(uses) > 0 {
		return uses, err
	}
	if m.Type == totpMethodType.name {
		if err := b.keysOf(s, m.ID).destroyAll(ctx); err != nil {
			return nil, err
		}
	}
	err = b.methods.Remove(ctx, s, m.ID)
	b.forgetMethod(m.ID)
	return nil, err
}

// forgetMethod drops the connections that the mount keeps for a method.
func (b *backend) forgetMethod(id string) {
	b.built.forget(id)
	b.clients.forget(id)
}
