package backend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
)

// withHeader is a login with credentials in the header X-Vault-MFA.
func (m *mount) withHeader(more fields, credentials ...string) (*logical.Response, int, string) {
	m.t.Helper()
	return m.send(m.t.Context(), m.from(callerIP, map[string][]string{mfaHeader: credentials}, more))
}

// Clients that cannot send totp give the passcode, the type of the factor or the phone for
// Okta's own question under the name okta, by the header or in the field mfa.
func TestOktaIsAnsweredByCredential(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		google, phone, sms := u.AddTOTP("GOOGLE"), u.AddPush("WAITING", "SUCCESS"), u.AddFactor("sms", "OKTA")
		phone.SetName("Pixel 9")

		for _, form := range []string{"okta:", "okta:totp=", "okta:passcode="} {
			_, status, text := m.withHeader(nil, form+m.nextCode(google))
			assert.Equal(t, http.StatusOK, status, "%s: %s", form, text)
			m.mustLogin(fields{"mfa": []string{form + m.nextCode(google)}})
		}
		code := m.nextCode(google)
		_, status, text := m.withHeader(fields{"mfa": "okta:" + code, "totp": code, "provider": "google"}, "okta:"+code)
		assert.Equal(t, http.StatusOK, status, "the same in all places: %s", text)
		assert.Zero(t, phone.Pushes())

		for i, credential := range []string{"okta", "okta:push", "okta:device=pixel 9"} {
			m.clock.advance(time.Minute)
			_, status, text = m.withHeader(nil, credential)
			assert.Equal(t, http.StatusOK, status, "%s: %s", credential, text)
			assert.Equal(t, i+1, phone.Pushes(), credential)
		}
		assert.Contains(t, m.refused(fields{"mfa": "okta:device=no such phone"}), "you cannot use the one that you chose")

		assert.Contains(t, m.refused(fields{"mfa": "okta:sms"}), "Okta has sent a code by SMS")
		m.mustLogin(fields{"mfa": "okta:sms=" + sms.Code()})
		m.clock.advance(time.Minute)
		assert.Contains(t, m.refused(fields{"mfa": "okta:sms"}), "Okta has sent a code by SMS")
		m.mustLogin(fields{"mfa": "okta:" + sms.Code()})
		assert.Equal(t, 3, phone.Pushes())
	})
}

// A login that goes on by its transaction_id takes the credential, too.
func TestHeldLoginIsAnsweredByOktaCredential(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		google := m.addUser("Everyone").AddTOTP("GOOGLE")
		m.ended(m.hold(nil), fields{"mfa": "okta:" + m.nextCode(google)})
	})
}

// A login that says two different things is told so before Okta is asked, with the names of
// both fields and without what was given.
func TestOktaCredentialThatDiffersIsRefused(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		m.addUser("Everyone").AddTOTP("GOOGLE")
		const mfaOr = "mfa or X-Vault-MFA has for okta: give one of the two"
		for _, row := range []struct {
			credential string
			more       fields
			want       string
		}{
			{"okta:123456", fields{"totp": "654321"}, "totp must not differ from the passcode that " + mfaOr},
			{"okta:123456", fields{"passcode": "654321"}, "totp must not differ from the passcode that " + mfaOr},
			{"okta:sms", fields{"factor": "call"}, "factor and provider must not name another type than " + mfaOr},
			{"okta:sms=123456", fields{"provider": "call"}, "factor and provider must not name another type than " + mfaOr},
			{"okta:device=Phone 1", fields{"device": "Phone 2"}, "device must not differ from the one that " + mfaOr},
			{"okta:123456", fields{"factor": "push"}, "mfa must fit the other fields in what it has for okta: totp must be left out where a push is asked for: a push takes no passcode"},
			{"okta:push", fields{"totp": "123456"}, "mfa must fit the other fields in what it has for okta: totp must be left out where a push is asked for: a push takes no passcode"},
			{"okta:123456", fields{"resend": true}, "mfa must fit the other fields in what it has for okta: resend must be left out where a passcode is given"},
			{"okta:123456", fields{"mfa": "okta:654321"}, `mfa must not name the method "okta" twice`},
		} {
			for _, byHeader := range []bool{true, false} {
				if _, both := row.more["mfa"]; both && !byHeader {
					continue
				}
				more, header := row.more, []string{row.credential}
				if !byHeader {
					more, header = fields{"mfa": row.credential}, nil
					for k, v := range row.more {
						more[k] = v
					}
				}
				_, status, text := m.withHeader(more, header...)
				assert.Equal(t, http.StatusBadRequest, status, row.credential)
				assert.Equal(t, row.want, text)
			}
		}
		assert.Zero(t, m.authnCalls())
		assert.NotContains(t, m.logs.String(), "123456")
	})
}

// The name okta is free for Okta's own factor: no method takes it, in any case, on any of
// the ways to name one, and nothing is stored.
func TestNameOktaIsReserved(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		before := m.storedAll()
		for _, name := range []string{"okta", "Okta", " OKTA "} {
			for _, path := range []string{"mfa/method/totp", "mfa/method/totp/" + strings.TrimSpace(name)} {
				_, status, text := m.do(logical.UpdateOperation, path, fields{"method_name": name, "issuer": "Acme"})
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Equal(t, `method_name must not be "`+strings.TrimSpace(name)+`": that name stands for the factor that Okta itself asks for`, text)
			}
		}
		assert.Equal(t, before, m.storedAll())
		id := m.createMethod("totp", fields{"method_name": "mine", "issuer": "Acme"})
		_, status, _ := m.do(logical.UpdateOperation, "mfa/method/totp/"+id, fields{"method_name": "okta"})
		assert.Equal(t, http.StatusBadRequest, status, "a rename")
	})
}

// A method that has the name from before keeps it, with its credentials, until it is
// renamed. What answers Okta's question is not lost meanwhile: the field totp does.
func TestStoredMethodOfTheNameOktaKeepsIt(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		app := m.addTOTP("mine")
		id := m.read("mfa/method/totp/mine")["id"].(string)
		m.plant(methodPrefix+id, strings.ReplaceAll(m.stored(methodPrefix+id), `"mine"`, `"okta"`))
		m.write("config", fields{"mfa_methods": "okta"})
		m.mustLogin(fields{"mfa": "okta:" + app.next()})

		google := u.AddTOTP("GOOGLE")
		code := m.nextCode(google)
		m.mustLogin(fields{"mfa": "okta:" + app.code(), "totp": code})
		m.write("mfa/method/totp/okta", fields{"issuer": "Acme Inc"})
		m.write("mfa/method/totp/"+id, fields{"method_name": "okta", "issuer": "Acme Inc"})

		m.write("config", fields{"mfa_methods": ""})
		m.write("mfa/method/totp/"+id, fields{"method_name": "mine"})
		m.mustLogin(fields{"mfa": "okta:" + m.nextCode(google)})
	})
}
