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

// errorCodes are Okta's documented errors, with their HTTP status. The texts are this
// package's own: Okta says that its texts may change, so no client may depend on them.
var errorCodes = map[string]struct {
	status  int
	summary string
}{
	"E0000001": {http.StatusBadRequest, "The request is not valid"},
	"E0000003": {http.StatusBadRequest, "The body cannot be read."},
	"E0000004": {http.StatusUnauthorized, "Sign-in refused"},
	"E0000005": {http.StatusUnauthorized, "No session"},
	"E0000007": {http.StatusNotFound, "Not found"},
	"E0000011": {http.StatusUnauthorized, "The token is not good"},
	"E0000021": {http.StatusUnsupportedMediaType, "The headers do not say what the body is."},
	"E0000022": {http.StatusMethodNotAllowed, "This path has another method"},
	"E0000031": {http.StatusBadRequest, "This is no search."},
	"E0000038": {http.StatusForbidden, "The person's status forbids this."},
	"E0000047": {http.StatusTooManyRequests, "Too much was asked in too short a time."},
	"E0000068": {http.StatusForbidden, "Wrong code or answer"},
	"E0000069": {http.StatusForbidden, "The account is locked now"},
	"E0000070": {http.StatusAccepted, "Nobody has answered yet"},
	"E0000079": {http.StatusForbidden, "The login is in another state."},
	"E0000082": {http.StatusForbidden, "This code was used before."},
	"E0000083": {http.StatusForbidden, "The code belongs to another time."},
	"E0000109": {http.StatusTooManyRequests, "The last SMS is younger than 30 seconds."},
	"E0000113": {http.StatusConflict, "Type the next code of your token"},
	"E0000118": {http.StatusTooManyRequests, "The last e-mail is younger than 5 seconds."},
	"E0000133": {http.StatusTooManyRequests, "The last call is younger than 30 seconds."},
	"E0000180": {http.StatusLocked, "The factor is not active."},
	"E0000207": {http.StatusUnauthorized, "Sign-in refused, by the newer code"},
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
	a.body.(object)["errorSummary"] = fmt.Sprintf("There is nothing like %s (%s)", id, kind)
	return a
}
