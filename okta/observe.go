package okta

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Call is a request to Okta that has ended, as Config.Observe gets it.
type Call struct {
	Endpoint Endpoint // "" for a path that is none of Endpoints
	Result   CallResult

	// Duration is the time from when a connection was asked for to the last byte of the
	// answer; zero for a request that was held back before.
	Duration time.Duration
}

// CallResult says in one word how a call ended.
type CallResult string

// The results of calls. An answer has its HTTP status, or the class of that.
const (
	CallOK           CallResult = "2xx"
	CallBadRequest   CallResult = "400"
	CallUnauthorized CallResult = "401"
	CallForbidden    CallResult = "403"
	CallNotFound     CallResult = "404"
	CallRateLimited  CallResult = "429"
	CallRefused      CallResult = "4xx"         // any other
	CallFailed       CallResult = "5xx"         // or another status that is an error
	CallMalformed    CallResult = "malformed"   // ErrMalformed
	CallTimeout      CallResult = "timeout"     // ErrTimeout
	CallUnreachable  CallResult = "unreachable" // ErrUnreachable
	CallCanceled     CallResult = "canceled"    // whoever asked has left
	CallBusy         CallResult = "busy"        // ErrBusy: not sent
	CallDown         CallResult = "down"        // *DownError: not sent
)

// CallResults are all results.
var CallResults = []CallResult{
	CallOK, CallBadRequest, CallUnauthorized, CallForbidden, CallNotFound, CallRateLimited, CallRefused,
	CallFailed, CallMalformed, CallTimeout, CallUnreachable, CallCanceled, CallBusy, CallDown,
}

// resultOf sorts the error of a request. Okta's E0000070, of a push that waits, is an
// error document with status 202.
func resultOf(err error) CallResult {
	if err == nil {
		return CallOK
	}
	if said, ok := errors.AsType[*Error](err); ok {
		return resultOfStatus(said.HTTPStatus)
	}
	if _, down := errors.AsType[*DownError](err); down {
		return CallDown
	}
	for _, known := range []struct {
		err    error
		result CallResult
	}{{ErrBusy, CallBusy}, {ErrTimeout, CallTimeout}, {context.Canceled, CallCanceled}, {ErrMalformed, CallMalformed}} {
		if errors.Is(err, known.err) {
			return known.result
		}
	}
	return CallUnreachable
}

func resultOfStatus(status int) CallResult {
	switch {
	case status >= 200 && status < 300:
		return CallOK
	case status < 400 || status >= 500:
		return CallFailed
	}
	switch status {
	case http.StatusBadRequest:
		return CallBadRequest
	case http.StatusUnauthorized:
		return CallUnauthorized
	case http.StatusForbidden:
		return CallForbidden
	case http.StatusNotFound:
		return CallNotFound
	case http.StatusTooManyRequests:
		return CallRateLimited
	}
	return CallRefused
}
