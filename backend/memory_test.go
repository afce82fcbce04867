package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stagedStorage counts what is asked of the storage behind it, and is stopped, made
// slow or broken by a test. An operation is written "get n/a".
type stagedStorage struct {
	logical.Storage
	mu            sync.Mutex
	count         map[string]int
	before, after step
}

type step = func(ctx context.Context, op string) error

// errGone is what Vault's storage answers over gRPC to who has left: it wraps no
// error of package context.
var errGone = errors.New("rpc error: code = Canceled desc = context canceled")

func (s *stagedStorage) run(ctx context.Context, op string, do func() error) error {
	s.mu.Lock()
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.count[op]++
	before, after := s.before, s.after
	s.mu.Unlock()
	for _, step := range []step{before, func(context.Context, string) error { return do() }, after} {
		if step == nil {
			continue
		}
		if err := step(ctx, op); err != nil {
			return err
		}
	}
	return nil
}

func (s *stagedStorage) Get(ctx context.Context, key string) (entry *logical.StorageEntry, err error) {
	err = s.run(ctx, "get "+key, func() (err error) { entry, err = s.Storage.Get(ctx, key); return err })
	return entry, err
}

func (s *stagedStorage) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.run(ctx, "list "+prefix, func() (err error) { names, err = s.Storage.List(ctx, prefix); return err })
	return names, err
}

func (s *stagedStorage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	return s.run(ctx, "put "+entry.Key, func() error { return s.Storage.Put(ctx, entry) })
}

func (s *stagedStorage) Delete(ctx context.Context, key string) error {
	return s.run(ctx, "delete "+key, func() error { return s.Storage.Delete(ctx, key) })
}

// stage has something happen before and after each operation that begins now.
func (s *stagedStorage) stage(before, after step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

// stop has operations op wait when they are done, until they are released or their
// context ends. Then they answer what then does, or as if nothing had been.
func (s *stagedStorage) stop(op string, then func() error) (release func()) {
	released := make(chan struct{})
	s.stage(nil, func(ctx context.Context, done string) error {
		if done != op {
			return nil
		}
		select {
		case <-released:
		case <-ctx.Done():
		}
		if then == nil {
			return nil
		}
		return then()
	})
	return func() { close(released) }
}

// asked is how often storage was asked for op: "get" is a get of any key.
func (s *stagedStorage) asked(op string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, times := range s.count {
		if kind, _, _ := strings.Cut(other, " "); other == op || kind == op {
			n += times
		}
	}
	return n
}

func (s *stagedStorage) reads() int { return s.asked("get") + s.asked("list") }

// numbered is an entry, with the number of the write that stored it.
type numbered struct {
	Of string
	N  int64
}

// remembering is a memory and its storage.
type remembering struct {
	*memory[numbered]
	t *testing.T
	s *stagedStorage
}

// remember begins with entries of those names.
func remember(t *testing.T, names ...string) *remembering {
	t.Helper()
	r := &remembering{&memory[numbered]{prefix: "n/"}, t, &stagedStorage{Storage: &logical.InmemStorage{}}}
	for _, name := range names {
		r.set(name, 1)
	}
	return r
}

// set has another node write; zero deletes.
func (r *remembering) set(name string, n int64) {
	r.t.Helper()
	if n == 0 {
		require.NoError(r.t, r.s.Storage.Delete(r.t.Context(), "n/"+name))
		return
	}
	require.NoError(r.t, store(r.t.Context(), r.s.Storage, "n/"+name, numbered{name, n}))
}

// agrees asks the memory for everything, all at once, and compares what it says with
// what one says that begins now.
func (r *remembering) agrees(names ...string) {
	t, ctx, fresh := r.t, r.t.Context(), &memory[numbered]{prefix: r.prefix}
	t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	same := func(what string, ask func(m *memory[numbered], s logical.Storage) (any, error)) {
		want, err := ask(fresh, r.s.Storage)
		assert.NoError(t, err)
		all.Go(func() {
			got, err := ask(r.memory, r.s)
			assert.NoError(t, err, what)
			assert.Equal(t, want, got, what)
		})
	}
	names = append(slices.Clone(names), "never")
	for _, name := range names {
		same("get "+name, func(m *memory[numbered], s logical.Storage) (any, error) { return m.get(ctx, s, name) })
		same("find "+name, func(m *memory[numbered], s logical.Storage) (any, error) {
			at, entry, err := m.find(ctx, s, name)
			return []any{at, entry}, err
		})
		same("called "+name, func(m *memory[numbered], s logical.Storage) (any, error) {
			called, err := m.called(ctx, s, name)
			assert.True(t, slices.IsSorted(called))
			there := []string{}
			for _, name := range called { // or may be
				if entry, err := m.get(ctx, s, name); err != nil || entry != nil {
					there = append(there, name)
				}
			}
			return there, err
		})
	}
	same("all", func(m *memory[numbered], s logical.Storage) (any, error) { return m.all(ctx, s) })
	same("findAll", func(m *memory[numbered], s logical.Storage) (any, error) { return m.findAll(ctx, s, names) })
}

// changes are all that can happen to the entry "a". A write or delete that fails has
// or has not reached storage.
func changes() map[string]func(r *remembering) {
	fail := func(_ context.Context, op string) error {
		if strings.HasSuffix(op, " n/a") {
			return errStorage
		}
		return nil
	}
	all := map[string]func(r *remembering){
		"changed elsewhere":   func(r *remembering) { r.set("a", 2); r.drop("a") },
		"deleted elsewhere":   func(r *remembering) { r.set("a", 0); r.drop("a") },
		"dropped for nothing": func(r *remembering) { r.drop("a") },
	}
	for _, way := range []struct {
		how           string
		before, after step
		want          error
	}{{"", nil, nil, nil}, {" that fails", fail, nil, errStorage}, {" that fails and is done", nil, fail, errStorage}} {
		all["write"+way.how] = func(r *remembering) {
			r.s.stage(way.before, way.after)
			defer r.s.stage(nil, nil)
			assert.Equal(r.t, way.want, r.write(r.t.Context(), r.s, "a", &numbered{"a", 2}))
		}
		all["remove"+way.how] = func(r *remembering) {
			r.s.stage(way.before, way.after)
			defer r.s.stage(nil, nil)
			assert.Equal(r.t, way.want, r.remove(r.t.Context(), r.s, "a"))
		}
	}
	return all
}

// eachChange runs test with each change of an entry that was there and of one that
// was not, when nothing is known yet, or the names, or everything.
func eachChange(t *testing.T, test func(r *remembering, change func())) {
	for what, change := range changes() {
		for _, names := range [][]string{{"A", "b"}, {"A", "a", "b"}} {
			for _, known := range []string{"nothing", "names", "everything"} {
				t.Run(fmt.Sprintf("%s/%d/%s", what, len(names), known), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := remember(t, names...)
						if known == "everything" {
							r.agrees("a", "A", "b", "B")
						} else if known == "names" {
							_, err := r.called(t.Context(), r.s, "b")
							require.NoError(t, err)
						}
						test(r, func() { change(r) })
						r.agrees("a", "A", "b", "B")
						before := r.s.reads()
						r.agrees("a", "A", "b", "B")
						assert.Equal(t, before, r.s.reads(), "what is known is read again")
					})
				})
			}
		}
	}
}

// A read that began before the change ends after it.
func TestMemoryChangeOvertakesARead(t *testing.T) {
	eachChange(t, func(r *remembering, change func()) {
		release := r.s.stop("get n/a", nil)
		for range 2 { // one that reads, and one that waits
			go func() {
				_, err := r.get(r.t.Context(), r.s, "a")
				assert.NoError(r.t, err)
			}()
		}
		synctest.Wait()
		r.s.stage(nil, nil)
		change()
		r.agrees("a", "A", "b") // who asks now does not wait for that read
		release()
		synctest.Wait()
	})
}

// Names that change while they are listed, and are asked for before that ends.
func TestMemoryChangeOvertakesAListing(t *testing.T) {
	eachChange(t, func(r *remembering, change func()) {
		release := r.s.stop("list n/", nil)
		go func() {
			_, err := r.called(r.t.Context(), r.s, "b")
			assert.NoError(r.t, err)
		}()
		synctest.Wait()
		r.s.stage(nil, nil)
		change()
		go r.agrees("a", "A", "b")
		synctest.Wait()
		release()
		synctest.Wait()
		assert.Equal(r.t, 1, r.s.asked("list"))
	})
}

func TestMemoryReadsOnce(t *testing.T) {
	r := remember(t, "a", "b", "B", "c/d", "e")
	none, err := r.findAll(t.Context(), r.s, nil)
	require.NoError(t, err)
	require.Empty(t, none)
	require.Zero(t, r.s.reads())
	for range 3 {
		for _, name := range []string{"a", "zz"} {
			_, err := r.get(t.Context(), r.s, name)
			require.NoError(t, err)
		}
	}
	assert.Equal(t, map[string]int{"get n/a": 1, "get n/zz": 1}, r.s.count, "what was asked for, and no names")
	for range 3 {
		_, err := r.findAll(t.Context(), r.s, []string{"never", "NOR", "A", "b", "c", "c/d", "c/d/e"})
		require.NoError(t, err)
	}
	want := map[string]int{"get n/a": 1, "get n/zz": 1, "list n/": 1, "list n/c/": 1, "get n/b": 1, "get n/c/d": 1}
	assert.Equal(t, want, r.s.count)
	for range 3 {
		r.agrees("a", "A", "b", "B", "c/d", "C", "zz", "never", "nor")
	}
	want["get n/B"], want["get n/e"] = 1, 1
	assert.Equal(t, want, r.s.count)
}

// Many who ask for the same at once wait for one read.
func TestMemoryReadsOnceForMany(t *testing.T) {
	eachQuery(t, func(r *remembering, q query) {
		release := r.s.stop(q.op, nil)
		done := q.crowd(r)
		synctest.Wait()
		assert.Equal(r.t, 1, r.s.asked(q.op))
		release()
		assert.Equal(r.t, make([]error, many), done())
		assert.Equal(r.t, 1, r.s.asked(q.op))
		assert.Equal(r.t, 1, r.s.asked("get"))
	})
}

// The exact name comes first, and then the first in order that there is.
func TestMemoryFind(t *testing.T) {
	r := remember(t, "admins", "aDmins", "Admins", "straße", "Jürgen", "kube", "ωmega")
	find := func(name string) string {
		at, entry, err := r.find(t.Context(), r.s, name)
		require.NoError(t, err)
		if entry != nil {
			assert.Equal(t, entry.Of, at)
		}
		return at
	}
	called, err := r.called(t.Context(), r.s, "aDMINS")
	require.NoError(t, err)
	require.NoError(t, r.write(t.Context(), r.s, "ADMINS", &numbered{"ADMINS", 1}))
	for name, want := range map[string]string{
		"Admins": "Admins", "admins": "admins", "aDMINS": "ADMINS", "admin": "", "": "", "ΩMEGA": "ωmega", "Jurgen": "",
		"STRAßE": "straße", "strasse": "", "JÜRGEN": "Jürgen", "\u212aube": "", "KUBE": "kube",
	} {
		assert.Equal(t, want, find(name), name)
	}
	for _, next := range []string{"Admins", "ADMINS", "aDmins", "admins"} {
		assert.Equal(t, next, find("Admins"))
		r.set(next, 0)
		r.drop(next)
	}
	assert.Equal(t, []string{"Admins", "aDmins", "admins"}, called, "whatever has changed since")
	assert.Empty(t, find("Admins"))
	require.NoError(t, r.write(t.Context(), r.s, "aDmins", &numbered{"aDmins", 1}))
	assert.Equal(t, "aDmins", find("ADMINS"))
	entries, err := r.all(t.Context(), r.s)
	require.NoError(t, err)
	var order []string
	for _, entry := range entries {
		order = append(order, entry.Of)
	}
	assert.Equal(t, []string{"Jürgen", "aDmins", "kube", "straße", "ωmega"}, order)
}

func TestMemoryKnowsWhatIsWritten(t *testing.T) {
	r := remember(t)
	for _, entry := range []*numbered{{"a", 7}, nil} {
		r.put("a", entry)
		got, err := r.get(t.Context(), r.s, "a")
		require.NoError(t, err)
		assert.Same(t, entry, got)
	}
	require.NoError(t, r.write(t.Context(), r.s, "a", &numbered{"a", 8}))
	require.NoError(t, r.remove(t.Context(), r.s, "b"))
	r.put("c", nil) // which never was there
	r.agrees("a", "A", "b", "c")
	assert.Zero(t, r.s.asked("get n/a")+r.s.asked("get n/b")+r.s.asked("get n/c"))
}

// More entries than are kept are read again, and right.
func TestMemoryIsBounded(t *testing.T) {
	r := remember(t)
	const more = 50
	for i := range maxKept + more {
		r.set(fmt.Sprintf("e%05d", i), int64(i+1))
	}
	for range 2 {
		entries, err := r.all(t.Context(), r.s)
		require.NoError(t, err)
		require.Len(t, entries, maxKept+more)
		for i, entry := range entries {
			require.Equal(t, numbered{fmt.Sprintf("e%05d", i), int64(i + 1)}, *entry)
		}
		assert.LessOrEqual(t, len(r.entries), maxKept)
	}
}

// A write whose caller leaves may reach storage after that. It is not forgotten.
func TestMemoryWriterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := remember(t, "a", "b")
		late := make(chan struct{})
		r.s.stage(func(ctx context.Context, op string) error {
			if !writes(op) {
				return nil
			}
			select {
			case <-late:
				return nil
			case <-ctx.Done(): // the caller is answered, and Vault goes on
				name, n := "b", int64(0)
				if op == "put n/a" {
					name, n = "a", 2
				}
				go func() { <-late; r.set(name, n) }()
				return errGone
			}
		}, nil)
		ctx, leave := context.WithCancel(t.Context())
		go r.write(ctx, r.s, "a", &numbered{"a", 2})
		go r.remove(ctx, r.s, "b")
		synctest.Wait()
		leave()
		synctest.Wait()
		r.agrees("a", "b")
		close(late)
		synctest.Wait()
		r.agrees("a", "b")
	})
}

func writes(op string) bool { return strings.HasPrefix(op, "put ") || strings.HasPrefix(op, "delete ") }

// query asks for the entry "a", which is there; op is what storage has to do for it.
type query struct {
	op  string
	way func(ctx context.Context, r *remembering) ([]*numbered, error)
}

var queries = []query{
	{"get n/a", func(ctx context.Context, r *remembering) ([]*numbered, error) {
		entry, err := r.get(ctx, r.s, "a")
		return []*numbered{entry}, err
	}},
	{"list n/", func(ctx context.Context, r *remembering) ([]*numbered, error) {
		_, entry, err := r.find(ctx, r.s, "A")
		return []*numbered{entry}, err
	}},
	{"list n/", func(ctx context.Context, r *remembering) ([]*numbered, error) { return r.all(ctx, r.s) }},
	{"get n/a", func(ctx context.Context, r *remembering) ([]*numbered, error) {
		return r.findAll(ctx, r.s, []string{"a"})
	}},
}
