package backend

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
)

// What cannot be, or contradicts itself, is refused before Okta is asked, and the
// answer names the field.
func TestLoginConflicts(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	tests := []struct {
		name  string
		data  fields
		names string // the field that the answer begins with
	}{
		{"totp and passcode differ", fields{"totp": "123456", "passcode": "654321"}, "passcode"},
		{"provider", fields{"provider": "FIDO"}, "provider"},
		{"provider with a space", fields{"provider": "OKTA "}, "provider"},
		{"factor", fields{"factor": "webauthn"}, "factor"},
		{"a provider as factor", fields{"factor": "GOOGLE"}, "factor"},
		{"provider=sms factor=call", fields{"provider": "sms", "factor": "call"}, "factor"},
		{"provider=PUSH factor=totp", fields{"provider": "PUSH", "factor": "totp", "totp": "123456"}, "factor"},
		{"device with provider=totp", fields{"device": "Phone 1", "provider": "totp"}, "device"},
		{"device too long", fields{"device": strings.Repeat("d", 257)}, "device"},
		{"push with totp", fields{"factor": "push", "totp": "123456"}, "totp"},
		{"provider=push with passcode", fields{"provider": "push", "passcode": "123456"}, "totp"},
		{"resend with totp", fields{"resend": true, "totp": "123456"}, "resend"},
		{"resend with passcode and provider", fields{"resend": "true", "passcode": "123456", "provider": "sms"}, "resend"},
		{"cancel without transaction_id", fields{"cancel": true}, "cancel"},
		{"cancel with a null transaction_id", fields{"cancel": "true", "transaction_id": nil}, "cancel"},
		{"wait=false and cancel", fields{"wait": false, "cancel": true}, "cancel"},
		{"passcode too long", fields{"passcode": strings.Repeat("1", 257)}, "passcode"},
		{"totp too long", fields{"totp": strings.Repeat("1", 257)}, "totp"},
		{"a blank totp", fields{"totp": "  "}, "totp"},
		{"a blank passcode", fields{"passcode": "\t\n"}, "passcode"},
		{"a blank passcode beside a totp", fields{"totp": "123456", "passcode": " "}, "passcode"},
		{"a blank totp beside a passcode", fields{"totp": "\u00a0", "passcode": "123456"}, "totp"},
		{"a blank totp where nobody waits", fields{"totp": " ", "wait": false}, "totp"},
		{"on the way of a held login, a blank totp", fields{"transaction_id": id, "totp": " "}, "totp"},
		{"on the way of a held login, a blank passcode", fields{"transaction_id": id, "passcode": " "}, "passcode"},
		{"on the way of a held login, too", fields{"transaction_id": id, "totp": "1", "passcode": "2"}, "passcode"},
		{"on the way of a held login, resend", fields{"transaction_id": id, "totp": "123456", "resend": true}, "resend"},
		{"on the way of a held login, provider", fields{"transaction_id": id, "provider": "FIDO"}, "provider"},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		u.AddPush("SUCCESS")
		u.AddFactor("sms", "OKTA")
		for _, test := range tests {
			text := m.refused(test.data)
			assert.True(t, strings.HasPrefix(text, test.names+" "), "%s: %s", test.name, text)
			for _, value := range test.data {
				if secret, ok := value.(string); ok && len(secret) > 5 && test.names != "provider" {
					assert.NotContains(t, text, secret, test.name)
				}
			}
		}
		for _, field := range []string{"wait", "resend", "cancel"} {
			for _, value := range []any{"maybe", map[string]any{}, []any{1}} {
				_, status, text := m.login(fields{field: value})
				assert.Equal(t, http.StatusBadRequest, status, field)
				assert.Contains(t, text, field)
			}
		}
		assert.Empty(t, m.okta.Requests(), "nothing is sent to Okta")
	})
}

// Some clients send every field that they know, null or empty. That is not
// given, and none of it changes what happens.
func TestLoginFieldsNotGiven(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("WAITING", "SUCCESS") // which a login with wait=false would not see
		all := []string{"totp", "passcode", "nonce", "provider", "factor", "device", "resend", "wait", "transaction_id", "cancel"}
		for _, nothing := range []any{nil, ""} {
			for i := range len(all) + 1 {
				data := fields{}
				for j, field := range all {
					if i == len(all) || i == j {
						data[field] = nothing
					}
				}
				before := push.Pushes()
				m.mustLogin(data)
				assert.Equal(t, before+1, push.Pushes(), data)
			}
		}
		m.mustLogin(fields{"wait": true, "cancel": false, "resend": false, "device": "  "})
		m.mustLogin(fields{"wait": "true", "cancel": "false", "resend": "0"})
		assert.Equal(t, http.StatusOK, m.status(fields{"wait": "1"}))

		// Held logins, too.
		push.SetScript("WAITING")
		held := m.hold(nil)
		for _, nothing := range []any{nil, ""} {
			data := fields{}
			for _, field := range append(all, "password") {
				data[field] = nothing
			}
			data["transaction_id"] = held.TransactionID
			assert.Equal(t, "waiting", m.continued(held, data).State)
		}
	})
}

func (m *mount) status(more fields) int {
	m.t.Helper()
	_, status, _ := m.login(more)
	return status
}

// A password field that has the passcode in it, for clients that have no other.
func TestPasscodeSeparator(t *testing.T) {
	tests := []struct {
		name      string
		separator string
		password  string // of the account
		typed     string // CODE stands for a passcode of the authenticator, YUBIKEY for one of the key
		more      fields
		pushes    int // otherwise the passcode answers
	}{
		{"off", "", testPassword + ",123456", testPassword + ",123456", nil, 1},
		{"a passcode", ",", testPassword, testPassword + ",CODE", nil, 0},
		{"another separator", "+", testPassword, testPassword + "+CODE", nil, 0},
		{"a separator that means something elsewhere", `\`, testPassword, testPassword + `\CODE`, nil, 0},
		{"the last one counts", ",", "a,b,123456", "a,b,123456,CODE", nil, 0},
		{"a YubiKey", ",", testPassword, testPassword + ",YUBIKEY", nil, 0},
		{"no separator in it", ",", testPassword, testPassword, nil, 1},
		{"too short for a passcode", ",", "pass,1234", "pass,1234", nil, 1},
		{"too long for a passcode", ",", "pass,12345678901234567", "pass,12345678901234567", nil, 1},
		{"letters", ",", "pass,word", "pass,word", nil, 1},
		{"nothing after it", ",", "pass,", "pass,", nil, 1},
		{"a space after it", ",", "pass, 123456", "pass, 123456", nil, 1},
		{"an explicit totp counts alone", ",", "pass,123456", "pass,123456", fields{"totp": "CODE"}, 0},
		{"an explicit passcode, too", ",", "pass,123456", "pass,123456", fields{"passcode": "CODE"}, 0},
		{"nothing before it", ",", ",123456", ",123456", nil, 1},
		{"with a provider", ",", testPassword, testPassword + ",CODE", fields{"provider": "google"}, 0},
		{"who asks for a push has no passcode", ",", "pass,123456", "pass,123456", fields{"provider": "push"}, 1},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		u := m.addUser("Everyone")
		push, google, yubikey := u.AddPush("SUCCESS"), u.AddTOTP("GOOGLE"), u.AddFactor("token:hardware", "YUBICO")
		for _, test := range tests {
			m.configure(fields{"passcode_separator": test.separator})
			u.SetPassword(test.password)
			for _, wait := range []bool{true, false} {
				fill := strings.NewReplacer("CODE", m.nextCode(google), "YUBIKEY", yubikey.Code()).Replace
				data := fields{"password": fill(test.typed), "wait": wait}
				for k, v := range test.more {
					data[k] = fill(v.(string))
				}
				before := push.Pushes()
				resp, status, text := m.login(data)
				if !assert.Equal(t, http.StatusOK, status, "%s: %s", test.name, text) || !assert.NotNil(t, resp.Auth, test.name) {
					continue
				}
				assert.Equal(t, fields{"password": test.password}, resp.Auth.InternalData, test.name)
				assert.Equal(t, test.pushes, push.Pushes()-before, test.name)

				_, status, text = m.renew(issued(resp.Auth))
				assert.Equal(t, http.StatusOK, status, "%s: renewed with the bare password: %s", test.name, text)
			}
		}
	})
}

// The passcode does not go to Okta as part of the password.
func TestPasscodeSeparatorKeepsThePasscodeBack(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"passcode_separator": ",", "mfa_factors": "sms"})
		sms := m.addUser("Everyone").AddFactor("sms", "OKTA")
		assert.Contains(t, m.refused(nil), "Okta has sent a code by SMS")
		code := sms.Code()
		m.okta.Reset()
		m.mustLogin(fields{"password": testPassword + "," + code})
		assert.NotContains(t, string(m.okta.Requests()[0].Body), code)

		// A renewal takes the password as it is.
		u := m.okta.AddUser("kim@acme.test", "with,123456")
		u.SetGroups("Everyone")
		req := m.request(logical.RenewOperation, "login/kim@acme.test", nil)
		req.Auth = &logical.Auth{
			Metadata:      map[string]string{"username": "kim@acme.test"},
			InternalData:  map[string]any{"password": "with,123456"},
			TokenPolicies: []string{"default"},
		}
		_, status, text := m.send(t.Context(), req)
		assert.Equal(t, http.StatusOK, status, text)
	})
}
