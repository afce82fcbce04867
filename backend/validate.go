package backend

import (
	"errors"
	"maps"
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

// needError is a mfa.MissingError, and what makes it of use to the person.
type needError struct {
	*mfa.MissingError
	header  bool   // X-Vault-MFA has come through
	nearest string // the missing method that a name in the credentials may stand for; "" for none
	unused  bool   // the login had a passcode for Okta, which asked for none
}

func (e *needError) Unwrap() error { return e.MissingError }

// placedError is an error of a login, with what the words about it need to know of the
// request.
type placedError struct {
	error
	mount   string // its path, which ends with a slash
	name    string // by which the person logs in
	bare    bool   // the login gave a password and nothing else, and has to give more
	nearest string // the method that a name in the credentials may stand for; "" for none
}

func (e *placedError) Unwrap() error { return e.error }

// explained adds to an error what the person needs to know about how they log in.
func (l *loginRequest) explained(session *mfa.Session, err error) error {
	req := l.req
	if missing, ok := errors.AsType[*mfa.MissingError](err); ok {
		return l.needs(session, missing)
	}
	_, meant := l.misnamed()
	return &placedError{err, req.MountPoint, l.in.username, passwordAlone(req) && wantsFields(err), meant}
}

// needs returns the error for a login that lacks credentials for methods.
func (l *loginRequest) needs(session *mfa.Session, missing *mfa.MissingError) *needError {
	return &needError{missing, len(header(l.req, mfaHeader)) > 0, nearest(l.in.mfa, l.found.required, missing.Methods), l.leftPassCode(session)}
}

// misnamed reports whether a credential is for no method that the login asks for, and
// returns the name of one for which none was given and that it may be meant for; "" where
// none is like it. It knows nothing of either before Okta has let the person in.
func (l *loginRequest) misnamed() (unknown bool, meant string) {
	required, given := l.found.required, l.named
	if given == nil {
		given = l.in.mfa
	}
	known := waysOf(required)
	for word := range given {
		unknown = unknown || !known[word]
	}
	named := func(m mfa.Required) bool {
		return slices.ContainsFunc(m.Ways(), func(way mfa.Required) bool { return mfa.Given(given).Has(way) })
	}
	return unknown, nearest(given, required, slices.DeleteFunc(slices.Clone(required), named))
}

// misnamedWarnings say that a credential has not been used.
func (l *loginRequest) misnamedWarnings() []string {
	switch unknown, meant := l.misnamed(); {
	case meant != "":
		return []string{misnamed(meant)}
	case unknown:
		return []string{unusedMFAWarning}
	}
	return nil
}

// waysOf returns the names and the ids of the methods, and of those that satisfy them.
func waysOf(required []mfa.Required) map[string]bool {
	known := map[string]bool{}
	for _, m := range required {
		for _, way := range m.Ways() {
			known[way.Name], known[way.ID] = true, true
		}
	}
	return known
}

// leftPassCode reports whether the request had a passcode for Okta, which asked for no
// factor.
func (l *loginRequest) leftPassCode(session *mfa.Session) bool {
	return l.in.want.PassCode != "" && session.Kind() == "" // not Who: others may continue the session by now
}

// nearest returns the name among those of the missing methods that is most like one in the
// credentials which no required method has; "" where none is like it. It compares with no
// other names, because a login tells which methods it asks for, and not which there are.
func nearest(given credentials, required, missing []mfa.Required) (name string) {
	known := waysOf(required)
	best := maxSlips + 1
	for _, word := range slices.Sorted(maps.Keys(given)) {
		if known[word] {
			continue
		}
		for _, m := range missing {
			for _, way := range m.Ways() {
				n := distance(strings.ToLower(word), strings.ToLower(way.Name))
				if n < best && n < len(way.Name)/2 {
					best, name = n, way.Name
				}
			}
		}
	}
	return name
}

// maxSlips is how far a name may be from that which somebody meant.
const maxSlips = 3

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
// required by now. A renewal asks for no method anew, not even for one that has been changed
// since.
func satisfied(auth *logical.Auth, required []mfa.Required) bool {
	ids := textsIn(auth.InternalData[methodsKey])
	has := func(m mfa.Required) bool { return slices.Contains(ids, m.ID) }
	return !slices.ContainsFunc(required, func(m mfa.Required) bool { return !slices.ContainsFunc(m.Ways(), has) })
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
