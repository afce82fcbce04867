package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// ownClock gives the mount's org a clock that moves only when told, so a code lasts.
func (m *mount) ownClock() *oktatest.Clock {
	clock := oktatest.NewClock(time.Now())
	m.org.Configure(func(o *oktatest.Options) { o.Now = clock.Now })
	return clock
}

// requireCLIRefused checks a refusal of the command line tool.
func requireCLIRefused(t *testing.T, result harness.CLIResult, words ...string) {
	t.Helper()
	require.Equal(t, 2, result.Code, "%s%s", result.Stdout, result.Stderr)
	require.Contains(t, result.Stderr, "Code: 400")
	for _, word := range words {
		require.Contains(t, result.Stderr, word)
	}
}

// passcodeFactors are the factors whose passcode comes with the login.
var passcodeFactors = []struct {
	factorType, provider string // Okta's
	say                  string // what provider says
	factor               string // what factor says
	digits               int    // where not as by default
}{
	{factorType: "token:software:totp", provider: "OKTA", say: "okta", factor: "totp"},
	{factorType: "token:software:totp", provider: "GOOGLE", say: "Google", factor: "totp"},
	{factorType: "token:hardware", provider: "YUBICO", say: "yubico", factor: "token"},
	{factorType: "token", provider: "RSA", say: "rsa", factor: "token"},
	{factorType: "token", provider: "RSA", say: "RSA", factor: "token", digits: 8},
	{factorType: "token", provider: "SYMANTEC", say: "Symantec", factor: "token"},
	{factorType: "token:hotp", provider: "CUSTOM", say: "custom", factor: "token"},
	{factorType: "question", provider: "OKTA", say: "question", factor: "question"},
}

func TestPasscodeOfEachFactor(t *testing.T) {
	t.Parallel()
	for _, row := range passcodeFactors {
		t.Run(row.factorType+" "+row.say, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, allFactors)
			clock := m.ownClock()
			u, cli := m.addUser("mia@acme.test"), m.person()
			phone := u.AddPush()
			f := u.AddFactor(row.factorType, row.provider)
			if row.digits > 0 {
				f.SetDigits(row.digits)
			}
			next := func() string {
				clock.Advance(time.Minute) // a passcode works once
				return f.Code()
			}
			m.mustLogin(u, object{"totp": next()})
			m.mustLogin(u, object{"passcode": next(), "provider": row.say})
			m.mustLogin(u, object{"totp": next(), "factor": row.factor})
			m.requireLoggedIn(cli, m.runLogin(cli, m.loginArgs(u, "password="+u.Password(), "totp="+next())...))
			code := next()
			m.requireLoggedIn(cli, m.runLogin(cli,
				m.loginArgs(u, "password="+u.Password(), "totp="+code, "provider="+row.say)...))

			want := "(E0000082)"
			if row.factor == "question" {
				code, want = "the wrong answer", "(E0000068)"
			}
			requireCLIRefused(t, m.runLogin(cli, m.loginArgs(u, "password="+u.Password(), "totp="+code)...), want)
			require.Equal(t, 1, u.WrongPassCodes(), "a passcode is tried once")
			require.Zero(t, phone.Pushes())
		})
	}
}

// An RSA server that has become careful wants the next code, too.
func TestNextTokenOfRSA(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	clock := m.ownClock()
	u, cli := m.addUser("mia@acme.test"), m.person()
	f := u.AddFactor("token", "RSA")
	login := func() harness.CLIResult {
		return m.runLogin(cli, m.loginArgs(u, "password="+u.Password(), "totp="+f.Code())...)
	}
	f.RequireNextToken()
	requireCLIRefused(t, login(), "Type the next code of your token", "(E0000113)")
	requireCLIRefused(t, login(), "(E0000082)")
	clock.Advance(time.Minute)
	m.requireLoggedIn(cli, login())

	clock.Advance(time.Minute)
	f.RequireNextToken()
	requireRefused(t, m.login(u, object{"totp": f.Code()}), http.StatusBadRequest, "Type the next code of your token")
	clock.Advance(time.Minute)
	m.mustLogin(u, object{"totp": f.Code()})
}

func TestPasscodeLocksOut(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.org.Configure(func(o *oktatest.Options) { o.MaxFailures = 2 })
	u := m.addUser("mia@acme.test")
	f := u.AddTOTP("OKTA")
	requireRefused(t, m.login(u, object{"totp": wrongCode(f)}), http.StatusBadRequest, "(E0000068)")
	requireRefused(t, m.login(u, object{"totp": wrongCode(f)}), http.StatusBadRequest, "locked", "(E0000069)")
	requireRefused(t, m.login(u, object{"totp": f.Code()}), http.StatusBadRequest, "locked")
}

// sentFactor is a factor whose code Okta sends, and the words for that.
type sentFactor struct{ kind, way, to string }

var sentFactors = []sentFactor{
	{"sms", "by SMS", "+1 XXX-XXX-4821"},
	{"call", "by a telephone call", "+1 XXX-XXX-4821"},
	{"email", "by e-mail", "m...a@acme.test"},
}

// One login has the code sent, the next one brings it: two commands, or two
// requests.
func TestCodeInTwoLogins(t *testing.T) {
	t.Parallel()
	for _, row := range sentFactors {
		for name, change := range map[string]func(*oktatest.Options){
			"":                      func(*oktatest.Options) {},
			"strict org":            func(o *oktatest.Options) { o.CodesStayInTransaction = true },
			"with no factor result": func(o *oktatest.Options) { o.OmitFactorResult = true },
		} {
			t.Run(row.kind+" "+name, func(t *testing.T) {
				t.Parallel()
				m := newMount(t, allFactors)
				m.org.Configure(change)
				m.requireCodeInTwoLogins(t, row, func() {})
			})
		}
	}
}

// requireCodeInTwoLogins logs in with a code that is sent, twice, with
// something in between.
func (m *mount) requireCodeInTwoLogins(t *testing.T, row sentFactor, between func()) {
	t.Helper()
	clock := m.ownClock()
	u, cli := m.addUser("mia@acme.test"), m.person()
	f := u.AddFactor(row.kind, "OKTA")
	sent := m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...)
	requireCLIRefused(t, sent, "Okta has sent a code "+row.way+" to "+row.to, "totp=<code>")
	require.Equal(t, 1, f.Sent())
	require.Equal(t, 1, m.org.Count(http.MethodPost, "/api/v1/authn"), "the tool does not repeat it")
	between()
	m.requireLoggedIn(cli, m.runLogin(cli, m.loginArgs(u, "password="+u.Password(), "totp="+f.Code())...))
	require.Equal(t, 1, f.Sent())

	clock.Advance(time.Minute)
	requireRefused(t, m.login(u, object{"nonce": "abcdefghijklmnopqrst"}), http.StatusBadRequest,
		row.way+" to "+row.to, "totp=<code>")
	between()
	m.mustLogin(u, object{"totp": f.Code()})
	require.Equal(t, 2, f.Sent())
}

// A reload of the plugin in between loses what it had in memory: the code then
// answers the transaction of the second login. Where Okta does not take it
// there, the login is refused, and nothing worse. (A Vault of its own: a reload
// ends the process that serves all mounts.)
func TestReloadWhileACodeIsPending(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	for _, row := range sentFactors {
		t.Run(row.kind, func(t *testing.T) {
			m := enableOn(t, v, newOrg(t), pluginVersion)
			m.configure(allFactors)
			m.requireCodeInTwoLogins(t, row, m.reload)
		})
	}
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure(allFactors)
	m.org.Configure(func(o *oktatest.Options) { o.CodesStayInTransaction = true })
	u := m.addUser("mia@acme.test")
	f := u.AddFactor("sms", "OKTA")
	requireRefused(t, m.login(u), http.StatusBadRequest, "by SMS")
	m.reload()
	requireRefused(t, m.login(u, object{"totp": f.Code()}), http.StatusBadRequest, "(E0000068)")
	require.Equal(t, 1, f.Sent())
}

// reload loads the mount anew.
func (m *mount) reload() {
	m.t.Helper()
	m.mustDo(http.MethodPut, "sys/plugins/reload/backend", object{"mounts": []string{"auth/" + m.Path + "/"}})
}

func TestCodeIsNotSentAgainWhilePending(t *testing.T) {
	t.Parallel()
	for _, row := range sentFactors {
		t.Run(row.kind, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, allFactors)
			clock := m.ownClock()
			u, cli := m.addUser("mia@acme.test"), m.person()
			f := u.AddFactor(row.kind, "OKTA")
			requireRefused(t, m.login(u), http.StatusBadRequest, "Okta has sent a code "+row.way)
			first := f.Code()
			clock.Advance(time.Minute)
			requireCLIRefused(t, m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...),
				"still good", "totp=<code>", "resend=true")
			requireRefused(t, m.login(u), http.StatusBadRequest, "still good")
			require.Equal(t, 1, f.Sent())
			require.Equal(t, first, f.Code())

			requireRefused(t, m.login(u, object{"resend": true}), http.StatusBadRequest, "Okta has sent a code "+row.way, "totp=<code>")
			require.Equal(t, 2, f.Sent())
			m.mustLogin(u, object{"totp": f.Code()})
			require.Equal(t, 2, f.Sent())
			soon(t, 0, m.openTransactions, "nothing is left open at Okta")
		})
	}
}

// Who asks for the code once more does not mean a push, even where a push is
// what a login would begin with.
func TestResendRingsNoPhone(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	clock := m.ownClock()
	u := m.addUser("mia@acme.test")
	phone, text := u.AddPush("SUCCESS"), u.AddFactor("sms", "OKTA")
	requireRefused(t, m.login(u, object{"provider": "sms"}), http.StatusBadRequest, "by SMS")
	requireRefused(t, m.login(u, object{"provider": "sms"}), http.StatusBadRequest, "resend=true")
	clock.Advance(time.Minute)
	requireRefused(t, m.login(u, object{"resend": true}), http.StatusBadRequest, "by SMS")
	require.Zero(t, phone.Pushes())
	require.Equal(t, 2, text.Sent())
}

// openTransactions is how many transactions were begun at Okta and are neither
// completed nor cancelled.
func (m *mount) openTransactions() int { return m.org.OpenTransactions() }

// Okta does not send codes as often as it is asked to. The refusal is a 429
// with the wait, and the tool, which repeats such a request by itself, gets
// nothing else by that.
func TestCodeTooSoon(t *testing.T) {
	t.Parallel()
	for kind, wait := range map[string]string{"sms": "30 seconds", "call": "30 seconds", "email": "5 seconds"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, allFactors)
			m.ownClock()
			u := m.addUser("mia@acme.test")
			f := u.AddFactor(kind, "OKTA")
			requireRefused(t, m.login(u), http.StatusBadRequest, "totp=<code>")
			requireRefused(t, m.login(u, object{"resend": true}), http.StatusTooManyRequests, wait)
			m.mustLogin(u, object{"totp": f.Code()})
			require.Equal(t, 1, f.Sent(), "what was sent before is still good")

			requireRefused(t, m.login(u), http.StatusTooManyRequests, wait)
			cli := m.person()
			result := m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...)
			require.Equal(t, 2, result.Code)
			require.Contains(t, result.Stderr, "Code: 429")
			require.Contains(t, result.Stderr, wait)
			require.Equal(t, 1, f.Sent())
		})
	}
}

// A wrong code leaves the one that was sent good, until Okta has enough.
func TestWrongCodeThenRight(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	m.org.Configure(func(o *oktatest.Options) { o.CodesStayInTransaction = true })
	u := m.addUser("mia@acme.test")
	f := u.AddFactor("sms", "OKTA")
	requireRefused(t, m.login(u), http.StatusBadRequest, "by SMS")
	requireRefused(t, m.login(u, object{"totp": wrongCode(f)}), http.StatusBadRequest, "(E0000068)")
	requireRefused(t, m.login(u, object{"password": secret(), "totp": f.Code()}), http.StatusBadRequest, "(E0000004)")
	m.mustLogin(u, object{"totp": f.Code()})
	requireRefused(t, m.login(u, object{"totp": f.Code() + "123456"}), http.StatusBadRequest)
	require.Equal(t, 1, f.Sent())
}

// The tool can send no other choice than provider.
func TestChoiceOfFactorByTheTool(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	m.ownClock()
	u, cli := m.addUser("mia@acme.test"), m.person()
	generator, question := u.AddTOTP("GOOGLE"), u.AddFactor("question", "OKTA")
	factors := map[string]*oktatest.Factor{}
	for _, kind := range []string{"sms", "call", "email"} {
		factors[kind] = u.AddFactor(kind, "OKTA")
	}
	login := func(more ...string) harness.CLIResult {
		return m.runLogin(cli, m.loginArgs(u, append(more, "password="+u.Password())...)...)
	}
	requireCLIRefused(t, login(),
		"Google Authenticator", "provider=GOOGLE", "security question", "totp=<the answer> provider=question",
		"SMS +1 XXX-XXX-4821 (provider=sms, then totp=<the code>)", "provider=call", "e-mail m...a@acme.test", "provider=email")
	for i, row := range sentFactors {
		requireCLIRefused(t, login("provider="+row.kind), row.way)
		for j, other := range sentFactors {
			want := 0
			if j <= i {
				want = 1
			}
			require.Equal(t, want, factors[other.kind].Sent(), other.kind)
		}
		m.requireLoggedIn(cli, login("provider="+row.kind, "totp="+factors[row.kind].Code()))
	}
	m.requireLoggedIn(cli, login("totp="+question.Code(), "provider=question"))
	m.requireLoggedIn(cli, login("totp="+generator.Code()))
	requireRefused(t, m.login(u, object{"factor": "push"}), http.StatusBadRequest, "provider=sms", "provider=GOOGLE")

	phone := u.AddPush("SUCCESS")
	m.requireLoggedIn(cli, login("provider=push"))
	m.requireLoggedIn(cli, login())
	require.Equal(t, 2, phone.Pushes())
}

func TestFactorsThatTheMountDoesNotAccept(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"mfa_factors": "push,totp,sms"})
	u := m.addUser("mia@acme.test")
	mail, question, generator := u.AddFactor("email", "OKTA"), u.AddFactor("question", "OKTA"), u.AddTOTP("OKTA")
	asked := func() int { return m.org.Count(http.MethodPost, "/api/v1/authn/factors/"+question.ID+"/verify") }

	requireRefused(t, m.login(u), http.StatusBadRequest, "Okta Verify's passcode",
		"You cannot use", `e-mail m...a@acme.test (this mount does not accept it)`, "security question")
	requireRefused(t, m.login(u, object{"provider": "email"}), http.StatusBadRequest, "this mount does not accept it")
	requireRefused(t, m.login(u, object{"totp": question.Code()}), http.StatusBadRequest, "this mount does not accept it")
	requireRefused(t, m.login(u, object{"totp": question.Code(), "factor": "question"}), http.StatusBadRequest, "this mount does not accept it")
	require.Zero(t, mail.Sent())
	require.Zero(t, asked())
	a := m.login(u, object{"wait": false})
	require.NoError(t, a.Err())
	require.NotContains(t, string(a.Raw), "email")
	require.NotContains(t, string(a.Raw), "question")
	requireRefused(t, m.login(u, object{"wait": false, "factor": "email"}), http.StatusBadRequest, "does not accept it")
	m.mustLogin(u, object{"totp": generator.Code()})

	generator.SetStatus("INACTIVE")
	m.mustWrite("config", object{"mfa_factors": ""})
	require.Equal(t, []any{"push", "totp", "token"}, m.inForce("config").Data()["mfa_factors"])
	requireRefused(t, m.login(u, object{"totp": question.Code()}), http.StatusBadRequest,
		"ask your Vault administrator to name email or question in mfa_factors of the mount's config")
	m.mustWrite("config", object{"mfa_factors": "question"})
	m.mustLogin(u, object{"totp": question.Code()})
}

// Somebody with nothing but factors for browsers is told so, and somebody with
// others, too, what else there is.
func TestFactorsThatNeedABrowser(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	u, cli := m.addUser("mia@acme.test"), m.person()
	names := []string{"Google Authenticator (it is not active)"}
	for name, f := range map[string]struct{ factorType, provider string }{
		"WebAuthn": {"webauthn", "FIDO"}, "U2F": {"u2f", "FIDO"}, "DUO web": {"web", "DUO"},
		"identity provider": {"claims_provider", "CUSTOM"}, "Okta FastPass": {"signed_nonce", "OKTA"},
	} {
		u.AddFactor(f.factorType, f.provider)
		names = append(names, name)
	}
	u.AddTOTP("GOOGLE").SetStatus("PENDING_ACTIVATION")
	requireCLIRefused(t, m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...),
		append(names, "(it needs a browser)", "none that this mount can use")...)
	requireRefused(t, m.login(u, object{"wait": false}), http.StatusBadRequest, names...)

	f := u.AddFactor("question", "OKTA")
	requireRefused(t, m.login(u), http.StatusBadRequest, append(names, "totp=<the answer> provider=question")...)
	m.mustLogin(u, object{"totp": f.Code()})
}

// Vault's UI and OpenBao's form know a password and nothing else.
func TestPasscodeWithinThePassword(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors, object{"passcode_separator": ","})
	clock := m.ownClock()
	u := m.addUser("mia@acme.test")
	u.SetPassword(secret() + ",x,")
	f, key, text := u.AddTOTP("OKTA"), u.AddFactor("token:hardware", "YUBICO"), u.AddFactor("sms", "OKTA")
	phone := u.AddPush("SUCCESS")
	form := func(passcode string) harness.Answer { // as the forms send it
		return m.attempt(u.Login(), object{"password": u.Password() + passcode, "nonce": "abcdefghijklmnopqrst"})
	}
	require.NoError(t, form(","+f.Code()).Err())
	require.NoError(t, form(","+key.Code()).Err())
	require.Zero(t, phone.Pushes())
	requireRefused(t, form(","+wrongCode(f)), http.StatusBadRequest, "(E0000068)")
	require.NoError(t, form("").Err(), "without one a push goes out")
	require.Equal(t, 1, phone.Pushes())

	requireRefused(t, m.login(u, object{"provider": "sms"}), http.StatusBadRequest, "by SMS")
	require.NoError(t, form(","+text.Code()).Err())
	clock.Advance(time.Minute)
	cli := m.person()
	m.requireLoggedIn(cli, m.runLogin(cli, m.loginArgs(u, "password="+u.Password()+","+f.Code())...))

	m.mustWrite("config", object{"passcode_separator": ""})
	clock.Advance(time.Minute)
	requireRefused(t, form(","+f.Code()), http.StatusBadRequest, "(E0000004)")
}
