package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPushTimeout: a login that waits for a push is answered when push_timeout is over,
// and its push is taken back, so a seal or a reload waits no longer for it.
func TestPushTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 10 * time.Second
	m := newMount(t, object{"push_timeout": timeout.String()})
	u := m.addUser("mia@acme.test")
	push := u.AddPush()
	began := time.Now()
	requireRefused(t, m.login(u), http.StatusBadRequest, "the push was not answered in time")
	require.GreaterOrEqual(t, time.Since(began), timeout-time.Second)
	require.Less(t, push.Polls(), 20, "in the default of 60 seconds there are more")
	soon(t, []int{1, 0}, func() []int { return []int{push.Pushes(), push.Waiting()} })
	h := m.begin(u)
	push.SetScript("WAITING", "SUCCESS")
	require.NotEmpty(t, h.wait().Token())
}
