package backend

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file tries the credentials of a configuration, and whether they may do what it
// needs.

const (
	tokenAction = "make a new token in Okta (Security > API > Tokens) and write api_token; if the token is limited to network zones, add " +
		"the address from which Vault's requests come"
	appAction = "check client_id, and that the app in Okta has the key of config/key, by its jwks_uri or saved, and requires private_key_jwt"
)

// credentials tries the credentials and what they may do.
func (c *check) credentials(ctx context.Context) error {
	switch {
	case !c.cfg.readsOkta() && c.given:
		c.warn("credential", "there is neither an api_token nor a client_id: people's groups in Okta are not read", "give an api_token or a client_id")
		return nil
	case !c.given:
		c.warn("credential", "not tried: the stored credentials are for another host, and are not sent to this one", "give api_token, or client_id where the mount is a service app, to check it here")
		return nil
	}
	people := okta.Config{APIToken: okta.NewSecret(c.cfg.Token)}
	tried := c.cfg.Token == "" || c.apiToken(ctx, people)
	if c.cfg.ClientID != "" {
		keys, err := c.keysOfMount(ctx, c.req.Storage)
		if err != nil {
			return err
		}
		if people.ServiceApp, err = c.cfg.serviceApp(keys); err != nil {
			c.fail("service_app", err.Error(), "write config/key, and give its public_jwk to the app in Okta")
			return nil
		}
		c.app, tried = people.ServiceApp, c.serviceApp(ctx, people)
	}
	if !tried {
		return nil
	}
	client, err := c.client(people)
	if err != nil {
		return err
	}
	defer client.Close()
	return c.rights(ctx, client)
}

// apiToken tells whether Okta takes the token.
func (c *check) apiToken(ctx context.Context, with okta.Config) (valid bool) {
	client, err := c.client(with)
	if err == nil {
		defer client.Close()
		_, _, err = client.AnyAccount(ctx)
	}
	said := find[*okta.Error](err)
	switch {
	case err == nil, said != nil && said.HTTPStatus == http.StatusForbidden && said.Code != okta.CodeInvalidSession:
		c.ok("api_token", "Okta takes the token")
		return true
	case limited(err):
		c.warn("api_token", happened(err), waitAction)
	case said != nil && said.HTTPStatus < http.StatusInternalServerError:
		c.fail("api_token", "Okta does not take the token: "+happened(err), tokenAction)
	default:
		c.fail("api_token", happened(err), "check again")
	}
	return false
}

// serviceApp tells whether Okta gives the app an access token, and where it does not
// because of a scope, because of which.
func (c *check) serviceApp(ctx context.Context, with okta.Config) (valid bool) {
	client, err := c.client(okta.Config{})
	if err == nil {
		defer client.Close()
		err = client.TryServiceApp(ctx, *with.ServiceApp)
	}
	switch {
	case err == nil:
		c.ok("service_app", "Okta gives the app an access token for %s", strings.Join(with.ServiceApp.Scopes, " "))
		return true
	case limited(err):
		c.warn("service_app", happened(err), waitAction)
	case lacksScope(err):
		c.fail("service_app", "Okta gives the app no access token for all of the scopes: "+happened(err), "grant each scope that fails below to the app in Okta")
		c.scopes(ctx, client, *with.ServiceApp)
	default:
		c.fail("service_app", "Okta gives the app no access token: "+happened(err), appAction)
	}
	return false
}

// lacksScope reports whether Okta refuses an access token because of what is granted to
// the app.
func lacksScope(err error) bool {
	return isCode(err, okta.CodeInvalidScope, okta.CodeInsufficientScope, okta.CodeConsentRequired)
}

// scopes asks for each scope by itself.
func (c *check) scopes(ctx context.Context, client *okta.Client, app okta.ServiceApp) {
	for _, scope := range app.Scopes {
		one := app
		one.Scopes = []string{scope}
		switch err := client.TryServiceApp(ctx, one); {
		case err == nil:
			c.ok("scope "+scope, "it is granted")
		case lacksScope(err):
			c.fail("scope "+scope, "it is not granted", "grant it to the app in Okta (Okta API Scopes), or take it out of scopes")
		default:
			c.warn("scope "+scope, "not known: "+happened(err), "check again")
		}
	}
}

// right is a permission that the mount needs.
type right struct {
	name   string
	scope  string // of a service app
	role   string // of the administrator whose token it is, or of the app
	needed bool   // by what is configured
}

// rights tries what the mount has to be permitted to do.
func (c *check) rights(ctx context.Context, client *okta.Client) error {
	verifies, err := c.verifiesFactors(ctx)
	if err != nil {
		return err
	}
	const reader = "a read-only administrator may"
	account, found, err := client.AnyAccount(ctx)
	if !c.right(right{"read_people", "okta.users.read", reader, true}, err) {
		return nil
	}
	if !found {
		c.warn("read_groups", "not tried: Okta shows the mount nobody", "give the administrator of the token, or the app, a role that sees the people who log in")
		return nil
	}
	c.right(right{"read_groups", "okta.users.read", reader, true}, client.TryGroups(ctx, account.ID))
	_, err = client.Factors(ctx, account.ID)
	c.right(right{"read_factors", "okta.users.read", reader, verifies}, err)
	if verifies {
		c.right(right{"verify_factors", "okta.users.manage", "a help desk administrator may, and a read-only one may not", true}, client.TryVerify(ctx, account.ID))
	}
	return nil
}

// right adds the row of a permission, and reports whether there is one.
func (c *check) right(r right, err error) (permitted bool) {
	said := find[*okta.Error](err)
	switch {
	case err == nil:
		c.ok(r.name, "permitted")
		return true
	case limited(err):
		c.warn(r.name, happened(err), waitAction)
		return false
	case said == nil || said.HTTPStatus != http.StatusForbidden && said.HTTPStatus != http.StatusUnauthorized:
		c.fail(r.name, happened(err), "check again")
		return false
	}
	action := "give the administrator of the api_token a role that may do this: " + r.role
	switch {
	case c.app != nil && isCode(err, okta.CodeInsufficientScope):
		action = "add " + r.scope + " to scopes, and grant it to the app in Okta"
	case c.app != nil:
		action = "give the app in Okta an admin role that may do this: " + r.role
	}
	if r.needed {
		c.fail(r.name, "not permitted: "+happened(err), action)
	} else {
		c.warn(r.name, "not permitted, and needed only by resolve/: "+happened(err), action)
	}
	return false
}

// verifiesFactors reports whether an MFA method verifies factors with the credentials of
// config.
func (c *check) verifiesFactors(ctx context.Context) (bool, error) {
	all, err := c.storedMethods(ctx, c.req.Storage)
	return slices.ContainsFunc(all.methods, func(m *methodEntry) bool { return m.Okta != nil && m.Okta.connection() == nil }), err
}

const checkHelp = `
Each row of the answer is a step of the check: the name of the org's host, the
connection, TLS and the certificate; whether the host is an Okta org, and its engine;
how long an answer takes; how far the clock of this machine is from Okta's; whether
Okta takes the api_token or the service app; whether they may do what the mount needs;
and what is left of Okta's rate limits. "result" is ok, warn or fail, and "action" says
what to do. After a step has failed, the check skips the steps that depend on it.

A read checks the stored configuration, and takes no field. A write checks it with
the fields that it gives. They are the fields of config, and have to be valid there.
The check stores nothing. Where the fields name another host, give the credentials,
too: the mount does not send the stored ones there.

The check logs nobody in, and sends no push and no code. It ends after a minute. Its
fields can have Vault connect to any host: let only those write it who may write config.
`
