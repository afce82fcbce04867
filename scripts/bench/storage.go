package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// counter counts what is asked of a storage. Under Vault each of these is a
// call from the plugin's process to Vault's.
type counter struct {
	logical.Storage
	reads, lists, writes int
}

func (c *counter) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	c.reads++
	return c.Storage.Get(ctx, key)
}

func (c *counter) List(ctx context.Context, prefix string) ([]string, error) {
	c.lists++
	return c.Storage.List(ctx, prefix)
}

func (c *counter) Put(ctx context.Context, entry *logical.StorageEntry) error {
	c.writes++
	return c.Storage.Put(ctx, entry)
}

func (c *counter) Delete(ctx context.Context, key string) error {
	c.writes++
	return c.Storage.Delete(ctx, key)
}

// storageCase is a login whose use of the storage is counted.
type storageCase struct {
	name     string
	mappings int
	who      func(*org) *oktatest.User
}

var storageCases = []storageCase{
	{"2 groups, 10 mapped", fewMappings, func(o *org) *oktatest.User { return o.plain[0] }},
	{"2 groups, 10,000 mapped", 10_000, func(o *org) *oktatest.User { return o.plain[0] }},
	{"1000 groups, 500 mapped", 500, func(o *org) *oktatest.User { return o.members[1000][0] }},
}

// storage counts, in this process, what the plugin asks of its storage in a
// login that is not the first.
func storage(ctx context.Context, r *runner, _ bool) ([]figure, error) {
	var list []figure
	for _, c := range storageCases {
		used, err := storageOfLogin(ctx, r.plugin.org, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		for _, f := range []figure{
			{Name: "storage reads per login, " + c.name, Value: float64(used.reads)},
			{Name: "storage lists per login, " + c.name, Value: float64(used.lists)},
			{Name: "storage writes per login, " + c.name, Value: float64(used.writes)},
		} {
			f.Subject = r.plugin.name
			list = append(list, f)
		}
	}
	return list, nil
}

func storageOfLogin(ctx context.Context, o *org, c storageCase) (*counter, error) {
	count := &counter{Storage: &logical.InmemStorage{}}
	for name, policy := range mapped(c.mappings) {
		if err := putJSON(ctx, count, "group/"+name, object{"Policies": []string{policy}}); err != nil {
			return nil, err
		}
	}
	m, err := mountHere(ctx, o, count)
	if err != nil {
		return nil, err
	}
	defer m.Cleanup(ctx)
	if err := m.login(c.who(o)); err != nil {
		return nil, err
	}
	count.reads, count.lists, count.writes = 0, 0, 0
	return count, m.login(c.who(o))
}

func putJSON(ctx context.Context, s logical.Storage, key string, data object) error {
	entry, err := logical.StorageEntryJSON(key, data)
	if err != nil {
		return err
	}
	return s.Put(ctx, entry)
}

// here is the plugin's backend in this process, configured for an org.
type here struct {
	logical.Backend
	do func(operation logical.Operation, path string, data object) error
}

func (h here) login(u *oktatest.User) error {
	return h.do(logical.UpdateOperation, "login/"+u.Login(), object{"password": password})
}

func mountHere(ctx context.Context, o *org, s logical.Storage) (here, error) {
	b, err := backend.Factory("v0.0.0-bench")(ctx, &logical.BackendConfig{
		Logger:      hclog.NewNullLogger(),
		System:      &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: time.Hour},
		StorageView: s,
	})
	if err != nil {
		return here{}, err
	}
	h := here{b, func(operation logical.Operation, path string, data object) error {
		resp, err := b.HandleRequest(ctx, &logical.Request{
			Operation: operation, Path: path, Data: data, Storage: s,
			Connection: &logical.Connection{RemoteAddr: "127.0.0.1"},
		})
		if err == nil && resp.IsError() {
			err = resp.Error()
		}
		return err
	}}
	if err = b.Initialize(ctx, &logical.InitializationRequest{Storage: s}); err == nil {
		err = h.do(logical.UpdateOperation, "config", object{"org_name": "acme", "base_url": o.URL, "api_token": o.Token})
	}
	if err != nil {
		b.Cleanup(ctx)
	}
	return h, err
}

// held is, in this process, what a mount with very many entries keeps of them.
func held(ctx context.Context, r *runner, _ bool) ([]figure, error) {
	const users, groups = 100_000, 10_000
	s := &logical.InmemStorage{}
	var entries []string
	put := func(prefix, path, name string, data object) error {
		entries = append(entries, path+name)
		return putJSON(ctx, s, prefix+name, data)
	}
	for n := range users {
		name := fmt.Sprintf("firstname.lastname%06d@acme.test", n)
		data := object{"Policies": []string{fmt.Sprintf("personal-%06d", n)}, "Groups": []string{"on-call"}}
		if err := put("user/", "users/", name, data); err != nil {
			return nil, err
		}
	}
	for name, policy := range mapped(groups) {
		if err := put("group/", "groups/", name, object{"Policies": []string{policy}}); err != nil {
			return nil, err
		}
	}
	m, err := mountHere(ctx, r.plugin.org, s)
	if err != nil {
		return nil, err
	}
	defer m.Cleanup(ctx)
	before := alive()
	if err := m.login(r.plugin.org.plain[0]); err != nil {
		return nil, err
	}
	named := alive()
	for _, path := range entries {
		if err := m.do(logical.ReadOperation, path, nil); err != nil {
			return nil, err
		}
	}
	full := alive()
	runtime.KeepAlive(entries) // they were there before, too
	runtime.KeepAlive(s)
	what := fmt.Sprintf("memory for %d users and %d groups", users, groups)
	return []figure{
		{Name: what + ", after a login", Subject: r.plugin.name, Value: mebibytes(named - before), Unit: "MiB"},
		{Name: what + ", after all were read", Subject: r.plugin.name, Value: mebibytes(full - before), Unit: "MiB"},
	}, nil
}

// alive is what this process has in use.
func alive() int64 {
	runtime.GC()
	runtime.GC() // what finalizers have let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
