package okta

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slow is a client of an org that answers when the test lets it.
type slow struct {
	*Client
	arrived atomic.Int32  // requests that were sent
	answer  chan struct{} // one element lets one request be answered
}

func newSlow() *slow {
	s := &slow{answer: make(chan struct{})}
	s.Client = wired(func(req *http.Request) (*http.Response, error) {
		s.arrived.Add(1)
		select {
		case <-s.answer:
			return canned(200, "application/json", "", `{"status":"LOCKED_OUT"}`).transport.base.RoundTrip(req)
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	})
	return s
}

// start begins n calls, and returns their errors once all of them wait for
// something.
func start(n int, call func() error) <-chan error {
	errs := make(chan error, n)
	for range n {
		go func() { errs <- call() }()
	}
	synctest.Wait()
	return errs
}

// TestPasswordsLeaveRoom: however many passwords are tried at a slow Okta, what
// belongs to logins whose password was right does not queue behind them.
func TestPasswordsLeaveRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlow()
		open := Transaction{StateToken: NewSecret("00x")}
		password := func() error { _, err := s.For(Caller{}).Authenticate(t.Context(), "mia", "pw"); return err }
		cancel := func() error { return s.Cancel(t.Context(), open) }

		strangers := start(500, password)
		require.EqualValues(t, MaxAuthentications, s.arrived.Load())
		others := start(maxRequests-MaxAuthentications, cancel)
		require.EqualValues(t, maxRequests, s.arrived.Load(), "all of them are sent at once")
		late := start(1, cancel)
		assert.EqualValues(t, maxRequests, s.arrived.Load(), "more than Okta serves are not sent")

		began := time.Now()
		for range 500 - MaxAuthentications {
			assert.ErrorIs(t, <-strangers, ErrBusy)
		}
		assert.ErrorIs(t, <-late, ErrBusy)
		assert.Equal(t, maxQueue, time.Since(began))
		assert.EqualValues(t, maxRequests, s.arrived.Load(), "what is busy was not sent")

		waiting := start(1, cancel)
		s.answer <- struct{}{}
		synctest.Wait()
		assert.EqualValues(t, maxRequests+1, s.arrived.Load(), "an answer makes room for one more")
		for range maxRequests {
			s.answer <- struct{}{}
		}
		for range MaxAuthentications {
			assert.NoError(t, <-strangers)
		}
		for range maxRequests - MaxAuthentications {
			assert.NoError(t, <-others)
		}
		assert.NoError(t, <-waiting)

		again := start(MaxAuthentications, password)
		assert.EqualValues(t, maxRequests+1+MaxAuthentications, s.arrived.Load(), "all room is free again")
		for range MaxAuthentications {
			s.answer <- struct{}{}
			assert.NoError(t, <-again)
		}
	})
}

// TestQueueIsNotTimeout: Okta has its whole time for a request that had to wait, and
// a caller who leaves the queue gets the reason.
func TestQueueIsNotTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlow()
		login := func(ctx context.Context) error { _, err := s.Authenticate(ctx, "mia", "pw"); return err }
		busy := start(MaxAuthentications, func() error { return login(t.Context()) })
		time.Sleep(DefaultTimeout - time.Second) // by the clock of the bubble

		began := time.Now()
		waiting := start(1, func() error { return login(t.Context()) })
		hasty, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		assert.ErrorIs(t, login(hasty), ErrBusy, "the time of its caller is over")
		leaving, leave := context.WithCancel(t.Context())
		left := start(1, func() error { return login(leaving) })
		leave()
		assert.ErrorIs(t, <-left, context.Canceled)

		for range MaxAuthentications {
			assert.ErrorIs(t, <-busy, ErrTimeout)
		}
		assert.Equal(t, time.Second, time.Since(began))
		assert.ErrorIs(t, <-waiting, ErrTimeout)
		assert.Equal(t, time.Second+DefaultTimeout, time.Since(began))
		assert.EqualValues(t, MaxAuthentications+1, s.arrived.Load())
	})
}

// TestUnprovenPasswords: passwords for names that nobody has proven have a share of
// their own. Where it is full, one more is refused at once, and nobody else waits.
func TestUnprovenPasswords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlow()
		password := func(ctx context.Context) func() error {
			return func() error { _, err := s.Authenticate(ctx, "mia", "pw"); return err }
		}
		began := time.Now()
		strangers := start(500, password(Unproven(t.Context())))
		require.EqualValues(t, MaxUnproven, s.arrived.Load())
		for range 500 - MaxUnproven {
			err := <-strangers
			assert.ErrorIs(t, err, ErrBusy)
			assert.True(t, Unsent(err))
		}
		assert.Zero(t, time.Since(began), "at once")

		known := start(MaxAuthentications-MaxUnproven, password(t.Context()))
		polls := start(maxRequests-MaxAuthentications, func() error {
			return s.Cancel(t.Context(), Transaction{StateToken: NewSecret("00x")})
		})
		require.EqualValues(t, maxRequests, s.arrived.Load(), "the others have theirs")
		for range maxRequests {
			s.answer <- struct{}{}
		}
		for _, done := range []struct {
			n    int
			errs <-chan error
		}{{MaxUnproven, strangers}, {MaxAuthentications - MaxUnproven, known}, {maxRequests - MaxAuthentications, polls}} {
			for range done.n {
				assert.NoError(t, <-done.errs)
			}
		}
		again := start(MaxUnproven, password(Unproven(t.Context())))
		for range MaxUnproven {
			s.answer <- struct{}{}
			assert.NoError(t, <-again)
		}
	})
}

// TestDialsOfStrangersAreTheirOwn: a dial goes on after its caller has left. Strangers
// who come and leave while dials hang take no connection of anybody else's, and one
// who gets none is told that the client is busy, not that Okta is slow.
func TestDialsOfStrangersAreTheirOwn(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"LOCKED_OUT"}`)
	}))
	srv.StartTLS() // which offers HTTP/1.1 only
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c, err := New(Config{OrgURL: srv.URL, RootCAs: roots, Timeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	over, dials := make(chan struct{}), new(atomic.Int32)
	t.Cleanup(func() { close(over) })
	for _, w := range []wire{c.transport.base, c.transport.apart} {
		tr := w.(*http.Transport)
		dial := tr.DialContext
		tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if ctx.Value(unprovenKey{}) == nil {
				return dial(ctx, network, address)
			}
			httptrace.ContextClientTrace(ctx).ConnectStart(network, address)
			dials.Add(1)
			<-over
			return nil, net.ErrClosed
		}
	}
	stranger := func(ctx context.Context) error {
		_, err := c.Authenticate(Unproven(ctx), "mia", "pw")
		return err
	}
	for range maxRequests + MaxUnproven { // more than there are connections in all
		ctx, leave := context.WithCancel(t.Context())
		before := dials.Load()
		left := make(chan error, 1)
		go func() { left <- stranger(ctx) }()
		if before < MaxUnproven {
			for dials.Load() == before {
				runtime.Gosched()
			}
		}
		leave()
		assert.ErrorIs(t, <-left, context.Canceled)
	}
	assert.EqualValues(t, MaxUnproven, dials.Load(), "dials that hang")

	_, err = c.Authenticate(t.Context(), "mia", "pw")
	require.NoError(t, err)
	c.transport.timeout = 10 * time.Millisecond // whichever it is: no dial ends
	err = stranger(t.Context())
	assert.ErrorIs(t, err, ErrBusy)
	assert.True(t, Unsent(err))
}
