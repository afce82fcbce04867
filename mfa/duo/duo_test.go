package duo_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// strangeResult says that Duo gave a result that nobody knows.
const strangeResult = "maybe\x1b[2J"

func TestPrepare(t *testing.T) {
	t.Parallel()
	push := func(u *mfatest.DuoUser) { u.AddPhone("auto", "push", "sms", "mobile_otp") }
	for name, test := range map[string]struct {
		user        func(*mfatest.DuoUser)
		given       mfa.Credential
		usePassCode bool
		passed      bool
		rings       bool
		want        error  // ErrorIs
		denied      string // of a *DeniedError
	}{
		"push":                    {user: push, rings: true},
		"passcode":                {user: push, given: mfa.Credential{PassCode: "123456"}},
		"passcode is the rule":    {user: push, usePassCode: true, given: mfa.Credential{PassCode: "123456"}},
		"no passcode":             {user: push, usePassCode: true, want: mfa.ErrNeedsPassCode},
		"bypass":                  {user: func(u *mfatest.DuoUser) { u.SetResult("allow", "Bypass") }, passed: true},
		"denied":                  {user: func(u *mfatest.DuoUser) { u.SetResult("deny", "Account\x1b is disabled") }, denied: "Account. is disabled"},
		"denied without a word":   {user: func(u *mfatest.DuoUser) { u.SetResult("deny", "") }, denied: "no reason was given"},
		"denied at length":        {user: func(u *mfatest.DuoUser) { u.SetResult("deny", strings.Repeat("x", 300)) }, denied: strings.Repeat("x", 256) + "…"},
		"enroll":                  {user: func(u *mfatest.DuoUser) { u.SetResult("enroll", "Enroll first") }, denied: "Enroll first: https://"},
		"unknown to Duo":          {denied: "Enroll a phone first: https://"},
		"strange":                 {user: func(u *mfatest.DuoUser) { u.SetResult(strangeResult, "") }, want: mfa.ErrServiceMalformed},
		"no result":               {user: func(u *mfatest.DuoUser) { u.SetResult("", "") }, want: mfa.ErrServiceMalformed},
		"phone makes codes":       {user: func(u *mfatest.DuoUser) { u.AddPhone("sms", "mobile_otp") }, want: mfa.ErrNeedsPassCode},
		"token makes codes":       {user: func(u *mfatest.DuoUser) { u.AddToken() }, want: mfa.ErrNeedsPassCode},
		"phone can be called":     {user: func(u *mfatest.DuoUser) { u.AddPhone("phone") }, rings: true},
		"no device":               {user: func(*mfatest.DuoUser) {}, want: mfa.ErrNoFactor},
		"no device, but passcode": {user: func(*mfatest.DuoUser) {}, given: mfa.Credential{PassCode: "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewDuo(t)
			if test.user != nil {
				test.user(srv.AddUser(methodtest.Person.Login))
			}
			method := methodtest.Duo(t, srv, func(c *duo.Config) { c.UsePassCode = test.usePassCode })
			attempt, err := method.Prepare(t.Context(), methodtest.Person, test.given)
			switch {
			case test.denied != "":
				var denied *mfa.DeniedError
				require.ErrorAs(t, err, &denied)
				assert.Contains(t, denied.Reason, test.denied)
				return
			case test.want != nil:
				require.ErrorIs(t, err, test.want)
				assert.NotContains(t, err.Error(), "\x1b")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.passed, attempt.Passed)
			assert.Equal(t, test.passed, attempt.Verify == nil && attempt.Ring == nil)
			assert.False(t, attempt.Sends)
			assert.Equal(t, test.rings, attempt.Rings != "")
			assert.Equal(t, test.rings, attempt.Phone != "")
			asked := srv.User(methodtest.Person.Login).Preauths()
			require.Len(t, asked, 1)
			assert.Equal(t, methodtest.Person.Address, asked[0].Get("ipaddr"))
			assert.Equal(t, "1", asked[0].Get("client_supports_verified_push"))
			assert.Zero(t, srv.Count("/auth"))
		})
	}
}

// TestAddress: Duo is told the client's address, in each request about the person, and
// none that is not known.
func TestAddress(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	user := srv.AddUser(methodtest.Person.Login).AddPhone("push")
	who := methodtest.Person
	who.Caller = okta.Caller{Address: "203.0.113.9"}
	for _, address := range []string{who.Address, ""} {
		user.Script(mfatest.DuoOutcome{Result: "allow"})
		who.Address = address
		attempt, err := methodtest.Duo(t, srv, nil).Prepare(t.Context(), who, mfa.Credential{})
		require.NoError(t, err)
		require.NoError(t, new(methodtest.Talk).Satisfy(t.Context(), attempt, time.Minute))
	}
	for _, sent := range [][]url.Values{user.Preauths(), user.PushParameters()} {
		require.Len(t, sent, 2)
		assert.Equal(t, []string{methodtest.Person.Address}, sent[0]["ipaddr"])
		assert.NotContains(t, sent[1], "ipaddr")
	}
}

// TestCredential: what is not for Duo is not asked about.
func TestCredential(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	for _, given := range []mfa.Credential{
		{Kind: mfa.KindSMS}, {Kind: mfa.KindTOTP, PassCode: "123456"}, {Kind: mfa.KindCall, PassCode: "123456"},
	} {
		_, err := methodtest.Duo(t, srv, nil).Prepare(t.Context(), methodtest.Person, given)
		var useless *mfa.CredentialError
		assert.ErrorAs(t, err, &useless)
	}
	_, err := methodtest.Duo(t, srv, nil).Prepare(t.Context(), mfa.Subject{}, mfa.Credential{})
	assert.ErrorIs(t, err, mfa.ErrUnknownPerson)
	assert.Empty(t, srv.Requests())
}

func TestFormat(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	srv.AddUser("acme\\mia.ito & co").SetResult("allow", "")
	format, err := mfa.ParseFormat("acme\\{{identity.entity.aliases.auth_okta_1.name}} & co", "auth_okta_1")
	require.NoError(t, err)
	method := methodtest.Duo(t, srv, func(c *duo.Config) { c.Format = format })
	assert.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{}))
}

func TestPassCode(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	user := srv.AddUser(methodtest.Person.Login).AddPhone("push", "mobile_otp").AddPassCode("123 456&x=+")
	method := methodtest.Duo(t, srv, nil)
	assert.ErrorIs(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "654321"}), mfa.ErrWrongPassCode)
	assert.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "123 456&x=+"}))
	assert.ErrorIs(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "123 456&x=+"}), mfa.ErrWrongPassCode)

	var denied *mfa.DeniedError
	err := methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "1"})
	assert.ErrorIs(t, err, mfa.ErrWrongPassCode)
	user.LockOut()
	require.ErrorAs(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "1"}), &denied)
	assert.Equal(t, "You are locked out.", denied.Reason)
	assert.Zero(t, user.Pushes())
}

// TestPassCodeAnswers: nothing but "allow" lets anybody in.
func TestPassCodeAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		`{"stat":"OK","response":{"result":"allow","status":"allow"}}`:   nil,
		`{"stat":"OK","response":{"result":"waiting","status":"allow"}}`: mfa.ErrServiceMalformed,
		`{"stat":"OK","response":{"status":"allow"}}`:                    mfa.ErrServiceMalformed,
		`{"stat":"OK"}`: mfa.ErrServiceMalformed,
		`{"stat":"ok","response":{"result":"allow"}}`:                                                   mfa.ErrServiceMalformed,
		`{"stat":"OK","response":{"result":"Allow"}}`:                                                   mfa.ErrServiceMalformed,
		`{"stat":"OK","response":{"result":"deny","status":"deny"}}`:                                    mfa.ErrWrongPassCode,
		`{"stat":"FAIL","response":{"result":"allow"},"message":"no"}`:                                  &mfa.ServiceError{Status: 200, Message: "no"},
		`{"stat":"FAIL","code":40002,"message":"Invalid request parameters","message_detail":"factor"}`: &mfa.ServiceError{Status: 400, Message: "Invalid request parameters: factor (code 40002)"},
		`{"stat":"OK","response":{"result":"deny","status":"locked_out","status_msg":"Locked"}}`:        &mfa.DeniedError{Reason: "Locked"},
		`{"stat":"OK","response":{"result":"deny"}}`:                                                    &mfa.DeniedError{Reason: "no reason was given"},
		`{"stat":"OK","response":{"result":"allow","status":"allow"}}{"stat":"OK"}`:                     mfa.ErrServiceMalformed,
		`{"stat":"OK","response":{"result":["allow"]}}`:                                                 mfa.ErrServiceMalformed,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewDuo(t)
			srv.AddUser(methodtest.Person.Login)
			srv.Fail(mfatest.Fault{On: "/auth", Body: body})
			err := methodtest.Login(t.Context(), methodtest.Duo(t, srv, nil), mfa.Credential{PassCode: "123456"})
			switch want := want.(type) {
			case *mfa.ServiceError, *mfa.DeniedError:
				assert.Equal(t, want, err)
			default:
				assert.ErrorIs(t, err, want)
			}
		})
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outcome mfatest.DuoOutcome
		want    error
		denied  string
	}{
		"allow":        {outcome: mfatest.DuoOutcome{Result: "allow", Status: "allow"}},
		"deny":         {outcome: mfatest.DuoOutcome{Result: "deny", Status: "deny"}, want: mfa.ErrRejected},
		"fraud":        {outcome: mfatest.DuoOutcome{Result: "deny", Status: "fraud"}, want: mfa.ErrRejected},
		"timeout":      {outcome: mfatest.DuoOutcome{Result: "deny", Status: "timeout"}, want: mfa.ErrPushTimeout},
		"locked out":   {outcome: mfatest.DuoOutcome{Result: "deny", Status: "locked_out", Message: "Locked"}, denied: "Locked"},
		"no message":   {outcome: mfatest.DuoOutcome{Result: "deny", Status: "locked_out"}, denied: "locked_out"},
		"no status":    {outcome: mfatest.DuoOutcome{Result: "deny"}, denied: "no reason was given"},
		"strange":      {outcome: mfatest.DuoOutcome{Result: strangeResult, Status: "allow"}, want: mfa.ErrServiceMalformed},
		"status alone": {outcome: mfatest.DuoOutcome{Status: "allow"}, want: mfa.ErrServiceMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewDuo(t)
			user := srv.AddUser(methodtest.Person.Login).AddPhone("push").Script(test.outcome)
			method := methodtest.Duo(t, srv, func(c *duo.Config) { c.PushInfo = "from=Vault%20login&domain=acme.test" })
			attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
			require.NoError(t, err)
			var said methodtest.Talk
			err = said.Satisfy(t.Context(), attempt, time.Minute)
			if test.denied != "" {
				assert.Equal(t, &mfa.DeniedError{Reason: test.denied}, err)
			} else {
				assert.ErrorIs(t, err, test.want)
			}
			assert.False(t, mfa.NotSent(err))
			assert.Equal(t, 1, said.Waited())
			sent := user.PushParameters()
			require.Len(t, sent, 1)
			assert.Equal(t, "from=Vault%20login&domain=acme.test", sent[0].Get("pushinfo"))
			assert.Equal(t, methodtest.Person.Address, sent[0].Get("ipaddr"))
			assert.Equal(t, "push", sent[0].Get("factor"))
			assert.Equal(t, user.DeviceIDs()[0], sent[0].Get("device"))
			assert.NotContains(t, sent[0], "txid")
		})
	}
}

// TestWaitingForever: a service that answers at once that it waits is not asked
// without end.
func TestWaitingForever(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	srv.AddUser(methodtest.Person.Login).AddPhone("push")
	srv.Fail(mfatest.Fault{On: "/auth_status", Body: `{"stat":"OK","response":{"result":"waiting","status":"pushed"}}`})
	attempt, err := methodtest.Duo(t, srv, nil).Prepare(t.Context(), methodtest.Person, mfa.Credential{})
	require.NoError(t, err)
	said := methodtest.Talk{Clock: methodtest.NewMoving()}
	assert.ErrorIs(t, said.Satisfy(t.Context(), attempt, 10*time.Second), mfa.ErrPushTimeout)
	assert.InDelta(t, 11, srv.Count("/auth_status"), 2, "10 s of the schedule")
}
