package store

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold maps names that differ in case only to one another, as strings.EqualFold
// compares them, except that no letter outside ASCII becomes one inside it. The
// Kelvin sign is no k and the long s no s: otherwise a group that only looks like
// "kube" would get its policies.
func Fold(name string) string {
	if isASCII(name) {
		return strings.ToUpper(name) // the same as below, and free if name is in upper case
	}
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			if (next < utf8.RuneSelf) == (r < utf8.RuneSelf) {
				least = min(least, next)
			}
		}
		return least
	}, name)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
