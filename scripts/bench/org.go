package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

const (
	password = "correct-horse-battery"
	passCode = "123456"
)

// groupCounts are the numbers of groups that people are in.
var groupCounts = []int{1, 50, 200, 1000, 2000}

// unlimited is a rate limit that nobody reaches. By default the simulator tells of
// Okta's, 600 a minute, which a benchmark uses up at once; a method that paces
// itself by it would be measured waiting.
const unlimited = 1_000_000_000

// membersEach is how many people there are for each number of groups.
const membersEach = 4

// org is the simulated Okta of one subject: of each its own, so that requests
// and connections tell who made them. All have the same people.
type org struct {
	*oktatest.Server
	host    string           // as Vault knows it; it always means port 443
	plain   []*oktatest.User // in two groups, no factor
	coded   []*oktatest.User // with an app whose code is always the same
	members map[int][]*oktatest.User

	// Like coded, but Okta's own policy asks for the password alone.
	enrolled []*oktatest.User

	phoned int // people with phones so far
}

// listen starts an org on port 443 of an address of its own, because the builtin
// method calls no other port. The error for a user who may not listen there names the proxy.
func listen(nth int, name string, proxy *harness.Proxy) (*org, error) {
	sim := oktatest.New(oktatest.Options{CountOnly: true, RateLimit: unlimited, OtherRateLimit: unlimited})
	address := fmt.Sprintf("127.0.0.%d", 40+nth)
	srv, err := oktatest.Start(net.JoinHostPort(address, "443"), sim)
	if err == nil {
		return &org{Server: srv, host: address}, nil
	}
	if srv, err = oktatest.Start("127.0.0.1:0", sim); err != nil {
		return nil, err
	}
	o := &org{Server: srv, host: name + ".okta.test"}
	proxy.Route(o.host, strings.TrimPrefix(o.URL, "https://"))
	return o, nil
}

// proxied says that Vault reaches the org by the proxy.
func (o *org) proxied() bool { return strings.HasSuffix(o.host, ".test") }

// populate adds the people.
func (o *org) populate() {
	o.members = map[int][]*oktatest.User{}
	for i := range 64 {
		u := o.AddUser(fmt.Sprintf("plain%d@acme.test", i), password)
		u.SetGroups(teams(2)...)
		o.plain = append(o.plain, u)
	}
	for i := range 16 {
		u := o.AddUser(fmt.Sprintf("coded%d@acme.test", i), password)
		u.SetGroups(teams(2)...)
		u.AddTOTP("OKTA").SetCode(passCode)
		o.coded = append(o.coded, u)

		u = o.AddUser(fmt.Sprintf("enrolled%d@acme.test", i), password)
		u.SetGroups(teams(2)...)
		u.AddTOTP("OKTA").SetCode(passCode)
		u.SetStatus("SUCCESS")
		o.enrolled = append(o.enrolled, u)
	}
	for _, n := range groupCounts {
		for i := range membersEach {
			u := o.AddUser(fmt.Sprintf("member%d-of-%d@acme.test", i, n), password)
			u.SetGroups(teams(n)...)
			o.members[n] = append(o.members[n], u)
		}
	}
}

// setLatencies makes Okta wait before its answers: no time where each has none.
func (o *org) setLatencies(each map[string]time.Duration) {
	for _, endpoint := range oktatest.Endpoints() {
		o.SetLatency(endpoint, each[endpoint])
	}
}

// same is one latency for all that a login asks; none for zero.
func same(d time.Duration) map[string]time.Duration {
	if d == 0 {
		return nil
	}
	return map[string]time.Duration{"authn": d, "verify": d, "groups": d}
}

// teams are the names of the first n groups that people are in. Okta's names
// have capitals; those of the mappings do not, as Vault stores them.
func teams(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("Team %04d", i+1)
	}
	return names
}

// mapped are the groups of a mount with n mappings, with their policies: groups
// that people are in, 500 at most, and others.
func mapped(n int) map[string]string {
	const shared, policies = 500, 25
	m := make(map[string]string, n)
	for i := range n {
		name := fmt.Sprintf("other %05d", i)
		if i < shared {
			name = fmt.Sprintf("team %04d", i+1)
		}
		m[name] = fmt.Sprintf("policy-%02d", i%policies)
	}
	return m
}
