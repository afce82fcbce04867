package oktatest

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxRequest bounds what is read of a request's body.
const maxRequest = 1 << 20

// Org is an Okta organization: an http.Handler for its API, and the methods
// to say who is in it. Most tests want the [Server] around it.
type Org struct {
	// Token is the SSWS API token that management calls must carry.
	Token string

	mu           sync.Mutex // guards all below, and all users, factors and transactions
	opts         Options
	users        []*User
	groups       map[groupKey]*group
	transactions map[string]*transaction // by state token; open ones only
	pushes       map[string]*apiPush     // by transaction id; open ones only
	stateTokens  []string
	secrets      []string
	secretSeen   map[string]bool
	latency      map[string]time.Duration
	faults       map[string][]*Fault
	buckets      map[string]*bucket
	usernames    map[string]*window // password logins by folded username
	requests     []*record
	received     int
}

// New returns an empty organization.
func New(opts Options) *Org {
	opts = opts.withDefaults()
	o := &Org{
		Token:        opts.Token,
		opts:         opts,
		groups:       make(map[groupKey]*group),
		transactions: make(map[string]*transaction),
		pushes:       make(map[string]*apiPush),
		secretSeen:   make(map[string]bool),
		latency:      make(map[string]time.Duration),
		faults:       make(map[string][]*Fault),
		buckets:      make(map[string]*bucket),
		usernames:    make(map[string]*window),
	}
	o.addSecret(opts.Token)
	return o
}

// Configure changes the options of a running organization. The API token,
// the certificate's hosts and the protocols stay as they were.
func (o *Org) Configure(change func(*Options)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.opts)
	o.opts = o.opts.withDefaults()
}

func (o *Org) options() Options {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.opts
}

// SetLatency makes an endpoint wait before it answers. The names are those
// of [Endpoints].
func (o *Org) SetLatency(endpoint string, d time.Duration) {
	mustEndpoint(endpoint)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.latency[endpoint] = d
}

// ServeHTTP answers a request to the organization's API.
func (o *Org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	sw := &statusWriter{ResponseWriter: w, org: o, record: o.record(r, body)}
	rt, params, allowed := match(r)

	if !o.delay(r.Context(), rt.endpoint) {
		panic(http.ErrAbortHandler)
	}
	c := &call{request: r, params: params, base: "https://" + r.Host}
	if f := o.faultFor(rt.endpoint); f != nil {
		if f.delivered {
			o.dispatch(rt, c, body, allowed)
		}
		f.serve(o, sw, r, rt.endpoint)
		return
	}
	a := o.dispatch(rt, c, body, allowed)
	o.write(sw, a)
}

// delay waits for the endpoint's latency; false means that the client left.
func (o *Org) delay(ctx context.Context, endpoint string) bool {
	o.mu.Lock()
	d := o.latency[endpoint]
	o.mu.Unlock()
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// dispatch answers a request under the organization's lock, with the checks
// that all endpoints share.
func (o *Org) dispatch(rt route, c *call, body []byte, allowed bool) answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.now = o.opts.Now()
	c.bucket = o.bucketFor(rt, c)
	a := o.checked(rt, c, body, allowed)
	a.rate = c.bucket.headers()
	return a
}

func (o *Org) checked(rt route, c *call, body []byte, allowed bool) answer {
	switch {
	case rt.handle == nil:
		return oktaError("E0000007", "Resource not found: "+c.request.URL.Path)
	case !allowed:
		return oktaError("E0000022")
	}
	if a, bad := o.checkToken(rt, c.request); bad {
		return a
	}
	if !c.bucket.take(c.now) {
		return oktaError("E0000047")
	}
	if rt.method == http.MethodPost && len(body) > 0 {
		kind, _, _ := mime.ParseMediaType(c.request.Header.Get("Content-Type"))
		if kind != "application/json" {
			return oktaError("E0000021")
		}
		if err := json.Unmarshal(body, &c.body); err != nil {
			return oktaError("E0000003")
		}
	}
	o.addSecret(c.body.Password, c.body.PassCode, c.body.Answer)
	return rt.handle(o, c)
}

// checkToken looks at the Authorization header. Authentication calls work
// without one; a wrong one fails everywhere.
func (o *Org) checkToken(rt route, r *http.Request) (answer, bool) {
	header := r.Header.Get("Authorization")
	if header == "" {
		if rt.public {
			return answer{}, false
		}
		// Observed: without any token Okta looks for a browser session.
		return oktaError("E0000005"), true
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "SSWS") || token != o.Token {
		return oktaError("E0000011"), true
	}
	return answer{}, false
}

// call is a request on its way through an endpoint.
type call struct {
	request *http.Request
	params  []string // the path segments that the route left open, decoded
	base    string   // scheme and host for links: those the client used
	body    requestBody
	now     time.Time
	bucket  *bucket
}

// route is an endpoint: "*" in its path stands for any one segment.
type route struct {
	method   string
	path     string
	endpoint string
	public   bool // works without an API token
	handle   func(*Org, *call) answer
}

var routes = []route{
	{http.MethodPost, "api/v1/authn", "authn", true, (*Org).authn},
	{http.MethodPost, "api/v1/authn/previous", "previous", true, (*Org).previous},
	{http.MethodPost, "api/v1/authn/skip", "skip", true, (*Org).skip},
	{http.MethodPost, "api/v1/authn/cancel", "cancel", true, (*Org).cancel},
	{http.MethodPost, "api/v1/authn/factors/*/verify", "verify", true, (*Org).verify},
	{http.MethodPost, "api/v1/authn/factors/*/verify/resend", "resend", true, (*Org).resend},
	{http.MethodGet, "api/v1/users", "listusers", false, (*Org).listUsers},
	{http.MethodGet, "api/v1/users/*", "users", false, (*Org).getUser},
	{http.MethodGet, "api/v1/users/*/groups", "groups", false, (*Org).listGroups},
	{http.MethodGet, "api/v1/users/*/factors", "listfactors", false, (*Org).listFactors},
	{http.MethodGet, "api/v1/users/*/factors/*", "getfactor", false, (*Org).getFactor},
	{http.MethodPost, "api/v1/users/*/factors/*/verify", "verifyfactor", false, (*Org).verifyFactor},
	{http.MethodGet, "api/v1/users/*/factors/*/transactions/*", "transaction", false, (*Org).pollPush},
	{http.MethodDelete, "api/v1/users/*/factors/*/transactions/*", "canceltransaction", false, (*Org).cancelPush},
}

// Endpoints returns the names that SetLatency and Fail take.
func Endpoints() []string {
	var names []string
	for _, rt := range routes {
		names = append(names, rt.endpoint)
	}
	return names
}

// mustEndpoint panics on a name that no endpoint has: a misspelt one would
// let a test pass for the wrong reason.
func mustEndpoint(name string) {
	for _, rt := range routes {
		if rt.endpoint == name {
			return
		}
	}
	panic("oktatest: no endpoint is named " + name)
}

// match finds the route of a path and method. If the path allows other
// methods only, it is one of those. It splits the path before decoding, so
// that %2F stays inside its segment.
func match(r *http.Request) (rt route, params []string, allowed bool) {
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for _, candidate := range routes {
		if open, ok := matchPath(strings.Split(candidate.path, "/"), segments); ok {
			rt, params = candidate, open
			if rt.method == r.Method {
				return rt, params, true
			}
		}
	}
	return rt, params, false
}

func matchPath(pattern, segments []string) (params []string, ok bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	for i, want := range pattern {
		if want != "*" {
			if want != segments[i] {
				return nil, false
			}
			continue
		}
		param, err := url.PathUnescape(segments[i])
		if err != nil || param == "" {
			return nil, false
		}
		params = append(params, param)
	}
	return params, true
}
