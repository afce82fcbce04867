package backend

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// inBubble runs a test on a mount in this process whose org is in a network in memory,
// in a bubble of testing/synctest. There a request that hangs runs into the real limits
// at once, and nothing else runs into them, however slow the machine is.
func inBubble(t *testing.T, test func(t *testing.T, m *mount)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &mount{t: t, storage: newStorage(), clock: newStepClock(), logs: &syncBuffer{}}
		org := oktatest.New(oktatest.Options{Now: m.clock.org.Now})
		m.okta = &oktatest.Server{Org: org, URL: "https://" + strings.TrimSuffix(oktaAddress, ":443")}
		listener := newWireListener()
		server := serveWire(listener, org, false)
		m.roots = wireCerts().roots
		m.dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return listener.connect(ctx) }
		m.start()
		t.Cleanup(func() {
			m.backend.Cleanup(context.Background())
			_ = listener.Close()
			_ = server.Close()
		})
		test(t, m)
	})
}

// stall has the next request to an endpoint of Okta's wait until release is called, as
// if Okta were slow. The request is among those that Okta has recorded before.
func (m *mount) stall(endpoint string) (release func()) {
	released := make(chan struct{})
	m.okta.Fail(endpoint, oktatest.Meanwhile(func() { <-released }).Times(1))
	release = sync.OnceFunc(func() { close(released) })
	m.t.Cleanup(release)
	return release
}
