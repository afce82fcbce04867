package backend

import (
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
)

// The fields about renewal take what they say, in any case, and nothing else. What is not
// set is not read, and login is in force.
func TestConfigOfRenewal(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		assert.NotContains(t, m.read("config"), "renewal")
		assert.NotContains(t, m.read("config"), "renewal_grace")
		assert.Equal(t, "login", m.inForce("config")["renewal"])
		assert.Equal(t, "0s", m.inForce("config")["renewal_grace"])
		assert.NotContains(t, m.stored("config"), "renewal")

		resp := m.write("config", fields{"renewal": " Status", "renewal_grace": "10m"})
		assert.Contains(t, resp.Warnings, renewalWarning)
		assert.Nil(t, m.write("config", fields{"token_ttl": "1h"}), "a write of something else does not warn")
		assert.Equal(t, "status", m.read("config")["renewal"])
		assert.Equal(t, "10m", m.read("config")["renewal_grace"])
		assert.Nil(t, m.write("config", fields{"renewal": nil, "renewal_grace": nil}), "a null is not given")
		assert.Equal(t, "status", m.read("config")["renewal"])
		assert.Equal(t, "10m", m.read("config")["renewal_grace"])

		for _, wrong := range []struct {
			data fields
			want string
		}{
			{fields{"renewal": "sometimes"}, `renewal must be "login", "status" or "never"`},
			{fields{"renewal_grace": "25h"}, "renewal_grace must be 0 to 24h"},
			{fields{"renewal_grace": -1}, "renewal_grace"},
			{fields{"api_token": ""}, `renewal must not be "status" without an api_token`},
		} {
			_, status, text := m.do(logical.UpdateOperation, "config", wrong.data)
			assert.Equal(t, http.StatusBadRequest, status, text)
			assert.Contains(t, text, wrong.want)
		}
		assert.Nil(t, m.write("config", fields{"renewal": "", "renewal_grace": 0}), "back to the default")
		assert.NotContains(t, m.read("config"), "renewal")
		assert.NotContains(t, m.stored("config"), "renewal")
	})
}
