package backend

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/policyutil"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file renews tokens, by another login where renewal of config is "login".
// renew_status.go renews them by the status of the account.

// renewal is the work on one request to renew a token.
type renewal struct {
	*loginRequest
	before mfa.Subject // whom the token was issued to, by its metadata; without an ID for a token of the builtin method
}

// pathLoginRenew renews a token, the builtin method's included, in the way that renewal
// of config says. The MFA methods of the mount are not asked for again; those that are
// required by now have to be among those that the login has satisfied.
func (b *backend) pathLoginRenew(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	if req.Auth == nil {
		return nil, errors.New("renewal of no token")
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	r, err := b.newRenewal(ctx, req)
	if err != nil {
		return b.answer(ctx, err, false)
	}
	if r.cfg.renewal() == renewalStatus {
		return r.byStatus(ctx)
	}
	return r.byLogin(ctx)
}

// newRenewal refuses what can be refused without Okta, so that no phone rings for it.
func (b *backend) newRenewal(ctx context.Context, req *logical.Request) (*renewal, error) {
	cfg, err := b.requireConfig(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	if err := checkCIDR(cfg, req.Connection); err != nil {
		return nil, err
	}
	password, _ := req.Auth.InternalData[passwordKey].(string)
	before := mfa.Subject{
		ID: req.Auth.Metadata[oktaIDKey], Login: req.Auth.Metadata[oktaLoginKey], Name: req.Auth.Metadata[usernameKey]}
	switch hasPassword := before.Name != "" && password != ""; {
	case cfg.renewal() == renewalNever:
		return nil, errRenewalOff
	case cfg.renewal() == renewalStatus && !cfg.readsOkta():
		return nil, errStatusUnknown
	case cfg.renewal() == renewalStatus && before.ID == "" && !hasPassword:
		return nil, errNoAccount
	case cfg.renewal() == renewalLogin && !hasPassword:
		return nil, errNotRenewable
	}
	about, err := b.usersAbout(ctx, req.Storage, before)
	if err != nil {
		return nil, err
	}
	known, err := b.requiredOf(ctx, req, cfg, before, about)
	if err != nil {
		return nil, err
	}
	if !satisfied(req.Auth, known) {
		return nil, errMethodsChanged
	}
	login, err := b.newLogin(ctx, req, cfg, loginInput{
		username: before.Name, password: password, want: mfa.Want{Kind: mfa.KindPush}, unattended: true, wait: true,
	})
	if err != nil {
		return nil, err
	}
	return &renewal{login, before}, nil
}

// byLogin repeats the login of the token with the password that was kept for that, and
// without a passcode: where Okta asks for a factor, a push comes again. No code is sent,
// because nobody could give it.
func (r *renewal) byLogin(ctx context.Context) (*logical.Response, error) {
	session, err := r.run(ctx)
	switch {
	case isA[*mfa.NoFactorError](err):
		err = errNoPush
	case errors.Is(err, mfa.ErrNumberChallenge):
		err = errNumberUnseen
	}
	today := r.loginRequest
	if err == nil {
		today, err = r.stillGood(ctx, session)
	}
	if err == nil {
		err = r.agrees(today, session.Who())
	}
	if err != nil {
		return r.fail(ctx, session, err)
	}
	return &logical.Response{Auth: today.renewed(), Warnings: today.warnings(session)}, nil
}

// agrees refuses to renew a token that the mount would not issue today to who.
func (r *renewal) agrees(today *loginRequest, who mfa.Subject) error {
	sameRights := policyutil.EquivalentPolicies(today.tokenPolicies(), r.req.Auth.TokenPolicies)
	enough := satisfied(r.req.Auth, today.found.required)
	switch {
	case r.before.ID != "" && r.before.ID != who.ID:
		return errOtherPerson
	case who.GroupsError != nil && !(sameRights && enough):
		return who.GroupsError // with the groups, the token might be as it was
	case !sameRights:
		return errPoliciesChanged
	case !enough:
		return errMethodsChanged
	}
	return nil
}

// renewed is the token of the request with the times and groups of today.
func (l *loginRequest) renewed() *logical.Auth {
	l.logUnread()
	auth := *l.req.Auth
	auth.Period = l.cfg.TokenPeriod
	auth.TTL = l.cfg.TokenTTL
	auth.MaxTTL = l.cfg.TokenMaxTTL
	auth.GroupAliases = l.groupAliases()
	return &auth
}
