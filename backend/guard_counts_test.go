package backend

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Each push that may have rung counts, unless it was approved; one that Okta
// refused to send, and one behind whose approval Okta lets nobody in, do not.
func TestGuardWhatCounts(t *testing.T) {
	type situation struct {
		*mount
		push *oktatest.Factor
		wait bool
	}
	// try begins a login, and goes on with it if it is held.
	try := func(s situation) {
		s.t.Helper()
		resp, status, text := s.login(fields{"wait": s.wait})
		if status == http.StatusOK && resp.Auth == nil {
			held := s.state(resp, status, text)
			s.later()
			resp, status, text = s.proceed(held, nil)
		}
		require.True(s.t, resp == nil || resp.Auth == nil)
		require.NotContains(s.t, text, "too many pushes")
		require.GreaterOrEqual(s.t, status, 400)
	}
	failing := func(endpoint string, fault oktatest.Fault) func(situation) {
		return func(s situation) {
			s.okta.Fail(endpoint, fault.Times(1))
			try(s)
			s.okta.ClearFaults()
		}
	}
	behind := func(status string) func(situation) {
		return func(s situation) {
			s.push.User.SetStatusAfterMFA(status)
			s.push.SetScript("SUCCESS")
			try(s)
			s.push.User.SetStatusAfterMFA("")
			s.push.SetScript("WAITING")
		}
	}
	serverError := oktatest.Status(http.StatusInternalServerError, "E0000009", "Internal Server Error")
	refused := func(status int, code string) func(situation) {
		return failing("verify", oktatest.Status(status, code, "no"))
	}
	tests := []struct {
		name   string
		counts bool
		fail   func(s situation)
	}{
		{"the caller leaves before the answer", true, func(s situation) {
			s.okta.Fail("verify", oktatest.Hang().Delivered().Times(1))
			before := s.push.Pushes()
			ctx, leave := context.WithCancel(s.t.Context())
			done := s.background(ctx, s.from(callerIP, nil, fields{"wait": s.wait}))
			s.eventually(func() bool { return s.push.Pushes() > before }, "no push was sent")
			leave()
			s.finished(done)
			s.eventually(func() bool { return s.push.Waiting() == 0 }, "the push still waits")
		}},
		{"no answer", true, failing("verify", oktatest.Hang().Delivered())},
		{"half an answer", true, failing("verify", oktatest.HangBody().Delivered())},
		{"500", true, failing("verify", serverError.Delivered())},
		{"500, though nothing was sent", true, failing("verify", serverError)},
		{"504", true, failing("verify", oktatest.Status(http.StatusGatewayTimeout, "E0000067", "The service of the factor is slow").Delivered())},
		{"a web page", true, failing("verify", oktatest.HTML(http.StatusOK).Delivered())},
		{"closed connection", true, failing("verify", oktatest.CloseConnection().Delivered())},
		{"truncated", true, failing("verify", oktatest.TruncatedJSON().Delivered())},
		{"an empty object", true, failing("verify", oktatest.Body(http.StatusOK, "application/json", `{}`).Delivered())},
		{"202 with an error", true, failing("verify", oktatest.Accepted202().Delivered())},
		{"401 on a poll", true, failing("verify", oktatest.Status(http.StatusUnauthorized, "E0000011", "The token is not good").After(1))},
		{"429 on a poll, for long", true, failing("verify", oktatest.RateLimited(0, 10*time.Minute).After(1))},
		{"truncated on a poll", true, failing("verify", oktatest.TruncatedJSON().After(1))},
		{"numbers that cannot be shown", true, func(s situation) { s.push.Number(47, 0); s.wait = true; try(s) }},
		{"an unknown result", true, func(s situation) { s.push.SetScript("BRAND_NEW"); try(s); s.push.SetScript("WAITING") }},

		{"Okta's limit of requests", false, failing("verify", oktatest.RateLimited(0, 23*time.Second))},
		{"Okta's limit, bare", false, failing("verify", oktatest.RateLimitedBare())},
		{"400", false, refused(http.StatusBadRequest, "E0000074")},
		{"401", false, refused(http.StatusUnauthorized, "E0000011")},
		{"403", false, refused(http.StatusForbidden, "E0000006")},
		{"404", false, refused(http.StatusNotFound, "E0000007")},
		{"the password has expired", false, behind("PASSWORD_EXPIRED")},
		{"the account is locked", false, behind("LOCKED_OUT")},
		{"a factor is to be set up", false, behind("MFA_ENROLL")},
		{"an unknown status behind it", false, behind("BRAND_NEW")},
		{"a warning that cannot be skipped", false, func(s situation) {
			s.okta.Fail("skip", serverError.Times(1))
			behind("PASSWORD_WARN")(s)
		}},
		{"no groups", false, func(s situation) {
			s.push.SetScript("SUCCESS")
			s.okta.Fail("groups", serverError)
			try(s)
			s.okta.ClearFaults()
			s.push.SetScript("WAITING")
		}},
		{"a wrong password", false, func(s situation) { failing("authn", serverError)(s) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			run := bothWays
			if test.name == "no answer" || test.name == "half an answer" { // Okta hangs
				run = inBubble
			}
			run(t, func(t *testing.T, m *mount) {
				m.configure(fields{"max_push_failures": 2, "max_login_failures": 0})
				u := m.addUser("Everyone")
				push := u.AddPush()
				for _, wait := range []bool{true, false} {
					test.fail(situation{m, push, wait})
					m.clock.advance(time.Second)
				}
				assert.Zero(t, push.Waiting())
				push.SetScript("SUCCESS")
				before := push.Pushes()
				_, status, text := m.login(nil)
				if !test.counts {
					assert.Equal(t, http.StatusOK, status, text)
					return
				}
				assert.Equal(t, http.StatusTooManyRequests, status)
				assert.Contains(t, text, tooManyText)
				assert.Equal(t, before, push.Pushes())
			})
		})
	}
}

// A login with the same nonce takes no place where it would be the one too
// many: neither the push that waits is withdrawn, nor another sent.
func TestGuardKeepsTheLastPush(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 1, "push_devices": "first"})
		u := m.addUser("Everyone")
		all := phones(u, 2)
		step := m.clock.hold(t)
		first := m.waiting(all[0], m.from(callerIP, nil, nil))
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Regexp(t, "^"+waitingText+`[0-9]+ seconds$`, text)
		assert.Contains(t, logLine(m, "no push or code was sent"), "client_address="+callerIP)
		assert.Equal(t, []int{1, 0}, rung(all))
		assert.Equal(t, 1, all[0].Waiting())
		all[0].Approve()
		step()
		o := m.finished(first)
		assert.Equal(t, http.StatusOK, o.status, o.text)

		// Nor does a held login give up its own for another phone.
		held := m.hold(nil)
		assert.Equal(t, tooManyText+"10 minutes"+stillOpen, m.setback(held, fields{"device": "Phone 2"}))
		state := m.continued(held, nil)
		assert.Equal(t, []string{"waiting", "Phone 1"}, []string{state.State, state.Device})
		assert.Equal(t, []int{2, 0}, rung(all))
		assert.Equal(t, 1, all[0].Waiting())
		all[0].Approve()
		m.later()
		m.ended(held, nil)
	})
}

// What nobody answers of a program's renewals keeps no person from logging in;
// what somebody rejects does.
func TestGuardRenewalsCountApart(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 2})
		push := m.addUser("Everyone").AddPush("SUCCESS")
		auth := issued(m.mustLogin(nil))
		renewed := func() int {
			_, status, _ := m.renew(auth)
			return status
		}
		push.SetScript("WAITING", "TIMEOUT")
		for range 2 {
			assert.Equal(t, http.StatusBadRequest, renewed())
		}
		assert.Equal(t, http.StatusTooManyRequests, renewed(), "too many, of renewals")
		assert.Equal(t, 3, push.Pushes())
		m.refused(nil)
		assert.Equal(t, 4, push.Pushes(), "a person's push is sent")
		push.SetScript("SUCCESS")
		m.mustLogin(nil)
		assert.Equal(t, http.StatusOK, renewed(), "who approves has missed the others themselves")

		push.SetScript("WAITING", "TIMEOUT")
		m.refused(nil)
		m.refused(nil)
		assert.Equal(t, http.StatusTooManyRequests, renewed(), "a person's count for all")
		m.clock.advance(10 * time.Minute)

		push.SetScript("WAITING", "REJECTED")
		for range 2 {
			assert.Equal(t, http.StatusBadRequest, renewed())
		}
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, tooManyText)
	})
}

// Limit and window are those of today, for what went wrong before, too.
func TestGuardFollowsTheConfiguration(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("WAITING", "REJECTED")
		m.refused(nil)
		m.refused(nil)
		refused := func(window string, max int) bool {
			m.write("config", fields{"push_failure_window": window, "max_push_failures": max})
			before := push.Pushes()
			_, status, text := m.login(nil)
			assert.Equal(t, status == http.StatusBadRequest, push.Pushes() == before+1, text)
			return status == http.StatusTooManyRequests
		}
		assert.True(t, refused("10m", 2), "a lower limit")
		assert.False(t, refused("10m", 3), "and back: the third is rejected")
		assert.True(t, refused("10m", 3))
		m.clock.advance(2 * time.Minute)
		assert.True(t, refused("10m", 3))
		assert.False(t, refused("2m", 3), "a shorter window")
		m.clock.advance(9 * time.Minute)
		assert.True(t, refused("1h", 4), "a longer one")
		assert.False(t, refused("1h", 100), "a higher limit")
	})
}
