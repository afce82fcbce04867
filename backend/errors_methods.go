package backend

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file has the part of the table in errors.go that is about the MFA methods
// of the mount. The person's password was right by then, and Okta is satisfied.

// describeNeed lists the methods that want something, and tells how to give it.
func describeNeed(e *needError) string {
	wants := make([]string, len(e.Methods))
	for i, m := range e.Methods {
		wants[i] = fmt.Sprintf("%s (%s: mfa=%s:<passcode>)", m.Name, wantOf(m.Type), m.Name)
	}
	text := "this mount asks for more than Okta does: " + strings.Join(wants, ", ") + `; give it by the API as "mfa", a list, ` +
		"or as vault login -mfa=<name>:<passcode>"
	if e.header {
		return text
	}
	return text + ", for which the mount has to pass a header through (vault auth tune -passthrough-request-headers=" + mfaHeader + " " + e.mount + ")"
}

// wantOf is what a method takes.
func wantOf(typ string) string {
	switch typ {
	case totpMethodType.name:
		return "the passcode of your authenticator app"
	case duoMethodType.name:
		return "a passcode of Duo"
	}
	return "a passcode of one of your factors in Okta"
}

// describeMethodError words why a method denies.
func describeMethodError(e *mfa.MethodError) reply {
	r := describeDenial(e)
	r.text = fmt.Sprintf("MFA method %s: %s", e.Method.Name, r.text)
	return r
}

func describeDenial(e *mfa.MethodError) reply {
	var (
		useless *mfa.CredentialError
		denied  *mfa.DeniedError
		barred  *mfa.PassCodesBarredError
		sent    *mfa.CodeSentError
		service *mfa.ServiceError
	)
	switch {
	case errors.As(e.Err, &useless):
		return reply{http.StatusBadRequest, useless.Problem}
	case errors.As(e.Err, &denied):
		return reply{http.StatusBadRequest, "it does not let you in: " + denied.Reason}
	case errors.As(e.Err, &barred):
		return reply{http.StatusTooManyRequests, "too many wrong passcodes: try again in " + seconds(barred.Wait)}
	case errors.As(e.Err, &sent) && sent.Again:
		return reply{http.StatusBadRequest, fmt.Sprintf("a code was sent %s before and is still good: log in again with mfa=%s:%s=<code>, "+
			"or have another one sent with mfa=%[2]s:%[3]s", sentBy(sent.Factor), e.Method.Name, mfa.KindOf(sent.Factor))}
	case errors.As(e.Err, &sent):
		return reply{http.StatusBadRequest, fmt.Sprintf("a code was sent %s: log in again in the same way, with mfa=%s:%s=<code> added",
			sentBy(sent.Factor), e.Method.Name, mfa.KindOf(sent.Factor))}
	case errors.As(e.Err, &service):
		return describeService(service)
	case errors.Is(e.Err, mfa.ErrNumberChallenge):
		return reply{http.StatusBadRequest, `it sends a push only where the number to choose can be shown: send a "nonce" with the ` +
			"login (a random string, new for each login) and read verify/<nonce> of this mount while the login waits"}
	case refusesMount(e):
		return reply{http.StatusBadRequest, "Okta refused its API token" + codeOf(e) + ": an operator must configure a valid api_token"}
	}
	for _, denial := range methodDenials {
		if errors.Is(e.Err, denial.err) {
			return denial.reply
		}
	}
	return describe(e.Err)
}

// methodDenials are the reasons of methods.
var methodDenials = []struct {
	err error
	reply
}{
	{mfa.ErrWrongPassCode, reply{http.StatusBadRequest, "the passcode is not right"}},
	{mfa.ErrUnknownPerson, reply{http.StatusBadRequest, "its service does not know you: an operator should check username_format"}},
	{mfa.ErrSeveralPeople, reply{http.StatusBadRequest, "its service knows several people by your e-mail address: an operator has to tell you apart"}},
	{mfa.ErrNumberShown, reply{http.StatusBadRequest, "it sends a push only with a number, and this login has shown one already: clients read " +
		"one in a login, so log in with wait=false"}},
	{mfa.ErrOtherPerson, reply{http.StatusBadRequest, "the account it finds is not the one that you log in with: an operator should check username_format"}},
	{mfa.ErrInactivePerson, reply{http.StatusBadRequest, "your account is not active there"}},
	{mfa.ErrNoKey, reply{http.StatusBadRequest, "you have no key: an operator generates one with admin-generate"}},
	{mfa.ErrNoFactor, reply{http.StatusBadRequest, "you have no active factor that it accepts: set one up, or ask an operator which factors it takes"}},
	{okta.ErrNoAPIToken, reply{http.StatusBadRequest, "it uses the mount's connection to Okta, which has no api_token: an operator must configure one"}},
	{mfa.ErrServiceTimeout, reply{http.StatusGatewayTimeout, "its service did not answer in time: try again later"}},
	{mfa.ErrServiceUnreachable, reply{http.StatusBadGateway, "its service could not be reached: an operator finds the reason in Vault's log"}},
	{mfa.ErrServiceMalformed, reply{http.StatusBadGateway, "the answer of its service makes no sense: an operator finds the reason in Vault's log"}},
}

// describeService words what a method's service says to the mount itself.
func describeService(e *mfa.ServiceError) reply {
	switch {
	case e.Status == http.StatusTooManyRequests:
		return reply{http.StatusTooManyRequests, "its service limits the rate of requests: try again in " + seconds(defaultWait)}
	case e.Status >= http.StatusInternalServerError:
		return reply{http.StatusBadGateway, fmt.Sprintf("its service failed with HTTP %d: try again later", e.Status)}
	}
	return reply{http.StatusBadRequest, "its service refuses this mount: an operator finds the reason in Vault's log, and should check the keys"}
}

// refusesMount reports whether the service of a method refuses the mount itself,
// whoever logs in.
func refusesMount(err error) bool {
	var method *mfa.MethodError
	if !errors.As(err, &method) {
		return false
	}
	if service := (*mfa.ServiceError)(nil); errors.As(err, &service) {
		return true
	}
	if said := (*okta.Error)(nil); errors.As(err, &said) {
		return said.Code == okta.CodeInvalidToken || said.Code == okta.CodeAccessDenied
	}
	return errors.Is(err, okta.ErrNoAPIToken)
}

func codeOf(err error) string {
	if said := (*okta.Error)(nil); errors.As(err, &said) && said.Code != "" {
		return " (" + said.Code + ")"
	}
	return ""
}
