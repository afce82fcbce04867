package backend

import (
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
)

var duoAllows = mfatest.DuoOutcome{Result: "allow", Status: "allow"}

// TestDuoCodeIsShown by the nonce's path while the login waits.
func TestDuoCodeIsShown(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withDuo(m, nil)
		u.RequireVerifiedPush(6).NextCodes("314159")
		const nonce = "GENUINEnonce20chars."
		done := m.background(t.Context(), m.from(callerIP, nil, fields{"nonce": nonce}))
		var shown *logical.Response
		m.eventually(func() bool {
			var status int
			shown, status, _ = m.do(logical.ReadOperation, "verify/"+nonce, nil)
			return status == http.StatusOK
		}, "no code")
		assert.EqualValues(t, 314159, num(t, shown.Data["correct_answer"]))
		assert.Equal(t, "314159", shown.Data["verification_code"])
		assert.Equal(t, "(XXX-XXX-6620)", shown.Data["device"])
		assert.NotEmpty(t, shown.Data["expires_in"])
		assert.Equal(t, 1, u.Type("314159"))
		end := m.finished(done)
		require.Equal(t, http.StatusOK, end.status, end.text)
		assert.NotContains(t, m.logs.String(), "314159")
	})
}

// TestDuoCodeOfAHeldLogin is in its answers, and in no other.
func TestDuoCodeOfAHeldLogin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withDuo(m, nil)
		u.RequireVerifiedPush(3).NextCodes("271")
		resp, status, text := m.login(fields{"wait": false})
		data := heldMethods(t, m, resp, status, text)
		require.Equal(t, "waiting", data["state"])
		assert.Equal(t, "271", data["verification_code"])
		assert.EqualValues(t, 271, num(t, data["correct_answer"]))
		assert.Equal(t, "(XXX-XXX-6620)", data["device"])
		held := heldState{TransactionID: data["transaction_id"].(string)}
		assert.Equal(t, 1, u.Type("271"))
		m.eventually(func() bool {
			resp, status, text := m.proceed(held, nil)
			require.Equal(t, http.StatusOK, status, text)
			return resp.Auth != nil
		}, "the code was right")
	})
}

// TestDuoCodeThatCannotBeShown: the policy of the account is not weakened, and the person
// hears what they can do.
func TestDuoCodeThatCannotBeShown(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withDuo(m, nil)
		u.RequireVerifiedPush(6)
		text := m.refused(nil)
		assert.Contains(t, text, "MFA method my_duo: it sends a push only with a code to type on your phone, and this login cannot show you the code")
		assert.Contains(t, text, "verify/<nonce>")
		assert.Zero(t, u.Pushes())
		m.mustLogin(fields{"mfa": "my_duo:555111"})
		u.SetCapabilities("auto", "push", "phone").Script(duoAllows)
		m.mustLogin(fields{"mfa": "my_duo:call"})
		assert.Equal(t, "phone", u.PushParameters()[0].Get("factor"))
	})
}

// TestDuoCalls where that is all that the person's phone can do, or what they ask for.
func TestDuoCalls(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withDuo(m, nil)
		u.SetCapabilities("auto", "phone").Script(duoAllows, duoAllows, duoAllows)
		m.mustLogin(nil)
		u.SetCapabilities("auto")
		m.mustLogin(nil)
		u.SetCapabilities("push", "phone")
		m.mustLogin(fields{"mfa": "my_duo:device=xxx-xxx-6620"})
		var factors []string
		for _, sent := range u.PushParameters() {
			factors = append(factors, sent.Get("factor"))
		}
		assert.Equal(t, []string{"phone", "auto", "push"}, factors)
		assert.Contains(t, m.refused(fields{"mfa": "my_duo:device=Phone 7"}),
			`MFA method my_duo: knows no device of yours by that name: you have "(XXX-XXX-6620)"`)
		u.SetCapabilities("mobile_otp", "phone")
		assert.Equal(t, "MFA method my_duo: finds no phone of yours that can take a push: you can give call or a passcode",
			m.refused(fields{"mfa": "my_duo:push"}))
	})
}

// TestDuoCallsByPermit of the guard, like everything that rings.
func TestDuoCallsByPermit(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withDuo(m, nil)
		m.write("config", fields{"max_push_failures": 2})
		u.SetCapabilities("auto", "push", "phone")
		rejects := mfatest.DuoOutcome{Result: "deny", Status: "deny"}
		u.Script(rejects, mfatest.DuoOutcome{Result: "deny", Status: "timeout"}, duoAllows)
		m.refused(fields{"mfa": "my_duo:call"})
		m.refused(nil)
		for _, mfa := range []string{"my_duo:call", "my_duo:auto", "my_duo"} {
			_, status, text := m.login(fields{"mfa": mfa})
			assert.Equal(t, http.StatusTooManyRequests, status, text)
		}
		assert.Equal(t, 2, u.Pushes())
		m.mustLogin(fields{"mfa": "my_duo:555111"})
	})
}

// TestDuoCallsOnceInALogin: the phone that had the push is not called on top of it.
func TestDuoCallsOnceInALogin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withDuo(m, nil)
		u.SetCapabilities("auto", "push", "phone")
		resp, status, text := m.login(fields{"wait": false})
		data := heldMethods(t, m, resp, status, text)
		held := heldState{TransactionID: data["transaction_id"].(string)}
		assert.Contains(t, m.setback(held, fields{"mfa": "my_duo:call"}), "this phone has had a push for this login already")
		assert.Equal(t, 1, u.Pushes())
		m.ended(held, fields{"mfa": "my_duo:555111"})
	})
}

// TestDuoLimitsTheRate: a login waits as long as Duo wants, where it has that time.
func TestDuoLimitsTheRate(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		duo, u := withDuo(m, nil)
		u.Script(duoAllows)
		limited := func(seconds string) mfatest.Fault {
			return mfatest.Fault{On: "/preauth", Times: 1, Status: 429, Header: map[string]string{"Retry-After": seconds}}
		}
		duo.Fail(limited("9"))
		began := m.clock.Now()
		m.mustLogin(nil)
		assert.GreaterOrEqual(t, m.clock.Now().Sub(began), 9*time.Second)
		duo.Fail(limited("240"))
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Equal(t, "MFA method my_duo: its service limits the rate of requests: try again in 4 minutes", text)
	})
}

// TestDuoRefusesTheMethod: wrong keys and clocks are the operator's to correct. The person
// hears whom to tell, and the log has what is wrong.
func TestDuoRefusesTheMethod(t *testing.T) {
	for name, test := range map[string]struct {
		method fields
		code   string
		log    string
	}{
		"integration key": {method: fields{"integration_key": "DIWRONG"}, log: "code 40102: check integration_key and api_hostname"},
		"secret key":      {method: fields{"secret_key": "not-the-key"}, log: "code 40103: check secret_key and api_hostname"},
		"clock":           {code: "40105", log: "code 40105: check the clock of this machine"},
		"application":     {code: "40301", log: "code 40301: integration_key must be that of an application of type"},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				duo, u := withDuo(m, test.method)
				if test.code != "" {
					duo.Fail(mfatest.Fault{Status: 401, Body: `{"stat":"FAIL","code":` + test.code + `,"message":"no"}`})
				}
				assert.Equal(t, "MFA method my_duo: its service refuses this mount: tell your Vault administrator to check the method's keys "+
					"and host and the clock of Vault's machine, and to look up the reason in Vault's log", m.refused(nil))
				assert.Contains(t, m.logs.String(), "[WARN]")
				assert.Contains(t, m.logs.String(), test.log)
				assert.Zero(t, u.Pushes())
			})
		})
	}
}
