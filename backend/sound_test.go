package backend

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An API token is whatever an HTTP header can carry: nothing but control characters is
// refused, and every later write of config works.
func TestAPITokenMayHoldSpaces(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for _, token := range []string{"keep this one secret", "00ünïcode", "a~!\"b"} {
			m.write("config", fields{"org_name": "acme", "api_token": token})
			m.write("config", fields{"token_ttl": "1h"})
			assert.Contains(t, m.stored("config"), strings.ReplaceAll(token, `"`, `\"`))
		}
		for _, token := range []string{"a\nb", "a\tb", "a\x00b", "a\x7fb", "a\u0085b"} {
			_, status, text := m.do(logical.UpdateOperation, "config", fields{"api_token": token})
			assert.Equal(t, http.StatusBadRequest, status, "%q", token)
			assert.Contains(t, text, "api_token must be text")
			_, status, _ = m.do(logical.UpdateOperation, "mfa/method/okta", fields{"org_name": "acme", "api_token": token})
			assert.Equal(t, http.StatusBadRequest, status, "%q", token)
		}
	})
}

// A token with a space is sent to Okta as it is.
func TestAPITokenWithASpaceIsSent(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.addUser("Scientists")
		m.configure(fields{"api_token": "not the right one"})
		_, _, text := m.login(nil)
		assert.Contains(t, text, "API token")
		sent := ""
		for _, r := range m.okta.Requests() {
			sent += r.Header.Get("Authorization") + "\n"
		}
		assert.Contains(t, sent, "SSWS not the right one\n")
	})
}

// A stored value that is not sound fails the write that names it, and no other.
func TestStoredValueFailsNoWriteThatDoesNotNameIt(t *testing.T) {
	const entry = `{"organization":"acme","token":"t","base_url":"","alias_source":"login"`
	for _, test := range []struct {
		name   string
		stored string
		wrong  string // the field
		again  fields // names it, and is no better
	}{
		{"org_name", strings.Replace(entry, "acme", "acme.okta.com", 1) + `}`, "org_name", fields{"organization": "acme.okta.com"}},
		{"no org_name", strings.Replace(entry, "acme", "", 1) + `}`, "org_name", fields{"org_name": nil}},
		{"base_url", strings.Replace(entry, `"base_url":""`, `"base_url":"okta.com/app"`, 1) + `}`, "base_url", fields{"base_url": "okta.com/app"}},
		{"api_token", strings.Replace(entry, `"t"`, `"a\u0007b"`, 1) + `}`, "api_token", fields{"token": "a\x07b"}},
		{"token_ttl", entry + `,"token_ttl":7200000000000,"token_max_ttl":3600000000000}`, "token_ttl", fields{"token_ttl": "2h"}},
		{"ttl", entry + `,"ttl":7200000000000,"max_ttl":3600000000000}`, "token_ttl", fields{"max_ttl": "1h"}},
		{"token_type", entry + `,"token_type":2,"token_period":60000000000}`, "token_type", fields{"token_period": "1m"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.plant("config", test.stored)
				for _, write := range []fields{{"token_policies": "p"}, {"mfa_factors": "push"}, {"bypass_okta_mfa": false}, {"base_url": "okta.com"}, {"org_name": "acme"}} {
					if write[test.wrong] != nil {
						continue
					}
					m.plant("config", test.stored)
					resp := m.write("config", write)
					require.NotNil(t, resp, write)
					assert.Contains(t, strings.Join(resp.Warnings, "\n"), "this request has left it as it is: "+test.wrong+" ", write)
				}
				m.plant("config", test.stored)
				_, status, text := m.do(logical.UpdateOperation, "config", test.again)
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, text, test.wrong)
				assert.Equal(t, test.stored, m.stored("config"))
			})
		})
	}
}

// The same of an MFA method.
func TestStoredFieldOfAMethodFailsNoWriteThatDoesNotNameIt(t *testing.T) {
	const id = "8f5b9b06-0000-4000-8000-000000000000"
	for typ, test := range map[string]struct {
		stored string
		good   fields
		wrong  string
	}{
		"okta":   {`"okta":{"org_name":"a.b","api_token":"t"}`, fields{"factors": "push"}, "org_name"},
		"totp":   {`"totp":{"issuer":"Acme","period":30000000000,"digits":7,"algorithm":"SHA1","key_size":20,"max_validation_attempts":5}`, fields{"issuer": "New"}, "digits"},
		"duo":    {`"duo":{"integration_key":"i","secret_key":"s","api_hostname":"https://x"}`, fields{"push_info": "a=b"}, "api_hostname"},
		"pingid": {`"pingid":{"settings_file_base64":"%"}`, fields{"username_format": "{{username}}"}, "settings_file_base64"},
	} {
		t.Run(typ, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.plant(methodPrefix+id, `{"id":"`+id+`","type":"`+typ+`",`+test.stored+`}`)
				resp := m.write("mfa/method/"+typ+"/"+id, test.good)
				require.NotNil(t, resp)
				assert.Contains(t, strings.Join(resp.Warnings, "\n"), "this request has left it as it is: "+test.wrong+" ")
				var bad any = "%"
				if test.wrong == "digits" {
					bad = 7
				}
				_, status, text := m.do(logical.UpdateOperation, "mfa/method/"+typ+"/"+id, fields{test.wrong: bad})
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, text, test.wrong+" ")
			})
		})
	}
}
