package backend

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asRead is for each type what a tool writes again and again, in the form in which it
// reads it. The second map holds the secrets that come with it.
var asRead = map[string][2]fields{
	"okta": {
		{"org_name": "other", "base_url": "oktapreview.com", "username_format": "{{username}}@acme.test", "primary_email": true,
			"factors": []any{"push", "sms"}, "require_number_challenge": false},
		{"api_token": "00-method-token"},
	},
	"totp": {{"issuer": "Acme", "period": "1m", "digits": 8.0, "algorithm": "SHA256", "skew": 0.0, "key_size": 32.0, "qr_size": 0.0,
		"max_validation_attempts": 3.0}},
	"duo": {
		{"integration_key": "DIXXXXXXXXXXXXXXXXXX", "api_hostname": "api-1234.duosecurity.com", "push_info": "from=vault", "use_passcode": true,
			"username_format": "{{username}}"},
		{"secret_key": "duo-secret-key"},
	},
	"pingid": {{"username_format": "{{username}}"}, {"settings_file_base64": base64Of(pingSettings)}},
}

// A tool that describes a method by its name can write the same body again and again:
// each time the answer, what is read and what is stored are the same.
func TestMethodByItsName(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for typ, body := range asRead {
			path := "mfa/method/" + typ + "/my_" + typ
			for _, op := range []logical.Operation{logical.ReadOperation, logical.DeleteOperation} {
				_, status, _ := m.do(op, path, nil)
				assert.Equal(t, http.StatusNotFound, status, "%s %s", op, typ)
			}
			all := fields{"method_name": "my_" + typ}
			for _, part := range body {
				for field, value := range part {
					all[field] = value
				}
			}
			first := m.write(path, all)
			require.NotNil(t, first)
			id, _ := first.Data["method_id"].(string)
			stored, read := m.stored(methodPrefix+id), plain(t, m.read(path))
			for field, value := range body[0] {
				assert.Equal(t, value, read[field], "%s: %s is read as it was written", typ, field)
			}
			assert.Equal(t, "my_"+typ, read["method_name"])
			for field := range body[1] {
				assert.NotContains(t, read, field)
			}
			for range 2 {
				assert.Equal(t, plain(t, first), plain(t, m.write(path, all)), typ)
				assert.Equal(t, stored, m.stored(methodPrefix+id), typ)
				assert.Equal(t, read, plain(t, m.read(path)), typ)
			}
			assert.Equal(t, read, plain(t, m.read("mfa/method/"+typ+"/"+id)), "the same by its id")
			assert.Len(t, m.below(methodPrefix), 1)

			delete(all, "method_name") // which the path has
			assert.Equal(t, plain(t, first), plain(t, m.write(path, all)), typ)
			assert.Equal(t, stored, m.stored(methodPrefix+id), typ)
			_, status, text := m.do(logical.DeleteOperation, path, nil)
			assert.Equal(t, http.StatusOK, status, text)
			_, status, text = m.do(logical.DeleteOperation, path, nil)
			assert.Equal(t, http.StatusNotFound, status)
			assert.Equal(t, "an MFA method of type "+typ+" with this name does not exist", text)
			assert.Empty(t, m.below("mfa/"))
		}
	})
}

// What a path calls a method is one method's, and stays so.
func TestMethodByItsNameIsNoOther(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.write("mfa/method/totp/my_totp", fields{"issuer": "Acme"})
		before := m.read("mfa/method/totp/my_totp")
		for _, row := range []struct {
			path   string
			data   fields
			status int
			text   string
		}{
			{"mfa/method/totp/my_totp", fields{"method_name": "other"}, 400, "method_name must be the name in the path"},
			{"mfa/method/totp/MY_TOTP", fields{"issuer": "Evil"}, 400, "method_name is that of another MFA method, of type totp"},
			{"mfa/method/okta/my_totp", nil, 400, "method_name is that of another MFA method, of type totp"},
			{"mfa/method/totp/a b", fields{"issuer": "Acme"}, 400, "method_name must be 1 to 128 letters"},
			{"mfa/method/totp/new", nil, 400, "issuer is required"},
			{"mfa/method/totp/1db034b5-81f1-4a2b-8c2b-0f51ed0bd9fc", fields{"issuer": "Acme"}, 404, "with this method_id"},
		} {
			_, status, text := m.do(logical.UpdateOperation, row.path, row.data)
			assert.Equal(t, row.status, status, row.path)
			assert.Contains(t, text, row.text, row.path)
		}
		for _, path := range []string{"mfa/method/okta/my_totp", "mfa/method/totp/MY_TOTP", "mfa/method/totp/new"} {
			for _, op := range []logical.Operation{logical.ReadOperation, logical.DeleteOperation} {
				_, status, _ := m.do(op, path, nil)
				assert.Equal(t, http.StatusNotFound, status, "%s %s", op, path)
			}
		}
		assert.Equal(t, before, m.read("mfa/method/totp/my_totp"))

		// It is required by its name, and stays as long as it is.
		m.write("config", fields{"mfa_methods": "my_totp"})
		_, status, text := m.do(logical.DeleteOperation, "mfa/method/totp/my_totp", nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "mfa_methods of config")
		m.write("mfa/method/totp/my_totp", fields{"issuer": "New", "method_name": nil})
		assert.Equal(t, "my_totp", m.read("mfa/method/totp/my_totp")["name"], "a null takes no name away")

		// What has another name is not found by the old one.
		m.write("config", fields{"mfa_methods": ""})
		m.write("mfa/method/totp/"+before["id"].(string), fields{"method_name": "renamed"})
		_, status, _ = m.do(logical.ReadOperation, "mfa/method/totp/my_totp", nil)
		assert.Equal(t, http.StatusNotFound, status)
		assert.Equal(t, before["id"], m.read("mfa/method/totp/renamed")["id"])
	})
}

// Two first writes of one name make one method.
func TestFirstWritesOfANameMakeOneMethod(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		ids := make([]any, 8)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				resp, status, text := m.do(logical.UpdateOperation, "mfa/method/totp/my_totp", fields{"issuer": "Acme"})
				if assert.Equal(t, http.StatusOK, status, text) {
					ids[i] = resp.Data["method_id"]
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			assert.Equal(t, ids[0], id)
		}
		assert.Len(t, m.below(methodPrefix), 1)
	})
}

// Keys are made and destroyed by the name of their method, too; what is not there is not
// destroyed with success.
func TestKeysByTheNameOfTheirMethod(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.write("mfa/method/totp/my_totp", fields{"issuer": "Acme"})
		data := m.write("mfa/method/totp/my_totp/admin-generate", fields{"username": "fred"}).Data
		assert.True(t, strings.HasPrefix(data["url"].(string), "otpauth://totp/Acme:fred?"), data["url"])
		destroy := func(name, username string, status int, text string) {
			t.Helper()
			_, got, said := m.do(logical.UpdateOperation, "mfa/method/totp/"+name+"/admin-destroy", fields{"username": username})
			assert.Equal(t, status, got, said)
			assert.Contains(t, said, text)
		}
		destroy("other", "fred", http.StatusNotFound, "an MFA method of type totp with this name does not exist")
		destroy("my_totp", "frad", http.StatusNotFound, "username has no key of this method")
		destroy("my_totp", "FRED", http.StatusOK, "")
		destroy("my_totp", "fred", http.StatusNotFound, "username has no key of this method")
		_, status, _ := m.do(logical.UpdateOperation, "mfa/method/totp/other/admin-generate", fields{"username": "fred"})
		assert.Equal(t, http.StatusNotFound, status)
	})
}
