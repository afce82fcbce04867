package backend

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// heldMethods is what a held login says of methods.
func heldMethods(t *testing.T, m *mount, resp *logical.Response, status int, text string) fields {
	t.Helper()
	require.Equal(t, http.StatusOK, status, text)
	require.Nil(t, resp.Auth)
	return plain(t, resp.Data)
}

// A held login goes on from Okta's factor to the methods of the mount.
func TestHeldLoginSatisfiesMethods(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser()
		sms := u.AddFactor("sms", "OKTA")
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		held := m.hold(nil)
		require.Equal(t, "passcode_required", held.State)

		resp, status, text := m.proceed(held, fields{"totp": sms.Code()})
		data := heldMethods(t, m, resp, status, text)
		assert.Equal(t, "mfa_required", data["state"])
		assert.Equal(t, held.TransactionID, data["transaction_id"])
		assert.Equal(t, []any{fields{"mfa_method": "my_totp", "mfa_type": "totp"}}, data["mfa_methods"])
		assert.NotEmpty(t, data["expires_at"])

		resp, status, text = m.proceed(held, nil)
		assert.Equal(t, data["mfa_methods"], heldMethods(t, m, resp, status, text)["mfa_methods"], "asked again")
		assert.Equal(t, "MFA method my_totp: the passcode is not right: try again with the next one"+stillOpen, m.setback(held, fields{"mfa": "my_totp:" + app.wrong()}))
		resp, status, text = m.proceed(held, nil)
		assert.Equal(t, "mfa_required", heldMethods(t, m, resp, status, text)["state"], "a wrong passcode is not tried again")
		auth := m.ended(held, fields{"mfa": app.credential()})
		assert.NotEmpty(t, auth.InternalData["mfa_methods"])
		assert.Equal(t, testPassword, auth.InternalData["password"])
		assert.Equal(t, noTransaction, m.setback(held, fields{"mfa": "my_totp:" + app.next()}), "one token for one login")
	})
}

// A credential that comes with the password is kept until it is its turn.
func TestHeldLoginKeepsACredential(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		sms := m.addUser().AddFactor("sms", "OKTA")
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		held := m.hold(fields{"mfa": app.credential()})
		m.ended(held, fields{"totp": sms.Code()})

		// With nothing to wait for it ends at once.
		m.okta.User(testLogin).SetStatus("SUCCESS")
		resp, status, text := m.login(fields{"wait": false, "mfa": "my_totp:" + app.next()})
		require.Equal(t, http.StatusOK, status, text)
		assert.NotNil(t, resp.Auth)
	})
}

// pushMethod is a mount whose people have to answer a push of a method.
func pushMethod(m *mount, data fields) *oktatest.Factor {
	m.t.Helper()
	m.configure(nil)
	u := m.addUser()
	u.SetStatus("SUCCESS")
	phone := u.AddPush()
	method := fields{"method_name": "corp_okta", "require_number_challenge": false}
	for k, v := range data {
		method[k] = v
	}
	m.createMethod("okta", method)
	m.write("config", fields{"mfa_methods": "corp_okta"})
	return phone
}

func TestHeldLoginWaitsForAPush(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		phone.Number(0, 0)
		resp, status, text := m.login(fields{"wait": false})
		data := heldMethods(t, m, resp, status, text)
		assert.Equal(t, "waiting", data["state"])
		assert.Equal(t, "corp_okta", data["mfa_method"])
		assert.Equal(t, "Phone 1", data["device"])
		assert.Equal(t, 0.0, data["correct_answer"], "the number is told at once, and zero is one")
		held := heldState{TransactionID: data["transaction_id"].(string)}
		resp, status, text = m.proceed(held, nil)
		assert.Equal(t, data, heldMethods(t, m, resp, status, text))

		require.Equal(t, 1, phone.Approve())
		resp, status, text = m.proceed(held, nil)
		assert.Equal(t, data, heldMethods(t, m, resp, status, text))
		assert.Zero(t, phone.Polls(), "Okta is polled at intervals, however often the client asks")
		m.clock.advance(mfa.PollInterval)
		assert.Zero(t, phone.Polls(), "and only where the client asks")
		resp, status, text = m.proceed(held, nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.NotNil(t, resp.Auth)
		assert.Equal(t, []int{1, 1}, []int{phone.Pushes(), phone.Polls()})
		assert.Equal(t, noTransaction, m.setback(held, nil))
	})
}

// A held login is ended by cancel, by its own end, and by too many others; each
// takes the push back.
func TestHeldPushIsTakenBack(t *testing.T) {
	for name, end := range map[string]func(m *mount, held heldState){
		"cancel": func(m *mount, held heldState) {
			resp, status, text := m.proceed(held, fields{"cancel": true})
			require.Equal(m.t, http.StatusOK, status, text)
			assert.Equal(m.t, "cancelled", resp.Data["state"])
		},
		"expiry": func(m *mount, held heldState) {
			m.clock.advance(6 * time.Minute)
			m.tidy()
		},
		"another org": func(m *mount, held heldState) {
			m.write("config", fields{"base_url": strings.Replace(m.okta.URL, "127.0.0.1", "localhost", 1)})
			m.setback(held, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				phone := pushMethod(m, nil)
				m.clock.hold(t)
				resp, status, text := m.login(fields{"wait": false})
				held := heldState{TransactionID: heldMethods(t, m, resp, status, text)["transaction_id"].(string)}
				end(m, held)
				m.eventually(func() bool { return m.calledDelete() == 1 }, "the push is not taken back")
				assert.Equal(t, noTransaction, m.setback(held, nil))
				assert.Equal(t, 1, phone.Pushes())
			})
		})
	}
}

// calledDelete counts the pushes that were taken back by the Factors API.
func (m *mount) calledDelete() int {
	n := 0
	for _, r := range m.okta.Requests() {
		if r.Method == http.MethodDelete && strings.Contains(r.Path, "/transactions/") {
			n++
		}
	}
	return n
}

// What is required by the time of a request counts, not what was at the start.
func TestHeldLoginAndAChangeOfRequirements(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		first, second := m.addTOTP("first"), m.addTOTP("second")
		m.write("config", fields{"mfa_methods": "first"})
		resp, status, text := m.login(fields{"wait": false})
		held := heldState{TransactionID: heldMethods(t, m, resp, status, text)["transaction_id"].(string)}

		m.write("config", fields{"mfa_methods": "first,second"})
		resp, status, text = m.proceed(held, fields{"mfa": first.credential()})
		data := heldMethods(t, m, resp, status, text)
		assert.Equal(t, []any{fields{"mfa_method": "second", "mfa_type": "totp"}}, data["mfa_methods"], "nothing is used up in vain")
		m.ended(held, fields{"mfa": []string{first.credential(), second.credential()}})
	})
}

// The number of a method's push is told at verify, as Okta's own is.
func TestMethodNumberAtVerify(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		phone.Number(47, 0)
		step := m.clock.hold(t)
		done := m.waiting(phone, m.from(callerIP, nil, fields{"nonce": "abcdefghijklmnopqrst"}))
		assert.EqualValues(t, 47, m.read("verify/abcdefghijklmnopqrst")["correct_answer"])
		assert.Equal(t, "Phone 1", m.read("verify/abcdefghijklmnopqrst")["device"])
		phone.Approve()
		step()
		assert.Equal(t, http.StatusOK, m.finished(done).status)
		assert.Contains(t, m.lastBody("verify"), "useNumberMatchingChallenge")
	})
}

// A client shows one number: after Okta's own, the push of a method comes without.
func TestMethodAfterANumberOfOkta(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		elsewhere := oktatest.NewServer(t, oktatest.Options{Now: m.clock.org.Now})
		m.trusted = append(m.trusted, elsewhere.CertPEM)
		m.start()
		m.configure(nil)
		m.addUser().AddPush("WAITING", "SUCCESS").Number(47, 0)
		there := elsewhere.AddUser(testLogin, "another-password")
		phone := there.AddPush("WAITING", "SUCCESS")
		m.createMethod("okta", fields{
			"method_name": "other", "org_name": "other", "base_url": elsewhere.URL, "api_token": elsewhere.Token,
			"require_number_challenge": false,
		})
		m.write("config", fields{"mfa_methods": "other"})
		m.mustLogin(fields{"nonce": "one"})
		_, withNumber := phone.CorrectAnswer()
		assert.False(t, withNumber)
		assert.Equal(t, 1, phone.Pushes())

		m.okta.User(testLogin).SetStatus("SUCCESS")
		m.mustLogin(fields{"nonce": "two"})
		_, withNumber = phone.CorrectAnswer()
		assert.True(t, withNumber, "the first number of a login is shown")
	})
}

// A client that has no way to show a number gets a push without one, or is told
// how, as the method says.
func TestMethodWithoutANumber(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		phone.SetScript("WAITING", "SUCCESS")
		m.mustLogin(nil)
		m.mustLogin(fields{"nonce": "one"})

		id := m.createMethod("okta", fields{"method_name": "strict", "require_number_challenge": true})
		m.write("config", fields{"mfa_methods": id})
		assert.Contains(t, m.refused(nil), `MFA method strict: it sends a push only where the login can show you a number: log in by okta-login `+testLogin+`, which shows it; or send nonce=<nonce>`)
		assert.Equal(t, 2, phone.Pushes())
		m.mustLogin(fields{"nonce": "two"})
		assert.Equal(t, 3, phone.Pushes())
	})
}

// The guard counts the pushes of methods with Okta's own.
func TestMethodPushesAreGuarded(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		step := m.clock.hold(t)
		done := m.waiting(phone, m.from(callerIP, nil, nil))
		_, status, text := m.send(t.Context(), m.from("203.0.113.9", nil, nil))
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, "MFA method corp_okta: a push is waiting on your phone already")
		assert.Contains(t, m.logs.String(), "no push or code was sent")
		phone.Reject()
		step()
		assert.Contains(t, m.finished(done).text, "rejected")
	})
	t.Run("too many", func(t *testing.T) {
		bothWays(t, func(t *testing.T, m *mount) {
			phone := pushMethod(m, nil)
			phone.SetScript("WAITING", "REJECTED")
			for range 3 {
				m.refused(nil)
			}
			_, status, text := m.login(nil)
			assert.Equal(t, http.StatusTooManyRequests, status)
			assert.Contains(t, text, "too many pushes and codes to you")
			assert.Equal(t, 3, phone.Pushes())
		})
	})
}

// When the caller leaves, the push is taken back.
func TestMethodEndsWithItsCaller(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		m.clock.hold(t)
		ctx, leave := context.WithCancel(t.Context())
		done := m.background(ctx, m.from(callerIP, nil, nil))
		m.eventually(func() bool { return phone.Pushes() == 1 && m.clock.asleep() == 1 }, "the login does not wait")
		leave()
		m.finished(done)
		m.eventually(func() bool { return phone.Withdrawn() == 1 }, "the push is not taken back")
	})
}

// Requests that continue one held login at the same time are each told what it waits for.
// The race detector sees what one of them reads while another one is served.
func TestHeldLoginIsContinuedByManyAtOnce(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	m.configure(nil)
	m.addUser().SetStatus("SUCCESS")
	m.addTOTP("my_totp")
	m.write("config", fields{"mfa_methods": "my_totp"})
	held := m.hold(nil)
	var all sync.WaitGroup
	for range 16 {
		req := m.request(logical.UpdateOperation, "login/"+testLogin, fields{"transaction_id": held.TransactionID, "totp": "123456"})
		all.Go(func() {
			resp, status, text := m.send(t.Context(), req)
			assert.Equal(t, http.StatusOK, status, text)
			assert.Equal(t, "mfa_required", resp.Data["state"])
			assert.NotEmpty(t, resp.Warnings, "the totp was not used")
		})
	}
	all.Wait()
}
