package backend

import (
	"sync"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// clientCache keeps a client for each connection of the mount, so that
// connections to Okta live from login to login: that of the configuration under
// the empty name, and those of MFA methods under their ids. The zero value is
// ready.
type clientCache struct {
	mu   sync.Mutex
	kept map[string]keptClient
}

type keptClient struct {
	*okta.Client
	from          any // the entry it was made of
	orgURL, token string
}

// client returns the client for cfg, the kept one if cfg still leads to the
// same org with the same token.
func (b *backend) client(cfg *configEntry) (*okta.Client, error) { return b.clientOf("", cfg, cfg) }

// clientOf is client for the connection of that name. from is the entry that cfg is
// part of: entries do not change, so where it is the same there is nothing to check.
func (b *backend) clientOf(name string, from any, cfg *configEntry) (*okta.Client, error) {
	if client := b.clients.of(name, from); client != nil {
		return client, nil
	}
	orgURL, err := cfg.orgURL()
	if err != nil {
		return nil, err
	}
	if err := checkToken(cfg.Token); err != nil {
		return nil, err
	}
	c := &b.clients
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.kept[name]; ok && kept.orgURL == orgURL && kept.token == cfg.Token {
		kept.from = from
		c.kept[name] = kept
		return kept.Client, nil
	}
	client, err := okta.New(okta.Config{
		OrgURL:    orgURL,
		APIToken:  okta.NewSecret(cfg.Token),
		UserAgent: b.userAgent(),
		Timeout:   b.timeout,
		Now:       b.now,
		RootCAs:   b.rootCAs,
		Dial:      b.dial,
	})
	if err != nil {
		return nil, err
	}
	c.close(name)
	if c.kept == nil {
		c.kept = map[string]keptClient{}
	}
	c.kept[name] = keptClient{client, from, orgURL, cfg.Token}
	return client, nil
}

// of returns the client of that name if it was made of the same entry.
func (c *clientCache) of(name string, from any) *okta.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.kept[name]; ok && kept.from == from {
		return kept.Client
	}
	return nil
}

// userAgent names this program to those it calls.
func (b *backend) userAgent() string { return "vault-plugin-auth-okta/" + b.version }

// forget drops the client of that name; logins that run on it go on to their end.
func (c *clientCache) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close(name)
}

// drop closes all clients, for good.
func (c *clientCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kept := range c.kept {
		kept.Close()
	}
	clear(c.kept)
}

func (c *clientCache) close(name string) {
	if kept, ok := c.kept[name]; ok {
		kept.CloseIdleConnections()
		delete(c.kept, name)
	}
}
