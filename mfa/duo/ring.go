package duo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/duosecurity/duo_api_golang/authapi"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
)

// ring is a push, or a call, to one of the person's devices.
type ring struct {
	*login
	choice
	said preauth
}

// run makes the phone ring, once, and waits for the person's answer. Duo has no way to
// take that back: where ctx ends, nobody asks for the answer any more.
func (r *ring) run(ctx context.Context, x mfa.Exchange, sent func(mfa.Waiting)) error {
	if r.said.demandsCode() && r.factor == factorAuto && r.device.can(factorPush) {
		r.factor = factorPush // Duo says nothing of a Verified Push by any other factor
	}
	if r.said.demandsCode() && r.factor == factorPush {
		if err := r.takeCode(ctx, x); err != nil || r.said.allowed {
			return mfa.MarkNotSent(err)
		}
	}
	result, err := r.auth(ctx, r.factor, r.options()...)
	switch {
	case refused(err):
		return mfa.MarkNotSent(r.meaning(err))
	case err != nil:
		return meaning(err)
	case result.Response.Txid == "":
		return fmt.Errorf("%w: a push without a transaction", mfa.ErrServiceMalformed)
	}
	waiting := mfa.Waiting{Device: r.device.label()}
	if r.factor == factorPush && r.said.demandsCode() {
		waiting.Number, waiting.ExpiresAt = r.said.number(waiting.Device), r.said.expires
	}
	sent(waiting)
	return r.await(ctx, x, result.Response.Txid)
}

// meaning is that of an error for a caller who asked for this factor of this device.
func (r *ring) meaning(err error) error {
	if said, ok := errors.AsType[*refusal](err); ok && said.isIncapable() {
		return incapable(noPhone, r.factor, r.said.devices)
	}
	return meaning(err)
}

const (
	// freshCode is the age up to which a code is used. It lives for 60 s.
	freshCode = 5 * time.Second
	// mostCodes is how many codes a login asks for.
	mostCodes = 4
)

// takeCode makes sure that the login can show the code, and that most of its time is
// left: a login that had to wait before the push asks for another one. So does one whose
// code begins with a zero, where it can: "vault login" reads a number and prints it without
// the zero.
func (r *ring) takeCode(ctx context.Context, x mfa.Exchange) error {
	switch {
	case !x.Numbers && x.Shown:
		return mfa.ErrNumberShown
	case !x.Numbers:
		return mfa.ErrCodeUnshown
	}
	for n := 1; n < mostCodes; n++ {
		stale := x.Clock.Now().Sub(r.said.asked) > freshCode
		if !r.said.demandsCode() || !stale && !strings.HasPrefix(r.said.code, "0") {
			break
		}
		var err error
		if r.said, err = r.preauth(ctx); err != nil {
			return err
		}
	}
	return nil
}

// options are the parameters of the factor.
func (r *ring) options() []func(*url.Values) {
	options := []func(*url.Values){authapi.AuthDevice(cmp.Or(r.device.ID, "auto")), authapi.AuthAsync()}
	if r.method.pushInfo != "" && r.factor != factorCall {
		options = append(options, authapi.AuthPushinfo(r.method.pushInfo))
	}
	if r.factor == factorPush && r.said.demandsCode() {
		options = append(options, func(params *url.Values) { params.Set("txid", r.said.txid) })
	}
	return options
}

const (
	// shortestPause is the time after a poll that Duo has held until it had news, or ended
	// without any: the next one is due.
	shortestPause = 500 * time.Millisecond
	// longestPause is the time between two polls where one after the other has failed.
	longestPause = 8 * time.Second
)

// await polls until the person has answered. Duo may hold a poll until it has news; where
// it answers at once, polls are as far apart as those of Okta's pushes. A poll that fails
// ends nothing, since Duo can be asked again, unless the next one would fail in the same
// way. Where they fail to the end, the last failure is the reason.
func (r *ring) await(ctx context.Context, x mfa.Exchange, txid string) error {
	failed, pause := error(nil), shortestPause // after the last failure
	began := x.Clock.Now()
	for first := true; x.Clock.Now().Before(x.Until); first = false {
		asked := x.Clock.Now()
		result, err := r.api(ctx, 0).AuthStatus(txid)
		next := max(shortestPause, asked.Add(mfa.PollPause(asked.Sub(began), first)).Sub(x.Clock.Now()))
		switch {
		case err == nil:
			if over, err := r.judge(result); over {
				return err
			}
			failed, pause = nil, shortestPause
		case hasNoNews(err):
			failed, pause = nil, shortestPause
		case ctx.Err() == nil && mayAskAgain(err):
			pause = max(min(2*pause, longestPause), retryAfter(err))
			failed, next = meaning(err), pause
		default:
			return meaning(err)
		}
		if left := x.Until.Sub(x.Clock.Now()); failed != nil && next > left {
			break
		}
		if err := x.Clock.Sleep(ctx, next); err != nil {
			return err
		}
	}
	return cmp.Or(failed, mfa.ErrPushTimeout)
}

// judge says whether the push or the call is over, and nil where it was approved.
func (r *ring) judge(result *authapi.AuthStatusResult) (over bool, err error) {
	switch answer := result.Response; {
	case answer.Result == resultAllow:
		return true, nil
	case answer.Result == resultDeny:
		return true, denied(answer.Status, answer.Status_Msg)
	case answer.Result == resultWaiting && answer.Status == statusTimeout:
		return true, mfa.ErrPushTimeout
	case answer.Result == resultWaiting:
		return false, nil
	default:
		return true, unknownResult(answer.Result)
	}
}

// denied makes an error of a push that was not approved.
func denied(status, message string) error {
	switch status {
	case statusTimeout:
		return mfa.ErrPushTimeout
	case resultDeny, statusFraud:
		return mfa.ErrRejected
	}
	return service.Denied(cmp.Or(message, status))
}

// hasNoNews reports whether a poll was answered with the error by which Duo may end one
// that has no news. https://duo.com/docs/authapi#/auth_status
func hasNoNews(err error) bool {
	said, ok := errors.AsType[*refusal](err)
	return ok && said.code == codeInvalid
}

// mayAskAgain reports whether a poll has failed in a way that another one need not.
func mayAskAgain(err error) bool {
	err = meaning(err)
	if failed, ok := errors.AsType[*mfa.ServiceError](err); ok {
		return failed.Status >= http.StatusInternalServerError || failed.Status == http.StatusTooManyRequests ||
			failed.Status == http.StatusRequestTimeout
	}
	return errors.Is(err, mfa.ErrServiceUnreachable) || errors.Is(err, mfa.ErrServiceTimeout)
}
