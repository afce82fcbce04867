package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// maxText bounds a service's text in an error, in characters.
const maxText = 256

// sendError sorts an error of the network, and tells what an administrator may read of it.
func sendError(ctx context.Context, err error) error {
	netErr, isNet := errors.AsType[net.Error](err)
	switch done := ctx.Err(); {
	case errors.Is(done, context.Canceled):
		return context.Canceled
	case done != nil, isNet && netErr.Timeout():
		return mfa.ErrServiceTimeout
	}
	return fmt.Errorf("%w: %s", mfa.ErrServiceUnreachable, okta.NetworkDetail(err))
}

// Refusal makes an error of an answer whose HTTP status is not 200 and whose body
// says nothing that is known. A redirect is malformed: an API does not redirect, so
// something else answers in its place.
func Refusal(resp *http.Response) error {
	if resp.StatusCode < 400 {
		return fmt.Errorf("%w: HTTP status %d", mfa.ErrServiceMalformed, resp.StatusCode)
	}
	return &mfa.ServiceError{
		Status: resp.StatusCode, Message: http.StatusText(resp.StatusCode), RetryAfter: RetryAfter(resp),
	}
}

// maxRetryAfter bounds how long a service may ask to be left alone.
const maxRetryAfter = time.Hour

// RetryAfter is how long the service wants not to be asked, by the header Retry-After or
// X-Retry-After, in seconds or as a date. A date is counted from the answer's own Date, so
// that the clock of this machine does not matter. Zero means that the service did not say.
func RetryAfter(resp *http.Response) time.Duration {
	said := cmp.Or(resp.Header.Get("Retry-After"), resp.Header.Get("X-Retry-After"))
	if said == "" {
		return 0
	}
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(said, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if until, err := http.ParseTime(said); err == nil {
		now, err := http.ParseTime(resp.Header.Get("Date"))
		if err != nil {
			return 0
		}
		wait = until.Sub(now)
	} else {
		return 0
	}
	return min(max(wait, time.Second), maxRetryAfter)
}

// Refused reports whether err is a *mfa.ServiceError by which the service has done
// nothing of what it was asked.
func Refused(err error) bool {
	failed, ok := errors.AsType[*mfa.ServiceError](err)
	return ok && NotDone(failed.Status)
}

// NotDone reports whether an answer with that HTTP status says that nothing was
// done. A proxy may say 408 after it has passed the request on.
func NotDone(status int) bool {
	return status < http.StatusInternalServerError && status != http.StatusRequestTimeout
}

// Clip makes a text of a service fit for an error: it cuts off what is too long and
// replaces what a terminal would not print.
func Clip(s string) string { return okta.Clip(s, maxText) }

// Denied makes an error of a denial, in the words of the service.
func Denied(words ...string) error {
	var said []string
	for _, s := range words {
		if s != "" {
			said = append(said, Clip(s))
		}
	}
	return &mfa.DeniedError{Reason: cmp.Or(strings.Join(said, ": "), "no reason was given")}
}
