package backend

import (
	"context"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

func (b *backend) pathUsersList() *framework.Path {
	return listPath("users/?", "users", "List the people whom the mount gives groups or policies by name.", b.users.List)
}

func userFields() fieldSchemas {
	return grouped("User", fieldSchemas{
		"name": {
			Type:         framework.TypeString,
			Required:     true,
			Description:  "Login of the user in Okta, or the part before the @ (see login_domain of config).",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Name", Identifier: true},
		},
		"groups": {
			Type:         framework.TypeCommaStringSlice,
			Description:  "Groups of the user, beside those in Okta: a list or a comma-separated string. None, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Groups", Description: "Groups of the user, beside those in Okta."},
		},
		"policies": {
			Type:         framework.TypeCommaStringSlice,
			Description:  "Policies of the user: a list or a comma-separated string. None, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Policies", Description: "Policies of the user."},
		},
		"okta_id": {
			Type: framework.TypeString,
			Description: "Okta's id of the user, 00u…: with it, the entry is that account's and nobody else's, whatever its name is " +
				"and whatever becomes of the login. It is whose name it is, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Okta User Id"},
		},
		"mfa_methods": mfaMethodsField("the user"),
		"defaults":    defaultsField(),
	})
}

func (b *backend) pathUsers() *framework.Path {
	return &framework.Path{
		Pattern: "users/(?P<name>.+)",
		Fields:  userFields(),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.pathUserRead, Summary: "Read a user's groups and policies.", Responses: told(readable(userFields(), "name"), http.StatusBadRequest, http.StatusNotFound)},
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.pathUserWrite, Summary: "Give a user groups and policies.", Responses: written()},
			logical.PatchOperation: &framework.PathOperation{
				Callback: b.pathUserWrite, Summary: "Change only the fields of a user that the request names.", Responses: patched(),
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "patch"}},
			logical.DeleteOperation: &framework.PathOperation{
				Callback: b.pathUserDelete, Summary: "Take a user's groups and policies away.", Responses: written()},
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
	data := map[string]any{"groups": listed(user.Groups), "policies": listed(user.Policies)}
	show(data, d, []setting{
		{"mfa_methods", listed(user.MFAMethods), len(user.MFAMethods) > 0},
		{"okta_id", user.OktaID, user.OktaID != ""},
	})
	return &logical.Response{Data: data}, nil
}

func (b *backend) pathUserWrite(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get("name").(string)
	if err := checkName("name", name); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	if isPatch(req) {
		d = emptiedBy(d)
	}
	unlock, err := b.lockEntry(ctx, userPrefix+name, d)
	if err != nil {
		return nil, err
	}
	defer unlock()
	user, err := b.users.Stored(ctx, req.Storage, name)
	lost, err := unreadable(err)
	switch {
	case err != nil:
		return nil, err
	case lost != nil && isPatch(req):
		return nil, errUnpatchable(lost)
	}
	if user == nil {
		if isPatch(req) {
			return nil, errNothingToPatch("the entry")
		}
		user = &userEntry{}
	}
	requires, err := b.updateMethods(ctx, req.Storage, d, &user.MFAMethods)
	if err != nil {
		return answerInput(err)
	}
	if replaces(req, d, "groups") {
		user.Groups = d.Get("groups").([]string)
	}
	if replaces(req, d, "policies") {
		user.Policies = d.Get("policies").([]string)
	}
	user.Groups, user.Policies = listed(user.Groups), listed(user.Policies)
	boundBefore, binds := user.OktaID, false
	// A null counts as not given: it must not give the entry to whoever has the name.
	if v, ok := newest[string](d, "okta_id"); ok && d.Raw["okta_id"] != nil {
		if user.OktaID = strings.TrimSpace(v); user.OktaID != "" && !isUserID(user.OktaID) {
			return logical.ErrorResponse(`okta_id must be Okta's id of a user, letters and digits such as "00u1a2b3c4d5e6f7g8h9"`), nil
		}
		binds = user.OktaID != ""
	}
	if err := b.userNotes.bind(ctx, req.Storage, user.OktaID, name); err != nil {
		return answerInput(noteFull(err, "okta_id", user.OktaID))
	}
	if err := b.users.Write(ctx, req.Storage, name, user); err != nil {
		return nil, err
	}
	if boundBefore != user.OktaID {
		if err := b.userNotes.unbind(ctx, req.Storage, boundBefore, name); err != nil {
			return nil, err
		}
	}
	empty := len(user.Groups)+len(user.Policies)+len(user.MFAMethods) == 0
	return warned(warning{requires, requiredWarning}, warning{binds, boundWarning}, warning{empty, emptyUserWarning}, replaced(lost)), nil
}

// boundWarning is given wherever okta_id is set.
const boundWarning = "okta_id is obeyed by this plugin only: Vault's builtin okta method, should the mount be switched back to it, " +
	"does not know the field, gives what is in the entry to whoever types its name, and drops the field when it writes the entry. " +
	"After a switch to the builtin method and back, set okta_id again."

// pathUserDelete answers the deletion of an entry that does not exist as the builtin
// method does, with 204: Terraform and others delete again what they have deleted.
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
	user, err := b.users.Stored(ctx, req.Storage, name)
	lost, err := unreadable(err)
	if err != nil {
		return nil, err
	}
	if user == nil {
		user = &userEntry{} // deleted all the same: see forward
	}
	if err := b.users.Remove(ctx, req.Storage, name); err != nil {
		return nil, err
	}
	if err := b.userNotes.unbindAll(ctx, req.Storage, user.OktaID, name); err != nil {
		return nil, err
	}
	return warned(released(user.MFAMethods), replaced(lost)), nil
}

const emptyUserWarning = "the entry has no groups, policies or mfa_methods, so it gives the user nothing: write groups or policies, " +
	"or delete the entry"

// userPrefix is where users are stored, by name. The builtin method uses it, too.
const userPrefix = "user/"

// userEntry is what the mount gives one person, in the builtin method's form.
type userEntry struct {
	Groups     []string
	Policies   []string
	MFAMethods []string `json:"mfa_methods,omitempty"`
	OktaID     string   `json:"okta_id,omitempty"`
}

// isUserID reports whether s can be the id of a user at Okta.
func isUserID(s string) bool {
	return len(s) <= 64 && s != "" && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == ""
}

const usersHelp = `
The name is the user's login in Okta, in any case. A name without a domain stands for
that name in login_domain of config. (Where alias_source of config is "typed", it is
the name that people type.) With okta_id, the entry is for the account with that id,
whatever its name is.

The user gets these policies, and those of the groups named here, beside what the
user's Okta groups give. mfa_methods counts for every spelling of the name.
`
