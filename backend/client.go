package backend

import (
	"sync"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// clientCache keeps the one client of the mount's configuration, so that
// connections to Okta live from login to login.
type clientCache struct {
	mu     sync.Mutex
	client *okta.Client
	orgURL string
	token  string
}

// client returns the client for cfg, the kept one if cfg still leads to the
// same org with the same token.
func (b *backend) client(cfg *configEntry) (*okta.Client, error) {
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
	if c.client != nil && c.orgURL == orgURL && c.token == cfg.Token {
		return c.client, nil
	}
	client, err := okta.New(okta.Config{
		OrgURL:    orgURL,
		APIToken:  cfg.Token,
		UserAgent: "vault-plugin-auth-okta/" + b.version,
		Timeout:   b.timeout,
		Now:       b.now,
		RootCAs:   b.rootCAs,
	})
	if err != nil {
		return nil, err
	}
	c.close()
	c.client, c.orgURL, c.token = client, orgURL, cfg.Token
	return client, nil
}

// drop forgets the client; logins that run on it go on to their end.
func (c *clientCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
	c.client, c.orgURL, c.token = nil, "", ""
}

func (c *clientCache) close() {
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
}
