package backend

import (
	"errors"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file holds what a login does about the MFA methods of the mount, once Okta
// has let the person in.

// methodsKey is where the methods that a login has satisfied are kept for its
// renewals, by id, in the internal data of the token's lease.
const methodsKey = "mfa_methods"

// needError is a mfa.MissingError, and what makes it of use to the person.
type needError struct {
	*mfa.MissingError
	header bool // X-Vault-MFA has come through
}

func (e *needError) Unwrap() error { return e.MissingError }

// bareError is an error of a login that gave a password and nothing else, and that has to
// give more.
type bareError struct {
	error
	path string // of the mount's logins
}

func (e *bareError) Unwrap() error { return e.error }

// explained adds to an error what the person needs to know about how they log in.
func explained(req *logical.Request, err error) error {
	if missing, ok := errors.AsType[*mfa.MissingError](err); ok {
		return &needError{missing, len(header(req, mfaHeader)) > 0}
	}
	if passwordAlone(req) && wantsFields(err) {
		return &bareError{err, req.MountPoint + "login/"}
	}
	return err
}

// passwordAlone reports whether a login has no field but the password. Vault's own tool and
// UI for this method send a nonce, too. OpenBao has neither: its login command, with the
// method userpass, drops every other field that a person gives.
func passwordAlone(req *logical.Request) bool {
	_, has := req.Data["password"]
	return has && len(req.Data) == 1
}

// wantsFields reports whether the answer to a login tells fields to log in again with.
func wantsFields(err error) bool {
	if choice := find[*mfa.NoFactorError](err); choice != nil {
		return len(choice.Policy.Accepted(choice.Offered)) > 0
	}
	return isA[*mfa.CodeSentError](err) && !isA[*mfa.MethodError](err)
}

// satisfied reports whether the login of the token has satisfied all that is
// required by now. A renewal asks for no method anew.
func satisfied(auth *logical.Auth, required []mfa.Required) bool {
	return covers(textsIn(auth.InternalData[methodsKey]), required)
}

// textsIn reads a list from the internal data of a token, which may have been in
// storage.
func textsIn(data any) (list []string) {
	switch data := data.(type) {
	case []string:
		return data
	case []any:
		for _, one := range data {
			if s, ok := one.(string); ok {
				list = append(list, s)
			}
		}
	}
	return list
}
