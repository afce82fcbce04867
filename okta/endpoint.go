package okta

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Endpoint is the operation of Okta's that an answer came from. Some codes mean one
// thing in one operation and something else in another.
type Endpoint string

const (
	EndpointAuthn        Endpoint = "authn"  // Authenticate
	EndpointVerify       Endpoint = "verify" // Verify, also as a poll, and VerifyByType
	EndpointResend       Endpoint = "resend"
	EndpointPrevious     Endpoint = "previous"
	EndpointSkip         Endpoint = "skip"
	EndpointCancel       Endpoint = "cancel"
	EndpointGroups       Endpoint = "groups"
	EndpointUsers        Endpoint = "users"        // Account, AccountsByEmail
	EndpointFactors      Endpoint = "factors"      // all of the Factors API
	EndpointOrganization Endpoint = "organization" // OrgID
	EndpointToken        Endpoint = "token"        // access tokens of a service app
)

// Endpoints are all endpoints.
var Endpoints = []Endpoint{
	EndpointAuthn, EndpointVerify, EndpointResend, EndpointPrevious, EndpointSkip, EndpointCancel,
	EndpointGroups, EndpointUsers, EndpointFactors, EndpointOrganization, EndpointToken,
}

// endpoints of the Authentication API and of the org, whose paths hold no name.
var endpoints = map[string]Endpoint{
	authnPath:        EndpointAuthn,
	previousPath:     EndpointPrevious,
	skipPath:         EndpointSkip,
	cancelPath:       EndpointCancel,
	organizationPath: EndpointOrganization,
	tokenPath:        EndpointToken,
}

// Manages reports whether the endpoint is called as the service app, where there is one.
func (e Endpoint) Manages() bool {
	return slices.Contains([]Endpoint{EndpointGroups, EndpointUsers, EndpointFactors, EndpointToken}, e)
}

// endpointOf returns the endpoint of an escaped path, or "".
func endpointOf(path string) Endpoint {
	if e, known := endpoints[path]; known {
		return e
	}
	if rest, below := strings.CutPrefix(path, authnPath+"/factors/"); below {
		if strings.HasSuffix(rest, "/verify/resend") {
			return EndpointResend
		}
		return EndpointVerify
	}
	rest, below := strings.CutPrefix(path, usersPath)
	_, operation, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/") // of the user that the path names
	switch {
	case !below:
		return ""
	case operation == "":
		return EndpointUsers
	case "/"+operation == groupsPath:
		return EndpointGroups
	}
	return EndpointFactors
}

// These are codes about the program that calls: its token, the role of that, or the
// form of its requests.
// https://developer.okta.com/docs/reference/error-codes/
const (
	CodeValidation       = "E0000001" // 400: a field of the request is not valid
	CodeInvalidSession   = "E0000005" // 401: no token was understood
	CodeNoFeature        = "E0000015" // 401: the org lacks the feature
	CodeMethodNotAllowed = "E0000022" // 405
	CodeUserStatus       = "E0000038" // 403: not in the user's current status
)

// mountCodes lists, for the endpoints, the codes by which Okta refuses the program
// itself. CodeInvalidToken is about the state token where a request carries one.
var mountCodes = map[Endpoint][]string{
	EndpointAuthn:        always(CodeInvalidToken),
	EndpointVerify:       inLogin,
	EndpointResend:       inLogin,
	EndpointPrevious:     inLogin,
	EndpointSkip:         inLogin,
	EndpointCancel:       inLogin,
	EndpointGroups:       append(always(CodeInvalidToken), CodeValidation, CodeNotFound, CodeUserStatus),
	EndpointUsers:        always(CodeInvalidToken),
	EndpointFactors:      always(CodeInvalidToken),
	EndpointOrganization: always(CodeInvalidToken),
}

var inLogin = always(CodeValidation, CodeNotFound, CodeUserStatus)

func always(more ...string) []string {
	return append(more, CodeInvalidSession, CodeAccessDenied, CodeNoFeature, CodeMethodNotAllowed,
		CodeInvalidAccessToken, CodeInsufficientScope)
}

// RefusesMount reports whether err is an answer by which Okta refuses the program that
// calls, its API token or the role of that, whoever logs in. The person cannot act on
// it; an administrator of Vault can.
func RefusesMount(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if ok && e.Endpoint == EndpointToken { // what a person has typed is not in the request
		return e.HTTPStatus < http.StatusInternalServerError && e.HTTPStatus != http.StatusTooManyRequests
	}
	return ok && slices.Contains(mountCodes[e.Endpoint], e.Code)
}

// RefusesPassword reports whether err is an answer of Authenticate's by which Okta may
// have judged the password. These are its codes of a failed sign-in, and each code with
// status 401 that is not about the program: a code that Okta invents tomorrow must not
// make wrong passwords free. An answer without a code of Okta's is a gateway's.
// https://developer.okta.com/docs/reference/error-codes/
func RefusesPassword(err error) bool {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return false
	case e.Code == CodeAuthenticationFailed, e.Code == CodeSignInFailed:
		return true
	}
	return e.Endpoint == EndpointAuthn && e.HTTPStatus == http.StatusUnauthorized && oktaCode.MatchString(e.Code) && !RefusesMount(err)
}

// Pending reports whether err is Okta's answer that a push still waits: the caller
// polls on. The answer is an error document, so it carries no transaction, and the
// former one goes on.
func Pending(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == CodeWaitingForACK
}
