package oktatest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestSeveralDevices(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	phone, tablet, watch := u.AddPush(), u.AddPush().Number(7, 1), u.AddPush()
	phone.SetName("Mia phone")
	assert.Equal(t, "Phone 2", tablet.Name())

	one, two := c.login(login, password), c.login(login, password)
	assert.Equal(t, "Mia phone", one.str("_embedded", "factors", 0, "profile", "name"))
	assert.Equal(t, "Phone 3", one.str("_embedded", "factors", 2, "profile", "name"))
	c.verify(one, phone, "").is(t, 200, "MFA_CHALLENGE WAITING")
	c.verify(two, tablet, "").is(t, 200, "MFA_CHALLENGE WAITING")
	assert.Equal(t, []int{1, 1, 0}, []int{phone.Waiting(), tablet.Waiting(), watch.Waiting()})
	assert.Equal(t, 1, tablet.Reject())
	assert.Equal(t, 1, phone.Approve())
	c.verify(two, tablet, "").is(t, 200, "MFA_CHALLENGE REJECTED")
	c.verify(one, phone, "").is(t, 200, "SUCCESS")
}

func TestPushToAnOldApp(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush("WAITING", "OKTA_VERIFY_UPGRADE_REQUIRED")
	r := c.login(login, password)
	assert.Nil(t, c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING").at("factorResultMessage"))
	c.verify(r, f, "")
	assert.Equal(t, "OKTA_VERIFY_UPGRADE_REQUIRED", c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE REJECTED").str("factorResultMessage"))
}

func TestNumberInTheFirstAnswer(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush().Number(47, 0)
	r := c.verify(c.login(login, password), f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	assert.InDelta(t, 47, r.at("_embedded", "factor", "_embedded", "challenge", "correctAnswer"), 0)
}

func TestWhenAPushWasPolled(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddPush("WAITING", "REJECTED")
	r := c.login(login, password)
	assert.True(t, f.LastPoll().IsZero())
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	assert.Equal(t, noon, f.LastSent())
	assert.True(t, f.LastPoll().IsZero(), "sending is no poll")
	for i, want := range []string{"MFA_CHALLENGE WAITING", "MFA_CHALLENGE REJECTED"} {
		clock.Advance(3 * time.Second)
		c.verify(r, f, "").is(t, 200, want)
		c.step(r, "").is(t, 200, want) // reading the state is no poll
		assert.Equal(t, i+1, f.Polls())
		assert.Equal(t, clock.Now(), f.LastPoll())
	}
	clock.Advance(3 * time.Second)
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	assert.Equal(t, 2, f.Polls(), "after REJECTED it is a new push")
	assert.Equal(t, 2, f.Pushes())
	assert.Equal(t, 2, f.Sent())
	assert.Equal(t, clock.Now(), f.LastSent())
}

func TestWithdrawnPushes(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	other, sms, totp := u.AddPush(), u.AddFactor("sms", "OKTA"), u.AddTOTP("OKTA")
	for name, tc := range map[string]struct {
		script []string
		then   func(r reply, f *oktatest.Factor)
		want   int
	}{
		"cancelled":      {nil, func(r reply, _ *oktatest.Factor) { c.step(r, "cancel") }, 1},
		"went back":      {nil, func(r reply, _ *oktatest.Factor) { c.step(r, "previous") }, 1},
		"sent again":     {nil, func(r reply, f *oktatest.Factor) { c.resend(r, f) }, 1},
		"another device": {nil, func(r reply, _ *oktatest.Factor) { c.verify(r, other, "") }, 1},
		"another factor": {nil, func(r reply, _ *oktatest.Factor) { c.verify(r, sms, "") }, 1},
		"another factor's code": {nil, func(r reply, _ *oktatest.Factor) {
			c.verify(r, totp, totp.Code()).is(t, 200, "SUCCESS")
		}, 1},
		"went back, then cancelled": {nil, func(r reply, _ *oktatest.Factor) {
			c.step(r, "previous")
			c.step(r, "cancel")
		}, 1},
		"approved":        {[]string{"WAITING", "SUCCESS"}, func(r reply, f *oktatest.Factor) { c.verify(r, f, "") }, 0},
		"rejected before": {[]string{"REJECTED"}, func(r reply, _ *oktatest.Factor) { c.step(r, "cancel") }, 0},
		"timed out before": {nil, func(r reply, _ *oktatest.Factor) {
			clock.Advance(5 * time.Minute)
			c.step(r, "cancel")
		}, 0},
		"decided before": {nil, func(r reply, f *oktatest.Factor) {
			f.Approve()
			c.step(r, "cancel")
		}, 0},
	} {
		f := u.AddPush(tc.script...)
		r := c.login(login, password)
		c.verify(r, f, "")
		tc.then(r, f)
		assert.Equal(t, tc.want, f.Withdrawn(), name)
	}
}

func TestUserRate(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	opts.EnforceUserRate = true
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddPush()
	srv.AddUser("tom@acme.test", password)
	one, two := c.login(login, password), c.login("mia.ito", password)
	for range 9 {
		c.verify(one, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
		c.verify(two, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	}
	c.verify(one, f, "").is(t, 429, "E0000047")
	c.login(login, password).is(t, 429, "E0000047")
	c.login("tom@acme.test", password).is(t, 200, "SUCCESS")
	clock.Advance(5 * time.Second)
	c.verify(one, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
}

func TestRequestsTellTheClient(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	req := c.request("POST", "/api/v1/authn", map[string]any{"username": login, "password": password})
	req.Header.Set("User-Agent", "some-client/1.0")
	req.Header.Add("X-Forwarded-For", "192.0.2.1")
	req.Header.Add("X-Forwarded-For", "192.0.2.2")
	c.do(req).is(t, 401, "E0000004")
	c.login(login, password)
	got := srv.Requests()
	assert.Equal(t, "some-client/1.0", got[0].UserAgent())
	assert.Equal(t, "192.0.2.1, 192.0.2.2", got[0].ForwardedFor())
	assert.Empty(t, got[1].ForwardedFor())
}
