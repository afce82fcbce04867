package backend

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// An enrollment that Okta lets people skip is skipped where the mount says so, and
// never without a word to the person and to the operator.
func TestSkipEnrollment(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		u.SetStatus("MFA_ENROLL")
		assert.Contains(t, m.refused(nil), "Okta requires you to enroll a factor first", "and offers no way around")
		u.SetSkip(true)
		assert.Contains(t, m.refused(nil), "would let you skip that for now, which this mount does not (skip_enrollment)")

		resp := m.write("config", fields{"skip_enrollment": true})
		assert.Equal(t, []string{skipWarning, "skip_enrollment is" + lostWarning}, resp.Warnings)
		resp, _, text := m.login(nil)
		require.NotNil(t, resp, text)
		assert.Contains(t, resp.Warnings, enrollWarning)
		u.SetSkip(false)
		assert.Contains(t, m.refused(nil), "Okta requires you to enroll a factor first", "what may not be skipped is not")

		u.SetSkip(true)
		totp := u.AddTOTP("GOOGLE")
		text = m.refused(nil)
		assert.Contains(t, text, "Okta asks for a factor", "a skip does not get around a factor")
		m.mustLogin(fields{"totp": m.nextCode(totp)})
	})
}

// Okta hears of a device only where the mount says so.
func TestRememberDevice(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		const device = "5a1e9b7c40d84f1e8a2b6c9d0e3f7a51"
		m.configure(nil)
		u := m.addUser("Everyone")
		totp := u.AddTOTP("GOOGLE")
		m.mustLogin(fields{"totp": m.nextCode(totp), "device_token": device})
		assert.False(t, u.Remembers(device), "remember_device is off")

		m.write("config", fields{"remember_device": true})
		m.mustLogin(fields{"totp": m.nextCode(totp)})
		m.refused(fields{"device_token": device})
		m.mustLogin(fields{"totp": m.nextCode(totp), "device_token": device})
		assert.True(t, u.Remembers(device))
		m.mustLogin(fields{"device_token": device})
		m.refused(fields{"device_token": device[1:]})
		m.refused(nil)

		u.ForgetDevices()
		m.ended(m.hold(fields{"device_token": device}), fields{"totp": m.nextCode(totp)})
		assert.True(t, u.Remembers(device), "by a login in two requests")

		for _, bad := range []string{device + "0", "with space", "\n"} {
			text := m.refused(fields{"device_token": bad})
			assert.Contains(t, text, "device_token must ")
			assert.NotContains(t, text, bad)
		}
	})
}

// Where Okta may have asked for no factor because it remembers the device, the mount has to
// remember devices to the end of the login.
func TestRememberedDeviceThatIsForgotten(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		const device = "5a1e9b7c40d84f1e8a2b6c9d0e3f7a51"
		m.configure(fields{"remember_device": true})
		totp := m.addUser("Everyone").AddTOTP("GOOGLE")
		app := m.addTOTP("my_totp")
		m.mustLogin(fields{"totp": m.nextCode(totp), "device_token": device})
		want := errDeviceUnused.what + ": log in again"

		m.meanwhile("groups", "config", fields{"remember_device": false})
		assert.Equal(t, want, m.refused(fields{"device_token": device}))
		m.write("config", fields{"remember_device": true, "mfa_methods": "my_totp"})
		held := m.hold(fields{"device_token": device})
		m.write("config", fields{"remember_device": false})
		assert.Equal(t, want, m.setback(held, fields{"mfa": app.credential()}))

		// People who have verified a factor did not need the device. A login without one named none.
		m.write("config", fields{"remember_device": true})
		held = m.hold(fields{"device_token": device[1:], "totp": m.nextCode(totp)})
		m.write("config", fields{"remember_device": false})
		m.ended(held, fields{"mfa": "my_totp:" + app.next()})
		m.okta.User(testLogin).SetStatus("SUCCESS")
		held = m.hold(fields{"device_token": device}) // of which Okta hears nothing
		m.ended(held, fields{"mfa": "my_totp:" + app.next()})
	})
}

// What Okta has against the API token or its role is the operator's matter at any
// point of a login, and is logged as such.
func TestTokenRefusedLaterInALogin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		totp := m.addUser("Everyone").AddTOTP("GOOGLE")
		for _, endpoint := range []string{"verify", "groups"} {
			for code, status := range map[string]int{"E0000005": 401, "E0000006": 403, "E0000007": 404, "E0000015": 401, "E0000022": 405, "E0000038": 403} {
				m.okta.ClearFaults()
				m.okta.Fail(endpoint, oktatest.Status(status, code, "of the token"))
				text := m.refused(fields{"totp": m.nextCode(totp)})
				assert.Contains(t, text, "Okta refused the API token of this mount ("+code+")", endpoint)
			}
		}
		m.okta.ClearFaults()
		m.okta.Fail("verify", oktatest.Status(401, "E0000011", "The token is not good"))
		assert.Contains(t, m.refused(fields{"totp": m.nextCode(totp)}), "the login took too long", "E0000011 is about the state token there")
	})
}
