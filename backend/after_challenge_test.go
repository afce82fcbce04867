package backend

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Once a push or a code was sent every failure is 400, whatever kind of login it
// is and whatever fails: Vault's Go client repeats a request on 429 and 5xx by
// itself, and the phone would ring again.
func TestFailuresAfterAChallenge(t *testing.T) {
	faults := []struct {
		name   string
		fault  oktatest.Fault
		passes bool // a question about a push may be asked again
	}{
		{"500", oktatest.Status(http.StatusInternalServerError, "E0000009", "Internal Server Error"), true},
		{"504", oktatest.Status(http.StatusGatewayTimeout, "E0000067", "The service of the factor is slow"), true},
		{"429", oktatest.RateLimited(0, 23*time.Second), false},
		{"closed connection", oktatest.CloseConnection(), true},
		{"truncated", oktatest.TruncatedJSON(), false},
		{"an empty object", oktatest.Body(http.StatusOK, "application/json", `{}`), false},
		{"202 with an error", oktatest.Accepted202(), false},
	}
	type person struct {
		user              *oktatest.User
		push, second, sms *oktatest.Factor
		totp              *oktatest.Factor
		name              string
	}
	// Each situation begins a login, lets fail break an endpoint, and returns the
	// request after that.
	situations := []struct {
		name             string
		refused, patient bool // what becomes of a 429
		run              func(m *mount, p person, begin func(fields) heldState, fail func(endpoint string, after int)) fields
	}{
		{"the first answer to a push", true, false, func(_ *mount, _ person, _ func(fields) heldState, fail func(string, int)) fields {
			fail("verify", 0)
			return fields{"device": "Phone 1"}
		}},
		{"a poll", false, false, func(_ *mount, _ person, _ func(fields) heldState, fail func(string, int)) fields {
			fail("verify", 1)
			return fields{"device": "Phone 1"}
		}},
		{"a poll of several phones", false, false, func(_ *mount, _ person, _ func(fields) heldState, fail func(string, int)) fields {
			fail("verify", 3)
			return nil
		}},
		{"groups after a push", false, false, func(_ *mount, p person, _ func(fields) heldState, fail func(string, int)) fields {
			p.push.SetScript("WAITING", "SUCCESS")
			fail("groups", 0)
			return fields{"device": "Phone 1"}
		}},
		{"skipping a warning after a push", false, false, func(_ *mount, p person, _ func(fields) heldState, fail func(string, int)) fields {
			p.push.SetScript("WAITING", "SUCCESS")
			p.user.SetStatusAfterMFA("PASSWORD_WARN")
			fail("skip", 0)
			return fields{"device": "Phone 1"}
		}},
		{"the answer that a code was sent", true, false, func(_ *mount, _ person, _ func(fields) heldState, fail func(string, int)) fields {
			fail("verify", 0)
			return fields{"factor": "sms"}
		}},
		{"answering a kept code", false, false, func(m *mount, p person, _ func(fields) heldState, fail func(string, int)) fields {
			m.do(logical.UpdateOperation, "login/"+p.name, fields{"password": testPassword, "factor": "sms"})
			fail("verify", 0)
			return fields{"factor": "sms", "totp": p.sms.Code()}
		}},
		{"having a kept code sent again", true, false, func(m *mount, p person, _ func(fields) heldState, fail func(string, int)) fields {
			m.do(logical.UpdateOperation, "login/"+p.name, fields{"password": testPassword, "factor": "sms"})
			m.clock.advance(30 * time.Second)
			fail("resend", 0)
			return fields{"factor": "sms", "resend": true}
		}},
		{"groups after a code", false, false, func(m *mount, p person, _ func(fields) heldState, fail func(string, int)) fields {
			m.do(logical.UpdateOperation, "login/"+p.name, fields{"password": testPassword, "factor": "sms"})
			fail("groups", 0)
			return fields{"factor": "sms", "totp": p.sms.Code()}
		}},
		{"a held login begins with a push", true, false, func(_ *mount, _ person, _ func(fields) heldState, fail func(string, int)) fields {
			fail("verify", 0)
			return fields{"wait": false, "device": "Phone 1"}
		}},
		{"asking about a held push", false, true, func(m *mount, _ person, begin func(fields) heldState, fail func(string, int)) fields {
			held := begin(fields{"device": "Phone 1"})
			m.later()
			fail("verify", 0)
			return fields{"transaction_id": held.TransactionID}
		}},
		{"going back from a held push", false, false, func(_ *mount, _ person, begin func(fields) heldState, fail func(string, int)) fields {
			held := begin(nil)
			fail("previous", 0)
			return fields{"transaction_id": held.TransactionID, "factor": "sms"}
		}},
		{"a code in place of a held push", false, false, func(_ *mount, _ person, begin func(fields) heldState, fail func(string, int)) fields {
			held := begin(nil)
			fail("verify", 0)
			return fields{"transaction_id": held.TransactionID, "factor": "sms"}
		}},
		{"a passcode in place of a held push", false, false, func(m *mount, p person, begin func(fields) heldState, fail func(string, int)) fields {
			held := begin(nil)
			fail("verify", 0)
			return fields{"transaction_id": held.TransactionID, "totp": p.totp.Code()}
		}},
		{"answering a held code", false, false, func(_ *mount, p person, begin func(fields) heldState, fail func(string, int)) fields {
			held := begin(fields{"factor": "sms"})
			fail("verify", 0)
			return fields{"transaction_id": held.TransactionID, "totp": p.sms.Code()}
		}},
		{"having a held code sent again", false, false, func(m *mount, _ person, begin func(fields) heldState, fail func(string, int)) fields {
			held := begin(fields{"factor": "sms"})
			m.clock.advance(30 * time.Second)
			fail("resend", 0)
			return fields{"transaction_id": held.TransactionID, "factor": "sms", "resend": true}
		}},
		{"groups after a held push", false, false, func(m *mount, p person, begin func(fields) heldState, fail func(string, int)) fields {
			held := begin(fields{"device": "Phone 1"})
			p.push.Approve()
			m.later()
			fail("groups", 0)
			return fields{"transaction_id": held.TransactionID}
		}},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		for i, situation := range situations {
			for j, row := range faults {
				name := situation.name + ": " + row.name
				p := person{name: fmt.Sprintf("u%d-%d@acme.test", i, j)}
				p.user = m.okta.AddUser(p.name, testPassword)
				p.user.SetGroups("Everyone")
				p.push, p.second, p.sms, p.totp = p.user.AddPush(), p.user.AddPush(), p.user.AddFactor("sms", "OKTA"), p.user.AddTOTP("OKTA")
				send := func(data fields) (*logical.Response, int, string) {
					req := m.request(logical.UpdateOperation, "login/"+p.name, fields{"password": testPassword})
					for k, v := range data {
						req.Data[k] = v
					}
					return m.send(t.Context(), req)
				}
				begin := func(data fields) heldState {
					all := fields{"wait": false}
					for k, v := range data {
						all[k] = v
					}
					return m.state(send(all))
				}
				fail := func(endpoint string, after int) {
					fault := row.fault.After(after)
					if row.name != "429" { // the others may have been acted upon
						fault = fault.Delivered()
					}
					m.okta.Fail(endpoint, fault)
				}
				m.okta.ClearFaults()
				m.clock.advance(2 * time.Minute) // past the rate limit of the row before
				data := situation.run(m, p, begin, fail)
				resp, status, text := send(data)
				m.okta.ClearFaults()
				want := http.StatusBadRequest
				switch {
				case row.name == "202 with an error" && situation.patient: // so Okta says that the push waits
					want = http.StatusOK
				case row.passes && situation.patient: // it is asked again
					want = http.StatusOK
				case row.name != "429":
				case situation.refused: // Okta has sent nothing, and says when it would
					want = http.StatusTooManyRequests
				case situation.patient: // a held login waits for room
					want = http.StatusOK
				}
				assert.Equal(t, want, status, "%s: %s", name, text)
				assert.True(t, resp == nil || resp.Auth == nil, name)
				assert.LessOrEqual(t, p.push.Pushes(), 1, name)
				assert.LessOrEqual(t, p.second.Pushes(), 1, name)
				assert.LessOrEqual(t, p.sms.Sent(), 2, name)
			}
		}
	})
}

// The same where Okta takes a request and says nothing.
func TestNoAnswerAfterAChallenge(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push, sms := u.AddPush(), u.AddFactor("sms", "OKTA")
		hang := func() { m.okta.Fail("verify", oktatest.Hang().Delivered().Times(1)) }
		hang()
		assert.Contains(t, m.refused(nil), "Okta did not answer in time")
		assert.Zero(t, push.Waiting())
		hang()
		assert.Contains(t, m.refused(fields{"factor": "sms"}), "Okta did not answer in time")
		m.mustLogin(fields{"totp": sms.Code()}) // the code was sent, and is good
		m.clock.advance(time.Minute)
		m.refused(fields{"factor": "sms"})
		m.okta.Fail("verify", oktatest.Hang().Times(1))
		assert.Contains(t, m.refused(fields{"totp": sms.Code()}), "Okta did not answer in time")
		m.mustLogin(fields{"totp": sms.Code()}) // it was not spent
		held := m.hold(nil)
		m.later()
		hang()
		m.continued(held, nil) // a question without an answer ends nothing
		push.Approve()
		m.later()
		m.continued(held, nil) // reads the state
		m.later()
		m.ended(held, nil)
		assert.Zero(t, push.Waiting())
	})
}
