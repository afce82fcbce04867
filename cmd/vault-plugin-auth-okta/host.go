package main

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/stats"
)

// The host is the Vault or OpenBao server that has started this process. It ends its
// plugins where it ends by itself. Where it is killed, nobody ends them, and this
// process, which holds passwords and the API token, has to notice that by itself.
//
// What it notices is that the host's connections have ended: the host connects as soon
// as it has started the plugin, and its end of the connection is in no other process.
// That is so on each operating system, under a wrapper that starts the plugin or has
// ended since, and in a container of the plugin's own. The pid of the parent says less:
// it is that of the wrapper, or zero in a container. And Linux could end this process by
// itself (PR_SET_PDEATHSIG), but when the parent's thread ends that has started it, and
// not its process: a thread of the host that ends with a goroutine which was locked to
// it would take all logins along.
const (
	// connectWithin is how long the host gets to connect. It gives up a plugin by itself
	// that has not started within a minute.
	connectWithin = 2 * time.Minute
	// reconnectWithin is how long the host may be without any connection, should it ever
	// replace one.
	reconnectWithin = 5 * time.Second
)

// host counts the connections of the host. It is the stats.Handler of the server that
// the host connects to.
type host struct {
	gone func() // called once, when the host has gone

	mu          sync.Mutex
	connections int
	missing     *time.Timer // runs while there is no connection
}

// newHost begins to wait for the host's first connection.
func newHost(gone func()) *host {
	return &host{gone: gone, missing: time.AfterFunc(connectWithin, gone)}
}

// HandleConn is called when a connection begins and when it ends.
func (h *host) HandleConn(_ context.Context, event stats.ConnStats) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch event.(type) {
	case *stats.ConnBegin:
		h.connections++
		h.missing.Stop()
	case *stats.ConnEnd:
		if h.connections--; h.connections == 0 {
			h.missing.Reset(reconnectWithin)
		}
	}
}

// TagConn, TagRPC and HandleRPC have nothing to do.

func (h *host) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (h *host) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (h *host) HandleRPC(context.Context, stats.RPCStats) {}
