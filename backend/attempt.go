package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// attempt is what is logged and counted of one request to log in or to renew a token. It
// is in the context of the request. A nil attempt is that of any other request.
type attempt struct {
	kind      string
	requestID string // by which the audit log knows the request
	began     time.Time

	// These belong to the goroutine that serves the request.

	event event    // of the last answer; "" while there is none
	by    mfa.Kind // the factor that Okta's challenge was about; "" for none

	mu    sync.Mutex
	calls []okta.Call // the first maxCalls
	more  int
}

const (
	kindLogin   = "login"
	kindRenewal = "renewal"

	// maxCalls is how many requests to Okta a line of the log tells one by one. A login
	// that waits for a push makes one more every few seconds.
	maxCalls = 16
)

var attemptKinds = []string{kindLogin, kindRenewal}

type attemptKey struct{}

// begin begins the attempt of a request, if it is one.
func (b *backend) begin(ctx context.Context, req *logical.Request) (context.Context, *attempt) {
	a := &attempt{kind: kindLogin, requestID: req.ID, began: b.now()}
	switch {
	case req.Operation == logical.RenewOperation:
		a.kind = kindRenewal
	case req.Operation != logical.UpdateOperation || !strings.HasPrefix(req.Path, "login/"):
		return ctx, nil
	}
	return a.in(ctx), a
}

// in is ctx with the attempt in it. A read of groups has a context of its session's.
func (a *attempt) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// end counts an attempt by its answer, and logs a success. Answers of held logins that
// wait for somebody count as nothing, and so do requests that another node will serve.
func (b *backend) end(a *attempt, resp *logical.Response, err error) {
	switch {
	case a == nil || errors.Is(err, logical.ErrReadOnly):
		return
	case err == nil && resp != nil && resp.Auth != nil:
		a.event = eventLoginOK
		b.Logger().Info("login succeeded", append([]any{"event", a.event}, a.details(b.now())...)...)
	case a.event == "" && (err != nil || resp.IsError()): // refused before the login began
		a.event = eventLoginDenied
	}
	if a.event != "" {
		b.stats.logins.add(a.kind, string(a.event))
		b.notifyAnswer(a)
	}
}

// answered notes how the attempt is answered.
func (a *attempt) answered(e event) {
	if a != nil {
		a.event = e
	}
}

// used notes the factor of the attempt's session.
func (a *attempt) used(kind mfa.Kind) {
	if a != nil {
		a.by = kind
	}
}

// observe counts a request to Okta. It is the Observe of all clients of the mount.
func (b *backend) observe(ctx context.Context, call okta.Call) {
	b.stats.observe(call)
	a := attemptOf(ctx)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.calls) == maxCalls {
		a.more++
		return
	}
	a.calls = append(a.calls, call)
}

// details are what each line about the attempt says of it.
func (a *attempt) details(now time.Time) (args []any) {
	if a == nil {
		return nil
	}
	args = []any{"kind", a.kind, "request_id", a.requestID, "duration_ms", now.Sub(a.began).Milliseconds()}
	if a.by != "" {
		args = append(args, "factor", string(a.by))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	told := make([]string, len(a.calls))
	for i, call := range a.calls {
		told[i] = fmt.Sprintf("%s %s %dms", endpointLabel(call.Endpoint), call.Result, call.Duration.Milliseconds())
	}
	if a.more > 0 {
		told = append(told, fmt.Sprintf("%d more", a.more))
	}
	if len(told) > 0 {
		args = append(args, "okta_calls", strings.Join(told, ", "))
	}
	return args
}
