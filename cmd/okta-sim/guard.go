package main

import (
	"net"
	"net/http"
)

// guard lets only this machine's programs and the page itself through. A website that is
// open in the developer's browser is refused, whichever way it comes:
//
//   - by a request to the loopback address, with the headers that a browser adds to what a
//     page of another origin asks for. Some reads press buttons, so they are judged like
//     writes;
//   - by a name of its own that it lets point here (DNS rebinding), with that name as Host.
func guard(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		write := &http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host, URL: r.URL}
		switch {
		case !isLoopback(hostname(r.Host)):
			fail(w, http.StatusForbidden, "okta-sim answers to 127.0.0.1 and localhost only, and not as %q", r.Host)
		case r.URL.Path != "/" && origins.Check(write) != nil: // a link may lead to the page
			fail(w, http.StatusForbidden, "okta-sim takes no requests from other websites")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// hostname is a Host header without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
