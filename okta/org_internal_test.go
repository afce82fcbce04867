package okta

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// asked is a client whose requests for the org's id are answered by hand.
type asked struct {
	*Client
	requests int
	answers  chan string // a body; an empty one is no answer at all
}

func newAsked() *asked {
	a := &asked{answers: make(chan string)}
	a.Client = wired(func(req *http.Request) (*http.Response, error) {
		a.requests++
		select {
		case body := <-a.answers:
			if body == "" {
				return nil, io.EOF
			}
			return canned(200, "application/json", "", body).transport.base.RoundTrip(req)
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	})
	return a
}

type orgAnswer struct {
	id  string
	err error
}

// wait lets n callers ask for the id, and returns once all of them wait.
func (a *asked) wait(ctx context.Context, n int) <-chan orgAnswer {
	got := make(chan orgAnswer, n)
	for range n {
		go func() {
			id, err := a.For(Caller{}).OrgID(ctx)
			got <- orgAnswer{id, err}
		}()
	}
	synctest.Wait()
	return got
}

// TestOrgIDIsAskedForByOne: callers at the same time share one request, its answer
// and its error, but not the end of another's context.
func TestOrgIDIsAskedForByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAsked()
		got := a.wait(t.Context(), 20)
		assert.Equal(t, 1, a.requests)
		a.answers <- ""
		for range 20 {
			answer := <-got
			assert.ErrorIs(t, answer.err, ErrUnreachable)
			assert.Empty(t, answer.id)
		}
		assert.ErrorIs(t, (<-a.wait(t.Context(), 1)).err, ErrUnreachable)
		assert.Equal(t, 1, a.requests, "an error is shared with all who waited for it, and kept for a while")

		time.Sleep(orgFailureLife) // of this bubble
		impatient, leave := context.WithCancel(t.Context())
		first := a.wait(impatient, 1)
		got = a.wait(t.Context(), 20)
		assert.Equal(t, 2, a.requests, "an error is not kept for long")
		leave()
		assert.ErrorIs(t, (<-first).err, context.Canceled)
		synctest.Wait()
		assert.Equal(t, 3, a.requests, "one of those who still wait asks again")

		late := a.wait(impatient, 1)
		assert.ErrorIs(t, (<-late).err, context.Canceled, "who leaves does not wait for the answer")
		a.answers <- `{"id":"00o1acme"}`
		for range 20 {
			assert.Equal(t, orgAnswer{"00o1acme", nil}, <-got)
		}
		assert.Equal(t, orgAnswer{"00o1acme", nil}, <-a.wait(t.Context(), 1))
		assert.Equal(t, 3, a.requests, "an id is kept")
	})
}
