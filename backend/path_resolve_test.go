package backend

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// resolve resolves a name. The answer is as clients read it.
func (m *mount) resolve(name string) (data fields, warnings string) {
	m.t.Helper()
	resp, status, text := m.do(logical.ReadOperation, "resolve/"+name, nil)
	require.Equal(m.t, http.StatusOK, status, text)
	raw, err := json.Marshal(resp.Data)
	require.NoError(m.t, err)
	require.NoError(m.t, json.Unmarshal(raw, &data))
	return data, strings.Join(resp.Warnings, "\n")
}

// rowsOf are the rows of a list, as text: those of the fields that are named.
func rowsOf(data any, named ...string) []string {
	rows := []string{}
	for _, row := range data.([]any) {
		some := map[string]any{}
		for _, name := range named {
			if value, ok := row.(map[string]any)[name]; ok {
				some[name] = value
			}
		}
		text, _ := json.Marshal(some)
		rows = append(rows, string(text))
	}
	return rows
}

// A login gets the alias, the groups and the policies that resolve tells, whatever the
// configuration, and one that resolve denies is denied with that sentence.
func TestResolveTellsWhatALoginGets(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		mia := m.addUser("Everyone", "Scientists", "sales")
		mia.AddGroup("Scientists", "APP_GROUP")
		m.write("groups/SCIENTISTS", fields{"policies": "science,shared"})
		m.write("groups/sales", fields{"policies": "sell"})
		m.write("groups/local", fields{"policies": "here,shared"})
		m.write("users/Mia.Ito@acme.test", fields{"policies": "own", "groups": "Local"})
		m.write("users/mia.ito", fields{"policies": "short"})
		m.write("users/bound", fields{"policies": "bound", "okta_id": mia.ID})
		m.write("users/MIA.ITO@acme.test", fields{"policies": "another", "okta_id": "00uother"})
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "mine"})
		for _, set := range []fields{
			{},
			{"token_policies": "everybody,shared"},
			{"group_types": "OKTA_GROUP"},
			{"group_filter": "^s"},
			{"group_filter": "^nothing$"},
			{"alias_source": "okta_id"},
			{"alias_source": "typed"},
			{"login_domain": "acme.test"},
			{"required_groups": "local"},
			{"required_groups": "elsewhere"},
			{"mfa_methods": "mine"},
			{"api_token": ""},
		} {
			for _, name := range []string{testLogin, "MIA.ITO", "mia.ito@ACME.test"} {
				m.configure(fields{"token_policies": "", "group_types": "", "group_filter": "", "alias_source": "login", "login_domain": "",
					"required_groups": "", "mfa_methods": ""})
				m.write("config", set)
				if set["api_token"] == "" && name != testLogin {
					continue // nobody tells the login then
				}
				data, _ := m.resolve(name)
				resp, status, text := m.do(logical.UpdateOperation, "login/"+name, fields{"password": testPassword})
				require.Equal(t, status == http.StatusOK, data["admitted"], "%v %s: %s", set, name, text)
				if status != http.StatusOK {
					require.Len(t, data["denied_because"], 1)
					assert.Contains(t, text, data["denied_because"].([]any)[0], "%v", set)
					continue
				}
				assert.Empty(t, data["denied_because"])
				assert.Equal(t, resp.Auth.Alias.Name, data["alias"], "%v %s", set, name)
				assert.Equal(t, resp.Auth.DisplayName, data["display_name"], "%v %s", set, name)
				assert.Equal(t, aliasNames(resp.Auth), toStrings(data["groups"]), "%v %s", set, name)
				policies := unique(slices.Clone(resp.Auth.Policies))
				if set["api_token"] == "" { // only the login tells the user id
					policies = without(policies, "bound")
				}
				assert.ElementsMatch(t, policies, toStrings(data["policies"]), "%v %s", set, name)
				from := map[string]bool{}
				for _, source := range data["policy_sources"].([]any) {
					from[source.(map[string]any)["policy"].(string)] = true
				}
				assert.ElementsMatch(t, toStrings(data["policies"]), slices.Collect(maps.Keys(from)), "%v %s", set, name)
			}
		}
	})
}

// Each policy comes with the entry that gives it, each requirement with the entries that
// have it, and each group and entry with whether it counts.
func TestResolveTellsWhereEachPolicyComesFrom(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_policies": "everybody", "group_types": "OKTA_GROUP"})
		mia := m.addUser("Everyone", "Scientists")
		mia.AddPush().SetName("Pixel 8")
		mia.AddFactor("sms", "OKTA").SetDestination("+1 XXX-XXX-1234")
		mia.AddFactor("webauthn", "FIDO")
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "mine"})
		m.createMethod("okta", fields{"method_name": "phone"})
		m.write("mfa/method/totp/mine/admin-generate", fields{"username": testLogin})
		m.write("groups/scientists", fields{"policies": "science", "mfa_methods": "mine"})
		m.write("groups/everyone", fields{"policies": "all", "mfa_methods": "mine|phone"})
		m.write("users/mia.ito", fields{"policies": "short"})
		m.write("users/"+testLogin, fields{"policies": "own", "groups": "ops", "mfa_methods": "mine"})
		m.write("groups/ops", fields{"policies": "operate"})

		data, warnings := m.resolve(testLogin)
		assert.Equal(t, []any{testLogin, mia.ID, testLogin, "ACTIVE", true},
			[]any{data["username"], data["okta_id"], data["okta_login"], data["okta_status"], data["admitted"]}, "%v", data["denied_because"])
		assert.Equal(t, []string{
			`{"entry":"config","policy":"everybody"}`, `{"entry":"groups/scientists","group":"Scientists","policy":"science"}`,
			`{"entry":"groups/ops","group":"ops","policy":"operate"}`, `{"entry":"users/` + testLogin + `","policy":"own"}`,
		}, rowsOf(data["policy_sources"], "policy", "entry", "group"))
		assert.Equal(t, []string{
			`{"counts":false,"name":"Everyone","type":"BUILT_IN"}`, `{"counts":true,"name":"Scientists","type":"OKTA_GROUP"}`,
		}, rowsOf(data["okta_groups"], "name", "type", "counts"))
		assert.Equal(t, []string{`{"applies":false,"entry":"users/mia.ito"}`, `{"applies":true,"entry":"users/` + testLogin + `"}`},
			rowsOf(data["user_entries"], "entry", "applies"))
		assert.Equal(t, []any{"ops"}, data["local_groups"])
		methods := data["mfa_methods"].([]any)
		require.Len(t, methods, 2)
		assert.Equal(t, map[string]any{"mfa_method": "mine", "mfa_type": "totp", "wants": "a passcode",
			"required_by": []any{"users/" + testLogin, "groups/scientists"}}, methods[0])
		assert.Equal(t, map[string]any{"required_by": []any{"groups/everyone"}, "any_of": []any{
			map[string]any{"mfa_method": "mine", "mfa_type": "totp", "wants": "a passcode"},
			map[string]any{"mfa_method": "phone", "mfa_type": "okta", "wants": "a push"},
		}}, methods[1])
		assert.Equal(t, []string{
			`{"accepted":true,"device":"Pixel 8","factor":"push","name":"a push \"Pixel 8\""}`,
			`{"accepted":false,"because":"this mount does not accept it","factor":"sms","name":"SMS +1 XXX-XXX-1234"}`,
			`{"accepted":false,"because":"it needs a browser","name":"WebAuthn security key or passkey"}`,
		}, rowsOf(data["factors"], "name", "factor", "device", "accepted", "because"))
		assert.Empty(t, warnings)

		byID, _ := m.resolve(mia.ID)
		assert.Equal(t, mia.ID, byID["username"])
		delete(byID, "username")
		delete(data, "username")
		assert.Equal(t, data, byID)
	})
}

// Patterns, ids of groups, metadata and groups that cannot be read count as at a login.
func TestResolveTellsOfPatternsAndIDs(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"groups_on_error": "local", "metadata_fields": fields{"mail": "email"}})
		mia := m.addUser("vault-ops", "Wheel")
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "mine"})
		m.write("mfa/method/totp/mine/admin-generate", fields{"username": testLogin})
		m.write("groups/vault-*", fields{"policies": "starred", "pattern": true})
		m.write("groups/bosses", fields{"policies": "bound", "group_id": m.groupIDOf(mia, "Wheel", "OKTA_GROUP")})
		m.write("groups/elsewhere", fields{"policies": "never", "mfa_methods": "mine"})
		data, _ := m.resolve(testLogin)
		assert.Equal(t, []string{
			`{"entry":"groups/vault-*","group":"vault-ops","policy":"starred"}`, `{"entry":"groups/bosses","group":"Wheel","policy":"bound"}`,
		}, rowsOf(data["policy_sources"], "policy", "entry", "group"))
		assert.Equal(t, map[string]any{"mail": testLogin}, data["alias_metadata"])
		assert.Empty(t, data["mfa_methods"])
		assert.Equal(t, m.mustLogin(nil).Policies, toStrings(data["policies"]))

		m.okta.Fail("groups", oktatest.Status(http.StatusInternalServerError, "E0000009", "no"))
		data, warnings := m.resolve(testLogin)
		assert.Contains(t, warnings, groupsErrorWarning)
		assert.Empty(t, data["policies"])
		assert.Equal(t, []string{`{"mfa_method":"mine","required_by":["groups/*"],"wants":"a passcode"}`},
			rowsOf(data["mfa_methods"], "mfa_method", "required_by", "wants"))
		m.write("config", fields{"required_groups": "vault-ops"})
		data, _ = m.resolve(testLogin)
		assert.Equal(t, false, data["admitted"])
		assert.Contains(t, m.refusedWith(http.StatusBadGateway), data["denied_because"].([]any)[0])
	})
}

// refusedWith is a login that is answered with that status; it returns the sentence.
func (m *mount) refusedWith(status int) string {
	m.t.Helper()
	_, got, text := m.login(nil)
	require.Equal(m.t, status, got, text)
	return text
}

// Whatever keeps somebody out is told, all of it, and what is not told is not denied.
func TestResolveTellsWhyNobodyGetsIn(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		mia := m.addUser("Everyone")
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "mine"})
		m.createMethod("okta", fields{"method_name": "phone"})
		denied := func(name string, want ...string) fields {
			t.Helper()
			data, _ := m.resolve(name)
			assert.False(t, data["admitted"].(bool))
			told := toStrings(data["denied_because"])
			require.Len(t, told, len(want), told)
			for i := range want {
				assert.Contains(t, told[i], want[i])
			}
			return data
		}
		data := denied("nobody@acme.test", "Okta knows nobody by this name, or does not show them to this mount (E0000007): check the name, and what the API token or the service app may read")
		assert.NotContains(t, data, "policies")
		m.okta.Fail("users", oktatest.Body(200, "application/json",
			`{"id":"00uadmin","status":"ACTIVE","profile":{"login":"admin@acme.test","email":"admin@acme.test"}}`).Times(1))
		assert.NotContains(t, denied("me", "Okta knows nobody by this name, or does not show them to this mount: check the name, and what the API token or the service app may read"), "okta_id", "whose API token it is")
		for status, text := range map[string]string{
			"SUSPENDED": "suspended", "DEPROVISIONED": "deactivated", "LOCKED_OUT": "locked", "PASSWORD_EXPIRED": "expired",
			"STAGED": "not activated", "NEW_STATUS": "not active",
		} {
			mia.SetStatus(status)
			assert.Equal(t, status, denied(testLogin, text)["okta_status"])
		}
		mia.SetStatus("ACTIVE")
		m.write("config", fields{"mfa_methods": "mine,phone", "required_groups": "ops"})
		mia.SetStatus("SUSPENDED")
		denied(testLogin, "suspended", notAMember, "MFA method mine: you have no key", "MFA method phone: your account in its org is not active")
		mia.SetStatus("ACTIVE")
		m.write("config", fields{"mfa_methods": "mine|phone", "required_groups": ""})
		denied(testLogin, "MFA method mine: you have no key", "MFA method phone: you have no active factor")
		mia.AddPush()
		data, _ = m.resolve(testLogin)
		assert.Equal(t, true, data["admitted"], "one of the two is enough")
		m.plant(groupPrefix+"everyone", `{"Policies":["p"],"mfa_methods":["gone"]}`)
		data = denied(testLogin, "this login requires an MFA method that does not exist")
		assert.Equal(t, []string{`{"mfa_method":"gone","required_by":["groups/everyone"]}`},
			rowsOf(data["mfa_methods"].([]any)[1:], "mfa_method", "required_by"))
	})
}

// What does not deny every login is a warning.
func TestResolveWarns(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		mia := m.addUser("Everyone")
		warned := func(want ...string) {
			t.Helper()
			data, warnings := m.resolve(testLogin)
			assert.Equal(t, true, data["admitted"])
			for _, text := range want {
				assert.Contains(t, warnings, text)
			}
		}
		warned(noFactorWarning)
		push := mia.AddPush("REJECTED", "REJECTED", "REJECTED")
		_, warnings := m.resolve(testLogin)
		assert.Empty(t, warnings)
		for range 3 {
			push.SetScript("REJECTED")
			assert.Contains(t, m.refused(nil), "rejected")
		}
		warned("no push or code is sent to the person now")
		m.do(logical.UpdateOperation, "login/"+testLogin, fields{"password": "wrong"})
		m.do(logical.UpdateOperation, "login/"+testLogin, fields{"password": "wrong"})
		m.do(logical.UpdateOperation, "login/mia.ito", fields{"password": "wrong"})
		m.do(logical.UpdateOperation, "login/mia.ito", fields{"password": "wrong"})
		warned("too many wrong passwords were given for this name")
		m.write("config", fields{"token_bound_cidrs": "198.51.100.0/24"})
		warned("token_bound_cidrs is set")
		m.write("config", fields{"bypass_okta_mfa": true})
		warned("bypass_okta_mfa is on")
		m.write("config", fields{"group_filter": "^nothing$"})
		warned(noneCountsWarning)
		m.write("config", fields{"api_token": ""})
		warned(assumedWarning, unreadWarning)
		m.configure(nil)

		m.okta.Fail("listfactors", oktatest.Status(http.StatusForbidden, "E0000006", "no"))
		data, warnings := m.resolve(testLogin)
		assert.NotContains(t, data, "factors")
		assert.Contains(t, warnings, "the person's factors in Okta could not be read: Okta refused the API token of this mount (E0000006)")
	})
}

// Nothing but reads is sent to Okta, and nobody's phone rings.
func TestResolveOnlyReads(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		duo, phone := withDuo(m, nil)
		m.createMethod("okta", fields{"method_name": "phone"})
		m.write("config", fields{"mfa_methods": "phone,my_duo"})
		mia := m.okta.User(testLogin)
		push, sms := mia.AddPush(), mia.AddFactor("sms", "OKTA")
		m.okta.Reset()
		data, _ := m.resolve(testLogin)
		assert.Equal(t, []string{`{"mfa_method":"phone","wants":"a push"}`, `{"mfa_method":"my_duo","wants":"a push"}`},
			rowsOf(data["mfa_methods"], "mfa_method", "wants"))
		require.NotEmpty(t, m.okta.Requests())
		for _, r := range m.okta.Requests() {
			assert.Equal(t, http.MethodGet, r.Method, r.Path)
		}
		assert.Zero(t, push.Pushes()+sms.Sent()+phone.Pushes())
		assert.NotContains(t, m.logs.String(), m.okta.Token)
		text, err := json.Marshal(data)
		require.NoError(t, err)
		for _, secret := range []string{m.okta.Token, duo.SecretKey, testPassword} {
			assert.NotContains(t, string(text), secret)
		}
	})
}

// A failure of Okta's is told as at a login, and an incomplete answer is none.
func TestResolveFails(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		fails := func(status int, text string) {
			t.Helper()
			resp, got, told := m.do(logical.ReadOperation, "resolve/"+testLogin, nil)
			assert.Equal(t, status, got)
			assert.Contains(t, told, text)
			if resp != nil {
				assert.Empty(t, resp.Data["policies"])
			}
		}
		fails(http.StatusBadRequest, "not configured")
		m.configure(nil)
		m.addUser("Everyone")
		for _, endpoint := range []string{"users", "groups"} {
			m.okta.Fail(endpoint, oktatest.Status(http.StatusInternalServerError, "E0000009", "no").Times(1))
			fails(http.StatusBadGateway, "Okta failed with HTTP 500 (E0000009)")
			m.okta.Fail(endpoint, oktatest.RateLimited(0, 30*time.Second).Times(1))
			fails(http.StatusTooManyRequests, "try again in 30 seconds")
			m.okta.Fail(endpoint, oktatest.Status(http.StatusForbidden, "E0000006", "no").Times(1))
			fails(http.StatusBadRequest, "Okta refused the API token of this mount (E0000006)")
		}
		m.storage.fail(true, false)
		m.start()
		fails(http.StatusInternalServerError, "")
		m.storage.fail(false, false)
		_, status, text := m.do(logical.ReadOperation, "resolve/a..b", nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, `username must not contain ".."`)
	})
}
