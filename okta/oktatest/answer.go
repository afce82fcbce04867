package oktatest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// object is a JSON object.
type object = map[string]any

// answer is the answer of an endpoint.
type answer struct {
	status int
	header http.Header
	body   any // JSON; nil means no body
	rate   http.Header
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// write sends an answer with the headers that all of Okta's answers have.
func (o *Org) write(w http.ResponseWriter, a answer) {
	opts := o.options()
	commonHeaders(w.Header(), opts.Now())
	for _, header := range []http.Header{a.rate, a.header} {
		for name, values := range header {
			w.Header()[name] = values
		}
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	if opts.ExtraFields {
		addExtraFields(a.body)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.body); err != nil {
		panic(err) // this package made the body
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(a.status)
	_, _ = w.Write(buf.Bytes())
}

// commonHeaders sets the request id, the date by the organization's clock,
// and the session cookie that clients must not keep.
func commonHeaders(h http.Header, now time.Time) {
	h.Set("X-Okta-Request-Id", rand.Text())
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Add("Set-Cookie", "JSESSIONID="+rand.Text()+"; Path=/; Secure; HttpOnly")
	h.Set("Cache-Control", "no-cache, no-store")
}

// addExtraFields puts fields that no client knows into every object.
func addExtraFields(v any) {
	switch v := v.(type) {
	case object:
		for _, inner := range v {
			addExtraFields(inner)
		}
		v["futureField"] = object{"nested": []any{1, "two", nil}}
		v["futureNull"] = nil
	case []object:
		for _, inner := range v {
			addExtraFields(inner)
		}
	case []any:
		for _, inner := range v {
			addExtraFields(inner)
		}
	}
}

// timestamp writes a time as Okta does.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// errorCodes are Okta's documented errors, with their HTTP status and text.
var errorCodes = map[string]struct {
	status  int
	summary string
}{
	"E0000001": {http.StatusBadRequest, "Api validation failed: request"},
	"E0000003": {http.StatusBadRequest, "The request body was not well-formed."},
	"E0000004": {http.StatusUnauthorized, "Authentication failed"},
	"E0000005": {http.StatusUnauthorized, "Invalid session"},
	"E0000007": {http.StatusNotFound, "Not found"},
	"E0000011": {http.StatusUnauthorized, "Invalid token provided"},
	"E0000021": {http.StatusUnsupportedMediaType, "Bad request. Accept and/or Content-Type headers are likely not set."},
	"E0000022": {http.StatusMethodNotAllowed, "The endpoint does not support the provided HTTP method"},
	"E0000031": {http.StatusBadRequest, "Invalid search criteria."},
	"E0000038": {http.StatusForbidden, "This operation is not allowed in the user's current status."},
	"E0000047": {http.StatusTooManyRequests, "API call exceeded rate limit due to too many requests."},
	"E0000068": {http.StatusForbidden, "Invalid Passcode/Answer"},
	"E0000069": {http.StatusForbidden, "User Locked"},
	"E0000070": {http.StatusAccepted, "Waiting for ACK"},
	"E0000079": {http.StatusForbidden, "This operation is not allowed in the current authentication state."},
	"E0000082": {http.StatusForbidden, "Each code can only be used once. Please wait for a new code and try again."},
	"E0000083": {http.StatusForbidden, "Passcode is valid but exceeded time window."},
	"E0000109": {http.StatusTooManyRequests, "An SMS message was recently sent. Please wait 30 seconds before trying again."},
	"E0000113": {http.StatusConflict, "Additional factor challenge: enter the next tokencode"},
	"E0000118": {http.StatusTooManyRequests, "An email was recently sent. Please wait 5 seconds before trying again."},
	"E0000133": {http.StatusTooManyRequests, "A call was recently made. Please wait 30 seconds before trying again."},
	"E0000180": {http.StatusLocked, "The factor is not active."},
}

// oktaError returns the error document of a code, with its causes.
func oktaError(code string, causes ...string) answer {
	e, known := errorCodes[code]
	if !known {
		panic("oktatest: no error " + code)
	}
	return answer{status: e.status, body: errorDocument(code, e.summary, causes...)}
}

func errorDocument(code, summary string, causes ...string) object {
	list := []object{}
	for _, cause := range causes {
		list = append(list, object{"errorSummary": cause})
	}
	return object{
		"errorCode":    code,
		"errorSummary": summary,
		"errorLink":    code,
		"errorId":      "oae" + rand.Text(),
		"errorCauses":  list,
	}
}

// notFound returns Okta's answer where an id or a name finds nothing.
func notFound(id, kind string) answer {
	a := oktaError("E0000007")
	a.body.(object)["errorSummary"] = fmt.Sprintf("Not found: Resource not found: %s (%s)", id, kind)
	return a
}
