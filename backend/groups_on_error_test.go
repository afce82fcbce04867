package backend

import (
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// passing are the failures of Okta that pass: an outage, or a rate limit.
func passing() map[string]oktatest.Fault {
	faults := map[string]oktatest.Fault{"a rate limit": oktatest.RateLimited(0, time.Minute)}
	for name, outage := range outages {
		faults[name] = outage.fault
	}
	return faults
}

// TestLoginWithoutGroups: with groups_on_error=local a login whose groups cannot be read
// gets what the mount itself gives, says so, and is logged; by default it is denied.
func TestLoginWithoutGroups(t *testing.T) {
	for name, fault := range passing() {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"token_policies": "base"})
				m.addUser("Scientists")
				m.write("groups/scientists", fields{"policies": "nuclear"})
				m.write("groups/local", fields{"policies": "by-local"})
				m.write("users/"+testLogin, fields{"groups": "local", "policies": "own"})
				m.okta.Fail("groups", fault)
				_, status, _ := m.login(nil)
				assert.NotEqual(t, http.StatusOK, status)

				m.write("config", fields{"groups_on_error": "local"})
				resp, status, text := m.login(nil)
				require.Equal(t, http.StatusOK, status, text)
				assert.Equal(t, []string{"base", "by-local", "own"}, resp.Auth.Policies)
				assert.Equal(t, []string{"local"}, aliasNames(resp.Auth))
				assert.Equal(t, []string{groupsErrorWarning}, resp.Warnings)
				assert.Contains(t, m.logs.String(), "without the person's groups in Okta (groups_on_error=local)")

				m.okta.ClearFaults()
				assert.Equal(t, []string{"base", "nuclear", "by-local", "own"}, m.mustLogin(nil).Policies)
			})
		})
	}
}

// TestGroupsOnErrorIsForWhatPasses: a token that Okta refuses, and an answer that makes no
// sense, deny the login whatever groups_on_error says.
func TestGroupsOnErrorIsForWhatPasses(t *testing.T) {
	for name, fault := range map[string]oktatest.Fault{
		"a token that is refused": oktatest.Status(401, "E0000011", "Invalid token provided"),
		"rights that are missing": oktatest.Status(403, "E0000006", "You do not have permission"),
		"no sense":                oktatest.Status(404, "E0000007", "Not found"),
		"no JSON":                 oktatest.HTML(200),
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"groups_on_error": "local"})
				m.addUser("Scientists")
				m.okta.Fail("groups", fault)
				_, status, _ := m.login(nil)
				assert.NotEqual(t, http.StatusOK, status)
			})
		})
	}
}

// TestUnknownGroupsRequireAll: while nobody knows the groups of a person, required_groups
// wants one that the mount gives, and what any group requires is required.
func TestUnknownGroupsRequireAll(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"groups_on_error": "local", "required_groups": "ops"})
		phone := m.addUser("ops").AddPush("SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS")
		m.okta.Fail("groups", oktatest.Status(503, "E0000009", "Internal Server Error"))
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status, "a phone has rung")
		assert.Contains(t, text, "Okta failed with HTTP 503")
		m.write("users/"+testLogin, fields{"groups": "OPS"})
		phone.SetScript("SUCCESS")
		m.mustLogin(nil)

		m.addTOTP("my_totp")
		m.write("groups/others", fields{"mfa_methods": "my_totp"})
		phone.SetScript("SUCCESS")
		assert.Contains(t, m.refused(nil), "my_totp")
		m.okta.ClearFaults()
		phone.SetScript("SUCCESS")
		m.mustLogin(nil)
	})
}

// TestGroupsOnErrorOfToday: a login that waits for its phone is denied where the field is
// taken back meanwhile.
func TestGroupsOnErrorOfToday(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"groups_on_error": "local"})
		phone := m.addUser().AddPush()
		m.okta.Fail("groups", oktatest.Status(503, "E0000009", "Internal Server Error"))
		step := m.clock.hold(t)
		done := m.waiting(phone, m.from(callerIP, nil, nil))
		m.patch("config", fields{"groups_on_error": nil})
		phone.Approve()
		step()
		o := m.finished(done)
		assert.Equal(t, http.StatusBadRequest, o.status)
		assert.Contains(t, o.text, "Okta failed with HTTP 503")
	})
}

// TestRenewalWithoutGroups: a token is renewed by local groups alone only if it is what the
// mount would issue by them. renewal_grace, which knows the groups, comes first.
func TestRenewalWithoutGroups(t *testing.T) {
	for _, renewal := range []string{renewalLogin, renewalStatus} {
		for name, fault := range passing() {
			t.Run(renewal+" "+name, func(t *testing.T) {
				bothWays(t, func(t *testing.T, m *mount) {
					m.configure(fields{"groups_on_error": "local", "renewal": renewal})
					mia := m.addUser()
					m.write("groups/scientists", fields{"policies": "nuclear"})
					m.write("users/"+testLogin, fields{"policies": "own"})
					local := issued(m.mustLogin(nil))
					mia.SetGroups("Scientists")
					full := issued(m.mustLogin(nil))
					m.okta.Fail("groups", fault)
					m.renewed(local)
					_, status, text := m.renew(full)
					assert.NotEqual(t, http.StatusOK, status)
					assert.NotContains(t, text, "your policies have changed")
					during := issued(m.mustLogin(nil))
					m.okta.ClearFaults()
					assert.Contains(t, m.notRenewed(during), "your policies have changed")
					m.renewed(full)
				})
			})
		}
	}
	t.Run("grace", func(t *testing.T) {
		bothWays(t, func(t *testing.T, m *mount) {
			m.configure(fields{"groups_on_error": "local", "renewal": "status", "renewal_grace": "1h"})
			m.addUser("Scientists")
			m.write("groups/scientists", fields{"policies": "nuclear"})
			full := issued(m.mustLogin(nil))
			m.okta.Fail("groups", oktatest.CloseConnection())
			renewed := m.renewed(full)
			assert.Equal(t, []string{"Scientists"}, aliasNames(renewed))
			assert.Contains(t, m.logs.String(), "token renewed by renewal_grace")
			during := issued(m.mustLogin(nil))
			assert.NotContains(t, during.InternalData, confirmedKey, "Okta has not told the groups")
			m.okta.ClearFaults()
			m.okta.Fail("groups", oktatest.RateLimited(0, time.Minute))
			before := full.InternalData[confirmedKey]
			m.write("groups/scientists", fields{"policies": ""})
			full.TokenPolicies = []string{"default"}
			m.clock.advance(time.Minute)
			assert.Equal(t, before, m.renewed(full).InternalData[confirmedKey], "what Okta has said before stays")
		})
	})
}

// TestGroupsOnErrorIsChecked: it is one of two words, a null leaves it alone, and a write
// that sets it says what the builtin method would do.
func TestGroupsOnErrorIsChecked(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		assert.Equal(t, "deny", m.inForce("config")["groups_on_error"])
		_, status, text := m.do(logical.UpdateOperation, "config", fields{"groups_on_error": "allow"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, `groups_on_error must be "deny" or "local"`)
		resp := m.write("config", fields{"groups_on_error": " Local"})
		require.NotNil(t, resp)
		assert.Contains(t, resp.Warnings[0], "groups_on_error is obeyed by this plugin only")
		m.write("config", fields{"groups_on_error": nil})
		assert.Equal(t, "local", m.read("config")["groups_on_error"])
		assert.Nil(t, m.write("config", fields{"groups_on_error": "deny"}))
		assert.NotContains(t, m.stored("config"), "groups_on_error")
	})
}
