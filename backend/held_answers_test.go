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

// A passcode that comes alone is for what the person was asked for, and spent on
// nothing else.
func TestHeldPassCodeIsForWhatWasAsked(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		google, own, question, sms := u.AddTOTP("GOOGLE"), u.AddTOTP("OKTA"), u.AddFactor("question", "OKTA"), u.AddFactor("sms", "OKTA")
		asked := func() []string {
			var ids []string
			for _, r := range m.okta.Requests() {
				var id string
				if n, _ := fmt.Sscanf(r.Path, "/api/v1/authn/factors/%20s", &id); n == 1 {
					ids = append(ids, id)
				}
			}
			return ids
		}
		code := m.nextCode(google)

		held := m.hold(fields{"factor": "question"})
		m.okta.Reset()
		assert.Contains(t, m.setback(held, fields{"totp": code}), "(E0000068)")
		assert.Equal(t, []string{question.ID}, asked(), "an answer may be a number")
		m.continued(held, fields{"factor": "totp"})
		m.okta.Reset()
		assert.Contains(t, m.setback(held, fields{"totp": question.Code()}), "the passcode does not match any of yours",
			"and a passcode may not be an answer")
		assert.Empty(t, m.okta.Requests())
		assert.Contains(t, m.setback(held, fields{"totp": wrongCode(code)}), "(E0000068)")
		assert.Equal(t, []string{google.ID, own.ID}, asked(), "any of those that were asked for")
		m.ended(held, fields{"totp": code})

		m.clock.advance(time.Minute)
		held = m.hold(fields{"factor": "sms"})
		m.okta.Reset()
		assert.Contains(t, m.setback(held, fields{"totp": wrongCode(sms.Code())}), "(E0000068)")
		assert.Equal(t, []string{sms.ID}, asked())
		m.ended(held, fields{"totp": question.Code(), "factor": "question"}) // who names another means it

		u.AddFactor("email", "OKTA")
		held = m.hold(nil) // nobody has been asked for anything
		assert.Equal(t, "factor_required", held.State)
		m.ended(held, fields{"totp": m.nextCode(own)})
	})
}

// A switch to a code that was sent for a login before gives up the push that
// waits, like any other switch.
func TestHeldSwitchToACodeOfBefore(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 2, "mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push, sms := u.AddPush(), u.AddFactor("sms", "OKTA")
		m.refused(fields{"provider": "sms"})
		held := m.hold(nil)
		assert.Equal(t, "waiting", held.State)
		state := m.continued(held, fields{"factor": "sms"})
		assert.Equal(t, []string{"passcode_required", "sms"}, []string{state.State, state.Factor})
		assert.Zero(t, push.Waiting(), "nothing is left to approve")
		assert.Equal(t, 1, push.Withdrawn())
		assert.Equal(t, 1, sms.Sent(), "the code of before is still good")
		assert.Contains(t, m.setback(held, fields{"totp": wrongCode(sms.Code())}), "(E0000068)")
		m.ended(held, fields{"totp": sms.Code()})

		// So does an answer to it.
		m.clock.advance(time.Minute)
		m.refused(fields{"provider": "sms"})
		held = m.hold(nil)
		assert.Contains(t, m.setback(held, fields{"totp": wrongCode(sms.Code()), "factor": "sms"}), "(E0000068)")
		assert.Zero(t, push.Waiting())
		assert.Equal(t, 2, push.Withdrawn())
		m.ended(held, fields{"totp": sms.Code()})
		push.SetScript("SUCCESS")
		assert.Equal(t, http.StatusOK, m.status(nil), "the codes made up for two pushes that nobody answered")
	})
}

// A passcode that was used before, or is of another time, leaves a held login
// open, in whichever of its two forms Okta says so.
func TestHeldPassCodeUsedBefore(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		sms, totp := u.AddFactor("sms", "OKTA"), u.AddTOTP("OKTA")
		for _, test := range []struct{ code, result, says string }{
			{"E0000082", "PASSCODE_REPLAYED", "this passcode has been used already: wait for the next one"},
			{"E0000083", "TIME_WINDOW_EXCEEDED", "this passcode is of another time: check the clock"},
		} {
			for _, f := range []*oktatest.Factor{totp, sms} {
				for _, form := range []string{"an error", "a result"} {
					name := test.result + " of " + f.Type + " as " + form
					m.clock.advance(time.Minute)
					held := m.hold(fields{"factor": map[*oktatest.Factor]string{totp: "totp", sms: "sms"}[f]})
					tokens := m.okta.StateTokens()
					transaction := func(status, result, key string) oktatest.Fault {
						factor := fmt.Sprintf(`{"id":%q,"factorType":%q,"provider":"OKTA"}`, f.ID, f.Type)
						if key == "factors" {
							factor = "[" + factor + "]"
						}
						return oktatest.Body(http.StatusOK, "application/json", fmt.Sprintf(
							`{"stateToken":%q,"expiresAt":%q,"status":%q,"factorResult":%q,"_embedded":{"user":{"id":%q},%q:%s}}`,
							tokens[len(tokens)-1], m.clock.Now().Add(5*time.Minute).UTC().Format(time.RFC3339), status, result, u.ID, key, factor)).Times(1)
					}
					if form == "an error" {
						m.okta.Fail("verify", oktatest.Status(http.StatusForbidden, test.code, "no").Times(1))
					} else {
						m.okta.Fail("verify", transaction("MFA_CHALLENGE", test.result, "factor"))
						if f == totp { // the org itself has not come to a challenge
							m.okta.Fail("previous", transaction("MFA_REQUIRED", "", "factors"))
						}
					}
					text := m.setback(held, fields{"totp": f.Code()})
					assert.Contains(t, text, test.says, name)
					assert.Contains(t, text, stillOpen, name)
					assert.Equal(t, "passcode_required", m.continued(held, nil).State, name)
					m.ended(held, fields{"totp": f.Code()})
					m.okta.ClearFaults()
				}
			}
		}
		assert.Equal(t, 4, sms.Sent(), "one for each login")
	})
}

// cancel=true does not wait for the call that is being served: it ends it.
func TestHeldCancelEndsACallInFlight(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		push, totp := u.AddPush(), u.AddTOTP("OKTA")
		for _, more := range []fields{{}, {"factor": "totp", "totp": m.nextCode(totp)}} {
			held := m.hold(nil)
			m.later()
			m.okta.Reset()
			m.okta.Fail("verify", oktatest.Hang().Times(1))
			data := fields{"transaction_id": held.TransactionID}
			for k, v := range more {
				data[k] = v
			}
			inFlight := m.background(t.Context(), m.request(logical.UpdateOperation, "login/"+testLogin, data))
			m.eventually(func() bool { return m.calls("verify") == 1 }, "Okta is not asked")
			began := time.Now()
			resp, status, text := m.proceed(held, fields{"cancel": true})
			assert.Equal(t, http.StatusOK, status, text)
			assert.Equal(t, "cancelled", resp.Data["state"])
			assert.Less(t, time.Since(began), time.Second)
			o := m.finished(inFlight)
			assert.Equal(t, http.StatusBadRequest, o.status)
			assert.Contains(t, o.text, noTransaction)
			assert.Zero(t, push.Waiting())
			assert.Equal(t, 1, m.calls("cancel"))
			assert.Equal(t, noTransaction, m.setback(held, nil))
			assert.Empty(t, m.inner.held.byID)
		}
	})
}
