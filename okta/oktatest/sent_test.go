package oktatest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// resend asks for another code or push in the transaction of r.
func (c *client) resend(r reply, f *oktatest.Factor) reply {
	c.t.Helper()
	return c.post("/api/v1/authn/factors/"+f.ID+"/verify/resend", map[string]any{"stateToken": r.str("stateToken")})
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind, digits, profile, destination string
		resend                             any // the link's name; calls have no link
	}{
		{"sms", "^[0-9]{6}$", "phoneNumber", "+1 XXX-XXX-4821", "sms"},
		{"call", "^[0-9]{5}$", "phoneNumber", "+1 XXX-XXX-4821", nil},
		{"email", "^[0-9]{6}$", "email", "m...o@acme.test", "email"},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			t.Parallel()
			clock, opts := newClock()
			c, srv := newClient(t, opts)
			f := srv.AddUser(login, password).AddFactor(tc.kind, "OKTA")
			assert.Empty(t, f.Code())
			assert.True(t, f.LastSent().IsZero())

			r := c.verify(c.login(login, password), f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
			assert.Regexp(t, tc.digits, f.Code())
			assert.Equal(t, tc.destination, r.str("_embedded", "factor", "profile", tc.profile))
			assert.Equal(t, tc.resend, r.at("_links", "resend", 0, "name"))
			clock.Advance(time.Second)
			assert.Equal(t, 429, c.resend(r, f).status)
			assert.Equal(t, 1, f.Sent(), "a refused one is not sent")
			assert.Equal(t, noon, f.LastSent())
			clock.Advance(time.Minute)
			c.resend(r, f).is(t, 200, "MFA_CHALLENGE CHALLENGE")
			assert.Equal(t, 2, f.Sent())
			assert.Zero(t, f.Pushes())

			f.SetDestination("elsewhere")
			assert.Equal(t, "elsewhere", c.step(r, "").str("_embedded", "factor", "profile", tc.profile))
			srv.Configure(func(o *oktatest.Options) { o.OmitResend = true })
			assert.Nil(t, c.step(r, "").at("_links", "resend"))
			c.verify(r, f, f.Code()).is(t, 200, "SUCCESS")
			assert.Empty(t, f.Code(), "a code is good once")
		})
	}
}

func TestCodeSentInAnotherTransaction(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sms", "call", "email"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c, srv := newClient(t)
			u := srv.AddUser(login, password)
			f := u.AddFactor(kind, "OKTA")
			first, second := c.login(login, password), c.login(login, password)
			c.verify(first, f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")

			srv.Configure(func(o *oktatest.Options) { o.CodesStayInTransaction = true })
			c.verify(second, f, f.Code()).is(t, 403, "E0000068")
			srv.Configure(func(o *oktatest.Options) { o.CodesStayInTransaction = false })
			c.verify(second, f, f.Code()).is(t, 200, "SUCCESS") // straight from MFA_REQUIRED
			c.verify(first, f, "123456").is(t, 403, "E0000068")
		})
	}
}

func TestCodeStaysInItsTransaction(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t, oktatest.Options{CodesStayInTransaction: true})
	f := srv.AddUser(login, password).AddFactor("sms", "OKTA")
	r := c.login(login, password)
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
	c.step(r, "previous").is(t, 200, "MFA_REQUIRED")
	c.verify(r, f, f.Code()).is(t, 200, "SUCCESS")
}

func TestCodeSentExpires(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddFactor("sms", "OKTA")
	r := c.login(login, password)
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
	clock.Advance(3 * time.Minute)
	c.step(r, "")
	clock.Advance(2 * time.Minute)
	c.verify(r, f, f.Code()).is(t, 403, "E0000068")
}
