package e2e

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

func TestPasscode(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"GOOGLE", "OKTA"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			m.ownClock()
			u := m.addUser("mia@acme.test")
			f := u.AddTOTP(provider)
			requireRefused(t, m.login(u), http.StatusBadRequest, "totp")
			requireRefused(t, m.login(u, object{"totp": wrongCode(f)}), http.StatusBadRequest, "(E0000068)")
			code := f.Code()
			m.mustLogin(u, object{"totp": code})
			requireRefused(t, m.login(u, object{"totp": code}), http.StatusBadRequest, "(E0000082)")
		})
	}
}

// wrongCode is a code that the factor does not show, has not shown, and will not show soon.
func wrongCode(f *oktatest.Factor) string {
	shown := map[string]bool{f.Code(): true}
	for step := -30; step <= 30; step++ {
		shown[f.CodeAt(time.Now().Add(time.Duration(step)*30*time.Second))] = true
	}
	for code := 104729; ; code++ {
		if text := strconv.Itoa(code); !shown[text] {
			return text
		}
	}
}

func TestPasscodeProviderInAnyCase(t *testing.T) {
	t.Parallel()
	for _, spelling := range []string{"GOOGLE", "google", "Google"} {
		t.Run(spelling, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			u.AddTOTP("OKTA")
			f := u.AddTOTP("GOOGLE")
			m.mustLogin(u, object{"totp": f.Code(), "provider": spelling})
		})
	}
}

// A user with two generators need not say which one the passcode is from.
func TestPasscodeFindsItsFactor(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{"GOOGLE", "OKTA"}, {"OKTA", "GOOGLE"}} {
		for _, use := range order {
			t.Run(strings.Join(order, " ")+" with "+use, func(t *testing.T) {
				t.Parallel()
				m := newMount(t)
				u := m.addUser("mia@acme.test")
				factors := map[string]*oktatest.Factor{}
				for _, provider := range order {
					factors[provider] = u.AddTOTP(provider)
				}
				m.mustLogin(u, object{"totp": factors[use].Code()})
			})
		}
	}
}

func TestPasscodeIgnoresFactorsThatAreNotActive(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddTOTP("GOOGLE")
	u.AddTOTP("OKTA").SetStatus("PENDING_ACTIVATION")
	m.mustLogin(u, object{"totp": f.Code()})
}

func TestUnknownProviderIsRefused(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddTOTP("GOOGLE")
	requireRefused(t, m.login(u, object{"totp": f.Code(), "provider": "acme"}), http.StatusBadRequest, "provider")
}

func TestMFAIsBypassed(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"bypass_okta_mfa": true})
	u := m.addUser("mia@acme.test")
	f := u.AddPush("WAITING")
	m.mustLogin(u)
	require.Zero(t, f.Pushes())
}

func TestMFAWithNoUsableFactor(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	u.AddFactor("webauthn", "FIDO")
	u.AddPush("SUCCESS").SetStatus("PENDING_ACTIVATION")
	requireRefused(t, m.login(u), http.StatusBadRequest)
}

func TestPushApproved(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("groups/scientists", object{"policies": "science"})
	u := m.addUser("mia@acme.test", "Scientists")
	f := u.AddPush("WAITING", "WAITING", "SUCCESS")
	a := m.mustLogin(u)
	require.Equal(t, 1, f.Pushes())
	require.Equal(t, []any{"default", "science"}, policies(a))
}

func TestPushNotApproved(t *testing.T) {
	t.Parallel()
	for _, result := range []string{"REJECTED", "TIMEOUT", "CANCELLED", "ERROR", "SOMETHING_NEW", ""} {
		t.Run("result "+result, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			f := u.AddPush("WAITING", result)
			requireRefused(t, m.login(u), http.StatusBadRequest)
			require.Equal(t, 1, f.Pushes(), "a refusal is final: nobody is asked again")
		})
	}
}

func TestPushToDeviceThatIsActive(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	first := u.AddPush("SUCCESS")
	u.AddPush("WAITING").SetStatus("INACTIVE")
	m.mustLogin(u)
	require.Equal(t, 1, first.Pushes())
}

// An approved push may still meet a status that denies.
func TestStatusAfterPush(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"PASSWORD_EXPIRED", "LOCKED_OUT", "MFA_ENROLL", "NEVER_HEARD_OF"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			u.AddPush("SUCCESS")
			u.SetStatusAfterMFA(status)
			requireRefused(t, m.login(u), http.StatusBadRequest)
		})
	}
}

func TestNumberChallenge(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush().Number(47, 2)
	const nonce = "abcdefghijklmnopqrst"
	require.Equal(t, http.StatusNotFound, m.verify(nonce).Status)

	ended := m.start(t.Context(), u, object{"nonce": nonce})
	eventually(t, "a push", func() bool { return f.Pushes() == 1 })
	number := m.waitForNumber(t, nonce)
	require.Equal(t, "47", number.String())
	require.Equal(t, 1, f.Approve())
	requireSuccess(t, <-ended)
	require.Equal(t, http.StatusNotFound, m.verify(nonce).Status, "the number ends with its login")
}

// waitForNumber reads verify as the command line tool does: it takes the first
// answer that is not 404, and its correct_answer must be a number.
func (m *mount) waitForNumber(t *testing.T, nonce string) json.Number {
	t.Helper()
	var a harness.Answer
	eventually(t, "a number to show", func() bool {
		a = m.verify(nonce)
		return a.Status != http.StatusNotFound
	})
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Raw)
	var body struct {
		Data struct {
			CorrectAnswer json.RawMessage `json:"correct_answer"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal(a.Raw, &body))
	var number json.Number
	require.NoError(t, json.Unmarshal(body.Data.CorrectAnswer, &number))
	require.NotContains(t, string(body.Data.CorrectAnswer), `"`, "a number, not a string")
	return number
}

func TestNumberChallengeOfZero(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush().Number(0, 1)
	ended := m.start(t.Context(), u, object{"nonce": "zero-is-a-number-too"})
	require.Equal(t, "0", m.waitForNumber(t, "zero-is-a-number-too").String())
	require.Equal(t, 1, f.Approve())
	requireSuccess(t, <-ended)
}

// Without a nonce nobody can see the number: the login says how to do better.
func TestNumberChallengeWithoutNonce(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush().Number(47, 1)
	requireRefused(t, m.login(u), http.StatusBadRequest, "nonce", "verify")
	require.Equal(t, 1, f.Pushes())
}

func TestNonceInUseIsRefused(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u, other := m.addUser("mia@acme.test"), m.addUser("eve@acme.test")
	f := u.AddPush().Number(47, 1)
	theirs := other.AddPush().Number(11, 1)
	ended := m.start(t.Context(), u, object{"nonce": "shared-nonce"})
	m.waitForNumber(t, "shared-nonce")

	requireRefused(t, m.login(other, object{"nonce": "shared-nonce"}), http.StatusBadRequest, "nonce")
	require.Zero(t, theirs.Pushes())
	require.Equal(t, "47", m.waitForNumber(t, "shared-nonce").String(), "the number is still the first login's")
	require.Equal(t, 1, f.Approve())
	requireSuccess(t, <-ended)
}
