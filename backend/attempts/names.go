package attempts

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold maps all spellings of a name to one that may be the same account's at Okta,
// which ignores case and diacritics in what it holds for one login:
// https://developer.okta.com/docs/reference/api/users/
// What Okta does not say is folded too, where databases commonly do: compatibility
// forms, invisible characters, the dotless i, and strokes through letters. Two names
// that fold to the same may still be two people, so this is for counting and
// demanding only, and never for granting anything.
func Fold(name string) string {
	name = strings.Map(visible, norm.NFKD.String(name))
	name = cases.Fold().String(unstroked.Replace(strings.ToUpper(name)))
	return strings.TrimSpace(name)
}

// visible drops marks, control and format characters.
func visible(r rune) rune {
	if unicode.In(r, unicode.M, unicode.Cc, unicode.Cf) {
		return -1
	}
	return r
}

// unstroked replaces capitals that Unicode does not decompose.
var unstroked = strings.NewReplacer("Ø", "O", "Đ", "D", "Ł", "L", "Ħ", "H")

// who returns a name at an address, which is not looked up. It takes no lock: to fold
// a long name can take milliseconds.
func (t *Table) who(name string, address key) who {
	name = Fold(name)
	local, _, long := strings.Cut(name, "@")
	return who{local: t.hash(local), name: t.hash(name), address: address, short: !long}
}

// addressKey returns 0 for what is no address. Of an IPv6 address only the first
// 64 bits count: whoever has one has all that begin like it.
func (t *Table) addressKey(address string) key {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return 0
	}
	ip = ip.Unmap()
	if ip.Is6() {
		ip = netip.PrefixFrom(ip, 64).Masked().Addr() // and without a zone
	}
	return t.hash(ip.String())
}

func (t *Table) hash(s string) key { return key(maphash.String(t.seed, s)) }
