package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Mounts that are disabled in the middle of logins end them: the pushes are taken back,
// and nobody asks about them any more.
func TestLoginsEndWithADisabledMount(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	stays := enable(t, o) // and so does the plugin's process
	stays.configure()
	var pushes []*oktatest.Factor
	for i := range 5 {
		m := enable(t, o)
		m.configure()
		waiting := m.addUser(fmt.Sprintf("mia%d@acme.test", i))
		held := m.addUser(fmt.Sprintf("noa%d@acme.test", i))
		push, heldPush := waiting.AddPush("WAITING"), held.AddPush("WAITING")
		ended := m.start(t.Context(), waiting)
		m.begin(held).require(object{"state": "waiting"})
		eventually(t, "a push", func() bool { return push.Waiting() == 1 })
		m.mustDo(http.MethodDelete, "sys/auth/"+m.Path, nil)
		a := <-ended
		require.NoError(t, a.err)
		require.NotEqual(t, http.StatusOK, a.Status)
		pushes = append(pushes, push, heldPush)
	}
	polls := make([]int, len(pushes))
	for i, push := range pushes {
		eventually(t, "a push that is taken back", func() bool { return push.Withdrawn() == 1 && push.Waiting() == 0 })
		polls[i] = push.Polls()
	}
	requests := len(o.Requests())
	stays.mustLogin(stays.addUser("pia@acme.test"))
	for i, push := range pushes {
		require.Equal(t, polls[i], push.Polls())
	}
	for _, r := range o.Requests()[requests:] {
		require.NotContains(t, r.Path, "/verify")
	}
}
