package backend

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestMetadataFields: attributes of the profile are metadata of the alias beside
// alias_metadata. What is missing, has another type, is too long, or is a wildcard in a
// policy's path is left out, and the login succeeds.
func TestMetadataFields(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"alias_metadata": fields{"team": "blue"}})
		mia := m.addUser()
		metadata := func() map[string]string { t.Helper(); return m.mustLogin(nil).Alias.Metadata }
		assert.Equal(t, map[string]string{"team": "blue"}, metadata())
		m.okta.Reset()
		m.mustLogin(nil)
		assert.ElementsMatch(t, []string{"authn", "groups"}, strings.Fields(m.order()), "nobody asked for attributes")

		m.write("config", fields{"metadata_fields": "department=department, cost_center=costCenter,mail=email"})
		for _, row := range []struct {
			value any
			want  string
		}{
			{"Research & Development", "Research & Development"}, {"R/D", "R/D"}, {"c++", "c++"}, {"a+b/c", "a+b/c"},
			{42, "42"}, {1.5, "1.5"}, {true, "true"}, {false, "false"}, {strings.Repeat("x", 512), strings.Repeat("x", 512)},
			{nil, ""}, {"", ""}, {[]string{"a"}, ""}, {map[string]any{"a": "b"}, ""}, {strings.Repeat("x", 513), ""}, {"a\nb", ""},
			{"*", ""}, {"sales*", ""}, {"+", ""}, {"a/+/b", ""}, {"../admins", ""},
		} {
			mia.SetAttribute("department", row.value)
			mia.SetAttribute("costCenter", "cc-7")
			want := map[string]string{"team": "blue", "cost_center": "cc-7", "mail": testLogin}
			if row.want != "" {
				want["department"] = row.want
			}
			assert.Equal(t, want, metadata(), "%v", row.value)
		}
		assert.EqualValues(t, map[string]any{"department": "department", "cost_center": "costCenter", "mail": "email"}, anyMap(m.read("config")["metadata_fields"]))
		mia.SetAttribute("department", "lab")
		m.start()
		assert.Equal(t, "lab", metadata()["department"], "after a restart, too")
		m.patch("config", fields{"metadata_fields": fields{"mail": nil, "where": "city"}})
		assert.EqualValues(t, map[string]any{"department": "department", "cost_center": "costCenter", "where": "city"}, anyMap(m.read("config")["metadata_fields"]))
		m.patch("config", fields{"metadata_fields": nil})
		assert.Equal(t, map[string]string{"team": "blue"}, metadata())
		assert.NotContains(t, m.stored("config"), "metadata_fields")
	})
}

// anyMap makes maps of both sides of the wire comparable.
func anyMap(v any) map[string]any {
	all := map[string]any{}
	if texts, ok := v.(map[string]string); ok {
		for k, s := range texts {
			all[k] = s
		}
		return all
	}
	maps.Copy(all, v.(map[string]any))
	return all
}

// TestProfileIsReadBesideTheGroups: the two requests do not wait for one another, and none
// is made for a renewal, which changes no metadata.
func TestProfileIsReadBesideTheGroups(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"metadata_fields": "mail=email"})
		mia := m.addUser("Scientists")
		auth := issued(m.mustLogin(nil))
		m.okta.Reset()
		m.renewed(auth)
		assert.ElementsMatch(t, []string{"authn", "groups"}, strings.Fields(m.order()))

		// Each answers only once the other has been asked.
		both := make(chan struct{}, 2)
		meet := oktatest.Meanwhile(func() {
			both <- struct{}{}
			m.eventually(func() bool { return len(both) == 2 }, "one waits for the other")
		})
		m.okta.Fail("groups", meet.Times(1))
		m.okta.Fail("users", meet.Times(1))
		assert.Equal(t, map[string]string{"mail": testLogin}, m.mustLogin(nil).Alias.Metadata)

		// Those of a phone that rings are read meanwhile.
		phone := mia.AddPush()
		step := m.clock.hold(t)
		m.okta.Reset()
		done := m.waiting(phone, m.from(callerIP, nil, nil))
		m.eventually(func() bool { return m.called("/groups") && m.called("/"+mia.ID) }, "the profile waits for the phone")
		phone.Approve()
		step()
		o := m.finished(done)
		require.Equal(t, http.StatusOK, o.status, o.text)
		assert.Equal(t, map[string]string{"mail": testLogin}, o.resp.Auth.Alias.Metadata)
	})
}

// TestProfileThatIsNotShown: where the API token may not see people, the login has no such
// metadata and succeeds. Where Okta fails, it is as if the groups could not be read.
func TestProfileThatIsNotShown(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"metadata_fields": "mail=email", "alias_metadata": fields{"team": "blue"}})
		m.addUser("Scientists")
		for _, fault := range []oktatest.Fault{
			oktatest.Status(403, "E0000006", "You do not have permission"), oktatest.Status(404, "E0000007", "Not found"),
			oktatest.Without("profile"), oktatest.Without("profile.email"),
		} {
			m.okta.Fail("users", fault)
			resp, status, text := m.login(nil)
			require.Equal(t, http.StatusOK, status, text)
			assert.Equal(t, map[string]string{"team": "blue"}, resp.Auth.Alias.Metadata)
			assert.Equal(t, []string{"Scientists"}, aliasNames(resp.Auth))
			assert.Empty(t, resp.Warnings)
			m.okta.ClearFaults()
		}
		for _, fault := range []oktatest.Fault{
			oktatest.CloseConnection(), oktatest.RateLimited(0, time.Minute), oktatest.Body(200, "application/json", `{"id":"00u1","profile":{"email":"eve@acme.test"}}`),
		} {
			m.okta.Fail("users", fault)
			_, status, _ := m.login(nil)
			assert.GreaterOrEqual(t, status, http.StatusTooManyRequests)
			m.okta.ClearFaults()
		}
		m.write("config", fields{"groups_on_error": "local"})
		m.okta.Fail("users", oktatest.CloseConnection())
		resp, status, text := m.login(nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, []string{groupsErrorWarning}, resp.Warnings)
		assert.Equal(t, map[string]string{"team": "blue"}, resp.Auth.Alias.Metadata)
	})
}

// TestMetadataFieldsAreChecked: what makes no sense is refused with its field, a null
// leaves the field alone, and a write that sets it says what becomes of it.
func TestMetadataFieldsAreChecked(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"metadata_fields": fields{"mail": "email"}, "alias_metadata": fields{"team": "blue"}})
		many := fields{}
		for i := range maxMetadataFields + 1 {
			many[fmt.Sprint("k", i)] = "email"
		}
		for _, bad := range []fields{
			{"metadata_fields": fields{"": "email"}}, {"metadata_fields": fields{"a b": "email"}}, {"metadata_fields": "mail"},
			{"metadata_fields": fields{strings.Repeat("k", 129): "email"}}, {"metadata_fields": fields{"mail": ""}},
			{"metadata_fields": fields{"mail": "profile.email"}}, {"metadata_fields": "mail=email,"}, {"metadata_fields": many},
			{"metadata_fields": fields{"team": "email"}}, {"alias_metadata": fields{"mail": "x"}}, {"api_token": ""},
		} {
			before := m.stored("config")
			_, status, text := m.do(logical.UpdateOperation, "config", bad)
			assert.Equal(t, http.StatusBadRequest, status, "%v", bad)
			assert.Contains(t, text, "metadata_fields", "%v", bad)
			assert.Equal(t, before, m.stored("config"))
		}
		resp := m.write("config", fields{"metadata_fields": []string{"mail=email", "dept=department"}})
		require.NotNil(t, resp)
		assert.Equal(t, []string{metadataWarning}, resp.Warnings)
		assert.Nil(t, m.write("config", fields{"metadata_fields": nil}))
		assert.Contains(t, m.stored("config"), `"metadata_fields":{"dept":"department","mail":"email"}`)
		assert.Nil(t, m.write("config", fields{"metadata_fields": fields{}}))
		assert.NotContains(t, m.stored("config"), "metadata_fields")
	})
}
