package oktatest

import (
	"net/http"
	"strconv"
	"time"
)

// bucket is the rate limit of an endpoint: a number of requests in a window of 60
// seconds, which starts with the first of them.
type bucket struct {
	limit    int
	enforced bool
	used     int
	reset    time.Time
}

// bucketFor finds the bucket of a route. All authentication calls share one.
func (o *Org) bucketFor(rt route, c *call) *bucket {
	name := rt.endpoint
	if rt.authenticates() {
		name = "authn"
	}
	b := o.buckets[name]
	if b == nil {
		b = &bucket{}
		o.buckets[name] = b
	}
	b.limit, b.enforced = 600, false
	switch {
	case rt.authenticates() && o.opts.RateLimit > 0:
		b.limit, b.enforced = o.opts.RateLimit, true
	case !rt.authenticates() && o.opts.OtherRateLimit > 0:
		b.limit = o.opts.OtherRateLimit
	}
	if !c.now.Before(b.reset) {
		b.used, b.reset = 0, c.now.Add(time.Minute)
	}
	return b
}

// take counts a request, and reports whether it may pass.
func (b *bucket) take(now time.Time) bool {
	if b.enforced && b.used >= b.limit {
		return false
	}
	b.used++
	return true
}

// headers returns the three headers that Okta sends with all answers. A limit that is
// not enforced is never shown as used up.
func (b *bucket) headers() http.Header {
	remaining := b.limit - b.used
	if remaining < 1 && !b.enforced {
		remaining = 1
	}
	return rateHeaders(b.limit, remaining, b.reset)
}

func rateHeaders(limit, remaining int, reset time.Time) http.Header {
	return http.Header{
		"X-Rate-Limit-Limit":     {strconv.Itoa(limit)},
		"X-Rate-Limit-Remaining": {strconv.Itoa(max(remaining, 0))},
		"X-Rate-Limit-Reset":     {strconv.FormatInt(reset.Unix(), 10)},
	}
}

// window counts what happened lately.
type window struct{ times []time.Time }

// allow reports whether there were fewer than n events in the last span, and counts
// this one if so.
func (w *window) allow(now time.Time, n int, span time.Duration) bool {
	recent := w.times[:0]
	for _, t := range w.times {
		if now.Sub(t) < span {
			recent = append(recent, t)
		}
	}
	w.times = recent
	if len(w.times) >= n {
		return false
	}
	w.times = append(w.times, now)
	return true
}
