package oktatest

import (
	"bytes"
	"context"
	"crypto/rand"
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
	messages     []Message // the last ones; Messages says which are valid
	apps         []*ServiceApp
	tokens       map[string]*accessToken
	proofs       map[string]bool // jti of DPoP proofs that were used
	nonce        string          // that proofs for tokens need

	mux *http.ServeMux
}

// New returns an empty organization.
func New(opts Options) *Org {
	opts = opts.withDefaults()
	if opts.OrgID == "" {
		opts.OrgID = "00o" + rand.Text()[:17]
	}
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
		tokens:       make(map[string]*accessToken),
		proofs:       make(map[string]bool),
		nonce:        rand.Text(),
	}
	o.mux = o.newMux()
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

// OrgID returns the organization's id; see [Options].
func (o *Org) OrgID() string { return o.options().OrgID }

// organization answers GET /.well-known/okta-organization. Where no organization is,
// Okta answers with a web page and status 404 (observed); see [HTML].
func (o *Org) organization(c *call) answer {
	return ok(object{
		"id": o.opts.OrgID, "pipeline": o.opts.Engine,
		"_links": object{"organization": object{"href": c.base}},
	})
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
	w = &statusWriter{ResponseWriter: w, org: o, record: o.record(r, body)}
	r = r.WithContext(r.Context()) // a copy, whose body can be read once more
	r.Body = io.NopCloser(bytes.NewReader(body))
	o.mux.ServeHTTP(w, r)
}

// serve answers the requests to one endpoint.
func (o *Org) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !o.delay(r.Context(), rt.endpoint) {
			panic(http.ErrAbortHandler)
		}
		c := &call{request: r, base: "https://" + r.Host}
		f := o.faultFor(rt.endpoint)
		if f.before != nil {
			f.before()
		}
		if f.serve != nil {
			if f.delivered {
				o.dispatch(rt, c)
			}
			f.serve(o, w, r, rt.endpoint)
			return
		}
		a := o.dispatch(rt, c)
		if f.change != nil {
			f.change(a.body)
		}
		o.write(w, a)
	}
}

// delay waits for the endpoint's latency, and reports whether the client waited, too.
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
func (o *Org) dispatch(rt route, c *call) answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.now = o.opts.Now()
	c.bucket = o.bucketFor(rt, c)
	a := o.checked(rt, c)
	a.rate = c.bucket.headers()
	return a
}

func (o *Org) checked(rt route, c *call) answer {
	if rt.endpoint == "" { // the route only refuses requests
		return rt.handle(o, c)
	}
	if a, bad := o.checkToken(rt, c); bad {
		return a
	}
	if !c.bucket.take(c.now) {
		return oktaError("E0000047")
	}
	if body, _ := io.ReadAll(c.request.Body); c.request.Method == http.MethodPost && len(body) > 0 {
		if bad := c.read(rt, body); bad != "" {
			return oktaError(bad)
		}
	}
	o.addSecret(c.body.Password, c.body.PassCode, c.body.Answer, c.body.DeviceToken)
	return rt.handle(o, c)
}

// checkToken looks at the Authorization header. Public endpoints work without one. A
// wrong one fails everywhere.
func (o *Org) checkToken(rt route, c *call) (answer, bool) {
	header := c.request.Header.Get("Authorization")
	if header == "" {
		if rt.public {
			return answer{}, false
		}
		// Observed: without any token Okta looks for a browser session.
		return oktaError("E0000005"), true
	}
	scheme, token, _ := strings.Cut(header, " ")
	if isOAuth := strings.EqualFold(scheme, "DPoP") || strings.EqualFold(scheme, "Bearer"); isOAuth && !rt.public {
		if bad := o.checkAccess(rt, c, scheme, token); bad != nil {
			return *bad, true
		}
		return answer{}, false
	}
	if !strings.EqualFold(scheme, "SSWS") || token != o.Token {
		return oktaError("E0000011"), true
	}
	return answer{}, false
}

// call is a request on its way through an endpoint.
type call struct {
	request *http.Request
	base    string // scheme and host for links, as the client used them
	body    requestBody
	form    url.Values // of a request for a token
	now     time.Time
	bucket  *bucket
}

// read reads the body, and returns the code of an error or "".
func (c *call) read(rt route, body []byte) (code string) {
	kind, _, _ := mime.ParseMediaType(c.request.Header.Get("Content-Type"))
	var err error
	switch {
	case rt.form && kind == "application/x-www-form-urlencoded":
		c.form, err = url.ParseQuery(string(body))
	case !rt.form && kind == "application/json":
		err = json.Unmarshal(body, &c.body)
	default:
		return "E0000021"
	}
	if err != nil {
		return "E0000003"
	}
	return ""
}

// param returns the decoded path segment that the route's pattern names.
func (c *call) param(name string) string { return c.request.PathValue(name) }
