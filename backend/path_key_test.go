package backend

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// jwks reads the public keys as Vault serves them.
func (m *mount) jwks(t *testing.T) (kids []string) {
	m.t.Helper()
	data := m.read("jwks")
	assert.EqualValues(m.t, http.StatusOK, num(t, data[logical.HTTPStatusCode]))
	assert.Equal(m.t, "application/json", data[logical.HTTPContentType])
	raw, ok := data[logical.HTTPRawBody].([]byte)
	if !ok { // the plugin protocol has encoded it, and Vault decodes it
		var err error
		raw, err = base64.StdEncoding.DecodeString(data[logical.HTTPRawBody].(string))
		require.NoError(m.t, err)
	}
	var set jose.JSONWebKeySet
	require.NoError(m.t, json.Unmarshal(raw, &set))
	var bare map[string][]map[string]any
	require.NoError(m.t, json.Unmarshal(raw, &bare))
	require.Len(m.t, bare, 1)
	require.NotNil(m.t, bare["keys"])
	for i, key := range set.Keys {
		assert.True(m.t, key.IsPublic() && key.Valid())
		assert.Equal(m.t, "sig", key.Use)
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi"} {
			assert.NotContains(m.t, bare["keys"][i], private)
		}
		kids = append(kids, key.KeyID)
	}
	return kids
}

// A key is made once, and its private half is nowhere but in storage.
func TestKeyIsMadeInTheMountAndStaysThere(t *testing.T) {
	for _, algorithm := range []string{"", "RS256", "ES256"} {
		t.Run(algorithm, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				assert.Empty(t, m.jwks(t))
				resp, status, text := m.do(logical.ReadOperation, "config/key", nil)
				require.Equal(t, http.StatusNotFound, status, "%v %s", resp, text)

				made := m.write("config/key", fields{"algorithm": algorithm}).Data
				var stored keysEntry
				require.NoError(t, json.Unmarshal([]byte(m.stored(keysKey)), &stored))
				secret := stored.Current.PrivateKey
				require.Contains(t, secret, "PRIVATE KEY")
				assert.Equal(t, []string{made["kid"].(string)}, m.jwks(t))
				for _, told := range []any{made, m.read("config/key"), m.read("jwks"), m.logs.String()} {
					assert.NotContains(t, fmt.Sprint(told), secret[40:80])
				}
				jwk := made["public_jwk"].(map[string]any)
				assert.Equal(t, made["kid"], jwk["kid"])
				if algorithm == "ES256" {
					assert.Equal(t, "EC", jwk["kty"])
				} else {
					n, err := base64.RawURLEncoding.DecodeString(jwk["n"].(string))
					require.NoError(t, err)
					assert.Len(t, n, 3072/8)
				}
				_, status, text = m.do(logical.UpdateOperation, "config/key", nil)
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, text, "config/key/rotate")

				m.start()
				assert.Equal(t, []string{made["kid"].(string)}, m.jwks(t), "after a restart")
			})
		})
	}
}

// The next key is served before it signs, and the one before for an hour after that.
func TestKeysAreServedBeforeAndAfterTheySign(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for _, path := range []string{"config/key/rotate", "config/key/promote"} {
			_, status, _ := m.do(logical.UpdateOperation, path, nil)
			assert.Equal(t, http.StatusBadRequest, status, path)
		}
		es := fields{"algorithm": "ES256"}
		first := m.write("config/key", es).Data["kid"].(string)
		_, status, text := m.do(logical.UpdateOperation, "config/key/promote", nil)
		require.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "config/key/rotate")

		unused := m.write("config/key/rotate", es).Data["kid"].(string)
		second := m.write("config/key/rotate", es).Data["kid"].(string)
		assert.Equal(t, []string{first, second}, m.jwks(t), "without the one that was never promoted: "+unused)
		read := m.read("config/key")
		assert.Equal(t, first, read["kid"])
		assert.Equal(t, second, read["next"].(map[string]any)["kid"])

		_, status, text = m.do(logical.UpdateOperation, "config/key/promote", fields{"kid": unused})
		require.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "kid is not that of the next key")
		assert.Equal(t, second, m.write("config/key/promote", fields{"kid": second}).Data["kid"])
		assert.Equal(t, []string{second, first}, m.jwks(t))
		var stored keysEntry
		require.NoError(t, json.Unmarshal([]byte(m.stored(keysKey)), &stored))
		assert.NotContains(t, string(stored.Retired.JWK), `"d"`)
		m.clock.advance(time.Hour)
		assert.Equal(t, []string{second}, m.jwks(t))
	})
}

func TestKeyRefusesOtherAlgorithms(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for _, algorithm := range []string{"HS256", "none", "rs256"} {
			_, status, text := m.do(logical.UpdateOperation, "config/key", fields{"algorithm": algorithm})
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, `algorithm must be "RS256" or "ES256"`)
		}
		assert.Empty(t, m.stored(keysKey))
	})
}

// Storage that fails fails the request, and leaves the keys as they were.
func TestKeysWhereStorageFails(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		first := m.write("config/key", fields{"algorithm": "ES256"}).Data["kid"].(string)
		m.storage.fail(false, true)
		for _, path := range []string{"config/key/rotate"} {
			_, status, _ := m.do(logical.UpdateOperation, path, fields{"algorithm": "ES256"})
			assert.Equal(t, http.StatusInternalServerError, status, path)
		}
		m.storage.fail(false, false)
		assert.Equal(t, []string{first}, m.jwks(t))
		m.plant(keysKey, `{"current":{"private_key":"none"}}`)
		_, status, text := m.do(logical.ReadOperation, "config/key", nil)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.Contains(t, text, "delete it")
		m.do(logical.DeleteOperation, "config/key", nil)
		assert.Empty(t, m.stored(keysKey))
	})
}
