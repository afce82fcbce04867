package okta

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ParseOrgURL reads the URL of an org, "https://acme.okta.com" or
// "https://acme.okta.com:8443/". It refuses everything that has no place in one:
// another scheme, user information, a path, a query, a fragment, and the host of
// the admin console.
//
// All ways of writing one URL have one result. Its host is in lower case and does not
// end with a dot, port 443 is left out, and no slash follows.
func ParseOrgURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Opaque != "":
		return nil, errors.New("is not a URL")
	case u.Scheme != "https":
		return nil, errors.New("must use https")
	case u.User != nil:
		return nil, errors.New("must not contain user information")
	case u.Path != "" && u.Path != "/":
		return nil, errors.New("must not contain a path")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, errors.New("must not contain a query")
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, errors.New("must not contain a fragment")
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	switch {
	case !validHost(host) || !validPort(u):
		return nil, errors.New("must have a valid host name")
	case IsAdminHost(host):
		return nil, errors.New("must not be the host of the admin console (-admin)")
	}
	return &url.URL{Scheme: u.Scheme, Host: normalHost(host, u.Port())}, nil
}

// normalHost returns a valid host and port in the form of ParseOrgURL.
func normalHost(host, port string) string {
	host = strings.ToLower(host)
	if ip, err := netip.ParseAddr(host); err == nil {
		if host = ip.String(); ip.Is6() {
			host = "[" + host + "]"
		}
	}
	if n, err := strconv.Atoi(port); err == nil && n != httpsPort {
		host += ":" + strconv.Itoa(n)
	}
	return host
}

const httpsPort = 443

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

// validPort reports whether u has no port or one from 1 to 65535, which url.Parse
// does not check.
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
