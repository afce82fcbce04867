package backend

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
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
		const next = ". Try again with the next passcode"
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
		assert.Equal(t, wrong+sent+" and Google Authenticator"+next, refused(fields{"totp": "000000"}), "beside the code that was sent before")

		u, refused = as("bob@acme.test")
		u.AddTOTP("GOOGLE")
		u.AddTOTP("OKTA")
		assert.Equal(t, wrong+"Google Authenticator and Okta Verify"+next, refused(fields{"totp": "000000"}))
		assert.Equal(t, wrong+"Google Authenticator"+next, refused(fields{"totp": "000000", "provider": "google"}))

		u, refused = as("cal@acme.test")
		u.AddTOTP("GOOGLE")
		u.SetStatus("SUCCESS")
		m.createMethod("okta", fields{"method_name": "corp_okta", "factors": "totp"})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		assert.Equal(t, "MFA method corp_okta: "+wrong+"Google Authenticator"+next, refused(fields{"mfa": "corp_okta:000000"}))
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
			". The command that sends device is okta-login -device=<device> "+testLogin+"; the HTTP API takes it at /v1/auth/okta/login/"+testLogin, m.refused(fields{"provider": "call"}))
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
		assert.Contains(t, elsewhere(nil), "to have another one sent, run okta-login -factor=sms -mount=corp/sso "+testLogin+" and press Enter, or give resend=true to the HTTP API, /v1/auth/corp/sso/login/"+testLogin)
		other := u.AddFactor("sms", "OKTA")
		assert.Contains(t, elsewhere(fields{"provider": "call"}), "(device="+other.ID+", then totp=<the code>). The command that sends device is okta-login -device=<device> -mount=corp/sso "+testLogin+"; the HTTP API takes it at /v1/auth/corp/sso/login/"+testLogin)
		sms.SetStatus("INACTIVE")
		other.SetStatus("INACTIVE")
		u.AddPush("WAITING", "SUCCESS").Number(31, 0)
		assert.Contains(t, elsewhere(nil), "log in by okta-login -mount=corp/sso "+testLogin+", which shows it; or send nonce=<nonce>, a random string that is new for each login, "+
			"to the HTTP API, /v1/auth/corp/sso/login/"+testLogin+", and while that waits read /v1/auth/corp/sso/verify/<nonce> once a second")
	})
}

// A credential under a misspelled name does not keep a method that rings a phone from
// letting somebody in. The login says that nothing was made of it, once it is over and
// where it fails, and repeats none of it.
func TestLoginTellsOfACredentialForNoMethodOfItsOwn(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		phone := u.AddPush("SUCCESS")
		u.SetStatus("SUCCESS") // Okta itself asks for nothing
		m.createMethod("okta", fields{"method_name": "corp_okta", "require_number_challenge": false})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		const meant, unused = "Did you mean corp_okta? You gave a credential under another name", "a credential of mfa was not used"
		warnings := func(resp *logical.Response, status int, text string) string {
			require.Equal(t, 200, status, text)
			require.NotNil(t, resp.Auth)
			return strings.Join(resp.Warnings, "\n")
		}
		for given, want := range map[string]string{"corp_otka:123456": meant, "CORP-okta": meant, "my_duo:123456": unused, "123456": unused} {
			said := warnings(m.login(fields{"mfa": given}))
			assert.Contains(t, said, want, given)
			assert.NotContains(t, said, "123456")
		}
		for _, given := range []any{nil, "corp_okta", "corp_okta:push", "okta:push"} {
			assert.Empty(t, warnings(m.login(fields{"mfa": given})), given)
		}
		assert.Contains(t, warnings(m.login(fields{"mfa": []string{"corp_okta:push", "corp_otka:push"}})), unused, "which is not the one that was given")

		phone.SetScript("WAITING")
		held := m.state(m.login(fields{"wait": false, "mfa": "corp_otka:123456"}))
		require.Equal(t, "waiting", held.State)
		phone.Approve()
		m.clock.advance(mfa.PollInterval)
		assert.Contains(t, warnings(m.proceed(held, nil)), meant, "of the request that began the login")

		phone.SetScript("WAITING", "REJECTED")
		assert.Equal(t, "MFA method corp_okta: the push was rejected on the phone"+afterRejection+". "+meant, m.refused(fields{"mfa": "corp_otka:123456"}))
		m.write("config", fields{"mfa_methods": ""})
		assert.Contains(t, warnings(m.login(fields{"mfa": "corp_okta:123456"})), unused, "the mount asks for no method")
	})
}

// A name that a shell would not take as it is stands in no command to paste.
func TestCommandsHaveOnlyPlainNames(t *testing.T) {
	t.Parallel()
	sent := &mfa.CodeSentError{Factor: okta.Factor{Type: okta.FactorSMS, Provider: okta.ProviderOkta, SentTo: "+1 XXX-XXX-4821"}, Again: true}
	for name, shown := range map[string]string{
		"mia@acme.test": "mia@acme.test", "acme/mia.ito+1": "acme/mia.ito+1", "-mia": "<name>", "mia; reboot": "<name>", "$(id)": "<name>", "mïa": "<name>", "": "<name>",
	} {
		text := replyTo(&placedError{error: sent, mount: "auth/okta/", name: name}).text
		assert.Contains(t, text, "run okta-login -factor=sms "+shown+" and press Enter, or give resend=true to the HTTP API, /v1/auth/okta/login/"+shown)
	}
	text := replyTo(&placedError{error: sent, mount: "auth/two words/", name: "mia"}).text
	assert.Contains(t, text, "-mount=<mount> mia and")
}
