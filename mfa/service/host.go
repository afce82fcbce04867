package service

import (
	"net"
	"net/url"
	"strings"
)

// IsHost reports whether s is a host, with a port or without, and nothing else.
// A name must not end with a dot, so that a caller can compare domains by their
// spelling.
func IsHost(s string) bool {
	u, err := url.Parse("https://" + s)
	if err != nil || u.Host != s || strings.HasSuffix(s, ":") {
		return false
	}
	if net.ParseIP(u.Hostname()) != nil {
		return true
	}
	for label := range strings.SplitSeq(u.Hostname(), ".") {
		if label == "" || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(u.Hostname()) <= 253
}
