package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (q query) ask(ctx context.Context, r *remembering) error {
	entries, err := q.way(ctx, r)
	if err == nil && (len(entries) != 1 || entries[0] == nil || *entries[0] != numbered{"a", 1}) {
		return errors.New("not what storage has")
	}
	return err
}

const many = 8

// crowd has many ask, and returns their errors once they have all been answered.
func (q query) crowd(r *remembering) func() []error {
	errs := make([]error, many)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = q.ask(r.t.Context(), r) })
	}
	return func() []error { all.Wait(); return errs }
}

// eachQuery runs test in a bubble for each query.
func eachQuery(t *testing.T, test func(r *remembering, q query)) {
	for i, q := range queries {
		t.Run(fmt.Sprintf("%d %s", i, q.op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(remember(t, "a"), q) })
		})
	}
}

// Those who wait for somebody who leaves read by themselves, once; those who leave
// do not wait.
func TestMemoryCallersLeave(t *testing.T) {
	for _, err := range []error{errGone, context.Canceled, fmt.Errorf("storage: %w", context.DeadlineExceeded)} {
		eachQuery(t, func(r *remembering, q query) {
			r.s.stop(q.op, func() error { return err })
			left := make(chan error)
			asks := func() (leave func()) {
				ctx, leave := context.WithCancel(r.t.Context())
				go func() { left <- q.ask(ctx, r) }()
				synctest.Wait()
				return leave
			}
			firstLeaves := asks()
			r.s.stage(nil, nil)
			secondLeaves := asks()
			done := q.crowd(r)
			synctest.Wait()
			secondLeaves()
			assert.ErrorIs(r.t, <-left, context.Canceled)
			firstLeaves()
			assert.ErrorIs(r.t, <-left, err)
			assert.Equal(r.t, make([]error, many), done())
			assert.Equal(r.t, 2, r.s.asked(q.op))
		})
	}
}

// Storage that fails fails those who wait, all with one read, and nobody after them.
func TestMemoryErrorsAreNotKept(t *testing.T) {
	for _, want := range []error{errStorage, context.DeadlineExceeded} {
		eachQuery(t, func(r *remembering, q query) {
			release := r.s.stop(q.op, func() error { return want })
			done := q.crowd(r)
			synctest.Wait()
			release()
			for _, err := range done() {
				assert.ErrorIs(r.t, err, want)
			}
			assert.Equal(r.t, 1, r.s.asked(q.op))
			r.s.stage(nil, nil)
			assert.NoError(r.t, q.ask(r.t.Context(), r))
			assert.Equal(r.t, 2, r.s.asked(q.op))
		})
	}
	r := remember(t) // nor is what makes no sense
	require.NoError(t, r.s.Storage.Put(t.Context(), &logical.StorageEntry{Key: "n/a", Value: []byte("{")}))
	assert.ErrorContains(t, queries[0].ask(t.Context(), r), `stored entry "n/a"`)
	r.set("a", 1)
	assert.NoError(t, queries[0].ask(t.Context(), r))
}

// A panic is that of one caller; the others get an error, and the next the entry.
func TestMemoryPanic(t *testing.T) {
	eachQuery(t, func(r *remembering, q query) {
		release := r.s.stop(q.op, func() error { panic("storage") })
		panicked := make(chan any)
		go func() {
			defer func() { panicked <- recover() }()
			_ = q.ask(r.t.Context(), r)
		}()
		synctest.Wait()
		r.s.stage(nil, nil)
		done := q.crowd(r)
		synctest.Wait()
		release()
		assert.Equal(r.t, "storage", <-panicked)
		for _, err := range done() {
			assert.ErrorContains(r.t, err, "panicked")
		}
		assert.NoError(r.t, q.ask(r.t.Context(), r))
	})
	r := remember(t, "a") // an entry that is not ready is not kept either
	r.ready = func(*numbered) { panic("ready") }
	assert.Panics(t, func() { _, _ = r.get(t.Context(), r.s, "a") })
	r.ready = func(entry *numbered) { entry.N = 5 }
	entry, err := r.get(t.Context(), r.s, "a")
	assert.NoError(t, err)
	assert.Equal(t, &numbered{"a", 5}, entry)
}

// versions count the writes of one entry. Each fourth removes it.
type versions struct{ begun, acked atomic.Int64 }

// check fails the test if entry is older than since, or none that was written.
func (v *versions) check(t *testing.T, since int64, entry *numbered) {
	t.Helper()
	begun := v.begun.Load()
	if entry == nil {
		assert.GreaterOrEqual(t, begun/4*4, since, "no entry, though there was one by then")
		return
	}
	assert.GreaterOrEqual(t, entry.N, since, "what %s was before", entry.Of)
	assert.LessOrEqual(t, entry.N, begun, "what %s never was", entry.Of)
}

// yield lets others run, for a time that nobody can tell.
func yield() {
	for range rand.IntN(8) {
		runtime.Gosched()
	}
}

// restless has storage take its time, and fail that share of the writes, some of
// which it has done.
func (s *stagedStorage) restless(failures float64) {
	step := func(ctx context.Context, op string) error {
		yield()
		switch {
		case ctx.Err() != nil:
			return errGone
		case writes(op) && rand.Float64() < failures:
			return errStorage
		}
		return nil
	}
	s.stage(step, step)
}

// Who begins to read once a write has been acknowledged sees that write or a later
// one, whoever else reads, writes, drops and leaves at the time.
func TestMemoryIsNeverOld(t *testing.T) {
	r := remember(t)
	r.s.restless(0.1)
	names, shouted := []string{"own-0", "own-1", "own-2", "shared"}, []string{"OWN-0", "OWN-1", "OWN-2", "SHARED"}
	of := map[string]*versions{}
	for _, name := range names {
		of[name] = &versions{}
	}
	var sharing sync.Mutex // writes of one entry do not overlap
	write := func(name string) {
		v := of[name].begun.Add(1)
		for err := errStorage; err != nil; { // until then it may be there or not
			if v%4 == 0 {
				err = r.remove(t.Context(), r.s, name)
			} else {
				err = r.write(t.Context(), r.s, name, &numbered{name, v})
			}
		}
		of[name].acked.Store(v)
	}
	ways := []func(ctx context.Context) ([]*numbered, error){
		func(ctx context.Context) ([]*numbered, error) { return r.all(ctx, r.s) },
		func(ctx context.Context) ([]*numbered, error) { return r.findAll(ctx, r.s, names) },
		func(ctx context.Context) ([]*numbered, error) { return r.findAll(ctx, r.s, shouted) },
		func(ctx context.Context) (list []*numbered, err error) {
			for _, name := range names {
				entry, failed := r.get(ctx, r.s, name)
				list, err = append(list, entry), cmp.Or(err, failed)
			}
			return list, err
		},
	}
	read := func(way int) {
		since := map[string]int64{}
		for name, v := range of {
			since[name] = v.acked.Load()
		}
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		if rand.IntN(4) == 0 {
			go func() { yield(); leave() }()
		}
		list, err := ways[way](ctx)
		if err != nil {
			assert.Error(t, ctx.Err(), "%v, for who has not left", err)
			return
		}
		got := map[string]*numbered{}
		for _, entry := range list {
			if entry != nil {
				got[entry.Of] = entry
			}
		}
		for name, v := range of {
			v.check(t, since[name], got[name])
		}
	}
	var over atomic.Bool
	var writers, others sync.WaitGroup
	for i := range 3 {
		writers.Go(func() {
			for range 100 {
				write(names[i])
				sharing.Lock()
				write("shared")
				sharing.Unlock()
			}
		})
	}
	for way := range ways {
		others.Go(func() {
			for !over.Load() {
				read(way)
				if rand.IntN(4) == 0 {
					r.drop(names[rand.IntN(len(names))])
				}
			}
		})
	}
	writers.Wait()
	over.Store(true)
	others.Wait()
	r.s.stage(nil, nil)
	r.agrees(names...)
}

// remembers has a mount begin anew, on storage that is counted.
func (m *mount) remembers() *stagedStorage {
	m.t.Helper()
	s := &stagedStorage{Storage: m.storage}
	b, err := factory(settings{version: testVersion, rootCAs: m.okta.CertPool(), clock: m.clock})(m.t.Context(),
		&logical.BackendConfig{Logger: hclog.NewNullLogger(), System: logical.TestSystemView(), StorageView: s})
	require.NoError(m.t, err)
	require.NoError(m.t, b.Initialize(m.t.Context(), &logical.InitializationRequest{Storage: s}))
	assert.Zero(m.t, s.reads(), "before the first login")
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
func TestMemoryLoginReadsOnce(t *testing.T) {
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
		want := map[string]int{"get config": 1, "get user/" + testLogin: 1, "list user/": 1, "list group/": 1}
		for i := range 200 {
			want[fmt.Sprintf("get group/group %03d", i)] = 1
		}
		assert.Equal(t, want, s.count)
		assert.Equal(t, first.Policies, m.mustLogin(nil).Policies)
		_, status, text := m.renew(issued(first))
		assert.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, want, s.count, "the second time")
		for range 2 {
			resp, status, text := m.do(logical.UpdateOperation, "login/noa@acme.test", fields{"password": testPassword})
			require.Equal(t, http.StatusOK, status, text)
			assert.Len(t, resp.Auth.Policies, 61)
		}
		assert.Equal(t, len(want)+10, s.reads(), "of another person, the groups that are new")
	}
}

// What another node changes is in the next login.
func TestMemoryLoginAfterInvalidate(t *testing.T) {
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
func TestMemoryLoginIsNeverOld(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		if !m.grpc {
			m.remembers().restless(0.1)
		}
		paths := []string{"config", "groups/everyone", "users/" + testLogin}
		keys := []string{configKey, groupPrefix + "everyone", userPrefix + testLogin}
		of := [3]versions{}
		login := func() {
			var since [3]int64
			for i := range of {
				since[i] = of[i].acked.Load()
			}
			resp, status, text := m.login(nil)
			if !assert.Equal(t, http.StatusOK, status, text) {
				return
			}
			var got [3]*numbered
			for _, policy := range resp.Auth.Policies {
				i, v := 0, int64(0)
				_, err := fmt.Sscanf(policy, "%d-%d", &i, &v)
				assert.NoError(t, err)
				got[i] = &numbered{paths[i], v}
			}
			for i := range of {
				of[i].check(t, since[i], got[i])
			}
		}
		write := func(i int) {
			v := of[i].begun.Add(1)
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
			of[i].acked.Store(v)
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
func TestMemoryLoginOfOthersWhoLeave(t *testing.T) {
	t.Parallel()
	m := newMount(t, true)
	m.configure(nil)
	m.addUser()
	m.start()
	m.storage.Underlying().Lock() // reads wait
	reading := func() bool {
		m.inner.configs.mu.Lock()
		defer m.inner.configs.mu.Unlock()
		return len(m.inner.configs.reads) == 1
	}
	ctx, leave := context.WithCancel(t.Context())
	first := m.background(ctx, m.from(callerIP, nil, nil))
	m.eventually(reading, "the configuration is not read")
	var others []<-chan outcome
	for range many {
		others = append(others, m.background(t.Context(), m.from(callerIP, nil, nil)))
	}
	leave()
	m.finished(first)
	m.eventually(reading, "nobody reads on")
	m.storage.Underlying().Unlock()
	for _, other := range others {
		o := m.finished(other)
		assert.Equal(t, http.StatusOK, o.status, o.text)
	}
}
