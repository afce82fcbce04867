package backend

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
)

// below returns the keys in storage below a prefix.
func (m *mount) below(prefix string) []string {
	m.t.Helper()
	keys, err := logical.CollectKeysWithPrefix(m.t.Context(), m.storage, prefix)
	require.NoError(m.t, err)
	return keys
}

// Whichever step of deleting a method with its keys fails, whether storage has done it or
// not, a repeated request deletes what is left: by the method's id and by its name. No
// key is without a method meanwhile. Once nothing is left, the answer is 404.
func TestDeletionOfAMethodCanBeRepeated(t *testing.T) {
	const steps = 4 // three keys and the method
	for step := range steps {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d, done %v", step, done), func(t *testing.T) {
				bothWays(t, func(t *testing.T, m *mount) {
					id := m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
					path := "mfa/method/totp/" + []string{id, "my_totp"}[step%2]
					for _, name := range []string{"fred", "mia", "noa"} {
						m.write(path+"/admin-generate", fields{"username": name})
					}
					var deletes atomic.Int64
					fail := func(_ context.Context, op string) error {
						if strings.HasPrefix(op, "delete ") && deletes.Add(1) == int64(step+1) {
							return storetest.ErrDown
						}
						return nil
					}
					if done {
						m.storage.Stage(nil, fail)
					} else {
						m.storage.Stage(fail, nil)
					}
					_, status, _ := m.do(logical.DeleteOperation, path, nil)
					require.Equal(t, http.StatusInternalServerError, status)
					last := step == steps-1
					left := map[bool]int{true: 1}[!done && !last]
					assert.Len(t, m.below(totpKeyPrefix), left, "one that fails does not keep the others")
					assert.Equal(t, done && last, m.stored(methodPrefix+id) == "", "the method is the last to go")
					wants := []int{http.StatusOK, http.StatusNotFound, http.StatusNotFound}
					if done && last {
						wants = wants[1:]
					}
					for _, want := range wants {
						_, status, text := m.do(logical.DeleteOperation, path, nil)
						assert.Equal(t, want, status, text)
						assert.Empty(t, m.below("mfa/"))
					}
				})
			})
		}
	}
}

// A key that is left without a method is found by admin-destroy and by a deletion of the
// method, which is answered with 404 all the same. A deletion of another type leaves keys
// alone.
func TestKeysWithoutTheirMethod(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		id := m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		path := "mfa/method/totp/" + id
		m.write(path+"/admin-generate", fields{"username": "fred"})
		m.do(logical.DeleteOperation, "mfa/method/okta/"+id, nil)
		assert.Len(t, m.below("mfa/"), 2)
		m.plant(methodPrefix+id, "")
		_, status, _ := m.do(logical.UpdateOperation, path+"/admin-destroy", fields{"username": "mia"})
		assert.Equal(t, http.StatusNotFound, status)
		m.write(path+"/admin-destroy", fields{"username": "FRED"})
		assert.Empty(t, m.below("mfa/"))
		_, status, _ = m.do(logical.UpdateOperation, path+"/admin-destroy", fields{"username": "fred"})
		assert.Equal(t, http.StatusNotFound, status, "nothing is left")

		id = m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		m.write("mfa/method/totp/"+id+"/admin-generate", fields{"username": "fred"})
		m.plant(methodPrefix+id, "")
		m.storage.fail(false, true)
		_, status, _ = m.do(logical.DeleteOperation, "mfa/method/totp/"+id, nil)
		assert.Equal(t, http.StatusInternalServerError, status, "it is told that a key is left")
		m.storage.fail(false, false)
		_, status, _ = m.do(logical.DeleteOperation, "mfa/method/totp/"+id, nil)
		assert.Equal(t, http.StatusNotFound, status)
		assert.Empty(t, m.below("mfa/"))
		for _, strange := range []string{"..", "a..b"} {
			_, status, text := m.do(logical.DeleteOperation, "mfa/method/totp/"+strange, nil)
			assert.Equal(t, http.StatusNotFound, status, text)
		}
		for op := range m.storage.Operations() {
			assert.NotContains(t, op, "..", "what is no storage key")
		}
	})
}

// A deletion of a key that fails can be repeated.
func TestDestructionOfAKeyCanBeRepeated(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		path := "mfa/method/totp/" + m.createMethod("totp", fields{"issuer": "Acme"})
		m.write(path+"/admin-generate", fields{"username": "fred"})
		m.storage.fail(false, true)
		_, status, _ := m.do(logical.UpdateOperation, path+"/admin-destroy", fields{"username": "fred"})
		assert.Equal(t, http.StatusInternalServerError, status)
		m.storage.fail(false, false)
		m.write(path+"/admin-destroy", fields{"username": "fred"})
		assert.Empty(t, m.below(totpKeyPrefix))
	})
}

// A key that is used while its method is deleted does not come back.
func TestKeyInUseIsDeletedWithItsMethod(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser().SetStatus("SUCCESS")
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		id := strings.Split(m.below(totpKeyPrefix)[0], "/")[2]
		release := m.hang("put mfa/totp/", m.from(callerIP, nil, fields{"mfa": app.credential()}))
		m.write("config", fields{"mfa_methods": ""})
		listed := m.storage.Asked("list " + totpKeyPrefix + id + "/")
		deleted := m.background(t.Context(), m.request(logical.DeleteOperation, "mfa/method/totp/"+id, nil))
		m.eventually(func() bool { return m.storage.Asked("list "+totpKeyPrefix+id+"/") > listed }, "the deletion does not come to the key")
		release()
		assert.Equal(t, http.StatusOK, m.finished(deleted).status)
		assert.Empty(t, m.below("mfa/"))
	})
}

// Where storage is read-only, a request that writes is answered so that Vault
// forwards it: a login with a passcode, whether it is right or wrong, too.
func TestReadOnlyStorageIsForwarded(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser().SetStatus("SUCCESS")
		app := m.addTOTP("my_totp")
		path := "mfa/method/totp/" + strings.Split(m.below(totpKeyPrefix)[0], "/")[2]
		m.write("users/fred", fields{"policies": "p"})
		m.write("config", fields{"mfa_methods": "my_totp"})
		m.storage.Stage(func(_ context.Context, op string) error {
			if storetest.Writes(op) {
				return logical.ErrReadOnly
			}
			return nil
		}, nil)
		login := "login/" + testLogin
		for _, o := range []operation{
			update(login, fields{"password": testPassword, "mfa": app.credential()}),
			update(login, fields{"password": testPassword, "mfa": "my_totp:" + app.wrong()}),
			update(login, fields{"password": testPassword, "mfa": app.credential(), "wait": false}),
			update("config", fields{"token_ttl": "1h"}), update("users/fred", fields{"policies": "q"}), remove("users/fred"),
			update("groups/a", fields{"policies": "q"}), update(path, fields{"issuer": "New"}),
			update(path+"/admin-generate", fields{"username": "fred"}), update(path+"/admin-destroy", fields{"username": testLogin}),
		} {
			resp, err := m.backend.HandleRequest(t.Context(), m.request(o.op, o.path, o.data))
			assert.Nil(t, resp, o)
			if assert.Error(t, err, o) {
				assert.Equal(t, logical.ErrReadOnly.Error(), err.Error(), o)
				assert.True(t, m.grpc || err == logical.ErrReadOnly, "%v: not bare", o)
			}
		}
		m.storage.Stage(nil, nil)
		m.mustLogin(fields{"mfa": app.credential()})
	})
}

// What another node has written, and Vault has not told of, is in logins five minutes
// later, and no login waits for it.
func TestLoginsReadAgainInTheBackground(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.write("groups/everyone", fields{"policies": "old"})
		assert.Equal(t, []string{"old"}, m.mustLogin(nil).Policies)
		for _, change := range []struct{ key, raw string }{
			{"group/everyone", `{"Policies":["new"]}`}, {"user/" + testLogin, `{"Groups":[],"Policies":["own"]}`},
		} {
			require.NoError(t, m.storage.Put(t.Context(), &logical.StorageEntry{Key: change.key, Value: []byte(change.raw)}))
		}
		before := m.storage.Reads()
		m.clock.advance(4 * time.Minute)
		assert.Equal(t, []string{"old"}, m.mustLogin(nil).Policies)
		assert.Equal(t, before, m.storage.Reads())

		m.clock.advance(time.Minute)
		answer := make(chan struct{})
		m.storage.Stage(nil, func(ctx context.Context, _ string) error { // until then, storage does not answer
			select {
			case <-answer:
			case <-ctx.Done():
			}
			return nil
		})
		assert.Equal(t, []string{"old"}, m.mustLogin(nil).Policies)
		close(answer)
		m.eventually(func() bool {
			resp, _, _ := m.login(nil)
			return assert.ObjectsAreEqual([]string{"new", "own"}, resp.Auth.Policies)
		}, "what is old stays")
	})
}

// A read that panics fails the requests that wait for it, and is in the log without
// what it panicked with.
func TestReadThatPanics(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	m.configure(nil)
	m.addUser()
	m.start()
	m.storage.Stage(func(context.Context, string) error { panic("a secret") }, nil)
	_, status, text := m.login(nil)
	assert.Equal(t, http.StatusInternalServerError, status, text)
	assert.Contains(t, m.logs.String(), "failed by a bug in the plugin")
	assert.Contains(t, m.logs.String(), "storetest.go")
	assert.NotContains(t, m.logs.String()+text, "a secret")
	m.storage.Stage(nil, nil)
	m.mustLogin(nil)
}
