package backend

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The rows of the fault matrix: all that can become of a request. Exactly one of dial,
// conn, change and answer is set.
type faultRow struct {
	name string
	// dial fails before there is a connection.
	dial func() error
	// conn plays the server on a connection that carries no request.
	conn func(c *wireConn)
	// change alters the JSON of the usual answer. A row that changes nothing in the
	// answer of a call does not apply to the call.
	change func(doc any) any
	// header alters the header of the usual answer, where it comes with change.
	header func(h http.Header, r *http.Request)
	// answer answers in the place of the server.
	answer func(x *exchange)
	// before says that the server has not acted upon the request. By default it has.
	before bool
	// harmless says that the login may go on: the answer still says what it said.
	harmless bool
}

// exchange is a request that a fault strikes.
type exchange struct {
	http.ResponseWriter
	r     *http.Request
	usual *httptest.ResponseRecorder // the usual answer; nil where the server did not act
	site  *faultSite
}

// send begins an answer that looks like one of the service's.
func (x *exchange) send(status int, contentType, body string) {
	x.Header().Set("Content-Type", contentType)
	x.WriteHeader(status)
	_, _ = io.WriteString(x, body)
}

func (x *exchange) flush() { _ = http.NewResponseController(x.ResponseWriter).Flush() }

// abort ends the answer where it is.
func (x *exchange) abort(end func(c *wireConn)) {
	end(wireOf(x.r))
	panic(http.ErrAbortHandler)
}

// hang waits until the client leaves. Where another request follows on the same
// connection, net/http does not notice that; then it waits for the end of the test.
func (x *exchange) hang() {
	select {
	case <-x.r.Context().Done():
	case <-x.site.world.gone:
	}
	panic(http.ErrAbortHandler)
}

const jsonContent, htmlContent = "application/json", "text/html; charset=utf-8"

const webPage = "<html><head><title>Sorry</title></head><body><h1>Sorry</h1></body></html>\n"

// body is the usual body, or where there is none something that looks like one.
func (x *exchange) body() string {
	if body := x.usual.Body.String(); body != "" {
		return body
	}
	return `{"status":"SUCCESS","_embedded":{"user":{"id":"00u1"}}}`
}

func faultRows() []faultRow {
	rows := connectionRows()
	rows = append(rows, answerRows()...)
	rows = append(rows, documentRows()...)
	return append(rows, statusRows()...)
}

// connectionRows strike before the request is read.
func connectionRows() []faultRow {
	show := func(cert tls.Certificate) func(c *wireConn) {
		return func(c *wireConn) { _ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake() }
	}
	// The client has begun to write its request when the end comes.
	once := func(end func(c *wireConn)) func(c *wireConn) {
		return func(c *wireConn) {
			show(wireCerts().good)(c)
			time.Sleep(time.Millisecond)
			end(c)
		}
	}
	hello := func(end func(c *wireConn)) func(c *wireConn) {
		return func(c *wireConn) {
			_, _ = c.Read(make([]byte, 1))
			end(c)
		}
	}
	rows := []faultRow{
		{name: "the name does not resolve", dial: func() error {
			return dialError(&net.DNSError{Err: "no such host", Name: "acme.okta.test", IsNotFound: true})
		}},
		{name: "no route", dial: func() error { return dialError(os.NewSyscallError("connect", syscall.EHOSTUNREACH)) }},
		{name: "refused", dial: func() error { return dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED)) }},
		{name: "TLS stalls", conn: func(c *wireConn) { _, _ = io.Copy(io.Discard, c) }},
		{name: "EOF in the TLS handshake", conn: hello((*wireConn).end)},
		{name: "reset in the TLS handshake", conn: hello((*wireConn).Reset)},
		{name: "no TLS", conn: func(c *wireConn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		}},
		{name: "certificate of a strange authority", conn: show(wireCerts().strange)},
		{name: "certificate for another name", conn: show(wireCerts().foreign)},
		{name: "certificate expired", conn: show(wireCerts().expired)},
		{name: "EOF before the request", conn: once((*wireConn).end)},
		{name: "reset before the request", conn: once((*wireConn).Reset)},
	}
	for i := range rows {
		rows[i].before = true
	}
	return rows
}

// end closes the connection.
func (c *wireConn) end() { _ = c.Close() }

// answerRows are answers that break off, do not end, or are none.
func answerRows() []faultRow {
	rows := []faultRow{
		{name: "EOF after the request", answer: func(x *exchange) { x.abort((*wireConn).end) }},
		{name: "reset after the request", answer: func(x *exchange) { x.abort((*wireConn).Reset) }},
		{name: "no answer", answer: (*exchange).hang},
		{name: "headers, and then nothing", answer: func(x *exchange) {
			x.send(http.StatusOK, jsonContent, "{")
			x.flush()
			x.hang()
		}},
		{name: "reset in the body", answer: func(x *exchange) {
			x.send(http.StatusOK, jsonContent, x.body()[:1])
			x.flush()
			x.abort((*wireConn).Reset)
		}},
		{name: "body shorter than its length", answer: func(x *exchange) {
			x.Header().Set("Content-Length", strconv.Itoa(len(x.body())))
			x.send(http.StatusOK, jsonContent, x.body()[:len(x.body())/2])
			x.flush()
			x.abort((*wireConn).end)
		}},
		{name: "truncated document", answer: func(x *exchange) { x.send(http.StatusOK, jsonContent, x.body()[:len(x.body())*2/3]) }},
		{name: "a byte a second, without end", answer: func(x *exchange) {
			x.send(http.StatusOK, jsonContent, "")
			for x.r.Context().Err() == nil {
				_, _ = io.WriteString(x, " ")
				x.flush()
				time.Sleep(time.Second)
			}
			panic(http.ErrAbortHandler)
		}},
		{name: "5 MB", answer: func(x *exchange) {
			x.send(http.StatusOK, jsonContent, `{"padding":"`+strings.Repeat("x", 5<<20)+`"}`)
		}},
		{name: "endless body", answer: func(x *exchange) {
			x.send(http.StatusOK, jsonContent, `{"padding":"`)
			chunk, err := bytes.Repeat([]byte("x"), 256<<10), error(nil)
			for err == nil && x.r.Context().Err() == nil {
				_, err = x.Write(chunk)
			}
			panic(http.ErrAbortHandler)
		}},
		{name: "204", answer: func(x *exchange) { x.WriteHeader(http.StatusNoContent) }},
		{name: "304", answer: func(x *exchange) { x.WriteHeader(http.StatusNotModified) }},
		{name: "200, empty", answer: func(x *exchange) { x.send(http.StatusOK, jsonContent, "") }},
		{name: "200, a web page", answer: func(x *exchange) { x.send(http.StatusOK, htmlContent, webPage) }},
		{name: "202 with an error", answer: func(x *exchange) { x.send(http.StatusAccepted, jsonContent, x.site.document(x.r, http.StatusAccepted)) }},
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		rows = append(rows, faultRow{name: fmt.Sprintf("%d to a foreign host", status), answer: func(x *exchange) {
			x.Header().Set("Location", foreignBase+x.r.URL.Path)
			x.WriteHeader(status)
		}})
	}
	return append(rows, faultRow{name: "307 to itself", answer: func(x *exchange) {
		x.Header().Set("Location", x.r.URL.String())
		x.WriteHeader(http.StatusTemporaryRedirect)
	}})
}

// foreignBase is a host that no request may go to.
const foreignBase = "https://foreign.test"

// documentRows change what the usual answer says.
func documentRows() []faultRow {
	instead := func(doc any) func(any) any { return func(any) any { return doc } }
	return []faultRow{
		{name: "`null`", change: instead(nil)},
		{name: "`{}`", change: instead(map[string]any{})},
		{name: "`[]`", change: instead([]any{})},
		{name: "`[null]`", change: instead([]any{nil})},
		{name: "values of other types", change: func(doc any) any { return replaceLeaves(doc, otherType) }},
		{name: "values that are null", change: func(doc any) any { return replaceLeaves(doc, func(any) any { return nil }) }},
		{name: "texts that are empty", change: func(doc any) any { return replaceLeaves(doc, emptied) }},
		{name: "foreign links", harmless: true, header: func(h http.Header, _ *http.Request) { relink(h, foreignBase+"/api/v1/users/00u1/groups") },
			change: func(doc any) any { return replaceLeaves(doc, foreignLink) }},
		{name: "a next page that repeats", header: func(h http.Header, r *http.Request) {
			relink(h, "https://"+r.Host+r.URL.RequestURI())
		}, change: func(doc any) any { return doc }},
	}
}

// relink has the next page of an answer that has one be elsewhere.
func relink(h http.Header, target string) {
	if strings.Contains(strings.Join(h.Values("Link"), ","), `rel="next"`) {
		h.Set("Link", "<"+target+`>; rel="next"`)
	}
}

func replaceLeaves(doc any, by func(any) any) any {
	switch doc := doc.(type) {
	case map[string]any:
		out := make(map[string]any, len(doc))
		for k, v := range doc {
			out[k] = replaceLeaves(v, by)
		}
		return out
	case []any:
		out := make([]any, len(doc))
		for i, v := range doc {
			out[i] = replaceLeaves(v, by)
		}
		return out
	}
	return by(doc)
}

func otherType(leaf any) any {
	switch leaf.(type) {
	case string:
		return 7
	case float64, bool:
		return "seven"
	}
	return leaf
}

func emptied(leaf any) any {
	if _, isText := leaf.(string); isText {
		return ""
	}
	return leaf
}

var anyBase = regexp.MustCompile(`^https://[^/]+`)

func foreignLink(leaf any) any {
	if text, isText := leaf.(string); isText {
		return anyBase.ReplaceAllString(text, foreignBase)
	}
	return leaf
}

// statusRows refuse: with a document of the service's, and as something on the way does.
func statusRows() []faultRow {
	var rows []faultRow
	for _, status := range []int{400, 401, 403, 404, 429, 500, 503} {
		rows = append(rows, faultRow{name: strconv.Itoa(status), before: true, answer: func(x *exchange) {
			if status == http.StatusTooManyRequests {
				x.Header().Set("X-Rate-Limit-Limit", "600")
				x.Header().Set("X-Rate-Limit-Remaining", "0")
				x.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(time.Now().Add(20*time.Second).Unix(), 10))
			}
			x.send(status, jsonContent, x.site.document(x.r, status))
		}})
	}
	for _, status := range []int{400, 401, 403, 404, 408, 429, 500, 502, 503, 504} {
		rows = append(rows, faultRow{name: fmt.Sprintf("%d, bare", status), before: true, answer: func(x *exchange) {
			x.Header()["Date"] = nil // net/http then sends none
			x.send(status, htmlContent, webPage)
		}})
	}
	return rows
}

// rewritten is the usual answer as the row changes it; it reports whether that differs.
func (row *faultRow) rewritten(usual *httptest.ResponseRecorder, r *http.Request) (body []byte, header http.Header, differs bool) {
	var doc any
	if json.Unmarshal(usual.Body.Bytes(), &doc) != nil {
		return usual.Body.Bytes(), usual.Header(), false
	}
	header = usual.Header().Clone()
	if row.header != nil {
		row.header(header, r)
	}
	before, body := must(json.Marshal(doc)), must(json.Marshal(row.change(doc)))
	header.Del("Content-Length")
	return body, header, !bytes.Equal(before, body) || header.Get("Link") != usual.Header().Get("Link")
}
