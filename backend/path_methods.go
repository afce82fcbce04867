package backend

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/go-uuid"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// pathsMethods returns the paths below mfa/method. They are the same for each type,
// except for the fields.
func (b *backend) pathsMethods() []*framework.Path {
	paths := []*framework.Path{b.pathMethodsList()}
	for _, t := range methodTypes {
		if t == totpMethodType {
			paths = append(paths, b.pathTOTPGenerate(), b.pathTOTPDestroy())
		}
		paths = append(paths, b.pathMethodsOf(t), b.pathMethod(t))
	}
	return paths
}

// pathMethodsList lists the methods of all types.
func (b *backend) pathMethodsList() *framework.Path {
	const summary = "List the MFA methods of the mount, of all types."
	return &framework.Path{
		Pattern: "mfa/method/?",
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{Callback: b.listMethods(""), Summary: summary},
		},
		HelpSynopsis:    summary,
		HelpDescription: methodsHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "mfa-methods"},
	}
}

// pathMethodsOf lists and creates methods of a type.
func (b *backend) pathMethodsOf(t *methodType) *framework.Path {
	return &framework.Path{
		Pattern: "mfa/method/" + t.name + "/?",
		Fields:  methodFields(t),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{
				Callback: b.listMethods(t.name), Summary: "List the MFA methods of type " + t.title + ".",
				DisplayAttrs: &framework.DisplayAttributes{OperationSuffix: "mfa-methods-" + t.name},
			},
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.writeMethod(t), Summary: "Create an MFA method of type " + t.title + ", or change the one with method_id.",
				Responses:    okResponse(),
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "create", OperationSuffix: "mfa-method-" + t.name},
			},
		},
		HelpSynopsis:    "Create and list MFA methods of type " + t.title + ".",
		HelpDescription: t.help,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix},
	}
}

// pathMethod is one method of a type.
func (b *backend) pathMethod(t *methodType) *framework.Path {
	return &framework.Path{
		Pattern: "mfa/method/" + t.name + "/(?P<method_id>[^/]+)",
		Fields:  methodFields(t),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readMethod(t), Summary: "Read an MFA method, without its secrets.", Responses: okResponse()},
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.writeMethod(t), Summary: "Change the fields of an MFA method that are given.", Responses: okResponse()},
			logical.DeleteOperation: &framework.PathOperation{
				Callback: b.deleteMethod(t), Summary: "Delete an MFA method that nobody has to satisfy.", Responses: written()},
		},
		HelpSynopsis:    "Read, change and delete an MFA method of type " + t.title + ".",
		HelpDescription: t.help,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "mfa-method-" + t.name},
	}
}

// methodFields returns the fields of a type and those that all types have.
func methodFields(t *methodType) map[string]*framework.FieldSchema {
	fields := map[string]*framework.FieldSchema{
		"method_id": {Type: framework.TypeString, Description: "Id of the method, a UUID, to change it."},
		"method_name": {
			Type: framework.TypeString,
			Description: "Name of the method, by which mfa_methods requires it and people give credentials for it; no other " +
				"method has it. Without one, the id does.",
		},
	}
	maps.Copy(fields, t.fields())
	return fields
}

// usernameFormatField is the field of the types whose service has its own names for
// people.
func usernameFormatField() *framework.FieldSchema {
	return &framework.FieldSchema{
		Type: framework.TypeString,
		Description: "How the service names people: with {{username}} or {{identity.entity.name}}, the login as Okta spells it, " +
			"or {{identity.entity.aliases.<accessor of this mount>.name}}, the alias by alias_source of config. The login as Okta spells it, when empty.",
	}
}

func (b *backend) listMethods(typ string) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
		all, err := b.methods.All(ctx, req.Storage)
		if err != nil {
			return nil, err
		}
		var ids []string
		info := map[string]any{}
		for _, m := range all {
			if typ == "" || typ == m.Type {
				ids = append(ids, m.ID)
				info[m.ID] = map[string]any{"name": m.Name, "type": m.Type}
			}
		}
		return logical.ListResponseWithInfo(ids, info), nil
	}
}

func (b *backend) readMethod(t *methodType) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
		m, err := b.method(ctx, req.Storage, t.name, d.Get("method_id").(string))
		if err != nil || m == nil {
			return nil, err
		}
		data := map[string]any{"id": m.ID, "name": m.Name, "type": m.Type}
		if t.fields()["username_format"] != nil {
			data["username_format"] = m.UsernameFormat
		}
		t.describe(m, data)
		return &logical.Response{Data: data}, nil
	}
}

// writeMethod creates a method, or changes the fields of one that the request
// names. It stores the result only if all of it is sound.
func (b *backend) writeMethod(t *methodType) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
		id := d.Get("method_id").(string)
		created := id == ""
		if created {
			var err error
			if id, err = uuid.GenerateUUID(); err != nil {
				return nil, err
			}
		}
		unlock, err := b.locks.Lock(ctx, methodPrefix+id)
		if err != nil {
			return nil, err
		}
		defer unlock()
		entry := &methodEntry{ID: id, Type: t.name}
		if !created {
			stored, err := b.method(ctx, req.Storage, t.name, id)
			if err != nil {
				return nil, err
			}
			if stored == nil {
				return nil, logical.CodedError(http.StatusNotFound,
					fmt.Sprintf("there is no MFA method of type %s with this method_id: leave it out to create one", t.title))
			}
			*entry = *stored // which logins are using
		}
		unlockNames, err := b.nameMethod(ctx, req.Storage, d, entry)
		if err != nil {
			return answerInput(err)
		}
		defer unlockNames()
		unsound, err := t.change(req, d, entry, created)
		if err != nil {
			return answerInput(err)
		}
		err = b.methods.Write(ctx, req.Storage, id, entry)
		b.forgetMethod(id)
		if err != nil || !created && !namesUnknown(d) && len(unsound) == 0 {
			return nil, err
		}
		return &logical.Response{Data: map[string]any{"method_id": id}, Warnings: unsound}, nil
	}
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

// nameMethod changes the method's name. Until the caller calls unlock, nobody else can
// require or take the old or the new name. The name of a method that is in use cannot
// change, because what requires it would require nothing.
func (b *backend) nameMethod(ctx context.Context, s logical.Storage, d *framework.FieldData, entry *methodEntry) (unlock func(), err error) {
	name, ok := newest[string](d, "method_name")
	if name = strings.TrimSpace(name); !ok || name == entry.Name {
		return func() {}, nil
	}
	if name != "" {
		if err := checkMethodName(name); err != nil {
			return nil, err
		}
		if _, err := uuid.ParseUUID(name); err == nil {
			return nil, invalid("method_name", "must not look like a method_id")
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
	all, err := b.methods.All(ctx, s)
	if err != nil {
		return err
	}
	if taken := slices.IndexFunc(all, func(m *methodEntry) bool { return name != "" && strings.EqualFold(m.Name, name) && m.ID != entry.ID }); taken >= 0 {
		return invalid("method_name", fmt.Sprintf("is that of another MFA method, of type %s", all[taken].Type))
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

// deleteMethod deletes a method that nobody has to satisfy, and then its TOTP keys.
// Nobody can use a key without its method. If the deletion of a key fails, a repeated
// request finds no method and deletes the keys that are left.
func (b *backend) deleteMethod(t *methodType) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
		id := d.Get("method_id").(string)
		unlock, err := b.locks.Lock(ctx, methodPrefix+id)
		if err != nil {
			return nil, err
		}
		defer unlock()
		m, err := b.method(ctx, req.Storage, t.name, id)
		if err != nil {
			return nil, err
		}
		if m != nil {
			uses, err := b.removeMethod(ctx, req.Storage, m)
			if err != nil {
				return nil, err
			}
			if len(uses) > 0 {
				return logical.ErrorResponse(inUse(uses)), nil
			}
		}
		if t == totpMethodType && isMethodID(id) {
			return nil, b.keysOf(req.Storage, id).destroyAll(ctx)
		}
		return nil, nil
	}
}

// removeMethod deletes the entry of a method. If the method is required somewhere, it
// deletes nothing and returns where.
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
	err = b.methods.Remove(ctx, s, m.ID)
	b.forgetMethod(m.ID)
	return nil, err
}

// forgetMethod drops the connections that the mount keeps for a method.
func (b *backend) forgetMethod(id string) {
	b.built.forget(id)
	b.clients.forget(id)
}

const methodsHelp = `
MFA methods are factors that the mount asks for by itself, after Okta has let a
person in: for orgs whose sign-on policy does not ask the Authentication API for
one. A method does nothing until mfa_methods of config, of a group or of a user
names it. A person has to satisfy all that are required of them.
`
