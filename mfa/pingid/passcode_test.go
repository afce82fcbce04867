package pingid_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// yubiKey is what one types.
const yubiKey = "ccccbdecfcejhjfbdjhldfchckervdnddffnbrcnhued"

// TestPassCodeOfADevice: people whose device takes no push give the passcode that it
// makes. Nothing rings, and nothing is sent.
func TestPassCodeOfADevice(t *testing.T) {
	t.Parallel()
	for typ, test := range map[string]struct {
		code string
		kind mfa.Kind
		what string
	}{
		"Android":           {"001234", mfa.KindTOTP, "the code that the PingID app shows"},
		"Desktop":           {"654321", mfa.KindTOTP, "the code that the PingID app shows on your computer"},
		"Authenticator App": {"000000", mfa.KindTOTP, "the code of your authenticator app"},
		"Hardware Token":    {"12345678", mfa.KindToken, "the code of your hardware token"},
		"YubiKey":           {yubiKey, mfa.KindToken, "what your YubiKey types when you touch it"},
	} {
		for _, start := range []bool{false, true} { // a method that was stored before takes them, too
			t.Run(typ+" "+strconv.FormatBool(start), func(t *testing.T) {
				t.Parallel()
				srv := mfatest.NewPingID(t)
				user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: typ}).AddPassCode(test.code)
				method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = start })
				login := func(c mfa.Credential) error { return methodtest.Login(t.Context(), method, c) }

				assert.Equal(t, &mfa.PassCodeNeededError{What: test.what}, login(mfa.Credential{}))
				wrong := test.code[:len(test.code)-1] + "c"
				assert.ErrorIs(t, login(mfa.Credential{PassCode: wrong}), mfa.ErrWrongPassCode)
				var useless *mfa.CredentialError
				assert.ErrorAs(t, login(mfa.Credential{PassCode: test.code, Kind: mfa.KindSMS}), &useless)
				assert.NoError(t, login(mfa.Credential{PassCode: test.code, Kind: test.kind}))
				assert.ErrorIs(t, login(mfa.Credential{PassCode: test.code}), mfa.ErrWrongPassCode, "it was used")
				assert.Equal(t, []int{0, 0}, []int{user.Pushes(), user.Sent()})
			})
		}
	}
}

// TestPassCodeOfAnAppThatTakesPushes does not make it ring.
func TestPassCodeOfAnAppThatTakesPushes(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login).AddPassCode("123456")
	method := methodtest.PingID(t, srv, nil)
	assert.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "123456"}))
	assert.Zero(t, user.Pushes())
}

// TestSentCode takes two logins and one authentication: to begin another one would send
// another code.
func TestSentCode(t *testing.T) {
	t.Parallel()
	for typ, sent := range map[string]okta.FactorType{"SMS": okta.FactorSMS, "Voice": okta.FactorCall, "Email": okta.FactorEmail} {
		for _, hidden := range []bool{false, true} { // then the answer tells that a code went out
			t.Run(typ+" "+strconv.FormatBool(hidden), func(t *testing.T) {
				t.Parallel()
				srv := mfatest.NewPingID(t)
				user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: typ})
				if hidden {
					srv.HideDevices()
				}
				method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = true })
				if !hidden {
					attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
					require.NoError(t, err)
					assert.True(t, attempt.Sends, "the guard permits it as a code")
					assert.NotEmpty(t, attempt.Rings)
				}
				err := methodtest.Login(t.Context(), method, mfa.Credential{})
				var code *mfa.CodeSentError
				require.ErrorAs(t, err, &code)
				assert.Equal(t, sent, code.Factor.Type)
				assert.ErrorIs(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "wrong"}), mfa.ErrWrongPassCode)
				assert.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: user.PassCode(), Kind: mfa.KindOf(code.Factor)}))
				assert.Equal(t, []int{1, 1, 0}, []int{user.Sent(), srv.Count("/startauthentication/do"), user.Pushes()})
			})
		}
	}
}

// TestForgottenCode: where the mount no longer knows the authentication, a passcode does
// not have another code sent.
func TestForgottenCode(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: "SMS", Nickname: "Mia's SMS"})
	now := time.Now()
	method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Now = func() time.Time { return now } })
	require.Error(t, methodtest.Login(t.Context(), method, mfa.Credential{}))
	now = now.Add(5 * time.Minute)
	srv.SetNow(func() time.Time { return now })
	var useless *mfa.CredentialError
	require.ErrorAs(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: user.PassCode()}), &useless)
	assert.Contains(t, useless.Problem, `have one sent first, without a passcode: you have "Mia's SMS"`)
	assert.Equal(t, 1, user.Sent())
}

// TestSessionOfAnotherPerson: a passcode ends only the authentication of who logs in.
func TestSessionOfAnotherPerson(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: "SMS"})
	method := methodtest.PingID(t, srv, nil)
	require.Error(t, methodtest.Login(t.Context(), method, mfa.Credential{}))
	eve := methodtest.Person
	eve.ID = "00u2eve"
	_, err := method.Prepare(t.Context(), eve, mfa.Credential{PassCode: user.PassCode()})
	var useless *mfa.CredentialError
	assert.ErrorAs(t, err, &useless)
}

// TestAnswerOfAnotherSession: what ends another authentication does not end this one.
func TestAnswerOfAnotherSession(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: "YubiKey"}).AddPassCode(yubiKey)
	srv.Forge(func(a *mfatest.Token) {
		if a.Answer()["userDevices"] == nil && a.Answer()["sessionId"] != nil {
			a.Answer()["sessionId"] = "webs_another"
		}
	})
	err := methodtest.Login(t.Context(), methodtest.PingID(t, srv, nil), mfa.Credential{PassCode: yubiKey})
	assert.ErrorIs(t, err, mfa.ErrServiceMalformed)
}

// TestTokenOutOfStep: the passcode after the right one brings it into step.
func TestTokenOutOfStep(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: "Hardware Token"}).AddPassCode("111111", "222222")
	user.RequireResync()
	method := methodtest.PingID(t, srv, nil)
	var needed *mfa.PassCodeNeededError
	require.ErrorAs(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "111111"}), &needed)
	assert.Contains(t, needed.What, "the next code of your token")
	assert.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "222222"}))
	assert.Equal(t, 1, srv.Count("/startauthentication/do"), "within the same authentication")
}

// TestDeviceIsChosen by its name in any case, by its id, or by its type.
func TestDeviceIsChosen(t *testing.T) {
	t.Parallel()
	devices := []mfatest.PingIDDevice{
		{Type: "iPhone", Nickname: "Mia's phone", Push: true}, {Type: "Android", Nickname: "Old phone", Push: true},
		{Type: "SMS", Nickname: "Mia's SMS"}, {Type: "Hardware Token"}, {Type: "Security Key", Nickname: "Key"},
	}
	const list = `: you have "Mia's phone", "Old phone", "Mia's SMS", "Hardware Token `
	for name, test := range map[string]struct {
		given  mfa.Credential
		rings  string // the name of the phone, where it is chosen
		useful bool
		want   string
	}{
		"nothing":     {given: mfa.Credential{}, rings: "Mia's phone", useful: true},
		"name":        {given: mfa.Credential{Device: "OLD phone"}, rings: "Old phone", useful: true},
		"push":        {given: mfa.Credential{Kind: mfa.KindPush}, rings: "Mia's phone", useful: true},
		"sms":         {given: mfa.Credential{Kind: mfa.KindSMS}, want: "a code has been sent", useful: true},
		"SMS by name": {given: mfa.Credential{Device: "mia's sms"}, want: "a code has been sent", useful: true},
		"token":       {given: mfa.Credential{Kind: mfa.KindToken}, want: mfa.ErrNeedsPassCode.Error(), useful: true},
		"unknown":     {given: mfa.Credential{Device: "Tablet"}, want: "knows no device of yours by that name that works without a browser" + list},
		"key":         {given: mfa.Credential{Device: "Key"}, want: "knows no device of yours by that name that works without a browser" + list},
		"call":        {given: mfa.Credential{Kind: mfa.KindCall}, want: "knows no device of yours of that type" + list},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewPingID(t)
			user := srv.AddUserWith(methodtest.Person.Login, devices...).Script(mfatest.PingIDOutcome{ErrorID: 200})
			method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = true })
			err := methodtest.Login(t.Context(), method, test.given)
			if test.want == "" {
				require.NoError(t, err)
				assert.Equal(t, test.rings, user.LastDevice())
				assert.Equal(t, 1, user.Pushes())
				return
			}
			require.Error(t, err)
			if test.useful {
				assert.Equal(t, test.want, err.Error())
				return
			}
			var useless *mfa.CredentialError
			require.ErrorAs(t, err, &useless)
			assert.Contains(t, useless.Problem, test.want)
			assert.Zero(t, user.Pushes())
		})
	}
}

// TestChosenDeviceOfAPassCode: the device that was chosen is the one whose passcode comes
// next, by its id.
func TestChosenDeviceOfAPassCode(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: "Authenticator App"}).AddPassCode("123456")
	id := user.AddDevice(mfatest.PingIDDevice{Type: "Hardware Token", Nickname: "Token"})
	method := methodtest.PingID(t, srv, nil)
	var needed *mfa.PassCodeNeededError
	require.ErrorAs(t, methodtest.Login(t.Context(), method, mfa.Credential{Device: strconv.FormatInt(id, 10)}), &needed)
	assert.Equal(t, "the code of your hardware token", needed.What)
	require.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "123456"}))
	assert.Equal(t, "Token", user.LastDevice())
}

// TestOrganizationAsksForTheDevice: the list comes with PingID's answer, and the choice
// goes on with the same authentication.
func TestOrganizationAsksForTheDevice(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	srv.AskForDevice()
	user := srv.AddUserWith(methodtest.Person.Login,
		mfatest.PingIDDevice{Type: "iPhone", Nickname: "New", Push: true}, mfatest.PingIDDevice{Type: "Android", Nickname: "Old", Push: true})
	user.Script(mfatest.PingIDOutcome{ErrorID: 200})
	method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = true })
	err := methodtest.Login(t.Context(), method, mfa.Credential{})
	var useless *mfa.CredentialError
	require.ErrorAs(t, err, &useless)
	assert.Equal(t, `asks you to choose a device, as mfa=<name>:device=<device>: you have "New", "Old"`, useless.Problem)
	assert.True(t, mfa.NotSent(err))
	require.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{Device: "Old"}))
	assert.Equal(t, []any{"Old", 1, 0}, []any{user.LastDevice(), user.Pushes(), user.Cancelled()})
}

// TestSuspended: the person hears it before anything rings.
func TestSuspended(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	user.SetStatus("SUSPENDED")
	err := methodtest.Login(t.Context(), methodtest.PingID(t, srv, nil), mfa.Credential{})
	assert.Equal(t, &mfa.DeniedError{Reason: "your account at PingID is suspended: ask your PingID administrator"}, err)
	assert.Zero(t, user.Pushes())
}

// TestDevicesAreNotTold: where PingID does not list the devices, a login goes by what it
// answers, and the guard is asked wherever a code may be sent.
func TestDevicesAreNotTold(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	srv.HideDevices()
	user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: "YubiKey"}).AddPassCode(yubiKey)
	method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = true })
	attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{PassCode: yubiKey})
	require.NoError(t, err)
	assert.True(t, attempt.Sends)
	assert.NotEmpty(t, attempt.Rings)
	var useless *mfa.CredentialError
	for _, c := range []mfa.Credential{{Device: "Token"}, {Kind: mfa.KindSMS}} {
		_, err := method.Prepare(t.Context(), methodtest.Person, c)
		assert.ErrorAs(t, err, &useless)
	}
	err = methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "cc" + yubiKey[2:40] + "cccc"})
	assert.ErrorIs(t, err, mfa.ErrWrongPassCode)
	assert.True(t, mfa.NotSent(err), "the guard counts no code")
	assert.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: yubiKey}))
	assert.Equal(t, []int{0, 0}, []int{user.Pushes(), user.Sent()})
}

// TestPassCodeSendsNoCode: PingID may choose another device than the list's first, and
// would send a code there that no guard has permitted.
func TestPassCodeSendsNoCode(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	srv.AskForDevice() // which it does where no device is named
	user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: "YubiKey", Nickname: "Key"}, mfatest.PingIDDevice{Type: "SMS"})
	user.AddPassCode(yubiKey)
	require.NoError(t, methodtest.Login(t.Context(), methodtest.PingID(t, srv, nil), mfa.Credential{PassCode: yubiKey}))
	assert.Equal(t, "Key", user.LastDevice())
}

// TestDeviceOfAnUnknownType may ring or get a code: the guard is asked, and PingID's answer
// decides.
func TestDeviceOfAnUnknownType(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: "Ring"})
	method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = true })
	attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
	require.NoError(t, err)
	require.NotNil(t, attempt.Ring)
	assert.NotEmpty(t, attempt.Rings)
	user.ScriptBegin(mfatest.PingIDOutcome{ErrorID: 30005})
	var sent *mfa.CodeSentError
	require.ErrorAs(t, methodtest.Login(t.Context(), method, mfa.Credential{}), &sent)
	assert.Equal(t, okta.FactorEmail, sent.Factor.Type)
}
