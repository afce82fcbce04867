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
	if in.nonce != "" {
		show, end, err := b.numbers.open(in.nonce)
		if err != nil {
			return person{}, false, err
		}
		defer end()
		flow.Show = show
	}
	tx, err := authn.Authenticate(ctx, in.username, in.password)
	if err != nil {
		return person{}, false, apiTokenRefused(cfg, err)
	}
	run, err := flow.Start(ctx, tx, in.want)
	if err == nil {
		err = run.Wait(ctx)
	}
	if err != nil {
		b.logRefusal(req, tx.User, err)
		return person{}, run.Challenged(), err
	}
	who, err = b.resolve(ctx, req.Storage, cfg, client, in.username, run)
	return who, run.Challenged(), err
}

// flow is how logins of this mount go.
func (b *backend) flow(cfg *configEntry, authn *okta.Client, req *logical.Request, in loginInput) mfa.Flow {
	return mfa.Flow{
		Okta:   authn,
		Org:    authn.OrgURL(),
		Policy: cfg.policy(),
		Guard:  &b.guard,
		Codes:  &b.codes,
		Again: func(ctx context.Context) (okta.Transaction, error) {
			return authn.Authenticate(ctx, in.username, in.password)
		},
		Origin:     origin(req),
		Unattended: in.unattended,
		Hold:       !in.wait,
		Clock:      b.clock,
	}
}

// person is somebody whom Okta let in, and what the mount gives them.
type person struct {
	groups   []string // Okta's, then the mount's own, each once
	policies []string // of the groups, then the person's own, each once
	warnings []string
}

// resolve finds the groups and policies of whom Okta let in.
func (b *backend) resolve(ctx context.Context, s logical.Storage, cfg *configEntry, client *okta.Client, username string, run *mfa.Login) (who person, err error) {
	if run.User().ID == "" {
		return person{}, errors.New("a login that has not succeeded")
	}
	if run.PasswordWarning() {
		who.warnings = append(who.warnings, passwordWarning)
	}
	if cfg.Token != "" {
		groups, err := client.Groups(ctx, run.User().ID)
		if err != nil {
			return person{}, apiTokenRefused(cfg, err)
		}
		for _, g := range groups {
			who.groups = append(who.groups, g.Name)
		}
		if len(groups) == 0 {
			who.warnings = append(who.warnings, noGroupsWarning)
		}
	}
	user, err := b.user(ctx, s, username)
	if err != nil {
		return person{}, err
	}
	who.groups = unique(append(who.groups, user.Groups...))
	policies, err := b.policiesOf(ctx, s, who.groups)
	if err != nil {
		return person{}, err
	}
	who.policies = unique(append(policies, user.Policies...))
	return who, nil
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
