package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file tells an operator what a login of somebody would come to. It decides nothing
// by itself: it asks the functions that a login asks.

// resolveTimeout bounds a request, with all that Okta and the services of methods are
// asked.
const resolveTimeout = 30 * time.Second

func (b *backend) pathResolve() *framework.Path {
	return &framework.Path{
		Pattern: "resolve/(?P<username>.+)",
		Fields: grouped("Report", fieldSchemas{
			"username": {
				Type:         framework.TypeString,
				Description:  "Name as the person types it at a login, or their Okta user id.",
				DisplayAttrs: &framework.DisplayAttributes{Name: "Username"},
			},
		}),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.pathResolveRead,
				Summary:  "Show what a login of this person would give, without a login.",
				Responses: told(resolvedFields(), http.StatusBadRequest, http.StatusTooManyRequests, http.StatusInternalServerError,
					http.StatusBadGateway, http.StatusGatewayTimeout),
			},
		},
		HelpSynopsis:    "Show which policies a person would get and what keeps them out, without a login.",
		HelpDescription: resolveHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: "resolve", OperationSuffix: "user"},
	}
}

// resolvedFields are what an answer has.
func resolvedFields() fieldSchemas {
	text, list, names := framework.TypeString, framework.TypeSlice, framework.TypeStringSlice
	return fieldSchemas{
		"username":       {Type: text, Description: "The name that was asked for."},
		"admitted":       {Type: framework.TypeBool, Description: "False where a login would be denied."},
		"denied_because": {Type: names, Description: "Why it would be denied, in the words that the person would see."},
		"okta_id":        {Type: text, Description: "Okta user id."},
		"okta_login":     {Type: text, Description: "Login, as Okta spells it."},
		"okta_status":    {Type: text, Description: "Status of the account in Okta."},
		"alias":          {Type: text, Description: "Name of the identity alias."},
		"display_name":   {Type: text, Description: "Display name of the token."},
		"alias_metadata": {Type: framework.TypeMap, Description: "Metadata of the identity alias."},
		"okta_groups":    {Type: list, Description: "Groups in Okta, and whether each counts."},
		"local_groups":   {Type: names, Description: "Groups that entries of users give."},
		"groups":         {Type: names, Description: "Groups that count, of both."},
		"user_entries":   {Type: list, Description: "Entries of users that may be about the person, and whether each applies."},
		"policies":       {Type: names, Description: "Policies of the token."},
		"policy_sources": {Type: list, Description: "Each policy, and the entry that gives it."},
		"mfa_methods":    {Type: list, Description: "MFA methods that are required, and the entries that require them."},
		"factors":        {Type: list, Description: "Factors in Okta, and whether the mount accepts each."},
	}
}

func (b *backend) pathResolveRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	name := d.Get("username").(string)
	if err := checkName("username", name); err != nil {
		return answerInput(err)
	}
	cfg, err := b.requireConfig(ctx, req.Storage)
	if err != nil {
		return b.answer(ctx, err, false)
	}
	login, err := b.newLogin(ctx, req, cfg, loginInput{username: name})
	if err != nil {
		return b.answer(ctx, err, false)
	}
	r := &resolution{loginRequest: login, resp: &logical.Response{Data: map[string]any{}}}
	if err := r.run(ctx); err != nil {
		return b.answer(ctx, apiTokenRefused(cfg, err), false)
	}
	return r.resp, nil
}

// resolution is the work on one answer.
type resolution struct {
	*loginRequest
	who    mfa.Subject
	denied []string // why a login would fail, in the words that it tells
	resp   *logical.Response
}

func (r *resolution) run(ctx context.Context) error {
	known, err := r.ask(ctx)
	if err == nil && known {
		err = r.describe(ctx)
	}
	r.resp.Data["username"] = r.in.username
	r.resp.Data["admitted"] = len(r.denied) == 0
	r.resp.Data["denied_because"] = listed(unique(r.denied))
	return err
}

// deny notes that a login would fail with err, and returns its sentence.
func (r *resolution) deny(err error) string {
	text := replyTo(err).text
	r.denied = append(r.denied, text)
	return text
}

// ask has Okta tell who the person is. A mount that may not ask goes by the name.
func (r *resolution) ask(ctx context.Context) (known bool, err error) {
	r.who = mfa.Subject{Org: r.client.OrgURL(), Name: r.in.username}
	if !r.cfg.readsOkta() {
		r.who.Login = r.cfg.completeLogin(r.in.username)
		r.resp.AddWarning(assumedWarning)
		return true, nil
	}
	account, err := r.client.Account(ctx, r.in.username)
	switch {
	case isCode(err, okta.CodeNotFound):
		r.deny(fmt.Errorf("%w: %w", errNobody, err))
		return false, nil
	case err != nil:
		return false, err
	case !goesBy(account, r.in.username): // which Okta finds by "me", for example
		r.deny(errNobody)
		return false, nil
	case account.Status != okta.AccountActive:
		r.denied = append(r.denied, inactive(account.Status).Error())
	}
	if r.in.username == account.ID { // by which nobody logs in
		r.who.Name = account.Login
	}
	r.who.ID, r.who.Login = account.ID, account.Login
	r.resp.Data["okta_id"], r.resp.Data["okta_login"], r.resp.Data["okta_status"] = account.ID, account.Login, account.Status
	if r.who.Groups, err = r.groups(ctx, account.ID); r.cfg.goesWithoutGroups(err) {
		r.who.GroupsError, err = err, nil
	}
	if err == nil && len(r.cfg.MetadataFields) > 0 {
		r.who.Attributes, err = r.attributes(ctx, account.ID)
	}
	return true, err
}

// goesBy reports whether somebody logs in by the name, or has that user id.
func goesBy(account okta.Account, name string) bool {
	short, _, _ := strings.Cut(account.Login, "@")
	return name == account.ID || slices.Contains([]string{store.FoldLoosely(account.Login), store.FoldLoosely(short)}, store.FoldLoosely(name))
}

// describe tells what the mount has for the person.
func (r *resolution) describe(ctx context.Context) (err error) {
	called := r.cfg.identify(r.who)
	r.who.Alias = called.alias
	r.resp.Data["alias"], r.resp.Data["display_name"] = called.alias, called.name
	if metadata := r.cfg.aliasMetadata(r.who); len(metadata) > 0 {
		r.resp.Data["alias_metadata"] = metadata
	}
	if r.found, err = r.rights(ctx, r.who); err != nil {
		return err
	}
	if !r.found.admitted {
		r.deny(notAdmitted(r.who))
	}
	r.resp.Warnings = append(r.resp.Warnings, r.found.warnings...)
	r.describeRights()
	if err := r.describeMethods(ctx); err != nil {
		return err
	}
	if r.cfg.readsOkta() {
		r.describeFactors(ctx)
	}
	r.warnOfLimits()
	return ctx.Err()
}

// describeRights tells the groups and policies, and where each policy comes from.
func (r *resolution) describeRights() {
	counts := map[string]bool{}
	for _, g := range r.cfg.counted(r.who.Groups) {
		counts[g.ID] = true
	}
	inOkta := make([]map[string]any, len(r.who.Groups))
	for i, g := range r.who.Groups {
		inOkta[i] = map[string]any{"id": g.ID, "name": g.Name, "type": g.Type, "counts": counts[g.ID]}
	}
	users := make([]map[string]any, len(r.found.users))
	for i, u := range r.found.users {
		users[i] = map[string]any{"entry": "users/" + u.name, "applies": u.appliesTo(r.cfg, r.who)}
	}
	sources, told := []map[string]any{}, map[[3]string]bool{}
	for _, g := range append([]grant{{configKey, "", r.cfg.TokenPolicies}}, r.found.grants...) {
		for _, policy := range g.policies {
			row := [3]string{policy, g.entry, g.group}
			if told[row] { // groups of two types have one name
				continue
			}
			told[row] = true
			source := map[string]any{"policy": policy, "entry": g.entry}
			if g.group != "" {
				source["group"] = g.group
			}
			sources = append(sources, source)
		}
	}
	r.resp.Data["okta_groups"] = inOkta
	r.resp.Data["local_groups"] = listed(unique(ownGroups(own(r.cfg, r.who, r.found.users))))
	r.resp.Data["groups"] = listed(r.found.groups)
	r.resp.Data["user_entries"] = users
	r.resp.Data["policies"] = listed(unique(r.tokenPolicies()))
	r.resp.Data["policy_sources"] = sources
}

// describeMethods tells which MFA methods are required, by which entries, and what each
// wants.
func (r *resolution) describeMethods(ctx context.Context) error {
	all, err := r.requirementsOn(ctx, r.req.Storage, r.cfg, r.who, r.found.users)
	if err != nil {
		return err
	}
	var refs []string
	entries := map[string][]string{}
	for _, one := range all {
		refs = append(refs, one.ref)
		entries[one.ref] = append(entries[one.ref], one.entry)
	}
	rows := []map[string]any{}
	for _, ref := range unique(refs) {
		row, err := r.describeRequired(ctx, ref)
		if err != nil {
			return err
		}
		row["required_by"] = unique(entries[ref])
		rows = append(rows, row)
	}
	r.resp.Data["mfa_methods"] = rows
	return nil
}

// describeRequired tells of the methods of which one is enough.
func (r *resolution) describeRequired(ctx context.Context, ref string) (map[string]any, error) {
	required, err := r.requireOne(ctx, r.req, r.cfg, ref)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil: // it does not exist, or cannot be read
		return map[string]any{"mfa_method": ref, "problem": r.deny(err)}, nil
	}
	var rows []map[string]any
	var problems []error
	for _, way := range required.Ways() {
		row := describeMethod(way)
		rows = append(rows, row)
		wants, err := wanted(way.Method.Prepare(ctx, r.who, mfa.Credential{}))
		if err != nil {
			err = &mfa.MethodError{Method: way, Err: err}
			problems = append(problems, err)
			row["problem"] = replyTo(err).text
			continue
		}
		row["wants"] = wants
	}
	if len(problems) == len(rows) {
		for _, err := range problems {
			r.deny(err)
		}
	}
	if len(required.Or) == 0 {
		return rows[0], nil
	}
	return map[string]any{"any_of": rows}, nil
}

// wanted says what a method wants of a person who has given it nothing.
func wanted(attempt mfa.Attempt, err error) (string, error) {
	switch {
	case errors.Is(err, mfa.ErrNeedsPassCode):
		return "a passcode", nil
	case err != nil:
		return "", err
	case attempt.Passed:
		return "nothing", nil
	case attempt.Sends:
		return "a code, which is sent", nil
	case attempt.Ring != nil:
		return "a push", nil
	}
	return "a passcode", nil
}

// describeFactors tells which of the person's factors in Okta the mount takes in Okta's
// own challenge. Not every role that reads people shows their factors, so a failure is a
// warning.
func (r *resolution) describeFactors(ctx context.Context) {
	factors, err := r.client.Factors(ctx, r.who.ID)
	if err != nil {
		r.resp.AddWarning("the person's factors in Okta could not be read: " + replyTo(apiTokenRefused(r.cfg, err)).text)
		return
	}
	policy := r.cfg.policy()
	rows := make([]map[string]any, len(factors))
	for i, f := range factors {
		why := uselessBecause(policy, f)
		rows[i] = describeFactor(f)
		rows[i]["id"], rows[i]["name"], rows[i]["accepted"] = f.ID, factorName(f), why == ""
		if why != "" {
			rows[i]["because"] = why
		}
	}
	r.resp.Data["factors"] = rows
	switch {
	case r.cfg.BypassOktaMFA:
		r.resp.AddWarning(bypassWarning)
	case len(policy.Accepted(factors)) == 0:
		r.resp.AddWarning(noFactorWarning)
	}
}

// warnOfLimits tells what keeps the person out for a while, or from some places.
func (r *resolution) warnOfLimits() {
	if len(r.cfg.TokenBoundCIDRs) > 0 {
		r.resp.AddWarning("token_bound_cidrs is set: a login from any other address is refused")
	}
	if wait := r.attempts.of(r.client.OrgURL()).Blocked(r.now(), r.who.Name, r.cfg.attemptLimits()); wait > 0 {
		r.resp.AddWarning("too many wrong passwords were given for this name: from addresses where the person has not logged in before, " +
			"no login is let in for another " + inWords(wait))
	}
	if err := r.logins.Forbids(r.client.OrgURL(), r.who.ID, r.cfg.policy().Push, r.clock); err != nil {
		r.resp.AddWarning("no push or code is sent to the person now: " + replyTo(err).text)
	}
}

const (
	assumedWarning = "this mount has no api_token, so Okta was not asked about the person: the answer supposes that the name is their login " +
		"in Okta and that their account is active, and leaves out entries of users/ with an okta_id"
	noFactorWarning = "the person has no factor in Okta that this mount accepts: where Okta asks for one, the login fails"
)

const resolveHelp = `
The answer shows who the person is in Okta, and the status of their account; their
groups, in Okta and in the mount, and which of them count; each policy that a login
would give them, and the entry that gives it; the MFA methods of the mount that they
have to satisfy, and the entries that require them; and their factors in Okta, and
which of them the mount accepts. Where a login would be denied, "admitted" is false,
and "denied_because" has the text that the person would see.

The mount sends no password, push or code. It asks the service of an MFA method, such
as Duo, about the person. Okta may deny a login for reasons that only a login shows,
such as a wrong password or the sign-on policy.

The answer shows a person's groups and factors, and the mount asks Okta with its own
rights: let only operators read it.
`
