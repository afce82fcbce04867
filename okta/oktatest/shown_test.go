package oktatest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Who looks at a device changes nothing: a button is not pressed by that.
func TestShownPressesNoButton(t *testing.T) {
	t.Parallel()
	clock, options := newClock()
	c, srv := newClient(t, options)
	u := srv.AddUser(login, password)
	button, key := u.AddFactor("token:hotp", "CUSTOM"), u.AddFactor("token:hardware", "YUBICO")
	for range 20 {
		code, until := button.Shown()
		assert.Empty(t, code)
		assert.True(t, until.IsZero())
		code, _ = key.Shown()
		assert.Empty(t, code)
	}
	assert.True(t, button.HasButton())
	assert.True(t, key.HasButton())
	c.verify(c.login(login, password), button, button.Code()).is(t, 200, "SUCCESS")

	totp, rsa := u.AddTOTP("OKTA"), u.AddFactor("token", "RSA")
	clock.Advance(10 * time.Second)
	code, until := totp.Shown()
	assert.Equal(t, totp.Code(), code)
	assert.WithinDuration(t, noon.Add(30*time.Second), until, 0)
	code, until = rsa.Shown()
	assert.Equal(t, rsa.Code(), code)
	assert.WithinDuration(t, noon.Add(time.Minute), until, 0)
	assert.False(t, rsa.HasButton())

	sms := u.AddFactor("sms", "OKTA")
	code, _ = sms.Shown()
	assert.Empty(t, code)
	c.verify(c.login(login, password), sms, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
	code, until = sms.Shown()
	assert.Equal(t, sms.Code(), code)
	assert.True(t, until.After(clock.Now()))
	assert.False(t, sms.HasButton())
	assert.Equal(t, "+1 XXX-XXX-4821", sms.Destination())
	code, until = u.AddFactor("question", "OKTA").Shown()
	assert.Equal(t, "oktatest-answer", code)
	assert.True(t, until.IsZero())
}

func TestLastRequests(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	for _, path := range []string{"/1", "/2", "/3"} {
		c.get(path)
	}
	for n, want := range map[int][]string{0: nil, 2: {"/2", "/3"}, 3: {"/1", "/2", "/3"}, 9: {"/1", "/2", "/3"}} {
		list, before := srv.LastRequests(n)
		var paths []string
		for _, r := range list {
			paths = append(paths, r.Path)
		}
		assert.Equal(t, want, paths)
		assert.Equal(t, 3-len(want), before)
	}
}
