package backend

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestLoginPush(t *testing.T) {
	tests := []struct {
		script []string
		says   string // "" is a success
	}{
		{[]string{"SUCCESS"}, ""},
		{[]string{"WAITING", "WAITING", "SUCCESS"}, ""},
		{[]string{"WAITING", "REJECTED"}, "rejected"},
		{[]string{"WAITING", "TIMEOUT"}, "not answered in time"},
		{[]string{"WAITING", "CANCELLED"}, "cancelled"},
		{[]string{"WAITING", "CANCELED"}, "cancelled"},
		{[]string{"WAITING", "ERROR"}, "could not verify"},
		{[]string{"WAITING", "FAILED"}, "could not verify"},
		{[]string{"WAITING", "BRAND_NEW_RESULT"}, "BRAND_NEW_RESULT"},
		{[]string{"REJECTED"}, "rejected"},
		{[]string{"WAITING"}, "not answered in time"}, // until it expires
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 100}) // see TestGuard for fewer
		push := m.addUser("Everyone").AddPush("WAITING")
		for i, test := range tests {
			push.SetScript(test.script...)
			m.okta.Reset()
			before := m.clock.Now()
			_, status, text := m.login(nil)
			assert.Less(t, m.clock.Now().Sub(before), 85*time.Second, "Vault gives a request up after 90")
			assert.Equal(t, i+1, push.Pushes(), "one push a login: %v", test.script)
			if test.says == "" {
				assert.Equal(t, http.StatusOK, status, "%v: %s", test.script, text)
				assert.Zero(t, m.okta.Count(http.MethodPost, "/api/v1/authn/cancel"))
				continue
			}
			assert.Equal(t, http.StatusBadRequest, status, "%v: %s", test.script, text)
			assert.Contains(t, text, test.says, "%v", test.script)
			assert.Equal(t, 1, m.okta.Count(http.MethodPost, "/api/v1/authn/cancel"), "%v", test.script)
		}
	})
}

func TestLoginPushOnlyToActiveFactors(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		old := u.AddPush("SUCCESS")
		old.SetStatus("PENDING_ACTIVATION")
		current := u.AddPush("SUCCESS")
		current.SetStatus("ACTIVE")
		m.mustLogin(nil)
		assert.Zero(t, old.Pushes())
		assert.Equal(t, 1, current.Pushes())
		_, status, text := m.login(fields{"provider": "google"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, `Okta asks for a factor, and you cannot use the one that you chose. You can use: a push "Phone 2" `+
			`(provider=push). You cannot use: a push "Phone 1" (it is not active)`, text)
	})
}

// When the caller leaves, polling stops and the transaction is cancelled.
func TestLoginCallerLeaves(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("WAITING")
		m.clock.hold(t)
		ctx, leave := context.WithCancel(t.Context())
		done := m.background(ctx, m.from(callerIP, nil, nil))
		m.eventually(func() bool { return m.clock.asleep() == 1 }, "the login does not wait")
		leave()
		m.finished(done)
		m.eventually(func() bool { return push.Waiting() == 0 }, "the push still waits")
		assert.Equal(t, 1, m.calls("cancel"))
		assert.Zero(t, push.Polls(), "nobody asks Okta any more")
	})
}

// It makes no difference at which moment that is.
func TestLoginCallerLeavesAtAnyMoment(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 100})
		push := m.addUser("Everyone").AddPush()
		m.clock.hold(t)
		for i := range 20 {
			ctx, leave := context.WithCancel(t.Context())
			done := m.background(ctx, m.from(callerIP, nil, nil))
			m.eventually(func() bool { return push.Pushes() == i+1 }, "no push was sent")
			leave() // before the answer has come, or after
			m.finished(done)
			m.eventually(func() bool { return push.Waiting() == 0 }, "the push still waits")
		}
	})
}

// TestAPushSurvivesAFailedQuestion: whatever becomes of one question about a push, a
// login that waits goes on, for Okta's own challenge and for a method of the mount. The
// phone rings once, and the password is delivered once.
func TestAPushSurvivesAFailedQuestion(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		push := u.AddPush("WAITING", "WAITING", "SUCCESS")
		for name, fault := range map[string]oktatest.Fault{
			"closed": oktatest.CloseConnection(), "page": oktatest.HTML(503), "504": oktatest.Status(504, "E0000067", "The service of the factor is slow"),
		} {
			before, passwords := push.Pushes(), m.authnCalls()
			m.okta.Fail("verify", fault.After(1).Times(1))
			m.mustLogin(nil)
			assert.Equal(t, before+1, push.Pushes(), name)
			assert.Equal(t, passwords+2, m.authnCalls(), "%s: the password, and a question about the state", name)
		}
	})
}

// TestLoginWaitsForPushTimeout: a login holds up its client, and whoever waits for that, no
// longer than push_timeout, which is a minute where it is not set.
func TestLoginWaitsForPushTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		for _, timeout := range []time.Duration{time.Minute, 10 * time.Second, 80 * time.Second} {
			if timeout != time.Minute {
				m.write("config", fields{"push_timeout": timeout.String()})
			}
			began := m.clock.Now()
			assert.Contains(t, m.refused(nil), "the push was not answered in time")
			took := m.clock.Now().Sub(began)
			assert.InDelta(t, timeout.Seconds(), took.Seconds(), 2)
			assert.Zero(t, push.Waiting(), "it is taken back")
			m.clock.advance(time.Hour)
		}
	})
}
