package store

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestFold(t *testing.T) {
	for _, pair := range [][2]string{{"ADMINS", "admins"}, {"Groß", "GROß"}, {"ΟΔΟΣ", "οδος"}, {"é", "É"}} {
		assert.Equal(t, Fold(pair[0]), Fold(pair[1]), "%q", pair)
	}
	for _, pair := range [][2]string{{"a", "b"}, {"e", "é"}, {"\u212aube", "kube"}, {"\u017fudo", "sudo"}, {"İT", "it"}} {
		assert.NotEqual(t, Fold(pair[0]), Fold(pair[1]), "%q", pair)
	}
}

func FuzzFold(f *testing.F) {
	f.Add("Admins", "aDMINS")
	f.Add("ſ", "S")
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ToValidUTF8(a, "") != a || strings.ToValidUTF8(b, "") != b {
			return // Fold is asked about valid UTF-8 only
		}
		// The same but for letters that are ASCII on one side only.
		ascii := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r < utf8.RuneSelf {
					return 'a'
				}
				return 'é'
			}, s)
		}
		want := strings.EqualFold(a, b) && ascii(a) == ascii(b)
		if got := Fold(a) == Fold(b); got != want {
			t.Errorf("Fold says %v for %q and %q", got, a, b)
		}
	})
}
