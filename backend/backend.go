// Package backend is Vault's side of the Okta auth method. It serves the paths of a
// mount (config, users, groups, login, verify, and mfa/method for the mount's own MFA
// methods), renews tokens, and holds the logins with wait=false between their
// requests. A mount behaves as one of Vault's builtin method does, on the same fields
// and the same stored data.
//
//	plugin.ServeMultiplex(&plugin.ServeOpts{BackendFactoryFunc: backend.Factory("v1.2.3")})
//
// Package mfa decides what Okta's and other services' answers mean for a login, and
// package okta calls Okta. This package gives them the mount's configuration and
// clock, turns their errors into HTTP statuses and sentences, and finds the groups
// and policies of a person.
package backend

import (
	"context"
	"crypto/x509"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// operationPrefix begins every OpenAPI operation id of this method.
const operationPrefix = "okta"

// settings hold what a test changes and a mount does not.
type settings struct {
	version string
	rootCAs *x509.CertPool // nil: the system's
	timeout time.Duration  // of one request to Okta; zero: okta.DefaultTimeout
	clock   mfa.Clock      // nil: the system's
}

// backend is one mount.
type backend struct {
	*framework.Backend
	settings
	sensitive map[string]framework.FieldType // the fields of all paths that hold a secret
	configs   memory[configEntry]
	users     memory[userEntry]
	mappings  memory[groupEntry] // of groups to policies
	methods   memory[methodEntry]
	clients   clientCache
	numbers   numberBoard
	logins    mfa.Mount // what the logins share
	held      heldLogins
	known     knownPeople
	built     methodCache
	totpKeys  []*locksutil.LockEntry // by storage key
	writes    sync.Mutex             // of entries that depend on one another
}

// Factory returns the factory that Vault calls for each mount. version, in the
// form "v1.2.3", is reported to Vault as the running version and to Okta in the
// User-Agent; Vault compares it with the version the plugin is registered with.
func Factory(version string) logical.Factory {
	return factory(settings{version: version})
}

func factory(s settings) logical.Factory {
	return func(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
		b := newBackend(s)
		if err := b.Setup(ctx, conf); err != nil {
			return nil, err
		}
		return b, nil
	}
}

func newBackend(s settings) *backend {
	b := &backend{
		settings: s,
		configs:  memory[configEntry]{ready: (*configEntry).ready},
		users:    memory[userEntry]{prefix: userPrefix},
		mappings: memory[groupEntry]{prefix: groupPrefix},
		methods:  memory[methodEntry]{prefix: methodPrefix},
		totpKeys: locksutil.CreateLocks(),
	}
	b.Backend = &framework.Backend{
		Help:           backendHelp,
		BackendType:    logical.TypeCredential,
		RunningVersion: s.version,
		PathsSpecial: &logical.Paths{
			Unauthenticated: []string{"login/*", "verify/*"},
			SealWrapStorage: []string{configKey, methodPrefix, totpKeyPrefix},
		},
		Paths: append([]*framework.Path{
			b.pathConfig(),
			b.pathUsersList(),
			b.pathUsers(),
			b.pathGroupsList(),
			b.pathGroups(),
			b.pathLogin(),
			b.pathVerify(),
		}, b.pathsMethods()...),
		AuthRenew:    b.pathLoginRenew,
		Invalidate:   b.invalidate,
		PeriodicFunc: b.tidy,
		Clean:        b.clean,
	}
	b.sensitive = sensitiveFields(b.Paths)
	return b
}

// now returns the time by the mount's clock.
func (b *backend) now() time.Time {
	if b.clock == nil {
		return time.Now()
	}
	return b.clock.Now()
}

// invalidate forgets an entry that another node has changed in storage.
func (b *backend) invalidate(_ context.Context, key string) {
	if key == configKey {
		b.configs.drop(key)
		b.clients.forget("")
	}
	if name, isUser := strings.CutPrefix(key, userPrefix); isUser {
		b.users.drop(name)
	}
	if name, isGroup := strings.CutPrefix(key, groupPrefix); isGroup {
		b.mappings.drop(name)
	}
	if id, isMethod := strings.CutPrefix(key, methodPrefix); isMethod {
		b.methods.drop(id)
		b.forgetMethod(id)
	}
}

const backendHelp = `
The okta auth method lets people log in with their Okta password and second
factor. Their Okta groups, and the groups and policies that this mount gives them
by name, decide the policies of their tokens.

Write the connection to Okta to "config", map groups to policies under "groups/",
and, where needed, single people under "users/".
`
