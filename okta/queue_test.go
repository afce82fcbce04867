package okta

import (
	"context"
	"net/http"
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
