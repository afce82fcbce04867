package mfa

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	duoapi "github.com/duosecurity/duo_api_golang"
	"github.com/duosecurity/duo_api_golang/authapi"
)

// duoDomains are where Duo's services are, for the public and for the federal
// government of the United States.
var duoDomains = []string{"duosecurity.com", "duofederal.com"}

// duoRoots are the certificate authorities that Duo's library pins. Should it hand
// none out one day, nothing is trusted rather than everything.
var duoRoots = sync.OnceValue(func() *x509.CertPool {
	var roots *x509.CertPool
	duoapi.NewDuoApi("", "", "", "", duoapi.SetTransport(func(t *http.Transport) { roots = t.TLSClientConfig.RootCAs }))
	return cmp.Or(roots, x509.NewCertPool())
})

// roots are the authorities to trust. Duo's are pinned for its own domains only:
// nobody else has a certificate of those, so that for another host, a simulated
// Duo for example, pinning would be no protection but a failure.
func (c DuoConfig) roots() *x509.CertPool {
	host := strings.ToLower((&url.URL{Host: c.APIHostname}).Hostname())
	for _, domain := range duoDomains {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return duoRoots()
		}
	}
	return c.RootCAs
}

// api is Duo's library for calls that end with ctx, of which the library knows
// nothing, or after patience where that is not zero.
func (l *duoLogin) api(ctx context.Context, patience time.Duration) *authapi.AuthApi {
	api := authapi.NewAuthApi(l.duo.api())
	api.SetCustomHTTPClient(&http.Client{Transport: duoTransport{l.duo.service, ctx, patience}})
	return api
}

// duoTransport hands nothing but those answers to the library that Duo marks as
// OK. The library looks at no status but 429, after which it would sleep, for 32 s
// in the end, and ask again: that one never reaches it.
type duoTransport struct {
	service  *service
	ctx      context.Context // of the login: the library has a request of its own without
	patience time.Duration
}

// RoundTrip fails with *duoRefusal, *ServiceError or as send does.
func (t duoTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var payload []byte
	if req.Body != nil {
		defer req.Body.Close()
		var err error
		if payload, err = io.ReadAll(req.Body); err != nil { // of the library's own making
			return nil, err
		}
	}
	resp, body, err := t.service.send(req.WithContext(t.ctx), payload, t.patience, nil)
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
		return nil, &duoRefusal{resp.StatusCode, doc.Message, doc.Detail}
	case resp.StatusCode != http.StatusOK:
		return nil, refusal(resp)
	case err != nil || doc.Stat != "OK":
		return nil, fmt.Errorf("%w: no document of Duo's", ErrServiceMalformed)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// duoRefusal is a document of Duo's that says FAIL.
type duoRefusal struct {
	status          int // of HTTP
	message, detail string
}

func (e *duoRefusal) Error() string { return clipText(e.message) }

// meaning is the error for a caller. Where a parameter is wrong, the detail is its
// name; that of the example in Duo's documentation is "username", for somebody
// whom Duo does not know.
// https://duo.com/docs/authapi#response-format
func (e *duoRefusal) meaning() error {
	if e.status == http.StatusBadRequest {
		switch e.detail {
		case "username":
			return ErrUnknownPerson
		case "passcode":
			return ErrWrongPassCode
		case "device":
			return ErrNoFactor
		}
	}
	message := clipText(e.message)
	if e.detail != "" {
		message += ": " + clipText(e.detail)
	}
	return &ServiceError{Status: e.status, Message: message}
}

// refusedByDuo reports whether Duo has definitely not done what it was asked.
func refusedByDuo(err error) bool {
	var refused *duoRefusal
	var failed *ServiceError
	return errors.As(err, &refused) && notDone(refused.status) || errors.As(err, &failed) && notDone(failed.Status)
}

// duoError is the error for a caller, from one of the library's: that has either
// passed on what duoTransport said, or could not read a document.
func duoError(err error) error {
	var refused *duoRefusal
	var passedOn *url.Error // whose text is the URL, and the transaction in it
	switch {
	case errors.As(err, &refused):
		return refused.meaning()
	case errors.As(err, &passedOn):
		return passedOn.Err
	}
	return fmt.Errorf("%w: a document of another shape", ErrServiceMalformed)
}

func unknownResult(result string) error {
	return fmt.Errorf("%w: the result %q", ErrServiceMalformed, clipText(result))
}

// denied is a denial in the words of a service.
func denied(words ...string) error {
	var said []string
	for _, s := range words {
		if s != "" {
			said = append(said, clipText(s))
		}
	}
	return &DeniedError{Reason: cmp.Or(strings.Join(said, ": "), "no reason was given")}
}
