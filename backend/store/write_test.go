package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
)

// hangingWrite begins a write of "a" that storage does, or has done, only when it is
// released; it then fails with that error.
func (r *remembering) hangingWrite(done bool, err error) (release func() error) {
	released, answered := make(chan struct{}), make(chan error)
	wait := func(_ context.Context, op string) error {
		if op == "put n/a" {
			<-released
			return err
		}
		return nil
	}
	if done {
		r.s.Stage(nil, wait)
	} else {
		r.s.Stage(wait, nil)
	}
	go func() { answered <- r.Write(r.t.Context(), r.s, "a", &numbered{"a", 2}) }()
	synctest.Wait()
	return func() error {
		close(released)
		return <-answered
	}
}

// get asks for "a", and returns its version and how often storage was asked for it.
func (r *remembering) get() (version int64, asked int) {
	r.t.Helper()
	before := r.s.Asked("get n/a")
	entry, err := r.Get(r.t.Context(), r.s, "a")
	require.NoError(r.t, err)
	require.NotNil(r.t, entry)
	return entry.N, r.s.Asked("get n/a") - before
}

// While nobody knows what has become of a write, and until a read has found out,
// nothing is kept of its entry.
func TestStoreKeepsNothingWhileAWriteHangs(t *testing.T) {
	for _, done := range []bool{false, true} {
		for _, failure := range []error{nil, storetest.ErrDown} {
			t.Run(fmt.Sprintf("done %v, then %v", done, failure), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := remember(t, "a", "b")
					r.agrees("a", "b")
					now := map[bool]int64{false: 1, true: 2}
					release := r.hangingWrite(done, failure)
					for range 3 {
						version, asked := r.get()
						assert.Equal(t, now[done], version, "not what storage has")
						assert.Equal(t, 1, asked)
					}
					before := r.s.Asked("get")
					for range 3 { // others are in memory, and are written
						_, err := r.Get(t.Context(), r.s, "b")
						require.NoError(t, err)
						require.NoError(t, r.Write(t.Context(), r.s, "c", &numbered{"c", 1}))
					}
					assert.Equal(t, before, r.s.Asked("get"))

					assert.Equal(t, failure, release())
					version, asked := r.get()
					assert.Equal(t, now[done || failure == nil], version)
					assert.Equal(t, failure == nil, asked == 0, "an answered write is known")
					_, asked = r.get()
					assert.Zero(t, asked, "settled")
				})
			})
		}
	}
}

// A read that began before the write was settled does not settle it.
func TestStoreReadDuringAWriteSettlesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := remember(t, "a")
		release := r.hangingWrite(false, errors.New("who knows"))
		answer := r.s.Stop("get n/a", nil)
		go func() { _, _ = r.Get(t.Context(), r.s, "a") }()
		synctest.Wait()
		r.s.Stage(nil, nil)
		require.Error(t, release())
		answer()
		synctest.Wait()
		_, asked := r.get()
		assert.Equal(t, 1, asked)
		_, asked = r.get()
		assert.Zero(t, asked)
	})
}

// A write that panics leaves nothing unsettled.
func TestStoreWritePanics(t *testing.T) {
	r := remember(t, "a")
	r.agrees("a")
	r.s.Stage(func(context.Context, string) error { panic("storage") }, nil)
	assert.Panics(t, func() { _ = r.Write(t.Context(), r.s, "a", &numbered{"a", 2}) })
	r.s.Stage(nil, nil)
	version, asked := r.get()
	assert.EqualValues(t, 1, version)
	assert.Equal(t, 1, asked)
	_, asked = r.get()
	assert.Zero(t, asked)
}

// Storage that is read-only is told as Vault tells it, whatever the plugin protocol
// has made of it: Vault forwards the request for that.
func TestReadOnlyStorage(t *testing.T) {
	for _, told := range []error{
		logical.ErrReadOnly, errors.New(logical.ErrReadOnly.Error()), fmt.Errorf("failed to persist entry: %w", logical.ErrReadOnly),
	} {
		r := remember(t, "a")
		r.s.Stage(func(context.Context, string) error { return told }, nil)
		for what, err := range map[string]error{
			"write":  r.Write(t.Context(), r.s, "a", &numbered{}),
			"remove": r.Remove(t.Context(), r.s, "a"),
			"put":    Put(t.Context(), r.s, "x", 1),
			"delete": Delete(t.Context(), r.s, "x"),
		} {
			assert.True(t, err == logical.ErrReadOnly, "%s: %v", what, err)
		}
	}
}
