package oktatest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// from logs in from a device, with the API token or without.
func (c *client) from(device string, trusted bool) reply {
	c.t.Helper()
	req := c.request("POST", "/api/v1/authn", map[string]any{
		"username": login, "password": password, "context": map[string]any{"deviceToken": device},
	})
	if trusted {
		req.Header.Set("Authorization", "SSWS "+c.srv.Token)
	}
	return c.do(req)
}

func TestRememberedDevices(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	totp := u.AddTOTP("GOOGLE")
	push := u.AddPush("WAITING", "SUCCESS")
	const device, other = "device-token-1", "device-token-2"
	verify := func(r reply, f *oktatest.Factor, query, code string) reply {
		body := map[string]any{"stateToken": r.str("stateToken")}
		if code != "" {
			body["passCode"] = code
		}
		return c.post("/api/v1/authn/factors/"+f.ID+"/verify"+query, body)
	}
	for name, tc := range map[string]struct {
		device  string
		trusted bool
		query   string
	}{
		"no wish":      {device, true, ""},
		"another wish": {device, true, "?rememberDevice=false"},
		"no API token": {device, false, "?rememberDevice=true"},
		"no device":    {"", true, "?rememberDevice=true"},
	} {
		clock.Advance(time.Minute)
		r := c.from(tc.device, tc.trusted).is(t, 200, "MFA_REQUIRED")
		verify(r, totp, tc.query, totp.Code()).is(t, 200, "SUCCESS")
		if u.Remembers(tc.device) {
			t.Errorf("%s: the device is remembered", name)
		}
	}
	r := c.from(device, true).is(t, 200, "MFA_REQUIRED")
	for _, want := range []string{"MFA_CHALLENGE WAITING", "MFA_CHALLENGE WAITING", "SUCCESS"} {
		verify(r, push, "?rememberDevice=true", "").is(t, 200, want)
	}
	if !u.Remembers(device) || u.Remembers(other) {
		t.Error("the device is not remembered, or another one is")
	}
	c.from(device, true).is(t, 200, "SUCCESS")
	c.from(device, false).is(t, 200, "MFA_REQUIRED")
	c.from(other, true).is(t, 200, "MFA_REQUIRED")
	c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if !slices.Contains(srv.Secrets(), device) {
		t.Error("the device token is none of the secrets")
	}
	u.ForgetDevices()
	c.from(device, true).is(t, 200, "MFA_REQUIRED")
}
