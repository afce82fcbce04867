package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

type requestState struct {
	Number       int       `json:"n"` // from 1
	Time         time.Time `json:"time"`
	Method       string    `json:"method"`
	Path         string    `json:"path"`
	Query        string    `json:"query,omitempty"`
	Body         string    `json:"body,omitempty"`
	Status       int       `json:"status"` // 0: not answered
	Proto        string    `json:"proto"`
	UserAgent    string    `json:"user_agent"`
	ForwardedFor string    `json:"forwarded_for,omitempty"`
}

// requests answers what Okta was asked, or the last of it, with secrets masked.
func (c control) requests(w http.ResponseWriter, r *http.Request) {
	last := math.MaxInt
	if text := r.URL.Query().Get("last"); text != "" {
		var err error
		if last, err = strconv.Atoi(text); err != nil || last < 0 {
			fail(w, http.StatusBadRequest, "last must be how many requests to tell, such as 100")
			return
		}
	}
	out := []requestState{}
	list, before := c.org.LastRequests(last)
	for i, r := range list {
		query, _ := url.ParseQuery(r.RawQuery)
		out = append(out, requestState{
			Number: before + i + 1, Time: r.Time.UTC(), Method: r.Method, Path: r.Path, Query: maskValues(query), Body: maskBody(r),
			Status: r.Status, Proto: r.Proto, UserAgent: r.UserAgent(), ForwardedFor: r.ForwardedFor(),
		})
	}
	reply(w, http.StatusOK, out)
}

// plain are the fields of requests that hold no secret. The others are masked, known or
// not.
var plain = []string{
	"username", "factorType", "provider", "search", "filter", "q", "limit", "after",
	"rememberDevice", "autoPush", "updatePhone", "grant_type", "client_assertion_type", "scope",
}

const (
	masked = "•••"
	// longest is how many bytes of a plain value are told.
	longest = 200
)

// maskBody returns a JSON object or a form on one line, with its secrets masked. Of what
// is neither it tells nothing.
func maskBody(r oktatest.Request) string {
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/json":
		var body map[string]any
		if json.Unmarshal(r.Body, &body) != nil {
			return ""
		}
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(maskJSON("", body))
		return strings.TrimSpace(out.String())
	case "application/x-www-form-urlencoded":
		form, _ := url.ParseQuery(string(r.Body))
		return maskValues(form)
	}
	return ""
}

// maskJSON masks the value of a field, but for flags.
func maskJSON(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = maskJSON(name, v[name])
		}
		return v
	case bool, nil:
		return v
	case string:
		return mask(name, v)
	}
	return masked
}

func maskValues(values url.Values) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			parts = append(parts, name+"="+mask(name, value))
		}
	}
	return strings.Join(parts, "&")
}

func mask(name, value string) string {
	switch {
	case value == "":
		return ""
	case !slices.Contains(plain, name):
		return masked
	case len(value) > longest:
		return strings.ToValidUTF8(value[:longest], "") + "…"
	}
	return value
}
