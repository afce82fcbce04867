package okta

import (
	"net/http"
	"slices"
	"strings"
)

// Caller is the person on whose behalf Okta is called. Both fields may hold anything
// that a stranger sent: the client leaves out what has no place in a header.
type Caller struct {
	// Address is the person's IP address, or a list "client, proxy" in the order of
	// X-Forwarded-For. Okta's network zones and risk engine see it if the org
	// trusts the plugin's own address as a proxy. Where it is empty, Okta takes the
	// plugin's own address for the person's.
	// https://developer.okta.com/docs/reference/core-okta-api/#ip-address
	Address string

	// UserAgent names the person's program; it may be empty. Okta reads the browser
	// and the operating system from it.
	// https://developer.okta.com/docs/reference/core-okta-api/#user-agent
	UserAgent string
}

// maxCaller bounds each of the caller's headers, in bytes.
const maxCaller = 256

// describe sets the headers that tell Okta who calls: the person c, by means of the
// program whose product token is own.
func (c Caller) describe(h http.Header, own string) {
	if address := cleanAddress(c.Address); address != "" {
		h.Set("X-Forwarded-For", address)
	}
	// Okta's parser reads the first product, so the person's comes first.
	if agent := strings.TrimSpace(cleanAgent(c.UserAgent) + " " + own); agent != "" {
		h.Set("User-Agent", agent)
	}
}

// cleanAgent returns the printable ASCII of s, cut after maxCaller bytes.
func cleanAgent(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[:min(len(s), maxCaller)])
}

// cleanAddress returns the end of a list of addresses: all of it, unless the list is
// longer than maxCaller or an entry cannot be an address. Each proxy appends the
// address of its caller. So the end can be trusted, and a stranger's nonsense at the
// beginning must not hide it.
func cleanAddress(list string) string {
	kept := ""
	for _, entry := range slices.Backward(strings.Split(list, ",")) {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		longer := strings.TrimSuffix(entry+", "+kept, ", ")
		if !likeAddress(entry) || len(longer) > maxCaller {
			break
		}
		kept = longer
	}
	return kept
}

// likeAddress reports whether all characters of s occur in IP addresses.
func likeAddress(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF.:") == "" }
