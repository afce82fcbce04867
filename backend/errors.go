package backend

import (
	"errors"
	"fmt"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file holds the mount's own reasons to refuse a login. The words for them,
// and for those of packages mfa and okta, are in answer_table.go.

var (
	errNotConfigured   = errors.New("the mount is not configured")
	errNotRenewable    = errors.New("the token carries no password to renew with")
	errNoPush          = errors.New("a renewal needs a push, and the user has none")
	errNumberUnseen    = errors.New("the push of a renewal shows numbers")
	errRenewalOff      = errors.New("the mount renews no tokens")
	errStatusUnknown   = errors.New("a renewal by status needs an API token")
	errNoAccount       = errors.New("the token tells neither an account nor a password")
	errRenamed         = errors.New("the account has another login by now")
	errPoliciesChanged = errors.New("the policies have changed")
	errOtherPerson     = errors.New("the name is another account's by now")
	errMethodsChanged  = errors.New("a method is required that the login has not satisfied")
	errNoRequiredGroup = errors.New("the person is in none of required_groups")
	errNobody          = errors.New("okta knows nobody by this name")
	errAPIToken        = errors.New("okta refused the API token")
	errServiceApp      = errors.New("okta refused the service app")
	errNoTransaction   = errors.New("no login has this transaction_id")
	errTooManyLogins   = &busyError{what: "too many logins are waiting on this mount", wait: busyWait}
)

// busyWait is how long a caller has to wait after a limit of the mount's own.
const busyWait = 5 * time.Second

// busyError reports that the mount has reached one of its own limits.
type busyError struct {
	what string
	wait time.Duration
}

func (e *busyError) Error() string { return e.what }

// inputError reports an invalid request field. problem is a predicate for the
// caller: "must not be empty".
type inputError struct{ field, problem string }

func (e *inputError) Error() string { return e.field + " " + e.problem }

func invalid(field, problem string) error { return &inputError{field, problem} }

// apiTokenRefused marks an error that says that Okta refused the mount's API token or
// its service app, or what the role of that may do.
func apiTokenRefused(cfg *configEntry, err error) error {
	e, answered := errors.AsType[*okta.Error](err)
	switch {
	case !answered || isA[*mfa.MethodError](err) || !okta.RefusesMount(err):
		return err
	case cfg.ClientID != "" && e.Endpoint.Manages():
		return fmt.Errorf("%w: %w", errServiceApp, err)
	case cfg.Token != "" && (cfg.trustedApp() || e.Endpoint.Manages()):
		return fmt.Errorf("%w: %w", errAPIToken, err)
	}
	return err
}

// refusesMount reports whether the service of an MFA method refuses the mount
// itself, whoever logs in.
func refusesMount(err error) bool {
	return isA[*mfa.MethodError](err) && (isA[*mfa.ServiceError](err) || errors.Is(err, okta.ErrNoAPIToken) ||
		okta.RefusesMount(err))
}
