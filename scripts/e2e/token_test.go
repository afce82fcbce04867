package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTokenFields(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		config object
		auth   object // in the login's answer
		token  object // in the token's own view
	}{
		{"ttl", object{"token_ttl": "20m", "token_max_ttl": "40m"},
			object{"lease_duration": number(1200), "renewable": true, "token_type": "service"},
			object{"creation_ttl": number(1200)}},
		{"old names of ttl", object{"ttl": "20m", "max_ttl": "40m"},
			object{"lease_duration": number(1200)}, nil},
		{"period", object{"token_period": "10m"},
			object{"lease_duration": number(600), "renewable": true},
			object{"period": number(600)}},
		{"explicit max ttl", object{"token_explicit_max_ttl": "30m"},
			object{"lease_duration": number(1800)},
			object{"explicit_max_ttl": number(1800)}},
		{"no default policy", object{"token_no_default_policy": true, "token_policies": "base"},
			object{"token_policies": []any{"base"}}, nil},
		{"bound CIDRs", object{"token_bound_cidrs": "127.0.0.1,10.0.0.0/8"}, nil,
			object{"bound_cidrs": []any{"127.0.0.1", "10.0.0.0/8"}}},
		{"batch", object{"token_type": "batch", "token_ttl": "10m"},
			object{"token_type": "batch", "renewable": false, "lease_duration": number(600)}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, row.config, object{"bypass_okta_mfa": false})
			a := m.mustLogin(m.addUser("mia@acme.test"))
			for k, want := range row.auth {
				require.Equal(t, want, a.Auth()[k], k)
			}
			if row.token == nil {
				return
			}
			token := m.lookup(a.Token())
			for k, want := range row.token {
				require.Equal(t, want, token[k], k)
			}
		})
	}
}

func TestTokenNumUses(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"token_num_uses": 2})
	a := m.mustLogin(m.addUser("mia@acme.test"))
	for range 2 {
		require.NoError(t, m.asToken(a.Token(), http.MethodGet, "auth/token/lookup-self", nil).Err())
	}
	require.Equal(t, http.StatusForbidden, m.asToken(a.Token(), http.MethodGet, "auth/token/lookup-self", nil).Status)
}

func TestAliasMetadata(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"alias_metadata": object{"team": "science"}})
	u := m.addUser("mia@acme.test")
	alias := func() object {
		a := m.mustLogin(u)
		entity := m.mustDo(http.MethodGet, "identity/entity/id/"+a.Auth()["entity_id"].(string), nil).Data()
		return entity["aliases"].([]any)[0].(object)
	}
	var minor int // of Vault 1; 1.19 takes no custom metadata from a method
	_, err := fmt.Sscanf(m.mustDo(http.MethodGet, "sys/health", nil).JSON["version"].(string), "1.%d.", &minor)
	if err != nil || minor > 19 {
		require.Equal(t, object{"team": "science"}, alias()["custom_metadata"])
	}
	require.Equal(t, object{"team": "science"}, alias()["metadata"])
	m.mustWrite("config", object{"alias_metadata": object{"team": "art"}})
	require.Equal(t, object{"team": "art"}, alias()["metadata"], "the entity exists")
	m.mustWrite("config", object{"alias_metadata": object{}})
	require.Empty(t, alias()["metadata"])
}

// Each of a user's groups is a group alias: an external identity group with
// that alias gives its policies.
func TestExternalIdentityGroups(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test", "Everyone", "Scientists")
	m.mustWrite("users/mia@acme.test", object{"groups": "from-here"})
	for group, policy := range map[string]string{"Scientists": "by-okta", "from-here": "by-user", "Others": "by-none"} {
		m.externalGroup(group, m.Path+"-"+policy)
	}
	a := m.mustLogin(u)
	require.Equal(t, []any{m.Path + "-by-okta", m.Path + "-by-user"}, a.Auth()["identity_policies"])
	require.Equal(t, []any{"default"}, policies(a))

	// A renewal refreshes them.
	u.SetGroups("Everyone")
	m.mustDo(http.MethodPost, "auth/token/renew", object{"token": a.Token()})
	require.Equal(t, []any{m.Path + "-by-user"}, m.lookup(a.Token())["identity_policies"])
}

func (m *mount) externalGroup(alias, policy string) {
	m.t.Helper()
	id := m.mustDo(http.MethodPost, "identity/group", object{
		"name": m.Path + "-" + alias, "type": "external", "policies": []string{policy},
	}).Data()["id"]
	m.mustDo(http.MethodPost, "identity/group-alias", object{
		"name": alias, "mount_accessor": m.accessor(), "canonical_id": id,
	})
}

// renew renews a token as its owner.
func (m *mount) renew(token string) (status int, lease any) {
	m.t.Helper()
	a := m.asToken(token, http.MethodPost, "auth/token/renew-self", nil)
	return a.Status, a.Auth()["lease_duration"]
}

func TestRenewalUsesTodaysConfig(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"token_ttl": "20m", "token_max_ttl": "2h"})
	began := time.Now()
	token := m.mustLogin(m.addUser("mia@acme.test")).Token()
	status, lease := m.renew(token)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, number(1200), lease)

	m.mustWrite("config", object{"token_ttl": "30m"})
	_, lease = m.renew(token)
	require.Equal(t, number(1800), lease)

	m.mustWrite("config", object{"token_max_ttl": "30m", "token_ttl": "30m", "token_period": "0"})
	_, lease = m.renew(token)
	require.InDelta(t, 1800, lease, time.Since(began).Seconds()+2, "no longer than the max TTL since the login")

	m.mustWrite("config", object{"token_period": "5m"})
	_, lease = m.renew(token)
	require.Equal(t, number(300), lease)
}

func TestRenewalLogsInAgain(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	token := m.mustLogin(u).Token()
	status, _ := m.renew(token)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 2, m.org.Count(http.MethodPost, "/api/v1/authn"))

	u.SetPassword(secret())
	status, _ = m.renew(token)
	require.GreaterOrEqual(t, status, 400)
}

func TestRenewalEndsWithTheAccount(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	token := m.mustLogin(u).Token()
	u.SetStatus("SUSPENDED")
	status, _ := m.renew(token)
	require.GreaterOrEqual(t, status, 400)
}

func TestRenewalFailsWhenPoliciesHaveChanged(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("groups/scientists", object{"policies": "a,b"})
	m.mustWrite("users/mia@acme.test", object{"policies": "c"})
	u := m.addUser("mia@acme.test", "Scientists")
	token := m.mustLogin(u).Token()

	// Another way to the same set is no change.
	m.mustWrite("groups/scientists", object{"policies": "c,b"})
	m.mustWrite("users/mia@acme.test", object{"policies": "b,a,a"})
	status, _ := m.renew(token)
	require.Equal(t, http.StatusOK, status)

	for name, change := range map[string]func(){
		"one more": func() { m.mustWrite("groups/scientists", object{"policies": "b,c,d"}) },
		"one less": func() { m.mustWrite("groups/scientists", object{"policies": "b"}) },
	} {
		change()
		status, _ := m.renew(token)
		require.GreaterOrEqual(t, status, 400, name)
	}
}

// As the password is all that is kept, a push comes again, and a passcode
// cannot.
func TestRenewalWithMFA(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	push := u.AddPush("SUCCESS")
	token := m.mustLogin(u).Token()
	status, _ := m.renew(token)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 2, push.Pushes())

	other := m.addUser("eve@acme.test")
	f := other.AddTOTP("OKTA")
	token = m.mustLogin(other, object{"totp": f.Code()}).Token()
	status, _ = m.renew(token)
	require.GreaterOrEqual(t, status, 400)
}

// Tokens can be revoked by the path that issued them.
func TestRevocationByPrefix(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	token := m.mustLogin(u).Token()
	m.mustDo(http.MethodPost, "sys/leases/revoke-prefix/"+m.full("login/mia@acme.test"), nil)
	require.Eventually(t, func() bool {
		return m.asToken(token, http.MethodGet, "auth/token/lookup-self", nil).Status == http.StatusForbidden
	}, patience, 50*time.Millisecond)
}
