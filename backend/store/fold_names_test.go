package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestFoldLogin: the spellings of one login are one, and those of two people two.
func TestFoldLogin(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		a, b string
		same bool
	}{
		{"mia@acme.test", "MIA@Acme.Test", true},
		{"josé@acme.test", "JOSE\u0301@acme.test", true},
		{"josé@acme.test", "jose@acme.test", false},
		{"jose@acme.test", "jöse@acme.test", false},
		{"kim@acme.test", "\u212aim@acme.test", false}, // the Kelvin sign
		{"kimé@acme.test", "\u212aimé@acme.test", false},
		{"\u212aim@acme.test", "\u212aIM@acme.test", true},
		{"sam@acme.test", "\u017fam@acme.test", false}, // the long s
		{"mia@acme.test", "mia", false},
		{"", "", true},
	} {
		assert.Equal(t, row.same, FoldLogin(row.a) == FoldLogin(row.b), "%q and %q", row.a, row.b)
	}
}

// TestFoldLoosely: what Okta may take for one name is one, whatever else is.
func TestFoldLoosely(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		a, b string
		same bool
	}{
		{"mia@acme.test", "MIA@Acme.Test", true},
		{"mia", "mía", true},
		{"mia", "mi\u0301a", true},
		{"mia", "MÏA", true},
		{"kim", "\u212aim", true},
		{"strasse", "straße", true},
		{"mia", "ｍｉａ", true}, // full width
		{"office", "o\ufb03ce", true},
		{"mia", "mio", false},
		{"mia", "mia@acme.test", false},
	} {
		assert.Equal(t, row.same, FoldLoosely(row.a) == FoldLoosely(row.b), "%q and %q", row.a, row.b)
	}
	// Spellings of one login are one loosely, too: no right without its requirement.
	for _, name := range []string{"JOSE\u0301@acme.test", "\u212aim", "ſam", "ﬁn", "Ǆ", "ΐ", "ᾳ", "İ", "ı"} {
		assert.Equal(t, FoldLoosely(name), FoldLoosely(FoldLogin(name)), name)
	}
}

// FuzzFolds: folding twice is folding once, and what is one login is loosely one.
func FuzzFolds(f *testing.F) {
	for _, seed := range []string{"mia", "Mía", "\u212a", "ß", "\xff", "İı", "ΐ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		login := FoldLogin(name)
		assert.Equal(t, login, FoldLogin(login))
		assert.Equal(t, FoldLoosely(name), FoldLoosely(FoldLoosely(name)))
	})
}
