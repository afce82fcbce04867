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
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// settings hold what a test changes and a mount does not.
type settings struct {
	version string
	rootCAs *x509.CertPool // nil: the system's
	timeout time.Duration  // of one request to Okta; zero: okta.DefaultTimeout
	dial    okta.Dial      // to Okta and the services of methods; nil: a net.Dialer
	clock   mfa.Clock      // nil: the system's
}

// backend is one mount.
type backend struct {
	*framework.Backend
	settings
	sensitive map[string]framework.FieldType // the fields of all paths that hold a secret
	configs   *store.Store[configEntry]
	users     *store.Store[userEntry]
	mappings  *store.Store[groupEntry] // of groups to policies
	methods   *store.Store[methodEntry]
	keys      *store.Store[keysEntry]

	userNotes, groupNotes notes // of entries that are not found by name

	locks     store.Locks // by storage key, and see lockEntry
	life      *life
	clients   clientCache
	numbers   numberBoard
	logins    mfa.Mount // what the logins share
	held      heldLogins
	known     knownPeople
	attempts  attemptTables
	built     methodCache
	sightings sightings
	log       mountLog
	seldom    seldom
	stats     *stats
	events    *vaultEvents
	rotation  chore // of the service app's key
	tokenUse  chore // of the API tokens
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
		with := *conf
		if conf.Logger != nil {
			b.log.Logger, with.Logger = conf.Logger, &b.log
		}
		if err := b.Setup(ctx, &with); err != nil {
			return nil, err
		}
		return b, nil
	}
}

func newBackend(s settings) *backend {
	b := &backend{settings: s, life: newLife(), known: newKnownPeople(), sightings: newSightings()}
	b.stats, b.events = newStats(b.now()), newVaultEvents()
	b.tokenUse.postpone(b.now().Add(firstTokenUse))
	stores := store.Options{Life: b.life, Now: b.now, Unreadable: b.sawUnreadable, RefreshFailed: b.refreshFailed}
	b.configs = store.New("", (*configEntry).ready, stores)
	people := stores
	people.Fold = store.FoldLoosely // see usersAbout
	b.users = store.New[userEntry](userPrefix, nil, people)
	b.mappings = store.New[groupEntry](groupPrefix, nil, stores)
	b.userNotes = newNotes(userNotesPrefix, stores, &b.locks, boundIn(b.users, userPrefix, func(u *userEntry) string { return u.OktaID }))
	b.groupNotes = newNotes(groupNotesPrefix, stores, &b.locks, boundIn(b.mappings, groupPrefix, (*groupEntry).noteKey))
	b.methods = store.New(methodPrefix, (*methodEntry).ready, stores)
	b.keys = store.New("", (*keysEntry).ready, stores)
	b.Backend = &framework.Backend{
		Help:           backendHelp,
		BackendType:    logical.TypeCredential,
		RunningVersion: s.version,
		PathsSpecial: &logical.Paths{
			Unauthenticated: []string{"login/*", "verify/*", "jwks"},
			SealWrapStorage: []string{configKey, methodPrefix, totpKeyPrefix, keysKey},
		},
		Paths: append([]*framework.Path{
			b.pathConfig(),
			b.pathConfigCheck(),
			b.pathAliases(),
			b.pathUsersList(),
			b.pathUsers(),
			b.pathGroupsList(),
			b.pathGroups(),
			b.pathLogin(),
			b.pathVerify(),
			b.pathStats(),
			b.pathResolve(),
		}, append(b.pathsMethods(), b.pathsKeys()...)...),
		AuthRenew:    b.pathLoginRenew,
		Invalidate:   b.invalidate,
		PeriodicFunc: b.tidy,
		Clean:        b.clean,
	}
	withPages(b.Paths)
	b.sensitive = sensitiveFields(b.Paths)
	forward(b.Paths)
	return b
}

// forward has a node that cannot write hand requests on to one that can.
//
// A standby hands on all of them but lookaheads and reads of its own numbers, other reads
// included. What it has in memory,
// and in a storage that lags, may be older than what was answered last: it would refuse to
// require a method that has just been created. And held logins, numbers and counts are in
// the memory of the active node; a login that ran here would be run again there, push
// included. OpenBao's standbys go by the same flag since 2.5, where they began to serve
// requests (https://github.com/openbao/openbao/pull/1986). Earlier ones hand on all.
//
// A performance secondary issues tokens of its own, so logins stay there, reads, and
// checks, which are about its own way to Okta. It
// hands on writes by itself, as soon as its storage refuses one. Here it does so before a
// storage that lags is asked whether there is anything to write. OpenBao has none.
//
// A host that does not know the flags hands on what its storage refuses. So the deletion
// of a user or a group asks storage to delete also what is not there. That of an MFA
// method answers 404 instead.
func forward(paths []*framework.Path) {
	for _, path := range paths {
		for op, handler := range path.Operations {
			operation := handler.(*framework.PathOperation)
			operation.ForwardPerformanceStandby = op != logical.AliasLookaheadOperation && path.Pattern != statsPath
			operation.ForwardPerformanceSecondary = writes(op) && !strings.HasPrefix(path.Pattern, "login/") && path.Pattern != checkPath
		}
	}
}

func writes(op logical.Operation) bool {
	return slices.Contains([]logical.Operation{logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation, logical.DeleteOperation}, op)
}

// now returns the time by the mount's clock.
func (b *backend) now() time.Time {
	if b.clock == nil {
		return time.Now()
	}
	return b.clock.Now()
}

// refreshFailed logs that a store could not read storage again, which no request
// learns of.
func (b *backend) refreshFailed(err error) {
	if isA[*panics.Error](err) {
		b.logFailure(context.Background(), err, replyTo(err))
		return
	}
	b.Logger().Warn("storage could not be read again, so the mount uses what it has in memory", "event", eventStorageStale, "error", err)
}

// invalidate forgets an entry that another node has changed in storage.
func (b *backend) invalidate(_ context.Context, key string) {
	if key == configKey {
		b.configs.Drop(key)
		b.clients.forget("")
	}
	if key == keysKey {
		b.keys.Drop(key)
	}
	if name, isUser := strings.CutPrefix(key, userPrefix); isUser {
		b.users.Drop(name)
	}
	for _, notes := range []notes{b.userNotes, b.groupNotes} {
		if bound, isNote := strings.CutPrefix(key, notes.prefix); isNote {
			notes.Drop(bound)
		}
	}
	if name, isGroup := strings.CutPrefix(key, groupPrefix); isGroup {
		b.mappings.Drop(name)
	}
	if id, isMethod := strings.CutPrefix(key, methodPrefix); isMethod {
		b.methods.Drop(id)
		b.forgetMethod(id)
	}
}

const backendHelp = `
With the okta auth method, people log in with their Okta password and second factor.
Their groups in Okta decide which policies their tokens have. Entries of this mount
can give a person more groups and policies by name.

Write the connection to Okta to "config", and map groups to policies under "groups/".
Write single people under "users/" where you need them.
`
