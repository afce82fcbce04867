package backend

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestTheSharesOfStrangersAgree: whoever has the leave to send a password finds a
// connection for it.
func TestTheSharesOfStrangersAgree(t *testing.T) {
	t.Parallel()
	assert.LessOrEqual(t, attempts.MaxStrangersInFlight, okta.MaxUnproven)
}

// TestHonestLoginWhileStrangersHang: 200 strangers hang at an Okta that is reached by
// either protocol. Somebody who has logged in before is let in, push included, while
// every stranger whose password was sent still hangs. The others are refused, and none
// takes up anything of the mount.
func TestHonestLoginWhileStrangersHang(t *testing.T) {
	t.Parallel()
	for _, http1 := range []bool{true, false} {
		t.Run(fmt.Sprintf("HTTP/1.1 %v", http1), func(t *testing.T) {
			t.Parallel()
			m := &mount{t: t, storage: newStorage(), clock: newStepClock(), logs: &syncBuffer{}}
			m.okta = oktatest.NewServer(t, oktatest.Options{Now: m.clock.org.Now, HTTP1Only: http1})
			m.start()
			m.configure(nil)
			m.addUser("Everyone").AddPush("WAITING", "SUCCESS", "WAITING", "SUCCESS")
			m.mustLogin(nil)

			before := m.authnCalls()
			m.okta.Fail("authn", oktatest.Hang().Times(attempts.MaxStrangersInFlight))
			ctx, leave := context.WithCancel(t.Context())
			answers := make(chan outcome, 200)
			for i := range cap(answers) {
				req := m.stranger(i, fmt.Sprintf("invented-%d@acme.test", i))
				req.Data["nonce"] = fmt.Sprintf("nonce-%d", i)
				done := m.background(ctx, req)
				go func() { answers <- <-done }()
			}
			m.eventually(func() bool { return m.authnCalls() == before+attempts.MaxStrangersInFlight }, "the strangers do not hang")
			m.clock.advance(3 * time.Second) // in which nothing moves
			for range cap(answers) - attempts.MaxStrangersInFlight {
				o := m.finished(answers)
				assert.Equal(t, http.StatusTooManyRequests, o.status, o.text)
			}

			m.mustLogin(nil)
			assert.Zero(t, len(answers), "all strangers whose password was sent hang")
			board := &m.inner.numbers
			board.mu.Lock()
			assert.Empty(t, board.byNonce, "a nonce is taken up once the password was right")
			board.mu.Unlock()
			_, status, text := m.send(t.Context(), m.stranger(300, "invented-300@acme.test"))
			assert.Equal(t, http.StatusTooManyRequests, status)
			assert.Contains(t, text, "too many logins are waiting for Okta")
			leave()
			for range attempts.MaxStrangersInFlight {
				require.NotEqual(t, http.StatusOK, m.finished(answers).status)
			}
		})
	}
}
