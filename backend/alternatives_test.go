package backend

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOneOfSeveralMethods: of methods that are joined, one is enough, and none is not.
func TestOneOfSeveralMethods(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_period": "1h"})
		m.addUser()
		one, two := m.addTOTP("one"), m.addTOTP("two")
		m.write("config", fields{"mfa_methods": "one | two"})
		assert.Equal(t, "[one|two]", fmt.Sprint(m.read("config")["mfa_methods"]))

		text := m.refused(nil)
		assert.Contains(t, text, "one (the passcode of your authenticator app, as mfa=one:<passcode>) or two (")
		assert.Contains(t, m.refused(fields{"mfa": "one:" + one.wrong()}), "MFA method one: the passcode is not right")
		first := m.mustLogin(fields{"mfa": one.credential()})
		second := m.mustLogin(fields{"mfa": "two:" + two.next()})

		// A renewal needs one of them, whichever the login has satisfied.
		for _, auth := range []*logical.Auth{first, second} {
			_, status, text := m.renew(auth)
			assert.Equal(t, http.StatusOK, status, text)
		}
		m.write("config", fields{"mfa_methods": "two"})
		_, status, _ := m.renew(first)
		assert.Equal(t, http.StatusBadRequest, status, "it has satisfied the other")
		_, status, text = m.renew(second)
		assert.Equal(t, http.StatusOK, status, text)

		for _, wrong := range []string{"one|", "|", "one|three", "one||two"} {
			_, status, text := m.do(logical.UpdateOperation, "config", fields{"mfa_methods": wrong})
			assert.Equal(t, http.StatusBadRequest, status, wrong)
			assert.Contains(t, text, "mfa_methods")
		}
		m.write("config", fields{"mfa_methods": "one|two"})
		ids, err := m.storage.List(t.Context(), methodPrefix)
		require.NoError(t, err)
		_, status, text = m.do(logical.DeleteOperation, "mfa/method/totp/"+ids[0], nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "is required by mfa_methods of config")
	})
}

// TestOneOfSeveralMethodsWithoutACredential: with nothing given, the first that needs
// nothing is tried; a passcode for another one takes its push back.
func TestOneOfSeveralMethodsWithoutACredential(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		phone := pushMethod(m, nil)
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp|corp_okta"})
		resp, status, text := m.login(fields{"wait": false})
		data := heldMethods(t, m, resp, status, text)
		require.Equal(t, "waiting", data["state"])
		assert.Equal(t, "corp_okta", data["mfa_method"])
		held := heldState{TransactionID: data["transaction_id"].(string)}
		resp, status, text = m.proceed(held, fields{"mfa": app.credential()})
		require.Equal(t, http.StatusOK, status, text)
		assert.NotNil(t, resp.Auth)
		assert.Equal(t, []int{1, 1}, []int{phone.Pushes(), phone.Withdrawn()})

	})
}
