package backend

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
)

// marked is in the secrets of the seeds: a text with it has come from the input.
const marked = "5e1f"

// within is the mount of a fuzz target, for one run of it.
func (m *mount) within(t *testing.T) *mount {
	own := *m
	own.t = t
	return &own
}

// contents is all that storage holds.
func (m *mount) contents() map[string]string {
	m.t.Helper()
	keys, err := logical.CollectKeys(m.t.Context(), m.storage)
	require.NoError(m.t, err)
	all := map[string]string{}
	for _, key := range keys {
		all[key] = m.stored(key)
	}
	return all
}

// restore has storage hold what it held before.
func (m *mount) restore(before map[string]string) {
	m.t.Helper()
	for key := range m.contents() {
		if before[key] == "" {
			m.plant(key, "")
		}
	}
	for key, raw := range before {
		if m.stored(key) != raw {
			m.plant(key, raw)
		}
	}
}

// value is what a JSON document can hold: text, or the document that text is.
func value(t *testing.T, text string, isJSON bool) any {
	if !isJSON {
		return strings.ToValidUTF8(text, "\ufffd") // as a decoder of JSON does
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber() // as Vault does
	var v any
	if d.Decode(&v) != nil {
		t.Skip("no JSON")
	}
	return v
}

// FuzzEntryName: an entry is stored under its own key, below its own folder and nowhere
// else; it is read by its name and by the name that a list has; and a deletion leaves
// nothing behind. A name that is refused stores nothing.
func FuzzEntryName(f *testing.F) {
	for _, name := range []string{"mia", "Mia.Ito@acme.test", "Everyone", "a/b", "../config", "..", ".", "a/../b", "a//b", "/a", "a/", " a ", "İT", "\u212aube",
		"mia\x00", "a\nb", "a%2f..%2fb", "mfa/method/x", "a\\..\\b", "ａ", "\xff", "?list=true", strings.Repeat("n", 1025)} {
		f.Add(true, name)
		f.Add(false, name)
	}
	shared := newMount(f, false)
	shared.configure(nil)
	shared.plant(methodPrefix+"x", `{"id":"x","type":"totp"}`)
	f.Fuzz(func(t *testing.T, users bool, name string) {
		m := shared.within(t)
		folder, prefix, fold := "groups/", groupPrefix, store.Fold
		if users {
			folder, prefix, fold = "users/", userPrefix, func(s string) string { return s }
		}
		before := m.contents()
		defer m.restore(before)
		_, status, text := m.do(logical.UpdateOperation, folder+name, fields{"policies": "p1"})
		after := m.contents()
		if status != http.StatusOK {
			assert.Less(t, status, 500, text)
			assert.Equal(t, before, after, "what was refused has changed storage")
			return
		}
		var made []string
		for key, raw := range after {
			if _, was := before[key]; !was {
				made = append(made, key)
			} else if raw != before[key] {
				t.Errorf("%q has changed %s", name, key)
			}
		}
		require.Len(t, made, 1)
		stored, below := strings.CutPrefix(made[0], prefix)
		assert.True(t, below && path.Clean(made[0]) == made[0] && !strings.Contains(made[0], ".."), "%q is stored as %q", name, made[0])
		assert.Equal(t, fold(name), fold(stored))
		assert.Equal(t, []string{"p1"}, toStrings(m.read(folder + name)["policies"]))
		listed, status, text := m.do(logical.ListOperation, folder, nil)
		require.Equal(t, http.StatusOK, status, text)
		require.Equal(t, []string{stored}, toStrings(listed.Data["keys"]))
		assert.Equal(t, []string{"p1"}, toStrings(m.read(folder + stored)["policies"]))
		_, status, text = m.do(logical.DeleteOperation, folder+name, nil)
		assert.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, before, m.contents())
	})
}
