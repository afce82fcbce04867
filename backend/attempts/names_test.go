package attempts_test

import (
	"math/rand"
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
)

func TestFoldMapsSpellingsThatMayBeOneAccounts(t *testing.T) {
	for _, test := range []struct{ spelled, folded string }{
		{"mia@acme.test", "mia@acme.test"},
		{"MIA@Acme.Test", "mia@acme.test"},
		{"mía@acme.test", "mia@acme.test"},             // composed
		{"mi\u0301a@acme.test", "mia@acme.test"},       // decomposed
		{"m\u0131a@acme.test", "mia@acme.test"},        // dotless i
		{"mİa@acme.test", "mia@acme.test"},             // dotted capital I
		{"ｍｉａ＠ａｃｍｅ．ｔｅｓｔ", "mia@acme.test"},             // full width
		{"m\u200bi\u00ada@acme.test", "mia@acme.test"}, // zero width space, soft hyphen
		{" \tmia@acme.test\u00a0\n", "mia@acme.test"},
		{"\u200b mia@acme.test", "mia@acme.test"},
		{"Søren.Łęcki", "soren.lecki"},
		{"STRASSE", "strasse"}, {"straße", "strasse"}, {"\u1e9e", "ss"},
		{"ΣΊΣΥΦΟΣ", "σισυφοσ"}, {"σίσυφος", "σισυφοσ"}, {"\u1fb3", "α"},
		{"\u212aim", "kim"}, {"\u017fam", "sam"}, {"\ufb01nn", "finn"},
		{"mia ito", "mia ito"},
		{"", ""}, {"@", "@"},
	} {
		assert.Equal(t, test.folded, attempts.Fold(test.spelled), "%q", test.spelled)
	}
}

func TestFoldedTwiceIsFoldedOnce(t *testing.T) {
	once := func(name string) bool {
		folded := attempts.Fold(name)
		return attempts.Fold(folded) == folded
	}
	assert.NoError(t, quick.Check(once, &quick.Config{MaxCount: 20_000, Rand: rand.New(rand.NewSource(1))}))
	for r := range rune(0x20000) {
		assert.True(t, once(string(r)), "%U", r)
	}
}

func FuzzFold(f *testing.F) {
	f.Add("MÍA@acme.test")
	f.Fuzz(func(t *testing.T, name string) {
		folded := attempts.Fold(name)
		assert.Equal(t, folded, attempts.Fold(folded))
	})
}
