package mfa_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// changed returns the methods, of which those with that name have become others.
func changed(methods []mfa.Required, name string) []mfa.Required {
	list := make([]mfa.Required, len(methods))
	for i, m := range methods {
		if m.Name == name {
			m.Revision += "'"
		}
		m.Or = changed(m.Or, name)
		list[i] = m
	}
	return list
}

// TestChangedMethodHasNotPassed: what has satisfied a method does not satisfy another
// revision of it, also where the method let the person in without anything, and where it
// is one of several that are enough.
func TestChangedMethodHasNotPassed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		required func(b *bench) []mfa.Required
		change   string
		missing  string // afterwards
	}{
		{"by a passcode", func(b *bench) []mfa.Required { return need(b.app, b.text) }, "app", "app, text"},
		{"by nothing", func(b *bench) []mfa.Required { return need(b.phone, b.text) }, "phone", "phone, text"},
		{"another one", func(b *bench) []mfa.Required { return need(b.app, b.text) }, "text", "text"},
		{"one of several", func(b *bench) []mfa.Required { return either(need(b.app, b.phone), need(b.text)...) }, "app", "app or phone, text"},
		{"the other one of several", func(b *bench) []mfa.Required { return either(need(b.app, b.phone), need(b.text)...) }, "phone", "text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(mfa.PushLimit{})
			b.text.sends, b.phone.rings, b.phone.passed = false, "", tc.name == "by nothing"
			required := tc.required(b)
			v := newHeld(t, b)
			_, err := v.Continue(t.Context(), required, nil)
			require.Error(t, err)
			_, err = v.Continue(t.Context(), required, gave(map[string]string{"app": "111111", "text": "999999"}))
			require.ErrorIs(t, err, mfa.ErrWrongPassCode)
			_, err = v.Continue(t.Context(), required, nil)
			assertMissing(t, "text", err)
			b.phone.passed = false
			now := changed(required, tc.change)
			_, err = v.Continue(t.Context(), now, nil)
			assertMissing(t, tc.missing, err)
			_, err = v.Continue(t.Context(), now, gave(map[string]string{"app": "111111", "phone": "222222", "text": "333333"}))
			require.NoError(t, err)
			assert.True(t, v.Passed())
			assert.True(t, v.open().Covers(now))
			assert.False(t, v.open().Covers(changed(now, "text")))
		})
	}
}

// either requires one of the methods, and all others.
func either(or []mfa.Required, others ...mfa.Required) []mfa.Required {
	one := mfa.Required{Or: or}
	for i, m := range or {
		if i > 0 {
			one.ID, one.Name = one.ID+"|", one.Name+" or "
		}
		one.ID, one.Name = one.ID+m.ID, one.Name+m.Name
	}
	return append([]mfa.Required{one}, others...)
}

// TestChangedMethodDoesNotRing: a push that waits for a method ends where that has changed,
// and what was prepared to follow is prepared anew.
func TestChangedMethodDoesNotRing(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		"phone":  "withdraw phone, prepare phone, ring second, ring phone",
		"second": "",
	} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			b := newBench(mfa.PushLimit{}).waits()
			second := &fakeMethod{name: "second", journal: &b.journal, rings: "mia elsewhere"}
			required := need(b.phone, second)
			v := newHeld(t, b)
			waiting, err := v.Continue(t.Context(), required, nil)
			require.NoError(t, err)
			require.NotNil(t, waiting)
			b.journal.read()
			now := changed(required, change)
			waiting, err = v.Continue(t.Context(), now, nil)
			require.NoError(t, err)
			require.NotNil(t, waiting)
			assert.Equal(t, want, b.journal.read())
			b.phone.decided <- nil
			require.NoError(t, continued(t, v, now))
			assert.True(t, v.open().Covers(now))
			if change == "second" {
				assert.Equal(t, "prepare second, ring second", b.journal.read())
			}
		})
	}
}
