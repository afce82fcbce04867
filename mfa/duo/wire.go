package duo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/duosecurity/duo_api_golang/authapi"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// api returns Duo's library for calls that end with ctx, and after patience where that is
// not zero. The library itself knows no context.
func (l *login) api(ctx context.Context, patience time.Duration) *authapi.AuthApi {
	api := authapi.NewAuthApi(l.method.api())
	api.SetCustomHTTPClient(&http.Client{Transport: transport{l.method.client, ctx, patience}})
	return api
}

// transport passes only those answers on to the library that Duo marks as OK. The library
// itself checks no HTTP status but 429, after which it would sleep, for 32 s in the end,
// and repeat the request: transport never passes a 429 on.
type transport struct {
	client   *service.Client
	ctx      context.Context // of the login; that of the library's request never ends
	patience time.Duration
}

// RoundTrip fails with *refusal, with *mfa.ServiceError or as Client.Send does.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var payload []byte
	if req.Body != nil {
		defer req.Body.Close()
		var err error
		if payload, err = io.ReadAll(req.Body); err != nil { // the library has made the body
			return nil, err
		}
	}
	resp, body, err := t.client.Send(req.WithContext(t.ctx), payload, t.patience, nil)
	if err != nil {
		return nil, err
	}
	var doc failure
	switch err := json.Unmarshal(body, &doc); {
	case err == nil && doc.Stat == "FAIL":
		return nil, doc.refusal(resp, payload)
	case resp.StatusCode != http.StatusOK:
		return nil, service.Refusal(resp)
	case err != nil || doc.Stat != "OK":
		return nil, fmt.Errorf("%w: no document of Duo's", mfa.ErrServiceMalformed)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// failure is an answer of Duo's with the stat FAIL.
// https://duo.com/docs/authapi#response-format
type failure struct {
	Stat    string          `json:"stat"`
	Code    json.RawMessage `json:"code"` // a number, but some answers have an empty string
	Message string          `json:"message"`
	Detail  string          `json:"message_detail"`
}

// refusal makes an error of it, which quotes nothing of the passcode in the request. The
// only other secrets, the keys, are not sent.
func (f failure) refusal(resp *http.Response, request []byte) *refusal {
	code, _ := strconv.Atoi(strings.Trim(string(f.Code), `"`))
	status := resp.StatusCode
	if said := code / 100; said >= http.StatusBadRequest && said < 600 {
		status = said // its first three digits are the HTTP status
	}
	params, _ := url.ParseQuery(string(request))
	return &refusal{
		status: status, code: code, message: okta.HideEcho(f.Message, params.Get("passcode")), detail: f.Detail,
		shown: okta.HideEcho(f.Detail, params.Get("passcode")), wait: service.RetryAfter(resp),
	}
}

// Duo's code for a parameter that is wrong. The detail names it, or says what is wrong.
const codeInvalid = 40002

// refusal is what Duo did not do, and why.
type refusal struct {
	status          int // of HTTP
	code            int // zero: Duo gave none
	message, detail string
	shown           string        // the detail without what was sent
	wait            time.Duration // after which Duo may be asked again; zero: it did not say
}

func (e *refusal) Error() string { return service.Clip(e.message) }

// isIncapable reports whether the person has no device that can do what it was asked.
func (e *refusal) isIncapable() bool {
	return e.status == http.StatusBadRequest && (e.detail == "device" || strings.EqualFold(e.detail, "no capable device"))
}

// meaning returns the error for a caller. The detail names the parameter that is wrong.
// Duo's own example is "username", for a person whom Duo does not know.
func (e *refusal) meaning() error {
	switch {
	case e.status != http.StatusBadRequest:
	case e.detail == "username":
		return mfa.ErrUnknownPerson
	case e.detail == "passcode":
		return mfa.ErrWrongPassCode
	case e.isIncapable():
		return mfa.ErrNoFactor
	}
	message := service.Clip(e.message)
	if e.shown != "" {
		message += ": " + service.Clip(e.shown)
	}
	if e.code != 0 {
		message += fmt.Sprintf(" (code %d%s)", e.code, cure(e.code))
	}
	return &mfa.ServiceError{Status: e.status, Message: message, RetryAfter: e.wait}
}

// cure says to an operator what to correct where Duo refuses the method itself.
func cure(code int) string {
	switch code {
	case 40101, 40102:
		return ": check integration_key and api_hostname"
	case 40103:
		return ": check secret_key and api_hostname"
	case 40104, 40105:
		return ": check the clock of this machine"
	case 40301:
		return `: integration_key must be that of an application of type "Auth API"`
	}
	return ""
}

// refused reports whether Duo has said that it did not do what it was asked.
func refused(err error) bool {
	said, ok := errors.AsType[*refusal](err)
	return ok && service.NotDone(said.status) || service.Refused(err)
}

// meaning returns the error for a caller, from one of the library's. The library has
// either passed on an error of transport's, or could not read a document.
func meaning(err error) error {
	if said, ok := errors.AsType[*refusal](err); ok {
		return said.meaning()
	}
	if passedOn, ok := errors.AsType[*url.Error](err); ok {
		return passedOn.Err // passedOn itself tells the URL, with the transaction in it
	}
	return fmt.Errorf("%w: a document of another shape", mfa.ErrServiceMalformed)
}

func unknownResult(result string) error {
	return fmt.Errorf("%w: the result %q", mfa.ErrServiceMalformed, service.Clip(result))
}

const (
	// longestWait bounds the time for which a login lets Duo rest, in all.
	longestWait = 32 * time.Second
	// leastTime is what a login needs after that.
	leastTime = 10 * time.Second
)

// heed calls do, which sends a request. Where Duo limits the rate and says for how long,
// it has done nothing: heed waits and calls do again, as long as the login has time for
// that.
func (l *login) heed(ctx context.Context, do func() error) error {
	for left := longestWait; ; {
		err := do()
		wait := retryAfter(err)
		deadline, bounded := ctx.Deadline()
		if wait == 0 || wait > left || bounded && time.Until(deadline) < wait+leastTime {
			return err
		}
		left -= wait
		if l.method.clock.Sleep(ctx, wait) != nil {
			return err
		}
	}
}

// retryAfter is the wait that Duo asks for where it limits the rate; otherwise it is zero.
func retryAfter(err error) time.Duration {
	if err == nil {
		return 0
	}
	failed, ok := errors.AsType[*mfa.ServiceError](meaning(err))
	if !ok || failed.Status != http.StatusTooManyRequests {
		return 0
	}
	return failed.RetryAfter
}
