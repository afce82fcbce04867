package backend

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// passwordKey is where the password is kept for renewals, in the internal
	// data of the token's lease. The builtin method uses the same key.
	passwordKey = "password"
	usernameKey = "username" // in the token's metadata
)

// login runs one login at Okta, from the password to the groups. challenged says
// that a push or a code has been sent, also where it then failed.
func (b *backend) login(ctx context.Context, req *logical.Request, cfg *configEntry, in loginInput) (who person, challenged bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	client, err := b.client(cfg)
	if err != nil {
		return person{}, false, err
	}
	authn := client.For(caller(req))
	flow := b.flow(cfg, authn, req, in)
	var show func(mfa.Number)
	shown := false
	if in.nonce != "" {
		put, end, err := b.numbers.open(in.nonce)
		if err != nil {
			return person{}, false, err
		}
		defer end()
		show = put
		flow.Show = func(number mfa.Number) {
			put(number)
			shown = true
		}
	}
	groups := b.prefetch(ctx, cfg, client, in.username)
	tx, err := authn.Authenticate(ctx, in.username, in.password)
	if err != nil {
		return person{}, false, apiTokenRefused(cfg, err)
	}
	flow.Meanwhile = func() { groups = meanwhile(ctx, cfg, client, tx, groups) }
	run, err := flow.Start(ctx, tx, in.want)
	if err == nil {
		err = run.Wait(ctx)
	}
	if err != nil {
		b.logRefusal(req, tx.User, err)
		return person{}, run.Challenged(), err
	}
	check := b.validation(req, cfg, client.OrgURL(), in.username, run)
	check.Show, check.Shown = show, shown
	who, err = b.resolve(ctx, req, cfg, client, run, groups, check.Who)
	if err == nil && cfg.PrefetchGroups {
		b.known.note(client.OrgURL(), in.username, run.User().ID)
	}
	if err == nil && !in.unattended {
		err = explained(req, check.Run(ctx, who.required, in.mfa.of(who.required)))
	}
	if err != nil {
		b.logRefusal(req, run.User(), err)
	}
	return who, run.Challenged() || check.Challenged(), err
}

// flow is how logins of this mount go.
func (b *backend) flow(cfg *configEntry, authn *okta.Client, req *logical.Request, in loginInput) mfa.Flow {
	return mfa.Flow{
		Okta:   authn,
		Org:    authn.OrgURL(),
		Policy: cfg.policy(),
		Guard:  &b.guard,
		Codes:  &b.codes,
		Pace:   &b.pace,
		Limit:  authn.AuthnLimit,
		Again: func(ctx context.Context) (okta.Transaction, error) {
			return authn.Authenticate(ctx, in.username, in.password)
		},
		Origin:     origin(req),
		Unattended: in.unattended,
		Hold:       !in.wait,
		Clock:      b.clock,
	}
}

// person is somebody whom Okta let in, and what the mount gives them and asks of
// them.
type person struct {
	groups   []string // Okta's, then the mount's own, each once
	policies []string // of the groups, then the person's own, each once
	required []mfa.Required
	warnings []string
}

// resolve finds the groups, policies and MFA methods of whom Okta let in.
func (b *backend) resolve(ctx context.Context, req *logical.Request, cfg *configEntry, client *okta.Client, run *mfa.Login, begun *groupFetch, who mfa.Subject) (person, error) {
	groups, warnings, err := b.oktaGroups(ctx, cfg, client, run, begun)
	if err != nil {
		return person{}, err
	}
	found, err := b.mapped(ctx, req, cfg, groups, who.Name, who.Login)
	found.warnings = append(warnings, found.warnings...)
	return found, err
}

// oktaGroups reads the groups that the person has in Okta, or takes those that begun
// has read, which may be nil.
func (b *backend) oktaGroups(ctx context.Context, cfg *configEntry, client *okta.Client, run *mfa.Login, begun *groupFetch) (called, warnings []string, err error) {
	if run.User().ID == "" {
		return nil, nil, errors.New("a login that has not succeeded")
	}
	if run.PasswordWarning() {
		warnings = append(warnings, passwordWarning)
	}
	if cfg.Token == "" {
		return nil, warnings, nil
	}
	groups, err := begun.groupsOf(ctx, client, run.User().ID)
	if err != nil {
		return nil, nil, apiTokenRefused(cfg, err)
	}
	for _, g := range groups {
		called = append(called, g.Name)
	}
	if len(groups) == 0 {
		warnings = append(warnings, noGroupsWarning)
	}
	return called, warnings, nil
}

// mapped finds what the mount has for somebody who is in those groups in Okta, has
// typed that name and is called login there.
func (b *backend) mapped(ctx context.Context, req *logical.Request, cfg *configEntry, oktaGroups []string, typed, login string) (found person, err error) {
	user, err := b.user(ctx, req.Storage, typed)
	if err != nil {
		return person{}, err
	}
	found.groups = unique(slices.Concat(oktaGroups, user.Groups))
	groups, err := b.mappings.findAll(ctx, req.Storage, found.groups)
	if err != nil {
		return person{}, err
	}
	var policies []string
	for _, group := range groups {
		policies = append(policies, group.Policies...)
	}
	found.policies = unique(append(policies, user.Policies...))
	found.required, err = b.requiredOf(ctx, req, cfg, groups, namesOf(typed, login))
	return found, err
}

// authResponse is the token that Vault is to issue.
func authResponse(cfg *configEntry, username, password string, who person) *logical.Response {
	auth := &logical.Auth{
		Metadata: map[string]string{
			usernameKey: username,
			"policies":  strings.Join(who.policies, ","),
		},
		InternalData: map[string]any{passwordKey: password},
		DisplayName:  username,
		Alias:        &logical.Alias{Name: username},
		GroupAliases: groupAliases(who.groups),
	}
	if len(who.required) > 0 {
		auth.InternalData[methodsKey] = idsOf(who.required)
	}
	cfg.PopulateTokenAuth(auth) // replaces the policies: first
	auth.Policies = tokenPolicies(cfg, who)
	return &logical.Response{Auth: auth, Warnings: who.warnings}
}

func tokenPolicies(cfg *configEntry, who person) []string {
	return slices.Concat(cfg.TokenPolicies, who.policies)
}

func groupAliases(groups []string) []*logical.Alias {
	aliases := make([]*logical.Alias, 0, len(groups))
	for _, name := range groups {
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
