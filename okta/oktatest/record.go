package oktatest

import (
	"bytes"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Request is a request that the organization got.
type Request struct {
	Method   string
	Path     string // as sent, still escaped
	RawQuery string
	Proto    string // "HTTP/1.1" or "HTTP/2.0"
	Host     string
	Header   http.Header
	Body     []byte
	Time     time.Time // by the organization's clock
	// Status is the HTTP status of the answer. It is 0 until the request is answered,
	// and stays 0 if the connection was closed instead.
	Status int
}

// UserAgent returns the client that the request names.
func (r Request) UserAgent() string { return r.Header.Get("User-Agent") }

// ForwardedFor returns the X-Forwarded-For header, several lines of it
// joined by commas.
func (r Request) ForwardedFor() string { return strings.Join(r.Header.Values("X-Forwarded-For"), ", ") }

// record is a Request that the organization's lock guards.
type record struct{ Request }

// record keeps a request as soon as it has arrived, so that it counts while it waits
// for its answer.
func (o *Org) record(r *http.Request, body []byte) *record {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.received++
	if o.opts.CountOnly {
		return &record{}
	}
	rec := &record{Request{
		Method:   r.Method,
		Path:     r.URL.EscapedPath(),
		RawQuery: r.URL.RawQuery,
		Proto:    r.Proto,
		Host:     r.Host,
		Header:   r.Header.Clone(),
		Body:     body,
		Time:     o.opts.Now(),
	}}
	o.requests = append(o.requests, rec)
	return rec
}

// Requests returns all requests since the start or the last Reset, in the
// order they came.
func (o *Org) Requests() []Request {
	list, _ := o.LastRequests(math.MaxInt)
	return list
}

// LastRequests returns the last n requests, in the order they came, and how many came
// before them since the start or the last Reset.
func (o *Org) LastRequests(n int) (list []Request, before int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before = max(0, len(o.requests)-n)
	for _, rec := range o.requests[before:] {
		r := rec.Request
		r.Header = r.Header.Clone()
		r.Body = bytes.Clone(r.Body)
		list = append(list, r)
	}
	return list, before
}

// Received returns how many requests came since the start, whatever the
// options and Reset.
func (o *Org) Received() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.received
}

// Count returns how many requests had this method and path.
func (o *Org) Count(method, path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, rec := range o.requests {
		if rec.Method == method && rec.Path == path {
			n++
		}
	}
	return n
}

// Reset forgets the requests recorded so far, and nothing else.
func (o *Org) Reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = nil
}

// OpenTransactions returns how many transactions of the Authentication API are
// neither completed nor cancelled nor expired.
func (o *Org) OpenTransactions() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, tx := range o.transactions {
		if !o.opts.Now().After(tx.expires) {
			n++
		}
	}
	return n
}

// StateTokens returns every state token ever issued, oldest first.
func (o *Org) StateTokens() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.stateTokens)
}

// Secrets returns every secret the organization knows or was sent: the API
// token, passwords, state and session tokens, passcodes, answers and TOTP
// keys. None of them may ever appear in a log. Secrets shorter than four
// characters are left out, because they would be found anywhere.
func (o *Org) Secrets() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.secrets)
}

// addSecret needs the lock.
func (o *Org) addSecret(secrets ...string) {
	if o.opts.CountOnly {
		return
	}
	for _, s := range secrets {
		if len(s) >= 4 && !o.secretSeen[s] {
			o.secretSeen[s] = true
			o.secrets = append(o.secrets, s)
		}
	}
}

// statusWriter notes the status in the request's record before the client
// can see it.
type statusWriter struct {
	http.ResponseWriter
	org    *Org
	record *record
}

func (w *statusWriter) WriteHeader(status int) {
	w.org.mu.Lock()
	w.record.Status = status
	w.org.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the writer that can flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
