package duo_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
)

// TestFactor: what rings is what the person chose, on the device that they chose, and
// otherwise a push before a call before what Duo would choose.
func TestFactor(t *testing.T) {
	t.Parallel()
	type phone = []string
	for name, test := range map[string]struct {
		phones []phone // named 0, 1 …
		given  mfa.Credential
		factor string // empty: nothing rings
		device int
		want   error
		says   string // of a *CredentialError
	}{
		"a push before a call":        {phones: []phone{{"auto", "phone"}, {"auto", "push", "phone"}}, factor: "push", device: 1},
		"a call":                      {phones: []phone{{"auto", "phone"}}, factor: "phone"},
		"auto alone":                  {phones: []phone{{"auto"}}, factor: "auto"},
		"auto is asked for":           {phones: []phone{{"auto", "push"}}, given: mfa.Credential{PassCode: "AUTO"}, factor: "auto"},
		"auto is not offered":         {phones: []phone{{"phone"}}, given: mfa.Credential{PassCode: "auto"}, factor: "phone"},
		"a call is asked for":         {phones: []phone{{"push"}, {"push", "phone"}}, given: mfa.Credential{Kind: mfa.KindCall}, factor: "phone", device: 1},
		"a call, in Duo's word":       {phones: []phone{{"push", "phone"}}, given: mfa.Credential{PassCode: "phone"}, factor: "phone"},
		"a push is asked for":         {phones: []phone{{"phone"}, {"push"}}, given: mfa.Credential{Kind: mfa.KindPush}, factor: "push", device: 1},
		"a device":                    {phones: []phone{{"push"}, {"push"}}, given: mfa.Credential{Device: "PHONE 1"}, factor: "push", device: 1},
		"a device that is called":     {phones: []phone{{"push"}, {"phone"}}, given: mfa.Credential{Device: "Phone 1 (XXX-XXX-6621)"}, factor: "phone", device: 1},
		"by its number":               {phones: []phone{{"push"}, {"push"}}, given: mfa.Credential{Device: "xxx-xxx-6621"}, factor: "push", device: 1},
		"unknown capabilities":        {phones: []phone{{"telepathy"}, {"push", "telepathy"}}, factor: "push", device: 1},
		"another's device":            {phones: []phone{{"push"}, {"sms"}}, given: mfa.Credential{Device: "Phone 7"}, says: `knows no device of yours by that name: you have "Phone 0 (XXX-XXX-6620)"`},
		"a device that cannot":        {phones: []phone{{"push"}, {"sms", "mobile_otp"}}, given: mfa.Credential{Device: "Phone 1"}, says: "finds that this device cannot take a push or a call: you can give push or a passcode"},
		"no push":                     {phones: []phone{{"phone", "mobile_otp"}}, given: mfa.Credential{Kind: mfa.KindPush}, says: "finds no phone of yours that can take a push: you can give call or a passcode"},
		"no call":                     {phones: []phone{{"push"}}, given: mfa.Credential{Kind: mfa.KindCall}, says: "finds no phone of yours that can take a call: you can give push"},
		"no push, and passcodes only": {phones: []phone{{"mobile_otp"}}, given: mfa.Credential{Kind: mfa.KindPush}, want: mfa.ErrNeedsPassCode},
		"nothing":                     {phones: []phone{{"sms"}}, want: mfa.ErrNoFactor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewDuo(t)
			user := srv.AddUser(methodtest.Person.Login).Script(mfatest.DuoOutcome{Result: "allow", Status: "allow"})
			for i, capabilities := range test.phones {
				user.AddNamedPhone("Phone "+string(rune('0'+i)), capabilities...)
			}
			attempt, err := methodtest.Duo(t, srv, func(c *duo.Config) { c.PushInfo = "a=b" }).Prepare(t.Context(), methodtest.Person, test.given)
			switch {
			case test.says != "":
				var useless *mfa.CredentialError
				require.ErrorAs(t, err, &useless)
				assert.Equal(t, test.says, useless.Problem)
				return
			case test.want != nil:
				assert.ErrorIs(t, err, test.want)
				return
			}
			require.NoError(t, err)
			require.NotEmpty(t, attempt.Rings, "everything that rings has the guard's permit")
			id := user.DeviceIDs()[test.device]
			assert.Equal(t, attempt.Rings+" "+id, attempt.Phone)
			var said methodtest.Talk
			require.NoError(t, said.Satisfy(t.Context(), attempt, time.Minute))
			sent := user.PushParameters()
			require.Len(t, sent, 1)
			assert.Equal(t, test.factor, sent[0].Get("factor"))
			assert.Equal(t, id, sent[0].Get("device"))
			assert.Equal(t, test.factor != "phone", sent[0].Has("pushinfo"))
			assert.Contains(t, said.Told.Device, "Phone ")
			assert.Nil(t, said.Told.Number)
		})
	}
}

// TestDeviceByID is that of the id that Duo gives it.
func TestDeviceByID(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	user := srv.AddUser(methodtest.Person.Login).AddPhone("push").AddPhone("push").Script(mfatest.DuoOutcome{Result: "allow"})
	id := user.DeviceIDs()[1]
	require.NoError(t, methodtest.Login(t.Context(), methodtest.Duo(t, srv, nil), mfa.Credential{Device: id}))
	assert.Equal(t, id, user.PushParameters()[0].Get("device"))
}

// TestPassCodesOnly: a method that wants a passcode rings for nobody who asks for a call.
func TestPassCodesOnly(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	method := methodtest.Duo(t, srv, func(c *duo.Config) { c.UsePassCode = true })
	for _, given := range []mfa.Credential{{Kind: mfa.KindCall}, {PassCode: "phone"}, {PassCode: "auto"}, {Device: "Phone 1"}} {
		_, err := method.Prepare(t.Context(), methodtest.Person, given)
		assert.ErrorIs(t, err, mfa.ErrNeedsPassCode)
	}
	assert.Empty(t, srv.Requests())
}

// TestNoCapableDevice: where Duo finds at last that no device can do it, the person hears
// that, and what else they can give.
func TestNoCapableDevice(t *testing.T) {
	t.Parallel()
	for _, late := range []string{"no capable device", "device"} {
		srv := mfatest.NewDuo(t)
		srv.AddUser(methodtest.Person.Login).AddPhone("push", "phone", "mobile_otp")
		srv.Fail(mfatest.Fault{On: "/auth", Status: 400, Body: `{"stat":"FAIL","code":40002,"message":"no","message_detail":"` + late + `"}`})
		err := methodtest.Login(t.Context(), methodtest.Duo(t, srv, nil), mfa.Credential{})
		var incapable *mfa.CredentialError
		require.ErrorAs(t, err, &incapable)
		assert.Equal(t, "finds no phone of yours that can take a push: you can give call or a passcode", incapable.Problem)
		assert.True(t, mfa.NotSent(err))
	}
}
