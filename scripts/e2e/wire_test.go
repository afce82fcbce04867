package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// What Okta's orgs answer beside the usual, as a person and an operator meet it.

// Okta may say by an error that a push still waits.
func TestPollAnsweredByError(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	push := u.AddPush("WAITING", "SUCCESS")
	m.org.Fail("verify", oktatest.Accepted202().After(1).Times(2))
	m.mustLogin(u)
	require.Equal(t, 1, push.Pushes())
}

func TestSkippedEnrollment(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	u.SetStatus("MFA_ENROLL")
	u.SetSkip(true)
	requireRefused(t, m.login(u), http.StatusBadRequest, "skip_enrollment")
	require.Contains(t, string(m.write("config", object{"skip_enrollment": true}).Raw), "skip_enrollment is on")
	require.Contains(t, string(m.mustLogin(u).Raw), "Okta asks you to enroll a factor")
	u.SetSkip(false)
	requireRefused(t, m.login(u), http.StatusBadRequest, "Okta requires you to enroll a factor first")
}

func TestRememberedDevice(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"remember_device": true})
	u := m.addUser("mia@acme.test")
	push := u.AddPush("SUCCESS")
	device := object{"device_token": "0f8d2a6b4c1e4d7f9b3a5c7e9d1f2b4a"}
	m.mustLogin(u, device)
	m.mustLogin(u, device)
	require.Equal(t, 1, push.Pushes(), "the second login is from a device that Okta remembers")
	m.mustLogin(u)
	require.Equal(t, 2, push.Pushes())
	requireRefused(t, m.login(u, object{"device_token": "no spaces"}), http.StatusBadRequest, "device_token must")
}

// Each entry that the server of a token asks for answers the one before, in one login.
func TestNewPINOfToken(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	token := u.AddFactor("token", "DEL_OATH")
	token.SetVendor("Acme Fobs")
	requireRefused(t, m.login(u), http.StatusBadRequest, "Acme Fobs", "provider=DEL_OATH")
	token.RequireNewPIN()
	requireRefused(t, m.login(u, object{"totp": token.Code()}), http.StatusBadRequest, "4 to 8 digits", "log in again with that as totp")
}

// A refusal of the API token is the operator's matter, also late in a login.
func TestTokenRefusedAtTheFactor(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	totp := u.AddTOTP("GOOGLE")
	m.org.Fail("verify", oktatest.Status(http.StatusForbidden, "E0000006", "You do not have permission"))
	requireRefused(t, m.login(u, object{"totp": totp.Code()}), http.StatusBadRequest, "Okta refused the API token of this mount (E0000006)")
}

// One factor after another, in one login that waits.
func TestSequenceOfFactors(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	totp, push := u.AddTOTP("GOOGLE"), u.AddPush("SUCCESS")
	u.SetSequence([]*oktatest.Factor{totp}, []*oktatest.Factor{push})
	m.mustLogin(u, object{"totp": totp.Code()})
	require.Equal(t, 1, push.Pushes())
}

// One of several methods is enough.
func TestOneMethodOfSeveral(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	first, second := m.addTOTP("first"), m.addTOTP("second")
	m.key(first, "first", u)
	app := m.key(second, "second", u)
	m.configure(object{"mfa_methods": "first|second"})
	requireRefused(t, m.login(u), http.StatusBadRequest, "first", "second")
	m.mustLogin(u, object{"mfa": []string{app.at(t, 0)}})
}

// Groups that could not be read while the phone rang are read again, and the person need
// not approve a second push.
func TestGroupsFailBesideThePush(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test", "Scientists")
	push := u.AddPush("WAITING", "SUCCESS")
	m.mustWrite("groups/scientists", object{"policies": "science"})
	m.org.Fail("groups", oktatest.Status(http.StatusInternalServerError, "E0000009", "Internal Server Error").Times(1))
	require.Equal(t, []any{"default", "science"}, policies(m.mustLogin(u)))
	require.Equal(t, 1, push.Pushes())
	require.Equal(t, 2, m.org.Count(http.MethodGet, "/api/v1/users/"+u.ID+"/groups"))

	m.org.Fail("groups", oktatest.Status(http.StatusInternalServerError, "E0000009", "Internal Server Error"))
	requireRefused(t, m.login(u), http.StatusBadRequest, "E0000009")
	require.Equal(t, 4, m.org.Count(http.MethodGet, "/api/v1/users/"+u.ID+"/groups"), "twice, and no more")
}

// A typo costs one wrong passcode, however many phones have Okta Verify.
func TestPassCodeOfSeveralPhones(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.org.Configure(func(o *oktatest.Options) { o.VerifyByType = true })
	u := m.addUser("mia@acme.test")
	u.AddTOTP("OKTA")
	u.AddTOTP("OKTA")
	third := u.AddTOTP("OKTA")
	requireRefused(t, m.login(u, object{"totp": "000000"}), http.StatusBadRequest, "passcode")
	require.Equal(t, 1, u.WrongPassCodes())
	m.mustLogin(u, object{"totp": third.Code()})
	require.Equal(t, 2, m.org.Count(http.MethodPost, "/api/v1/authn/factors/token:software:totp/verify"), "once for each login")
}

// Okta may publish the factor of a challenge as an object by the name of the list.
func TestFactorOfAChallengeAsAnObject(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"max_push_failures": 1})
	m.org.Configure(func(o *oktatest.Options) { o.FactorsAsObject = true })
	u := m.addUser("mia@acme.test")
	push := u.AddPush("WAITING", "WAITING", "SUCCESS")
	m.mustLogin(u)
	push.SetScript("WAITING", "REJECTED")
	requireRefused(t, m.login(u), http.StatusBadRequest, "rejected")
	requireRefused(t, m.login(u), http.StatusTooManyRequests, "too many pushes")
	require.Equal(t, 2, push.Pushes(), "the rejection counts")
}

// The number of a push is in the very answer before which Okta has told it.
func TestNumberAsSoonAsOktaTellsIt(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	push := u.AddPush().Number(47, 1)
	h := m.begin(u).require(object{"correct_answer": nil})
	eventually(t, "a poll", func() bool {
		h.next()
		return push.Polls() == 1
	})
	h.require(object{"state": "waiting", "correct_answer": float64(47)})
	require.Equal(t, 1, push.Approve())
	h.requireEnd(h.wait())
}
