package backend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// rotating is a mount that is a service app whose key becomes a day old, and has somebody
// to log in.
func (m *mount) rotating() (app *oktatest.ServiceApp, kid string) {
	m.t.Helper()
	m.configure(fields{"api_token": ""})
	m.addUser("Scientists")
	app = m.serviceApp(appScopes...)
	m.write("config", fields{"client_id": app.ID, "key_rotation_period": "24h"})
	return app, m.read("config/key")["kid"].(string)
}

func (m *mount) tokensAsked() int { return m.okta.Count(http.MethodPost, "/oauth2/v1/token") }

// A key that is old enough is replaced, and the one before is served for a while.
func TestKeyRotatesByItself(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, first := m.rotating()
		assert.Equal(t, "24h", m.read("config")["key_rotation_period"])
		m.clock.advance(24*time.Hour - time.Second)
		m.tidy()
		assert.Equal(t, []string{first}, m.jwks(t))
		m.clock.advance(time.Second)
		m.tidy()
		key := m.read("config/key")
		second := key["kid"].(string)
		require.NotEqual(t, first, second)
		assert.Equal(t, "ES256", key["algorithm"], "as before")
		assert.Equal(t, []string{second, first}, m.jwks(t))
		m.mustLogin(nil)
		m.clock.advance(time.Hour)
		m.tidy()
		assert.Equal(t, []string{second}, m.jwks(t))
		m.clock.advance(23 * time.Hour)
		m.start() // another node, which goes by what is stored
		m.tidy()
		third := m.read("config/key")["kid"].(string)
		assert.Equal(t, []string{third, second}, m.jwks(t))
		m.mustLogin(nil)
		m.write("config", fields{"key_rotation_period": nil}) // null is not given
		m.write("config", fields{"key_rotation_period": "0"})
		m.clock.advance(48 * time.Hour)
		m.tidy()
		assert.Equal(t, third, m.read("config/key")["kid"])
	})
}

// Until Okta takes the next key the current one signs, whatever goes wrong.
func TestRotationNeverLeavesTheMountWithoutAKey(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		app, first := m.rotating()
		saved := m.read("config/key")["public_jwk"]
		saveKeys(m, app, saved)
		goesOn := func(why string) {
			t.Helper()
			m.tidy()
			assert.Equal(t, first, m.read("config/key")["kid"], why)
			m.mustLogin(nil)
			m.clock.advance(keyRetry)
		}
		m.clock.advance(24 * time.Hour)
		m.storage.fail(false, true)
		goesOn("storage takes no key")
		m.storage.fail(false, false)
		assert.NotContains(t, m.read("config/key"), "next")

		goesOn("Okta has not read the keys again")
		next := m.read("config/key")["next"].(map[string]any)["kid"]
		assert.Contains(t, m.logs.String(), "no next key of the service app has taken over")
		assert.Contains(t, m.logs.String(), "tries again in 10 minutes")
		goesOn("and still has not")
		assert.Equal(t, next, m.read("config/key")["next"].(map[string]any)["kid"], "it waits for the same key")
		m.clock.advance(-time.Minute)
		asked := m.tokensAsked()
		m.tidy()
		assert.Equal(t, asked, m.tokensAsked(), "not each minute")
		m.clock.advance(time.Minute)

		app.SetJWKSURI(m.readsJWKS())
		m.okta.Fail("token", oktatest.CloseConnection().Times(1))
		m.tidy()
		assert.Equal(t, first, m.read("config/key")["kid"], "Okta cannot be reached")
		m.clock.advance(keyRetry)
		m.tidy()
		assert.Equal(t, next, m.read("config/key")["kid"])
		m.mustLogin(nil)
	})
}

// Only the node that can write does anything by itself.
func TestOnlyTheLeaderMaintains(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.rotating()
		m.write("config", fields{"api_token": m.okta.Token})
		before := m.stored(keysKey)
		for _, state := range []consts.ReplicationState{
			consts.ReplicationPerformanceStandby, consts.ReplicationPerformanceSecondary, consts.ReplicationDRSecondary,
		} {
			m.replication = state
			m.start()
			m.clock.advance(48 * time.Hour)
			m.okta.Reset()
			m.tidy()
			assert.Equal(t, before, m.stored(keysKey))
			assert.Empty(t, m.okta.Requests())
		}
	})
}

func (m *mount) tokenUses() (n int) {
	for _, r := range m.okta.Requests() {
		if r.Path == "/api/v1/users/me" {
			assert.Equal(m.t, "SSWS "+m.okta.Token, r.Header.Get("Authorization"))
			n++
		}
	}
	return n
}

// An API token that nobody uses is used once a week, that of a method included, and also
// where a service app reads.
func TestAPITokensAreKeptAlive(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.tidy() // nothing is configured
		m.configure(nil)
		m.write("mfa/method/okta", fields{"method_name": "own", "org_name": "acme", "base_url": m.okta.URL, "api_token": m.okta.Token})
		app := m.serviceApp(appScopes...)
		m.write("config", fields{"client_id": app.ID, "trusted_app": false})
		m.tidy()
		assert.Zero(t, m.tokenUses(), "a node that has just started")
		m.clock.advance(firstTokenUse)
		m.tidy()
		m.tidy()
		assert.Equal(t, 2, m.tokenUses())
		m.clock.advance(tokenUsePeriod - time.Minute)
		m.tidy()
		assert.Equal(t, 2, m.tokenUses())
		m.clock.advance(time.Minute)
		m.okta.Fail("users", oktatest.Status(http.StatusUnauthorized, "E0000011", "no").Times(1))
		m.tidy()
		assert.Equal(t, 4, m.tokenUses())
		assert.Contains(t, m.logs.String(), "event=upkeep_failed path=config")
		assert.NotContains(t, m.logs.String(), "path=mfa/method")
		m.clock.advance(tokenUseRetry)
		m.tidy()
		assert.Equal(t, 6, m.tokenUses())
		assert.NotContains(t, m.logs.String(), m.okta.Token)

		m.write("config", fields{"api_token": ""})
		m.clock.advance(tokenUsePeriod)
		m.tidy()
		assert.Equal(t, 7, m.tokenUses(), "that of the method")
	})
}

// Logins send the API token unless trusted_app is false. Reads go on with it.
func TestTrustedApp(t *testing.T) {
	sent := func(m *mount) (logins, reads bool) {
		m.okta.Reset()
		m.mustLogin(nil)
		for _, r := range m.okta.Requests() {
			has := r.Header.Get("Authorization") == "SSWS "+m.okta.Token
			if strings.HasPrefix(r.Path, "/api/v1/authn") {
				logins = has
			} else {
				reads = has
			}
		}
		return logins, reads
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Scientists")
		both := func(wantLogins bool) {
			t.Helper()
			logins, reads := sent(m)
			assert.Equal(t, wantLogins, logins)
			assert.True(t, reads)
		}
		both(true)
		assert.Equal(t, true, m.inForce("config")["trusted_app"])
		assert.NotContains(t, m.read("config"), "trusted_app")

		resp := m.write("config", fields{"trusted_app": false, "remember_device": true})
		assert.Contains(t, strings.Join(resp.Warnings, " "), "after a switch back")
		assert.Contains(t, strings.Join(resp.Warnings, " "), "remember_device has no effect while trusted_app is false")
		assert.Equal(t, false, m.read("config")["trusted_app"])
		both(false)
		m.write("config", fields{"trusted_app": nil})
		both(false)
		m.start()
		both(false)

		m.okta.Fail("authn", oktatest.Status(http.StatusForbidden, "E0000006", "no").Times(1))
		assert.NotContains(t, m.refused(nil), "API token", "it was not sent")

		_, status, text := m.do(logical.PatchOperation, "config", fields{"trusted_app": nil})
		require.Equal(t, http.StatusOK, status, text)
		both(true)
	})
}

func TestKeyRotationPeriodIsChecked(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for _, bad := range []any{"59m", 1, "87601h"} {
			_, status, text := m.do(logical.UpdateOperation, "config", fields{"key_rotation_period": bad})
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, "key_rotation_period must be 1h to 87600h, or 0 for never")
		}
		resp := m.write("config", fields{"key_rotation_period": "720h"})
		assert.Contains(t, strings.Join(resp.Warnings, " "), "key_rotation_period has no effect while client_id is empty")
	})
}
