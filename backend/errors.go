package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	errNoPush          = errors.New("a renewal takes a push, and there is none")
	errPoliciesChanged = errors.New("the policies have changed")
	errMethodsChanged  = errors.New("a method is required that the login has not satisfied")
	errAPIToken        = errors.New("okta refused the API token")
	errNoTransaction   = errors.New("no login has this transaction_id")
	errTooManyLogins   = &busyError{what: "too many logins are waiting on this mount", wait: busyWait}
)

// busyWait is told where a limit of the mount's own is reached.
const busyWait = 5 * time.Second

// inputError is a parameter that cannot be what it is.
type inputError struct{ field, problem string }

func (e *inputError) Error() string { return e.field + " " + e.problem }

func invalid(field, problem string) error { return &inputError{field, problem} }

// inputAnswer tells what is wrong with a field; any other error is passed on.
func inputAnswer(err error) (*logical.Response, error) {
	if input := (*inputError)(nil); errors.As(err, &input) {
		return logical.ErrorResponse(input.Error()), nil
	}
	return nil, err
}

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
		r = reply{http.StatusBadRequest, r.text + " (a push or a code had been sent: logging in again may send another)"}
	}
	return b.tell(err, r)
}

// answerOpen is answer for a login that can be gone on with all the same.
func (b *backend) answerOpen(err error, challengeSent bool) (*logical.Response, error) {
	r := describe(err)
	r.text += " (this login is still open: go on with its transaction_id)"
	if challengeSent {
		r.status = http.StatusBadRequest
	}
	return b.tell(err, r)
}

func (b *backend) tell(err error, r reply) (*logical.Response, error) {
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
		need    *needError
		method  *mfa.MethodError
		factor  *mfa.NoFactorError
		sent    *mfa.CodeSentError
		refused *mfa.PushRefusedError
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

	case errors.As(err, &need):
		return reply{http.StatusBadRequest, describeNeed(need)}
	case errors.As(err, &method):
		return describeMethodError(method)
	case errors.As(err, &factor):
		return reply{http.StatusBadRequest, describeNoFactor(factor)}
	case errors.As(err, &sent):
		return reply{http.StatusBadRequest, describeCodeSent(sent)}
	case errors.As(err, &refused):
		return reply{http.StatusTooManyRequests, describeRefused(refused)}
	case errors.Is(err, mfa.ErrTooManyCodes):
		return reply{http.StatusTooManyRequests, "too many codes are waiting on this mount: try again in " + seconds(busyWait)}
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

// denials are the mount's own reasons, and the good answers of Okta that let
// nobody in.
var denials = []struct {
	err  error
	text string
}{
	{errNotConfigured, "the okta auth method is not configured: write org_name to its config first"},
	{errNotRenewable, "this token cannot be renewed: log in again"},
	{errNoPush, "Okta asks for a factor, and a renewal can be answered by push only: log in again"},
	{errPoliciesChanged, "your policies have changed since this token was issued, so it is not renewed: log in again"},
	{errMethodsChanged, "this mount requires an MFA method by now that your login has not satisfied, so the token is not renewed: log in again"},
	{errMethodGone, "this login requires an MFA method that does not exist, so nobody can satisfy it: an operator has to correct mfa_methods"},
	{errNoTransaction, "there is no login of this user with this transaction_id, or it has ended: log in again"},

	{mfa.ErrLockedOut, "your Okta account is locked: unlock it in Okta, or ask your Okta administrator"},
	{mfa.ErrPasswordExpired, "your Okta password has expired: change it in Okta, then log in again"},
	{mfa.ErrRecovery, "your Okta account is being recovered or activated: finish that in Okta, then log in again"},
	{mfa.ErrEnrollment, "Okta asks you to set up a factor first: do so in Okta, then log in again"},
	{mfa.ErrRejected, "the push was rejected on the phone"},
	{mfa.ErrPushTimeout, "the push was not answered in time"},
	{mfa.ErrCancelled, "the push was cancelled"},
	{mfa.ErrFactorFailed, "Okta could not verify your factor: try again, or use another one"},
	{mfa.ErrPassCodeReplayed, replayed},
	{mfa.ErrPassCodeTimeWindow, otherTime},
	{mfa.ErrOver, "the login has ended: log in again"},
	{mfa.ErrReplaced, "another login of yours from the same address has taken the place of this one"},
	{mfa.ErrRungBefore, "this phone has been sent a push for this login already: use another factor, or begin another login"},
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
	for _, limit := range sendLimits {
		if e.Code == limit.code {
			return reply{http.StatusTooManyRequests, limit.text + code + ": try again in " + seconds(waitOf(e))}
		}
	}
	switch {
	case e.HTTPStatus == http.StatusTooManyRequests && !slices.Contains(quotas, e.Code):
		return reply{http.StatusTooManyRequests, fmt.Sprintf("Okta limits the rate of requests%s: try again in %s", code, seconds(waitOf(e)))}
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

// waitOf is how long Okta wants to be left alone.
func waitOf(e *okta.Error) time.Duration {
	if e.RetryAfter == 0 {
		return defaultWait
	}
	return e.RetryAfter
}

// sendLimits are Okta's limits on codes that are sent.
var sendLimits = []struct{ code, text string }{
	{okta.CodeResendSMS, "Okta has sent you an SMS a moment ago, and no other so soon"},
	{okta.CodeResendCall, "Okta has called you a moment ago, and does not again so soon"},
	{okta.CodeResendEmail, "Okta has sent you an e-mail a moment ago, and no other so soon"},
}

// quotas are limits that no short wait helps against: a client that repeats the
// request by itself must not be asked to.
var quotas = []string{
	okta.CodeSMSQuota, okta.CodeCallQuota, okta.CodeFreeSMSQuota, okta.CodeUserSMSLimit, okta.CodeUserCallLimit,
}

// oktaSentences say what to do about the codes that people meet.
var oktaSentences = []struct{ code, text string }{
	{okta.CodeAuthenticationFailed, "Okta did not accept the username and password, or does not let this account in"},
	{okta.CodeInvalidToken, "the login took too long, or was cancelled at Okta: log in again"},
	{okta.CodeInvalidPassCode, "Okta did not accept the passcode"},
	{okta.CodeUserLocked, "your Okta account has been locked after too many wrong passcodes: unlock it in Okta, or ask your Okta administrator"},
	{okta.CodeNextPassCode, "your token has to show that it is right once more: wait for the next code, and log in again with that one"},
	{okta.CodeFactorRejected, "the request was rejected on your phone"},
	{okta.CodeFactorService, "the service behind this factor failed: try again, or use another one"},
	{okta.CodePolicyDenied, "Okta's sign-on policy does not let you in at this time"},
	{okta.CodeSMSQuota, noMoreSMS}, {okta.CodeFreeSMSQuota, noMoreSMS}, {okta.CodeUserSMSLimit, noMoreSMS}, {okta.CodeUserSMSRefused, noMoreSMS},
	{okta.CodeCallQuota, noMoreCalls}, {okta.CodeUserCallLimit, noMoreCalls}, {okta.CodeUserCallRefused, noMoreCalls},
	{okta.CodePassCodeReplayed, replayed},
	{okta.CodePassCodeTimeWindow, otherTime},
}

// Sentences that have several causes.
const (
	replayed    = "this passcode has been used already: wait for the next one"
	otherTime   = "this passcode belongs to another time: check the clock of the device that shows it, and use the current one"
	noMoreSMS   = "Okta sends no more SMS for now, and it may be hours until it does: use another factor"
	noMoreCalls = "Okta makes no more calls for now, and it may be hours until it does: use another factor"
)

// describeRefused says why no push is sent, and what goes without one.
func describeRefused(e *mfa.PushRefusedError) string {
	if e.Waiting {
		return "a push is waiting on your phone already: if that login is not yours, reject it; else answer it, " +
			"use a passcode, or try again in " + seconds(e.Wait)
	}
	return "too many pushes to you were rejected or not answered, so no more are sent for now: use a passcode, or try again in " +
		seconds(e.Wait)
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
		(describe(err).status >= http.StatusInternalServerError || errors.Is(err, errAPIToken) || errors.Is(err, errMethodGone) ||
			refusesMount(err))
}

// logRefusal tells the operator of a push that was not sent to spare somebody's
// phone, and from where it was asked for: somebody may know their password.
func (b *backend) logRefusal(req *logical.Request, user okta.User, err error) {
	var refused *mfa.PushRefusedError
	if !errors.As(err, &refused) {
		return
	}
	b.Logger().Warn("no push was sent", "reason", refused.Error(), "okta_user_id", okta.Clip(user.ID, 64),
		"client_address", connected(req), "forwarded_for", strings.Join(forwarded(req), ", "), "wait", seconds(refused.Wait))
}
