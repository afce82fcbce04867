package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// createMethod creates an MFA method of the mount and returns its id.
func (m *mount) createMethod(typ string, data object) string {
	m.t.Helper()
	id, _ := m.mustWrite("mfa/method/"+typ, data).Data()["method_id"].(string)
	require.NotEmpty(m.t, id)
	return id
}

// app is an authenticator app with one person's key of one method.
type app struct {
	name, secret string
	period       time.Duration
}

// addTOTP creates a method of type totp, whose passcodes last as long as any test, and
// returns its id.
func (m *mount) addTOTP(name string) string {
	m.t.Helper()
	return m.createMethod("totp", object{"method_name": name, "issuer": "Acme", "period": "5m"})
}

// key generates a person's key.
func (m *mount) key(id, name string, u *oktatest.User) app {
	m.t.Helper()
	data := m.mustWrite("mfa/method/totp/"+id+"/admin-generate", object{"username": u.Login()}).Data()
	address, err := url.Parse(fmt.Sprint(data["url"]))
	require.NoError(m.t, err)
	period, err := time.ParseDuration(address.Query().Get("period") + "s")
	require.NoError(m.t, err)
	a := app{name, address.Query().Get("secret"), period}
	noteSecret(a.secret)
	return a
}

// at is the credential with the passcode of the moment, or of some periods later:
// one may be early by one.
func (a app) at(t *testing.T, later int) string {
	t.Helper()
	code, err := totp.GenerateCodeCustom(a.secret, time.Now().Add(time.Duration(later)*a.period),
		totp.ValidateOpts{Period: uint(a.period.Seconds()), Digits: otp.DigitsSix})
	require.NoError(t, err)
	return a.name + ":" + code
}

// A group that requires a method, and one more in another: the union is required.
func TestMethodsOfGroups(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	one, both, none := m.addUser("one@acme.test", "A"), m.addUser("both@acme.test", "A", "B"), m.addUser("none@acme.test", "C")
	first, second := m.addTOTP("first"), m.addTOTP("second")
	keyOfOne := m.key(first, "first", one)
	keys := []app{m.key(first, "first", both), m.key(second, "second", both)}
	m.mustWrite("groups/a", object{"policies": "pa", "mfa_methods": "first"})
	m.mustWrite("groups/b", object{"policies": "pb", "mfa_methods": "second"})

	m.mustLogin(none)
	requireRefused(t, m.login(one), http.StatusBadRequest, "first (the passcode")
	require.Equal(t, []any{"default", "pa"}, policies(m.mustLogin(one, object{"mfa": []string{keyOfOne.at(t, 0)}})))

	refused := m.login(both)
	requireRefused(t, refused, http.StatusBadRequest, "first (", "second (")
	refused = m.login(both, object{"mfa": keys[0].at(t, 0)})
	requireRefused(t, refused, http.StatusBadRequest, "second (")
	require.NotContains(t, refused.Errors(), "first (")
	used := []string{keys[0].at(t, 0), keys[1].at(t, 0)}
	require.Equal(t, []any{"default", "pa", "pb"}, policies(m.mustLogin(both, object{"mfa": used})))
	requireRefused(t, m.login(both, object{"mfa": used}), http.StatusBadRequest, "used already")
}

// Nobody gets a token while any required method is unanswered: all subsets of a
// push, a passcode of the mount and a passcode of Okta.
func TestNoSubsetOfMethodsIsEnough(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test", "A", "B")
	u.SetStatus("SUCCESS") // a policy that asks for nothing
	phone, generator := u.AddPush("WAITING", "SUCCESS"), u.AddTOTP("OKTA")
	mine := m.key(m.addTOTP("mine"), "mine", u)
	m.createMethod("okta", object{"method_name": "push_only", "factors": "push", "require_number_challenge": false})
	m.createMethod("okta", object{"method_name": "code_only", "factors": "totp"})
	m.mustWrite("config", object{"mfa_methods": "push_only"})
	m.mustWrite("groups/a", object{"mfa_methods": "mine"})
	m.mustWrite("users/mia@acme.test", object{"mfa_methods": "code_only"})

	var codes []string
	for subset := range 8 {
		if subset < 7 { // which uses them again
			codes = []string{mine.at(t, 0), "code_only:" + generator.Code()}
		}
		phone.SetScript("WAITING", "REJECTED")
		var given []string
		if subset&1 != 0 {
			phone.SetScript("WAITING", "SUCCESS")
		}
		if subset&2 != 0 {
			given = append(given, codes[0])
		}
		if subset&4 != 0 {
			given = append(given, codes[1])
		}
		before := phone.Pushes()
		switch a := m.login(u, object{"mfa": given}); subset {
		case 6: // the passcodes are right, and the push is rejected
			requireRefused(t, a, http.StatusBadRequest, "MFA method push_only: the push was rejected")
		case 7: // the passcodes have been used up by then
			requireRefused(t, a, http.StatusBadRequest, "used already")
			m.mustLogin(u, object{"mfa": []string{mine.at(t, 1), "code_only:" + generator.CodeAt(time.Now().Add(30*time.Second))}})
		default:
			requireRefused(t, a, http.StatusBadRequest, "this mount requires more than Okta does")
			require.Equal(t, before, phone.Pushes(), "no phone rings in vain")
		}
	}
}

// The command line tool sends credentials in a header, which the mount has to let
// through.
func TestCLISatisfiesMethods(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	u.SetStatus("SUCCESS")
	phone := u.AddPush().Number(47, 0)
	mine := m.key(m.addTOTP("my_totp"), "my_totp", u)
	m.createMethod("okta", object{"method_name": "corp_okta", "require_number_challenge": false}) // vault write shows none
	m.mustWrite("config", object{"mfa_methods": "corp_okta,my_totp"})
	args := func(credential string) []string {
		return []string{"login", "-mfa=corp_okta", "-mfa=" + credential, "-method=okta", "-path=" + m.Path,
			"username=" + u.Login(), "password=" + u.Password()}
	}

	refused := m.runLogin(m.person(), args(mine.at(t, 0))...)
	require.Equal(t, 2, refused.Code)
	require.Contains(t, refused.Stderr, "tell your Vault administrator that this mount does not receive the header X-Vault-MFA")
	require.Zero(t, phone.Pushes())

	root := m.vault.CLI(t.TempDir(), m.vault.RootToken)
	result, err := root.Run(t.Context(), "auth", "tune", "-passthrough-request-headers=X-Vault-MFA", m.Path+"/")
	require.NoError(t, err)
	require.Zero(t, result.Code, result.Stderr)
	cli := m.person()
	terminal, err := cli.OnTerminal(t.Context(), args(mine.at(t, 0))...)
	require.NoError(t, err)
	_, err = terminal.WaitFor(t.Context(), regexp.MustCompile(`\b47\b`)) // by the same verify/:nonce
	require.NoError(t, err)
	require.Equal(t, 1, phone.Approve())
	require.Zero(t, terminal.Wait(), terminal.Screen())
	require.Contains(t, terminal.Screen(), "Success!")
	require.NotContains(t, strings.ToLower(terminal.Screen()), "panic")
	require.Equal(t, 1, phone.Pushes())

	// vault write takes the field, repeated.
	ended := make(chan harness.CLIResult, 1)
	go func() {
		result, _ := m.person().Run(t.Context(), "write", "-field=token", m.full("login/"+u.Login()), "password="+u.Password(),
			"mfa=corp_okta", "mfa="+mine.at(t, 1))
		ended <- result
	}()
	eventually(t, "a push", func() bool { return phone.Waiting() == 1 })
	phone.Approve()
	written := <-ended
	require.Zero(t, written.Code, written.Stderr)
	noteSecret(strings.TrimSpace(written.Stdout))
}

// A used passcode and the count of wrong ones outlive the server.
func TestTOTPKeysOutliveARestart(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	m := enableOn(t, v, newOrg(t), suite.mountVersion)
	m.configure()
	u, other := m.addUser("mia@acme.test"), m.addUser("tom@acme.test")
	id := m.addTOTP("my_totp")
	mine, theirs := m.key(id, "my_totp", u), m.key(id, "my_totp", other)
	m.mustWrite("config", object{"mfa_methods": "my_totp"})
	used := mine.at(t, 0)
	m.mustLogin(u, object{"mfa": used})
	wrong := func() { requireRefused(t, m.login(other, object{"mfa": "my_totp:000000"}), http.StatusBadRequest) }
	for range 4 {
		wrong()
	}
	require.NoError(t, v.Restart(t.Context()))
	requireRefused(t, m.login(u, object{"mfa": used}), http.StatusBadRequest, "used already")
	wrong()
	requireRefused(t, m.login(other, object{"mfa": theirs.at(t, 0)}), http.StatusTooManyRequests, "too many wrong passcodes")
	m.mustLogin(u, object{"mfa": mine.at(t, 1)})
}

// A held login goes on to the methods; a wrong passcode does not end it.
func TestHeldLoginSatisfiesMethods(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	u.SetStatus("SUCCESS")
	phone := u.AddPush().Number(7, 0)
	mine := m.key(m.addTOTP("my_totp"), "my_totp", u)
	m.createMethod("okta", object{"method_name": "corp_okta"})
	m.mustWrite("config", object{"mfa_methods": "my_totp,corp_okta"})

	a := m.login(u, object{"wait": false})
	require.NoError(t, a.Err())
	require.Equal(t, "mfa_required", a.Data()["state"])
	id := object{"transaction_id": a.Data()["transaction_id"]}
	post := func(more object) harness.Answer {
		body := object{}
		for _, fields := range []object{id, more} {
			for k, v := range fields {
				body[k] = v
			}
		}
		return m.attempt(u.Login(), body)
	}
	requireRefused(t, post(object{"mfa": "my_totp:000000"}), http.StatusBadRequest, "still open")
	require.Zero(t, phone.Pushes())
	a = post(object{"mfa": mine.at(t, 0)})
	require.NoError(t, a.Err())
	require.Equal(t, "waiting", a.Data()["state"])
	require.Equal(t, "corp_okta", a.Data()["mfa_method"])
	require.EqualValues(t, 7, a.Data()["correct_answer"])
	require.Equal(t, 1, phone.Approve())
	eventually(t, "a token", func() bool {
		a = post(nil)
		require.NoError(t, a.Err())
		return a.Token() != ""
	})
	require.Equal(t, 1, phone.Pushes())
	requireRefused(t, post(nil), http.StatusBadRequest, "no login")
}

// Renewals ask for no method, but do not get round a new requirement.
func TestRenewalWithMethods(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	before := m.mustLogin(u).Token()
	mine := m.key(m.addTOTP("my_totp"), "my_totp", u)
	m.mustWrite("config", object{"mfa_methods": "my_totp"})
	token := m.mustLogin(u, object{"mfa": mine.at(t, 0)}).Token()
	renew := func(token string) harness.Answer {
		return m.asToken(token, http.MethodPost, "auth/token/renew-self", object{})
	}
	require.NoError(t, renew(token).Err())
	require.Error(t, renew(before).Err())
}
