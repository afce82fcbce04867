package backend

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file holds what a login does about the MFA methods of the mount, once Okta
// has let the person in.

// methodsKey is where the methods that a login has satisfied are kept for its
// renewals, by id, in the internal data of the token's lease.
const methodsKey = "mfa_methods"

// validation is how the person of a login satisfies methods.
func (b *backend) validation(req *logical.Request, cfg *configEntry, org, username string, run *mfa.Login) *mfa.Validation {
	verified, byNumber := run.Verified()
	return &mfa.Validation{
		Who: mfa.Subject{
			ID: run.User().ID, Login: run.User().Login, Name: username, Org: org,
			Verified: verified, ByNumber: byNumber,
			Caller: caller(req), Address: clientAddress(req),
		},
		Guard: &b.guard, Limit: cfg.policy().Push, Origin: origin(req), Clock: b.clock, Pace: &b.factorPace,
	}
}

// clientAddress is the one address that a login comes from: the last that was
// forwarded, which the gateway nearest to Vault wrote, else the one that Vault sees.
// Those before it may be anybody's invention, and a service may let people in by it.
func clientAddress(req *logical.Request) string {
	if addresses := forwarded(req); len(addresses) > 0 {
		return addresses[len(addresses)-1]
	}
	return connected(req)
}

// needError is a mfa.MissingError, and what makes it of use to the person.
type needError struct {
	*mfa.MissingError
	mount  string // its path
	header bool   // X-Vault-MFA has come through
}

func (e *needError) Unwrap() error { return e.MissingError }

// explained adds to an error of a validation what the person needs to know.
func explained(req *logical.Request, err error) error {
	if missing := (*mfa.MissingError)(nil); errors.As(err, &missing) {
		return &needError{missing, strings.TrimPrefix(req.MountPoint, "auth/"), len(header(req, mfaHeader)) > 0}
	}
	return err
}

// satisfied reports whether the login of the token has satisfied all that is
// required by now. A renewal asks for no method anew.
func satisfied(auth *logical.Auth, required []mfa.Required) bool {
	var before []string
	switch ids := auth.InternalData[methodsKey].(type) {
	case []string:
		before = ids
	case []any: // it has been in storage
		for _, id := range ids {
			if s, ok := id.(string); ok {
				before = append(before, s)
			}
		}
	}
	return !slices.ContainsFunc(required, func(m mfa.Required) bool { return !slices.Contains(before, m.ID) })
}

// idsOf are the ids of methods.
func idsOf(required []mfa.Required) []string {
	ids := make([]string, len(required))
	for i, m := range required {
		ids[i] = m.ID
	}
	return ids
}

// validateHeld goes on with the methods of a held login: with what the request
// gave for them, or with a question how a push stands.
func (b *backend) validateHeld(ctx context.Context, req *logical.Request, cfg *configEntry, login *heldLogin) (*logical.Response, error) {
	check := login.check.Load()
	who, err := b.mapped(ctx, req, cfg, login.groups, check.Who.Name, check.Who.Login)
	if err != nil {
		login.end(ctx, nil)
		return b.setback(ctx, req, login, err)
	}
	given := login.given.of(who.required)
	login.given = nil // a passcode is good once
	waiting, err := check.Continue(ctx, who.required, given)
	switch missing, sent := (*mfa.MissingError)(nil), (*mfa.CodeSentError)(nil); {
	case errors.As(err, &missing):
		return b.stays(ctx, req, login, b.describeNeeds(login, missing.Methods))
	case errors.As(err, &sent):
		return b.stays(ctx, req, login, b.describeNeeds(login, methodOf(err)))
	case err != nil:
		return b.setback(ctx, req, login, err)
	case waiting != nil:
		return b.stays(ctx, req, login, describeWaiting(login.id, waiting))
	}
	b.held.forget(login)
	who.warnings = append(login.warnings, who.warnings...)
	return authResponse(cfg, login.username, login.password, who), nil
}

// methodOf is the method that an error is about.
func methodOf(err error) []mfa.Required {
	if at := (*mfa.MethodError)(nil); errors.As(err, &at) {
		return []mfa.Required{at.Method}
	}
	return nil
}
