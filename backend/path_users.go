package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

func (b *backend) pathUsersList() *framework.Path {
	return listPath("users/?", "users", "List the people whom the mount gives groups or policies by name.", b.users.List)
}

func userFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"name": {
			Type:        framework.TypeString,
			Description: "Name of the user, as typed at the login.",
		},
		"groups": {
			Type:         framework.TypeCommaStringSlice,
			Description:  "Groups of the user, beside those in Okta: a list or a comma-separated string.",
			DisplayAttrs: &framework.DisplayAttributes{Description: "Groups of the user, beside those in Okta."},
		},
		"policies": {
			Type:         framework.TypeCommaStringSlice,
			Description:  "Policies of the user: a list or a comma-separated string.",
			DisplayAttrs: &framework.DisplayAttributes{Description: "Policies of the user."},
		},
		"mfa_methods": mfaMethodsField("the user"),
	}
}

func (b *backend) pathUsers() *framework.Path {
	return &framework.Path{
		Pattern: "users/(?P<name>.+)",
		Fields:  userFields(),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.pathUserRead, Summary: "Read a user's groups and policies.", Responses: okResponse()},
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.pathUserWrite, Summary: "Give a user groups and policies.", Responses: noContent()},
			logical.DeleteOperation: &framework.PathOperation{
				Callback: b.pathUserDelete, Summary: "Take a user's groups and policies away.", Responses: noContent()},
		},
		HelpSynopsis:    "Give a user groups and policies by name.",
		HelpDescription: usersHelp,
		DisplayAttrs: &framework.DisplayAttributes{
			OperationPrefix: operationPrefix, OperationSuffix: "user", Action: "Create", ItemType: "User"},
	}
}

func (b *backend) pathUserRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get("name").(string)
	if err := checkName("name", name); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	user, err := b.users.Get(ctx, req.Storage, name)
	if err != nil || user == nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{
		"groups":      listed(user.Groups),
		"policies":    listed(user.Policies),
		"mfa_methods": listed(user.MFAMethods),
	}}, nil
}

func (b *backend) pathUserWrite(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get("name").(string)
	if err := checkName("name", name); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	unlock, err := b.lockEntry(ctx, userPrefix+name, d)
	if err != nil {
		return nil, err
	}
	defer unlock()
	user, err := b.user(ctx, req.Storage, name)
	if err != nil {
		return nil, err
	}
	requires, err := b.updateMethods(ctx, req.Storage, d, &user.MFAMethods)
	if err != nil {
		return answerInput(err)
	}
	if replaces(d, "groups") {
		user.Groups = d.Get("groups").([]string)
	}
	if replaces(d, "policies") {
		user.Policies = d.Get("policies").([]string)
	}
	user.Groups, user.Policies = listed(user.Groups), listed(user.Policies)
	if err := b.users.Write(ctx, req.Storage, name, &user); err != nil {
		return nil, err
	}
	return requiring(requires), nil
}

func (b *backend) pathUserDelete(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get("name").(string)
	if err := checkName("name", name); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	unlock, err := b.lockEntry(ctx, userPrefix+name, d)
	if err != nil {
		return nil, err
	}
	defer unlock()
	user, err := b.user(ctx, req.Storage, name)
	if err != nil {
		return nil, err
	}
	if err := b.users.Remove(ctx, req.Storage, name); err != nil {
		return nil, err
	}
	return released(user.MFAMethods), nil
}

// userPrefix is where users are stored, by name. The builtin method uses it, too.
const userPrefix = "user/"

// userEntry is what the mount gives one person, in the builtin method's form.
type userEntry struct {
	Groups     []string
	Policies   []string
	MFAMethods []string `json:"mfa_methods,omitempty"`
}

// user returns a copy of what the mount gives the person of that name. It is empty if
// the mount gives them nothing, or if no entry could have that name.
func (b *backend) user(ctx context.Context, s logical.Storage, name string) (userEntry, error) {
	if checkName("name", name) != nil {
		return userEntry{}, nil
	}
	user, err := b.users.Get(ctx, s, name)
	if err != nil || user == nil {
		return userEntry{}, err
	}
	return *user, nil
}

const usersHelp = `
The name is the one typed at the login. The user's policies, and those of the
groups named here, are added to what the user's Okta groups give.
`
