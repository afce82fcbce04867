package backend

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// A login is answered while Okta still hangs over the cancellation of its transaction. The
// end of the mount waits for that, and only then drops the connections.
func TestAnswersComeBeforeFarewells(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser().AddTOTP("OKTA")
		cancelling, goOn := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(goOn) })
		t.Cleanup(release)
		m.okta.Fail("cancel", oktatest.Meanwhile(func() {
			close(cancelling)
			<-goOn
		}).Times(1))
		resp, err := m.backend.HandleRequest(t.Context(), m.from(callerIP, nil, fields{"totp": "000000"}))
		require.NoError(t, err)
		assert.ErrorContains(t, resp.Error(), "passcode")
		<-cancelling
		if m.grpc {
			return
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			m.backend.Cleanup(t.Context())
		}()
		m.eventually(func() bool {
			if !m.inner.life.serving.TryRLock() {
				return true
			}
			m.inner.life.serving.RUnlock()
			return false
		}, "no end")
		assert.False(t, m.inner.clients.none())
		release()
		<-ended
		m.eventually(m.inner.clients.none, "the connections stay")
	})
}

// Where too many farewells go on already, the next ones delay their answers, and none is
// left out.
func TestFarewellsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBackend(settings{})
	goOn := make(chan struct{})
	for range maxFarewells {
		b.later(func() { <-goOn })
	}
	done := false
	b.later(func() { done = true })
	assert.True(t, done)
	close(goOn)
	b.life.farewells.Wait()
	assert.Empty(t, b.life.room)
}

// The first login after a start has storage listed while Okta verifies the password.
func TestFirstLoginListsBesideThePassword(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	m.configure(nil)
	m.write("groups/Scientists", fields{"policies": "labs"})
	m.addUser("Scientists")
	s := m.remembers()
	listed := func() bool {
		for _, prefix := range []string{userPrefix, groupPrefix, userNotesPrefix, groupNotesPrefix} {
			if s.Asked("list "+prefix) == 0 {
				return false
			}
		}
		return true
	}
	m.okta.Fail("authn", oktatest.Meanwhile(func() {
		assert.Eventually(t, listed, time.Minute, time.Millisecond)
	}).Times(1))
	auth := m.mustLogin(nil)
	require.Equal(t, []string{"labs"}, auth.Policies)
}
