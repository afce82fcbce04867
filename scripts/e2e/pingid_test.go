package e2e

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
)

// withPingID makes a mount that requires a method of a PingID of its own.
func withPingID(t *testing.T, more ...object) (*mount, *mfatest.PingIDServer) {
	t.Helper()
	ping := <-suite.pingIDs
	t.Cleanup(func() { noteService(ping.Secrets()) })
	m := newMount(t)
	method := object{"method_name": "my_ping", "settings_file_base64": ping.SettingsAt("https://" + pingHost(ping) + "/pingid")}
	for _, fields := range more {
		for name, value := range fields {
			method[name] = value
		}
	}
	id := m.createMethod("pingid", method)
	read := string(m.read("mfa/method/pingid/" + id).Raw)
	require.NotContains(t, read, ping.Token)
	require.Contains(t, read, ping.OrgAlias)
	m.mustWrite("config", object{"mfa_methods": "my_ping"})
	return m, ping
}

// The settings file as Java writes it goes through the API, and a login by it succeeds; so
// does one by a method as it was stored before there was startauthentication.
func TestPingIDByAnEscapedFile(t *testing.T) {
	t.Parallel()
	m, ping := withPingID(t)
	escaped := ping.EscapedSettingsAt("https://" + pingHost(ping) + "/pingid")
	id := m.createMethod("pingid", object{"method_name": "escaped", "settings_file_base64": escaped, "start_authentication": false})
	require.Equal(t, "https://"+pingHost(ping)+"/pingid", m.mustRead("mfa/method/pingid/" + id)["idp_url"])
	m.mustWrite("config", object{"mfa_methods": "escaped"})
	u, stranger := m.addUser("mia@acme.test"), m.addUser("tom@acme.test")
	there := ping.AddUser("mia@acme.test")
	login := m.start(t.Context(), u)
	eventually(t, "a push", func() bool { return there.Pushes() == 1 })
	there.Approve()
	requireSuccess(t, <-login)
	require.Equal(t, 1, ping.Count("/authonline/do"))
	requireRefused(t, m.login(stranger), http.StatusBadRequest, "MFA method escaped: its service does not know you")
	require.Equal(t, 1, there.Pushes())
}

// People without the app's push give a passcode: of their token, or one that was sent.
func TestPingIDPassCode(t *testing.T) {
	t.Parallel()
	m, ping := withPingID(t)
	u := m.addUser("mia@acme.test")
	there := ping.AddUserWith("mia@acme.test",
		mfatest.PingIDDevice{Type: "Hardware Token", Nickname: "Token"}, mfatest.PingIDDevice{Type: "SMS", Nickname: "Mia's SMS"})
	there.AddPassCode("00731004")
	requireRefused(t, m.login(u), http.StatusBadRequest, "my_ping (the code of your hardware token, as mfa=my_ping:<passcode>)")
	requireRefused(t, m.login(u, object{"mfa": "my_ping:00000000"}), http.StatusBadRequest, "MFA method my_ping: the passcode is not right")
	m.mustLogin(u, object{"mfa": "my_ping:00731004"})

	const sent = "MFA method my_ping: PingID has sent a code by SMS: log in again in the same way, with mfa=my_ping:sms=<code> added"
	requireRefused(t, m.login(u, object{"mfa": "my_ping:device=mia's sms"}), http.StatusBadRequest, sent)
	m.mustLogin(u, object{"mfa": "my_ping:sms=" + there.PassCode()})
	require.Equal(t, []int{0, 1}, []int{there.Pushes(), there.Sent()})
	ping.Close()
	requireRefused(t, m.login(u), http.StatusBadGateway, "MFA method my_ping: its service could not be reached")
}

// The number is shown while the login waits, by the nonce or in the state of a held one,
// and a push is taken back by whoever leaves or cancels.
func TestPingIDNumberAndWithdrawal(t *testing.T) {
	t.Parallel()
	m, ping := withPingID(t)
	m.mustWrite("config", object{"max_push_failures": 10})
	ping.SetNumberMatching(true)
	u := m.addUser("mia@acme.test")
	there := ping.AddUser("mia@acme.test")
	nonce := secret()[3:]
	login := m.start(t.Context(), u, object{"nonce": nonce})
	shown, err := m.waitForNumber(t, nonce).Int64()
	require.NoError(t, err)
	number, _ := there.Number()
	require.EqualValues(t, number, shown)
	there.Approve()
	requireSuccess(t, <-login)

	held := m.login(u, object{"wait": false}).Data()
	number, _ = there.Number()
	require.Equal(t, []any{"waiting", "my_ping", float64(number)}, []any{held["state"], held["mfa_method"], held["correct_answer"]})
	require.NoError(t, m.attempt(u.Login(), object{"transaction_id": held["transaction_id"], "cancel": true}).Err())
	soon(t, []int{0, 1}, func() []int { return []int{there.Waiting(), there.Cancelled()} })

	ctx, leave := context.WithCancel(t.Context())
	login = m.start(ctx, u, object{"nonce": secret()[3:]})
	eventually(t, "a push", func() bool { return there.Waiting() == 1 })
	leave()
	<-login
	eventually(t, "its withdrawal", func() bool { return there.Cancelled() == 2 && there.Waiting() == 0 })

	login = m.start(t.Context(), u, object{"nonce": secret()[3:]})
	eventually(t, "a push", func() bool { return there.Waiting() == 1 })
	there.Reject()
	refused := <-login
	require.NoError(t, refused.err)
	requireRefused(t, refused.Answer, http.StatusBadRequest, "MFA method my_ping: its service does not let you in: the request was rejected or not answered")
	requireRefused(t, m.login(u), http.StatusBadRequest, "nonce=<nonce>")
	soon(t, 3, there.Cancelled)
}
