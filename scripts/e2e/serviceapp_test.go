package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// serviceApp adds an app to the org, whose jwks_uri is the mount's, without a token.
func (m *mount) serviceApp() *oktatest.ServiceApp {
	m.t.Helper()
	app := m.org.AddServiceApp("okta.users.read", "okta.groups.read")
	ctx := m.t.Context()
	app.SetJWKSURI(func() []byte {
		a, err := m.vault.Do(ctx, harness.Request{Method: http.MethodGet, Path: m.full("jwks")})
		if err != nil || a.Status != http.StatusOK {
			return nil
		}
		return a.Raw
	})
	return app
}

// whileLoggingIn has somebody log in every 100 ms, or more rarely where the answers come
// later, while do runs and for ten logins after it. It fails where one of them does, or got
// no policy by a group of Okta's. Nobody begins a second login before the first is answered:
// a limit is not what is tested.
func (m *mount) whileLoggingIn(do func()) {
	m.t.Helper()
	var people []*oktatest.User // Okta takes few logins a second of one person
	for i := range 10 {
		login := fmt.Sprintf("steady%d-%d@acme.test", len(m.org.Users()), i)
		people = append(people, m.addUser(login, "Scientists"))
	}
	stop := make(chan struct{})
	var logins sync.WaitGroup
	var answered atomic.Int64
	for i, u := range people {
		logins.Go(func() {
			next := time.After(time.Duration(i) * 100 * time.Millisecond)
			for {
				select {
				case <-next:
				case <-stop:
					return
				}
				next = time.After(time.Second)
				a, err := m.vault.Do(m.t.Context(), m.loginRequest(u.Login(), credentials(u)))
				noteSecrets(a)
				if assert.NoError(m.t, err) && assert.NoError(m.t, a.Err()) {
					assert.Contains(m.t, policies(a), "science")
				}
				answered.Add(1)
			}
		})
	}
	do()
	before := m.org.Count(http.MethodPost, "/api/v1/authn")
	eventually(m.t, "logins after the change", func() bool { return m.org.Count(http.MethodPost, "/api/v1/authn") >= before+10 })
	close(stop)
	logins.Wait()
	m.t.Logf("%d logins", answered.Load())
}

// groupSchemes are the schemes of the requests for groups, each once in a row.
func (m *mount) groupSchemes() (schemes []string) {
	for _, r := range m.org.Requests() {
		scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if n := len(schemes); strings.HasSuffix(r.Path, "/groups") && (n == 0 || schemes[n-1] != scheme) {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

// A mount moves from an API token to a service app, from key to key, and to the builtin
// method and back, and no login fails.
func TestSwitchToServiceAppUnderLoad(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...)
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure()
	m.mustWrite("groups/scientists", object{"policies": "science"})
	app := m.serviceApp()
	m.mustWrite("config/key", object{"algorithm": "ES256"})
	first := m.mustRead("config/key")["kid"]
	m.whileLoggingIn(func() { m.mustWrite("config", object{"client_id": app.ID}) })
	m.whileLoggingIn(func() {
		a := m.mustWrite("config", object{"api_token": ""})
		require.Contains(t, a.Warnings(), "after a switch back to Vault's builtin method")
	})
	schemes := m.groupSchemes() // a login that began before the change may end after it
	require.Subset(t, []string{"SSWS", "DPoP"}, schemes)
	require.Equal(t, "DPoP", schemes[len(schemes)-1])
	m.whileLoggingIn(func() {
		m.mustWrite("config/key/rotate", object{"algorithm": "ES256"})
		m.mustWrite("config/key/promote", object{})
	})
	require.NotEqual(t, first, m.mustRead("config/key")["kid"])

	u := m.addUser("mia@acme.test", "Scientists")
	m.mustWrite("users/mia@acme.test", object{"policies": "own"})
	m.switchTo(suite.builtinVersion)
	a := m.mustLogin(u)
	require.Contains(t, policies(a), "own")
	require.NotContains(t, policies(a), "science", "without an API token it reads no groups")
	m.switchTo(pluginVersion)
	require.Contains(t, policies(m.mustLogin(u)), "science", "the service app goes on")
	m.mustWrite("config", object{"api_token": m.org.Token, "trusted_app": false, "key_rotation_period": "720h"})
	m.switchTo(suite.builtinVersion)
	require.Contains(t, policies(m.mustLogin(u)), "science")
}

// A key that is old enough is replaced by the mount itself while people log in.
func TestKeyRotatesByItselfUnderLoad(t *testing.T) {
	t.Parallel()
	v := startOwnVault(t, suite.env...) // the reload ends the process
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.configure(object{"api_token": ""})
	m.mustWrite("groups/scientists", object{"policies": "science"})
	app := m.serviceApp()
	m.mustWrite("config/key", object{"algorithm": "ES256"})
	m.mustWrite("config", object{"client_id": app.ID, "key_rotation_period": "1h"})
	first := m.mustRead("config/key")["kid"]

	const keys = "service-app/keys"
	stored := m.raw(keys)
	stored["current"].(object)["created"] = time.Now().Add(-2 * time.Hour).UTC()
	value, err := json.Marshal(stored)
	require.NoError(t, err)
	uuid := m.mustDo(http.MethodGet, "sys/auth/"+m.Path, nil).Data()["uuid"].(string)
	m.mustDo(http.MethodPut, "sys/raw/auth/"+uuid+"/"+keys, object{"value": string(value)})
	m.mustDo(http.MethodPut, "sys/plugins/reload/backend", object{"mounts": []string{"auth/" + m.Path + "/"}})
	m.whileLoggingIn(func() {
		deadline := time.Now().Add(5 * time.Minute) // Vault has mounts do what is due once a minute
		for m.mustRead("config/key")["kid"] == first {
			require.True(t, time.Now().Before(deadline), "the key has not been replaced")
			time.Sleep(time.Second)
		}
	})
	require.NotContains(t, m.mustRead("config/key"), "next")
}
