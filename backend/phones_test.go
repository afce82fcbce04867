package backend

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// phones enrols n of them, "Phone 1" and so on.
func phones(u *oktatest.User, n int) []*oktatest.Factor {
	var all []*oktatest.Factor
	for range n {
		all = append(all, u.AddPush())
	}
	return all
}

func rung(all []*oktatest.Factor) []int {
	var n []int
	for _, f := range all {
		n = append(n, f.Pushes())
	}
	return n
}

// Every phone rings, up to four; the first approval wins, and the others stop.
func TestPhonesFirstApprovalWins(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.okta.Configure(func(o *oktatest.Options) { o.EnforcePerUserRate = true })
		m.configure(nil)
		all := phones(m.addUser("Everyone"), 5)
		for _, wait := range []bool{true, false} {
			for i := range 4 {
				m.clock.advance(time.Minute)
				m.okta.Reset()
				before := rung(all)
				if wait {
					all[i].SetScript("WAITING", "SUCCESS")
					m.mustLogin(nil)
					all[i].SetScript("WAITING")
				} else {
					held := m.hold(nil)
					assert.Equal(t, "Phone 1", held.Device)
					assert.Len(t, held.Factors, 4)
					all[i].Approve()
					m.later()
					m.ended(held, nil)
				}
				after := rung(all)
				for j, f := range all {
					want := before[j] + 1
					if j == 4 {
						want = 0
					}
					assert.Equal(t, want, after[j], "phone %d", j+1)
					assert.Zero(t, f.Waiting(), "phone %d still rings", j+1)
				}
				assert.Equal(t, 4, m.authnCalls(), "a transaction for each")
				assert.Equal(t, 3, m.calls("cancel"))
			}
		}
		assert.NotContains(t, m.logs.String(), "E0000047", "never faster than Okta allows")
	})
}

// A rejection on any phone is one.
func TestPhonesRejection(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 100})
		all := phones(m.addUser("Everyone"), 3)
		for i := range all {
			m.okta.Reset()
			all[i].SetScript("WAITING", "REJECTED")
			assert.Equal(t, "the push was rejected on the phone"+afterRejection, m.refused(nil))
			all[i].SetScript("WAITING")
			for _, f := range all {
				assert.Zero(t, f.Waiting())
			}
			assert.Equal(t, 3, m.calls("cancel"))
		}
		// One that does not answer does not end the others.
		all[0].SetScript("WAITING", "TIMEOUT")
		all[2].SetScript("WAITING", "WAITING", "SUCCESS")
		m.mustLogin(nil)
	})
}

// Of several phones one is named, by name in any case or by id; or the first is
// meant.
func TestPhonesDevice(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		all := phones(m.addUser("Everyone"), 3)
		all[1].SetName("Mia's Pixel")
		for _, f := range all {
			f.SetScript("SUCCESS")
		}
		for _, test := range []struct {
			data fields
			want []int
		}{
			{fields{"device": "Phone 3"}, []int{0, 0, 1}},
			{fields{"device": "phone 3", "factor": "push"}, []int{0, 0, 2}},
			{fields{"device": " PHONE 3 ", "provider": "push"}, []int{0, 0, 3}},
			{fields{"device": "mia's pixel", "provider": "okta"}, []int{0, 1, 3}},
			{fields{"device": all[1].ID}, []int{0, 2, 3}},
			{fields{"device": all[0].ID, "wait": false}, []int{1, 2, 3}},
			{nil, []int{2, 2, 3}}, // approved at once: no reason for the others to ring
		} {
			m.mustLogin(test.data)
			assert.Equal(t, test.want, rung(all), test.data)
		}
		for _, device := range []string{"Phone 2", "Mia", strings.ToLower(all[1].ID), "*"} {
			assert.Equal(t, `Okta asks for a factor, and you cannot use the one that you chose. You can use: `+
				`a push "Phone 1", "Mia's Pixel" or "Phone 3" (provider=push, or device=<one of these>)`+
				". The command that sends device is okta-login -device=<device> "+testLogin+"; the HTTP API takes it at /v1/auth/okta/login/"+testLogin,
				m.refused(fields{"device": device}))
		}
		assert.Equal(t, []int{2, 2, 3}, rung(all))

		m.write("config", fields{"push_devices": "first"})
		for _, f := range all {
			f.SetScript("WAITING", "SUCCESS")
		}
		m.mustLogin(nil)
		assert.Equal(t, []int{3, 2, 3}, rung(all), "push_devices=first")
		m.mustLogin(fields{"device": "phone 3"})
		assert.Equal(t, []int{3, 2, 4}, rung(all), "any can still be named")
	})
}

// With a number to choose from, only the phone that shows it is in question.
func TestPhonesNumber(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 100})
		all := phones(m.addUser("Everyone"), 3)
		all[0].Number(0, 0)
		held := m.hold(nil)
		require.NotNil(t, held.CorrectAnswer)
		assert.Equal(t, 0, *held.CorrectAnswer)
		assert.Equal(t, []int{1, 0, 0}, rung(all), "the others do not ring")
		m.proceed(held, fields{"cancel": true})

		// It may come late, and at any of them.
		all[0].Number(11, 100)
		all[1].Number(22, 2)
		held = m.hold(nil)
		assert.Nil(t, held.CorrectAnswer)
		assert.Equal(t, []int{2, 1, 1}, rung(all))
		for range 2 {
			m.later()
			held = m.continued(held, nil)
		}
		require.NotNil(t, held.CorrectAnswer)
		assert.Equal(t, 22, *held.CorrectAnswer)
		assert.Equal(t, "Phone 2", held.Device)
		assert.Zero(t, all[0].Waiting()+all[2].Waiting())
		all[1].Approve()
		m.later()
		m.ended(held, nil)

		// The blocking login, with a nonce.
		step := m.clock.hold(t)
		done := m.background(t.Context(), m.from(callerIP, nil, fields{"nonce": "nonce"}))
		step() // between phone 1 and 2
		step() // 2 and 3
		step() // the first polls
		step() // the second
		var resp fields
		m.eventually(func() bool {
			r, status, _ := m.do("read", "verify/nonce", nil)
			if status == http.StatusOK {
				resp = r.Data
			}
			return status == http.StatusOK
		}, "no number")
		assert.Equal(t, "Phone 2", resp["device"])
		assert.Equal(t, int64(22), num(t, resp["correct_answer"]))
		m.eventually(func() bool { return m.clock.asleep() == 1 }, "the login does not wait")
		all[1].Approve()
		step()
		assert.Equal(t, http.StatusOK, m.finished(done).status)
	})
}

// A phone that cannot be rung is no reason to give the others up.
func TestPhonesOneFails(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		all := phones(m.addUser("Everyone"), 3)
		all[0].SetScript("WAITING", "SUCCESS")
		m.okta.Fail("authn", oktatest.Status(http.StatusInternalServerError, "E0000009", "Internal Server Error").After(1).Times(1))
		m.mustLogin(nil)
		assert.Equal(t, []int{1, 0, 0}, rung(all), "those that ring have to do")

		m.okta.ClearFaults()
		all[0].SetScript("WAITING")
		all[2].SetScript("WAITING", "SUCCESS")
		m.okta.Fail("verify", oktatest.CloseConnection().After(1).Times(1))
		m.mustLogin(nil)
		assert.Equal(t, []int{2, 0, 1}, rung(all))
	})
}

// An approval ends the login, also where Okta lets nobody in behind it: the other
// phones ring no longer, and the person is not told that nobody answered.
func TestPhonesApprovalForNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 1})
		u := m.addUser("Everyone")
		all := phones(u, 3)
		for status, says := range map[string]string{
			"PASSWORD_EXPIRED": "your Okta password has expired", "LOCKED_OUT": "your Okta account is locked",
			"PASSWORD_RESET": "is being recovered", "MFA_ENROLL": "enroll a factor", "A_NEW_STATUS": "A_NEW_STATUS",
		} {
			u.SetStatusAfterMFA(status)
			for i, approved := range all {
				for _, wait := range []bool{true, false} {
					m.okta.Reset()
					pushes, withdrawn := rung(all), 0
					for _, f := range all {
						withdrawn -= f.Withdrawn()
					}
					if wait {
						approved.SetScript("WAITING", "SUCCESS")
						assert.Contains(t, m.refused(nil), says, "%s, phone %d", status, i+1)
						approved.SetScript("WAITING")
					} else {
						held := m.hold(nil)
						approved.Approve()
						m.later()
						assert.Contains(t, m.setback(held, nil), says, "%s, phone %d", status, i+1)
						assert.Equal(t, noTransaction, m.setback(held, nil))
					}
					for j, f := range all {
						withdrawn += f.Withdrawn()
						assert.Equal(t, pushes[j]+1, f.Pushes())
						assert.Zero(t, f.Waiting(), "phone %d rings on", j+1)
					}
					assert.Equal(t, 2, withdrawn)
					assert.Equal(t, 3, m.calls("cancel"))
					m.clock.advance(time.Minute)
				}
			}
		}
	})
}

// However many phones ring, the guard counts one push.
func TestPhonesAndTheGuard(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		all := phones(m.addUser("Everyone"), 4)
		for range 3 {
			all[3].SetScript("WAITING", "REJECTED")
			assert.Contains(t, m.refused(nil), "rejected")
		}
		assert.Equal(t, http.StatusTooManyRequests, m.status(nil))
		assert.Equal(t, http.StatusTooManyRequests, m.status(fields{"device": "Phone 2"}), "the person is spared, not the phone")
		assert.Equal(t, []int{3, 3, 3, 3}, rung(all))
	})
}

// When the caller leaves while the phones begin to ring, all of them stop.
func TestPhonesCallerLeaves(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		all := phones(m.addUser("Everyone"), 4)
		step := m.clock.hold(t)
		ctx, leave := context.WithCancel(t.Context())
		done := m.background(ctx, m.from(callerIP, nil, nil))
		step()
		m.eventually(func() bool { return all[1].Pushes() == 1 && m.clock.asleep() == 1 }, "no second phone")
		leave()
		m.finished(done)
		m.eventually(func() bool { return all[0].Waiting()+all[1].Waiting() == 0 }, "they still ring")
		assert.Equal(t, []int{1, 1, 0, 0}, rung(all))
		m.eventually(func() bool { return m.calls("cancel") == 2 }, "both transactions are cancelled")
	})
}
