package backend

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// canary is in every secret that the tests of this file give. Whatever has it, has told
// one. It has the form of a code of OAuth's and of an id, so that no form protects it.
const canary = "canary_of_a_secret"

// concrete makes a path of a pattern.
func concrete(pattern string) string {
	path := regexp.MustCompile(`\(\?P<\w+>[^)]*\)`).ReplaceAllString(pattern, "canon")
	return strings.TrimRight(strings.NewReplacer("/?", "/", "$", "", "^", "").Replace(path), "/")
}

// canaries are what somebody may send in the place of a secret, all with the canary in it.
var canaries = []any{
	canary, []any{canary}, map[string]any{canary: canary},
	" " + canary + "\n", "\x00" + canary, canary + "\xff", strings.Repeat(canary, 4000), canary + ",123456", "my_totp:" + canary, "a b:" + canary, "my_totp:push=" + canary,
	[]any{canary, canary}, []any{[]any{canary}}, []any{1, canary}, []any{map[string]any{"a": canary}}, map[string]any{"a": map[string]any{"b": canary}}, []string{canary},
}

// mistakes are names that somebody may give a field by mistake.
func mistakes(field string) []string {
	return []string{field + "s", strings.ToUpper(field), strings.ReplaceAll(field, "_", "-"), "x" + field}
}

// heard collects what was answered. What a token keeps for its renewal is not shown.
func heard(t *testing.T, resp *logical.Response, text string) string {
	t.Helper()
	if resp == nil {
		return text
	}
	shown := fields{"data": resp.Data, "warnings": resp.Warnings, "headers": resp.Headers, "redirect": resp.Redirect}
	if body, ok := resp.Data[logical.HTTPRawBody].([]byte); ok { // JSON would encode it
		shown["body"] = string(body)
	}
	if a := resp.Auth; a != nil {
		shown["auth"] = []any{a.DisplayName, a.Metadata, a.Policies, a.Alias, a.GroupAliases}
	}
	raw, err := json.Marshal(shown)
	require.NoError(t, err)
	return text + string(raw)
}

// TestCanaryInEachField: a secret in any field of any path, for any operation, with a value
// of any type, in a field that the path does not have, and under a name that is near to
// that of the field, is told to nobody.
func TestCanaryInEachField(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		secretFields := slices.Sorted(maps.Keys(m.inner.sensitive)) // TestSecretsAreSensitive holds that these are all
		m.addUser("Everyone").AddPush()
		asked, nth := 0, 0
		for _, configured := range []bool{false, true} {
			for _, path := range m.inner.Paths {
				name := concrete(path.Pattern)
				ask := func(op logical.Operation, field string, value any) {
					asked++
					data := fields{field: value}
					if strings.HasPrefix(name, "config/key") {
						data["algorithm"] = "ES256" // the other one takes long
					}
					if strings.HasPrefix(name, "login/") && field != "password" {
						data["password"] = canary
					}
					resp, _, text := m.do(op, name, data)
					if all := heard(t, resp, text); strings.Contains(all, "canary") {
						t.Errorf("%s %s with %s=%.60q: %.300s", op, name, field, value, all)
					}
				}
				for _, op := range slices.Sorted(maps.Keys(path.Operations)) {
					if configured { // again: the operation before may have been a deletion
						m.configure(fields{"passcode_separator": ",", "max_login_failures": 0})
						m.write("mfa/method/totp/my_totp", fields{"issuer": "acme"})
					}
					for _, field := range secretFields {
						if nth++; nth%everyNth != 0 {
							continue
						}
						ask(op, field, canary)
						if path.Fields[field] == nil {
							continue
						}
						for _, value := range canaries[1:] {
							ask(op, field, value)
						}
						for _, near := range mistakes(field) {
							ask(op, near, canary)
							ask(op, near, fields{canary: canary})
						}
					}
				}
			}
		}
		assert.Greater(t, asked, 1500/everyNth)
		assert.NotContains(t, m.logs.String(), "canary")
		assert.Contains(t, m.logs.String(), string(eventLoginDenied))
	})
}

// TestCanaryInAnAnswer: whatever Okta, or something in its place, repeats of what a login
// has sent, in whatever part of its answer, it is told to nobody.
func TestCanaryInAnAnswer(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.okta.Token = "00" + canary + "_token"
		m.configure(fields{"max_login_failures": 0, "mfa_factors": allFactors, "metadata_fields": "city=city"})
		u := m.okta.AddUser(testLogin, canary)
		u.SetGroups("Everyone")
		question := u.AddFactor("question", "OKTA")
		for place, body := range map[string]string{
			"code": `{"errorCode":"%[1]s"}`, "id": `{"errorCode":"E0000001","errorId":"%[1]s"}`, "summary": `{"errorCode":"E0000001","errorSummary":"%[1]s"}`,
			"cause": `{"errorCode":"E0000001","errorCauses":[{"errorSummary":"%[1]s"}]}`, "words": `{"errorCode":"E0000113","errorSummary":"%[1]s"}`,
			"status": `{"status":"%[1]s"}`, "result": `{"status":"MFA_CHALLENGE","factorResult":"%[1]s"}`, "page": `<p>%[1]s`, "key": `{"%[1]s":"%[1]s"}`, "value": `"%[1]s"`, "oauth": `{"error":"%[1]s"}`,
			"account": `{"id":"00u1","status":"%[1]s","profile":{"login":"mia.ito@acme.test"}}`, "list": `[{"id":"%[1]s","profile":{"name":"%[1]s"}}]`,
		} {
			for _, status := range []int{200, 202, 400, 401, 403, 404, 409, 429, 500, 503} {
				for _, endpoint := range []string{"authn", "verify", "users", "groups"} {
					secret, answer := canary, canary
					if endpoint == "users" || endpoint == "groups" {
						secret, answer = m.okta.Token, question.Code()
					}
					contentType := "application/json"
					if place == "page" {
						contentType = "text/" + secret
					}
					m.okta.ClearFaults()
					m.okta.Fail(endpoint, oktatest.Body(status, contentType, fmt.Sprintf(body, secret)))
					resp, _, text := m.do(logical.UpdateOperation, "login/"+u.Login(), fields{"password": canary, "totp": answer, "device_token": canary})
					assert.NotContains(t, heard(t, resp, text), "canary", "%s, HTTP %d of %s", place, status, endpoint)
					m.clock.advance(10 * time.Second) // as long as the mount leaves alone an org that fails
				}
			}
		}
		asked := map[string]int{}
		for _, request := range m.okta.Requests() {
			asked[path.Base(request.Path)]++
			asked[path.Base(path.Dir(request.Path))]++ // "users", of one account
		}
		for _, endpoint := range []string{"authn", "verify", "groups", "users"} {
			assert.GreaterOrEqual(t, asked[endpoint], 100, endpoint)
		}
		assert.NotContains(t, m.logs.String(), "canary")
		assert.Contains(t, m.logs.String(), "okta_status")
	})
}

// TestCanaryOfAKey: no path tells a private key, a key of a person or what a method is
// kept with, once it is stored.
func TestCanaryOfAKey(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"api_token": "00" + canary})
		m.write("config/key", fields{"algorithm": "ES256"})
		m.write("config/key/rotate", fields{"algorithm": "ES256"})
		var secrets []string
		for typ, body := range asRead {
			all := fields{}
			for _, part := range body {
				for field, value := range part {
					all[field] = value
				}
			}
			for _, secret := range body[1] {
				secrets = append(secrets, secret.(string))
			}
			m.write("mfa/method/"+typ+"/my_"+typ, all)
		}
		var keys struct {
			Current, Next struct {
				PrivateKey string `json:"private_key"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(m.stored(keysKey)), &keys))
		for _, private := range []string{keys.Current.PrivateKey, keys.Next.PrivateKey} {
			lines := strings.Split(private, "\n")
			require.Greater(t, len(lines), 2)
			secrets = append(secrets, lines[1])
		}
		secrets = append(secrets, canary)
		require.Len(t, secrets, 6)
		var all strings.Builder
		for _, path := range m.inner.Paths {
			for _, name := range []string{concrete(path.Pattern), strings.Replace(concrete(path.Pattern), "canon", "my_"+strings.Split(path.Pattern+"///", "/")[2], 1)} {
				for _, op := range []logical.Operation{logical.ReadOperation, logical.ListOperation, logical.HelpOperation} {
					if path.Operations[op] == nil && op != logical.HelpOperation {
						continue
					}
					for _, data := range []fields{nil, {"defaults": "true"}} {
						resp, status, text := m.do(op, name, data)
						all.WriteString(heard(t, resp, text))
						if strings.HasSuffix(name, "/my_duo") && op == logical.ReadOperation {
							assert.Equal(t, http.StatusOK, status, text)
						}
					}
				}
			}
		}
		for _, secret := range secrets {
			assert.NotContains(t, all.String(), secret)
			assert.NotContains(t, m.logs.String(), secret)
		}
		assert.Contains(t, all.String(), "api-1234.duosecurity.com")
	})
}
