package okta

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxHostName is the longest name that DNS carries (RFC 1035 section 2.3.4).
const maxHostName = 253

// validHost reports whether host is an IP address or a DNS name: labels of
// letters, digits and inner hyphens (RFC 1123 section 2.1).
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if len(host) > maxHostName {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if !ValidHostLabel(label) {
			return false
		}
	}
	return true
}

// IsAdminHost reports whether host is that of an admin console,
// "acme-admin.okta.com", on which the API does not answer.
func IsAdminHost(host string) bool {
	first, _, _ := strings.Cut(strings.ToLower(host), ".")
	return strings.HasSuffix(first, "-admin")
}

// ValidHostLabel reports whether s can stand between two dots of a host name.
func ValidHostLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-':
		default:
			return false
		}
	}
	return true
}

// validPort reports whether u has no port or one from 1 to 65535. url.Parse
// accepts an empty port and any digits.
func validPort(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	port := u.Port()
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
