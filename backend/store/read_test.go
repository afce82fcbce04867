package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
)

// query asks for the entry "a", which is there; op is what storage has to do for it.
type query struct {
	op  string
	way func(ctx context.Context, r *remembering) ([]*numbered, error)
}

var queries = []query{
	{"get n/a", func(ctx context.Context, r *remembering) ([]*numbered, error) {
		entry, err := r.Get(ctx, r.s, "a")
		return []*numbered{entry}, err
	}},
	{"list n/", func(ctx context.Context, r *remembering) ([]*numbered, error) {
		_, entry, err := r.Find(ctx, r.s, "A")
		return []*numbered{entry}, err
	}},
	{"list n/", func(ctx context.Context, r *remembering) ([]*numbered, error) { return r.readable(ctx) }},
	{"get n/a", func(ctx context.Context, r *remembering) ([]*numbered, error) {
		return r.findAll(ctx, []string{"a"})
	}},
}

// findAll is the entries that FindAll finds.
func (r *remembering) findAll(ctx context.Context, names []string) (entries []*numbered, err error) {
	all, err := r.FindAll(ctx, r.s, names)
	for _, found := range all {
		entries = append(entries, found.Entry)
	}
	return entries, err
}

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

// Whoever leaves is not waited for, and takes nobody along: those who are still
// here get what was read for all.
func TestStoreCallersLeave(t *testing.T) {
	eachQuery(t, func(r *remembering, q query) {
		release := r.s.Stop(q.op, nil)
		left := make(chan error)
		asks := func() (leave func()) {
			ctx, leave := context.WithCancel(r.t.Context())
			go func() { left <- q.ask(ctx, r) }()
			synctest.Wait()
			return leave
		}
		firstLeaves, secondLeaves := asks(), asks()
		done := q.crowd(r)
		synctest.Wait()
		for _, leave := range []func(){secondLeaves, firstLeaves} {
			leave()
			assert.ErrorIs(r.t, <-left, context.Canceled)
		}
		r.s.Stage(nil, nil)
		release()
		assert.Equal(r.t, make([]error, many), done())
		assert.Equal(r.t, 1, r.s.Asked(q.op))
	})
}

// Storage that does not answer holds nobody for ever, and is asked again.
func TestStoreReadsTimeOut(t *testing.T) {
	eachQuery(t, func(r *remembering, q query) {
		r.s.Stop(q.op, func() error { return storetest.ErrGone })
		began := time.Now()
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		done := q.crowd(r)
		assert.ErrorIs(r.t, q.ask(ctx, r), ErrTimeout)
		assert.Equal(r.t, time.Second, time.Since(began))
		for _, err := range done() {
			assert.ErrorIs(r.t, err, ErrTimeout)
		}
		assert.Equal(r.t, readTimeout, time.Since(began))
		r.s.Stage(nil, nil)
		assert.NoError(r.t, q.ask(r.t.Context(), r))
		assert.Equal(r.t, 2, r.s.Asked(q.op))
	})
}

// No read outlives the mount.
func TestStoreReadsEndWithTheirLife(t *testing.T) {
	eachQuery(t, func(r *remembering, q query) {
		life, end := context.WithCancel(r.t.Context())
		r.Life = life
		r.s.Stop(q.op, func() error { return storetest.ErrGone })
		began, done := time.Now(), q.crowd(r)
		synctest.Wait()
		end()
		for _, err := range done() {
			assert.ErrorIs(r.t, err, storetest.ErrGone)
		}
		assert.Zero(r.t, time.Since(began))
	})
}

// Storage that fails fails those who wait, all with one read, and nobody after them.
func TestStoreErrorsAreNotKept(t *testing.T) {
	for _, want := range []error{storetest.ErrDown, context.DeadlineExceeded} {
		eachQuery(t, func(r *remembering, q query) {
			release := r.s.Stop(q.op, func() error { return want })
			done := q.crowd(r)
			synctest.Wait()
			release()
			for _, err := range done() {
				assert.ErrorIs(r.t, err, want)
			}
			assert.Equal(r.t, 1, r.s.Asked(q.op))
			r.s.Stage(nil, nil)
			assert.NoError(r.t, q.ask(r.t.Context(), r))
			assert.Equal(r.t, 2, r.s.Asked(q.op))
		})
	}
}

// A panic is nobody's end: those who wait get an error, and the next the entry.
func TestStorePanic(t *testing.T) {
	eachQuery(t, func(r *remembering, q query) {
		release := r.s.Stop(q.op, func() error { panic("storage") })
		done := q.crowd(r)
		synctest.Wait()
		r.s.Stage(nil, nil)
		release()
		for _, err := range done() {
			assert.ErrorAs(r.t, err, new(*panics.Error))
		}
		assert.NoError(r.t, q.ask(r.t.Context(), r))
	})
	r := remember(t, "a") // an entry that is not ready is not kept either
	r.ready = func(*numbered, string) error { panic("ready") }
	_, err := r.Get(t.Context(), r.s, "a")
	assert.ErrorAs(t, err, new(*panics.Error))
	r.ready = func(entry *numbered, _ string) error { entry.N = 5; return nil }
	entry, err := r.Get(t.Context(), r.s, "a")
	assert.NoError(t, err)
	assert.Equal(t, &numbered{"a", 5}, entry)
}

// Who begins to read once a write has been acknowledged sees that write or a later
// one, whoever else reads, writes, drops and leaves at the time, and however old is
// what is kept.
func TestStoreIsNeverOld(t *testing.T) {
	r := remember(t)
	r.s.Restless(0.1)
	names, shouted := []string{"own-0", "own-1", "own-2", "shared"}, []string{"OWN-0", "OWN-1", "OWN-2", "SHARED"}
	of := map[string]*storetest.Versions{}
	for _, name := range names {
		of[name] = &storetest.Versions{}
	}
	var sharing sync.Mutex // writes of one entry do not overlap
	write := func(name string) {
		v := of[name].Begun.Add(1)
		for err := storetest.ErrDown; err != nil; { // until then it may be there or not
			if v%4 == 0 {
				err = r.Remove(t.Context(), r.s, name)
			} else {
				err = r.Write(t.Context(), r.s, name, &numbered{name, v})
			}
		}
		of[name].Answered.Store(v)
	}
	ways := []func(ctx context.Context) ([]*numbered, error){
		func(ctx context.Context) ([]*numbered, error) { return r.readable(ctx) },
		func(ctx context.Context) ([]*numbered, error) { return r.findAll(ctx, names) },
		func(ctx context.Context) ([]*numbered, error) { return r.findAll(ctx, shouted) },
		func(ctx context.Context) (list []*numbered, err error) {
			for _, name := range names {
				entry, failed := r.Get(ctx, r.s, name)
				list, err = append(list, entry), cmp.Or(err, failed)
			}
			return list, err
		},
	}
	read := func(way int) {
		since := map[string]int64{}
		for name, v := range of {
			since[name] = v.Answered.Load()
		}
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		if rand.IntN(4) == 0 {
			go func() { storetest.Yield(); leave() }()
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
			entry := cmp.Or(got[name], &numbered{})
			assert.Empty(t, v.Problem(since[name], entry.N, got[name] != nil), name)
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
					r.Drop(names[rand.IntN(len(names))])
				}
				r.later(rand.N(maxAge / 4))
			}
		})
	}
	writers.Wait()
	over.Store(true)
	others.Wait()
	r.s.Stage(nil, nil)
	r.agrees(names...)
}
