package okta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"
	"github.com/okta/okta-sdk-golang/v2/okta/cache"
)

// This file has Okta's own SDK make calls, over this package's transport.
// docs/decisions/okta-sdk.md says which calls, and why not the others.

// sdkExecutor is what the SDK sends requests with. It has no connections of its own: each
// request goes to the Client that its context holds, which also proves itself. The SDK's
// NewClient is not used, because it fills its options from files and from the environment,
// and prints to standard output what it cannot read there. An option that is not set here
// is zero: nothing is cached or retried. It is made once, when the process starts: each has
// a goroutine that never ends, which tidies a cache of access tokens that is not used.
var sdkExecutor = sdk.NewRequestExecutor(&http.Client{Transport: viaClient{}}, cache.NewNoOpCache(), options(
	sdk.WithOrgUrl("https://org.invalid"), // the Client knows the org
	sdk.WithAuthorizationMode("SSWS"),     // with an empty token, which goes no further than to viaClient
))

// options returns the SDK's options, of a type that it does not export.
func options[T any](setters ...func(*T)) *T {
	o := new(T)
	for _, set := range setters {
		set(o)
	}
	return o
}

// exchange is one request of the SDK's and what has come of it.
type exchange struct {
	client *Client
	sent   bool
	header http.Header // of the answer
	err    error       // in place of an answer
}

type exchangeKey struct{}

// errExchange stands for the error of an exchange: the SDK repeats a request without end
// where the error wraps io.EOF, and net/http puts the URL into the text.
var errExchange = errors.New("the exchange has failed")

// viaClient is a http.RoundTripper that has the Client of the exchange send the request.
type viaClient struct{}

func (viaClient) RoundTrip(req *http.Request) (*http.Response, error) {
	x := req.Context().Value(exchangeKey{}).(*exchange)
	if x.sent {
		return nil, errExchange // whatever the reason, a request is delivered once
	}
	x.sent = true
	resp, answer, err := x.client.sendProven(req.Context(), req.Method, req.URL.RequestURI(), nil)
	if err == nil && !json.Valid(answer) { // the SDK reads no further than the first document
		err = malformed("not the JSON that was asked for", resp)
	}
	if err != nil {
		x.err = err
		return nil, errExchange
	}
	x.header = resp.Header
	return &http.Response{
		Status: resp.Status, StatusCode: resp.StatusCode, Proto: resp.Proto, ProtoMajor: resp.ProtoMajor, ProtoMinor: resp.ProtoMinor,
		Header: http.Header{"Content-Type": {jsonType}}, // no Link, at which the SDK may panic
		Body:   io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer)), Request: req,
	}, nil
}

// getTyped asks for path by the SDK, and decodes the answer into one of the SDK's types.
// Its errors are those of do.
func (c *Client) getTyped(ctx context.Context, path string, out any) (http.Header, error) {
	executor := *sdkExecutor // each request changes it
	req, err := executor.NewRequest(http.MethodGet, path, nil)
	if err != nil { // whose text is the URL
		return nil, fmt.Errorf("%w: no request can have this path", ErrMalformed)
	}
	x := &exchange{client: c}
	_, err = executor.Do(context.WithValue(ctx, exchangeKey{}, x), req, out)
	switch {
	case x.err != nil:
		return nil, x.err
	case err != nil && ctx.Err() != nil:
		return nil, contextError(ctx.Err())
	case err != nil: // whose text may quote the answer
		return nil, malformedHeader("not the JSON that was asked for", x.header)
	}
	return x.header, nil
}
