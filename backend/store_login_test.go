package backend

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
)

// remembers has a mount begin anew, on storage that is counted.
func (m *mount) remembers() *storetest.Storage {
	m.t.Helper()
	s := &storetest.Storage{Storage: m.storage}
	b, err := factory(settings{version: testVersion, rootCAs: m.okta.CertPool(), clock: m.clock})(m.t.Context(),
		&logical.BackendConfig{Logger: hclog.NewNullLogger(), System: logical.TestSystemView(), StorageView: s})
	require.NoError(m.t, err)
	require.NoError(m.t, b.Initialize(m.t.Context(), &logical.InitializationRequest{Storage: s}))
	assert.Zero(m.t, s.Reads(), "before the first login")
	m.backend, m.inner = onStorage{b, s}, b.(*backend)
	return s
}

// onStorage is a backend whose requests come with another storage.
type onStorage struct {
	logical.Backend
	storage logical.Storage
}

func (b onStorage) HandleRequest(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	there := *req
	there.Storage = b.storage
	return b.Backend.HandleRequest(ctx, &there)
}

// After the first login, a login reads no storage.
func TestStoredLoginReadsOnce(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	m.configure(fields{"token_policies": "base"})
	var groups []string
	for i := range 500 {
		groups = append(groups, fmt.Sprintf("Group %03d", i))
		m.write("groups/"+groups[i], fields{"policies": fmt.Sprintf("p%03d", i)})
	}
	m.write("users/somebody", fields{"policies": "theirs"})
	m.addUser(append(groups[:200:200], "Unmapped", "GROUP 007")...)
	m.okta.AddUser("noa@acme.test", testPassword).SetGroups(groups[150:210]...)
	for range 2 { // a restart reads again
		s := m.remembers()
		first := m.mustLogin(nil)
		assert.Len(t, first.Policies, 201)
		want := map[string]int{"get config": 1, "list user/": 1, "list user-id/": 1, "list group/": 1, "list group-note/": 1}
		for i := range 200 {
			want[fmt.Sprintf("get group/group %03d", i)] = 1
		}
		assert.Equal(t, want, s.Operations())
		assert.Equal(t, first.Policies, m.mustLogin(nil).Policies)
		_, status, text := m.renew(issued(first))
		assert.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, want, s.Operations(), "the second time")
		for range 2 {
			resp, status, text := m.do(logical.UpdateOperation, "login/noa@acme.test", fields{"password": testPassword})
			require.Equal(t, http.StatusOK, status, text)
			assert.Len(t, resp.Auth.Policies, 61)
		}
		assert.Equal(t, len(want)+10, s.Reads(), "of another person, the groups that are new")
	}
}

// What another node changes is in the next login.
func TestStoredLoginAfterInvalidate(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_policies": "base"})
		m.addUser("Scientists", "Others")
		m.write("groups/scientists", fields{"policies": "nuclear"})
		id := m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		method := m.stored(methodPrefix + id)
		m.start()
		for _, step := range []struct {
			key, raw string
			want     []string
			refusal  string
		}{
			{"config", strings.ReplaceAll(m.stored("config"), `"base"`, `"new"`), []string{"new", "nuclear"}, ""},
			{"group/scientists", `{"Policies":["solar"]}`, []string{"new", "solar"}, ""},
			{"group/OTHERS", `{"Policies":["o"]}`, []string{"new", "solar", "o"}, ""},
			{"user/" + testLogin, `{"Groups":["Third"],"Policies":["own"]}`, []string{"new", "solar", "o", "own"}, ""},
			{"group/third", `{"Policies":["t"]}`, []string{"new", "solar", "o", "t", "own"}, ""},
			{"group/scientists", "", []string{"new", "o", "t", "own"}, ""},
			{"user/" + testLogin, "", []string{"new", "o"}, ""},
			{"user/MIA.ITO", `{"mfa_methods":["my_totp"]}`, nil, "you have no key"},
			{"user/MIA.ITO", `{}`, []string{"new", "o"}, ""},
			{"group/OTHERS", `{"mfa_methods":["late"]}`, nil, "does not exist"},
			{methodPrefix + "late", strings.ReplaceAll(method, id, "late"), nil, "you have no key"},
			{"group/OTHERS", `{"Policies":[]}`, []string{"new"}, ""},
			{"config", "", nil, "not configured"},
		} {
			m.plant(step.key, step.raw)
			if step.refusal != "" {
				assert.Contains(t, m.refused(nil), step.refusal, step)
				continue
			}
			assert.Equal(t, step.want, m.mustLogin(nil).Policies, step)
		}
	})
}

// A login that begins after a write was answered has what was written.
func TestStoredLoginIsNeverOld(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_login_failures": 0})
		m.addUser("Everyone")
		if !m.grpc {
			m.remembers().Restless(0.1)
		}
		paths := []string{"config", "groups/everyone", "users/" + testLogin}
		keys := []string{configKey, groupPrefix + "everyone", userPrefix + testLogin}
		of := [3]storetest.Versions{}
		login := func() {
			var since [3]int64
			for i := range of {
				since[i] = of[i].Answered.Load()
			}
			resp, status, text := m.login(nil)
			if !assert.Equal(t, http.StatusOK, status, text) {
				return
			}
			var got [3]int64
			for _, policy := range resp.Auth.Policies {
				i, v := 0, int64(0)
				_, err := fmt.Sscanf(policy, "%d-%d", &i, &v)
				assert.NoError(t, err)
				got[i] = v
			}
			for i := range of {
				assert.Empty(t, of[i].Problem(since[i], got[i], got[i] != 0), paths[i])
			}
		}
		write := func(i int) {
			v := of[i].Begun.Add(1)
			op, data := logical.Operation(logical.UpdateOperation), fields{[]string{"token_policies", "policies", "policies"}[i]: fmt.Sprintf("%d-%d", i, v)}
			switch {
			case v%4 == 0 && i == 0:
				data["token_policies"] = ""
			case v%4 == 0:
				op = logical.DeleteOperation
			}
			for status := 0; status != http.StatusOK; {
				_, status, _ = m.do(op, paths[i], data)
			}
			of[i].Answered.Store(v)
		}
		var all sync.WaitGroup
		for i := range paths {
			all.Go(func() {
				for range 16 {
					write(i)
					login()
				}
			})
			all.Go(func() {
				for range 16 {
					login()
					m.backend.InvalidateKey(t.Context(), keys[i])
				}
			})
		}
		all.Wait()
	})
}

// Somebody who leaves while the configuration is read for them takes nobody along.
func TestStoredLoginOfOthersWhoLeave(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	m.configure(fields{"max_login_failures": 0})
	m.addUser()
	s := m.remembers()
	release := s.Stop("get config", nil)
	ctx, leave := context.WithCancel(t.Context())
	first := m.background(ctx, m.from(callerIP, nil, nil))
	m.eventually(func() bool { return s.Asked("get config") == 1 }, "the configuration is not read")
	var others []<-chan outcome
	for range 8 {
		others = append(others, m.background(t.Context(), m.from(callerIP, nil, nil)))
	}
	leave()
	m.finished(first)
	s.Stage(nil, nil)
	release()
	for _, other := range others {
		o := m.finished(other)
		assert.Equal(t, http.StatusOK, o.status, o.text)
	}
	assert.Equal(t, 1, s.Asked("get config"))
}
