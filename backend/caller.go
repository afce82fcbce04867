package backend

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Headers that Vault hands on where the mount is tuned to pass them through
// (passthrough_request_headers).
const (
	forwardedHeader = "X-Forwarded-For"
	agentHeader     = "User-Agent"
)

// maxForwarded bounds the addresses that are taken over from X-Forwarded-For.
const maxForwarded = 8

// caller tells Okta for whom the mount calls: the addresses of X-Forwarded-For
// where there are any, else the one that Vault itself sees.
func caller(req *logical.Request) okta.Caller {
	address := strings.Join(forwarded(req), ", ")
	if address == "" {
		address = connected(req)
	}
	who := okta.Caller{Address: address}
	if agents := header(req, agentHeader); len(agents) > 0 {
		who.UserAgent = agents[0]
	}
	return who
}

// origin tells the clients of a mount apart: requests with the same origin come
// from the same address. It has both the address that Vault sees, which nobody
// can forge, and those of X-Forwarded-For, which tell clients of one gateway
// apart. An empty origin is an unknown one, over a Unix socket for example: it is
// the same as no other, another empty one included.
func origin(req *logical.Request) string {
	address := connected(req)
	if address == "" {
		return ""
	}
	return strings.Join(append([]string{address}, forwarded(req)...), ", ")
}

// connected returns the address that Vault sees, or "" where that is none.
func connected(req *logical.Request) string {
	if req.Connection == nil {
		return ""
	}
	return plainAddress(req.Connection.RemoteAddr)
}

// forwarded returns the addresses of X-Forwarded-For in their order. Each proxy
// appends the address it was called from, so the last ones, written nearest to
// Vault, are the ones to trust: where there are too many those are kept, and what
// comes before an entry that is no address is not looked at.
func forwarded(req *logical.Request) []string {
	var addresses []string
	for _, entry := range slices.Backward(strings.Split(strings.Join(header(req, forwardedHeader), ","), ",")) {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		address := plainAddress(entry)
		if address == "" || len(addresses) == maxForwarded {
			break
		}
		addresses = append(addresses, address)
	}
	slices.Reverse(addresses)
	return addresses
}

// header returns the values of a header, in whatever case its name came.
func header(req *logical.Request, name string) []string {
	var values []string
	for _, key := range slices.Sorted(maps.Keys(req.Headers)) {
		if strings.EqualFold(key, name) {
			values = append(values, req.Headers[key]...)
		}
	}
	return values
}

// plainAddress returns the IP address that s is, in its one usual form and without
// a port, which some gateways add, or a zone; "" where s is none.
func plainAddress(s string) string {
	s = strings.TrimSpace(s)
	address, err := netip.ParseAddr(s)
	if err != nil {
		address, err = parseWithPort(s)
	}
	if err != nil {
		return ""
	}
	return address.Unmap().WithZone("").String()
}

// parseWithPort parses "192.0.2.1:4711", "[2001:db8::1]:4711" and "[2001:db8::1]".
func parseWithPort(s string) (netip.Addr, error) {
	if strings.HasSuffix(s, "]") {
		s += ":0"
	}
	both, err := netip.ParseAddrPort(s)
	return both.Addr(), err
}
