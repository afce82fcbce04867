package oktatest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault changes how an endpoint answers; see [Org.Fail].
type Fault struct {
	before    func() // called before the request is answered; may be nil
	serve     func(o *Org, w http.ResponseWriter, r *http.Request, endpoint string)
	change    func(body any) // changes the usual answer, where serve is nil
	after     int
	times     int // 0 means for ever
	delivered bool
	seen      int
}

// Times limits the fault to n requests. By default, and where n is not positive,
// it lasts for ever.
func (f Fault) Times(n int) Fault { f.times = max(n, 0); return f }

// After lets k requests to the endpoint pass before the fault starts, so that it can
// hit the second page of groups, or a later poll.
func (f Fault) After(k int) Fault { f.after = max(k, 0); return f }

// Delivered lets the request take effect before the fault hides its answer,
// as when a connection breaks on the way back.
func (f Fault) Delivered() Fault { f.delivered = true; return f }

// Fail makes an endpoint misbehave; the names are those of [Endpoints]. Of
// several faults, the first that applies to a request is answered:
//
//	srv.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error").After(1))
//	srv.Fail("verify", oktatest.CloseConnection().Times(2))
func (o *Org) Fail(endpoint string, faults ...Fault) {
	mustEndpoint(endpoint)
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range faults {
		o.faults[endpoint] = append(o.faults[endpoint], &f)
	}
}

// ClearFaults makes all endpoints behave again.
func (o *Org) ClearFaults() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.faults)
}

// faultFor returns the fault that a request meets. Where it meets none, the fault does
// nothing. Every fault sees every request, so After counts from the call of Fail.
func (o *Org) faultFor(endpoint string) *Fault {
	o.mu.Lock()
	defer o.mu.Unlock()
	hit := new(Fault)
	found := false
	for _, f := range o.faults[endpoint] {
		f.seen++
		if found || f.seen <= f.after {
			continue
		}
		hit, found = f, true
		switch f.times {
		case 0: // it lasts for ever
		case 1: // this was the last time
			o.faults[endpoint] = slices.DeleteFunc(slices.Clone(o.faults[endpoint]),
				func(g *Fault) bool { return g == f })
		default:
			f.times--
		}
	}
	return hit
}

// CloseConnection takes the request and closes the connection without any
// answer.
func CloseConnection() Fault {
	return Fault{serve: func(_ *Org, _ http.ResponseWriter, r *http.Request, _ string) { abort(r) }}
}

// Hang takes the request and says nothing until the client leaves.
func Hang() Fault {
	return Fault{serve: func(_ *Org, _ http.ResponseWriter, r *http.Request, _ string) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}}
}

// HangBody sends the headers and the first bytes of a body, and then nothing
// until the client leaves.
func HangBody() Fault {
	return Fault{serve: func(o *Org, w http.ResponseWriter, r *http.Request, _ string) {
		o.startBody(w, "application/json")
		_, _ = w.Write([]byte(`{"status":`))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}}
}

// EndlessBody sends a body that goes on until the client leaves.
func EndlessBody() Fault {
	return Fault{serve: func(o *Org, w http.ResponseWriter, r *http.Request, _ string) {
		o.startBody(w, "application/json")
		_, err := w.Write([]byte(`{"padding":"`))
		chunk := []byte(strings.Repeat("x", 32<<10))
		for err == nil && r.Context().Err() == nil {
			_, err = w.Write(chunk)
		}
		panic(http.ErrAbortHandler)
	}}
}

// HugeBody answers 200 with a JSON object of about n bytes.
func HugeBody(n int) Fault {
	return Fault{serve: func(o *Org, w http.ResponseWriter, r *http.Request, _ string) {
		const start, end = `{"padding":"`, `"}`
		padding := max(n-len(start)-len(end), 0)
		w.Header().Set("Content-Length", strconv.Itoa(len(start)+padding+len(end)))
		o.startBody(w, "application/json")
		_, err := w.Write([]byte(start))
		chunk := []byte(strings.Repeat("x", 32<<10))
		for err == nil && padding > 0 {
			part := min(padding, len(chunk))
			_, err = w.Write(chunk[:part])
			padding -= part
		}
		_, _ = w.Write([]byte(end))
	}}
}

// TruncatedJSON answers 200 with JSON that ends in the middle, though it
// begins with what a client hopes for.
func TruncatedJSON() Fault {
	return Fault{serve: func(o *Org, w http.ResponseWriter, r *http.Request, endpoint string) {
		o.startBody(w, "application/json")
		body := `{"status":"SUCCESS","sessionToken":"20111","_embedded":{"user":{"id":"00u`
		switch endpoint {
		case "groups":
			body = `[{"id":"00g1","type":"OKTA_GROUP","profile":{"name":"Everyone"}},{"id":"00g`
		case "listusers":
			body = `[{"id":"00u1","status":"ACTIVE","profile":{"login":"mia@acme.test`
		case "listfactors":
			body = `[{"id":"opf1","factorType":"push","provider":"OKTA","status":"ACTIVE"},{"id":"ost`
		case "verifyfactor", "transaction":
			body = `{"factorResult":"SUCCESS","_links":{"verify":{"href":"https://`
		}
		_, _ = w.Write([]byte(body))
	}}
}

// HTML answers with a web page, as a proxy on the way does, and without any
// of Okta's headers.
func HTML(status int) Fault {
	return Fault{serve: func(_ *Org, w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<html><head><title>%d %s</title></head><body><h1>%[2]s</h1></body></html>\n",
			status, http.StatusText(status))
	}}
}

// Redirect answers with a redirection to a URL.
func Redirect(code int, location string) Fault {
	return Fault{serve: func(o *Org, w http.ResponseWriter, _ *http.Request, _ string) {
		o.write(w, answer{status: code, header: http.Header{"Location": {location}}})
	}}
}

// Status answers with an Okta error document, such as 500 E0000009, 503
// E0000010 or 403 E0000006.
func Status(code int, errorCode, summary string) Fault {
	return Fault{serve: func(o *Org, w http.ResponseWriter, _ *http.Request, _ string) {
		a := answer{status: code, body: errorDocument(errorCode, summary)}
		a.limit(o.options().Now(), 600, 599, time.Minute)
		o.write(w, a)
	}}
}

// Accepted202 answers E0000070, which is an error document with a 2xx status.
func Accepted202() Fault { return Status(http.StatusAccepted, "E0000070", "Nobody has answered yet") }

// RateLimited answers 429 E0000047 with the rate headers. The limit resets after
// the given time by the organization's clock, which the Date header shows.
func RateLimited(remaining int, reset time.Duration) Fault {
	return rateLimited(600, remaining, reset)
}

// RateLimitedConcurrency answers 429 E0000047 as for too many simultaneous
// requests: limit and remaining are zero, and reset is only a suggestion.
func RateLimitedConcurrency() Fault { return rateLimited(0, 0, time.Minute) }

func rateLimited(limit, remaining int, reset time.Duration) Fault {
	return Fault{serve: func(o *Org, w http.ResponseWriter, _ *http.Request, _ string) {
		a := oktaError("E0000047")
		a.limit(o.options().Now(), limit, remaining, reset)
		o.write(w, a)
	}}
}

// limit adds the rate headers of a limit that resets after a time, and the Date that this
// time is counted from.
func (a *answer) limit(now time.Time, limit, remaining int, reset time.Duration) {
	a.rate = rateHeaders(limit, remaining, now.Add(reset))
	a.rate.Set("Date", now.UTC().Format(http.TimeFormat))
}

// RateLimitedBare answers 429 E0000047 without rate headers and Date.
func RateLimitedBare() Fault {
	return Fault{serve: func(o *Org, w http.ResponseWriter, _ *http.Request, _ string) {
		a := oktaError("E0000047")
		a.header = http.Header{"Date": nil} // net/http then sends none
		o.write(w, a)
	}}
}

// Body answers with any body.
func Body(status int, contentType, raw string) Fault {
	return Fault{serve: func(o *Org, w http.ResponseWriter, _ *http.Request, _ string) {
		commonHeaders(w.Header(), o.options().Now())
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(raw))
	}}
}

// Meanwhile calls a function and then answers as usual. The function can change the
// organization while the client waits:
//
//	srv.Fail("groups", oktatest.Meanwhile(func() { mia.SetStatus("SUSPENDED") }).Times(1))
func Meanwhile(do func()) Fault { return Fault{before: do} }

// Without answers as usual and leaves fields out. A path, such as
// "_embedded.user.profile.login", leads from the top of the answer to a field. In a
// list it leads to a field of every element.
func Without(paths ...string) Fault {
	return Fault{change: func(body any) {
		for _, path := range paths {
			remove(body, strings.Split(path, "."))
		}
	}}
}

func remove(body any, path []string) {
	switch body := body.(type) {
	case object:
		if len(path) == 1 {
			delete(body, path[0])
			return
		}
		remove(body[path[0]], path[1:])
	case []object:
		for _, element := range body {
			remove(element, path)
		}
	}
}

// startBody sends the headers of a 200.
func (o *Org) startBody(w http.ResponseWriter, contentType string) {
	commonHeaders(w.Header(), o.options().Now())
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
}

// abort ends a request without an answer. It closes the connection itself,
// because over HTTP/2 the panic alone would only reset the stream.
func abort(r *http.Request) {
	if c := connOf(r.Context()); c != nil {
		_ = c.Close()
	}
	panic(http.ErrAbortHandler)
}

func connOf(ctx context.Context) net.Conn {
	c, _ := ctx.Value(connKey{}).(net.Conn)
	return c
}
