package backend

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
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
			logical.ListOperation: &framework.PathOperation{Callback: b.listMethods(""), Summary: summary, Responses: toldList(methodInfo())},
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
				Responses:    toldList(methodInfo()),
				DisplayAttrs: &framework.DisplayAttributes{OperationSuffix: "mfa-methods-" + t.name},
			},
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.writeMethod(t), Summary: "Create an MFA method of type " + t.title + ", or change the one with method_id.",
				Responses:    told(writtenMethod(), http.StatusBadRequest, http.StatusNotFound),
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "create", OperationSuffix: "mfa-method-" + t.name},
			},
		},
		HelpSynopsis:    "Create and list MFA methods of type " + t.title + ".",
		HelpDescription: t.help,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix},
	}
}

// pathMethod is one method of a type, by its id or its name.
func (b *backend) pathMethod(t *methodType) *framework.Path {
	return &framework.Path{
		Pattern: "mfa/method/" + t.name + "/(?P<method_id>[^/]+)",
		Fields:  methodFields(t),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readMethod(t), Summary: "Read an MFA method, without its secrets.",
				Responses: told(methodAnswer(t), http.StatusNotFound)},
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.writeMethodAt(t), Summary: "Change only the fields of an MFA method that the request names, or create the method of that name.",
				Responses: told(writtenMethod(), http.StatusBadRequest, http.StatusNotFound)},
			logical.DeleteOperation: &framework.PathOperation{
				Callback: b.deleteMethod(t), Summary: "Delete an MFA method that nothing requires.", Responses: written(http.StatusNotFound)},
		},
		HelpSynopsis:    "Create, read, change and delete an MFA method of type " + t.title + ".",
		HelpDescription: t.help,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "mfa-method-" + t.name},
	}
}

// methodFields returns the fields of a type and those that all types have.
func methodFields(t *methodType) fieldSchemas {
	fields := fieldSchemas{
		"method_id": {
			Type:         framework.TypeString,
			Description:  "Id of the method, a UUID; in a path, its name does as well. A new method gets one, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Method ID"},
		},
		"method_name": {
			Type: framework.TypeString,
			Description: "Name of the method, by which mfa_methods requires it and people give credentials for it; no other " +
				"method has it. Without one, the id does.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Method Name", Identifier: true},
		},
	}
	maps.Copy(fields, t.fields())
	return grouped("MFA Method", fields)
}

// methodAnswer is what a read of a method tells.
func methodAnswer(t *methodType) fieldSchemas {
	return with(readable(methodFields(t), "method_id"), with(fieldSchemas{
		"id":   {Type: framework.TypeString, Description: "Id of the method, a UUID."},
		"name": {Type: framework.TypeString, Description: "The same as method_name."},
		"type": {Type: framework.TypeString, Description: "Type of the method."},
	}, t.alsoTold))
}

// methodInfo is what a list tells of each method.
func methodInfo() fieldSchemas { return keyInfo("Name and type of each method") }

// writtenMethod is how a write of a method is answered.
func writtenMethod() fieldSchemas {
	return fieldSchemas{"method_id": {Type: framework.TypeString, Description: "Id of the method, a UUID."}}
}

// usernameFormatField is the field of the types whose service has its own names for
// people.
func usernameFormatField() *framework.FieldSchema {
	return &framework.FieldSchema{
		Type: framework.TypeString,
		Description: "How the service names people: with {{username}} or {{identity.entity.name}}, the login as Okta spells it, " +
			"or {{identity.entity.aliases.<accessor of this mount>.name}}, the alias by alias_source of config. The login as Okta spells it, when empty.",
		DisplayAttrs: &framework.DisplayAttributes{Name: "Username Format"},
	}
}

func (b *backend) listMethods(typ string) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
		all, err := b.storedMethods(ctx, req.Storage)
		if err != nil {
			return nil, err
		}
		var ids []string
		info := map[string]any{}
		for _, m := range all.methods {
			if typ == "" || typ == m.Type {
				ids = append(ids, m.ID)
				info[m.ID] = map[string]any{"name": m.Name, "type": m.Type}
			}
		}
		for _, lost := range all.unreadable { // of whatever type
			id := strings.TrimPrefix(lost.Key, methodPrefix)
			ids = append(ids, id)
			info[id] = map[string]any{"problem": unreadableProblem}
		}
		slices.Sort(ids)
		return logical.ListResponseWithInfo(ids, info), nil
	}
}

func (b *backend) readMethod(t *methodType) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
		m, err := b.storedMethodAt(ctx, req.Storage, t, d.Get("method_id").(string))
		if err != nil || m == nil {
			return nil, err
		}
		// Tools compare method_name with what they have written.
		data := map[string]any{"id": m.ID, "name": m.Name, "method_name": m.Name, "type": m.Type}
		if t.fields()["username_format"] != nil {
			data["username_format"] = m.UsernameFormat
		}
		t.describe(m, data)
		return &logical.Response{Data: data}, nil
	}
}

const methodsHelp = `
The mount asks for MFA methods by itself, after Okta has let a person in. They are for
orgs whose sign-on policy does not ask the Authentication API for a factor. A method
does nothing until mfa_methods of config, of a group or of a user names it. A person
has to satisfy every method that they require.
`
