package okta

import (
	"net/http"
	"slices"
	"strings"
)

// Caller is the person's side of a request: on whose behalf Okta is called. Both
// fields may hold anything that a stranger sent: what has no place in a header is
// left out.
type Caller struct {
	// Address is the person's IP address, or a list "client, proxy" in the order of
	// X-Forwarded-For. Okta's network zones and risk engine see it if the org
	// trusts the plugin's own address as a proxy. A client without one is, to
	// Okta, a person at the plugin's own address.
	// https://developer.okta.com/docs/reference/core-okta-api/#ip-address
	Address string

	// UserAgent names the person's program; it may be empty. Okta reads browser
	// and operating system from it.
	// https://developer.okta.com/docs/reference/core-okta-api/#user-agent
	UserAgent string
}

// maxCaller bounds each of the caller's headers, in bytes.
const maxCaller = 256

// describe sets the headers that tell Okta who calls: c, by means of the program
// that own names.
func (c Caller) describe(h http.Header, own string) {
	if address := cleanAddress(c.Address); address != "" {
		h.Set("X-Forwarded-For", address)
	}
	// Okta's parser looks at the first product: the person's, where there is one.
	if agent := strings.TrimSpace(cleanAgent(c.UserAgent) + " " + own); agent != "" {
		h.Set("User-Agent", agent)
	}
}

// cleanAgent returns the printable ASCII of s, no more than maxCaller bytes of it.
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

// cleanAddress returns the end of a list of addresses: all of it, unless it is
// longer than maxCaller or an entry cannot be an address. Each proxy appends who
// called it, so the end is what can be trusted, and a stranger's nonsense at the
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

// likeAddress reports whether s is made of what IP addresses are made of.
func likeAddress(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF.:") == "" }
