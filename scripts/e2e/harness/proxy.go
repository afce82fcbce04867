package harness

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Proxy is a forward proxy that stands in for the internet: it takes CONNECT
// requests for the hosts it knows, whatever their names mean elsewhere, and
// joins them to addresses of this machine. It reaches nothing else. With its
// URL in Vault's HTTPS_PROXY, the plugin and Vault's own Okta method alike can
// be configured with an org's real kind of name.
type Proxy struct {
	URL string

	server *httptest.Server
	mu     sync.Mutex
	routes map[string]string // host:port to address
	seen   map[string]int    // CONNECT requests by host:port
}

// StartProxy starts a proxy with no routes.
func StartProxy() *Proxy {
	p := &Proxy{routes: map[string]string{}, seen: map[string]int{}}
	p.server = httptest.NewServer(p)
	p.URL = p.server.URL
	return p
}

// Close stops the proxy; tunnels end with their connections.
func (p *Proxy) Close() { p.server.Close() }

// Route joins host (a name, port 443) to an address of this machine.
func (p *Proxy) Route(host, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.routes[net.JoinHostPort(host, "443")] = address
}

// Tunnels is how many connections to host have been asked for.
func (p *Proxy) Tunnels(host string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[net.JoinHostPort(host, "443")]
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT is served", http.StatusMethodNotAllowed)
		return
	}
	p.mu.Lock()
	p.seen[r.Host]++
	address, known := p.routes[r.Host]
	p.mu.Unlock()
	if !known {
		http.Error(w, fmt.Sprintf("no route to %q", r.Host), http.StatusBadGateway)
		return
	}
	upstream, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer upstream.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	tunnel(client, buffered, upstream)
}

// tunnel copies both ways until one side has ended.
func tunnel(client net.Conn, fromClient io.Reader, upstream net.Conn) {
	ended := make(chan struct{}, 2)
	pipe := func(dst io.Writer, src io.Reader) {
		_, _ = io.Copy(dst, src) // its end is all that matters
		ended <- struct{}{}
	}
	go pipe(upstream, fromClient)
	go pipe(client, upstream)
	<-ended
}
