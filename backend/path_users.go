package backend

import (
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// userEntry is what the mount gives one person, in the builtin method's form.
type userEntry struct {
	Groups     []string
	Policies   []string
	MFAMethods []string `json:"mfa_methods,omitempty"`
}

func (b *backend) pathUsersList() *framework.Path {
	return listPath("users/?", "users", "List the people whom the mount gives groups or policies by name.",
		func(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
			return listOf(ctx, req.Storage, userPrefix)
		})
}

func (b *backend) pathUsers() *framework.Path {
	return &framework.Path{
		Pattern: "users/(?P<name>.+)",
		Fields: map[string]*framework.FieldSchema{
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
		},
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
	user, err := b.users.get(ctx, req.Storage, name)
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
	b.writes.Lock()
	defer b.writes.Unlock()
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
	return requiring(requires), b.users.write(ctx, req.Storage, name, &user)
}

// replaces reports whether a write has a say about the field. The builtin method's
// writes replace the whole entry; one that names mfa_methods is not of its clients,
// and changes what it names.
func replaces(d *framework.FieldData, field string) bool {
	_, named := d.Raw[field]
	return named || d.Raw["mfa_methods"] == nil
}

// released is the answer to a delete: a warning where it has taken a requirement
// away.
func released(methods []string) *logical.Response {
	if len(methods) == 0 {
		return nil
	}
	resp := &logical.Response{}
	resp.AddWarning("with the entry, its mfa_methods are gone: " + strings.Join(methods, ", ") + " is not required by it any more")
	return resp
}

// requiring is the answer to a write: a warning where it has required a method.
func requiring(set bool) *logical.Response {
	if !set {
		return nil // 204, as the builtin method answers
	}
	resp := &logical.Response{}
	resp.AddWarning(requiredWarning)
	return resp
}

func (b *backend) pathUserDelete(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get("name").(string)
	if err := checkName("name", name); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	b.writes.Lock()
	defer b.writes.Unlock()
	user, err := b.user(ctx, req.Storage, name)
	if err != nil {
		return nil, err
	}
	return released(user.MFAMethods), b.users.remove(ctx, req.Storage, name)
}

// user returns a copy of what the mount gives the person of that name; an empty entry if
// nothing, or if no entry could have that name.
func (b *backend) user(ctx context.Context, s logical.Storage, name string) (userEntry, error) {
	if checkName("name", name) != nil {
		return userEntry{}, nil
	}
	user, err := b.users.get(ctx, s, name)
	if err != nil || user == nil {
		return userEntry{}, err
	}
	return *user, nil
}

// listPath is the path that lists all users, or all groups.
func listPath(pattern, suffix, summary string, list framework.OperationFunc) *framework.Path {
	return &framework.Path{
		Pattern: pattern,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{Callback: list, Summary: summary, Responses: okResponse()},
		},
		HelpSynopsis:    summary,
		HelpDescription: summary,
		DisplayAttrs: &framework.DisplayAttributes{
			OperationPrefix: operationPrefix, OperationSuffix: suffix, Navigation: true,
			ItemType: map[string]string{"users": "User", "groups": "Group"}[suffix]},
	}
}

func listOf(ctx context.Context, s logical.Storage, prefix string) (*logical.Response, error) {
	all, err := names(ctx, s, prefix)
	if err != nil {
		return nil, err
	}
	return logical.ListResponse(all), nil
}

const usersHelp = `
The name is the one typed at the login. The user's policies, and those of the
groups named here, are added to what the user's Okta groups give.
`
