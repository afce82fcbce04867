package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unknownOf are the warnings of unknown fields in an answer.
func unknownOf(resp *logical.Response) (warnings []string) {
	if resp == nil {
		return nil
	}
	for _, w := range resp.Warnings {
		if strings.Contains(w, "not exist on this path") || strings.Contains(w, "unrecognized") {
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// A warning names a field that a path does not have, and the one that was most likely meant, on
// every path.
func TestUnknownFieldNamesTheNearest(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser().SetStatus("SUCCESS")
		m.write("mfa/method/okta/corp", nil)
		m.write("mfa/method/totp/mine", fields{"issuer": "Acme"})
		for _, row := range []struct {
			op            logical.Operation
			path          string
			data          fields
			field, advice string
		}{
			{"update", "config", fields{"org-name": "x"}, "org-name", `use "org_name"`},
			{"update", "config", fields{"organisation": "x"}, "organisation", `use "organization"`},
			{"update", "config", fields{"okta_token": "x"}, "okta_token", `use "api_token"`},
			{"update", "config", fields{"default": true}, "default", `see the help of the path (path-help) for its fields`},
			{"update", "config", fields{"bypass_mfa": true}, "bypass_mfa", `use "bypass_okta_mfa"`},
			{"update", "config", fields{"token_policy": "x"}, "token_policy", `use "token_policies"`},
			{"update", "groups/a", fields{"policy": "p", "policies": "p"}, "policy", `use "policies"`},
			{"update", "groups/a", fields{"Policies": "p", "policies": "p"}, "Policies", `use "policies"`},
			{"update", "groups/a", fields{"mfa_method": "p", "policies": "p"}, "mfa_method", `use "mfa_methods"`},
			{"update", "groups/a", fields{"xyzzy": "p", "policies": "p"}, "xyzzy", `see the help of the path (path-help) for its fields`},
			{"update", "users/fred", fields{"group": "p", "policies": "p"}, "group", `use "groups"`},
			{"update", "users/fred", fields{"oktaid": "p", "policies": "p"}, "oktaid", `use "okta_id"`},
			{"update", "login/" + testLogin, fields{"password": testPassword, "pascode": "123456"}, "pascode", `use "passcode"`},
			{"update", "login/" + testLogin, fields{"password": testPassword, "otp": "123456"}, "otp", `use "totp"`},
			{"update", "login/" + testLogin, fields{"password": testPassword, "name": "x"}, "name", `see the help of the path (path-help) for its fields`},
			{"update", "mfa/method/okta", fields{"factor": "push"}, "factor", `use "factors"`},
			{"update", "mfa/method/okta/corp", fields{"name": "x"}, "name", `use "method_name" or "org_name"`},
			{"update", "mfa/method/totp/mine/admin-generate", fields{"username": "x", "user": "x"}, "user", `use "username"`},
			{"update", "mfa/method/totp/mine/admin-destroy", fields{"username": "x", "user": "x"}, "user", `use "username"`},
			{"read", "config", fields{"default": "true"}, "default", `use "defaults"`},
			{"read", "groups/a", fields{"default": "true"}, "default", `use "defaults"`},
			{"read", "users/fred", fields{"policies": "p", "defalts": "true"}, "defalts", `use "defaults"`},
			{"read", "mfa/method/okta/corp", fields{"x": "1"}, "x", `see the help of the path (path-help) for its fields`},
			{"list", "groups/", fields{"before": "x"}, "before", `see the help of the path (path-help) for its fields`},
			{"list", "groups/", fields{"limits": "1"}, "limits", `use "limit"`},
			{"update", "mfa/method/okta", fields{"method_name": "other", "limit": 1}, "limit", `see the help of the path (path-help) for its fields`},
			{"list", "config/aliases", fields{"user": "x"}, "user", `use "username"`},
			{"list", "mfa/method/", fields{"type": "x"}, "type", `see the help of the path (path-help) for its fields`},
			{"delete", "groups/a", fields{"policies": "p", "force": "true"}, "force", `see the help of the path (path-help) for its fields`},
			{"delete", "mfa/method/okta/corp", fields{"force": "true"}, "force", `see the help of the path (path-help) for its fields`},
		} {
			resp, status, text := m.do(row.op, row.path, row.data)
			require.Equal(t, http.StatusOK, status, "%s %s: %s", row.op, row.path, text)
			assert.Len(t, unknownOf(resp), 1, "%s %s", row.op, row.path)
			want := fmt.Sprintf("the field %q does not exist on this path, and was ignored: %s", row.field, row.advice)
			assert.Contains(t, strings.Join(unknownOf(resp), "\n"), want, "%s %s", row.op, row.path)
		}
		// What does not exist does not come to exist by a warning.
		for _, path := range []string{"groups/none", "users/none", "mfa/method/okta/none", "verify/none"} {
			_, status, _ := m.do(logical.ReadOperation, path, fields{"x": "1"})
			assert.Equal(t, http.StatusNotFound, status, path)
		}
	})
}

// What clients of the builtin method send is nothing to warn about.
func TestFieldsOfKnownClientsDoNotWarn(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Staff").SetStatus("SUCCESS")
		for who, row := range map[string]struct {
			path string
			data fields
		}{
			"vault login":       {"login/" + testLogin, fields{"password": testPassword, "nonce": "a-nonce", "totp": "", "provider": ""}},
			"Vault's UI":        {"login/" + testLogin, fields{"password": testPassword, "nonce": "another"}},
			"bao login":         {"login/" + testLogin, fields{"password": testPassword}},
			"Terraform":         {"config", fields{"organization": "acme", "token": "00x", "base_url": m.okta.URL, "ttl": "1h", "max_ttl": "2h", "bypass_okta_mfa": false}},
			"Terraform, groups": {"groups/staff", fields{"policies": "a,b"}},
			"Terraform, users":  {"users/fred", fields{"groups": "g", "policies": "a,b"}},
			"hvac, config":      {"config", fields{"org_name": "acme", "api_token": "00x", "base_url": m.okta.URL, "ttl": nil, "max_ttl": nil, "bypass_okta_mfa": false}},
			"hvac, users":       {"users/fred", fields{"username": "fred", "groups": nil, "policies": []string{"a"}}},
			"hvac, groups":      {"groups/staff", fields{"policies": []string{"a"}}},
			"Vault's UI, users": {"users/fred", fields{"name": "fred", "groups": []string{"g"}, "policies": []string{"a"}}},
		} {
			resp, status, text := m.do(logical.UpdateOperation, row.path, row.data)
			require.Equal(t, http.StatusOK, status, "%s: %s", who, text)
			if resp = withoutURLWarning(resp); resp != nil {
				assert.Empty(t, resp.Warnings, who)
			}
			m.configure(nil)
		}
	})
}

// A warning repeats a bounded and clean name, never a value, and of few fields.
func TestUnknownFieldsAreCleanedAndBounded(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		long := strings.Repeat("a", 1<<20)
		resp := m.write("groups/a", fields{"policies": "p", long: "hush", "b\x1b[31m\u202e\nc": "hush", `"d"`: []string{"hush"}})
		require.Len(t, unknownOf(resp), 3)
		text := strings.Join(resp.Warnings, "|")
		assert.Less(t, len(text), 1000)
		assert.NotContains(t, text, "hush")
		assert.NotContains(t, text, "\x1b")
		assert.NotContains(t, text, "\u202e")
		assert.NotContains(t, text, "\n")
		assert.Contains(t, text, `"b.[31m..c"`)

		many := fields{"policies": "p"}
		for i := range 1000 {
			many[fmt.Sprintf("field%04d", i)] = "hush"
		}
		resp = m.write("groups/a", many)
		require.Len(t, unknownOf(resp), maxUnknown+1)
		assert.Contains(t, resp.Warnings[maxUnknown], "992 more fields do not exist on this path")
		assert.JSONEq(t, `{"Policies":["p"]}`, m.stored("group/a"))
		assert.NotContains(t, m.logs.String(), "field0000")
	})
}

// Vault hands on no warning beside an error, and a wrong field may be why there is one.
func TestUnknownFieldIsToldWithAnError(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser().AddTOTP("OKTA")
		text := m.refused(fields{"passcod": "123456"})
		assert.Contains(t, text, "Okta asks for a factor")
		assert.Contains(t, text, `(the field "passcod" does not exist on this path, and was ignored: use "passcode")`)
		assert.NotContains(t, text, "123456")
		_, status, text := m.do(logical.UpdateOperation, "login/"+testLogin, fields{"pasword": "100%s"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, `password is required (the field "pasword" does not exist on this path, and was ignored: use "password")`, text)
		_, status, text = m.do(logical.UpdateOperation, "mfa/method/okta/1db034b5-81f1-4a2b-8c2b-0f51ed0bd9fc", fields{"x": 1})
		assert.Equal(t, http.StatusNotFound, status)
		assert.Equal(t, "an MFA method of type okta with this method_id does not exist", text)
	})
}

// An entry that gives nothing says so when it is written, whoever writes it.
func TestEmptyEntryWarns(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.write("mfa/method/totp/my_totp", fields{"issuer": "Acme"})
		for _, row := range []struct {
			path string
			data fields
			want []string
		}{
			{"groups/a", nil, []string{emptyGroupWarning}},
			{"groups/a", fields{"policies": ""}, []string{emptyGroupWarning}},
			{"groups/a", fields{"policies": []string{}}, []string{emptyGroupWarning}},
			{"groups/a", fields{"policies": "p"}, nil},
			{"groups/a", fields{"mfa_methods": "my_totp"}, []string{requiredWarning}},
			{"groups/a", fields{"policies": ""}, nil}, // it requires a method still
			{"groups/a", fields{"mfa_methods": ""}, []string{emptyGroupWarning}},
			{"users/fred", nil, []string{emptyUserWarning}},
			{"users/fred", fields{"okta_id": "00u1"}, []string{boundWarning, emptyUserWarning}},
			{"users/fred", fields{"groups": "g"}, nil},
			{"users/fred", fields{"policies": "p"}, nil},
			{"users/fred", fields{"groups": nil, "policies": nil, "username": "fred"}, []string{emptyUserWarning}},
		} {
			resp := m.write(row.path, row.data)
			if row.want == nil {
				assert.Nil(t, resp, row)
			} else if assert.NotNil(t, resp, row) {
				assert.Equal(t, row.want, resp.Warnings, row)
			}
		}
		// The misspelled field of a group that then grants nothing.
		warnings := strings.Join(m.write("groups/b", fields{"policy": "p"}).Warnings, "\n")
		assert.Contains(t, warnings, emptyGroupWarning)
		assert.Contains(t, warnings, `use "policies"`)
	})
}

// Without an API token nobody's groups are read: the operator is told at each write of the
// configuration, and each person at each login.
func TestMissingAPITokenWarns(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.addUser("Staff").AddPush("SUCCESS")
		resp := m.write("config", fields{"org_name": "acme", "base_url": m.okta.URL})
		require.NotNil(t, resp)
		assert.Equal(t, []string{noTokenWarning, fullURLWarning}, resp.Warnings)
		assert.Equal(t, []string{noTokenWarning}, m.write("config", fields{"token_ttl": "1h"}).Warnings)
		for _, how := range []fields{nil, {"wait": false}} {
			resp, status, text := m.login(how)
			require.Equal(t, http.StatusOK, status, text)
			if resp.Auth == nil {
				resp, status, text = m.login(fields{"transaction_id": resp.Data["transaction_id"]})
				require.Equal(t, http.StatusOK, status, text)
			}
			require.NotNil(t, resp.Auth)
			assert.Equal(t, []string{unreadWarning}, resp.Warnings)
			renewed, status, text := m.renew(issued(resp.Auth))
			require.Equal(t, http.StatusOK, status, text)
			assert.Equal(t, []string{unreadWarning}, renewed.Warnings)
		}
		// A token that was given for another host is told of once.
		m.write("config", fields{"api_token": "00x"})
		assert.Equal(t, []string{deletedTokenWarning, fullURLWarning}, m.write("config", fields{"base_url": "https://other.test"}).Warnings)
		assert.Nil(t, m.write("config", fields{"api_token": "00x"}))
	})
}

// The fields that are alike are found by what was typed.
func TestNearestField(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"policy", "policies", 3}, {"abc", "abc", 0}, {"abcd", "acbd", 2}, {"kitten", "sitting", 3}} {
		assert.Equal(t, row.want, distance(row.a, row.b), "%q %q", row.a, row.b)
	}
	b := newBackend(settings{version: testVersion})
	for _, path := range b.Paths {
		for field, schema := range path.Fields {
			op := logical.Operation("update")
			if schema.Query {
				op = "read"
			}
			if schema.Deprecated || strings.Contains(path.Pattern, "<"+field+">") {
				continue
			}
			for _, typo := range []string{field + "s", strings.ToUpper(field), field + "_"} {
				if path.Fields[typo] == nil {
					assert.Equal(t, []string{field}, nearestFields(path, op, typo), "%s %s", path.Pattern, typo)
				}
			}
		}
	}
}
