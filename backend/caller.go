package backend

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file finds out from where a request comes, and holds the field
// trusted_proxies of config, which says whose word counts for that.

// Headers that Vault passes on where the mount is tuned to let them through
// (passthrough_request_headers).
const (
	forwardedHeader = "X-Forwarded-For"
	agentHeader     = "User-Agent"
)

// caller returns who makes a request, as far as the mount believes it. Whatever
// depends on where somebody logs in from takes the address from here: it is one IP
// address, or empty where nobody knows it, as over a Unix socket. The user agent is
// the client's own word, which nothing may depend on.
func (cfg *configEntry) caller(req *logical.Request) okta.Caller {
	var who okta.Caller
	if address := cfg.TrustedProxies.client(req); address.IsValid() {
		who.Address = address.String()
	}
	if agents := header(req, agentHeader); len(agents) > 0 {
		who.UserAgent = agents[0]
	}
	return who
}

// proxies are the networks of the proxies whose X-Forwarded-For the mount believes.
type proxies []netip.Prefix

func (p proxies) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(address) })
}

// client returns the address that a request comes from. Each proxy appends to
// X-Forwarded-For the address that it was called from. So client goes back from the
// address that Vault sees to the one before it for as long as it has reached a
// trusted proxy: what anybody else has written is not looked at.
func (p proxies) client(req *logical.Request) netip.Addr {
	client := connected(req)
	for _, entry := range slices.Backward(strings.Split(strings.Join(header(req, forwardedHeader), ","), ",")) {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		before := parseAddress(entry)
		if !p.trusts(client) || !before.IsValid() {
			break
		}
		client = before
	}
	return client
}

// ignored returns a warning if the request came with an X-Forwarded-For that the
// mount does not believe, and "" otherwise.
func (p proxies) ignored(req *logical.Request) string {
	address := connected(req)
	if len(header(req, forwardedHeader)) == 0 || !address.IsValid() || p.trusts(address) {
		return ""
	}
	return fmt.Sprintf("the mount ignores the X-Forwarded-For of this request, because it came from %s, which is not in "+
		"trusted_proxies. If that is the address of your proxy, add it: until then Okta and Duo see the proxy's address "+
		"for everybody who comes through it.", address)
}

// connected returns the address that Vault sees. It is not valid where Vault sees
// none.
func connected(req *logical.Request) netip.Addr {
	if req.Connection == nil {
		return netip.Addr{}
	}
	return parseAddress(req.Connection.RemoteAddr)
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

// parseAddress returns the IP address that s is, in its one usual form and without a
// port, which some gateways add, or a zone. It is not valid where s is no address.
func parseAddress(s string) netip.Addr {
	s = strings.TrimSpace(s)
	address, err := netip.ParseAddr(s)
	if err != nil {
		address = parseWithPort(s)
	}
	return address.Unmap().WithZone("")
}

// parseWithPort parses "192.0.2.1:4711", "[2001:db8::1]:4711" and "[2001:db8::1]".
func parseWithPort(s string) netip.Addr {
	if strings.HasSuffix(s, "]") {
		s += ":0"
	}
	both, _ := netip.ParseAddrPort(s)
	return both.Addr()
}

func trustedProxiesField() *framework.FieldSchema {
	return &framework.FieldSchema{
		Type: framework.TypeCommaStringSlice,
		Description: "Addresses and CIDR blocks of the proxies in front of Vault whose X-Forwarded-For the mount believes: a list or a " +
			"comma-separated string. Nobody's, when empty. The mount must also be tuned to pass the header through.",
		DisplayAttrs: &framework.DisplayAttributes{Name: "Trusted Proxies"},
	}
}

// updateProxies takes over the field trusted_proxies. A null counts as not given, as
// it does for the other lists that decide who gets in.
func (cfg *configEntry) updateProxies(d *framework.FieldData) error {
	list, ok := newest[[]string](d, "trusted_proxies")
	if !ok || d.Raw["trusted_proxies"] == nil {
		return nil
	}
	trusted, err := parseNetworks("trusted_proxies", list)
	if err != nil {
		return err
	}
	cfg.TrustedProxies = trusted
	return nil
}

// parseNetworks parses the addresses and CIDR blocks of a field, and leaves out those
// that are there twice. The error names the field.
func parseNetworks(field string, list []string) (networks proxies, err error) {
	for _, s := range list {
		network, ok := parseNetwork(s)
		if !ok {
			return nil, invalid(field, fmt.Sprintf("must be a list of IP addresses and CIDR blocks, and %q is neither", okta.Clip(s, 64)))
		}
		if !slices.Contains(networks, network) {
			networks = append(networks, network)
		}
	}
	return networks, nil
}

// parseNetwork parses an address or a CIDR block.
func parseNetwork(s string) (network netip.Prefix, ok bool) {
	const mapped = 96 // bits before an IPv4 address that is written as an IPv6 one
	if address, err := netip.ParseAddr(s); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), true
	}
	network, err := netip.ParsePrefix(s)
	if err == nil && network.Addr().Is4In6() {
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mapped)
	}
	return network.Masked(), err == nil && network.IsValid()
}

// list returns the networks as they can be written.
func (p proxies) list() []string {
	list := make([]string, len(p))
	for i, network := range p {
		list[i] = network.String()
		if network.IsSingleIP() {
			list[i] = network.Addr().String()
		}
	}
	return list
}
