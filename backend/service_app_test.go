package backend

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// serviceApp makes a key, and an app in the org that reads the mount's jwks.
func (m *mount) serviceApp(scopes ...string) *oktatest.ServiceApp {
	m.t.Helper()
	m.write("config/key", fields{"algorithm": "ES256"})
	app := m.okta.AddServiceApp(scopes...)
	app.SetJWKSURI(m.readsJWKS())
	return app
}

// readsJWKS is how Okta reads the mount's jwks.
func (m *mount) readsJWKS() func() []byte {
	return func() []byte {
		resp, status, text := m.do(logical.ReadOperation, "jwks", nil)
		if status != http.StatusOK {
			m.t.Errorf("jwks: %s", text)
			return nil
		}
		switch raw := resp.Data[logical.HTTPRawBody].(type) {
		case []byte:
			return raw
		case string:
			decoded, _ := base64.StdEncoding.DecodeString(raw)
			return decoded
		}
		return nil
	}
}

var appScopes = []string{"okta.users.read", "okta.groups.read"}

// whileLoggingIn has people log in one after another, while do runs and for some logins after
// it, and fails where one of the logins does, or got no policy by a group of Okta's.
func (m *mount) whileLoggingIn(do func()) {
	m.t.Helper()
	stop, ended := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { ended <- n }()
		for more := 3; more > 0; n++ {
			select {
			case <-stop:
				more--
			default:
			}
			resp, status, text := m.login(nil)
			if status != http.StatusOK || resp.Auth == nil || !assert.ObjectsAreEqual([]string{"lab"}, resp.Auth.Policies) {
				m.t.Errorf("login %d failed: %d %s", n, status, text)
				return
			}
		}
	}()
	do()
	close(stop)
	m.t.Logf("%d logins", <-ended)
}

// managementAuth returns the schemes of the calls that read groups, in their order, each once
// in a row.
func (m *mount) managementAuth() (schemes []string) {
	for _, r := range m.okta.Requests() {
		if !strings.HasSuffix(r.Path, "/groups") {
			continue
		}
		scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if n := len(schemes); n == 0 || schemes[n-1] != scheme {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

// A running mount moves from an API token to a service app, and from key to key, and no
// login fails.
func TestSwitchToServiceAppFailsNoLogin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Scientists")
		m.write("groups/Scientists", fields{"policies": "lab"})
		m.mustLogin(nil)
		app := m.serviceApp(appScopes...)
		first := m.read("config/key")["kid"]
		m.whileLoggingIn(func() {
			resp := m.write("config", fields{"client_id": app.ID})
			assert.Contains(t, strings.Join(resp.Warnings, " "), "api_token is still stored")
		})
		m.whileLoggingIn(func() {
			resp := m.write("config", fields{"api_token": ""})
			assert.Contains(t, strings.Join(resp.Warnings, " "), "after a switch back to Vault's builtin method")
		})
		assert.Equal(t, []string{"SSWS", "DPoP"}, m.managementAuth())
		m.whileLoggingIn(func() {
			m.write("config/key/rotate", fields{"algorithm": "ES256"})
			m.write("config/key/promote", nil)
		})
		assert.NotEqual(t, first, m.read("config/key")["kid"])

		// Nothing of it is in what the builtin method reads.
		assert.Contains(t, m.stored("config"), `"token":""`)
		for _, secret := range m.okta.Secrets() {
			assert.NotContains(t, m.logs.String(), secret)
		}
		m.start()
		m.mustLogin(nil)
	})
}

func TestClientIDNeedsAKey(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		_, status, text := m.do(logical.UpdateOperation, "config", fields{"client_id": "0oa1"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "client_id needs a key")
		for field, value := range map[string]string{"client_id": "0oa 1", "scopes": "a b"} {
			_, status, text := m.do(logical.UpdateOperation, "config", fields{field: value})
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, field+" must be")
		}
		m.serviceApp()
		m.write("config", fields{"client_id": "0oa1"})
		assert.Equal(t, "0oa1", m.read("config")["client_id"])
		assert.NotContains(t, m.read("config"), "scopes")
		assert.Equal(t, appScopes, toStrings(m.inForce("config")["scopes"]))
		_, status, text = m.do(logical.DeleteOperation, "config/key", nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "client_id")
		m.write("config", fields{"client_id": ""})
		_, status, text = m.do(logical.DeleteOperation, "config/key", nil)
		require.Equal(t, http.StatusOK, status, text)
	})
}

// What Okta refuses of the app is the administrator's to look at, and says so.
func TestServiceAppThatOktaRefuses(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"api_token": ""})
		m.addUser("Scientists")
		app := m.serviceApp("okta.groups.read")
		m.write("config", fields{"client_id": app.ID})
		text := m.refused(nil)
		assert.Contains(t, text, "Okta refused the service app of this mount (invalid_scope)")
		assert.Contains(t, m.logs.String(), "[WARN]")
	})
}

// saveKeys saves public keys in the app, in place of those before and of its jwks_uri.
func saveKeys(m *mount, app *oktatest.ServiceApp, keys ...any) {
	m.t.Helper()
	set, err := json.Marshal(fields{"keys": keys})
	require.NoError(m.t, err)
	require.NoError(m.t, app.SaveKeys(set))
}

// A next key takes over only once Okta grants a token for it, unless that is forced.
func TestPromoteAsksOktaFirst(t *testing.T) {
	es := fields{"algorithm": "ES256"}
	promote := func(m *mount, data fields) (int, string) {
		_, status, text := m.do(logical.UpdateOperation, "config/key/promote", data)
		return status, text
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Scientists")
		m.write("groups/Scientists", fields{"policies": "lab"})
		app := m.serviceApp(appScopes...)
		first := m.read("config/key")
		saveKeys(m, app, first["public_jwk"])
		m.write("config", fields{"client_id": app.ID})
		next := m.write("config/key/rotate", es).Data

		status, text := promote(m, nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "(invalid_client): give the public_jwk of the next key")
		assert.Equal(t, first["kid"], m.read("config/key")["kid"])
		m.mustLogin(nil)

		saveKeys(m, app, first["public_jwk"], next["public_jwk"])
		app.Grant("okta.groups.read")
		status, text = promote(m, nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "(invalid_scope): check client_id and scopes")
		app.Grant(appScopes...)

		m.okta.Fail("token", oktatest.Status(http.StatusServiceUnavailable, "E0000009", "no").Times(1))
		status, text = promote(m, nil)
		assert.Equal(t, http.StatusBadGateway, status)
		assert.Contains(t, text, "Okta failed with HTTP 503")
		assert.Equal(t, first["kid"], m.read("config/key")["kid"])

		status, text = promote(m, fields{"kid": "another"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "kid is not that of the next key")

		status, text = promote(m, fields{"kid": next["kid"]})
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, next["kid"], m.read("config/key")["kid"])
		m.mustLogin(nil)

		asked := m.okta.Count(http.MethodPost, "/oauth2/v1/token")
		forced := m.write("config/key/rotate", es).Data
		status, text = promote(m, fields{"force": true})
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, forced["kid"], m.read("config/key")["kid"])
		assert.Equal(t, asked, m.okta.Count(http.MethodPost, "/oauth2/v1/token"), "asked all the same")
		assert.Contains(t, m.refused(nil), "Okta refused the service app of this mount (invalid_client)")
	})
}

// Another node may have changed the keys: what is written goes by storage.
func TestKeysAreChangedByWhatIsStored(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		other := *m
		other.start()
		m.read("jwks")
		made := other.write("config/key", fields{"algorithm": "ES256"}).Data
		_, status, text := m.do(logical.UpdateOperation, "config/key", fields{"algorithm": "ES256"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "exists")
		next := m.write("config/key/rotate", fields{"algorithm": "ES256"}).Data
		assert.Equal(t, []string{made["kid"].(string), next["kid"].(string)}, m.jwks(t))
	})
}
