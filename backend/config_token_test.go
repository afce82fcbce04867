package backend

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// A stored API token goes to the host that it was given for, and to no other: who may
// write config, but has never known the token, must not have it sent to a host of theirs.
func TestConfigTokenStaysWithItsHost(t *testing.T) {
	base := fields{"org_name": "acme", "api_token": "00secret"}
	for _, test := range []struct {
		name  string
		first fields // beside base
		then  fields
		kept  bool
	}{
		{"another org_name", nil, fields{"org_name": "evil"}, false},
		{"another organization", nil, fields{"organization": "evil"}, false},
		{"another base_url", nil, fields{"base_url": "evil.test"}, false},
		{"a full URL", nil, fields{"base_url": "https://evil.test"}, false},
		{"another port", nil, fields{"base_url": "okta.com:8443"}, false},
		{"production", nil, fields{"production": false}, false},
		{"base_url taken back", fields{"base_url": "okta-emea.com"}, fields{"base_url": ""}, false},
		{"base_url is null", fields{"base_url": "okta-emea.com"}, fields{"base_url": nil}, false},
		{"the same", nil, fields{"org_name": "acme", "base_url": "okta.com"}, true},
		{"another field", nil, fields{"token_ttl": "1h"}, true},
		{"the same in another case", nil, fields{"org_name": "ACME", "base_url": "Okta.com."}, true},
		{"the same with the port", nil, fields{"base_url": "okta.com:443"}, true},
		{"the same as a URL", nil, fields{"base_url": "https://acme.okta.com/"}, true},
		{"the same by its other names", fields{"base_url": "oktapreview.com"}, fields{"base_url": "", "production": false}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				first := maps.Clone(base)
				maps.Copy(first, test.first)
				m.write("config", first)
				resp := withoutURLWarning(m.write("config", test.then))
				if test.kept {
					assert.Nil(t, resp)
					assert.Contains(t, m.stored("config"), `"token":"00secret"`)
					return
				}
				require.NotNil(t, resp)
				want := []string{deletedTokenWarning}
				if test.then["organization"] != nil {
					want = []string{fmt.Sprintf(movedWarning, "acme", "evil"), deletedTokenWarning}
				}
				assert.Equal(t, want, resp.Warnings)
				assert.NotContains(t, m.stored("config"), "00secret")

				m.write("config", first)
				for _, named := range []fields{{"api_token": "00new"}, {"token": "00new"}} {
					maps.Copy(named, test.then)
					resp := withoutURLWarning(m.write("config", named))
					if resp != nil {
						assert.Equal(t, want[:len(want)-1], resp.Warnings, "with a token of its own")
					}
					assert.Contains(t, m.stored("config"), `"token":"00new"`)
				}
			})
		})
	}
}

// The token that was deleted is not sent anywhere: not to the host before, either.
func TestDeletedTokenIsNotUsed(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		elsewhere := oktatest.NewServer(t, oktatest.Options{Now: m.clock.Now})
		m.trusted = append(m.trusted, elsewhere.CertPEM)
		m.start()
		m.configure(nil)
		m.addUser("Scientists")
		elsewhere.AddUser(testLogin, testPassword).SetGroups("Everyone")
		m.mustLogin(nil)
		m.write("config", fields{"base_url": elsewhere.URL})
		assert.Empty(t, m.mustLogin(nil).GroupAliases)
		m.write("config", fields{"base_url": m.okta.URL})
		m.okta.Reset()
		assert.Empty(t, m.mustLogin(nil).GroupAliases)
		for _, r := range append(m.okta.Requests(), elsewhere.Requests()...) {
			assert.Empty(t, r.Header.Get("Authorization"), r.Path)
		}
	})
}

// withoutURLWarning is the answer to a write as it is for a base_url that is no full URL.
func withoutURLWarning(resp *logical.Response) *logical.Response {
	if resp == nil {
		return nil
	}
	resp.Warnings = slices.DeleteFunc(resp.Warnings, func(warning string) bool { return warning == fullURLWarning })
	if len(resp.Warnings) == 0 {
		return nil
	}
	return resp
}
