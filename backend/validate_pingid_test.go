package backend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
)

// withPingID starts a PingID that knows the person whom the tests log in, with devices,
// and requires a method of it.
func withPingID(m *mount, more fields, devices ...mfatest.PingIDDevice) (*mfatest.PingIDServer, *mfatest.PingIDUser) {
	m.t.Helper()
	ping := mfatest.NewPingID(m.t)
	ping.SetNow(m.clock.Now)
	m.trusted = append(m.trusted, ping.CertPEM)
	m.start()
	m.configure(nil)
	m.addUser("Scientists")
	method := fields{"method_name": "my_ping", "settings_file_base64": ping.Settings()}
	for k, v := range more {
		method[k] = v
	}
	m.createMethod("pingid", method)
	m.write("groups/scientists", fields{"mfa_methods": "my_ping"})
	return ping, ping.AddUserWith(testLogin, devices...)
}

var (
	pingPhone = mfatest.PingIDDevice{Type: "iPhone", Nickname: "Mia's phone", Push: true}
	pingSMS   = mfatest.PingIDDevice{Type: "SMS", Nickname: "Mia's SMS"}
	pingToken = mfatest.PingIDDevice{Type: "Hardware Token", Nickname: "Token"}
)

func TestPingIDMethod(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		ping, u := withPingID(m, nil, pingPhone)
		u.Script(mfatest.PingIDOutcome{ErrorID: 200}, mfatest.PingIDOutcome{ErrorID: 10551, Message: "Failed transaction"})
		m.mustLogin(nil)
		assert.Contains(t, m.refused(nil), "MFA method my_ping: its service does not let you in: the request was rejected or not answered, "+
			"or PingID could not carry it out: log in again (PingID error 10551: Failed transaction)")
		require.Equal(t, 2, u.Pushes())
		assert.Zero(t, ping.Count("/authonline/do"))
		m.mustLogin(fields{"mfa": "my_ping:" + u.PassCode()})
		require.Equal(t, 2, u.Pushes())
		ping.AddUserWith(testLogin).SetStatus("SUSPENDED")
		assert.Contains(t, m.refused(nil), "your account at PingID is suspended")
		ping.Close()
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status, text)
		for _, secret := range ping.Secrets() {
			assert.NotContains(t, m.logs.String(), secret)
		}
	})
}

func TestPingIDDoesNotKnowThePerson(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		withPingID(m, fields{"username_format": "{{username}}.else"}, pingPhone)
		assert.Contains(t, m.refused(nil), "MFA method my_ping: its service does not know you")
	})
}

// A method that was stored before start_authentication existed goes on with authonline.
func TestPingIDMethodStoredBefore(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		ping, u := withPingID(m, fields{"start_authentication": false}, pingPhone)
		keys := m.below(methodPrefix)
		require.Len(t, keys, 1)
		assert.NotContains(t, m.stored(keys[0]), "start_authentication", "what is stored is what was stored then")
		path := "mfa/method/pingid/" + strings.TrimPrefix(keys[0], methodPrefix)
		assert.Equal(t, false, m.read(path)["start_authentication"])
		u.Script(mfatest.PingIDOutcome{ErrorID: 200}, mfatest.PingIDOutcome{ErrorID: 200})
		m.mustLogin(nil)
		assert.Equal(t, []int{1, 0}, []int{ping.Count("/authonline/do"), ping.Count("/startauthentication/do")})

		m.write(path, fields{"start_authentication": nil})
		assert.Equal(t, false, m.read(path)["start_authentication"], "a null counts as not given")
		m.write(path, fields{"start_authentication": true})
		assert.NotContains(t, m.read(path), "start_authentication", "that is the default")
		m.mustLogin(nil)
		assert.Equal(t, []int{1, 1}, []int{ping.Count("/authonline/do"), ping.Count("/startauthentication/do")})
	})
}

// A person whose device takes no push hears which passcode is wanted, and gives it.
func TestPingIDPassCode(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withPingID(m, nil, pingToken)
		assert.Contains(t, m.refused(nil), "this mount requires more than Okta does: my_ping (the code of your hardware token, as mfa=my_ping:<passcode>)")
		assert.Equal(t, "MFA method my_ping: the passcode is not right: try again with the next one", m.refused(fields{"mfa": "my_ping:000000"}))
		m.mustLogin(fields{"mfa": "my_ping:" + u.PassCode()})
		m.mustLogin(fields{"mfa": "my_ping:token=" + u.PassCode()})

		resp, status, text := m.login(fields{"wait": false})
		data := heldMethods(t, m, resp, status, text)
		require.Equal(t, "mfa_required", data["state"])
		held := heldState{TransactionID: data["transaction_id"].(string)}
		assert.Equal(t, "MFA method my_ping: the passcode is not right: try again with the next one"+stillOpen, m.setback(held, fields{"mfa": "my_ping:000000"}))
		m.ended(held, fields{"mfa": "my_ping:" + u.PassCode()})
		assert.Zero(t, u.Pushes())
	})
}

// A code is sent once, by permit of the guard, and the next login brings it.
func TestPingIDSendsACodeOnce(t *testing.T) {
	for name, hidden := range map[string]bool{"devices are told": false, "only the answer tells": true} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				ping, u := withPingID(m, nil, pingSMS)
				m.write("config", fields{"max_push_failures": 2})
				if hidden {
					ping.HideDevices()
				}
				assert.Equal(t, "MFA method my_ping: PingID has sent a code by SMS: log in again in the same way, with mfa=my_ping:sms=<code> added", m.refused(nil))
				assert.Contains(t, m.refused(nil), "MFA method my_ping: PingID sent a code by SMS before, and it is still good")
				assert.Equal(t, 1, u.Sent())
				m.mustLogin(fields{"mfa": "my_ping:sms=" + u.PassCode()})
				for range 2 {
					m.refused(nil)
					m.clock.advance(6 * time.Minute)
				}
				_, status, text := m.login(nil)
				assert.Equal(t, http.StatusTooManyRequests, status, text)
				assert.Equal(t, []int{3, 0}, []int{u.Sent(), u.Pushes()}, "the answered one made up for the first")
			})
		})
	}
}

// What PingID finds wrong with the mount is an administrator's to hear.
func TestPingIDRefusesTheMount(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withPingID(m, nil, pingPhone)
		u.ScriptBegin(mfatest.PingIDOutcome{Status: 400, ErrorID: 400, Message: "Invalid input"})
		assert.Equal(t, "MFA method my_ping: its service refuses this mount: tell your Vault administrator to check its keys, "+
			"and to look up the reason in Vault's log", m.refused(nil))
		assert.Contains(t, m.logs.String(), "[WARN]")
		assert.Contains(t, m.logs.String(), "PingID error 400: Invalid input, which means that the input was refused")
	})
}

// The number of number matching is shown by the same ways as Okta's.
func TestPingIDNumberMatching(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		ping, u := withPingID(m, nil, pingPhone)
		ping.SetNumberMatching(true)
		step := m.clock.hold(t)
		const nonce = "PINGnonce20charslong"
		done := m.background(t.Context(), m.from(callerIP, nil, fields{"nonce": nonce}))
		m.eventually(func() bool { return u.Pushes() == 1 && m.clock.asleep() == 1 }, "the login does not wait")
		resp, status, text := m.do(logical.ReadOperation, "verify/"+nonce, nil)
		require.Equal(t, http.StatusOK, status, text)
		number, ok := u.Number()
		require.True(t, ok)
		assert.EqualValues(t, number, num(t, resp.Data["correct_answer"]))
		assert.Equal(t, "Mia's phone", resp.Data["device"])
		u.Approve()
		step()
		assert.Equal(t, http.StatusOK, m.finished(done).status)

		resp, status, text = m.login(fields{"wait": false})
		data := heldMethods(t, m, resp, status, text)
		number, _ = u.Number()
		assert.Equal(t, []any{"waiting", "my_ping", "Mia's phone", float64(number)},
			[]any{data["state"], data["mfa_method"], data["device"], data["correct_answer"]})
		u.Approve()
		m.clock.advance(mfa.PollInterval)
		m.ended(heldState{TransactionID: data["transaction_id"].(string)}, nil)

		assert.Contains(t, m.refused(nil), `it sends a push only where the login can show you a number: log in by okta-login `+testLogin+`, which shows it; or send nonce=<nonce>`)
		assert.Equal(t, []int{0, 1}, []int{u.Waiting(), u.Cancelled()})
	})
}

// A push is taken back however its login ends: the app holds one at a time.
func TestPingIDPushIsTakenBack(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withPingID(m, nil, pingPhone, pingToken)
		m.write("config", fields{"max_push_failures": 100})
		begin := func() heldState {
			resp, status, text := m.login(fields{"wait": false})
			data := heldMethods(t, m, resp, status, text)
			require.Equal(t, "waiting", data["state"])
			return heldState{TransactionID: data["transaction_id"].(string)}
		}
		held := begin()
		_, status, text := m.proceed(held, fields{"cancel": true})
		require.Less(t, status, 300, text)
		assert.Equal(t, []int{0, 1}, []int{u.Waiting(), u.Cancelled()}, "cancelled")

		held = begin()
		m.ended(held, fields{"mfa": "my_ping:token=" + u.PassCode()})
		assert.Equal(t, []int{0, 2}, []int{u.Waiting(), u.Cancelled()}, "a passcode in its place")

		held = begin()
		m.clock.advance(time.Hour)
		m.tidy()
		m.eventually(func() bool { return u.Cancelled() == 3 }, "an expired login leaves its push")
		assert.Equal(t, noTransaction, m.setback(held, nil))
	})
}

// Where PingID gives a push up for a passcode, the login goes on with that.
func TestPingIDPhoneIsNotReached(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withPingID(m, nil, pingPhone)
		notReached := mfatest.PingIDOutcome{ErrorID: 30006, Message: "Use the app"}
		u.Script(notReached, notReached)
		assert.Contains(t, m.refused(nil), "my_ping (the code that the PingID app shows, as mfa=my_ping:<passcode>)")
		m.mustLogin(fields{"mfa": "my_ping:" + u.PassCode()})

		resp, status, text := m.login(fields{"wait": false})
		data := heldMethods(t, m, resp, status, text)
		require.Equal(t, "waiting", data["state"])
		held := heldState{TransactionID: data["transaction_id"].(string)}
		for range 2 { // to ask again changes nothing
			m.clock.advance(mfa.PollInterval)
			resp, status, text := m.proceed(held, nil)
			assert.Equal(t, "mfa_required", heldMethods(t, m, resp, status, text)["state"])
		}
		m.ended(held, fields{"mfa": "my_ping:" + u.PassCode()})
		assert.Equal(t, 2, u.Pushes())
	})
}
