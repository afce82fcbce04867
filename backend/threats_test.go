package backend

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestAccessTokenStaysWithItsHost: an operator who points a mount at a host of their own
// gets none of the access tokens that Okta has issued, and no assertion that Okta would take.
func TestAccessTokenStaysWithItsHost(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		elsewhere := oktatest.NewServer(t, oktatest.Options{Now: m.clock.Now})
		m.trusted = append(m.trusted, elsewhere.CertPEM)
		m.start()
		m.configure(nil)
		m.addUser("Scientists")
		elsewhere.AddUser(testLogin, testPassword)
		m.write("config", fields{"client_id": m.serviceApp(appScopes...).ID, "api_token": ""})
		m.mustLogin(nil)
		require.Equal(t, []string{"DPoP"}, m.managementAuth())

		m.write("config", fields{"base_url": elsewhere.URL})
		m.refused(nil)
		known := m.okta.Secrets()
		asked := false
		for _, r := range elsewhere.Requests() {
			asked = asked || strings.HasSuffix(r.Path, tokenURL)
			assert.Empty(t, r.Header.Get("Authorization"), r.Path)
			for _, secret := range known {
				if secret != testPassword { // who may write base_url is given the passwords
					assert.NotContains(t, string(r.Body), secret, r.Path)
				}
			}
			if strings.HasSuffix(r.Path, tokenURL) {
				answer, err := m.okta.Client().Post(m.okta.URL+tokenURL, r.Header.Get("Content-Type"), strings.NewReader(string(r.Body)))
				require.NoError(t, err)
				require.NoError(t, answer.Body.Close())
				assert.Equal(t, http.StatusUnauthorized, answer.StatusCode, "an assertion names the host that it is for")
			}
		}
		assert.True(t, asked, "the other host saw an assertion")
	})
}

// TestWrongPasswordRingsNobody: without the right password, no second factor is asked
// about, whether it is Okta's or a service's.
func TestWrongPasswordRingsNobody(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		duo, u := withDuo(m, nil)
		m.write("config", fields{"mfa_methods": "my_duo", "max_login_failures": 0})
		person := m.okta.User(testLogin)
		push := person.AddPush()
		sms := person.AddFactor("sms", "OKTA")
		for _, more := range []fields{nil, {"factor": "sms"}, {"mfa": "my_duo:555111"}, {"mfa": "my_duo:push"}, {"wait": false}} {
			data := fields{"password": "not-the-right-one"}
			for k, v := range more {
				data[k] = v
			}
			assert.Contains(t, m.refused(data), "E0000004")
		}
		assert.Empty(t, duo.Requests())
		assert.Zero(t, u.Pushes())
		assert.Zero(t, push.Sent()+sms.Sent())
		m.hold(nil)
		assert.Equal(t, 1, push.Sent(), "with the right one")
	})
}
