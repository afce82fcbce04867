package backend

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// A login that needs nobody answers with the token at once, and one that fails
// leaves nothing behind.
func TestHeldNeedsNobody(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		m.mustLogin(fields{"wait": false})
		m.mustLogin(fields{"wait": "false"})
		assert.Contains(t, m.refused(fields{"wait": false, "password": "guess"}), "(E0000004)")

		totp := u.AddTOTP("GOOGLE")
		m.mustLogin(fields{"wait": false, "totp": m.nextCode(totp)})
		m.okta.Reset()
		assert.Contains(t, m.refused(fields{"wait": false, "totp": "000000"}), "(E0000068)")
		assert.Equal(t, 1, m.calls("cancel"), "nobody knows of it")
		assert.Contains(t, m.refused(fields{"wait": false, "provider": "sms"}), "Google Authenticator")
		assert.Equal(t, 2, m.calls("cancel"))
		u.AddPush("SUCCESS")
		m.mustLogin(fields{"wait": false}) // approved before anybody could ask
		u.SetStatus("PASSWORD_EXPIRED")
		assert.Contains(t, m.refused(fields{"wait": false}), "expired")
		assert.Empty(t, m.inner.held.byID)
	})
}

// A push: the login waits, is asked about, and ends with the token.
func TestHeldPush(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_policies": "base", "token_ttl": "1h", "mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push := u.AddPush("WAITING")
		u.AddTOTP("GOOGLE")
		u.AddFactor("question", "OKTA")
		u.AddFactor("webauthn", "FIDO")
		u.AddFactor("email", "OKTA").SetStatus("INACTIVE")
		held := m.hold(nil)
		assert.Equal(t, "waiting", held.State)
		assert.Equal(t, "push", held.Factor)
		assert.Equal(t, "OKTA", held.Provider)
		assert.Equal(t, "Phone 1", held.Device)
		assert.Empty(t, held.ID)
		assert.Empty(t, held.SentTo)
		assert.Nil(t, held.CorrectAnswer)
		expires, err := time.Parse(time.RFC3339, held.ExpiresAt)
		require.NoError(t, err)
		assert.Equal(t, time.UTC, expires.Location())
		assert.WithinDuration(t, m.clock.Now().Add(5*time.Minute), expires, 5*time.Second)
		require.Len(t, held.Factors, 2, "those that can be used here")
		totp, question := u.Factors()[1], u.Factors()[2]
		assert.Equal(t, heldState{ID: totp.ID, Factor: "totp", Provider: "GOOGLE"}, held.Factors[0])
		assert.Equal(t, heldState{ID: question.ID, Factor: "question", Provider: "OKTA",
			Question: "Which dish did you always refuse to eat?"}, held.Factors[1])

		// However often it is asked about, Okta is every other second.
		asked := push.Polls()
		for range 10 {
			assert.Equal(t, "waiting", m.continued(held, nil).State)
		}
		assert.Equal(t, asked, push.Polls())
		m.clock.advance(1400 * time.Millisecond)
		m.continued(held, nil)
		assert.Equal(t, asked, push.Polls())
		m.later()
		for range 10 {
			m.continued(held, nil)
		}
		assert.Equal(t, asked+1, push.Polls())
		assert.Equal(t, 1, push.Pushes())

		push.Approve()
		m.later()
		auth := m.ended(held, nil)
		assert.Equal(t, []string{"base"}, auth.Policies)
		assert.Equal(t, time.Hour, auth.TTL)
		assert.Equal(t, testLogin, auth.Alias.Name)
		assert.Equal(t, fields{"password": testPassword}, auth.InternalData)
		assert.Equal(t, 1, m.authnCalls(), "one delivery of the password")
		assert.Zero(t, m.calls("cancel"))
		assert.Equal(t, noTransaction, m.setback(held, nil), "after the success")
		assert.Empty(t, m.inner.held.byID)

		// The token is renewed like any other.
		push.SetScript("WAITING", "SUCCESS")
		resp, status, text := m.renew(issued(auth))
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, fields{"password": testPassword}, resp.Auth.InternalData)
	})
}

// What ends a push ends the login.
func TestHeldPushFails(t *testing.T) {
	tests := []struct {
		script []string
		says   string
	}{
		{[]string{"WAITING", "REJECTED"}, "the push was rejected on the phone" + afterRejection},
		{[]string{"WAITING", "TIMEOUT"}, "the push was not answered in time: log in again, and answer it as soon as the phone rings"},
		{[]string{"WAITING", "CANCELLED"}, "the push was cancelled"},
		{[]string{"WAITING", "ERROR"}, "Okta could not verify your factor"},
		{[]string{"WAITING", "BRAND_NEW"}, "BRAND_NEW"},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 100})
		push := m.addUser("Everyone").AddPush()
		for _, test := range tests {
			push.SetScript(test.script...)
			m.okta.Reset()
			held := m.hold(nil)
			m.later()
			m.continued(held, nil)
			m.later()
			assert.Contains(t, m.setback(held, nil), test.says)
			assert.Equal(t, noTransaction, m.setback(held, nil), test.says)
			assert.Equal(t, 1, m.calls("cancel"), test.says)
		}
	})
}

// The number of a number challenge, also where it is 0 or comes late.
func TestHeldNumber(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		for _, number := range []int{0, 47} {
			for from := range 3 {
				push.Number(number, from)
				held := m.hold(nil)
				for range from {
					assert.Nil(t, held.CorrectAnswer, "not told yet")
					m.later()
					held = m.continued(held, nil)
				}
				require.NotNil(t, held.CorrectAnswer, "from poll %d", from)
				assert.Equal(t, number, *held.CorrectAnswer)
				assert.Equal(t, "Phone 1", held.Device)
				assert.Equal(t, "waiting", held.State)
				assert.Equal(t, number, *m.continued(held, nil).CorrectAnswer, "told again")
				push.Approve()
				m.later()
				m.ended(held, nil)
			}
		}
	})
}

// Passcodes: a wrong one leaves the login open, a right one ends it.
func TestHeldPassCode(t *testing.T) {
	for _, test := range passCodeFactors {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"mfa_factors": allFactors})
				factor := m.addUser("Everyone").AddFactor(test.factorType, test.provider)
				held := m.hold(nil)
				assert.Equal(t, "passcode_required", held.State)
				assert.Equal(t, test.kind, held.Factor)
				assert.Equal(t, test.provider, held.Provider)
				assert.Equal(t, test.kind == "question", held.Question != "")
				assert.Empty(t, held.Factors, "there is no other")

				wrong := map[string]string{"token:hardware": "ccccccccccccccccccccccccccccccccccccccccccbc", "question": "no-such-food"}[test.factorType]
				if wrong == "" {
					wrong = "000000"
				}
				assert.Contains(t, m.setback(held, fields{"totp": wrong}), "Okta did not accept the passcode (E0000068). It was tried on ")
				assert.Equal(t, "passcode_required", m.continued(held, nil).State)
				assert.Contains(t, m.setback(held, fields{"passcode": wrong, "provider": test.kind}), "Okta did not accept the passcode (E0000068). It was tried on ")
				assert.Contains(t, m.setback(held, fields{"totp": "?" + wrong[:2] + "é", "provider": "sms"}), "the passcode does not match any of yours")
				m.ended(held, fields{"passcode": m.nextCode(factor)})
				assert.Equal(t, 1, m.authnCalls())
				assert.Equal(t, noTransaction, m.setback(held, nil))
			})
		})
	}
}

// Codes that Okta sends.
func TestHeldCode(t *testing.T) {
	eachCode(t, func(t *testing.T, m *mount, i int, f *oktatest.Factor) {
		row := codeFactors[i]
		held := m.hold(nil)
		assert.Equal(t, "passcode_required", held.State)
		assert.Equal(t, row.kind, held.Factor)
		assert.Equal(t, row.sentTo, held.SentTo)
		assert.Equal(t, 1, f.Sent())
		expires, err := time.Parse(time.RFC3339, held.ExpiresAt)
		require.NoError(t, err)
		assert.WithinDuration(t, m.clock.Now().Add(5*time.Minute), expires, 5*time.Second)

		assert.Equal(t, held.State, m.continued(held, nil).State)
		m.continued(held, fields{"factor": row.kind})
		assert.Equal(t, 1, f.Sent(), "asking sends nothing")
		_, status, text := m.proceed(held, fields{"resend": true})
		assert.Contains(t, text, row.limitCode)
		assert.Equal(t, http.StatusBadRequest, status, "a code had been sent")
		m.clock.advance(time.Duration(row.wait) * time.Second)
		first := f.Code()
		m.continued(held, fields{"resend": true})
		assert.Equal(t, 2, f.Sent())
		if first != f.Code() {
			assert.Contains(t, m.setback(held, fields{"totp": first}), "(E0000068)")
		}
		m.ended(held, fields{"totp": f.Code()})
		assert.Equal(t, 1, m.authnCalls())
		assert.Equal(t, noTransaction, m.setback(held, fields{"totp": f.Code()}))
	})
}

// Several ways and none chosen: the person is asked, and nothing is sent before
// that.
func TestHeldChoice(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		sms, email, totp := u.AddFactor("sms", "OKTA"), u.AddFactor("email", "OKTA"), u.AddTOTP("GOOGLE")
		held := m.hold(nil)
		assert.Equal(t, "factor_required", held.State)
		assert.Empty(t, held.Factor)
		assert.Equal(t, []heldState{
			{ID: sms.ID, Factor: "sms", Provider: "OKTA", SentTo: "+1 XXX-XXX-4821"},
			{ID: email.ID, Factor: "email", Provider: "OKTA", SentTo: "m...o@acme.test"},
			{ID: totp.ID, Factor: "totp", Provider: "GOOGLE"},
		}, held.Factors)
		assert.Zero(t, sms.Sent()+email.Sent())
		assert.Contains(t, m.setback(held, fields{"factor": "token"}), "you cannot use the one that you chose")

		s := m.continued(held, fields{"factor": "totp"})
		assert.Equal(t, "passcode_required", s.State)
		assert.Equal(t, "totp", s.Factor)
		assert.Len(t, s.Factors, 2)
		s = m.continued(held, fields{"provider": "sms"})
		assert.Equal(t, "sms", s.Factor)
		assert.Equal(t, "+1 XXX-XXX-4821", s.SentTo)
		s = m.continued(held, fields{"factor": "EMAIL"})
		assert.Equal(t, "email", s.Factor)
		assert.Equal(t, 1, sms.Sent())
		assert.Equal(t, 1, email.Sent())
		assert.NotZero(t, m.calls("previous"))
		m.ended(held, fields{"totp": m.nextCode(totp), "provider": "google"})
		assert.Equal(t, 1, m.authnCalls(), "all in one transaction")
	})
}

// From a push to something else, and not back to the phone that rang.
func TestHeldSwitch(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push, sms, totp := u.AddPush(), u.AddFactor("sms", "OKTA"), u.AddTOTP("OKTA")

		held := m.hold(nil)
		s := m.continued(held, fields{"factor": "sms"})
		assert.Equal(t, "passcode_required", s.State)
		assert.Equal(t, 1, push.Withdrawn())
		assert.Equal(t, 1, m.calls("previous"))
		require.Len(t, s.Factors, 2, "the push is still one of those it could have been")
		for _, with := range []fields{{"factor": "push"}, {"provider": "push"}, {"device": "Phone 1"}} {
			assert.Equal(t, "this phone has had a push for this login already: use another factor, or log in again"+stillOpen,
				m.setback(held, with))
		}
		assert.Equal(t, 1, push.Pushes(), "no phone rings twice for one login")
		assert.Equal(t, "sms", m.continued(held, nil).Factor, "the code is still waited for")
		m.ended(held, fields{"totp": sms.Code()})

		// A passcode, while a push waits.
		m.clock.advance(time.Minute)
		held = m.hold(nil)
		assert.Contains(t, m.setback(held, fields{"totp": "000000"}), "(E0000068)")
		assert.Equal(t, 2, push.Withdrawn())
		m.ended(held, fields{"totp": m.nextCode(totp)})

		// What cannot be does not touch the push.
		held = m.hold(nil)
		assert.Contains(t, m.setback(held, fields{"factor": "email"}), "you cannot use the one that you chose")
		assert.Equal(t, "waiting", m.continued(held, nil).State)
		push.Approve()
		m.later()
		m.ended(held, nil)
		assert.Equal(t, 2, push.Withdrawn())
	})
}

// From one phone to another, where not all of them ring.
func TestHeldSwitchOfPhones(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"push_devices": "first"})
		all := phones(m.addUser("Everyone"), 3)
		held := m.hold(nil)
		assert.Equal(t, "Phone 1", held.Device)
		s := m.continued(held, fields{"device": "phone 2"})
		assert.Equal(t, "waiting", s.State)
		assert.Equal(t, "Phone 2", s.Device)
		assert.Equal(t, []int{1, 1, 0}, rung(all))
		assert.Equal(t, 1, all[0].Withdrawn())
		assert.Contains(t, m.setback(held, fields{"device": "Phone 1"}), "has had a push for this login already")
		assert.Contains(t, m.setback(held, fields{"device": "Phone 9"}), "you cannot use the one that you chose")
		assert.Equal(t, 1, all[1].Waiting())
		all[1].Approve()
		m.later()
		m.ended(held, nil)
		assert.Equal(t, 1, m.authnCalls(), "all in one transaction")
	})
}

// In a held login that waits for a code, to have it sent again is just that,
// whatever else the person has enrolled.
func TestHeldResendOfTheCode(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push, sms := u.AddPush(), u.AddFactor("sms", "OKTA")
		u.AddFactor("email", "OKTA")
		held := m.hold(fields{"factor": "sms"})
		m.clock.advance(30 * time.Second)
		s := m.continued(held, fields{"resend": true})
		assert.Equal(t, "sms", s.Factor)
		assert.Equal(t, 2, sms.Sent())
		assert.Zero(t, push.Pushes(), "nobody asked for a push")
		m.ended(held, fields{"totp": sms.Code()})
	})
}

// After cancel=true nothing is open at Okta, and the id is good for nothing.
func TestHeldCancel(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push, sms := u.AddPush(), u.AddFactor("sms", "OKTA")
		for i, with := range []fields{nil, {"factor": "sms"}, {"factor": "question"}} {
			if i == 2 {
				u.AddFactor("question", "OKTA")
			}
			m.okta.Reset()
			held := m.hold(with)
			resp, status, text := m.proceed(held, fields{"cancel": true})
			require.Equal(t, http.StatusOK, status, text)
			assert.Nil(t, resp.Auth)
			assert.Equal(t, fields{"transaction_id": held.TransactionID, "state": "cancelled"}, resp.Data)
			assert.Equal(t, 1, m.calls("cancel"))
			assert.Zero(t, push.Waiting())
			assert.Empty(t, m.inner.held.byID)
			assert.Equal(t, noTransaction, m.setback(held, nil))
			assert.Equal(t, noTransaction, m.setback(held, fields{"cancel": true}))
		}
		m.clock.advance(30 * time.Second)
		assert.Contains(t, m.refused(fields{"provider": "sms"}), "Okta has sent a code", "the first one is not waited for any more")
		assert.Equal(t, 2, sms.Sent())
		assert.Empty(t, m.inner.held.byID)
	})
}

// The right factor and then no groups: a push was sent, so that is 400, and the
// login is over.
func TestHeldGroupsFail(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		push := u.AddPush()
		held := m.hold(nil)
		push.Approve()
		m.later()
		m.okta.Fail("groups", oktatest.Status(http.StatusInternalServerError, "E0000009", "Internal Server Error"))
		text := m.setback(held, nil)
		assert.Contains(t, text, "(E0000009)")
		assert.Contains(t, text, "a push or a code may have been sent")
		m.okta.ClearFaults()
		assert.Equal(t, noTransaction, m.setback(held, nil), "not even now")

		// The mount's own storage, alike.
		held = m.hold(nil)
		push.Approve()
		m.later()
		m.write("config", fields{"api_token": ""})
		m.plant(userPrefix+testLogin, "{")
		assert.Contains(t, m.setback(held, nil), "cannot be read: tell your Vault administrator")
		assert.Equal(t, noTransaction, m.setback(held, nil))
	})
}
