package okta_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestCancelledContext: each call stops at once when its caller does.
func TestCancelledContext(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, options oktatest.Options, _ string) {
		options.PageSize = 1
		srv, mia := newOrg(t, options)
		mia.SetGroups("Everyone", "Scientists")
		for _, call := range calls(t, srv, mia) {
			t.Run(call.name, func(t *testing.T) {
				c := newClient(t, srv)
				srv.Reset()
				srv.ClearFaults()
				srv.Fail(call.endpoint, oktatest.Hang().After(call.pass))

				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- call.do(ctx, c) }()
				for srv.Count(call.method, call.path) <= call.pass {
					time.Sleep(time.Millisecond)
				}
				cancel()
				err := <-done
				assert.ErrorIs(t, err, context.Canceled)
				assert.NotErrorIs(t, err, okta.ErrTimeout)
				assert.NotErrorIs(t, err, okta.ErrUnreachable)
				assert.Equal(t, call.pass+1, srv.Count(call.method, call.path))

				srv.Reset()
				assert.ErrorIs(t, call.do(ctx, c), context.Canceled, "a context that has ended before")
				assert.Empty(t, srv.Requests(), "a context that has ended before")

				// The reason given for a cancellation does not hide that it is one.
				ctx, cause := context.WithCancelCause(t.Context())
				cause(assert.AnError)
				assert.ErrorIs(t, call.do(ctx, c), context.Canceled)
			})
		}
	})
}

func TestCallersDeadline(t *testing.T) {
	t.Parallel()
	srv, mia := newOrg(t)
	c := newClient(t, srv)
	_, err := c.Authenticate(t.Context(), login, password) // so that there is a connection
	require.NoError(t, err)
	for _, call := range calls(t, srv, mia) {
		t.Run(call.name, func(t *testing.T) {
			srv.Fail(call.endpoint, oktatest.HangBody())
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			assert.ErrorIs(t, call.do(ctx, c), okta.ErrTimeout)
			assert.Less(t, time.Since(start), patience/2)
		})
	}
}
