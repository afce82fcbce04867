package backend

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// A code is not sent again because somebody asks how the login stands, or logs in
// again without it; only because they ask for another.
func TestMethodSendsACodeOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser()
		u.SetStatus("SUCCESS")
		phone := u.AddFactor("call", "OKTA")
		m.createMethod("okta", fields{"method_name": "corp_okta", "factors": "call"})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		resp, status, text := m.login(fields{"wait": false})
		data := heldMethods(t, m, resp, status, text)
		require.Equal(t, "mfa_required", data["state"])
		held := heldState{TransactionID: data["transaction_id"].(string)}
		for range 3 {
			m.clock.advance(31 * time.Second)
			resp, status, text := m.proceed(held, nil)
			assert.Equal(t, "mfa_required", heldMethods(t, m, resp, status, text)["state"])
			assert.Contains(t, m.refused(nil), "Okta sent a code by a telephone call to +1 XXX-XXX-4821 before, and it is still good: "+
				"log in again with mfa=corp_okta:call=<code>, or have another one sent with mfa=corp_okta:call")
		}
		assert.Equal(t, 1, phone.Sent())
		m.refused(fields{"mfa": "corp_okta:call"})
		assert.Equal(t, 2, phone.Sent())
		m.ended(held, fields{"mfa": "corp_okta:call=" + phone.Code()})
		m.clock.advance(31 * time.Second)
		m.refused(nil)
		assert.Equal(t, 3, phone.Sent(), "the last one has been used")
	})
}

// A phone rings once in a login, whatever its client repeats.
func TestHeldMethodRingsOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp,corp_okta"})
		m.clock.hold(t)
		given := []string{"corp_okta", app.credential()}
		resp, status, text := m.login(fields{"wait": false, "mfa": given})
		data := heldMethods(t, m, resp, status, text)
		require.Equal(t, "waiting", data["state"])
		held := heldState{TransactionID: data["transaction_id"].(string)}
		for _, again := range []any{given, given[0], given[1], "corp_okta:push", nil} {
			resp, status, text := m.proceed(held, fields{"mfa": again})
			assert.Equal(t, "waiting", heldMethods(t, m, resp, status, text)["state"])
		}
		assert.Equal(t, 1, phone.Pushes())

		// What the method does not take leaves the push waiting.
		assert.Contains(t, m.setback(held, fields{"mfa": "corp_okta:totp=123456"}), "is not answered by a passcode like that")
		resp, status, text = m.proceed(held, fields{"mfa": "corp_okta:push"})
		assert.Equal(t, "waiting", heldMethods(t, m, resp, status, text)["state"])
		assert.Equal(t, []int{1, 0}, []int{phone.Pushes(), phone.Withdrawn()})
	})
}

// A rejection ends a held login, whatever comes with the next request.
func TestHeldMethodRejected(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		resp, status, text := m.login(fields{"wait": false})
		held := heldState{TransactionID: heldMethods(t, m, resp, status, text)["transaction_id"].(string)}
		phone.Reject()
		m.clock.advance(mfa.PollInterval)
		assert.Equal(t, "MFA method corp_okta: the push was rejected on the phone"+afterRejection, m.setback(held, fields{"mfa": "corp_okta:device=Phone 1"}))
		assert.Equal(t, noTransaction, m.setback(held, nil))
		assert.Equal(t, 1, phone.Pushes())
	})
}

// What ends in its first request leaves nothing behind, and does not say that it is
// open.
func TestHeldMethodFailsAtOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		assert.Equal(t, "MFA method my_totp: the passcode is not right: try again with the next one", m.refused(fields{"wait": false, "mfa": "my_totp:" + app.wrong()}))
		assert.Empty(t, m.inner.held.byID)
	})
}

// A caller that leaves a login's first request takes its push along.
func TestHeldMethodCallerLeaves(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		m.clock.hold(t)
		m.okta.Fail("listfactors", oktatest.Hang().Times(1))
		ctx, leave := context.WithCancel(t.Context())
		done := m.background(ctx, m.from(callerIP, nil, fields{"wait": false}))
		m.eventually(func() bool { return m.called("/factors") }, "the factors are not listed")
		leave()
		m.finished(done)
		m.eventually(func() bool { return phone.Waiting() == 0 && phone.Pushes() == phone.Withdrawn() }, "a push waits for nobody")
		assert.Empty(t, m.inner.held.byID)
	})
}

// called reports whether Okta was asked for a path that ends so.
func (m *mount) called(end string) bool {
	for _, r := range m.okta.Requests() {
		if len(r.Path) > len(end) && r.Path[len(r.Path)-len(end):] == end {
			return true
		}
	}
	return false
}

// A cancel counts also while the login is on its way from Okta to the methods.
func TestHeldMethodCancelledOnItsWay(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser()
		sms, phone := u.AddFactor("sms", "OKTA"), u.AddPush("WAITING")
		m.createMethod("okta", fields{"method_name": "corp_okta", "factors": "push"})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		held := m.hold(fields{"factor": "sms"})
		answer := m.stall("groups")
		req := m.from(callerIP, nil, fields{"transaction_id": held.TransactionID, "totp": sms.Code()})
		done := m.background(t.Context(), req)
		m.eventually(func() bool { return m.called("/groups") }, "the groups are not read")
		_, status, text := m.proceed(held, fields{"cancel": true})
		require.Equal(t, http.StatusOK, status, text)
		answer()
		assert.Equal(t, noTransaction, m.finished(done).text)
		assert.Zero(t, phone.Pushes())
		assert.Empty(t, m.inner.held.byID)
	})
}

// When the mount goes, its pushes go.
func TestHeldMethodAndTheEndOfTheMount(t *testing.T) {
	m := newMount(t, false)
	phone := pushMethod(m, nil)
	m.clock.hold(t)
	resp, status, text := m.login(fields{"wait": false})
	heldMethods(t, m, resp, status, text)
	require.Equal(t, 1, phone.Waiting())
	m.cleanUp()
	assert.Zero(t, phone.Waiting())
	assert.Equal(t, 1, phone.Withdrawn())
}

// A push is taken back also where its caller left while Okta was asked to send it.
func TestMethodCallerLeavesWhileAsking(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		m.clock.hold(t)
		answer := m.stall("verifyfactor")
		ctx, leave := context.WithCancel(t.Context())
		done := m.background(ctx, m.from(callerIP, nil, nil))
		m.eventually(func() bool { return m.called("/verify") }, "no push")
		leave()
		answer()
		m.finished(done)
		m.eventually(func() bool { return phone.Withdrawn() == 1 }, "the push is not taken back")
		assert.Equal(t, 1, phone.Pushes())
	})
}

// Where a number has been shown already, a method that insists on one says so.
func TestMethodInsistsOnANumberThatCannotBeShown(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		elsewhere := oktatest.NewServer(t, oktatest.Options{Now: m.clock.org.Now})
		m.trusted = append(m.trusted, elsewhere.CertPEM)
		m.start()
		m.configure(nil)
		m.addUser().AddPush("WAITING", "SUCCESS").Number(47, 0)
		phone := elsewhere.AddUser(testLogin, "another-password").AddPush("WAITING", "SUCCESS")
		m.createMethod("okta", fields{
			"method_name": "other", "org_name": "other", "base_url": elsewhere.URL, "api_token": elsewhere.Token, "require_number_challenge": true,
		})
		m.write("config", fields{"mfa_methods": "other"})
		assert.Contains(t, m.refused(fields{"nonce": "one"}), "this login has shown one already")
		assert.Zero(t, phone.Pushes())
	})
}

// A phone rings once in a login, whoever asks: after Okta's own push, which the person
// answered otherwise, a method of type okta does not make the same phone ring again.
func TestHeldPhoneRingsOnceForBothHalves(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser()
		phone, app, key := u.AddPush(), u.AddTOTP("OKTA"), u.AddFactor("token:hardware", "YUBICO")
		m.createMethod("okta", fields{"method_name": "corp_okta", "factors": "push,token"})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		held := m.hold(nil)
		require.Equal(t, "waiting", held.State)
		text := m.setback(held, fields{"totp": m.nextCode(app)})
		assert.Contains(t, text, "does not send your phone another push in the same login: use one of your other factors, token")
		assert.Equal(t, 1, phone.Pushes())
		resp, status, text := m.proceed(held, fields{"mfa": "corp_okta:" + key.Code()})
		require.Equal(t, http.StatusOK, status, text)
		assert.NotNil(t, resp.Auth)
	})
}
