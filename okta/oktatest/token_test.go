package oktatest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestHOTP(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	f := u.AddFactor("token:hotp", "CUSTOM")
	enter := func(code string) reply { return c.verify(c.login(login, password), f, code) }

	first, second := f.Code(), f.Code()
	assert.NotEqual(t, first, second, "every call presses the button")
	c.verify(c.login(login, password), f, "").is(t, 400, "E0000001")
	enter(second).is(t, 200, "SUCCESS")
	enter(second).is(t, 403, "E0000082")
	enter(first).is(t, 403, "E0000068")

	for range 9 {
		f.Code()
	}
	enter(f.Code()).is(t, 200, "SUCCESS") // the last within the look-ahead
	for range 10 {
		f.Code()
	}
	enter(f.Code()).is(t, 403, "E0000068")
	assert.Equal(t, 3, u.WrongPassCodes())
}

func TestYubiKey(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	f, other := u.AddFactor("token:hardware", "YUBICO"), u.AddFactor("token:hardware", "YUBICO")
	enter := func(code string) reply { return c.verify(c.login(login, password), f, code) }

	first, second, third := f.Code(), f.Code(), f.Code()
	assert.Regexp(t, "^[cbdefghijklnrtuv]{44}$", first)
	assert.Equal(t, first[:12], second[:12], "the public id")
	assert.NotEqual(t, first[12:], second[12:])
	enter(other.Code()).is(t, 403, "E0000068")
	enter("123456").is(t, 403, "E0000068")
	enter(second).is(t, 200, "SUCCESS")
	enter(second).is(t, 403, "E0000082")
	enter(first).is(t, 403, "E0000082") // not used, but older
	enter(third).is(t, 200, "SUCCESS")

	r := c.login(login, password)
	assert.Regexp(t, "^[0-9]{12}$", r.str("_embedded", "factors", 0, "profile", "credentialId"))
	assert.Contains(t, srv.Secrets(), first)
}

func TestTokensByTheClock(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		provider string
		step     time.Duration
	}{{"RSA", time.Minute}, {"SYMANTEC", 30 * time.Second}} {
		t.Run(tc.provider, func(t *testing.T) {
			t.Parallel()
			clock, opts := newClock()
			c, srv := newClient(t, opts)
			f := srv.AddUser(login, password).AddFactor("token", tc.provider)
			enter := func(code string) reply { return c.verify(c.login(login, password), f, code) }

			code := f.Code()
			assert.Regexp(t, "^[0-9]{6}$", code)
			clock.Advance(tc.step - time.Second)
			assert.Equal(t, code, f.Code(), "until the step ends")
			enter(f.CodeAt(noon.Add(3*tc.step))).is(t, 403, "E0000068")
			enter(code).is(t, 200, "SUCCESS")
			enter(code).is(t, 403, "E0000082")
			enter(f.CodeAt(noon.Add(-tc.step))).is(t, 403, "E0000082") // shown before
			clock.Advance(tc.step)
			assert.NotEqual(t, code, f.Code())
			enter(f.Code()).is(t, 200, "SUCCESS")
		})
	}
}

func TestNextTokencode(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	f := u.AddFactor("token", "RSA")
	f.SetDigits(8)
	f.RequireNextToken()
	r := c.login(login, password)

	code := f.Code()
	assert.Regexp(t, "^[0-9]{8}$", code)
	c.verify(r, f, "00000000").is(t, 403, "E0000068") // a wrong one changes nothing
	c.verify(r, f, code).is(t, 409, "E0000113")
	c.verify(r, f, code).is(t, 403, "E0000082")
	c.verify(r, f, f.CodeAt(noon.Add(-time.Minute))).is(t, 403, "E0000082")
	c.verify(r, f, "00000000").is(t, 403, "E0000068")
	c.step(r, "").is(t, 200, "MFA_REQUIRED")
	assert.Equal(t, 4, u.WrongPassCodes(), "the first right code is none")
	clock.Advance(time.Minute)
	c.verify(r, f, f.Code()).is(t, 200, "SUCCESS")

	clock.Advance(time.Minute)
	c.verify(c.login(login, password), f, f.Code()).is(t, 200, "SUCCESS") // asked for once
}

func TestNextTokencodeOfAFixedOne(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddFactor("token", "RSA")
	f.SetCode("111111")
	r := c.login(login, password)
	c.verify(c.login(login, password), f, "111111").is(t, 200, "SUCCESS")
	f.RequireNextToken()
	c.verify(r, f, "111111").is(t, 409, "E0000113")
	c.verify(r, f, "111111").is(t, 403, "E0000082")
	f.SetCode("222222")
	c.verify(c.login(login, password), f, "222222").is(t, 200, "SUCCESS") // the demand outlived the transaction
	assert.Empty(t, f.CodeAt(noon))
}

func TestWrongCodesLockAtAnyFactor(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ kind, provider string }{
		{"sms", "OKTA"}, {"call", "OKTA"}, {"email", "OKTA"}, {"question", "OKTA"}, {"token", "RSA"},
		{"token", "SYMANTEC"}, {"token:hotp", "CUSTOM"}, {"token:hardware", "YUBICO"},
	} {
		t.Run(tc.kind+" "+tc.provider, func(t *testing.T) {
			t.Parallel()
			c, srv := newClient(t, oktatest.Options{MaxFailures: 3})
			u := srv.AddUser(login, password)
			f := u.AddFactor(tc.kind, tc.provider)
			r := c.login(login, password)
			answer := func(code string) reply {
				return c.post("/api/v1/authn/factors/"+f.ID+"/verify",
					map[string]any{"stateToken": r.str("stateToken"), "passCode": code, "answer": code})
			}
			if sent := map[string]bool{"sms": true, "call": true, "email": true}; sent[tc.kind] {
				c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
			}
			answer("wrong").is(t, 403, "E0000068")
			answer("wrong").is(t, 403, "E0000068")
			answer("wrong").is(t, 403, "E0000069")
			answer(f.Code()).is(t, 403, "E0000069")
			assert.Equal(t, "LOCKED_OUT", u.Status())
			assert.Equal(t, 3, u.WrongPassCodes(), "nobody looks at the codes of a locked user")
		})
	}
}

func TestFactorsThatNeedABrowser(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	for kind, provider := range map[string]string{
		"webauthn": "FIDO", "u2f": "FIDO", "web": "DUO", "claims_provider": "CUSTOM", "signed_nonce": "OKTA",
	} {
		f := u.AddFactor(kind, provider)
		r := c.verify(c.login(login, password), f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
		assert.Equal(t, kind, r.str("_embedded", "factor", "factorType"))
		c.verify(r, f, "123456").is(t, 200, "MFA_CHALLENGE CHALLENGE") // nothing answers it
	}
	assert.Len(t, c.login(login, password).at("_embedded", "factors"), 5)
	assert.Zero(t, u.WrongPassCodes())
}
