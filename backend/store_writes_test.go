package backend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
)

// hang has the first write hang whose operation begins so, until it is released. It
// returns once the request has come so far.
func (m *mount) hang(op string, req *logical.Request) (release func() outcome) {
	m.t.Helper()
	released, reached := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	m.storage.Stage(func(_ context.Context, does string) error {
		if strings.HasPrefix(does, op) && first.CompareAndSwap(false, true) {
			close(reached)
			<-released
		}
		return nil
	}, nil)
	done := m.background(m.t.Context(), req)
	select {
	case <-reached:
	case <-time.After(patience):
		m.t.Fatal("storage is not asked for ", op)
	}
	var end sync.Once
	m.t.Cleanup(func() { end.Do(func() { close(released) }) })
	return func() outcome {
		m.t.Helper()
		end.Do(func() { close(released) })
		return m.finished(done)
	}
}

// operation is a request, as a test writes it.
type operation struct {
	op   logical.Operation
	path string
	data fields
}

func (o operation) String() string { return fmt.Sprint(o.op, " ", o.path, " ", o.data) }

func update(path string, data fields) operation {
	return operation{logical.UpdateOperation, path, data}
}

func remove(path string) operation { return operation{logical.DeleteOperation, path, nil} }

// A write that hangs in storage holds up what depends on it, and nothing else; and
// whoever waits for it stops when their time is up.
func TestWriteThatHangsHoldsUpNoOther(t *testing.T) {
	const mine, other = "mfa/method/totp/{mine}", "mfa/method/totp/{other}"
	some := []operation{update("users/other", fields{"policies": "p"}), update("groups/other", fields{"policies": "p"}), remove("users/other")}
	for _, row := range []struct {
		name          string
		op            string
		hangs         operation
		passes, waits []operation
	}{
		{
			"config", "put config", update("config", fields{"token_policies": "p"}),
			[]operation{update(mine, fields{"issuer": "New"}), update("users/fred", fields{"mfa_methods": "mine"})},
			[]operation{update("config", fields{"token_ttl": "1h"})},
		},
		{
			"a user", "put user/fred", update("users/fred", fields{"policies": "p"}),
			[]operation{update("users/FRED", fields{"policies": "p"}), update("config", fields{"mfa_methods": "mine"})},
			[]operation{update("users/fred", fields{"policies": "q"}), remove("users/fred")},
		},
		{
			"a group that requires a method", "put group/admins", update("groups/Admins", fields{"mfa_methods": "mine"}),
			[]operation{update("config", fields{"mfa_methods": "mine"}), update(mine, fields{"issuer": "New"}), remove(other)},
			[]operation{update("groups/ADMINS", fields{"policies": "q"}), update(mine, fields{"method_name": "renamed"}), remove(mine)},
		},
		{
			"a new method", "put mfa/method/", update("mfa/method/totp", fields{"issuer": "Acme", "method_name": "new"}),
			[]operation{
				update("mfa/method/totp", fields{"issuer": "Acme", "method_name": "newer"}), update("mfa/method/totp", fields{"issuer": "Acme"}),
				update("config", fields{"mfa_methods": "mine"}), update(mine, fields{"issuer": "New"}), remove(other),
			},
			[]operation{update("mfa/method/totp", fields{"issuer": "Acme", "method_name": "NEW"}), update("config", fields{"mfa_methods": "new"})},
		},
		{
			"a deletion of a method", "delete mfa/method/{mine}", remove(mine),
			[]operation{update("config", fields{"mfa_methods": "other"}), update(other+"/admin-generate", fields{"username": "x"})},
			[]operation{update(mine+"/admin-generate", fields{"username": "x"}), update("config", fields{"mfa_methods": "mine"}),
				update("config", fields{"mfa_methods": "{mine}"}), update(mine, fields{"issuer": "New"})},
		},
		{
			"somebody's key", "put mfa/totp/", update(mine+"/admin-generate", fields{"username": "fred"}),
			[]operation{update(mine+"/admin-generate", fields{"username": "mia"}), update(other+"/admin-generate", fields{"username": "fred"})},
			[]operation{update(mine+"/admin-generate", fields{"username": "FRED"}), update(mine+"/admin-destroy", fields{"username": "fred"}), remove(mine)},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				ids := strings.NewReplacer(
					"{mine}", m.createMethod("totp", fields{"issuer": "Acme", "method_name": "mine"}),
					"{other}", m.createMethod("totp", fields{"issuer": "Acme", "method_name": "other"}))
				request := func(o operation) *logical.Request {
					data := fields{}
					for k, v := range o.data {
						data[k] = ids.Replace(v.(string))
					}
					return m.request(o.op, ids.Replace(o.path), data)
				}
				release := m.hang(ids.Replace(row.op), request(row.hangs))
				for _, o := range append(row.passes, some...) {
					_, status, text := m.send(t.Context(), request(o))
					assert.Equal(t, http.StatusOK, status, "%v: %s", o, text)
				}
				for _, o := range row.waits {
					// Whoever does not wait is done by then.
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
					_, status, text := m.send(ctx, request(o))
					cancel()
					assert.NotEqual(t, http.StatusOK, status, o)
					if !m.grpc { // or else the client gives up by itself
						assert.Equal(t, http.StatusGatewayTimeout, status, o)
						assert.Equal(t, store.ErrTimeout.Error(), text, o)
					}
				}
				o := release()
				assert.Equal(t, http.StatusOK, o.status, o.text)
			})
		})
	}
}

// A login that waits for the storage of somebody's key does not blame Okta for it.
func TestLoginWaitsForStorage(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser().SetStatus("SUCCESS")
		app := m.addTOTP("my_totp")
		m.write("config", fields{"mfa_methods": "my_totp"})
		release := m.hang("put mfa/totp/", m.from(callerIP, nil, fields{"mfa": app.credential()}))
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		_, status, text := m.send(ctx, m.from(callerIP, nil, fields{"mfa": app.credential()}))
		assert.Equal(t, http.StatusGatewayTimeout, status)
		assert.Equal(t, "MFA method my_totp: "+store.ErrTimeout.Error(), text)
		o := release()
		assert.Equal(t, http.StatusOK, o.status, o.text)
		assert.Contains(t, m.refused(fields{"mfa": app.credential()}), "used already")
	})
}

// What requires a method and what renames or deletes one never miss one another:
// whatever is required by the name of a method is there.
func TestWritesOfMethodsAndRequirementsAtOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		names := []string{"red", "green", "blue"}
		id := func(name string) string {
			resp, _, _ := m.do(logical.ListOperation, "mfa/method/totp", nil)
			info, _ := plain(t, resp.Data)["key_info"].(fields) // none: no methods
			for id, method := range info {
				if method.(fields)["name"] == name {
					return id
				}
			}
			return "none"
		}
		pick := func() string { return names[rand.IntN(len(names))] }
		var all sync.WaitGroup
		for _, way := range []func(){
			func() { m.do(logical.UpdateOperation, "mfa/method/totp", fields{"issuer": "A", "method_name": pick()}) },
			func() { m.do(logical.UpdateOperation, "mfa/method/totp/"+id(pick()), fields{"method_name": pick()}) },
			func() { m.do(logical.DeleteOperation, "mfa/method/totp/"+id(pick()), nil) },
			func() {
				m.do(logical.UpdateOperation, "mfa/method/totp/"+id(pick())+"/admin-generate", fields{"username": pick()})
			},
			func() { m.do(logical.UpdateOperation, "config", fields{"mfa_methods": pick() + "," + pick()}) },
			func() { m.do(logical.UpdateOperation, "config", fields{"mfa_methods": ""}) },
			func() { m.do(logical.UpdateOperation, "groups/"+pick(), fields{"mfa_methods": pick()}) },
			func() { m.do(logical.DeleteOperation, "groups/"+pick(), nil) },
			func() { m.do(logical.UpdateOperation, "users/"+pick(), fields{"mfa_methods": pick()}) },
			func() { m.do(logical.DeleteOperation, "users/"+pick(), nil) },
		} {
			all.Go(func() {
				for range 40 {
					way()
				}
			})
		}
		all.Wait()
		required := toStrings(m.read("config")["mfa_methods"])
		for _, kind := range []string{"groups/", "users/"} {
			for _, name := range names {
				required = append(required, toStrings(m.readOr(kind + name)["mfa_methods"])...)
			}
		}
		for _, name := range required {
			assert.NotEqual(t, "none", id(name), "%s is required and does not exist", name)
		}
		keys, err := logical.CollectKeysWithPrefix(t.Context(), m.storage, totpKeyPrefix)
		require.NoError(t, err)
		for _, key := range keys {
			method, _, _ := strings.Cut(strings.TrimPrefix(key, totpKeyPrefix), "/")
			assert.NotEmpty(t, m.stored(methodPrefix+method), "the method of a key is gone")
		}
	})
}
