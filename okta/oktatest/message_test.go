package oktatest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// An organization remembers what it has sent, and which of the codes can still be used.
func TestMessages(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	text, mail := u.AddFactor("sms", "OKTA"), u.AddFactor("email", "OKTA")
	valid := func() (list []bool) {
		for _, m := range srv.Messages() {
			list = append(list, m.Valid)
		}
		return list
	}
	assert.Empty(t, srv.Messages())

	r := c.verify(c.login(login, password), text, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
	first := text.Code()
	text.SetDestination("+1 XXX-XXX-0000")
	clock.Advance(time.Minute)
	c.resend(r, text).is(t, 200, "MFA_CHALLENGE CHALLENGE")
	c.resend(r, text).is(t, 429, "E0000109")
	c.verify(c.login(login, password), mail, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
	later := noon.Add(time.Minute)
	assert.Equal(t, []oktatest.Message{
		{Factor: text, To: "+1 XXX-XXX-4821", Code: first, Sent: noon},
		{Factor: text, To: "+1 XXX-XXX-0000", Code: text.Code(), Sent: later, Valid: true},
		{Factor: mail, To: "m...o@acme.test", Code: mail.Code(), Sent: later, Valid: true},
	}, srv.Messages(), "a newer code replaces the one before")

	c.verify(r, text, text.Code()).is(t, 200, "SUCCESS")
	assert.Equal(t, []bool{false, false, true}, valid(), "a code is good once")
	clock.Advance(5 * time.Minute)
	assert.Equal(t, []bool{false, false, false}, valid(), "codes expire")
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddFactor("email", "OKTA")
	for range 30 {
		clock.Advance(time.Minute)
		c.verify(c.login(login, password), f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
	}
	list := srv.Messages()
	require.Len(t, list, 20)
	assert.Equal(t, noon.Add(11*time.Minute), list[0].Sent)
	assert.Equal(t, clock.Now(), list[19].Sent)
	assert.True(t, list[19].Valid)
}
