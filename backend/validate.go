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

// explained adds to an error of a validation what the person needs to know.
func explained(req *logical.Request, err error) error {
	if missing, ok := errors.AsType[*mfa.MissingError](err); ok {
		return &needError{missing, len(header(req, mfaHeader)) > 0}
	}
	return err
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
