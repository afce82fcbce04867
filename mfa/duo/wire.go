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
	"time"

	"github.com/duosecurity/duo_api_golang/authapi"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
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
	var doc struct {
		Stat    string `json:"stat"`
		Message string `json:"message"`
		Detail  string `json:"message_detail"`
	}
	switch err := json.Unmarshal(body, &doc); {
	case err == nil && doc.Stat == "FAIL":
		return nil, &refusal{resp.StatusCode, doc.Message, doc.Detail}
	case resp.StatusCode != http.StatusOK:
		return nil, service.Refusal(resp)
	case err != nil || doc.Stat != "OK":
		return nil, fmt.Errorf("%w: no document of Duo's", mfa.ErrServiceMalformed)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// refusal is an answer of Duo's with the stat FAIL.
type refusal struct {
	status          int // of HTTP
	message, detail string
}

func (e *refusal) Error() string { return service.Clip(e.message) }

// meaning returns the error for a caller. The detail names the parameter that is wrong.
// Duo's own example is "username", for a person whom Duo does not know.
// https://duo.com/docs/authapi#response-format
func (e *refusal) meaning() error {
	if e.status == http.StatusBadRequest {
		switch e.detail {
		case "username":
			return mfa.ErrUnknownPerson
		case "passcode":
			return mfa.ErrWrongPassCode
		case "device":
			return mfa.ErrNoFactor
		}
	}
	message := service.Clip(e.message)
	if e.detail != "" {
		message += ": " + service.Clip(e.detail)
	}
	return &mfa.ServiceError{Status: e.status, Message: message}
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
