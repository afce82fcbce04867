package backend

import (
	"cmp"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// prefetch_groups takes its words in any case, and booleans as the words that they meant.
// What is not set is not read, and auto is in force.
func TestConfigOfPrefetch(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		assert.NotContains(t, m.read("config"), "prefetch_groups")
		assert.Equal(t, "auto", m.inForce("config")["prefetch_groups"])
		for _, row := range []struct {
			given any
			want  string
		}{
			{"always", "always"}, {" Never", "never"}, {"AUTO", "auto"}, {true, "always"}, {false, "never"}, {"true", "always"},
			{"false", "never"}, {1, "always"}, {0, "never"},
		} {
			m.write("config", fields{"prefetch_groups": row.given})
			assert.Equal(t, row.want, m.read("config")["prefetch_groups"], "%v", row.given)
			m.write("config", fields{"prefetch_groups": nil})
			assert.Equal(t, row.want, m.read("config")["prefetch_groups"], "a null is not given")
		}
		_, status, text := m.do(logical.UpdateOperation, "config", fields{"prefetch_groups": "often"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, `prefetch_groups must be "auto", "always" or "never"`)
		m.write("config", fields{"prefetch_groups": ""})
		assert.NotContains(t, m.read("config"), "prefetch_groups")
	})
}

// A boolean that an earlier version has stored reads as its word, and is stored as that by
// the next write.
func TestStoredPrefetchBooleans(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for stored, want := range map[string]string{"true": "always", "false": "never", `"always"`: "always"} {
			m.plant("config", `{"organization":"acme","token":"","base_url":"","prefetch_groups":`+stored+`}`)
			assert.Equal(t, want, m.read("config")["prefetch_groups"], stored)
			m.write("config", fields{"token_ttl": "1h"})
			assert.Contains(t, m.stored("config"), `"prefetch_groups":"`+want+`"`)
		}
	})
}

// Groups are read beside the password by what the mount is configured to, and by auto
// only while more than half of Okta's limit is left. It reads none for users who
// have not logged in from that address, or whose name has met a wrong password lately.
func TestWhoseGroupsAreReadBesideThePassword(t *testing.T) {
	const most, half = 3, 2           // limits of which the first login uses one request
	wrongPassword := func(m *mount) { // from where nobody's groups are read yet
		_, status, _ := m.send(t.Context(), m.from("203.0.113.201", nil, fields{"password": "wrong"}))
		assert.Equal(t, http.StatusBadRequest, status)
	}
	for _, row := range []struct {
		name    string
		config  any
		limit   int
		address string
		change  func(m *mount)
		reads   bool
	}{
		{name: "the default", reads: true},
		{name: "auto", config: "auto", reads: true},
		{name: "always", config: "always", reads: true},
		{name: "never", config: "never"},
		{name: "auto, most is left", config: "auto", limit: most, reads: true},
		{name: "auto, half is left", config: "auto", limit: half},
		{name: "auto, the limit was reset", config: "auto", limit: half, change: func(m *mount) { m.clock.advance(2 * time.Minute) }, reads: true},
		{name: "always, half is left", config: "always", limit: half, reads: true},
		{name: "auto, wrong passwords", config: "auto", change: wrongPassword},
		{name: "always, wrong passwords", config: "always", change: wrongPassword},
		{name: "auto, another address", config: "auto", address: "203.0.113.200"},
		{name: "always, another address", config: "always", address: "203.0.113.200"},
		{name: "auto, groups_on_error", config: "auto", change: func(m *mount) { m.write("config", fields{"groups_on_error": "local"}) }},
		{name: "auto, no token", config: "auto", change: func(m *mount) { m.write("config", fields{"api_token": ""}) }},
	} {
		for _, wait := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, wait=%v", row.name, wait), func(t *testing.T) {
				bothWays(t, func(t *testing.T, m *mount) {
					m.okta.Configure(func(o *oktatest.Options) { o.OtherRateLimit = row.limit })
					m.configure(fields{"prefetch_groups": row.config})
					m.addUser("Scientists")
					m.mustLogin(nil)
					if row.change != nil {
						row.change(m)
					}
					m.okta.Reset()
					beside := false
					m.okta.Fail("authn", oktatest.Meanwhile(func() {
						if !row.reads { // a read would have begun before the password was sent
							time.Sleep(20 * time.Millisecond)
						} else {
							assert.Eventually(t, func() bool { return m.called("/groups") }, patience, time.Millisecond, "the groups wait for the password")
						}
						beside = m.called("/groups")
					}).Times(1))
					_, status, text := m.send(t.Context(), m.from(cmp.Or(row.address, callerIP), nil, fields{"wait": wait}))
					assert.Equal(t, http.StatusOK, status, text)
					assert.Equal(t, row.reads, beside)
				})
			})
		}
	}
}

// TestGroupsAreNotReadBesideAPasswordThatIsNotSent: a login that waits for its turn, and may
// be refused, has no groups read meanwhile.
func TestGroupsAreNotReadBesideAPasswordThatIsNotSent(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(fields{"prefetch_groups": "always", "max_login_failures": 2})
		groups := func(u *oktatest.User) int { return m.okta.Count(http.MethodGet, "/api/v1/users/"+u.ID+"/groups") }
		u := m.addUser("Scientists")
		m.mustLogin(nil)
		m.okta.Reset()
		released := make(chan struct{})
		m.okta.Fail("authn", oktatest.Meanwhile(func() { <-released }).Times(2))
		var logins []<-chan outcome
		for range 3 {
			logins = append(logins, m.background(t.Context(), m.from(callerIP, nil, nil)))
			synctest.Wait()
		}
		assert.Equal(t, []int{2, 2}, []int{m.authnCalls(), groups(u)})
		close(released)
		for _, login := range logins {
			o := m.finished(login)
			assert.Equal(t, http.StatusOK, o.status, o.text)
		}
		assert.Equal(t, []int{3, 3}, []int{m.authnCalls(), groups(u)})
	})
}
