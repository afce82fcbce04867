package oktatest

import (
	"net/http"
	"strings"
)

// route is an endpoint of the API.
type route struct {
	pattern  string // method and path, as http.ServeMux reads them
	endpoint string // its name for SetLatency and Fail
	public   bool   // works without an API token
	handle   func(*Org, *call) answer
	form     bool // takes a form in place of JSON
}

var routes = []route{
	{"POST /api/v1/authn", "authn", true, (*Org).authn, false},
	{"POST /api/v1/authn/previous", "previous", true, (*Org).previous, false},
	{"POST /api/v1/authn/skip", "skip", true, (*Org).skip, false},
	{"POST /api/v1/authn/cancel", "cancel", true, (*Org).cancel, false},
	{"POST /api/v1/authn/factors/{factor}/verify", "verify", true, (*Org).verify, false},
	{"POST /api/v1/authn/factors/{factor}/verify/resend", "resend", true, (*Org).resend, false},
	{"GET /.well-known/okta-organization", "organization", true, (*Org).organization, false},
	{"POST /oauth2/v1/token", "token", true, (*Org).token, true},
	{"GET /api/v1/users", "listusers", false, (*Org).listUsers, false},
	{"GET /api/v1/users/{user}", "users", false, (*Org).getUser, false},
	{"GET /api/v1/users/{user}/groups", "groups", false, (*Org).listGroups, false},
	{"GET /api/v1/users/{user}/factors", "listfactors", false, (*Org).listFactors, false},
	{"GET /api/v1/users/{user}/factors/{factor}", "getfactor", false, (*Org).getFactor, false},
	{"POST /api/v1/users/{user}/factors/{factor}/verify", "verifyfactor", false, (*Org).verifyFactor, false},
	{"GET /api/v1/users/{user}/factors/{factor}/transactions/{transaction}", "transaction", false, (*Org).pollPush, false},
	{"DELETE /api/v1/users/{user}/factors/{factor}/transactions/{transaction}", "canceltransaction", false, (*Org).cancelPush, false},
}

// authenticates reports whether the endpoint is one of the Authentication API.
func (rt route) authenticates() bool { return strings.Contains(rt.pattern, " /api/v1/authn") }

// newMux serves the routes. Okta's form of an error answers the wrong methods and the
// unknown paths, too.
func (o *Org) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	paths := make(map[string]bool)
	for _, rt := range routes {
		mux.HandleFunc(rt.pattern, o.serve(rt))
		_, path, _ := strings.Cut(rt.pattern, " ")
		paths[path] = true
	}
	for path := range paths {
		mux.HandleFunc(path, o.serve(route{handle: func(*Org, *call) answer { return oktaError("E0000022") }}))
	}
	mux.HandleFunc("/", o.serve(route{handle: func(_ *Org, c *call) answer {
		return oktaError("E0000007", "Resource not found: "+c.request.URL.Path)
	}}))
	return mux
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
