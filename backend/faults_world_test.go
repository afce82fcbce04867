package backend

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// The mount of the fault matrix, with an org, a Duo and a PingID in a network of its
// own.
const (
	oktaAddress   = "127.0.0.1:443"
	secondAddress = "localhost:443" // the same org by another name
	duoAddress    = "127.0.0.1:8443"
	pingAddress   = "127.0.0.1:9443"
)

// faultSite is one server, with what stands between it and its clients.
type faultSite struct {
	world    *faultWorld
	service  string
	handler  http.Handler
	listener *wireListener
	http     *http.Server
}

type faultWorld struct {
	*mount
	org   *oktatest.Org
	duo   *mfatest.DuoServer
	ping  *mfatest.PingIDServer
	sites map[string]*faultSite // by address

	longest time.Duration // of the requests to the mount

	mu      sync.Mutex
	call    *faultCall
	row     *faultRow // nil: nothing fails
	on      int       // requests of the call so far
	after   int       // requests so far that come before it
	lost    int       // requests so far like the one whose answer is lost
	armed   bool      // connections fail
	struck  int
	applies bool // a row that changes the answer has changed it
	strange []string
	plays   sync.WaitGroup // servers of connections that carry no request
	gone    chan struct{}
}

// newFaultWorld needs a bubble. Where connections fail, each request has one of its
// own, by HTTP/1.1: only then it is known which request a connection is for.
func newFaultWorld(t *testing.T, call *faultCall, http1Only bool) *faultWorld {
	w := &faultWorld{
		org: oktatest.New(oktatest.Options{PageSize: 1}), duo: mfatest.MakeDuo(), ping: mfatest.MakePingID(),
		sites: map[string]*faultSite{}, call: call, gone: make(chan struct{}),
	}
	w.duo.URL, w.ping.URL = "https://"+duoAddress, "https://"+pingAddress
	for address, site := range map[string]*faultSite{
		oktaAddress:   {service: "Okta", handler: w.org},
		secondAddress: {service: "Okta", handler: w.org},
		duoAddress:    {service: "Duo", handler: w.duo},
		pingAddress:   {service: "PingID", handler: w.ping},
	} {
		site.world, site.listener = w, newWireListener()
		site.http = serveWire(site.listener, site, http1Only)
		w.sites[address] = site
	}
	m := &mount{t: t, storage: newStorage(), logs: &syncBuffer{}, okta: &oktatest.Server{Org: w.org}}
	b, err := factory(settings{version: testVersion, rootCAs: wireCerts().roots, dial: w.dial})(t.Context(), &logical.BackendConfig{
		Logger:      hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: m.logs}),
		System:      logical.TestSystemView(),
		StorageView: m.storage,
	})
	require.NoError(t, err)
	m.backend, m.inner, w.mount = b, b.(*backend), m
	t.Cleanup(w.close)
	m.write("config", fields{"org_name": "acme", "base_url": "https://" + strings.TrimSuffix(oktaAddress, ":443"), "api_token": w.org.Token, "mfa_factors": allFactors})
	return w
}

// close ends the mount and then the servers. Only the first call does.
func (w *faultWorld) close() {
	select {
	case <-w.gone:
		return
	default:
	}
	w.backend.Cleanup(context.Background())
	close(w.gone)
	for _, site := range w.sites {
		_ = site.listener.Close()
		_ = site.http.Close()
	}
	w.duo.Close()
	w.ping.Close()
	w.plays.Wait()
}

// strikeWith has a row strike the call from now on; nil ends that.
func (w *faultWorld) strikeWith(row *faultRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.row, w.on, w.after, w.lost, w.struck, w.applies = row, 0, 0, 0, 0, false
	w.armed = row != nil && w.call.after.path == nil
}

// strikes returns how often the row has struck, and whether it changed anything.
func (w *faultWorld) strikes() (struck int, applies bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.struck, w.applies || w.row.change == nil
}

// dial connects to a server, or fails.
func (w *faultWorld) dial(ctx context.Context, _, address string) (net.Conn, error) {
	w.mu.Lock()
	site, row := w.sites[address], w.row
	if site == nil {
		w.strange = append(w.strange, address)
		w.mu.Unlock()
		return nil, dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	strikes := w.armed && row != nil && (row.dial != nil || row.conn != nil) && address == w.call.address()
	if strikes {
		w.struck++
	}
	w.mu.Unlock()
	switch {
	case strikes && row.dial != nil:
		return nil, row.dial()
	case strikes:
		client, server := newWire()
		w.plays.Go(func() {
			defer server.Close()
			row.conn(server)
		})
		return client, nil
	}
	return site.listener.connect(ctx)
}

// pattern finds requests.
type pattern struct {
	method string
	path   *regexp.Regexp
	nth    int // from this one on, counted from one
}

func requestTo(method, path string, nth int) pattern {
	return pattern{method, regexp.MustCompile(path + "$"), nth}
}

func (p pattern) fits(r *http.Request) bool {
	return p.path != nil && r.Method == p.method && p.path.MatchString(r.URL.Path)
}

// arrives counts a request. It returns the row that strikes it, or nil.
func (w *faultWorld) arrives(r *http.Request) (row *faultRow, alone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	alone = w.row != nil && (w.row.dial != nil || w.row.conn != nil)
	if w.call.on.fits(r) {
		if w.on++; w.on >= w.call.on.nth {
			w.struck++
			if w.row != nil && !alone {
				return w.row, false
			}
		}
	}
	return nil, alone
}

// loses counts a request, and reports whether its answer is lost.
func (w *faultWorld) loses(r *http.Request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.row == nil || !w.call.loses.fits(r) {
		return false
	}
	w.lost++
	return w.lost == w.call.loses.nth
}

// passes says that a request has been served, before the client knows.
func (w *faultWorld) passes(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.call.after.fits(r) {
		if w.after++; w.after == w.call.after.nth && w.row != nil {
			w.armed = true
		}
	}
}

func (s *faultSite) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body := must(io.ReadAll(r.Body))
	r.Body = io.NopCloser(bytes.NewReader(body))
	row, alone := s.world.arrives(r)
	switch {
	case s.world.loses(r):
		s.serve(r)
		s.world.passes(r)
		(&exchange{ResponseWriter: rw, r: r, site: s}).abort((*wireConn).end)
	case row == nil:
		usual := s.serve(r)
		s.world.passes(r)
		if alone {
			usual.Header().Set("Connection", "close")
		}
		copyAnswer(rw, usual.Code, usual.Header(), usual.Body.Bytes())
	case row.change != nil && s.service == "PingID":
		s.forge(rw, r, row)
	case row.change != nil:
		usual := s.serve(r)
		body, header, differs := row.rewritten(usual, r)
		s.applied(differs)
		copyAnswer(rw, usual.Code, header, body)
	default:
		x := &exchange{ResponseWriter: rw, r: r, site: s}
		if !row.before {
			x.usual = s.serve(r)
		}
		row.answer(x)
	}
}

// serve has the server act upon a request.
func (s *faultSite) serve(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	s.handler.ServeHTTP(answer, r)
	return answer
}

// forge has a row change an answer of PingID's before it is signed.
func (s *faultSite) forge(rw http.ResponseWriter, r *http.Request, row *faultRow) {
	ping := s.world.ping
	ping.Forge(func(token *mfatest.Token) {
		usual := httptest.NewRecorder()
		_ = json.NewEncoder(usual).Encode(token.Payload["responseBody"])
		body, _, differs := row.rewritten(usual, r)
		s.applied(differs)
		var changed any
		_ = json.Unmarshal(body, &changed)
		token.Payload["responseBody"] = changed
	})
	usual := s.serve(r)
	ping.Forge(nil)
	copyAnswer(rw, usual.Code, usual.Header(), usual.Body.Bytes())
}

func (s *faultSite) applied(differs bool) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.applies = s.world.applies || differs
}

// document is what the service says with an HTTP status that is no success.
func (s *faultSite) document(r *http.Request, status int) string {
	if strings.HasSuffix(r.URL.Path, tokenURL) {
		code := map[int]string{401: "invalid_client", 403: "access_denied", 429: "too_many_requests", 500: "server_error", 503: "temporarily_unavailable"}[status]
		return fmt.Sprintf(`{"error":%q,"error_description":"The matrix says so."}`, cmp.Or(code, "invalid_request"))
	}
	code := map[int]string{202: "E0000070", 400: "E0000001", 401: "E0000011", 403: "E0000006", 404: "E0000007", 429: "E0000047", 500: "E0000009", 503: "E0000010"}[status]
	switch s.service {
	case "Okta":
		return fmt.Sprintf(`{"errorCode":%q,"errorSummary":"The matrix says so.","errorLink":%[1]q,"errorId":"oaeMatrix","errorCauses":[]}`, code)
	case "Duo":
		return fmt.Sprintf(`{"stat":"FAIL","code":%d01,"message":"The matrix says so"}`, status)
	}
	return `{"responseBody":{"errorId":400,"errorMsg":"The matrix says so"}}` // which is not signed
}

func copyAnswer(rw http.ResponseWriter, status int, header http.Header, body []byte) {
	for name, values := range header {
		rw.Header()[name] = values
	}
	rw.WriteHeader(status)
	_, _ = rw.Write(body)
}
