package store

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// FoldLogin maps two spellings of one login to one another: they may differ in case,
// and in how a letter with a mark is composed. The marks themselves count, since the
// logins of two people may differ by a mark alone. No letter outside ASCII becomes
// one inside it, as with Fold.
func FoldLogin(login string) string {
	if isASCII(login) {
		return Fold(login)
	}
	var b strings.Builder
	var it norm.Iter
	for it.InitString(norm.NFC, login); !it.Done(); {
		start := it.Pos()
		composed := it.Next()
		if segment := login[start:it.Pos()]; !isASCII(segment) && isASCII(string(composed)) {
			b.WriteString(segment) // the Kelvin sign, for example
			continue
		}
		b.Write(composed)
	}
	return Fold(b.String())
}

// FoldLoosely maps all spellings to one another that Okta may take for the same name:
// it ignores case, marks, and what a compatible letter looks like. Two people may
// share what it returns, so it is for requirements and limits, never for rights.
func FoldLoosely(name string) string {
	if isASCII(name) {
		return strings.ToLower(name)
	}
	bare := transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.M)), cases.Fold(), norm.NFKD, runes.Remove(runes.In(unicode.M)))
	folded, _, err := transform.String(bare, name)
	if err != nil || !utf8.ValidString(folded) { // a name is valid text; anything else is its own
		return name
	}
	return folded
}
