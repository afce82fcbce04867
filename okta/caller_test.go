package okta

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCallerUserAgent(t *testing.T) {
	t.Parallel()
	const own = "vault-plugin-auth-okta/v0.1.0"
	for _, tc := range []struct{ name, in, want string }{
		{"none", "", own},
		{"browser", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0 " + own},
		{"spaces", "  \t ", own},
		{"spaces around", " curl/8 ", "curl/8 " + own},
		{"another header", "curl/8\r\nX-Evil: 1", "curl/8X-Evil: 1 " + own},
		{"controls", "a\x00b\x1b[31mc\x7fd", "ab[31mcd " + own},
		{"not ASCII", "Grün/1 \u2028\xff 鍵", "Grn/1 " + own},
		{"nothing that is ASCII", "鍵\r\n", own},
		{"256 bytes", strings.Repeat("a", 256), strings.Repeat("a", 256) + " " + own},
		{"257 bytes", strings.Repeat("a", 257), strings.Repeat("a", 256) + " " + own},
		{"a space at the cut", strings.Repeat("a", 255) + " b", strings.Repeat("a", 255) + " " + own},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			Caller{UserAgent: tc.in}.describe(h, own)
			assert.Equal(t, http.Header{"User-Agent": {tc.want}}, h)
		})
	}
	h := http.Header{}
	Caller{}.describe(h, "")
	assert.Empty(t, h)
}

func TestCallerAddress(t *testing.T) {
	t.Parallel()
	long := strings.TrimSuffix(strings.Repeat("198.51.100.100, ", 20), ", ")
	for _, tc := range []struct{ name, in, want string }{
		{"none", "", ""},
		{"IPv4", "198.51.100.7", "198.51.100.7"},
		{"IPv6", "2001:DB8::9", "2001:DB8::9"},
		{"list", "198.51.100.7, 2001:db8::9,10.0.0.1", "198.51.100.7, 2001:db8::9, 10.0.0.1"},
		{"empty entries", " ,198.51.100.7,, 10.0.0.1 , ", "198.51.100.7, 10.0.0.1"},
		{"only commas", ", ,,", ""},
		{"a name", "evil.test", ""},
		{"another header", "198.51.100.7\r\nX-Evil: 1", ""},
		{"a zone", "fe80::1%eth0", ""},
		{"two in one entry", "198.51.100.7 198.51.100.8", ""},
		{"not ASCII", "１98.51.100.7", ""},
		{"nonsense first", "unknown, <script>, 198.51.100.7, 10.0.0.1", "198.51.100.7, 10.0.0.1"},
		{"nonsense in the middle", "198.51.100.7, unknown, 10.0.0.1", "10.0.0.1"},
		{"nonsense last", "198.51.100.7, unknown", ""},
		{"too long", long, long[len(long)-254:]},
		{"too long in one entry", strings.Repeat("1", 257), ""},
		{"256 bytes", strings.Repeat("1", 256), strings.Repeat("1", 256)},
		{"too long first", strings.Repeat("1", 300) + ", 10.0.0.1", "10.0.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			Caller{Address: tc.in}.describe(h, "")
			assert.Equal(t, tc.want, h.Get("X-Forwarded-For"))
			assert.Equal(t, tc.want != "", len(h) == 1)
		})
	}
}

// FuzzCaller: whatever a stranger sends, each header is one short line, ends with
// what is known to be true, and stays what it is when it is cleaned again.
func FuzzCaller(f *testing.F) {
	const own = "vault-plugin-auth-okta/v0.1.0"
	f.Add("198.51.100.7, 10.0.0.1", "Mozilla/5.0 (X11; Linux x86_64)")
	f.Add("x\r\nX-Evil: 1,10.0.0.1", "curl/8\r\nX-Evil: 1\x00")
	f.Add(strings.Repeat("1,", 300), strings.Repeat(" é", 300))
	f.Fuzz(func(t *testing.T, address, agent string) {
		h := http.Header{}
		Caller{Address: address, UserAgent: agent}.describe(h, own)
		line := h.Get("User-Agent")
		if !strings.HasSuffix(" "+line, " "+own) || len(line) > maxCaller+1+len(own) || strings.Trim(line, " ") != line {
			t.Errorf("user agent %q", line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("user agent %q", line)
		}
		from := h.Get("X-Forwarded-For")
		if len(from) > maxCaller || strings.Trim(from, "0123456789abcdefABCDEF.:, ") != "" || cleanAddress(from) != from {
			t.Errorf("address %q", from)
		}
		if last := strings.TrimSpace(address[strings.LastIndexByte(address, ',')+1:]); from != "" && !strings.HasSuffix(from, last) {
			t.Errorf("address %q of %q", from, address)
		}
	})
}
