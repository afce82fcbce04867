package okta

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEachRequestIsObserved: whatever becomes of a request, Observe is told once, with
// the context of the caller, the endpoint, the result and the time that it took.
func TestEachRequestIsObserved(t *testing.T) {
	t.Parallel()
	type key struct{}
	for name, tc := range map[string]struct {
		reply func(*http.Request) (*http.Response, error)
		want  CallResult
	}{
		"success":              {answers(200, "application/json", `{}`), CallOK},
		"a push that waits":    {answers(202, "application/json", `{"errorCode":"E0000070"}`), CallOK},
		"bad request":          {answers(400, "application/json", `{"errorCode":"E0000001"}`), CallBadRequest},
		"wrong password":       {answers(401, "application/json", `{"errorCode":"E0000004"}`), CallUnauthorized},
		"forbidden":            {answers(403, "application/json", `{"errorCode":"E0000006"}`), CallForbidden},
		"not found":            {answers(404, "application/json", `{"errorCode":"E0000007"}`), CallNotFound},
		"rate limit":           {answers(429, "application/json", `{"errorCode":"E0000047"}`), CallRateLimited},
		"another refusal":      {answers(409, "application/json", `{"errorCode":"E0000113"}`), CallRefused},
		"a status of nobody's": {answers(499, "text/plain", ``), CallRefused},
		"failure":              {answers(503, "text/html", ``), CallFailed},
		"beyond HTTP":          {answers(999, "text/html", ``), CallFailed},
		"redirect":             {answers(302, "text/html", ``), CallMalformed},
		"a page":               {answers(200, "text/html", `<html>`), CallMalformed},
		"closed":               {breaks(io.EOF), CallUnreachable},
		"too slow":             {breaks(os.ErrDeadlineExceeded), CallTimeout},
		"the caller leaves": {func(req *http.Request) (*http.Response, error) {
			req.Context().Value(key{}).(context.CancelFunc)()
			return nil, req.Context().Err()
		}, CallCanceled},
	} {
		f := newFailing()
		f.reply = func(req *http.Request) (*http.Response, error) {
			f.now = f.now.Add(time.Second)
			return tc.reply(req)
		}
		ctx, leave := context.WithCancel(t.Context())
		ctx = context.WithValue(ctx, key{}, leave)
		var told []Call
		f.transport.observe = func(by context.Context, c Call) {
			assert.NotNil(t, by.Value(key{}), name)
			told = append(told, c)
		}
		_, _ = f.OrgID(ctx)
		assert.Equal(t, []Call{{EndpointOrganization, tc.want, time.Second}}, told, name)
		leave()
	}
}

// TestRequestsHeldBackAreObserved: what is not sent at all is told, too, and took no time.
func TestRequestsHeldBackAreObserved(t *testing.T) {
	t.Parallel()
	f := newFailing()
	var told []Call
	f.transport.observe = func(_ context.Context, c Call) { told = append(told, c) }
	for range MaxUnproven {
		f.transport.queue.rooms[shareUnproven] <- struct{}{}
	}
	_, err := f.Authenticate(Unproven(t.Context()), "mia", "password")
	require.ErrorIs(t, err, ErrBusy)
	f.transport.breaker.until = f.now.Add(time.Minute)
	_, err = f.Groups(t.Context(), "00u1")
	require.ErrorIs(t, err, ErrUnreachable)
	assert.Equal(t, []Call{{EndpointAuthn, CallBusy, 0}, {EndpointGroups, CallDown, 0}}, told)
}

// TestListsAreWhole: each constant of the two types is in its list, so that whoever counts
// by the lists counts all.
func TestListsAreWhole(t *testing.T) {
	t.Parallel()
	for typ, listed := range map[string][]string{"Endpoint": texts(Endpoints), "CallResult": texts(CallResults)} {
		var declared []string
		for _, file := range []string{"endpoint.go", "observe.go"} {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`(?m)^\t\w+ +`+typ+` += "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
				declared = append(declared, m[1])
			}
		}
		require.NotEmpty(t, declared)
		assert.Equal(t, declared, listed, strings.ToLower(typ))
	}
}

func texts[T ~string](list []T) (all []string) {
	for _, one := range list {
		all = append(all, string(one))
	}
	return all
}
