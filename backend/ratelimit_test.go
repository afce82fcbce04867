package backend

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Okta's limit of requests does not end a wait: Okta is asked again when there is
// room, if the push still waits then.
func TestRateLimitedPolls(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault oktatest.Fault
		waits time.Duration // 0: the login ends
	}{
		{"for a while", oktatest.RateLimited(0, 23*time.Second), 23 * time.Second},
		{"twice", oktatest.RateLimited(0, 23*time.Second).Times(2), 46 * time.Second},
		{"without saying for how long", oktatest.RateLimitedBare(), 10 * time.Second},
		{"too many at once", oktatest.RateLimitedConcurrency(), time.Minute},
		{"for longer than the login may take", oktatest.RateLimited(0, 90*time.Second), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(fields{"push_timeout": "80s"})
				push := m.addUser("Everyone").AddPush("WAITING", "SUCCESS")
				fault := test.fault
				if test.name != "twice" {
					fault = fault.Times(1)
				}
				m.okta.Fail("verify", fault.After(1))
				began := m.clock.Now()
				resp, status, text := m.login(nil)
				took := m.clock.Now().Sub(began)
				assert.Equal(t, 1, push.Pushes())
				if test.waits == 0 {
					assert.Equal(t, http.StatusBadRequest, status)
					assert.Contains(t, text, "Okta limits the rate of requests (E0000047): try again in 90 seconds (a push or a code may have been sent")
					assert.Less(t, took, 5*time.Second, "nobody waits for nothing")
					assert.Equal(t, 1, push.Withdrawn())
					return
				}
				assert.Equal(t, http.StatusOK, status, text)
				assert.NotNil(t, resp.Auth)
				assert.GreaterOrEqual(t, took, test.waits)
				assert.Less(t, took, test.waits+15*time.Second)
				assert.Equal(t, 2, push.Polls())
			})
		})
	}
}

// It is no other for a held login, however often that is asked about.
func TestHeldRateLimit(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 1})
		push := m.addUser("Everyone").AddPush()
		held := m.hold(nil)
		m.okta.Fail("verify", oktatest.RateLimited(0, 23*time.Second).Times(1), oktatest.RateLimitedBare().Times(1))
		asked := func() int { return m.calls("verify") }
		for i, pause := range []time.Duration{23 * time.Second, 10 * time.Second} {
			m.later()
			assert.Equal(t, "waiting", m.continued(held, nil).State)
			assert.Equal(t, 2+i, asked())
			m.clock.advance(pause - time.Second)
			for range 3 {
				assert.Equal(t, "waiting", m.continued(held, nil).State)
			}
			assert.Equal(t, 2+i, asked(), "Okta wants to be left alone")
		}
		push.Approve()
		m.later()
		m.ended(held, nil)

		// Its wait is longer than a request's, and has an end, too.
		held = m.hold(nil)
		m.okta.Fail("verify", oktatest.RateLimited(0, 4*time.Minute).Times(1), oktatest.RateLimited(0, 2*time.Minute).Times(1))
		m.later()
		assert.Equal(t, "waiting", m.continued(held, nil).State)
		m.clock.advance(4 * time.Minute)
		m.later()
		assert.Contains(t, m.setback(held, nil), "Okta limits the rate of requests (E0000047): try again in 2 minutes (a push or a code may have been sent")
		assert.Equal(t, noTransaction, m.setback(held, nil))
		assert.Zero(t, push.Waiting())
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status, "nobody has answered that push")
		assert.Contains(t, text, tooManyText)
	})
}

// With several phones, too: none is given up for it.
func TestPhonesRateLimit(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		all := phones(m.addUser("Everyone"), 3)
		all[2].SetScript("WAITING", "SUCCESS")
		m.okta.Fail("verify", oktatest.RateLimited(0, 20*time.Second).After(3).Times(2))
		began := m.clock.Now()
		m.mustLogin(nil)
		assert.Equal(t, []int{1, 1, 1}, rung(all))
		assert.GreaterOrEqual(t, m.clock.Now().Sub(began), 20*time.Second)
		assert.Equal(t, []int{1, 1, 2}, []int{all[0].Polls(), all[1].Polls(), all[2].Polls()})
	})
}

// A push that Okta refuses to send has not been sent: the answer is Okta's, no
// phone has rung, and a held login stays as it was.
func TestPushRefusedByOkta(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 1})
		u := m.addUser("Everyone")
		push := u.AddPush()
		u.AddTOTP("GOOGLE")
		limit := func() { m.okta.Fail("verify", oktatest.RateLimited(0, 23*time.Second).Times(1)) }
		const says = "Okta limits the rate of requests (E0000047): try again in 23 seconds"
		for _, wait := range []bool{true, false} {
			m.okta.Reset()
			limit()
			resp, status, text := m.login(fields{"wait": wait})
			assert.Nil(t, resp)
			assert.Equal(t, http.StatusTooManyRequests, status)
			assert.Equal(t, says, text)
			assert.Equal(t, 1, m.calls("cancel"))
		}
		assert.Empty(t, m.inner.held.byID, "nobody knows of one")

		held := m.hold(fields{"factor": "totp"})
		limit()
		_, status, text := m.proceed(held, fields{"factor": "push"})
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Equal(t, says+stillOpen, text)
		assert.Zero(t, push.Pushes())
		state := m.continued(held, nil)
		assert.Equal(t, []string{"passcode_required", "totp"}, []string{state.State, state.Factor}, "as it was")
		assert.Equal(t, "waiting", m.continued(held, fields{"factor": "push"}).State, "the phone has not rung yet")
		push.Approve()
		m.later()
		m.ended(held, nil)
	})
}
