package backend

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// passwordKey is where the password is kept for renewals, in the internal
	// data of the token's lease. The builtin method uses the same key.
	passwordKey = "password"

	// The keys of the token's metadata. The builtin method knows the first.
	usernameKey  = "username"
	oktaIDKey    = "okta_id"
	oktaLoginKey = "okta_login"
)

// loginRequest is the work on one request to log in, or to renew a token.
type loginRequest struct {
	okta.Unprintable
	*backend
	req    *logical.Request
	cfg    *configEntry
	client *okta.Client
	caller okta.Caller
	in     loginInput
	ticket *attempts.Ticket // of the password; nil in a request that continues a login
	told   *attempt         // what is logged of the request; nil for none
	found  person           // what the mount has for the person whom Okta let in
	named  credentials      // of an earlier request of the same login, where this one has none
}

// person is what the mount gives somebody, and asks of them.
type person struct {
	admitted bool        // by required_groups
	users    []namedUser // that may be about them
	groups   []string    // Okta's, then the mount's own, each once
	grants   []grant     // of the groups, then the person's own
	required []mfa.Required
	warnings []string
	unread   error // why Okta's groups could not be read, which groups_on_error covers
}

// grant is the policies that an entry gives somebody.
type grant struct {
	entry    string // its path below the mount, such as "groups/ops"
	group    string // of the person, which the entry is about; "" for an entry of users
	policies []string
}

// policies are those of all grants, each once.
func (p person) policies() (all []string) {
	for _, g := range p.grants {
		all = append(all, g.policies...)
	}
	return unique(all)
}

func (b *backend) newLogin(ctx context.Context, req *logical.Request, cfg *configEntry, in loginInput) (*loginRequest, error) {
	client, err := b.client(ctx, req.Storage, cfg)
	if err != nil {
		return nil, err
	}
	if !cfg.RememberDevice {
		in.device = okta.Secret{}
	}
	return &loginRequest{backend: b, req: req, cfg: cfg, client: client, caller: cfg.caller(req), in: in, told: attemptOf(ctx)}, nil
}

// run takes a login to its end, and waits for the person where it has to. The
// session is there also where it failed, but for a password that was not right.
func (l *loginRequest) run(ctx context.Context) (*mfa.Session, error) {
	flow := l.flow()
	tx, err := l.verifyPassword(ctx, &flow)
	if err != nil {
		return nil, err
	}
	if l.in.nonce != "" {
		show, end, err := l.numbers.open(l.in.nonce, l.in.username)
		if err != nil {
			l.abandon(ctx, flow, tx)
			return nil, err
		}
		defer end()
		flow.Show = show
	}
	session, err := flow.Begin(ctx, tx, l.in.given())
	if err == nil {
		err = session.Run(ctx)
	}
	if err == nil && flow.Require == nil {
		l.found, err = l.resolve(ctx, session.Who())
	}
	if err == nil {
		l.loggedIn(ctx, session, l.ticket)
	}
	return session, err
}

// loggedIn remembers somebody who has satisfied all factors.
func (l *loginRequest) loggedIn(ctx context.Context, session *mfa.Session, ticket *attempts.Ticket) {
	who := session.Who()
	attemptOf(ctx).used(session.Kind())
	ticket.LoggedIn(who.Login)
	l.known.note(l.client.OrgURL(), l.in.username, knownPerson{id: who.ID, login: who.Login})
}

// verifyPassword has Okta verify the password. Nothing of the mount's is taken up for a
// login before that, and groups are read beside it only where it may be sent.
func (l *loginRequest) verifyPassword(ctx context.Context, flow *mfa.Flow) (tx okta.Transaction, err error) {
	tx, l.ticket, err = l.authenticate(ctx, func(sending context.Context) (okta.Transaction, error) {
		flow.Begun = l.prefetch(ctx, *flow)
		return flow.Again(sending)
	})
	return tx, err
}

// flow says how this login goes.
func (l *loginRequest) flow() mfa.Flow {
	authn := l.client.For(l.caller)
	if l.cfg.RememberDevice {
		authn = authn.OnDevice(okta.Device{Token: l.in.device, Remember: true})
	}
	flow := mfa.Flow{
		Okta:       authn,
		Org:        authn.OrgURL(),
		Mount:      &l.logins,
		Policy:     l.cfg.policy(),
		Name:       l.in.username,
		Caller:     l.caller,
		Address:    l.caller.Address,
		Alias:      func(who mfa.Subject) string { return l.cfg.identify(who).alias },
		Nonce:      l.in.nonce,
		Unattended: l.in.unattended,
		Hold:       !l.in.wait,
		Limit:      authn.AuthnLimit,
		Again: func(ctx context.Context) (okta.Transaction, error) {
			return authn.Authenticate(ctx, l.in.username, l.in.password)
		},
		Later: l.later,
		Clock: l.clock,
	}
	if l.cfg.readsOkta() {
		flow.Groups, flow.GroupsOptional, flow.Active = l.groups, l.cfg.goesWithoutGroups, l.active
	} else {
		flow.Active = func(ctx context.Context, userID string) error { return l.stillLogsIn(ctx, flow, userID) }
	}
	if !l.in.unattended {
		flow.Require = l.require
		if len(l.cfg.MetadataFields) > 0 { // which a renewal does not change
			flow.Attributes = l.attributes
		}
	}
	if len(l.cfg.RequiredGroups) > 0 {
		flow.Admit = l.admit
	}
	return flow
}

// groups reads the groups that a user has in Okta.
func (l *loginRequest) groups(ctx context.Context, userID string) ([]okta.Group, error) {
	return l.client.Groups(l.told.in(ctx), userID)
}

// active says why the account of a user may not log in by now.
func (l *loginRequest) active(ctx context.Context, userID string) error {
	account, err := l.account(ctx, userID)
	if err == nil && account.Status != okta.AccountActive {
		return mfa.ErrNotActive
	}
	return err
}

// account reads the account with that user id.
func (l *loginRequest) account(ctx context.Context, userID string) (okta.Account, error) {
	account, err := l.client.Account(ctx, userID)
	if err == nil && account.ID != userID {
		err = fmt.Errorf("%w: another account than the one asked for", okta.ErrMalformed)
	}
	return account, err
}

// stillLogsIn verifies the password once more. A mount without an API token has no
// other way to learn that an account may not log in by now.
func (l *loginRequest) stillLogsIn(ctx context.Context, flow mfa.Flow, userID string) error {
	owner, err := l.ownerOfPassword(ctx, flow)
	if err == nil && owner != userID {
		err = fmt.Errorf("%w: another account than the one that logged in", okta.ErrMalformed)
	}
	return err
}

// ownerOfPassword verifies the password once more, has Okta forget the transaction
// before any factor, and returns the user id of whose password it is.
func (l *loginRequest) ownerOfPassword(ctx context.Context, flow mfa.Flow) (userID string, err error) {
	tx, _, err := l.authenticate(ctx, flow.Again)
	if err != nil {
		return "", err
	}
	l.abandon(ctx, flow, tx)
	switch {
	case tx.Status == okta.StatusLockedOut:
		return "", mfa.ErrLockedOut
	case tx.User.ID == "":
		return "", fmt.Errorf("%w: a transaction of nobody", okta.ErrMalformed)
	}
	return tx.User.ID, nil
}

// abandon cancels an open transaction at Okta that no login continues. If that fails,
// nothing changes: Okta forgets the transaction by itself.
func (l *loginRequest) abandon(ctx context.Context, flow mfa.Flow, tx okta.Transaction) {
	if !tx.StateToken.IsZero() {
		l.later(func() {
			ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanPatience)
			defer stop()
			_ = flow.Okta.Cancel(ctx, tx)
		})
	}
}

// require finds what the mount has for the person, and tells which methods they have
// to satisfy.
func (l *loginRequest) require(ctx context.Context, who mfa.Subject) (_ []mfa.Required, err error) {
	l.found, err = l.resolve(ctx, who)
	return l.found.required, err
}

// admit denies a login before a factor where the person is in none of required_groups.
func (l *loginRequest) admit(ctx context.Context, who mfa.Subject) error {
	users, err := l.usersAbout(ctx, l.req.Storage, who)
	if err == nil && !l.cfg.isRequired(who.Groups, ownGroups(own(l.cfg, who, users))) {
		err = errNoRequiredGroup
	}
	return err
}

// resolve finds the groups, policies and MFA methods of whom Okta let in.
func (l *loginRequest) resolve(ctx context.Context, who mfa.Subject) (person, error) {
	found, err := l.rights(ctx, who)
	switch {
	case err != nil:
		return person{}, err
	case !found.admitted:
		return person{}, notAdmitted(who)
	}
	found.required, err = l.requiredOf(ctx, l.req, l.cfg, who, found.users)
	return found, err
}

// notAdmitted is why required_groups does not admit somebody.
func notAdmitted(who mfa.Subject) error { return cmp.Or(who.GroupsError, errNoRequiredGroup) }

// rights finds what the entries of groups and users give somebody, and whether
// required_groups admits them.
func (l *loginRequest) rights(ctx context.Context, who mfa.Subject) (found person, err error) {
	if who.GroupsError != nil && !l.cfg.goesWithoutGroups(who.GroupsError) {
		return person{}, who.GroupsError // by today's configuration
	}
	found.unread = who.GroupsError
	counted := l.cfg.counted(who.Groups)
	switch {
	case !l.cfg.readsOkta():
		found.warnings = append(found.warnings, unreadWarning)
	case who.GroupsError != nil:
		found.warnings = append(found.warnings, groupsErrorWarning)
	case len(counted) == 0 && len(who.Groups) > 0:
		found.warnings = append(found.warnings, noneCountsWarning)
	case len(counted) == 0:
		found.warnings = append(found.warnings, noGroupsWarning)
	}
	if found.users, err = l.usersAbout(ctx, l.req.Storage, who); err != nil {
		return person{}, err
	}
	mine := own(l.cfg, who, found.users)
	found.admitted = l.cfg.isRequired(who.Groups, ownGroups(mine))
	groups := membership(counted, ownGroups(mine))
	found.groups = unique(groupNames(groups))
	if found.grants, err = l.groupsGiving(ctx, l.req.Storage, groups); err != nil {
		return person{}, err
	}
	for _, u := range mine {
		found.grants = append(found.grants, grant{"users/" + u.name, "", u.Policies})
	}
	return found, nil
}

func groupNames(groups []okta.Group) []string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.Name
	}
	return names
}

// fail answers with why a login did not succeed. session is nil where the password
// was not right.
func (l *loginRequest) fail(ctx context.Context, session *mfa.Session, err error) (*logical.Response, error) {
	err = apiTokenRefused(l.cfg, err)
	if session == nil {
		return l.answer(ctx, err, false)
	}
	attemptOf(ctx).used(session.Kind())
	l.logRefusal(ctx, l.caller, okta.User{ID: session.UserID()}, err)
	return l.answer(ctx, l.explained(session, err), session.Challenged())
}

// token is the token that Vault is to issue.
func (l *loginRequest) token(session *mfa.Session) *logical.Response {
	who := session.Who()
	called := l.cfg.identify(who)
	auth := &logical.Auth{
		Metadata: map[string]string{
			usernameKey: called.name,
			"policies":  strings.Join(l.found.policies(), ","),
		},
		InternalData: map[string]any{},
		DisplayName:  called.name,
		Alias:        &logical.Alias{Name: called.alias},
		GroupAliases: l.groupAliases(),
	}
	renewal := l.cfg.renewal()
	if l.cfg.source() != sourceTyped || renewal == renewalStatus { // otherwise a token is as the builtin method makes it
		auth.Metadata[oktaIDKey], auth.Metadata[oktaLoginKey] = who.ID, who.Login
	}
	if len(l.found.required) > 0 {
		auth.InternalData[methodsKey] = session.Satisfied()
	}
	l.cfg.PopulateTokenAuth(auth) // replaces the policies: first
	// It sets the alias's custom metadata, which Vault keeps as they are at the first login.
	// Metadata it takes over at each login, so that they change, and go, with the config.
	auth.Alias.Metadata = l.cfg.aliasMetadata(who)
	auth.Policies = l.tokenPolicies()
	switch renewal {
	case renewalStatus:
		l.noteConfirmed(auth, who, l.now())
	case renewalNever:
		auth.Renewable = false
	default:
		auth.InternalData[passwordKey] = l.in.password
	}
	l.logUnread()
	// Vault answers "data": {} for an empty map, as for the builtin method, and null for none.
	return &logical.Response{Auth: auth, Data: map[string]any{}, Warnings: l.warnings(session)}
}

// logUnread logs that a token is issued or renewed without Okta's groups.
func (l *loginRequest) logUnread() {
	if l.found.unread != nil {
		l.Logger().Warn("a login or renewal goes on without the person's groups in Okta (groups_on_error=local): they could not be read",
			append([]any{"event", eventGroupsUnread, "error", l.found.unread}, l.told.details(l.now())...)...)
	}
}

// warnings are those of a login that succeeded.
func (l *loginRequest) warnings(session *mfa.Session) (all []string) {
	if session.PasswordWarning() {
		all = append(all, passwordWarning)
	}
	if session.EnrollmentSkipped() {
		all = append(all, enrollWarning)
	}
	if l.leftPassCode(session) {
		all = append(all, unusedWarning)
	}
	all = append(all, l.misnamedWarnings()...)
	return append(all, l.found.warnings...)
}

func (l *loginRequest) tokenPolicies() []string {
	return slices.Concat(l.cfg.TokenPolicies, l.found.policies())
}

// groupAliases are the person's groups as group aliases. Vault compares the names of
// aliases in lower case, by which a group that only looks like another would be that
// one. Such a group is no alias.
func (l *loginRequest) groupAliases() []*logical.Alias {
	aliases := make([]*logical.Alias, 0, len(l.found.groups))
	for _, name := range l.found.groups {
		if !sameInLower(name) {
			l.Logger().Debug("a group is no group alias: Vault would take its name for another group's",
				"event", eventGroupLookalike, "group", okta.Clip(name, 64))
			continue
		}
		aliases = append(aliases, &logical.Alias{Name: name})
	}
	return aliases
}

// unique returns the names without empty ones and without repetitions, in their
// order.
func unique(names []string) []string {
	seen := make(map[string]bool, len(names))
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen[name] || name == ""
		seen[name] = true
		return again
	})
}
