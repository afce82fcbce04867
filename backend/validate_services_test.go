package backend

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
)

// withDuo starts a Duo that knows the person whom the tests log in, and requires
// a method of it.
func withDuo(m *mount, more fields) (*mfatest.DuoServer, *mfatest.DuoUser) {
	m.t.Helper()
	duo := mfatest.NewDuo(m.t)
	duo.SetNow(m.clock.Now)
	m.trusted = append(m.trusted, duo.CertPEM)
	m.start()
	m.configure(nil)
	m.addUser("Scientists")
	method := fields{"method_name": "my_duo", "integration_key": duo.IntegrationKey, "secret_key": duo.SecretKey, "api_hostname": duo.Host()}
	for k, v := range more {
		method[k] = v
	}
	m.createMethod("duo", method)
	m.write("groups/scientists", fields{"mfa_methods": "my_duo"})
	return duo, duo.AddUser(testLogin).AddPhone("auto", "push").AddPassCode("555111", "555222")
}

func TestDuoMethod(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		duo, u := withDuo(m, fields{"push_info": "from=vault"})
		allow := mfatest.DuoOutcome{Result: "allow", Status: "allow"}
		u.Script(allow, mfatest.DuoOutcome{Result: "deny", Status: "deny"}, mfatest.DuoOutcome{Result: "deny", Status: "timeout"})
		m.mustLogin(nil)
		require.Equal(t, 1, u.Pushes())
		assert.Equal(t, "from=vault", u.PushParameters()[0].Get("pushinfo"))
		assert.Equal(t, callerIP, u.PushParameters()[0].Get("ipaddr"))
		assert.Contains(t, m.refused(nil), "MFA method my_duo: the push was rejected")
		assert.Contains(t, m.refused(nil), "MFA method my_duo: the push was not answered in time")
		m.mustLogin(fields{"mfa": "my_duo:555111"})
		assert.Contains(t, m.refused(fields{"mfa": "my_duo:555111"}), "the passcode is not right")
		require.Equal(t, 3, u.Pushes())

		u.SetResult("deny", "Your account is disabled.")
		assert.Equal(t, "MFA method my_duo: its service does not let you in: Your account is disabled.", m.refused(nil))
		u.SetResult("enroll", "Enroll first")
		assert.Contains(t, m.refused(nil), "Enroll first: https://", "the person is told where")
		assert.NotContains(t, m.logs.String(), "/portal", "and nobody else")
		u.SetResult("allow", "trusted")
		m.mustLogin(nil)
		u.SetResult("something new", "")
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status)
		require.Equal(t, 3, u.Pushes())
		for _, secret := range duo.Secrets() {
			assert.NotContains(t, m.logs.String(), secret)
		}
	})
}

// TestDuoKnowsThePersonByTheirAlias: a service that lets in whom it does not know must
// not be asked about what the person typed, unless that is their alias.
func TestDuoKnowsThePersonByTheirAlias(t *testing.T) {
	const typed = "mia.\u00edto@acme.test" // which Okta takes for testLogin
	for source, asked := range map[string]string{sourceLogin: testLogin, sourceTyped: typed} {
		t.Run(source, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				duo, u := withDuo(m, fields{"username_format": "{{identity.entity.aliases.auth_okta_1.name}}"})
				m.write("config", fields{"alias_source": source})
				u.SetResult("deny", "barred")
				duo.AddUser(typed).SetResult("allow", "not enrolled")
				_, status, text := m.loginAs(typed, nil)
				assert.Equal(t, asked == typed, status == http.StatusOK, text)
				assert.Equal(t, asked == testLogin, len(u.Preauths()) == 1)
			})
		})
	}
}

func TestDuoIsDown(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		duo, u := withDuo(m, nil)
		phone := m.okta.User(testLogin).AddPush("WAITING", "SUCCESS")
		m.okta.User(testLogin).SetStatus("SUCCESS")
		m.createMethod("okta", fields{"method_name": "corp_okta"})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		duo.Fail(mfatest.Fault{On: "preauth", Drop: true, Times: 1})
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status, text)
		assert.Contains(t, text, "MFA method my_duo: its service could not be reached")
		duo.Fail(mfatest.Fault{On: "preauth", Status: 429, Times: 1})
		_, status, _ = m.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status)
		duo.Close()
		_, status, _ = m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status)
		assert.Zero(t, phone.Pushes(), "nothing rings before it is known that all can be asked")
		assert.Zero(t, u.Pushes())
	})
}

func TestDuoWithAWrongKey(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, u := withDuo(m, fields{"secret_key": "not-the-key"})
		assert.Contains(t, m.refused(nil), "MFA method my_duo: its service refuses this mount")
		assert.Contains(t, m.logs.String(), "login failed", "an operator has to know")
		assert.NotContains(t, m.logs.String(), "not-the-key")
		assert.Zero(t, u.Pushes())
	})
}

// The method of a mount is made once, and anew when it is changed.
func TestMethodIsKept(t *testing.T) {
	m := newMount(t, false)
	_, u := withDuo(m, nil)
	allow := mfatest.DuoOutcome{Result: "allow", Status: "allow"}
	u.Script(allow, allow)
	m.mustLogin(nil)
	kept := m.inner.built.byID
	require.Len(t, kept, 1)
	var id string
	var first any
	for id = range kept {
		first = kept[id].method
	}
	m.mustLogin(nil)
	assert.Same(t, first, m.inner.built.byID[id].method)
	m.write("mfa/method/duo/"+id, fields{"use_passcode": true})
	assert.Contains(t, m.refused(nil), "a passcode of Duo")
	assert.NotSame(t, first, m.inner.built.byID[id].method)
	m.inner.invalidate(t.Context(), methodPrefix+id)
	assert.Empty(t, m.inner.built.byID)
}
