package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file is the one place where what went wrong in a login becomes what
// Vault answers: a status and a sentence. See answer.

// The mount's own reasons.
var (
	errNotConfigured   = errors.New("the mount is not configured")
	errNotRenewable    = errors.New("the token carries no password to renew with")
	errPoliciesChanged = errors.New("the policies have changed")
	errAPIToken        = errors.New("okta refused the API token")
)

// inputError is a parameter that cannot be what it is.
type inputError struct{ field, problem string }

func (e *inputError) Error() string { return e.field + " " + e.problem }

func invalid(field, problem string) error { return &inputError{field, problem} }

// busyError is a limit of the mount's own.
type busyError struct {
	what string
	wait time.Duration
}

func (e *busyError) Error() string { return e.what }

// apiTokenRefused marks an error of the management API, or of the first call of
// a login, where the code for an invalid token cannot mean a state token.
func apiTokenRefused(cfg *configEntry, err error) error {
	var e *okta.Error
	if cfg.Token != "" && errors.As(err, &e) && (e.Code == okta.CodeInvalidToken || e.Code == okta.CodeAccessDenied) {
		return fmt.Errorf("%w: %w", errAPIToken, err)
	}
	return err
}

// Warnings of a successful login.
const (
	passwordWarning = "your Okta password is about to expire: change it in Okta soon"
	noGroupsWarning = "Okta lists no groups for you: only what this mount gives you by name counts"
)

// defaultWait is told where Okta limits the rate without saying for how long;
// its windows are a minute.
const defaultWait = time.Minute

// reply is the way an error is told: one sentence and an HTTP status.
type reply struct {
	status int
	text   string
}

// answer turns an error of a login into Vault's answer. The forms are the few
// that survive the plugin protocol as they are: an error response for 400, the
// bare sentinel for 403, an outermost coded error for the rest.
//
// Vault's Go client repeats a request by itself on 429 and 5xx. Once a challenge
// has been sent that would make the phone ring again, so then all is 400.
func (b *backend) answer(err error, challengeSent bool) (*logical.Response, error) {
	r := describe(err)
	if challengeSent && r.status != http.StatusBadRequest {
		r = reply{http.StatusBadRequest, r.text + " (after the push was sent: logging in again sends a new one)"}
	}
	b.logFailure(err, r)
	switch r.status {
	case http.StatusForbidden:
		return nil, logical.ErrPermissionDenied
	case http.StatusBadRequest:
		return logical.ErrorResponse(r.text), nil
	default:
		return nil, logical.CodedError(r.status, r.text)
	}
}

// describe is the table. It never repeats what the person gave, and nothing that
// Okta has not chosen to tell about an account.
func describe(err error) reply {
	var (
		input   *inputError
		busy    *busyError
		factor  *mfa.NoFactorError
		strange *mfa.UnexpectedError
		said    *okta.Error
	)
	switch {
	case errors.As(err, &input):
		return reply{http.StatusBadRequest, input.Error()}
	case errors.As(err, &busy):
		return reply{http.StatusTooManyRequests, fmt.Sprintf("%s: try again in %s", busy.what, seconds(busy.wait))}
	case errors.Is(err, logical.ErrPermissionDenied):
		return reply{status: http.StatusForbidden}
	case errors.Is(err, errNotConfigured):
		return reply{http.StatusBadRequest, "the okta auth method is not configured: write org_name to its config first"}
	case errors.Is(err, errNotRenewable):
		return reply{http.StatusBadRequest, "this token cannot be renewed: log in again"}
	case errors.Is(err, errPoliciesChanged):
		return reply{http.StatusBadRequest, "your policies have changed since this token was issued, so it is not renewed: log in again"}

	case errors.As(err, &factor):
		return reply{http.StatusBadRequest, describeNoFactor(factor)}
	case errors.As(err, &strange):
		return reply{http.StatusBadRequest, fmt.Sprintf("Okta's answer does not let you in: %s (status %q, factor result %q)",
			strange.Why, okta.Clip(string(strange.Status), 64), okta.Clip(string(strange.FactorResult), 64))}

	case errors.As(err, &said):
		return describeOkta(err, said)
	case errors.Is(err, okta.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return reply{http.StatusGatewayTimeout, "Okta did not answer in time: try again later"}
	case errors.Is(err, okta.ErrUnreachable):
		return reply{http.StatusBadGateway, "Okta could not be reached: an operator finds the reason in Vault's log"}
	case errors.Is(err, okta.ErrMalformed):
		return reply{http.StatusBadGateway, "Okta's answer makes no sense: an operator finds the reason in Vault's log, " +
			"and should check org_name and base_url"}
	}
	for _, denial := range denials {
		if errors.Is(err, denial.err) {
			return reply{http.StatusBadRequest, denial.text}
		}
	}
	return reply{http.StatusInternalServerError, "the okta auth method failed: an operator finds the reason in Vault's log"}
}

// denials are the good answers of Okta that let nobody in.
var denials = []struct {
	err  error
	text string
}{
	{mfa.ErrLockedOut, "your Okta account is locked: unlock it in Okta, or ask your Okta administrator"},
	{mfa.ErrPasswordExpired, "your Okta password has expired: change it in Okta, then log in again"},
	{mfa.ErrRecovery, "your Okta account is being recovered or activated: finish that in Okta, then log in again"},
	{mfa.ErrEnrollment, "Okta asks you to set up a factor first: do so in Okta, then log in again"},
	{mfa.ErrRejected, "the push was rejected on the phone"},
	{mfa.ErrPushTimeout, "the push was not answered in time"},
	{mfa.ErrCancelled, "the push was cancelled"},
	{mfa.ErrFactorFailed, "Okta could not verify your factor: try again, or use another one"},
	{mfa.ErrPassCodeReplayed, "this passcode has been used already: wait for the next one"},
	{mfa.ErrPassCodeTimeWindow, "this passcode belongs to another time: check the clock of the device that shows it, and use the current one"},
	{mfa.ErrNumberChallenge, "your phone shows numbers to choose from, and this login has no way to tell you the right one: " +
		`send a "nonce" with the login (a random string, new for each login) and, while the login waits, ` +
		"read verify/<nonce> of this mount once a second until it answers with correct_answer"},
}

// describeOkta words what Okta itself refused.
func describeOkta(err error, e *okta.Error) reply {
	code := ""
	if e.Code != "" {
		code = " (" + e.Code + ")"
	}
	switch {
	case e.HTTPStatus == http.StatusTooManyRequests:
		wait := e.RetryAfter
		if wait == 0 {
			wait = defaultWait
		}
		return reply{http.StatusTooManyRequests, fmt.Sprintf("Okta limits the rate of requests%s: try again in %s", code, seconds(wait))}
	case e.HTTPStatus == http.StatusGatewayTimeout:
		return reply{http.StatusGatewayTimeout, "Okta did not answer in time" + code + ": try again later"}
	case e.HTTPStatus >= 500:
		return reply{http.StatusBadGateway, fmt.Sprintf("Okta failed with HTTP %d%s: try again later", e.HTTPStatus, code)}
	case e.HTTPStatus < 400:
		return reply{http.StatusBadGateway, fmt.Sprintf("Okta answered HTTP %d with an error%s: try again later", e.HTTPStatus, code)}
	case e.Code == "":
		return reply{http.StatusBadGateway, fmt.Sprintf("Okta answered HTTP %d without saying why: an operator should check org_name and base_url", e.HTTPStatus)}
	case errors.Is(err, errAPIToken):
		return reply{http.StatusBadRequest, "Okta refused the API token of this mount" + code + ": an operator must configure a valid api_token"}
	}
	for _, known := range oktaSentences {
		if e.Code == known.code {
			return reply{http.StatusBadRequest, known.text + code}
		}
	}
	return reply{http.StatusBadRequest, "Okta refused the login: " + e.Summary + code}
}

// oktaSentences say what to do about the codes that people meet.
var oktaSentences = []struct{ code, text string }{
	{okta.CodeAuthenticationFailed, "Okta did not accept the username and password, or does not let this account in"},
	{okta.CodeInvalidToken, "the login took too long, or was cancelled at Okta: log in again"},
	{okta.CodeInvalidPassCode, "Okta did not accept the passcode"},
	{okta.CodeUserLocked, "your Okta account has been locked after too many wrong passcodes: unlock it in Okta, or ask your Okta administrator"},
	{okta.CodePassCodeReplayed, "this passcode has been used already: wait for the next one"},
	{okta.CodePassCodeTimeWindow, "this passcode belongs to another time: check the clock of the device that shows it, and use the current one"},
}

// describeNoFactor says what the person could give instead. The password was
// right by then.
func describeNoFactor(e *mfa.NoFactorError) string {
	var usable, other []string
	for _, f := range e.Offered {
		name := okta.Clip(fmt.Sprintf("%s (%s)", f.Type, f.Provider), 64)
		switch {
		case !mfa.Usable(f):
			other = append(other, name)
		case f.Type == okta.FactorPush:
			usable = append(usable, name+", without totp and with no provider or provider=OKTA")
		default:
			usable = append(usable, fmt.Sprintf("%s, with its current passcode as totp and no provider or provider=%s", name, f.Provider))
		}
	}
	text := "Okta asks for a factor, and you have enrolled none that this method can verify"
	if len(usable) > 0 {
		text = "Okta asks for a factor, and none of yours goes with what you gave; usable are: " + strings.Join(unique(usable), "; ")
	}
	if len(other) > 0 {
		text += "; not usable here: " + strings.Join(unique(other), ", ")
	}
	return text
}

// seconds prints a wait in whole seconds, rounded up.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%d seconds", (d+time.Second-1)/time.Second)
}

// logFailure tells the operator what the person is not told. It names neither
// the person (Vault's audit log does) nor anything they gave; Okta's ids lead to
// the entry in Okta's own log.
func (b *backend) logFailure(err error, r reply) {
	args := []any{"status", r.status}
	var said *okta.Error
	if errors.As(err, &said) { // whose own text may quote what the person typed
		args = append(args, "okta_status", said.HTTPStatus, "okta_code", said.Code,
			"okta_error_id", said.ID, "okta_request_id", said.RequestID)
	} else {
		args = append(args, "error", err)
	}
	if operational(err) {
		b.Logger().Warn("login failed", args...)
		return
	}
	b.Logger().Debug("login denied", args...)
}

// operational reports whether err is for an operator to look at: neither the
// person's doing nor their leaving.
func operational(err error) bool {
	return !errors.Is(err, context.Canceled) &&
		(describe(err).status >= http.StatusInternalServerError || errors.Is(err, errAPIToken))
}
