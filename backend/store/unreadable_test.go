package store

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
)

// secretValue is in each damaged value, and nowhere else.
const secretValue = "31337000000000000000000"

// damages are values that are no entries.
var damages = map[string]string{
	"cut off":                `{"Of":"` + secretValue,
	"not JSON":               secretValue + " of old",
	"a string":               `"` + secretValue + `"`,
	"a list":                 `["` + secretValue + `"]`,
	"a field of other type":  `{"Of":["` + secretValue + `"]}`,
	"a number out of range":  `{"Of":"a","N":` + secretValue + `}`,
	"null":                   ` null `,
	"nothing":                ``,
	"gzip that is none":      "G" + secretValue,
	"refused when completed": `{"Of":"refused"}`,
	"not to be decrypted":    storetest.Undecryptable,
}

// spoil has another node write a damaged value.
func (r *remembering) spoil(name, raw string) {
	r.t.Helper()
	require.NoError(r.t, r.s.Storage.Put(r.t.Context(), &logical.StorageEntry{Key: "n/" + name, Value: []byte(raw)}))
}

// unreadable asserts that err names the entry, and quotes nothing of it.
func (r *remembering) unreadable(err error, name string) {
	r.t.Helper()
	damaged, ok := errors.AsType[*UnreadableError](err)
	if assert.True(r.t, ok, err) {
		assert.Equal(r.t, "n/"+name, damaged.Key)
		assert.Contains(r.t, err.Error(), `"n/`+name+`"`)
		assert.NotContains(r.t, err.Error(), secretValue)
	}
}

// eachDamage runs test with "b" damaged beside "a" and "c".
func eachDamage(t *testing.T, test func(t *testing.T, r *remembering)) {
	for what, raw := range damages {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := remember(t, "a", "c")
				r.ready = func(entry *numbered, name string) error {
					assert.NotEmpty(t, name)
					if entry.Of == "refused" {
						return errors.New("it is refused")
					}
					return nil
				}
				r.spoil("b", raw)
				test(t, r)
			})
		})
	}
}

// TestUnreadableEntryFailsThoseWhoAskForIt: and no other way to any entry.
func TestUnreadableEntryFailsThoseWhoAskForIt(t *testing.T) {
	eachDamage(t, func(t *testing.T, r *remembering) {
		ctx := t.Context()
		_, err := r.Get(ctx, r.s, "b")
		r.unreadable(err, "b")
		_, err = r.Stored(ctx, r.s, "b")
		r.unreadable(err, "b")
		at, _, err := r.Find(ctx, r.s, "B")
		r.unreadable(err, "b")
		assert.Equal(t, "b", at)
		at, _, err = r.FindStored(ctx, r.s, "B")
		r.unreadable(err, "b")
		assert.Equal(t, "b", at)
		_, err = r.FindAll(ctx, r.s, []string{"a", "b"})
		r.unreadable(err, "b")

		r.agreesOn("a", "c")
		names, err := r.List(ctx, r.s)
		require.NoError(t, err)
		assert.Equal(t, []string{"a", "b", "c"}, names)
		entries, unreadable, err := r.All(ctx, r.s)
		require.NoError(t, err)
		assert.Equal(t, []*numbered{{Of: "a", N: 1}, {Of: "c", N: 1}}, entries)
		require.Len(t, unreadable, 1)
		r.unreadable(unreadable[0], "b")
		var scanned []string
		unreadable, err = r.Scan(ctx, r.s, func(name string, _ *numbered) { scanned = append(scanned, name) })
		require.NoError(t, err)
		assert.Equal(t, []string{"a", "c"}, scanned)
		require.Len(t, unreadable, 1)
		r.unreadable(unreadable[0], "b")
	})
}

// agreesOn asks for entries that can be read.
func (r *remembering) agreesOn(names ...string) {
	r.t.Helper()
	for _, name := range names {
		entry, err := r.Get(r.t.Context(), r.s, name)
		assert.NoError(r.t, err)
		assert.Equal(r.t, &numbered{Of: name, N: 1}, entry)
	}
	entries, err := r.FindAll(r.t.Context(), r.s, names)
	assert.NoError(r.t, err)
	assert.Len(r.t, entries, len(names))
}

// TestUnreadableEntryIsReplacedAndRemoved: as any other.
func TestUnreadableEntryIsReplacedAndRemoved(t *testing.T) {
	eachDamage(t, func(t *testing.T, r *remembering) {
		_, err := r.Get(t.Context(), r.s, "b")
		r.unreadable(err, "b")
		require.NoError(t, r.Write(t.Context(), r.s, "b", &numbered{Of: "b", N: 1}))
		r.agreesOn("a", "b", "c")
		r.spoil("b", "{")
		r.Drop("b")
		_, err = r.Get(t.Context(), r.s, "b")
		r.unreadable(err, "b")
		require.NoError(t, r.Remove(t.Context(), r.s, "b"))
		r.agrees("a", "b", "c")
	})
}

// TestUnreadableEntryIsReadAsOftenAsOthers: a login that fails by it does not ask storage
// each time, and each read that finds it is reported.
func TestUnreadableEntryIsReadAsOftenAsOthers(t *testing.T) {
	eachDamage(t, func(t *testing.T, r *remembering) {
		reported := 0
		r.Unreadable = func(e *UnreadableError) { r.unreadable(e, "b"); reported++ }
		ask := func(times int) {
			t.Helper()
			for range many {
				_, err := r.Get(t.Context(), r.s, "b")
				r.unreadable(err, "b")
				synctest.Wait()
			}
			assert.Equal(t, times, reported)
			assert.Equal(t, times, r.s.Asked("get n/b"))
		}
		ask(1)
		r.later(maxAge - time.Nanosecond)
		ask(1)
		r.later(1)
		ask(2)
		r.set("b", 1)
		r.later(maxAge)
		_, err := r.Get(t.Context(), r.s, "b") // and has it read again
		r.unreadable(err, "b")
		synctest.Wait()
		r.agreesOn("b")
		assert.Zero(t, r.failed.Load(), "it is not storage that fails")
		r.spoil("b", "{")
		r.later(maxAge)
		entry, err := r.Get(t.Context(), r.s, "b") // as before
		assert.NoError(t, err)
		assert.Equal(t, &numbered{Of: "b", N: 1}, entry)
		synctest.Wait()
		_, err = r.Get(t.Context(), r.s, "b")
		r.unreadable(err, "b")
	})
}
