package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file turns the error of a login into Vault's answer and into a line of the
// log. The statuses and sentences are in answer_table.go.

// reply is what Vault answers to a request that failed.
type reply struct {
	status int // of HTTP
	text   string
}

// Warnings of a successful login.
const (
	passwordWarning    = "your Okta password is about to expire: change it in Okta soon"
	enrollWarning      = "Okta asks you to enroll a factor, which this login has skipped: enroll one in Okta soon"
	unusedWarning      = "your totp was not used, because this login had no factor of Okta's to answer: a passcode for an MFA method of the mount is given as mfa=<name>:<passcode>"
	unusedMFAWarning   = "a credential of mfa was not used, because this login asks for no MFA method of that name"
	unreadWarning      = "this mount has no api_token, so your groups in Okta were not read: you get only what this mount gives you by name"
	groupsErrorWarning = "Okta could not tell this mount your groups, so you get only what this mount gives you by name: log in again later for the rest"
	noneCountsWarning  = "none of your groups in Okta counts on this mount (group_types and group_filter of its config): you get only what this mount gives you by name"
	noGroupsWarning    = "Okta lists no groups for you: you get only what this mount gives you by name"
)

// answer logs the error of a login and turns it into Vault's answer. challenged
// says that a push or a code may have been sent.
//
// Vault's Go client repeats a request by itself on 429 and 5xx. After a challenge
// that would make the phone ring again, so every failure is answered with 400 then.
func (b *backend) answer(ctx context.Context, err error, challenged bool) (*logical.Response, error) {
	r := replyTo(err)
	if challenged && r.status != http.StatusBadRequest {
		r = reply{http.StatusBadRequest, r.text + " (a push or a code may have been sent already: logging in again may send another)"}
	}
	return b.tell(ctx, err, r)
}

// answerOpen is answer for a login that the caller can continue.
func (b *backend) answerOpen(ctx context.Context, err error, challenged bool) (*logical.Response, error) {
	r := replyTo(err)
	r.text += " (this login is still open: continue it with its transaction_id)"
	if challenged {
		r.status = http.StatusBadRequest
	}
	return b.tell(ctx, err, r)
}

// answerInput answers with what is wrong with a field, and returns any other error
// as it is. It is for requests that are not logins.
func answerInput(err error) (*logical.Response, error) {
	if input, ok := errors.AsType[*inputError](err); ok {
		return logical.ErrorResponse(input.Error()), nil
	}
	return nil, err
}

// tell uses the few forms of an error that the plugin protocol preserves: an error
// response for 400, the bare sentinel for 403, an outermost coded error for the rest.
// The bare sentinel for read-only storage makes Vault forward the request to a node
// that can write.
func (b *backend) tell(ctx context.Context, err error, r reply) (*logical.Response, error) {
	if errors.Is(err, logical.ErrReadOnly) {
		return nil, logical.ErrReadOnly
	}
	b.logFailure(ctx, err, r)
	switch r.status {
	case http.StatusForbidden:
		return nil, logical.ErrPermissionDenied
	case http.StatusBadRequest:
		return logical.ErrorResponse(r.text), nil
	default:
		return nil, logical.CodedError(r.status, r.text)
	}
}

// logFailure logs what the person is not told. It names neither the person, whom
// Vault's audit log names, nor anything that they gave. Okta's ids lead to the entry
// in Okta's own log. Anybody can cause what is logged at debug, and limits: of those, one
// line a minute is at warn.
func (b *backend) logFailure(ctx context.Context, err error, r reply) {
	e, a, what := loginEvent(err), attemptOf(ctx), "login"
	if a == nil {
		what = "request"
		if e == eventLoginDenied || e == eventLoginGone {
			e = eventRequestDenied
		}
	}
	a.answered(e)
	args := append([]any{"event", e, "status", r.status}, a.details(b.now())...)
	if p, ok := errors.AsType[*panics.Error](err); ok {
		b.Logger().Error("request failed by a bug in the plugin", append(args, "error", p, "stack", p.Stack)...)
		return
	}
	if said, ok := errors.AsType[*okta.Error](err); ok { // whose own text may quote what the person typed
		args = append(args, "okta_status", said.HTTPStatus, "okta_code", said.Code,
			"okta_error_id", said.ID, "okta_request_id", said.RequestID)
	} else {
		args = append(args, "error", err)
	}
	switch {
	case operational(err):
		b.Logger().Warn(what+" failed", args...)
	case (e == eventLockout || e == eventRateLimited) && b.seldom.isDue(e, b.now()):
		b.Logger().Warn(what+" denied", args...)
	default:
		b.Logger().Debug(what+" denied", args...)
	}
}

// operational reports whether err is the Vault administrator's to look at: neither
// the person nor a client that has left is the cause.
func operational(err error) bool {
	return !errors.Is(err, context.Canceled) &&
		(replyTo(err).status >= http.StatusInternalServerError || errors.Is(err, errAPIToken) ||
			errors.Is(err, errServiceApp) || errors.Is(err, errMethodGone) ||
			refusesMount(err))
}

// logRefusal logs that a push or a code was not sent, to spare somebody's phone, and
// where the request came from: whoever sends many such requests may know the password.
func (b *backend) logRefusal(ctx context.Context, caller okta.Caller, user okta.User, err error) {
	spared, ok := errors.AsType[*mfa.ChallengeRefusedError](err)
	if !ok {
		return
	}
	args := []any{"event", eventPushRefused, "reason", spared.Error(), "okta_user_id", okta.Clip(user.ID, 64),
		"client_address", caller.Address, "wait", inWords(spared.Wait)}
	b.Logger().Warn("no push or code was sent", append(args, attemptOf(ctx).details(b.now())...)...)
}

// logPanic calls f for work that has no caller to answer: a panic of f ends f, and
// is logged.
func (b *backend) logPanic(f func()) {
	err := func() (err error) {
		defer panics.Recover(&err)
		f()
		return nil
	}()
	if err != nil {
		b.logFailure(context.Background(), err, replyTo(err))
	}
}

// inWords prints a wait, rounded up: in seconds, and from two minutes up in minutes.
func inWords(wait time.Duration) string {
	roundedUp := func(unit time.Duration) int64 { return int64((wait + unit - 1) / unit) }
	switch seconds := roundedUp(time.Second); {
	case seconds <= 1:
		return "1 second"
	case seconds < 120:
		return fmt.Sprintf("%d seconds", seconds)
	default:
		return fmt.Sprintf("%d minutes", roundedUp(time.Minute))
	}
}
