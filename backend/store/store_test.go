package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
)

// numbered is an entry, with the number of the write that stored it.
type numbered struct {
	Of string
	N  int64
}

// remembering is a store, its storage and its time.
type remembering struct {
	*Store[numbered]
	t      *testing.T
	s      *storetest.Storage
	past   atomic.Int64 // how much later it is than at the beginning
	failed atomic.Int64 // refreshes
}

// remember begins with entries of those names.
func remember(t *testing.T, names ...string) *remembering {
	t.Helper()
	r := &remembering{t: t, s: &storetest.Storage{Storage: &logical.InmemStorage{}}}
	began := time.Now()
	r.Store = New[numbered]("n/", nil, Options{
		Life: t.Context(),
		Now:  func() time.Time { return began.Add(time.Duration(r.past.Load())) },
		RefreshFailed: func(err error) {
			assert.Error(t, err)
			r.failed.Add(1)
		},
	})
	for _, name := range names {
		r.set(name, 1)
	}
	return r
}

// readable returns all entries, each of which can be read.
func (r *remembering) readable(ctx context.Context) ([]*numbered, error) {
	entries, unreadable, err := r.All(ctx, r.s)
	assert.Empty(r.t, unreadable)
	return entries, err
}

// later lets time pass for the store.
func (r *remembering) later(d time.Duration) { r.past.Add(int64(d)) }

// set has another node write; zero deletes.
func (r *remembering) set(name string, n int64) {
	r.t.Helper()
	if n == 0 {
		require.NoError(r.t, r.s.Storage.Delete(r.t.Context(), "n/"+name))
		return
	}
	require.NoError(r.t, Put(r.t.Context(), r.s.Storage, "n/"+name, numbered{name, n}))
}

// agrees asks the store for everything, all at once, and compares what it says with
// what one says that begins now.
func (r *remembering) agrees(names ...string) {
	t, ctx, fresh := r.t, r.t.Context(), New[numbered](r.prefix, nil, Options{})
	t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	same := func(what string, ask func(m *Store[numbered], s logical.Storage) (any, error)) {
		want, err := ask(fresh, r.s.Storage)
		assert.NoError(t, err)
		all.Go(func() {
			got, err := ask(r.Store, r.s)
			assert.NoError(t, err, what)
			assert.Equal(t, want, got, what)
		})
	}
	names = append(slices.Clone(names), "never")
	for _, name := range names {
		same("get "+name, func(m *Store[numbered], s logical.Storage) (any, error) { return m.Get(ctx, s, name) })
		same("find "+name, func(m *Store[numbered], s logical.Storage) (any, error) {
			at, entry, err := m.Find(ctx, s, name)
			return []any{at, entry}, err
		})
		same("Spellings "+name, func(m *Store[numbered], s logical.Storage) (any, error) {
			called, err := m.Spellings(ctx, s, name)
			assert.True(t, slices.IsSorted(called))
			there := []string{}
			for _, name := range called { // or may be
				if entry, err := m.Get(ctx, s, name); err != nil || entry != nil {
					there = append(there, name)
				}
			}
			return there, err
		})
	}
	same("all", func(m *Store[numbered], s logical.Storage) (any, error) {
		entries, unreadable, err := m.All(ctx, s)
		assert.Empty(t, unreadable)
		return entries, err
	})
	same("FindAll", func(m *Store[numbered], s logical.Storage) (any, error) { return m.FindAll(ctx, s, names) })
}

// changes are all that can happen to the entry "a". A write or delete that fails has
// or has not reached storage.
func changes() map[string]func(r *remembering) {
	fail := func(_ context.Context, op string) error {
		if strings.HasSuffix(op, " n/a") {
			return storetest.ErrDown
		}
		return nil
	}
	all := map[string]func(r *remembering){
		"changed elsewhere":   func(r *remembering) { r.set("a", 2); r.Drop("a") },
		"deleted elsewhere":   func(r *remembering) { r.set("a", 0); r.Drop("a") },
		"dropped for nothing": func(r *remembering) { r.Drop("a") },
	}
	for _, way := range []struct {
		how           string
		before, after storetest.Step
		want          error
	}{{"", nil, nil, nil}, {" that fails", fail, nil, storetest.ErrDown}, {" that fails and is done", nil, fail, storetest.ErrDown}} {
		all["write"+way.how] = func(r *remembering) {
			r.s.Stage(way.before, way.after)
			defer r.s.Stage(nil, nil)
			assert.Equal(r.t, way.want, r.Write(r.t.Context(), r.s, "a", &numbered{"a", 2}))
		}
		all["remove"+way.how] = func(r *remembering) {
			r.s.Stage(way.before, way.after)
			defer r.s.Stage(nil, nil)
			assert.Equal(r.t, way.want, r.Remove(r.t.Context(), r.s, "a"))
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
							_, err := r.Spellings(t.Context(), r.s, "b")
							require.NoError(t, err)
						}
						test(r, func() { change(r) })
						r.agrees("a", "A", "b", "B")
						before := r.s.Reads()
						r.agrees("a", "A", "b", "B")
						assert.Equal(t, before, r.s.Reads(), "what is known is read again")
					})
				})
			}
		}
	}
}

// A read that began before the change ends after it.
func TestStoreChangeOvertakesARead(t *testing.T) {
	eachChange(t, func(r *remembering, change func()) {
		release := r.s.Stop("get n/a", nil)
		for range 2 { // one that reads, and one that waits
			go func() {
				_, err := r.Get(r.t.Context(), r.s, "a")
				assert.NoError(r.t, err)
			}()
		}
		synctest.Wait()
		r.s.Stage(nil, nil)
		change()
		r.agrees("a", "A", "b") // who asks now does not wait for that read
		release()
		synctest.Wait()
	})
}

// Names that change while they are listed, and are asked for before that ends.
func TestStoreChangeOvertakesAListing(t *testing.T) {
	eachChange(t, func(r *remembering, change func()) {
		release := r.s.Stop("list n/", nil)
		go func() {
			_, err := r.Spellings(r.t.Context(), r.s, "b")
			assert.NoError(r.t, err)
		}()
		synctest.Wait()
		r.s.Stage(nil, nil)
		change()
		go r.agrees("a", "A", "b")
		synctest.Wait()
		release()
		synctest.Wait()
		assert.Equal(r.t, 1, r.s.Asked("list"))
	})
}

func TestStoreReadsOnce(t *testing.T) {
	r := remember(t, "a", "b", "B", "c/d", "e")
	none, err := r.FindAll(t.Context(), r.s, nil)
	require.NoError(t, err)
	require.Empty(t, none)
	require.Zero(t, r.s.Reads())
	for range 3 {
		for _, name := range []string{"a", "zz"} {
			_, err := r.Get(t.Context(), r.s, name)
			require.NoError(t, err)
		}
	}
	assert.Equal(t, map[string]int{"get n/a": 1, "get n/zz": 1}, r.s.Operations(), "what was asked for, and no names")
	for range 3 {
		all, err := r.FindAll(t.Context(), r.s, []string{"never", "NOR", "A", "b", "c", "c/d", "c/d/e"})
		require.NoError(t, err)
		require.Len(t, all, 7)
		assert.Zero(t, all[0])
		assert.Equal(t, "a", all[2].Name)
		assert.NotNil(t, all[2].Entry)
	}
	want := map[string]int{"get n/a": 1, "get n/zz": 1, "list n/": 1, "list n/c/": 1, "get n/b": 1, "get n/c/d": 1}
	assert.Equal(t, want, r.s.Operations())
	for range 3 {
		r.agrees("a", "A", "b", "B", "c/d", "C", "zz", "never", "nor")
	}
	want["get n/B"], want["get n/e"] = 1, 1
	assert.Equal(t, want, r.s.Operations())
}

// Many who ask for the same at once wait for one read.
func TestStoreReadsOnceForMany(t *testing.T) {
	eachQuery(t, func(r *remembering, q query) {
		release := r.s.Stop(q.op, nil)
		done := q.crowd(r)
		synctest.Wait()
		assert.Equal(r.t, 1, r.s.Asked(q.op))
		release()
		assert.Equal(r.t, make([]error, many), done())
		assert.Equal(r.t, 1, r.s.Asked(q.op))
		assert.Equal(r.t, 1, r.s.Asked("get"))
	})
}

// The exact name comes first, and then the first in order that there is.
func TestStoreFind(t *testing.T) {
	r := remember(t, "admins", "aDmins", "Admins", "straße", "Jürgen", "kube", "ωmega")
	find := func(name string) string {
		at, entry, err := r.Find(t.Context(), r.s, name)
		require.NoError(t, err)
		if entry != nil {
			assert.Equal(t, entry.Of, at)
		}
		return at
	}
	called, err := r.Spellings(t.Context(), r.s, "aDMINS")
	require.NoError(t, err)
	require.NoError(t, r.Write(t.Context(), r.s, "ADMINS", &numbered{"ADMINS", 1}))
	for name, want := range map[string]string{
		"Admins": "Admins", "admins": "admins", "aDMINS": "ADMINS", "admin": "", "": "", "ΩMEGA": "ωmega", "Jurgen": "",
		"STRAßE": "straße", "strasse": "", "JÜRGEN": "Jürgen", "\u212aube": "", "KUBE": "kube",
	} {
		assert.Equal(t, want, find(name), name)
	}
	for _, next := range []string{"Admins", "ADMINS", "aDmins", "admins"} {
		assert.Equal(t, next, find("Admins"))
		r.set(next, 0)
		r.Drop(next)
	}
	assert.Equal(t, []string{"Admins", "aDmins", "admins"}, called, "whatever has changed since")
	assert.Empty(t, find("Admins"))
	require.NoError(t, r.Write(t.Context(), r.s, "aDmins", &numbered{"aDmins", 1}))
	assert.Equal(t, "aDmins", find("ADMINS"))
	entries, err := r.readable(t.Context())
	require.NoError(t, err)
	var order []string
	for _, entry := range entries {
		order = append(order, entry.Of)
	}
	assert.Equal(t, []string{"Jürgen", "aDmins", "kube", "straße", "ωmega"}, order)
}

func TestStoreKnowsWhatIsWritten(t *testing.T) {
	r := remember(t, "b")
	entry := &numbered{"a", 7}
	require.NoError(t, r.Write(t.Context(), r.s, "a", entry))
	got, err := r.Get(t.Context(), r.s, "a")
	require.NoError(t, err)
	assert.Same(t, entry, got)
	for _, name := range []string{"b", "c"} { // of which c never was there
		require.NoError(t, r.Remove(t.Context(), r.s, name))
	}
	r.agrees("a", "A", "b", "c")
	require.NoError(t, r.Remove(t.Context(), r.s, "a"))
	r.agrees("a", "A", "b", "c")
	assert.Zero(t, r.s.Asked("get n/a")+r.s.Asked("get n/b")+r.s.Asked("get n/c"))
}

// More entries than are kept are read again, and right.
func TestStoreIsBounded(t *testing.T) {
	r := remember(t)
	const more = 50
	for i := range maxKept + more {
		r.set(fmt.Sprintf("e%05d", i), int64(i+1))
	}
	for range 2 {
		entries, err := r.readable(t.Context())
		require.NoError(t, err)
		require.Len(t, entries, maxKept+more)
		for i, entry := range entries {
			require.Equal(t, numbered{fmt.Sprintf("e%05d", i), int64(i + 1)}, *entry)
		}
		assert.LessOrEqual(t, r.entries.Len(), maxKept)
	}
}

// A write whose caller leaves may reach storage after that. It is not forgotten.
func TestStoreWriterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := remember(t, "a", "b")
		late := make(chan struct{})
		r.s.Stage(func(ctx context.Context, op string) error {
			if !storetest.Writes(op) {
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
				return storetest.ErrGone
			}
		}, nil)
		ctx, leave := context.WithCancel(t.Context())
		go r.Write(ctx, r.s, "a", &numbered{"a", 2})
		go r.Remove(ctx, r.s, "b")
		synctest.Wait()
		leave()
		synctest.Wait()
		r.agrees("a", "b")
		close(late)
		synctest.Wait()
		r.agrees("a", "b")
	})
}
