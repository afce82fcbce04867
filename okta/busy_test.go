package okta_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestSlowOkta: while all passwords hang, a poll, a read and a cancel are answered,
// over either protocol, and one more password is not sent.
func TestSlowOkta(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, options oktatest.Options, _ string) {
		srv, user := newOrg(t, options)
		push := user.AddPush("WAITING")
		c := newClient(t, srv)
		tx, err := c.Authenticate(t.Context(), login, password)
		require.NoError(t, err)
		tx, err = c.Verify(t.Context(), tx, enrolled(push), "")
		require.NoError(t, err)

		srv.Reset()
		srv.Fail("authn", oktatest.Hang())
		ctx, stop := context.WithCancel(t.Context())
		var strangers sync.WaitGroup
		for i := range okta.MaxAuthentications {
			ctx := ctx
			if i < okta.MaxUnproven {
				ctx = okta.Unproven(ctx)
			}
			strangers.Go(func() { _, _ = c.Authenticate(ctx, "stranger", password) })
		}
		require.Eventually(t, func() bool { return len(srv.Requests()) == okta.MaxAuthentications }, patience, time.Millisecond)

		hasty, leave := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer leave()
		_, err = c.For(okta.Caller{}).Authenticate(hasty, login, password)
		is(okta.ErrBusy)(t, err)

		tx, err = c.Verify(t.Context(), tx, enrolled(push), "")
		require.NoError(t, err)
		_, err = c.Groups(t.Context(), user.ID)
		require.NoError(t, err)
		require.NoError(t, c.Cancel(t.Context(), tx))
		assert.Equal(t, okta.MaxAuthentications, srv.Count("POST", "/api/v1/authn"))
		stop()
		strangers.Wait()
	})
}
