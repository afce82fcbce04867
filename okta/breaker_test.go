package okta

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// failing is a client of an org that answers what the test sets, and its clock.
type failing struct {
	*Client
	mu    sync.Mutex
	now   time.Time
	sent  int
	reply func(*http.Request) (*http.Response, error)
}

func newFailing() *failing {
	f := &failing{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	f.Client = wired(func(req *http.Request) (*http.Response, error) {
		f.mu.Lock()
		f.sent++
		reply := f.reply
		f.mu.Unlock()
		return reply(req)
	})
	f.transport.now = func() time.Time { return f.now }
	return f
}

// answers replies to each request with a status and a body of that type.
func answers(status int, contentType, body string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Request: req, Header: http.Header{"Content-Type": {contentType}},
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	}
}

func breaks(err error) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		deliver(req)
		return nil, err
	}
}

// deliver lets a request look written.
func deliver(req *http.Request) { httptrace.ContextClientTrace(req.Context()).WroteHeaders() }

var (
	asOkta  = answers(503, "application/json", `{"errorCode":"E0000010","errorId":"oae1"}`)
	asPage  = answers(502, "text/html", "<html>")
	refuses = func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	rejects = answers(401, "application/json", `{"errorCode":"E0000004","errorId":"oae1"}`)
)

func (f *failing) stranger() error {
	_, err := f.Authenticate(Unproven(context.Background()), "bad name", "pw")
	return err
}

func (f *failing) known() error {
	_, err := f.Authenticate(context.Background(), "mia", "pw")
	return err
}

func (f *failing) poll() error {
	_, err := f.Skip(context.Background(), Transaction{StateToken: NewSecret("00x")})
	return err
}

// fail makes so many requests, a second apart.
func (f *failing) fail(n int, request func() error) (down int) {
	for range n {
		if is := new(DownError); errors.As(request(), &is) {
			down++
		}
		f.now = f.now.Add(time.Second)
	}
	return down
}

// TestBreaker: after five failures in a row nothing is sent for a moment, then one
// request, and all others again once that has an answer.
func TestBreaker(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]func(*http.Request) (*http.Response, error){
		"refused": refuses, "closed": breaks(io.EOF), "Okta's 503": asOkta, "a gateway's page": asPage,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFailing()
			f.reply = reply
			require.Zero(t, f.fail(breakAfter, f.poll))
			require.Equal(t, breakAfter, f.sent)
			for _, request := range []func() error{f.poll, f.known, f.stranger} {
				err := request()
				is := new(DownError)
				require.ErrorAs(t, err, &is)
				assert.Equal(t, 4*time.Second, is.Wait)
				assert.ErrorIs(t, err, ErrUnreachable)
				assert.True(t, Unsent(err))
			}
			require.Equal(t, breakAfter, f.sent, "nothing is sent")
			assert.Error(t, f.Cancel(t.Context(), Transaction{StateToken: NewSecret("00x")}))
			require.Equal(t, breakAfter+1, f.sent, "but what takes something back")
			f.sent--

			f.now = f.now.Add(4 * time.Second)
			assert.Error(t, f.known())
			assert.Equal(t, breakAfter+1, f.sent, "one finds out")
			assert.Equal(t, 1, f.fail(1, f.poll), "and fails")
			f.now = f.now.Add(4 * time.Second)
			f.reply = rejects // a sign of life
			assert.Zero(t, f.fail(3, f.known))
			f.reply = reply
			assert.Zero(t, f.fail(breakAfter, f.known), "they are counted anew")
		})
	}
}

// TestBreakerLetsOneFindOut: while one request finds out, all others are refused, but
// a stranger's that hangs holds nobody else up.
func TestBreakerLetsOneFindOut(t *testing.T) {
	t.Parallel()
	f := newFailing()
	f.reply = refuses
	f.fail(breakAfter, f.stranger)
	f.now = f.now.Add(breakPause)

	arrived, hang := make(chan bool), make(chan bool)
	f.mu.Lock()
	f.reply = func(req *http.Request) (*http.Response, error) {
		arrived <- true
		<-hang
		return nil, req.Context().Err()
	}
	f.mu.Unlock()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, err := f.Authenticate(Unproven(ctx), "slow", "pw"); left <- err }()
	<-arrived
	is := new(DownError)
	require.ErrorAs(t, f.stranger(), &is)
	assert.Equal(t, probeWait, is.Wait)
	f.mu.Lock()
	f.reply = rejects
	f.mu.Unlock()
	assert.NotErrorIs(t, f.known(), ErrUnreachable, "which finds out by itself")
	assert.NotErrorIs(t, f.stranger(), ErrUnreachable, "Okta is back")
	leave()
	close(hang)
	assert.Error(t, <-left)
}

// TestBreakerIsNoWeapon: no answer to what a stranger sent, and none that Okta gives to
// anybody, keeps others from Okta. Neither do those who leave, and many connections that
// break at one moment.
func TestBreakerIsNoWeapon(t *testing.T) {
	t.Parallel()
	slow := breaks(context.DeadlineExceeded)
	for name, tc := range map[string]struct {
		reply   func(*http.Request) (*http.Response, error)
		request func(f *failing) func() error
	}{
		"a bad name that Okta fails about":      {asOkta, func(f *failing) func() error { return f.stranger }},
		"a bad name that a firewall answers":    {asPage, func(f *failing) func() error { return f.stranger }},
		"a bad name that closes the connection": {breaks(io.EOF), func(f *failing) func() error { return f.stranger }},
		"a name that makes Okta slow":           {slow, func(f *failing) func() error { return f.known }},
		"401":                                   {rejects, func(f *failing) func() error { return f.known }},
		"429":                                   {answers(429, "application/json", `{"errorCode":"E0000047"}`), func(f *failing) func() error { return f.poll }},
		"403 of a firewall":                     {answers(403, "text/html", "<html>"), func(f *failing) func() error { return f.poll }},
		"a page as success":                     {answers(200, "text/html", "<html>"), func(f *failing) func() error { return f.poll }},
		"a caller who leaves": {breaks(context.Canceled), func(f *failing) func() error {
			return func() error {
				ctx, leave := context.WithCancel(context.Background())
				leave()
				_, err := f.Skip(ctx, Transaction{StateToken: NewSecret("00x")})
				return err
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFailing()
			f.reply = tc.reply
			assert.Zero(t, f.fail(3*breakAfter, tc.request(f)))
			f.reply = rejects
			assert.NotErrorIs(t, f.known(), ErrUnreachable)
		})
	}
	t.Run("at one moment", func(t *testing.T) {
		t.Parallel()
		f := newFailing()
		f.reply = breaks(io.EOF)
		for range 3 * breakAfter {
			assert.ErrorIs(t, f.poll(), ErrUnreachable)
		}
		assert.Equal(t, 3*breakAfter, f.sent)
	})
}
