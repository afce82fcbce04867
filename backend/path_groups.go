package backend

import (
	"context"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/policyutil"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
)

func (b *backend) pathGroupsList() *framework.Path {
	return listPath("groups/?", "groups", "List the groups that are mapped to policies.", b.mappings.List)
}

func groupFields() fieldSchemas {
	return grouped("Group", fieldSchemas{
		"name": {
			Type:         framework.TypeString,
			Required:     true,
			Description:  "Name of the group, in Okta or given under users/; its case does not matter.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Name", Identifier: true},
		},
		"policies": {
			Type:         framework.TypeCommaStringSlice,
			Description:  "Policies of the group's members: a list or a comma-separated string. None, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Policies", Description: "Policies of the group's members."},
		},
		"group_id": {
			Type: framework.TypeString,
			Description: "Okta's id of the group, 00g…: with it, the entry is that group's and no other's, whatever its name is and " +
				"whatever the group is called. None, when empty: the entry is that of each group of its name.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Okta Group Id"},
		},
		"pattern": {
			Type: framework.TypeBool,
			Description: "The name is a pattern for names of groups, such as vault-*: * stands for any text, ? for one character, [a-z] " +
				"for one of several, and \\ takes the next character as it is. It gives its policies to members of the groups that it " +
				"matches and that have no entry of their own. False when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Pattern"},
		},
		"mfa_methods": mfaMethodsField("each member"),
		"defaults":    defaultsField(),
	})
}

func (b *backend) pathGroups() *framework.Path {
	return &framework.Path{
		Pattern: "groups/(?P<name>.+)",
		Fields:  groupFields(),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.pathGroupRead, Summary: "Read a group's policies.", Responses: told(readable(groupFields(), "name"), http.StatusBadRequest, http.StatusNotFound)},
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.pathGroupWrite, Summary: "Map a group to policies.", Responses: written()},
			logical.PatchOperation: &framework.PathOperation{
				Callback: b.pathGroupWrite, Summary: "Change only the fields of a group that the request names.", Responses: patched(),
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "patch"}},
			logical.DeleteOperation: &framework.PathOperation{
				Callback: b.pathGroupDelete, Summary: "Remove the mapping of a group.", Responses: written()},
		},
		HelpSynopsis:    "Map a group to policies.",
		HelpDescription: groupsHelp,
		DisplayAttrs: &framework.DisplayAttributes{
			OperationPrefix: operationPrefix, OperationSuffix: "group", Action: "Create", ItemType: "Group"},
	}
}

func (b *backend) pathGroupRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get("name").(string)
	if err := checkName("name", name); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	_, group, err := b.mappings.Find(ctx, req.Storage, name)
	if err != nil || group == nil {
		return nil, err
	}
	data := map[string]any{"policies": listed(group.Policies)}
	show(data, d, []setting{
		{"mfa_methods", listed(group.MFAMethods), len(group.MFAMethods) > 0},
		{"group_id", group.GroupID, group.GroupID != ""},
		{"pattern", group.Pattern, group.Pattern},
	})
	return &logical.Response{Data: data}, nil
}

func (b *backend) pathGroupWrite(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get("name").(string)
	if err := checkName("name", name); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	if isPatch(req) {
		d = emptiedBy(d)
	}
	unlock, err := b.lockEntry(ctx, groupPrefix+store.Fold(name), d)
	if err != nil {
		return nil, err
	}
	defer unlock()
	stored, group, err := b.mappings.FindStored(ctx, req.Storage, name)
	lost, err := unreadable(err)
	switch {
	case err != nil:
		return nil, err
	case lost != nil && isPatch(req):
		return nil, errUnpatchable(lost)
	case lost != nil:
		group = &groupEntry{}
	case group == nil && isPatch(req):
		return nil, errNothingToPatch("the entry")
	case group == nil:
		stored, group = lower(name), &groupEntry{}
	}
	requires, err := b.updateMethods(ctx, req.Storage, d, &group.MFAMethods)
	if err != nil {
		return answerInput(err)
	}
	if replaces(req, d, "policies") {
		group.Policies = policyutil.ParsePolicies(d.Get("policies"))
	}
	group.Policies = listed(group.Policies)
	notedBefore := group.noteKey()
	binds, err := group.updateID(d)
	if err != nil {
		return answerInput(err)
	}
	spreads, err := group.updatePattern(d, stored)
	if err != nil {
		return answerInput(err)
	}
	if err := b.groupNotes.bind(ctx, req.Storage, group.noteKey(), stored); err != nil {
		if group.Pattern {
			return answerInput(noteFull(err, "pattern", "true"))
		}
		return answerInput(noteFull(err, "group_id", group.GroupID))
	}
	if err := b.mappings.Write(ctx, req.Storage, stored, group); err != nil {
		return nil, err
	}
	if notedBefore != group.noteKey() {
		if err := b.groupNotes.unbind(ctx, req.Storage, notedBefore, stored); err != nil {
			return nil, err
		}
	}
	empty := len(group.Policies)+len(group.MFAMethods) == 0
	return warned(warning{requires, requiredWarning}, warning{binds, boundGroupWarning}, warning{spreads, patternWarning},
		warning{empty, emptyGroupWarning}, replaced(lost)), nil
}

// updateID changes the field group_id. A null counts as not given: it must not give the
// entry to whichever group has the name. binds reports whether the request gives an id.
func (g *groupEntry) updateID(d *framework.FieldData) (binds bool, err error) {
	v, ok := newest[string](d, "group_id")
	if !ok || d.Raw["group_id"] == nil {
		return false, nil
	}
	if v = strings.TrimSpace(v); v != "" && !groupID.MatchString(v) {
		return false, invalid("group_id", "must be Okta's id of a group: 00g and 17 letters and digits")
	}
	g.GroupID = v
	return v != "", nil
}

// updatePattern changes the field pattern of the entry of that name. A null counts as not
// given. spreads reports whether the request makes the entry a pattern.
func (g *groupEntry) updatePattern(d *framework.FieldData, name string) (spreads bool, err error) {
	if v, ok := newest[bool](d, "pattern"); ok && d.Raw["pattern"] != nil {
		g.Pattern, spreads = v, v
	}
	switch {
	case g.Pattern && g.GroupID != "":
		return false, invalid("pattern", "must not be set for an entry with a group_id, which is one group's")
	case spreads && !strings.ContainsAny(name, "*?["):
		return false, invalid("pattern", "must not be set for a name without *, ? or [, which is one group's")
	case spreads && !isPattern(name):
		return false, invalid("name", `must be a pattern such as vault-*: each [ needs a ], and \ another character after it`)
	}
	return spreads, nil
}

// patternWarning is given wherever pattern is set.
const patternWarning = "pattern is obeyed by this plugin only: Vault's builtin okta method, should the mount be switched back to it, " +
	"does not know the field, takes the name of the entry for that of one group, and drops the field when it writes the entry. " +
	"After a switch to the builtin method and back, set pattern again."

// boundGroupWarning is given wherever group_id is set.
const boundGroupWarning = "group_id is obeyed by this plugin only: Vault's builtin okta method, should the mount be switched back " +
	"to it, does not know the field, gives what is in the entry to every group of its name, and drops the field when it writes the " +
	"entry. After a switch to the builtin method and back, set group_id again."

// pathGroupDelete answers the deletion of a mapping that does not exist with 204; see
// pathUserDelete.
func (b *backend) pathGroupDelete(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get("name").(string)
	if err := checkName("name", name); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	unlock, err := b.lockEntry(ctx, groupPrefix+store.Fold(name), d)
	if err != nil {
		return nil, err
	}
	defer unlock()
	stored, group, err := b.mappings.FindStored(ctx, req.Storage, name)
	lost, err := unreadable(err)
	switch {
	case err != nil:
		return nil, err
	case lost != nil:
		group = &groupEntry{}
	case group == nil:
		stored, group = lower(name), &groupEntry{} // deleted all the same: see forward
	}
	if err := b.mappings.Remove(ctx, req.Storage, stored); err != nil {
		return nil, err
	}
	if err := b.groupNotes.unbindAll(ctx, req.Storage, group.noteKey(), stored); err != nil {
		return nil, err
	}
	return warned(released(group.MFAMethods), replaced(lost)), nil
}

const emptyGroupWarning = "the entry has no policies or mfa_methods, so it gives the members of the group nothing: write policies, " +
	"or delete the entry"

// groupPrefix is where groups are stored, by name. The builtin method uses it, too.
const groupPrefix = "group/"

// groupEntry maps a group to policies, in the builtin method's form.
type groupEntry struct {
	Policies   []string
	MFAMethods []string `json:"mfa_methods,omitempty"`
	GroupID    string   `json:"group_id,omitempty"`
	Pattern    bool     `json:"pattern,omitempty"`
}

// patternNote is what patterns are noted under.
const patternNote = "pattern"

// noteKey is what the entry is noted under. It is empty where the entry is found by its
// name.
func (g *groupEntry) noteKey() string {
	if g.Pattern {
		return patternNote
	}
	return g.GroupID
}

// lower returns name in lower case, in which new groups are stored. It returns name
// itself where its lower case is the name of another group ("İ" becomes "i").
func lower(name string) string {
	if sameInLower(name) {
		return strings.ToLower(name)
	}
	return name
}

// sameInLower reports whether the name of a group in lower case is still that group's.
func sameInLower(name string) bool { return store.Fold(strings.ToLower(name)) == store.Fold(name) }

const groupsHelp = `
Members of the group, in Okta or by an entry under users/, get its policies. Names that
differ in case only are the same group. With group_id, the entry is for the group with
that id in Okta, whatever its name is, and for no other. With pattern, the name is a
pattern: it counts for groups that have no entry of their own.
`
