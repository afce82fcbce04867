package backend

import (
	"maps"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// What a person has shown to an MFA method under older rules does not satisfy it. A held
// login asks for it again. A write that changes nothing, or the name alone, disturbs nobody.
func TestChangedMethodIsAskedAgain(t *testing.T) {
	method := "mfa/method/okta/corp_okta"
	for _, test := range []struct {
		name  string
		path  string
		data  fields
		again bool
	}{
		{"other factors", method, fields{"factors": "question"}, true},
		{"a number from now on", method, fields{"require_number_challenge": true}, true},
		{"another account of the person's", method, fields{"username_format": "{{username}}"}, true},
		{"another name of the person's", "config", fields{"alias_source": "okta_id"}, true},
		{"the same factors", method, fields{"factors": "totp,question"}, false},
		{"nothing", method, fields{}, false},
		{"the method's name", "", fields{"method_name": "okta_of_corp"}, false},
		{"what is not about the method", "config", fields{"token_policies": "late"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				u := m.addUser("Everyone")
				u.SetStatus("SUCCESS")
				totp, question := u.AddTOTP("OKTA"), u.AddFactor("question", "OKTA")
				id := m.createMethod("okta", fields{"method_name": "corp_okta", "factors": "totp,question", "require_number_challenge": false})
				app := m.addTOTP("my_totp")
				m.write("config", fields{"mfa_methods": id + ",my_totp"})
				held := m.hold(nil)
				assert.Contains(t, m.setback(held, fields{"mfa": []string{id + ":" + m.nextCode(totp), "my_totp:" + app.wrong()}}),
					"MFA method my_totp: the passcode is not right")
				path := test.path
				if path == "" {
					path = "mfa/method/okta/" + id
				}
				m.write(path, test.data)
				if !test.again {
					m.ended(held, fields{"mfa": app.credential()})
					return
				}
				resp, status, text := m.proceed(held, fields{"mfa": app.credential()})
				data := heldMethods(t, m, resp, status, text)
				require.Equal(t, "mfa_required", data["state"])
				require.Len(t, data["mfa_methods"], 1)
				m.ended(held, fields{"mfa": []string{id + ":" + question.Code(), app.credential()}})
			})
		})
	}
}

// A push that was sent under older rules lets nobody in, also where the person approves it
// before the plugin asks about it. One that nobody has asked about ends.
func TestPushOfAChangedMethod(t *testing.T) {
	for name, test := range map[string]struct {
		data     fields
		approved bool
		counts   bool
	}{
		"approved, and a number from now on": {fields{"require_number_challenge": true}, true, false},
		"waiting, and a number from now on":  {fields{"require_number_challenge": true}, false, false},
		"approved, and no push from now on":  {fields{"factors": "totp"}, true, false},
		"waiting, and no push from now on":   {fields{"factors": "totp"}, false, false},
		"approved, and nothing changed":      {fields{"require_number_challenge": false}, true, true},
		"waiting, and nothing changed":       {fields{"require_number_challenge": false}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				phone := pushMethod(m, nil)
				totp := m.okta.User(testLogin).AddTOTP("OKTA")
				resp, status, text := m.login(fields{"wait": false})
				data := heldMethods(t, m, resp, status, text)
				require.Equal(t, "waiting", data["state"])
				held := heldState{TransactionID: data["transaction_id"].(string)}
				m.write("mfa/method/okta/corp_okta", test.data)
				if test.approved {
					phone.Approve()
					m.clock.advance(mfa.PollInterval)
				}
				resp, status, text = m.proceed(held, nil)
				switch {
				case test.counts && test.approved:
					require.Equal(t, http.StatusOK, status, text)
					require.NotNil(t, resp.Auth)
					return
				case test.counts:
					assert.Equal(t, "waiting", heldMethods(t, m, resp, status, text)["state"])
					assert.Equal(t, 1, phone.Waiting())
					return
				}
				assert.True(t, resp == nil || resp.Auth == nil, "the push does not count")
				m.eventually(func() bool { return phone.Waiting() == 0 }, "the push still waits")
				m.ended(held, fields{"mfa": "corp_okta:" + m.nextCode(totp)})
				assert.Equal(t, 1, phone.Pushes())
			})
		})
	}
}

// A method that is changed while its last passcode is verified is compared when the token
// is issued.
func TestTokenByTodaysMethods(t *testing.T) {
	for name, test := range map[string]struct {
		data  fields
		again bool
	}{
		"other factors":    {fields{"factors": "push"}, true},
		"the same factors": {fields{"factors": "totp"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				u := m.addUser("Everyone")
				u.SetStatus("SUCCESS")
				totp := u.AddTOTP("OKTA")
				for _, wait := range []bool{true, false} {
					m.write("mfa/method/okta/corp_okta", fields{"factors": "totp"})
					m.write("config", fields{"mfa_methods": "corp_okta"})
					post := m.login
					if !wait {
						held := m.hold(nil)
						post = func(more fields) (*logical.Response, int, string) { return m.proceed(held, more) }
					}
					m.meanwhile("verifyfactor", "mfa/method/okta/corp_okta", maps.Clone(test.data))
					resp, status, text := post(fields{"mfa": "corp_okta:" + m.nextCode(totp)})
					if !test.again {
						require.Equal(t, http.StatusOK, status, text)
						require.NotNil(t, resp.Auth)
						continue
					}
					assert.Equal(t, http.StatusBadRequest, status)
					assert.True(t, resp == nil || resp.Auth == nil)
					assert.Equal(t, errMethodRequired.what+": log in again", text)
				}
			})
		})
	}
}
