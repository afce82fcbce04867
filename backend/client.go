package backend

import (
	"context"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"

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
	from made        // the entries it was made of
	to   *connection // what they say; behind a pointer, so that fmt does not print it with a mount
}

// made is the entries that a client is made of. Entries do not change, so where they are
// the same there is nothing to check.
type made struct {
	from any // what holds the connection
	keys *keysEntry
}

// connection is all that makes a client another one.
type connection struct {
	okta.Unprintable
	orgURL, token, clientID, scopes, kid string
	publicApp                            bool
}

// client returns the client for cfg, the kept one if cfg still leads to the
// same org with the same token or service app.
func (b *backend) client(ctx context.Context, s logical.Storage, cfg *configEntry) (*okta.Client, error) {
	if cfg.ClientID == "" {
		return b.clientOf("", made{from: cfg}, cfg)
	}
	keys, err := b.keysOfMount(ctx, s)
	if err != nil {
		return nil, err
	}
	return b.clientOf("", made{cfg, keys}, cfg)
}

// clientOf is client for the connection of that name, which from has and cfg describes.
func (b *backend) clientOf(name string, from made, cfg *configEntry) (*okta.Client, error) {
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
	app, err := cfg.serviceApp(from.keys)
	if err != nil {
		return nil, err
	}
	to := connection{orgURL: orgURL, token: cfg.Token, publicApp: !cfg.trustedApp()}
	if app != nil {
		to.clientID, to.scopes, to.kid = app.ClientID, strings.Join(app.Scopes, " "), app.Key.ID()
	}
	c := &b.clients
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.kept[name]; ok && *kept.to == to {
		kept.from = from
		c.kept[name] = kept
		return kept.Client, nil
	}
	client, err := b.newClient(okta.Config{
		OrgURL:     orgURL,
		APIToken:   okta.NewSecret(cfg.Token),
		Timeout:    b.timeout,
		ServiceApp: app,
		PublicApp:  to.publicApp,
	})
	if err != nil {
		return nil, err
	}
	c.close(name)
	if c.kept == nil {
		c.kept = map[string]keptClient{}
	}
	c.kept[name] = keptClient{client, from, &to}
	return client, nil
}

// newClient returns a new client, with what all clients of the program have in common.
func (b *backend) newClient(with okta.Config) (*okta.Client, error) {
	with.UserAgent, with.Now, with.RootCAs, with.Dial, with.Observe = b.userAgent(), b.now, b.rootCAs, b.dial, b.observe
	return okta.New(with)
}

// of returns the client of that name if it was made of the same entries.
func (c *clientCache) of(name string, from made) *okta.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.kept[name]; ok && kept.from == from {
		return kept.Client
	}
	return nil
}

// current returns the client of that name, or nil while there is none.
func (c *clientCache) current(name string) *okta.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept[name].Client
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
