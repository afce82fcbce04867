package backend

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const (
	replacedText = "another login of yours with the same nonce has replaced this one: continue that one"
	tooManyText  = "too many pushes and codes to you were rejected or not answered, so this mount sends no more for now: use a passcode, or try again in "
	waitingText  = "a push is waiting on your phone already: if that login is not yours, reject it; otherwise answer it, use a passcode, or try again in "
)

// While a push waits, another login of the person gets none, from wherever it comes:
// behind a gateway an address is everybody's. A login with the same nonce is a request
// that its client repeats, and takes the place of the first.
func TestGuardOneLoginAtATime(t *testing.T) {
	via := func(list ...string) map[string][]string { return map[string][]string{"X-Forwarded-For": list} }
	nonce := func(n string) fields { return fields{"nonce": n} }
	tests := []struct {
		name         string
		address      string // of the login that waits
		headers      map[string][]string
		data         fields
		againAddress string
		againHeaders map[string][]string
		againData    fields
		takes        bool
		client       string // in the log: where the refused one comes from
	}{
		{"the same address", callerIP, nil, nil, callerIP, nil, nil, false, callerIP},
		{"another port", callerIP + ":1", nil, nil, callerIP + ":2", nil, nil, false, callerIP},
		{"another address", callerIP, nil, nil, "203.0.113.9", nil, nil, false, "203.0.113.9"},
		{"the same behind a gateway", gateway, via("203.0.113.9"), nil, gateway, via("203.0.113.9"), nil, false, "203.0.113.9"},
		{"another behind the same gateway", gateway, via("203.0.113.9"), nil, gateway, via("203.0.113.10"), nil, false, "203.0.113.10"},
		{"by way of another gateway that is not trusted", gateway, via("203.0.113.9"), nil, gateway + ":4711", via("203.0.113.9:1, 10.0.0.2"), nil, false, "10.0.0.2"},
		{"a forged header", gateway, via("203.0.113.9"), nil, "198.51.100.66", via("203.0.113.9"), nil, false, "198.51.100.66"},
		{"a header that would forge a line", callerIP, nil, nil, gateway, via("x\n[WARN] client_address=1.1.1.1"), nil, false, gateway},
		{"a Unix socket", "@", nil, nil, "@", nil, nil, false, `""`},
		{"another nonce", callerIP, nil, nonce("one"), callerIP, nil, nonce("other"), false, callerIP},
		{"no nonce, after one with", callerIP, nil, nonce("one"), callerIP, nil, nil, false, callerIP},
		{"a nonce, after one without", callerIP, nil, nil, callerIP, nil, nonce("one"), false, callerIP},
		{"the same nonce", callerIP, nil, nonce("one"), callerIP, nil, nonce("one"), true, ""},
		{"the same nonce, from another network", callerIP, nil, nonce("one"), "203.0.113.9", nil, nonce("one"), true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"trusted_proxies": gateway})
				push := m.addUser("Everyone").AddPush()
				step := m.clock.hold(t)
				first := m.waiting(push, m.from(test.address, test.headers, test.data))
				again := m.from(test.againAddress, test.againHeaders, test.againData)
				if !test.takes {
					resp, status, text := m.send(t.Context(), again)
					assert.Nil(t, resp)
					assert.Equal(t, http.StatusTooManyRequests, status)
					assert.Regexp(t, "^"+waitingText+`[0-9]+ seconds$`, text)
					assert.Equal(t, 1, push.Pushes())
					assert.Equal(t, 1, push.Waiting(), "the first still waits")
					assert.Equal(t, 1, m.calls("cancel"), "the second's own transaction")
					line := logLine(m, "no push or code was sent")
					assert.Contains(t, line, "[WARN]")
					assert.Contains(t, line, " client_address="+test.client+" ")
					assert.Contains(t, line, "okta_user_id="+push.User.ID)
					push.Approve()
					step()
					assert.Equal(t, http.StatusOK, m.finished(first).status)
					return
				}
				second := m.waiting(push, again)
				o := m.finished(first)
				assert.Equal(t, http.StatusBadRequest, o.status)
				assert.Equal(t, replacedText, o.text)
				assert.Equal(t, 1, push.Withdrawn())
				assert.Equal(t, 1, push.Waiting())
				assert.Equal(t, []string{"authn", "verify", "authn", "cancel", "verify"}, endpoints(m),
					"the first is cancelled at Okta before the second push is sent")
				assert.NotContains(t, m.logs.String(), "no push or code was sent")
				push.Approve()
				step()
				o = m.finished(second)
				assert.Equal(t, http.StatusOK, o.status, o.text)
			})
		})
	}
}

// A person who interrupts a login and logs in again gets a push: the first login has
// ended with its client, and its push has been taken back.
func TestGuardAfterAnInterrupt(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		step := m.clock.hold(t)
		ctx, interrupt := context.WithCancel(t.Context())
		first := m.background(ctx, m.from(callerIP, nil, fields{"nonce": "of-one-command"}))
		m.eventually(func() bool { return push.Waiting() == 1 && m.clock.asleep() == 1 }, "the login does not wait")
		interrupt()
		m.finished(first)
		m.eventually(func() bool { return m.calls("cancel") == 1 }, "the push still waits")
		second := m.waiting(push, m.from(callerIP, nil, fields{"nonce": "of-the-next"}))
		assert.Equal(t, []int{2, 1, 1}, []int{push.Pushes(), push.Withdrawn(), push.Waiting()})
		push.Approve()
		step()
		o := m.finished(second)
		assert.Equal(t, http.StatusOK, o.status, o.text)
	})
}

// A call can be had as often as a push, and no more often: not every half minute.
func TestGuardCountsCodes(t *testing.T) {
	eachCode(t, func(t *testing.T, m *mount, _ int, f *oktatest.Factor) {
		held := m.hold(nil)
		for range 19 {
			m.clock.advance(30 * time.Second)
			m.login(fields{"resend": true})
			m.proceed(held, fields{"resend": true})
		}
		assert.Equal(t, 3, f.Sent())
		resp, status, text := m.login(fields{"resend": true})
		assert.Nil(t, resp)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, tooManyText)
		assert.Contains(t, logLine(m, "no push or code was sent"), "client_address="+callerIP)
		m.clock.advance(10 * time.Minute)
		assert.Contains(t, m.refused(fields{"resend": true}), "Okta has sent a code")
		m.mustLogin(fields{"totp": f.Code()})
	})
}

// endpoints are those of the authentication API in the order they were called.
func endpoints(m *mount) []string {
	var names []string
	for _, r := range m.okta.Requests() {
		if strings.HasPrefix(r.Path, "/api/v1/authn") {
			names = append(names, r.Path[strings.LastIndex(r.Path, "/")+1:])
		}
	}
	return names
}

// logLine is the last line of the log with a text.
func logLine(m *mount, text string) string {
	found := ""
	for line := range strings.Lines(m.logs.String()) {
		if strings.Contains(line, text) {
			found = line
		}
	}
	return found
}

// The wait that is told is what the push that waits has left.
func TestGuardWait(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		held := m.hold(nil)
		waits := func(unit string) int {
			_, status, text := m.send(t.Context(), m.from("203.0.113.9", nil, nil))
			require.Equal(t, http.StatusTooManyRequests, status)
			n := 0
			_, err := fmt.Sscanf(text, waitingText+"%d "+unit, &n)
			require.NoError(t, err, text)
			return n
		}
		assert.InDelta(t, 5, waits("minutes"), 1)
		m.clock.advance(200 * time.Second)
		first := waits("seconds")
		assert.InDelta(t, 100, first, 3)
		m.clock.advance(50 * time.Second)
		assert.InDelta(t, first-50, waits("seconds"), 1)
		push.Approve()
		m.later()
		m.ended(held, nil)
		push.SetScript("SUCCESS")
		_, status, text := m.send(t.Context(), m.from("203.0.113.9", nil, nil))
		assert.Equal(t, http.StatusOK, status, text)
	})
}

// A passcode is never in the way, nor is anything in its way. That holds for a code
// that was sent before, too.
func TestGuardAndPasscodes(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 2, "passcode_separator": ",", "mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push, yubikey, sms := u.AddPush(), u.AddFactor("token:hardware", "YUBICO"), u.AddFactor("sms", "OKTA")
		assert.Contains(t, m.refused(fields{"provider": "sms"}), "Okta has sent a code")
		step := m.clock.hold(t)
		first := m.waiting(push, m.from(callerIP, nil, nil))
		works := func() {
			t.Helper()
			for _, address := range []string{callerIP, "203.0.113.9"} {
				for _, data := range []fields{
					{"totp": yubikey.Code()}, {"password": testPassword + "," + yubikey.Code()},
					{"wait": false, "totp": yubikey.Code(), "provider": "yubico"},
				} {
					_, status, text := m.send(t.Context(), m.from(address, nil, data))
					assert.Equal(t, http.StatusOK, status, text)
				}
			}
		}
		works()
		assert.Equal(t, 1, push.Waiting(), "untouched")
		assert.Equal(t, 1, push.Pushes())
		_, status, text := m.login(fields{"provider": "sms", "resend": true})
		assert.Equal(t, http.StatusTooManyRequests, status, "the push may go wrong, too")
		assert.Contains(t, text, waitingText)
		push.Reject()
		step()
		assert.Equal(t, http.StatusBadRequest, m.finished(first).status)

		m.clock.advance(30 * time.Second)
		works()
		for _, data := range []fields{nil, {"provider": "sms", "resend": true}} {
			_, status, text = m.login(data)
			assert.Equal(t, http.StatusTooManyRequests, status, "a passcode does not open the way for pushes and codes")
			assert.Contains(t, text, tooManyText)
		}
		assert.Equal(t, []int{1, 1}, []int{push.Pushes(), sms.Sent()})
		assert.Contains(t, m.refused(fields{"provider": "sms"}), "still good")
		m.mustLogin(fields{"totp": sms.Code()})
	})
}

// After so many pushes that went wrong there are no more until the window has
// passed since the last of them.
func TestGuardWindow(t *testing.T) {
	tests := []struct {
		name   string
		config fields
		script []string
		limit  int
		window time.Duration
	}{
		{"rejected, by default", nil, []string{"WAITING", "REJECTED"}, 3, 10 * time.Minute},
		{"not answered, by default", nil, []string{"WAITING", "TIMEOUT"}, 3, 10 * time.Minute},
		{"cancelled", nil, []string{"WAITING", "CANCELLED"}, 3, 10 * time.Minute},
		{"not answered until the login gives up", nil, []string{"WAITING"}, 3, 10 * time.Minute},
		{"once", fields{"max_push_failures": 1, "push_failure_window": "1m"}, []string{"WAITING", "REJECTED"}, 1, time.Minute},
		{"for a day", fields{"max_push_failures": 5, "push_failure_window": "24h"}, []string{"WAITING", "REJECTED"}, 5, 24 * time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(test.config)
				push := m.addUser("Everyone").AddPush(test.script...)
				for i := range test.limit {
					_, status, text := m.login(nil)
					require.Equal(t, http.StatusBadRequest, status, "%d: %s", i, text)
				}
				last := m.clock.Now()
				for range 3 {
					_, status, text := m.login(nil)
					assert.Equal(t, http.StatusTooManyRequests, status)
					assert.Equal(t, tooManyText+inWords(last.Add(test.window).Sub(m.clock.Now())), text)
					_, status, text = m.login(fields{"wait": false})
					assert.Equal(t, http.StatusTooManyRequests, status, text)
					m.clock.advance(test.window / 4)
				}
				assert.Equal(t, test.limit, push.Pushes(), "no phone rings")
				line := logLine(m, "no push or code was sent")
				assert.Contains(t, line, "[WARN]")
				assert.Contains(t, line, "client_address="+callerIP)
				assert.Contains(t, line, "okta_user_id="+push.User.ID)
				m.tidy()
				m.clock.advance(last.Add(test.window).Sub(m.clock.Now()) - time.Second)
				_, status, _ := m.login(nil)
				assert.Equal(t, http.StatusTooManyRequests, status, "a second too early")
				m.clock.advance(time.Second)
				push.SetScript("SUCCESS")
				m.mustLogin(nil)
				assert.Equal(t, test.limit+1, push.Pushes())
			})
		})
	}
}

// A client that repeats its login again and again uses the failures up, too. The last
// push that may go wrong is not replaced: one that is withdrawn for one that is refused
// would leave the person with none.
func TestGuardReplacedCount(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		var held []heldState
		for range 3 {
			held = append(held, m.hold(fields{"nonce": "one"}))
		}
		for _, more := range []fields{{}, {"wait": false}, {"device": "Phone 1"}} {
			more["nonce"] = "one"
			_, status, text := m.login(more)
			assert.Equal(t, http.StatusTooManyRequests, status, more)
			assert.Contains(t, text, waitingText, more)
		}
		assert.Contains(t, logLine(m, "no push or code was sent"), "client_address="+callerIP)
		assert.Equal(t, 3, push.Pushes())
		assert.Equal(t, 2, push.Withdrawn())
		assert.Equal(t, 1, push.Waiting(), "the last one waits all the while")
		for _, h := range held[:2] {
			assert.Equal(t, replacedText, m.setback(h, nil))
			assert.Equal(t, noTransaction, m.setback(h, nil))
		}
		push.Approve()
		m.later()
		m.ended(held[2], nil)
		push.SetScript("SUCCESS")
		m.mustLogin(nil) // the approval has made up for the two
	})
}

// So do callers that leave.
func TestGuardCallersThatLeave(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		m.clock.hold(t)
		for i := range 3 {
			ctx, leave := context.WithCancel(t.Context())
			done := m.background(ctx, m.from(callerIP, nil, nil))
			m.eventually(func() bool { return push.Pushes() == i+1 && m.clock.asleep() == 1 }, "the login does not wait")
			leave()
			m.finished(done)
			m.eventually(func() bool { return m.calls("cancel") == i+1 }, "the push still waits")
		}
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, tooManyText)
	})
}

// An approval makes up for what nobody answered, and not for what somebody
// rejected: that was somebody else's.
func TestGuardApproval(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		fail := func(result string) {
			push.SetScript("WAITING", result)
			m.refused(nil)
		}
		for range 5 {
			fail("TIMEOUT")
			fail("TIMEOUT")
			push.SetScript("WAITING", "SUCCESS")
			m.mustLogin(nil)
		}
		for range 2 {
			fail("REJECTED")
			push.SetScript("WAITING", "SUCCESS")
			m.mustLogin(nil)
		}
		fail("TIMEOUT")
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status, "two rejections and one that nobody answered")
	})
}

// TestOldAppIsNoRejection: Okta also says "rejected" of a push that an old Okta Verify app
// cannot show. The person learns what to do, and has not said no: an approval makes up for it.
func TestOldAppIsNoRejection(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		for range 3 {
			for range 2 {
				push.SetScript("WAITING", "OKTA_VERIFY_UPGRADE_REQUIRED")
				assert.Contains(t, m.refused(nil), "the Okta Verify app on your phone is too old to answer a push: update the app")
			}
			push.SetScript("WAITING", "SUCCESS")
			m.mustLogin(nil)
		}
	})
}

// The guard is about a person and a mount: by any of their names, and nobody
// else's.
func TestGuardIsThePersons(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 1})
		m.addUser("Everyone").AddPush("WAITING", "REJECTED")
		kim := m.okta.AddUser("kim@acme.test", testPassword)
		kim.AddPush("SUCCESS")
		m.refused(nil)
		for _, name := range []string{"mia.ito", "MIA.ITO@acme.test"} {
			_, status, text := m.do(logical.UpdateOperation, "login/"+name, fields{"password": testPassword})
			assert.Equal(t, http.StatusTooManyRequests, status, text)
		}
		_, status, text := m.do(logical.UpdateOperation, "login/kim@acme.test", fields{"password": testPassword})
		assert.Equal(t, http.StatusOK, status, text)
		other := m.another()
		other.configure(nil)
		other.refused(nil) // the push is sent, and rejected

		// Who does not know the password learns nothing of it.
		assert.Contains(t, m.refused(fields{"password": "guess"}), "(E0000004)")
	})
}

// A renewal is begun by a program: it takes nobody's place, has none of a
// person's codes sent, and is refused like any other.
func TestGuardAndRenewals(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		auth := issued(m.mustLogin(nil))
		sms := u.AddFactor("sms", "OKTA")
		_, status, text := m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, noPushText, text)
		assert.Zero(t, sms.Sent())

		push := u.AddPush()
		step := m.clock.hold(t)
		first := m.waiting(push, m.from(callerIP, nil, nil))
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, waitingText)
		assert.Equal(t, 1, push.Pushes())
		push.Approve()
		step()
		assert.Equal(t, http.StatusOK, m.finished(first).status)

		// Nor does a person take the place of a renewal.
		req := m.request(logical.RenewOperation, "login/"+testLogin, nil)
		req.Auth = auth
		renewal := m.waiting(push, req)
		_, status, text = m.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, waitingText)
		push.Approve()
		step()
		assert.Equal(t, http.StatusOK, m.finished(renewal).status)
	})
}

// A held login is one like any other.
func TestGuardAndHeldLogins(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		push := u.AddPush()
		u.AddTOTP("GOOGLE")
		held := m.hold(fields{"nonce": "one"})
		_, status, text := m.send(t.Context(), m.from("203.0.113.9", nil, fields{"wait": false}))
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, waitingText)
		assert.Contains(t, logLine(m, "no push or code was sent"), "client_address=203.0.113.9")

		// One that has not rung yet asks for a push later.
		resp, status, text := m.send(t.Context(), m.from("203.0.113.9", nil, fields{"wait": false, "factor": "totp"}))
		other := m.state(resp, status, text)
		req := m.request(logical.UpdateOperation, "login/"+testLogin, fields{"transaction_id": other.TransactionID, "factor": "push"})
		_, status, text = m.send(t.Context(), req)
		assert.Equal(t, http.StatusTooManyRequests, status, "nothing was sent for this one")
		assert.Contains(t, text, waitingText)
		assert.Equal(t, "passcode_required", m.continued(other, nil).State, "it stays open")
		assert.Equal(t, 1, push.Pushes())

		again := m.hold(fields{"nonce": "one"})
		assert.Equal(t, replacedText, m.setback(held, nil))
		assert.Equal(t, noTransaction, m.setback(held, nil))
		push.Approve()
		m.later()
		m.ended(again, nil)
		m.continued(other, fields{"factor": "push"})
		assert.Equal(t, 3, push.Pushes())
	})
}
