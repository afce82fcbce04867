package backend

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
)

// stale begins a node with all in memory, and has another node change storage then,
// which nobody tells this one of.
func (m *mount) stale(change func(other *mount)) {
	m.t.Helper()
	for _, path := range []string{"config", "groups/any", "users/any", "users/", "groups/", "mfa/method/"} {
		op := logical.Operation(logical.ReadOperation)
		if strings.HasSuffix(path, "/") {
			op = logical.ListOperation
		}
		m.do(op, path, nil)
	}
	m.login(nil)
	other := *m
	other.start()
	change(&other)
}

// A deletion deletes what memory does not have.
func TestDeletionOfWhatMemoryDoesNotHave(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		id := ""
		m.stale(func(other *mount) {
			other.write("groups/admins", fields{"policies": "p", "group_id": "00g1a2b3c4d5e6f7g8h9"})
			other.plant(groupPrefix+"Ops", `{"Policies":["p"]}`)
			other.write("users/mia", fields{"policies": "p", "okta_id": "00u1"})
			id = other.createMethod("totp", fields{"issuer": "Acme"})
			other.write("mfa/method/totp/"+id+"/admin-generate", fields{"username": "mia"})
		})
		for _, path := range []string{"groups/Admins", "groups/ops", "users/mia", "mfa/method/totp/" + id} {
			_, status, text := m.do(logical.DeleteOperation, path, nil)
			assert.Equal(t, http.StatusOK, status, "%s: %s", path, text)
		}
		for _, prefix := range []string{groupPrefix, groupNotesPrefix, userPrefix, userNotesPrefix, "mfa/"} {
			assert.Empty(t, m.below(prefix))
		}
	})
}

// A write changes what is stored and not what is in memory.
func TestWriteOverWhatMemoryDoesNotHave(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.write("groups/old", fields{"policies": "p"})
		id := ""
		m.stale(func(other *mount) {
			id = other.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
			other.plant(groupPrefix+"Ops", `{"Policies":["p"],"mfa_methods":["my_totp"]}`)
			other.write("groups/old", fields{"mfa_methods": "my_totp"})
			other.write("users/mia", fields{"mfa_methods": "my_totp", "okta_id": "00u1"})
			other.write("users/noa", fields{"policies": "p", "okta_id": "00u1"})
			other.write("config", fields{"mfa_methods": "my_totp"})
		})
		for _, path := range []string{"groups/ops", "groups/old", "users/mia"} {
			m.write(path, fields{"policies": "q"})
			assert.Equal(t, []string{"my_totp"}, toStrings(m.read(path)["mfa_methods"]), path)
		}
		assert.ElementsMatch(t, []string{groupPrefix + "Ops", groupPrefix + "old"}, m.below(groupPrefix), "one group of a name")
		m.write("config", fields{"token_ttl": "1h"})
		assert.Equal(t, []string{"my_totp"}, toStrings(m.read("config")["mfa_methods"]))
		m.write("users/pia", fields{"okta_id": "00u1"})
		assert.JSONEq(t, `{"names":["mia","noa","pia"]}`, m.stored(userNotesPrefix+"00u1"))
		m.write("groups/new", fields{"mfa_methods": "my_totp"}) // which this node has not heard of
		m.write("mfa/method/totp/"+id, fields{"issuer": "New"})
		_, status, _ := m.do(logical.UpdateOperation, "mfa/method/totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		assert.Equal(t, http.StatusBadRequest, status, "the name is taken")
		_, status, _ = m.do(logical.DeleteOperation, "mfa/method/totp/"+id, nil)
		assert.Equal(t, http.StatusBadRequest, status, "the method is required")
		m.write("mfa/method/totp/"+id+"/admin-generate", fields{"username": "mia"})
	})
}

// eachOperation are requests to all paths.
func (m *mount) eachOperation(id string) (reads, writes, logins []operation) {
	list := func(path string) operation { return operation{logical.ListOperation, path, nil} }
	read := func(path string) operation { return operation{logical.ReadOperation, path, nil} }
	reads = []operation{read("config"), read("groups/a"), read("users/a"), read("mfa/method/totp/" + id), read("verify/n"),
		list("groups/"), list("users/"), list("mfa/method/"), list("mfa/method/totp/"), list("config/aliases"), read("resolve/" + testLogin), read("config/check"), update("config/check", fields{"token_ttl": "1h"})}
	writes = []operation{update("config", fields{"token_ttl": "1h"}),
		update("groups/a", fields{"policies": "q"}), remove("groups/a"), remove("groups/none"),
		update("users/a", fields{"policies": "q"}), remove("users/a"), remove("users/none"),
		update("mfa/method/totp/"+id, fields{"issuer": "New"}), update("mfa/method/totp", fields{"issuer": "New"}), remove("mfa/method/totp/" + id),
		{logical.PatchOperation, "config", fields{"token_ttl": "2h"}}, {logical.PatchOperation, "groups/a", fields{"policies": "q"}},
		update("mfa/method/totp/"+id+"/admin-generate", fields{"username": "noa"}), update("mfa/method/totp/"+id+"/admin-destroy", fields{"username": "mia"})}
	logins = []operation{update("login/"+testLogin, fields{"password": testPassword})}
	return reads, writes, logins
}

// everything has something of each kind in storage.
func (m *mount) everything() (id string) {
	m.configure(nil)
	m.addUser("Everyone")
	m.write("groups/a", fields{"policies": "p"})
	m.write("users/a", fields{"policies": "p"})
	id = m.createMethod("totp", fields{"issuer": "Acme"})
	m.write("mfa/method/totp/"+id+"/admin-generate", fields{"username": "mia"})
	return id
}

// A standby hands on all requests but lookaheads, and a performance secondary those that
// write, but no login. Neither asks storage or Okta first.
func TestRequestsAreForwarded(t *testing.T) {
	for _, node := range []consts.ReplicationState{consts.ReplicationPerformanceStandby, consts.ReplicationPerformanceSecondary} {
		t.Run(node.GetPerformanceString(), func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				id := m.everything()
				m.replication = node
				m.start()
				reads, writes, logins := m.eachOperation(id)
				forwarded, served := writes, append(reads, logins...)
				if node == consts.ReplicationPerformanceStandby {
					forwarded, served = append(writes, served...), nil
				}
				before := len(m.storage.Operations())
				for _, o := range forwarded {
					resp, err := m.backend.HandleRequest(t.Context(), m.request(o.op, o.path, o.data))
					assert.Nil(t, resp, o)
					assert.ErrorContains(t, err, logical.ErrReadOnly.Error(), o)
				}
				assert.Len(t, m.storage.Operations(), before)
				assert.Empty(t, m.okta.Requests())
				for _, o := range served {
					_, err := m.backend.HandleRequest(t.Context(), m.request(o.op, o.path, o.data))
					assert.NoError(t, err, o)
				}
				resp, status, text := m.do(logical.AliasLookaheadOperation, "login/"+testLogin, nil)
				require.Equal(t, http.StatusOK, status, text)
				assert.Equal(t, testLogin, resp.Auth.Alias.Name)
			})
		})
	}
}

// Whatever storage is like, a write is answered as done only if it is. A node that cannot
// write says so, whether its storage has the entry yet or not.
func TestWritesOnEachFaultOfStorage(t *testing.T) {
	for _, fault := range storetest.Faults {
		t.Run(string(fault), func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				id := m.everything()
				_, writes, _ := m.eachOperation(id)
				if fault == storetest.Lagging { // of what it has not seen yet
					require.NoError(t, m.storage.Suffer(t.Context(), fault))
					require.NoError(t, m.storage.Storage.Storage.Put(t.Context(), &logical.StorageEntry{Key: groupPrefix + "late", Value: []byte(`{}`)}))
					writes = []operation{remove("groups/late"), remove("groups/a"), remove("users/a"), update("groups/a", fields{"policies": "q"}),
						update("config", fields{"token_ttl": "1h"}), remove("mfa/method/totp/" + id)}
				}
				if fault != storetest.Lagging {
					require.NoError(t, m.storage.Suffer(t.Context(), fault))
				}
				for _, o := range writes {
					if fault == storetest.Hanging && o.path == "mfa/method/totp" {
						continue // a write that reads nothing first waits until storage has answered
					}
					ctx, stop := context.WithCancel(t.Context())
					if fault == storetest.Hanging {
						ctx, stop = context.WithTimeout(t.Context(), 20*time.Millisecond)
					}
					resp, status, text := m.send(ctx, m.request(o.op, o.path, o.data))
					stop()
					assert.NotEqual(t, http.StatusOK, status, "%s %s: %v", o.op, o.path, resp)
					if fault == storetest.ReadOnly || fault == storetest.Lagging {
						assert.Contains(t, text, logical.ErrReadOnly.Error(), "%s %s", o.op, o.path)
					}
				}
				require.NoError(t, m.storage.Heal(t.Context()))
				for _, path := range []string{"groups/a", "users/a"} { // memory says what storage does, late writes included
					want := http.StatusOK
					if m.stored(strings.Replace(path, "s/", "/", 1)) == "" {
						want = http.StatusNotFound
					}
					_, status, text := m.do(logical.ReadOperation, path, nil)
					assert.Equal(t, want, status, "%s: %s", path, text)
				}
				m.mustLogin(nil)
			})
		})
	}
}
