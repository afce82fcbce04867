package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// row says what Vault answers to the errors that match holds for.
type row struct {
	match  func(error) bool
	status int    // of HTTP
	text   string // with parts in braces that depend on the error
}

// table holds every status and sentence of a login that failed. The first row that
// matches counts. No text repeats what the person gave, but for a name that a command to
// type needs, or says more about an account than Okta itself does. The texts about an MFA
// method follow its name.
//
// "Tell your Vault administrator" is said of a fault that only they can repair, and "ask"
// of what is theirs to decide.
var table = []row{
	// The request, and what the mount has for it.
	{isA[*panics.Error], 500, "a bug in the okta auth plugin made this request fail: tell your Vault administrator to report the stack in Vault's log"},
	{is(store.ErrTimeout), 504, store.ErrTimeout.Error()},
	{isA[*inputError], 400, "{problem}"},
	{isA[*busyError], 429, "{limit}: try again in {wait}"},
	{isA[*attempts.BlockedError], 429, "too many wrong passwords were given for this name: try again in {wait}"},
	{isA[*attempts.BusyError], 429, "too many logins are waiting for Okta at this moment: try again in {wait}"},
	{is(okta.ErrBusy), 429, "too many requests are waiting for Okta at this moment: try again in {wait}"},
	{is(logical.ErrPermissionDenied), 403, "this mount accepts no login from your address"},
	{is(errMountGone), 400, "this mount has been disabled, or its plugin stopped: try again later"},
	{is(errNotConfigured), 400, "the okta auth method is not configured: tell your Vault administrator to write org_name to its config"},
	{isA[*store.UnreadableError], 400, "what this mount has stored for this login cannot be read: tell your Vault administrator to look up the entry in Vault's log"},
	{is(errMethodGone), 400, "this login requires an MFA method that does not exist: tell your Vault administrator to correct mfa_methods"},
	{is(errNoRequiredGroup), 400, "this mount lets in only members of certain groups, and you are in none of them: ask your Vault administrator"},
	{is(errNobody), 400, "Okta knows nobody by this name, or does not show them to this mount{code}: check the name, and what the API token or the service app may read"},

	// Logins that are continued, and renewals.
	{is(errNoTransaction), 400, "no login of this user is open under this transaction_id: log in again"},
	{is(mfa.ErrOver), 400, "the login has ended: log in again"},
	{is(mfa.ErrReplaced), 400, "another login of yours with the same nonce has replaced this one: continue that one"},
	{is(errNotRenewable), 400, cannotRenew + " No password is kept with it to renew it by" + otherRenewal},
	{is(attempts.ErrStale), 400, "Okta has refused the password of your login, which a renewal gives it again, so the token is not renewed: log in again"},
	{is(errNoPush), 400, cannotRenew + " Okta asks for a factor, and a renewal can use only a push" + otherRenewal},
	{is(errNumberUnseen), 400, cannotRenew + " Okta's push shows numbers to choose from, and a renewal can show nobody the right one" + otherRenewal},
	{is(errRenewalOff), 400, cannotRenew + " This mount renews no tokens (renewal=never)"},
	{is(errNoAccount), 400, cannotRenew + " It does not tell which Okta account to ask about"},
	{is(errStatusUnknown), 400, "this mount has no api_token to ask Okta about your account, so the token is not renewed: tell your Vault administrator to configure one, or log in again"},
	{isA[*accountError], 400, "{account}, so the token is not renewed: ask your Okta administrator, or log in again once Okta lets you in"},
	{is(errRenamed), 400, "your Okta login has changed since this token was issued, so the token is not renewed: log in again by the new one"},
	{is(errOtherPerson), 400, "the name of this token is another account's at Okta by now, so the token is not renewed: log in again"},
	{is(errPoliciesChanged), 400, "your policies have changed since this token was issued, so the token is not renewed: log in again"},
	{isA[*changedError], 400, "{changed}: log in again"},
	{is(errMethodsChanged), 400, "this mount now requires an MFA method that your login has not satisfied, so the token is not renewed: log in again"},

	// What an MFA method asks for, and why it denies.
	{isA[*needError], 400, "this mount requires more than Okta does: {needs}"},
	{isA[*mfa.CredentialError], 400, "{problem}"},
	{isA[*mfa.DeniedError], 400, "its service does not let you in: {reason}"},
	{isA[*mfa.PassCodesBarredError], 429, "too many wrong passcodes: try again in {wait}"},
	{is(mfa.ErrWrongPassCode), 400, "the passcode is not right: try again with the next one"},
	{inMethod(codeSent(sentBefore)), 400, "{by} sent a code {sent} before, and it is still good: log in again with mfa={method}:{kind}=<code>, or have another one sent with mfa={method}:{kind}"},
	{inMethod(codeSent(sentNow)), 400, "{by} has sent a code {sent}: log in again in the same way, with mfa={method}:{kind}=<code> added"},
	{inMethod(is(mfa.ErrNumberChallenge)), 400, "it sends a push only where the login can show you a number: " + withNonce},
	{is(mfa.ErrCodeUnshown), 400, "it sends a push only with a code to type on your phone, and this login cannot show you the code: give a passcode, or " + withNonce},
	{is(mfa.ErrNumberShown), 400, "its push needs a number, and this login has shown one already: log in by okta-login {who}, which can show several, or with wait=false"},
	{is(mfa.ErrUnknownPerson), 400, "its service does not know you: tell your Vault administrator to check username_format"},
	{is(mfa.ErrSeveralPeople), 400, "its org has several accounts with your e-mail address: ask your Okta administrator to leave it to one of them"},
	{is(mfa.ErrOtherPerson), 400, "the account that it finds is not the one that you log in with: tell your Vault administrator to check username_format"},
	{is(mfa.ErrInactivePerson), 400, "your account in its org is not active: ask your Okta administrator to activate it"},
	{is(mfa.ErrNoKey), 400, "you have no key: ask your Vault administrator to generate one with admin-generate"},
	{is(mfa.ErrNoFactor), 400, "you have no active factor that it accepts: enroll one, or ask your Vault administrator which factors it accepts"},

	// Faults of a method's service, and of the way there.
	{serviceStatus(429, 429), 429, "its service limits the rate of requests: try again in {wait}"},
	{serviceStatus(500, 999), 502, "its service failed with HTTP {http}: try again later"},
	{serviceStatus(401, 403), 400, "its service refuses this mount: tell your Vault administrator to check the method's keys and host and the clock of Vault's machine, and to look up the reason in Vault's log"},
	{isA[*mfa.ServiceError], 400, "its service refuses this mount: tell your Vault administrator to check its keys, and to look up the reason in Vault's log"},
	{is(mfa.ErrServiceTimeout), 504, "its service did not answer in time: try again later"},
	{is(mfa.ErrServiceUnreachable), 502, "its service could not be reached: tell your Vault administrator to look up the reason in Vault's log"},
	{is(mfa.ErrServiceMalformed), 502, "the answer of its service makes no sense: tell your Vault administrator to look up the reason in Vault's log"},
	{is(okta.ErrNoAPIToken), 400, "it uses the mount's connection to Okta, which has no api_token: tell your Vault administrator to configure one"},
	{inMethod(okta.RefusesMount), 400, "Okta refused its API token{code}: tell your Vault administrator to configure a valid api_token"},

	// Okta let the person in, or asks for a factor, and the login cannot go on.
	{asksFactor(noneUsable), 400, "Okta asks for a factor, and you have enrolled none that this mount can use{factors}"},
	{asksFactor(noneMatches), 400, "Okta asks for a factor, and the passcode does not match any of yours{forms}{factors}"},
	{asksFactor(noneAsChosen), 400, "Okta asks for a factor, and you cannot use the one that you chose{factors}"},
	{asksFactor(noneChosen), 400, "Okta asks for a factor: choose one, and send what it needs{factors}"},
	{codeSent(sentBefore), 400, "Okta sent a code {sent} before, and it is still good: log in again with totp=<code>; to have another one sent, run okta-login -factor={kind} {who} and press Enter, or give resend=true to the HTTP API, /v1/{login}"},
	{codeSent(sentNow), 400, "Okta has sent a code {sent}: log in again in the same way, with totp=<code> added"},
	{challengeRefused(pushWaits), 429, "a push is waiting on your phone already: if that login is not yours, reject it; otherwise answer it, use a passcode, or try again in {wait}"},
	{challengeRefused(challengesFailed), 429, "too many pushes and codes to you were rejected or not answered, so this mount sends no more for now: use a passcode, or try again in {wait}"},
	{is(mfa.ErrRungBefore), 400, "this phone has had a push for this login already: use another factor, or log in again"},
	{is(mfa.ErrRejected), 400, "the push was rejected on the phone" + afterRejection},
	{is(mfa.ErrAppTooOld), 400, "the Okta Verify app on your phone is too old to answer a push: update the app, then log in again, or use a passcode"},
	{is(mfa.ErrPushTimeout), 400, "the push was not answered in time: log in again, and answer it as soon as the phone rings"},
	{is(mfa.ErrNoTime), 504, "no push was sent, because this login leaves you too little time to answer it: log in again, or use a passcode"},
	{is(mfa.ErrCancelled), 400, "the push was cancelled at Okta: log in again"},
	{is(mfa.ErrNumberChallenge), 400, "your phone shows numbers to choose from, and this login cannot show you the right one: " + withNonce + " once a second until it answers with correct_answer"},
	{is(mfa.ErrFactorFailed), 400, "Okta could not verify your factor: try again, or use another one"},
	{is(mfa.ErrPassCodeReplayed), 400, passCodeReplayed},
	{is(mfa.ErrPassCodeTimeWindow), 400, passCodeTimeWindow},
	{is(mfa.ErrNotActive), 400, "your Okta account was suspended, deactivated or locked while you logged in: ask your Okta administrator"},
	{is(mfa.ErrLockedOut), 400, "your Okta account is locked: unlock it in Okta, or ask your Okta administrator"},
	{is(mfa.ErrPasswordExpired), 400, "your Okta password has expired: change it in Okta, then log in again"},
	{is(mfa.ErrRecovery), 400, "your Okta account is being recovered or activated: finish that in Okta, then log in again"},
	{is(mfa.ErrEnrollmentMaySkip), 400, "Okta asks you to enroll a factor, and would let you skip that for now, which this mount does not (skip_enrollment): enroll one in Okta, then log in again"},
	{is(mfa.ErrEnrollment), 400, "Okta requires you to enroll a factor first: enroll one in Okta, then log in again"},
	{is(mfa.ErrAdminConsent), 400, "Okta lets you in only once an administrator has given consent: ask your Okta administrator"},
	{is(mfa.ErrSignInPage), 400, "Okta wants something of you that only its sign-in page can ask for{page}: sign in to Okta with a browser once, then log in again"},
	{isA[*mfa.UnexpectedError], 400, "Okta's answer does not let you in: {unexpected}: show this to your Okta administrator"},

	// Limits of Okta's. No short wait helps against a quota, and a client repeats a
	// 429 by itself: a quota is answered with 400.
	{code(okta.CodeSMSQuota, okta.CodeFreeSMSQuota, okta.CodeUserSMSLimit, okta.CodeUserSMSRefused), 400, "Okta sends no more SMS for now, and may not for hours: use another factor{code}"},
	{code(okta.CodeCallQuota, okta.CodeUserCallLimit, okta.CodeUserCallRefused), 400, "Okta makes no more calls for now, and may not for hours: use another factor{code}"},
	{code(okta.CodeResendSMS), 429, "Okta sent you an SMS a moment ago, and does not send another so soon{code}: try again in {wait}"},
	{code(okta.CodeResendCall), 429, "Okta called you a moment ago, and does not call again so soon{code}: try again in {wait}"},
	{code(okta.CodeResendEmail), 429, "Okta sent you an e-mail a moment ago, and does not send another so soon{code}: try again in {wait}"},
	{oktaStatus(429, 429), 429, "Okta limits the rate of requests{code}: try again in {wait}"},

	// Faults of Okta's, and of the way there.
	{oktaStatus(504, 504), 504, "Okta did not answer in time{code}: try again later"},
	{withWords(500, 999), 502, `Okta failed with HTTP {http}, and says "{words}"{code}: try again later, or show this to your Okta administrator`},
	{oktaStatus(500, 999), 502, "Okta failed with HTTP {http}{code}: try again later"},
	{oktaStatus(0, 399), 502, "Okta answered HTTP {http} with an error{code}: try again later"},
	{code(""), 502, "Okta answered HTTP {http} without saying why: tell your Vault administrator to check org_name and base_url"},
	{is(okta.ErrTimeout, context.DeadlineExceeded, context.Canceled), 504, "Okta did not answer in time: try again later"},
	{isA[*okta.DownError], 502, "Okta could not be reached, or failed, several times in a row, so this mount asks it nothing for a moment: try again in a few seconds"},
	{isA[*okta.UnreachableError], 502, "Okta could not be reached, because {unreachable}: tell your Vault administrator to look up the details in Vault's log"},
	{is(okta.ErrUnreachable), 502, "Okta could not be reached: tell your Vault administrator to look up the reason in Vault's log"},
	{is(okta.ErrMalformed), 502, "Okta's answer makes no sense: tell your Vault administrator to check org_name and base_url, and to look up the reason in Vault's log"},

	// Okta's refusals.
	{is(errServiceApp), 400, "Okta refused the service app of this mount{code}: tell your Vault administrator to check client_id, scopes and config/key, and what is granted to the app in Okta"},
	{is(errAPIToken), 400, "Okta refused the API token of this mount{code}: tell your Vault administrator to configure a valid api_token"},
	{code(okta.CodeAuthenticationFailed, okta.CodeSignInFailed), 400, "Okta did not accept the username and password, or does not let this account in{code}: check both and try again, reset the password in Okta, or ask your Okta administrator"},
	{code(okta.CodePolicyDenied), 400, "Okta's sign-on policy does not let you in at this time{code}: ask your Okta administrator why"},
	{code(okta.CodeInvalidToken), 400, "the login took too long, or was cancelled at Okta: log in again{code}"},
	{code(okta.CodeUserLocked), 400, "your Okta account has been locked after too many wrong passcodes: unlock it in Okta, or ask your Okta administrator{code}"},
	{code(okta.CodeInvalidPassCode), 400, "Okta did not accept the passcode{code}{tried}"},
	{code(okta.CodePassCodeReplayed), 400, passCodeReplayed + "{code}"},
	{code(okta.CodePassCodeTimeWindow), 400, passCodeTimeWindow + "{code}"},
	{withWords(400, 499), 400, `Okta says "{words}"{code}: log in again with that as totp`},
	{code(okta.CodeNextPassCode), 400, "the server of your token wants one more entry, and Okta does not say which: log in again with the next passcode of the token, or ask your Okta administrator what that server wants{code}"},
	{code(okta.CodeFactorRejected), 400, "the request was rejected on your phone{code}" + afterRejection},
	{code(okta.CodeFactorService), 400, "the service behind this factor failed: try again, or use another one{code}"},
	{isA[*okta.Error], 400, "Okta refused the login: {summary}{code}: show this to your Okta administrator"},

	{isA[error], 500, "the okta auth method failed: tell your Vault administrator to look up the reason in Vault's log"},
}

// Sentences that several rows share.
const (
	cannotRenew  = "this token cannot be renewed: log in again."
	otherRenewal = ". Your Vault administrator can set renewal=status, which renews without a password or a factor"

	afterRejection = ": log in again and approve it; or, if you had not asked for it, change your Okta password, because somebody knows it"

	withNonce = `log in by okta-login {who}, which shows it; or send nonce=<nonce>, a random string that is new for each login, to the HTTP API, /v1/{login}, and while that waits read /v1/{mount}verify/<nonce>`

	passCodeReplayed   = "this passcode has been used already: wait for the next one"
	passCodeTimeWindow = "this passcode is of another time: check the clock of the device that shows it, and use the current passcode"
)

// replyTo looks err up in the table.
func replyTo(err error) reply {
	r := table[slices.IndexFunc(table, func(r row) bool { return r.match(err) })]
	text := placeholder.ReplaceAllStringFunc(r.text, func(name string) string { return parts[name](err) })
	if at := find[*mfa.MethodError](err); at != nil {
		text = fmt.Sprintf("MFA method %s: %s", at.Method.Name, text)
	}
	if at := find[*placedError](err); at != nil && at.bare {
		text += fmt.Sprintf(" (bao login drops these fields: write them, with the password, to %s)", loginOf(err))
	}
	if at := find[*placedError](err); at != nil && at.nearest != "" {
		text += ". " + misnamed(at.nearest)
	}
	return reply{r.status, text}
}

// placeholder finds the parts of a row's text that depend on the error.
var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// parts are the words for them. Each is asked only about errors of its rows.
var parts = map[string]func(error) string{
	"{code}":    codeOf,
	"{http}":    func(err error) string { return strconv.Itoa(httpStatus(err)) },
	"{summary}": func(err error) string { return find[*okta.Error](err).Summary },
	"{page}": func(err error) string {
		return " (status " + okta.Clip(string(find[*mfa.UnexpectedError](err).Status), 64) + ")"
	},
	"{words}":       func(err error) string { return find[*okta.Error](err).Words.Reveal() },
	"{unreachable}": func(err error) string { return string(find[*okta.UnreachableError](err).Reason) },
	"{wait}":        func(err error) string { return inWords(waitOf(err)) },
	"{limit}":       func(err error) string { return find[*busyError](err).what },
	"{account}":     func(err error) string { return find[*accountError](err).what },
	"{changed}":     func(err error) string { return find[*changedError](err).what },
	"{reason}":      func(err error) string { return find[*mfa.DeniedError](err).Reason },
	"{problem}":     problemOf,
	"{needs}":       func(err error) string { return needs(find[*needError](err)) },
	"{factors}":     func(err error) string { return factorChoice(find[*mfa.NoFactorError](err), whoOf(err), loginOf(err)) },
	"{forms}":       func(err error) string { return formsOf(find[*mfa.NoFactorError](err)) },
	"{tried}":       triedOn,
	"{mount}":       mountOf,
	"{login}":       loginOf,
	"{who}":         whoOf,
	"{sent}":        func(err error) string { return sentBy(find[*mfa.CodeSentError](err).Factor) },
	"{by}":          func(err error) string { return cmp.Or(find[*mfa.CodeSentError](err).By, "Okta") },
	"{kind}":        func(err error) string { return string(mfa.KindOf(find[*mfa.CodeSentError](err).Factor)) },
	"{method}":      func(err error) string { return find[*mfa.MethodError](err).Method.Name },
	"{unexpected}": func(err error) string {
		e := find[*mfa.UnexpectedError](err)
		return fmt.Sprintf("%s (status %q, factor result %q)", e.Why, okta.Clip(string(e.Status), 64), okta.Clip(string(e.FactorResult), 64))
	},
}

// codeOf is Okta's error code in brackets, for the end of a sentence.
func codeOf(err error) string {
	if e := find[*okta.Error](err); e != nil && e.Code != "" {
		return " (" + e.Code + ")"
	}
	return ""
}

// mountOf is the path of the mount, for commands.
func mountOf(err error) string {
	if at := find[*placedError](err); at != nil {
		return at.mount
	}
	return "auth/<mount>/"
}

// loginOf is the path of the person's logins.
func loginOf(err error) string { return mountOf(err) + "login/" + typedNameOf(err) }

// typedNameOf is the name that the person logs in by, where a shell takes it as it is: what
// was made up to be pasted into one is not repeated.
func typedNameOf(err error) string {
	if at := find[*placedError](err); at != nil && plainWord.MatchString(at.name) {
		return at.name
	}
	return "<name>"
}

// whoOf ends a command okta-login: the person's name, and the mount where it is not the
// one that okta-login takes by itself.
func whoOf(err error) string {
	switch mount := strings.TrimSuffix(strings.TrimPrefix(mountOf(err), "auth/"), "/"); {
	case mount == "okta":
		return typedNameOf(err)
	case plainWord.MatchString(mount):
		return "-mount=" + mount + " " + typedNameOf(err)
	}
	return "-mount=<mount> " + typedNameOf(err)
}

// plainWord matches what means nothing but itself to a shell and to okta-login.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@._+/-]*$`)

// httpStatus is the one of the answer, Okta's or that of a method's service, which
// err is about.
func httpStatus(err error) int {
	if e := find[*mfa.ServiceError](err); e != nil {
		return e.Status
	}
	return find[*okta.Error](err).HTTPStatus
}

func problemOf(err error) string {
	if e := find[*inputError](err); e != nil {
		return e.Error()
	}
	return find[*mfa.CredentialError](err).Problem
}

// defaultWait is the wait after a 429 that does not say how long to wait: the
// windows of Okta's rate limits are a minute.
const defaultWait = time.Minute

// waitOf is how long to wait before another try.
func waitOf(err error) time.Duration {
	if e := find[*busyError](err); e != nil {
		return e.wait
	}
	if e := find[*attempts.BlockedError](err); e != nil {
		return e.Wait
	}
	if e := find[*attempts.BusyError](err); e != nil {
		return e.Wait
	}
	if e := find[*mfa.PassCodesBarredError](err); e != nil {
		return e.Wait
	}
	if e := find[*mfa.ChallengeRefusedError](err); e != nil {
		return e.Wait
	}
	if e := find[*okta.Error](err); e != nil && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	if e := find[*mfa.ServiceError](err); e != nil && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	if errors.Is(err, okta.ErrBusy) {
		return busyWait
	}
	return defaultWait
}

// find returns the first E that err wraps, and nil where it wraps none.
func find[E error](err error) E {
	e, _ := errors.AsType[E](err)
	return e
}

// The rest of this file makes the matches of the table.

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func is(targets ...error) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
}

func inMethod(match func(error) bool) func(error) bool {
	return func(err error) bool { return isA[*mfa.MethodError](err) && match(err) }
}

// code matches Okta's errors with one of the codes.
func code(codes ...string) func(error) bool {
	return func(err error) bool { return isCode(err, codes...) }
}

func isCode(err error, codes ...string) bool {
	e, ok := errors.AsType[*okta.Error](err)
	return ok && slices.Contains(codes, e.Code)
}

// oktaStatus matches Okta's errors with an HTTP status between first and last.
func oktaStatus(first, last int) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*okta.Error](err)
		return ok && first <= e.HTTPStatus && e.HTTPStatus <= last
	}
}

// withWords is oktaStatus for errors that carry words of Okta's for the person.
func withWords(first, last int) func(error) bool {
	status := oktaStatus(first, last)
	return func(err error) bool { return status(err) && !find[*okta.Error](err).Words.IsZero() }
}

// serviceStatus is oktaStatus for the service of an MFA method.
func serviceStatus(first, last int) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*mfa.ServiceError](err)
		return ok && first <= e.Status && e.Status <= last
	}
}

const sentBefore, sentNow = true, false

func codeSent(again bool) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*mfa.CodeSentError](err)
		return ok && e.Again == again
	}
}

const pushWaits, challengesFailed = true, false

func challengeRefused(waiting bool) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*mfa.ChallengeRefusedError](err)
		return ok && e.Waiting == waiting
	}
}
