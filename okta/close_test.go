package okta_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Close ends the calls that are on their way, and none is sent after it.
func TestClose(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	_, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	srv.Fail("authn", oktatest.Hang())
	var calls sync.WaitGroup
	calls.Go(func() {
		_, err := c.Authenticate(t.Context(), login, password)
		assert.ErrorIs(t, err, okta.ErrUnreachable)
	})
	require.Eventually(t, func() bool { return len(srv.Requests()) == 2 }, patience, time.Millisecond)
	c.Close()
	calls.Wait()
	srv.ClearFaults()
	connections := srv.Connections()
	_, err = c.Authenticate(t.Context(), login, password)
	assert.ErrorIs(t, err, okta.ErrUnreachable)
	assert.True(t, okta.Unsent(err))
	assert.Equal(t, connections, srv.Connections())
	assert.Len(t, srv.Requests(), 2)
}
