package backend

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// app is an authenticator app with the key of one method.
type app struct {
	m      *mount
	name   string
	secret string
}

// addTOTP creates a method of type totp, and the key of the person whom the tests
// log in.
func (m *mount) addTOTP(name string) *app {
	m.t.Helper()
	id := m.createMethod("totp", fields{"method_name": name, "issuer": "Acme"})
	data := m.write("mfa/method/totp/"+id+"/admin-generate", fields{"username": strings.ToUpper(testLogin)}).Data
	u, err := url.Parse(data["url"].(string))
	require.NoError(m.t, err)
	return &app{m, name, u.Query().Get("secret")}
}

// code is the passcode that the app shows.
func (a *app) code() string {
	a.m.t.Helper()
	code, err := totp.GenerateCodeCustom(a.secret, a.m.clock.Now(), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix})
	require.NoError(a.m.t, err)
	return code
}

// next is a passcode that has not been used.
func (a *app) next() string {
	a.m.clock.advance(time.Minute)
	return a.code()
}

// wrong is none that it shows.
func (a *app) wrong() string {
	if a.code() == "104729" {
		return "224737"
	}
	return "104729"
}

// credential is what the person gives for the method.
func (a *app) credential() string { return a.name + ":" + a.code() }

func TestMethodIsRequired(t *testing.T) {
	for _, where := range []string{"config", "groups/scientists", "users/" + testLogin} {
		t.Run(where, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.addUser("Scientists")
				app := m.addTOTP("my_totp")
				m.mustLogin(nil)
				m.write(where, fields{"mfa_methods": "my_totp"})

				text := m.refused(nil)
				assert.Contains(t, text, "my_totp (the passcode of your authenticator app, as mfa=my_totp:<passcode>)")
				assert.Contains(t, text, "tell your Vault administrator that this mount does not receive the header X-Vault-MFA")
				assert.NotContains(t, text, "vault auth tune", "it replaces the headers that were tuned before")
				assert.Equal(t, "MFA method my_totp: the passcode is not right: try again with the next one", m.refused(fields{"mfa": []string{"my_totp:" + app.wrong()}}))
				assert.Equal(t, "MFA method my_totp: takes a passcode of 6 digits", m.refused(fields{"mfa": "my_totp:12345678"}))

				used := app.credential()
				auth := m.mustLogin(fields{"mfa": used})
				assert.NotEmpty(t, auth.InternalData["mfa_methods"])
				again := m.refused(fields{"mfa": used})
				assert.Contains(t, again, "used already")
				// Whichever node takes over knows.
				m.start()
				assert.Equal(t, again, m.refused(fields{"mfa": used}))
				m.mustLogin(fields{"mfa": []string{"my_totp:passcode=" + app.next()}})

				m.write(where, fields{"mfa_methods": ""})
				assert.NotContains(t, m.mustLogin(nil).InternalData, "mfa_methods")
			})
		})
	}
}

// The credential comes by the header, too, where the mount passes it through.
func TestMethodByHeader(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		first, second := m.addTOTP("first"), m.addTOTP("second")
		m.write("config", fields{"mfa_methods": "first,second"})
		send := func(header string, values []string, more fields) (int, string) {
			_, status, text := m.send(t.Context(), m.from(callerIP, map[string][]string{header: values}, more))
			return status, text
		}
		status, text := send("X-Vault-MFA", []string{first.credential()}, nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "second (")
		assert.NotContains(t, text, "first (")
		assert.NotContains(t, text, "X-Vault-MFA", "the header came through")

		status, text = send("X-Vault-Mfa", []string{first.credential(), second.credential()}, nil)
		assert.Equal(t, http.StatusOK, status, text)
		first.next()
		status, text = send("x-vault-mfa", []string{first.credential()}, fields{"mfa": second.credential()})
		assert.Equal(t, http.StatusOK, status, text, "some by one, some by the other")
		first.next()
		status, text = send("X-Vault-MFA", []string{first.credential()}, fields{"mfa": []string{"first:000000", second.credential()}})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, `mfa must not name the method "first" twice`, text)
	})
}

func TestCredentialsAreParsed(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, row := range []struct {
		text, name, passCode, device string
		kind                         mfa.Kind
		wrong                        bool
	}{
		{text: "corp_okta", name: "corp_okta"},
		{text: "corp_okta:", name: "corp_okta"},
		{text: "corp_okta:push", name: "corp_okta", kind: mfa.KindPush},
		{text: "corp_okta:PUSH", name: "corp_okta", kind: mfa.KindPush},
		{text: "corp_okta:sms", name: "corp_okta", kind: mfa.KindSMS},
		{text: "corp_okta:sms=123 456", name: "corp_okta", kind: mfa.KindSMS, passCode: "123456"},
		{text: "corp_okta:passcode=sms", name: "corp_okta", passCode: "sms"},
		{text: " my_totp:123 456 ", name: "my_totp", passCode: "123456"},
		{text: "my_totp:123456", name: "my_totp", passCode: "123456"},
		{text: "my_totp:passcode=123456", name: "my_totp", passCode: "123456"},
		{text: "my_totp:totp=123456", name: "my_totp", kind: mfa.KindTOTP, passCode: "123456"},
		{text: "corp_okta:push=1", wrong: true},
		{text: "my_totp:Passcode=a=b:c", name: "my_totp", passCode: "a=b:c"},
		{text: "corp_okta:passcode=push", name: "corp_okta", passCode: "push"},
		{text: "corp_okta:a blue door", name: "corp_okta", passCode: "a blue door"},
		{text: "corp_okta:device=Mia's phone", name: "corp_okta", device: "Mia's phone"},
		{text: "", wrong: true},
		{text: "123 456", wrong: true},
		{text: ":123456", wrong: true},
		{text: "a/b:123456", wrong: true},
		{text: "my_totp:passcode=", wrong: true},
		{text: "my_totp:device= ", wrong: true},
		{text: "my_totp:pin=123456", wrong: true},
		{text: "my_totp:" + long, wrong: true},
		{text: "my_totp:passcode=" + long + long, wrong: true},
	} {
		t.Run(row.text[:min(len(row.text), 40)], func(t *testing.T) {
			name, c, err := parseCredential(row.text)
			if row.wrong {
				require.ErrorContains(t, err, "mfa must ")
				assert.NotContains(t, err.Error(), "123456")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.name, name)
			assert.Equal(t, row.passCode, c.PassCode)
			assert.Equal(t, row.device, c.Device)
			assert.Equal(t, row.kind, c.Kind)
		})
	}
}

func TestCredentialsThatAreNone(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		for _, value := range []any{fields{"a": "secret-123"}, []any{fields{"a": "secret-123"}}, []any{123456}, 123456, true} {
			_, status, text := m.login(fields{"mfa": value})
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Equal(t, "mfa must be a list of strings", text)
		}
		var many []string
		for i := range 33 {
			many = append(many, fmt.Sprintf("m%d:123456", i))
		}
		assert.Contains(t, m.refused(fields{"mfa": many}), "mfa must not hold more than 32")
		assert.Zero(t, m.authnCalls(), "Okta need not be asked")
		m.mustLogin(fields{"mfa": nil})
		m.mustLogin(fields{"mfa": "not_required:123456"})
	})
}

// Whoever leaves any of the required methods unanswered gets no token: all subsets
// of three, each from another place, are tried.
func TestNoSubsetOfMethodsIsEnough(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Scientists", "Night Shift")
		apps := []*app{m.addTOTP("a"), m.addTOTP("b"), m.addTOTP("c")}
		m.write("groups/scientists", fields{"mfa_methods": "a"})
		m.write("groups/night shift", fields{"mfa_methods": "b,a"})
		m.write("users/"+testLogin, fields{"mfa_methods": "c"})
		for answers := range 27 { // none, a wrong one or the right one for each
			m.clock.advance(2 * time.Hour)
			var given []string
			right := 0
			for i, n := 0, answers; i < len(apps); i, n = i+1, n/3 {
				switch n % 3 {
				case 1:
					given = append(given, apps[i].name+":"+apps[i].wrong())
				case 2:
					given = append(given, apps[i].credential())
					right++
				}
			}
			resp, status, text := m.login(fields{"mfa": given})
			if right == len(apps) {
				assert.Equal(t, http.StatusOK, status, text)
				continue
			}
			assert.Equal(t, http.StatusBadRequest, status, "%v", given)
			assert.True(t, resp == nil || resp.Auth == nil, "%v", given)
		}
	})
}

// Another spelling of the name, or the part before the @, is no way round what is
// required of a user.
func TestRequirementOfAUserHoldsForAllSpellings(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		m.addTOTP("my_totp")
		for _, entry := range []string{"Mia.Ito@ACME.test", "mia.ito", "MIA.ITO", testLogin} {
			m.write("users/"+entry, fields{"mfa_methods": "my_totp"})
			for _, typed := range []string{testLogin, strings.ToUpper(testLogin), "mia.ito", "Mia.Ito"} {
				_, status, text := m.do(logical.UpdateOperation, "login/"+typed, fields{"password": testPassword})
				assert.Equal(t, http.StatusBadRequest, status, "%s as %s", entry, typed)
				assert.Contains(t, text, "my_totp")
			}
			_, status, _ := m.do(logical.DeleteOperation, "users/"+entry, nil)
			assert.Equal(t, http.StatusOK, status)
		}
		m.write("users/somebody.else@acme.test", fields{"mfa_methods": "my_totp"})
		m.mustLogin(nil)
	})
}

// A method that was required and is not there any more can be satisfied by nobody.
func TestMethodThatIsGoneDenies(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		ids, err := m.storage.List(t.Context(), methodPrefix)
		require.NoError(t, err)
		m.plant(methodPrefix+ids[0], "")
		assert.Contains(t, m.refused(fields{"mfa": app.credential()}), "does not exist")
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		assert.Contains(t, m.refused(fields{"mfa": app.credential()}), "you have no key", "a key of the former method is none")
	})
}

// What storage holds that makes no sense denies; so does storage that fails.
func TestMethodsAndStorage(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		m.storage.fail(false, true)
		_, status, _ := m.login(fields{"mfa": app.credential()})
		assert.Equal(t, http.StatusInternalServerError, status, "a passcode that cannot be noted as used is not accepted")
		m.storage.fail(false, false)
		m.mustLogin(fields{"mfa": app.credential()})

		ids, err := m.storage.List(t.Context(), methodPrefix)
		require.NoError(t, err)
		for _, raw := range []string{`{"id":"x","type":"carrier-pigeon","name":"my_totp"}`, `{"id":"x","type":"totp","name":"my_totp"}`, `{`} {
			m.plant(methodPrefix+ids[0], raw)
			assert.Contains(t, m.refused(fields{"mfa": "my_totp:" + app.next()}), "cannot be read", raw)
		}
	})
}

func TestWrongPasscodesBarAPerson(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		for range 5 {
			assert.Contains(t, m.refused(fields{"mfa": "my_totp:" + app.wrong()}), "not right")
		}
		m.start() // a restart forgets nothing
		_, status, text := m.login(fields{"mfa": app.credential()})
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Equal(t, "MFA method my_totp: too many wrong passcodes: try again in 60 seconds", text)
		m.clock.advance(61 * time.Second)
		m.mustLogin(fields{"mfa": app.credential()})
	})
}

func TestTOTPKeys(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		id := m.createMethod("totp", fields{"issuer": "Acme & Co", "method_name": "my_totp"})
		generate, destroy := "mfa/method/totp/"+id+"/admin-generate", "mfa/method/totp/"+id+"/admin-destroy"
		data := m.write(generate, fields{"username": testLogin}).Data
		assert.True(t, strings.HasPrefix(data["url"].(string), "otpauth://totp/Acme%20&%20Co:mia.ito@acme.test?"), data["url"])
		assert.True(t, strings.HasPrefix(data["barcode"].(string), "iVBORw0KGgo"), "a PNG in base64")

		for _, spelled := range []string{testLogin, strings.ToUpper(testLogin)} {
			resp, status, text := m.do(logical.UpdateOperation, generate, fields{"username": spelled})
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, "username has a key")
			assert.False(t, resp != nil && resp.Data["url"] != nil)
		}
		for _, path := range []string{generate, destroy} {
			_, status, text := m.do(logical.UpdateOperation, path, nil)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, "username must not be empty")
			_, status, _ = m.do(logical.UpdateOperation, strings.Replace(path, id, "nobody", 1), fields{"username": "x"})
			assert.Equal(t, http.StatusNotFound, status)
		}
		m.write(destroy, fields{"username": testLogin})
		_, status, text := m.do(logical.UpdateOperation, destroy, fields{"username": testLogin})
		assert.Equal(t, http.StatusNotFound, status, "nothing is destroyed that does not exist")
		assert.Contains(t, text, "username has no key of this method")
		again := m.write(generate, fields{"username": testLogin}).Data
		assert.NotEqual(t, data["url"], again["url"])

		// Keys go with their method.
		_, status, text = m.do(logical.DeleteOperation, "mfa/method/totp/"+id, nil)
		assert.Equal(t, http.StatusOK, status, text)
		keys, err := logical.CollectKeysWithPrefix(t.Context(), m.storage, "mfa/")
		require.NoError(t, err)
		assert.Empty(t, keys)
	})
}

// A renewal asks for no method, and is not granted where one is required by now
// that the login has not satisfied.
func TestRenewalOfAValidatedToken(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		app := m.addTOTP("my_totp")
		before := issued(m.mustLogin(nil))
		m.write("config", fields{"mfa_methods": "my_totp"})
		_, status, text := m.renew(before)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "now requires an MFA method")

		auth := issued(m.mustLogin(fields{"mfa": app.credential()}))
		auth.InternalData = plain(t, auth.InternalData) // as Vault's lease brings it back
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusOK, status, text)

		other := m.addTOTP("other")
		m.write("groups/everyone", fields{"mfa_methods": "other"})
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusOK, status, text, "a group that they are not in")
		m.write("config", fields{"mfa_methods": "other,my_totp"})
		_, status, _ = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		m.clock.advance(time.Minute)
		auth = issued(m.mustLogin(fields{"mfa": []string{app.credential(), other.credential()}}))
		m.write("config", fields{"mfa_methods": "other"})
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusOK, status, text, "less is required than was satisfied")
	})
}

// The method of type okta, with the connection of the mount.
func TestOktaMethod(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 100})
		u := m.addUser()
		u.SetStatus("SUCCESS") // a policy that asks for nothing
		phone, code := u.AddPush("WAITING", "SUCCESS"), u.AddTOTP("OKTA")
		m.createMethod("okta", fields{"method_name": "corp_okta", "require_number_challenge": false})
		m.mustLogin(nil)
		m.write("config", fields{"mfa_methods": "corp_okta"})
		require.Zero(t, phone.Pushes())

		// oktatest takes SUCCESS for a word of transactions: the account is active.
		m.mustLogin(nil)
		assert.Equal(t, 1, phone.Pushes(), "a push needs no credential")
		m.mustLogin(fields{"mfa": "corp_okta:push"})
		m.mustLogin(fields{"mfa": "corp_okta:device=phone 1"})
		assert.Equal(t, 3, phone.Pushes())
		assert.Contains(t, m.refused(fields{"mfa": "corp_okta:device=phone 7"}), `knows no device of yours by that name: you have "Phone 1"`)

		m.mustLogin(fields{"mfa": "corp_okta:" + m.nextCode(code)})
		assert.Contains(t, m.refused(fields{"mfa": "corp_okta:000000"}), "MFA method corp_okta: Okta did not accept the passcode (E0000068)")
		assert.Equal(t, 3, phone.Pushes())

		phone.SetScript("WAITING", "REJECTED")
		assert.Equal(t, "MFA method corp_okta: the push was rejected on the phone"+afterRejection, m.refused(nil))
		phone.SetScript("WAITING", "TIMEOUT")
		assert.Equal(t, "MFA method corp_okta: the push was not answered in time: log in again, and answer it as soon as the phone rings", m.refused(nil))
		phone.SetScript("WAITING", "SOMETHING_NEW")
		assert.Contains(t, m.refused(nil), "an unknown factor result")
		assert.Equal(t, 6, phone.Pushes())

		// After the push everything is 400: no client repeats it by itself.
		m.okta.Fail("transaction", oktatest.Status(500, "E0000009", "Internal Server Error"))
		assert.Contains(t, m.refused(nil), "logging in again may send another")
		m.okta.ClearFaults()
		m.okta.Fail("listfactors", oktatest.Status(503, "E0000010", "read-only mode"))
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status, text)
		m.okta.ClearFaults()
		m.okta.Fail("verifyfactor", oktatest.Status(403, "E0000006", "no permission"))
		assert.Contains(t, m.refused(nil), "Okta refused its API token (E0000006)")
		assert.Equal(t, 7, phone.Pushes())
	})
}

// What Okta's own challenge of the login has verified is not asked for twice.
func TestOktaMethodIsSatisfiedByOktasChallenge(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser()
		phone, code, sms := u.AddPush("WAITING", "SUCCESS"), u.AddTOTP("OKTA"), u.AddFactor("sms", "OKTA")
		m.createMethod("okta", fields{"method_name": "corp_okta", "require_number_challenge": false})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		m.mustLogin(nil)
		assert.Equal(t, 1, phone.Pushes())
		m.mustLogin(fields{"totp": m.nextCode(code)})
		assert.Equal(t, 1, phone.Pushes())

		// A factor that the method does not accept satisfies nothing.
		m.refused(fields{"provider": "sms"})
		m.mustLogin(fields{"totp": sms.Code()})
		assert.Equal(t, 2, phone.Pushes())
		// Nor does what was bypassed.
		m.write("config", fields{"bypass_okta_mfa": true})
		m.mustLogin(nil)
		assert.Equal(t, 3, phone.Pushes())
	})
}
