package okta

import (
	"context"
	"net"
	"sync"
)

// openConnections are the open connections of a client. net/http closes those only that it
// takes for idle, which one of HTTP/2 may be a moment after its last answer was read.
type openConnections struct {
	dialer func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	open   map[*connection]bool
	closed bool
}

// connection tells its connections when it is closed.
type connection struct {
	net.Conn
	of *openConnections
}

func newOpenConnections(dialer func(ctx context.Context, network, address string) (net.Conn, error)) *openConnections {
	return &openConnections{dialer: dialer, open: map[*connection]bool{}}
}

// dial is the DialContext of net/http's transport. It fails with net.ErrClosed after close.
func (c *openConnections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return nil, net.ErrClosed
	}
	raw, err := c.dialer(ctx, network, address)
	if err != nil {
		return nil, err
	}
	made := &connection{raw, c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	c.open[made] = true
	return made, nil
}

// close closes all connections, and lets no new one be made.
func (c *openConnections) close() {
	c.mu.Lock()
	c.closed = true
	var open []*connection
	for one := range c.open {
		open = append(open, one)
	}
	c.mu.Unlock()
	for _, one := range open {
		_ = one.Close()
	}
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
