package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file tries a configuration, step by step, and says of each step what came of it.

// finding is a row of the answer.
type finding struct {
	name   string
	result string
	detail string
	action string // what to do; "" where the result is resultOK
}

// Results of a finding, from the best to the worst.
const (
	resultOK   = "ok"
	resultWarn = "warn"
	resultFail = "fail"
)

func (c *check) ok(name, detail string, args ...any) {
	c.rows = append(c.rows, finding{name, resultOK, fmt.Sprintf(detail, args...), ""})
}

func (c *check) warn(name, detail, action string) {
	c.rows = append(c.rows, finding{name, resultWarn, detail, action})
}

func (c *check) fail(name, detail, action string) {
	c.rows = append(c.rows, finding{name, resultFail, detail, action})
}

func (c *check) worst() string {
	for _, result := range []string{resultFail, resultWarn} {
		if slices.ContainsFunc(c.rows, func(f finding) bool { return f.result == result }) {
			return result
		}
	}
	return resultOK
}

// data is the findings as the answer has them.
func (c *check) data() []map[string]any {
	rows := make([]map[string]any, len(c.rows))
	for i, f := range c.rows {
		rows[i] = map[string]any{"check": f.name, "result": f.result, "detail": f.detail}
		if f.action != "" {
			rows[i]["action"] = f.action
		}
	}
	return rows
}

// run tries one step after the other, and ends where a later one would tell nothing. Its
// error is one of the mount's storage.
func (c *check) run(ctx context.Context, unsound []string) (err error) {
	for _, text := range unsound {
		c.fail("configuration", text, "write the field anew")
	}
	if c.orgURL, err = c.cfg.orgURL(); err != nil {
		if len(unsound) == 0 {
			c.fail("configuration", err.Error(), "write the field anew")
		}
		return nil
	}
	if len(unsound) == 0 {
		c.ok("configuration", "the org is %s", c.orgURL)
	}
	bare, err := c.client(okta.Config{})
	if err != nil {
		return err
	}
	defer bare.Close()
	reached := bare.Reach(ctx)
	if !c.way(reached) || !c.org(reached) {
		return nil
	}
	c.clock()
	if err := c.credentials(ctx); err != nil {
		return err
	}
	c.rateLimits()
	return nil
}

// client returns a client of its own for the check, whose connections are new.
func (c *check) client(with okta.Config) (*okta.Client, error) {
	with.OrgURL, with.Timeout = c.orgURL, cmp.Or(c.timeout, checkStep)
	with.Saw = func(a okta.Answer) { c.heads = append(c.heads, a) }
	return c.newClient(with)
}

const (
	wayAction   = "check org_name and base_url, and the network between Vault and Okta: firewall, routes, and HTTPS_PROXY of Vault's environment"
	trustAction = "check base_url; behind a proxy that opens TLS, add its certificate authority to the roots of Vault's machine, or have it let Okta through"
)

// way tells how far the request has come.
func (c *check) way(r okta.Reach) bool {
	var reason okta.UnreachableReason
	if e := find[*okta.UnreachableError](r.Err); e != nil {
		reason = e.Reason
	}
	failed := r.Err != nil
	nameless := len(r.Addresses) == 0 && !c.hasAddress()
	switch {
	case r.Proxy != "" && (reason == okta.UnreachableProxy || failed && r.Address == ""):
		c.fail("proxy", "the proxy "+r.Proxy+" does not connect: "+happened(r.Err), "check org_name and base_url, and HTTPS_PROXY and NO_PROXY of Vault's environment")
		return false
	case r.Proxy != "":
		c.ok("proxy", "requests go by the proxy %s, which looks up the name of the org", r.Proxy)
	case reason == okta.UnreachableName, errors.Is(r.Err, okta.ErrTimeout) && r.Address == "" && nameless:
		c.fail("name", "the name of the org's host does not resolve: "+happened(r.Err), "check org_name and base_url, then the DNS of Vault's machine")
		return false
	case len(r.Addresses) > 0:
		c.ok("name", "it resolves to %s", strings.Join(r.Addresses[:min(len(r.Addresses), 8)], ", "))
	default:
		c.ok("name", "there is none to look up")
	}
	if failed && r.Address == "" {
		c.fail("tcp", "no connection came about: "+happened(r.Err), wayAction)
		return false
	}
	c.ok("tcp", "connected to %s", cmp.Or(r.Address, "the org"))
	return c.tls(r, reason)
}

// hasAddress reports whether the org's host is an IP address.
func (c *check) hasAddress() bool {
	u, err := url.Parse(c.orgURL)
	return err == nil && net.ParseIP(u.Hostname()) != nil
}

// warnCertificate is how long before its end a certificate is warned of. Okta renews its
// own long before, and those of custom domains 30 days before.
const warnCertificate = 14 * 24 * time.Hour

func (c *check) tls(r okta.Reach, reason okta.UnreachableReason) bool {
	distrusted := slices.Contains([]okta.UnreachableReason{okta.UnreachableCertificate, okta.UnreachableExpired, okta.UnreachableHostname}, reason)
	switch {
	case distrusted:
		c.ok("tls", "the host speaks TLS")
	case r.Err != nil && r.TLS == "":
		c.fail("tls", "the host does not answer by TLS: "+happened(r.Err), wayAction)
		return false
	default:
		c.ok("tls", "%s", cmp.Or(r.TLS, "connected"))
	}
	about := ""
	if r.Certificate != nil {
		about = fmt.Sprintf("of %s, good until %s", okta.Clip(r.Certificate.Issuer.String(), 128), r.Certificate.NotAfter.UTC().Format(time.RFC3339))
	}
	switch {
	case reason == okta.UnreachableExpired:
		c.fail("certificate", string(reason)+": "+about, "have the certificate renewed, or, if it is good for now, set the clock of Vault's machine")
	case distrusted:
		c.fail("certificate", string(reason)+": "+about+": "+happened(r.Err), trustAction)
	case r.Certificate != nil && time.Until(r.Certificate.NotAfter) < warnCertificate:
		c.warn("certificate", "it ends soon: "+about, "have the certificate renewed")
	case r.Certificate != nil:
		c.ok("certificate", "%s", about)
	}
	return !distrusted
}

// slowAnswer is from when on an answer is slow. A login waits for three to five of them.
const slowAnswer = time.Second

// org tells whether the host is an Okta org, and which.
func (c *check) org(r okta.Reach) bool {
	switch {
	case r.Latency > slowAnswer:
		c.warn("latency", "an answer takes "+r.Latency.Round(time.Millisecond).String(), "look at the proxies and the distance between Vault and Okta: a login waits for several answers")
	case r.Latency > 0:
		c.ok("latency", "an answer takes %s", r.Latency.Round(time.Millisecond))
	}
	said := find[*okta.Error](r.Err)
	switch {
	case r.Err == nil:
	case limited(r.Err):
		c.warn("org", happened(r.Err), waitAction)
		return true
	case errors.Is(r.Err, okta.ErrMalformed), said != nil && said.HTTPStatus < http.StatusInternalServerError:
		c.fail("org", "the host is no Okta org: "+happened(r.Err), "check org_name and base_url; the credentials were not tried")
		return false
	default:
		c.fail("org", happened(r.Err), "look at status.okta.com, then at the proxies between Vault and Okta")
		return false
	}
	own := ""
	if u, err := okta.ParseOrgURL(r.Org.URL); err == nil && u.String() != c.orgURL {
		own = ", whose own URL is " + u.String()
	}
	c.ok("org", "it is the Okta org %s%s", okta.Clip(r.Org.ID, 32), own)
	switch r.Org.Pipeline {
	case "v1":
		c.ok("engine", "Classic Engine")
	case "idx":
		c.ok("engine", "Identity Engine")
	default:
		c.warn("engine", fmt.Sprintf("the org names an engine that the plugin does not know: %q", okta.Clip(r.Org.Pipeline, 16)),
			"look for a newer version of the plugin")
	}
	return true
}

// Okta tells its time in seconds, and takes proofs of up to 5 minutes ago.
const (
	warnSkew = 30 * time.Second
	maxSkew  = 5 * time.Minute
)

// clock compares Okta's clock with this machine's.
func (c *check) clock() {
	const action = "set the clock of Vault's machine, by NTP"
	at := slices.IndexFunc(c.heads, func(a okta.Answer) bool { return !a.Date.IsZero() })
	if at < 0 {
		c.warn("clock", "the answers tell no time", "have the proxy between Vault and Okta leave the header Date alone")
		return
	}
	skew := c.heads[at].Date.Add(time.Second / 2).Sub(c.heads[at].Received) // it is cut to the second
	how := "ahead of"
	if skew < 0 {
		skew, how = -skew, "behind"
	}
	detail := fmt.Sprintf("Okta's clock is %s %s this machine's", skew.Round(time.Second), how)
	switch {
	case skew > maxSkew:
		c.fail("clock", detail+": Okta refuses what a service app signs, and passcodes of MFA methods are wrong", action)
	case skew > warnSkew:
		c.warn("clock", detail+": passcodes of MFA methods of type totp may be wrong", action)
	default:
		c.ok("clock", "it agrees with Okta's to %s", skew.Round(time.Second))
	}
}

const waitAction = "wait, and check again; look at Okta's rate limit dashboard for who uses the limit up"

// limited reports whether err is Okta's answer that there are too many requests.
func limited(err error) bool {
	e := find[*okta.Error](err)
	return e != nil && e.HTTPStatus == http.StatusTooManyRequests
}

// happened says for an operator how a request has failed.
func happened(err error) string {
	said := find[*okta.Error](err)
	switch {
	case limited(err):
		return fmt.Sprintf("Okta limits the rate of requests%s: try again in %s", codeOf(err), inWords(waitOf(err)))
	case said != nil && said.Endpoint == okta.EndpointToken && said.Summary != "": // nothing that anybody typed is in that request
		return fmt.Sprintf("HTTP %d%s: %s", said.HTTPStatus, codeOf(err), said.Summary)
	case said != nil:
		return fmt.Sprintf("HTTP %d%s", said.HTTPStatus, codeOf(err))
	}
	return strings.TrimPrefix(err.Error(), okta.ErrUnreachable.Error()+": ")
}

// rateLimits tells what is left of the limits that the answers tell of.
func (c *check) rateLimits() {
	const name = "rate_limit"
	last := map[string]okta.RateLimit{}
	for _, a := range c.heads {
		if a.Status == http.StatusTooManyRequests {
			c.fail(name, "Okta has refused a request, because the limit is used up", waitAction)
			return
		}
		if a.Limit.Limit > 0 {
			last[string(a.Endpoint)] = a.Limit
		}
	}
	if client := c.clients.current(""); client != nil && client.OrgURL() == c.orgURL {
		if l := client.AuthnLimit(); l.Limit > 0 && c.now().Before(l.Reset) {
			last["authn"] = l
		}
	}
	var all, low []string
	for _, endpoint := range slices.Sorted(maps.Keys(last)) {
		l := last[endpoint]
		text := fmt.Sprintf("%s %d of %d", endpoint, l.Remaining, l.Limit)
		all = append(all, text)
		if l.Remaining*10 < l.Limit {
			low = append(low, text)
		}
	}
	switch {
	case len(all) == 0:
		c.warn(name, "the answers tell of no limit", "have the proxy between Vault and Okta leave the headers X-Rate-Limit-… alone")
	case len(low) > 0:
		c.warn(name, "little is left for this minute: "+strings.Join(low, ", "), waitAction)
	default:
		c.ok(name, "left for this minute: %s", strings.Join(all, ", "))
	}
}
