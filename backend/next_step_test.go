package backend

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// The answer after a factor failed says what to give instead.

// The answer to a mistyped name of a method has the most similar name that the login asks
// for. It has no name of another method, and not what the person typed.
func TestMisspelledMethodIsToldTheNearestOfThoseAskedFor(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		mine, other := m.addTOTP("my_totp"), m.addTOTP("ops_passcode")
		m.addTOTP("my_topt2") // nobody has to satisfy it
		m.write("config", fields{"mfa_methods": "my_totp,ops_passcode"})
		const hint = "Did you mean "
		for given, want := range map[string]string{
			"my_topt": "my_totp", "MY_TOTP": "my_totp", "mytotp": "my_totp", "my_topt2": "my_totp",
			"ops_pascode": "ops_passcode", "ops-passcode": "ops_passcode",
			"my_duo": "", "totp": "", "123456": "", "x": "",
		} {
			text := m.refused(fields{"mfa": given + ":104729"})
			assert.NotContains(t, text, "104729")
			assert.NotContains(t, text, "my_topt2", "which nobody asks for")
			if want == "" {
				assert.NotContains(t, text, hint, given)
			} else {
				assert.Contains(t, text, ". "+hint+want+"? You gave a credential under another name. ", given)
			}
		}
		text := m.refused(fields{"mfa": mine.credential()})
		assert.Contains(t, text, "requires more than Okta does: ops_passcode (")
		assert.NotContains(t, text, hint, "its name is right")
		m.write("config", fields{"mfa_methods": "my_totp|ops_passcode"})
		assert.Contains(t, m.refused(fields{"mfa": "ops_passcod:104729"}), hint+"ops_passcode?")
		m.mustLogin(fields{"mfa": other.credential()})
	})
}

// A held login, which is not refused, has the same hints as warnings.
func TestHeldLoginHasTheHintsAsWarnings(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		key := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		warned := func(resp *logical.Response, status int, text string) (heldState, string) {
			s := m.state(resp, status, text)
			require.Equal(t, "mfa_required", s.State)
			return s, strings.Join(resp.Warnings, "\n")
		}
		held, said := warned(m.login(fields{"wait": false, "mfa": "my_topt:104729"}))
		assert.Equal(t, "Did you mean my_totp? You gave a credential under another name", said)
		_, said = warned(m.proceed(held, fields{"totp": "104729"}))
		assert.Contains(t, said, "so your totp was not used: give it as mfa=<name>:<passcode>")
		assert.NotContains(t, said, "Did you mean")
		_, said = warned(m.proceed(held, nil))
		assert.Empty(t, said)
		m.ended(held, fields{"mfa": key.credential()})
	})
}

// A totp that Okta did not ask for is said: in a warning where the login succeeds, and
// where a method wanted it, in the error.
func TestTOTPThatNothingAskedForIsSaid(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		const unused = "your totp was not used"
		warnings := func(more fields) string {
			resp, status, text := m.login(more)
			require.Equal(t, 200, status, text)
			return strings.Join(resp.Warnings, "\n")
		}
		google := u.AddTOTP("GOOGLE")
		assert.NotContains(t, warnings(fields{"totp": m.nextCode(google)}), unused, "Okta took it")
		u.SetStatus("SUCCESS") // a policy that asks for nothing
		assert.NotContains(t, warnings(nil), unused)
		text := warnings(fields{"totp": "104729"})
		assert.Contains(t, text, unused+", because this login had no factor of Okta's to answer")
		assert.NotContains(t, text, "104729")
		assert.Contains(t, warnings(fields{"totp": "104729", "wait": false}), unused)

		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		text = m.refused(fields{"totp": app.code()})
		assert.Contains(t, text, ". Okta has asked for no factor, so "+unused+": give it as mfa=<name>:<passcode> if it is for one of these. ")
		assert.NotContains(t, text, app.code())
		assert.NotContains(t, m.refused(nil), unused)

		u.SetStatus("ACTIVE")
		assert.NotContains(t, m.refused(fields{"totp": m.nextCode(google)}), unused, "Okta took it")
	})
}

// The answer to a wrong passcode names the factors that it was tried on, each once.
func TestWrongPasscodeIsToldWhereItWasTried(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		const wrong, sent = "Okta did not accept the passcode (E0000068). It was tried on ", "SMS +1 XXX-XXX-4821"
		as := func(name string) (u *oktatest.User, refused func(more fields) string) {
			u = m.okta.AddUser(name, testPassword)
			return u, func(more fields) string {
				more["password"], more["nonce"] = testPassword, "n"
				_, status, text := m.do("update", "login/"+name, more)
				assert.Equal(t, 400, status)
				return text
			}
		}
		u, refused := as("ann@acme.test")
		sms := u.AddFactor("sms", "OKTA")
		refused(fields{"provider": "sms"})
		bad := wrongCode(sms.Code())
		assert.Equal(t, wrong+sent, refused(fields{"totp": bad}))
		u.AddTOTP("GOOGLE")
		assert.Equal(t, wrong+sent+" and Google Authenticator", refused(fields{"totp": "000000"}), "beside the code that was sent before")

		u, refused = as("bob@acme.test")
		u.AddTOTP("GOOGLE")
		u.AddTOTP("OKTA")
		assert.Equal(t, wrong+"Google Authenticator and Okta Verify", refused(fields{"totp": "000000"}))
		assert.Equal(t, wrong+"Google Authenticator", refused(fields{"totp": "000000", "provider": "google"}))

		u, refused = as("cal@acme.test")
		u.AddTOTP("GOOGLE")
		u.SetStatus("SUCCESS")
		m.createMethod("okta", fields{"method_name": "corp_okta", "factors": "totp"})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		assert.Equal(t, "MFA method corp_okta: "+wrong+"Google Authenticator", refused(fields{"mfa": "corp_okta:000000"}))
		assert.Equal(t, "MFA method corp_okta: is not answered by a passcode like that, but by 6 digits: you have totp", refused(fields{"mfa": "corp_okta:0000"}))
	})
}

// Where a passcode is of another form than those of the factors, the answer tells theirs.
func TestPasscodeOfTheWrongFormIsToldTheRightOne(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		const says = "Okta asks for a factor, and the passcode does not match any of yours"
		u.AddTOTP("GOOGLE")
		assert.Contains(t, m.refused(fields{"totp": "12345"}), says+": 6 digits are expected. You can use: ")
		u.AddTOTP("OKTA")
		u.AddFactor("token:hardware", "YUBICO")
		text := m.refused(fields{"totp": "12345"})
		assert.Contains(t, text, says+": 6 digits or the 44 letters that a YubiKey types are expected. You can use: ")
		assert.NotContains(t, text, "12345")
		assert.Contains(t, m.refused(fields{"totp": "12345", "provider": "google"}), says+": 6 digits are expected. ")
		u.AddFactor("sms", "OKTA")
		u.AddFactor("email", "OKTA")
		assert.Contains(t, m.refused(fields{"totp": "12345"}), says+". You can use: ", "it may be a code that was sent")
	})
}

// Several phones are one line, and the field that chooses one comes with the command
// that can send it.
func TestThreePhonesAreOneLine(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		all := phones(u, 3)
		all[2].SetName("")
		sms := u.AddFactor("sms", "OKTA")
		assert.Equal(t, "Okta asks for a factor, and you cannot use the one that you chose. You can use: "+
			`a push "Phone 1", "Phone 2" or `+all[2].ID+" (provider=push, or device=<one of these>), SMS +1 XXX-XXX-4821 (provider=sms, then totp=<the code>)"+
			". No login command sends device: write auth/okta/login/<name> password=- device=<device>", m.refused(fields{"provider": "call"}))
		all[1].SetStatus("INACTIVE")
		all[2].SetStatus("INACTIVE")
		text := m.refused(fields{"provider": "call"})
		assert.Contains(t, text, `You can use: a push "Phone 1" (provider=push), SMS`)
		assert.NotContains(t, text, "device=", "there is only one")
		sms.SetStatus("INACTIVE")
	})
}

// The answer names the fields that no login command sends with the command that does,
// below the path of this mount.
func TestFieldsThatNoLoginSendsComeWithTheCommand(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		sms := u.AddFactor("sms", "OKTA")
		elsewhere := func(more fields) string {
			req := m.from(callerIP, nil, more)
			req.MountPoint = "auth/corp/sso/"
			_, status, text := m.send(t.Context(), req)
			assert.Equal(t, 400, status)
			return text
		}
		m.refused(nil)
		assert.Contains(t, elsewhere(nil), "or have another one sent by write auth/corp/sso/login/<name> password=- resend=true (no login command sends that)")
		other := u.AddFactor("sms", "OKTA")
		assert.Contains(t, elsewhere(fields{"provider": "call"}), "(device="+other.ID+", then totp=<the code>). No login command sends device: write auth/corp/sso/login/<name> password=- device=<device>")
		sms.SetStatus("INACTIVE")
		other.SetStatus("INACTIVE")
		u.AddPush("WAITING", "SUCCESS").Number(31, 0)
		assert.Contains(t, elsewhere(nil), "log in by write auth/corp/sso/login/<name> password=- nonce=<nonce>, where <nonce> is a random string, new for each login, "+
			"and while that waits read auth/corp/sso/verify/<nonce> once a second")
	})
}
