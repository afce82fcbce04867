package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
)

// What Duo can ask of a person beside a push and a passcode: a code to type, which the
// nonce's path tells, a call, and what Duo would choose.
func TestDuoFactors(t *testing.T) {
	t.Parallel()
	duo := <-suite.duos
	t.Cleanup(func() { noteService(duo.Secrets()) })
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	m.createMethod("duo", object{
		"method_name": "my_duo", "integration_key": duo.IntegrationKey, "secret_key": duo.SecretKey, "api_hostname": duoHost(duo),
	})
	m.mustWrite("config", object{"mfa_methods": "my_duo"})
	// Another code takes the place of one that gets old before the push.
	there := duo.AddUser("mia@acme.test").AddNamedPhone("Pixel", "auto", "push", "phone").RequireVerifiedPush(6).NextCodes("314159", "314159", "314159", "314159")
	defer func() { noteSecret("314159") }()

	nonce := secret()
	login := m.start(t.Context(), u, object{"nonce": nonce})
	eventually(t, "a code", func() bool { return m.verify(nonce).Status == http.StatusOK })
	shown := m.verify(nonce)
	require.Equal(t, "314159", shown.Data()["verification_code"])
	require.EqualValues(t, 314159, shown.Data()["correct_answer"])
	require.Equal(t, 1, there.Type("314159"))
	requireSuccess(t, <-login)
	requireRefused(t, m.login(u), http.StatusBadRequest, "MFA method my_duo: it sends a push only with a code to type on your phone")
	require.Equal(t, 1, there.Pushes())

	allows := mfatest.DuoOutcome{Result: "allow", Status: "allow"}
	there.Script(allows, allows, allows)
	m.mustLogin(u, object{"mfa": "my_duo:call"})
	there.RequireVerifiedPush(0).SetCapabilities("auto", "phone")
	m.mustLogin(u)
	there.SetCapabilities("auto")
	m.mustLogin(u)
	var factors []string
	for _, sent := range there.PushParameters() {
		factors = append(factors, sent.Get("factor"))
	}
	require.Equal(t, []string{"push", "phone", "phone", "auto"}, factors)

	there.SetCapabilities("phone", "mobile_otp")
	requireRefused(t, m.login(u, object{"mfa": "my_duo:push"}), http.StatusBadRequest,
		"MFA method my_duo: finds no phone of yours that can take a push: you can give call or a passcode")
	duo.Fail(mfatest.Fault{On: "/auth", Times: 1, Status: 400, Body: `{"stat":"FAIL","code":40002,"message":"no","message_detail":"no capable device"}`})
	requireRefused(t, m.login(u), http.StatusBadRequest, "finds no phone of yours that can take a call: you can give a passcode")
	require.Equal(t, 4, there.Pushes())
}
