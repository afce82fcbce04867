package main

import (
	"context"
	"fmt"
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
		entry, err := logical.StorageEntryJSON("group/"+name, object{"Policies": []string{policy}})
		if err != nil {
			return nil, err
		}
		if err := count.Put(ctx, entry); err != nil {
			return nil, err
		}
	}
	b, err := backend.Factory("v0.0.0-bench")(ctx, &logical.BackendConfig{
		Logger:      hclog.NewNullLogger(),
		System:      &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: time.Hour},
		StorageView: count,
	})
	if err != nil {
		return nil, err
	}
	defer b.Cleanup(ctx)
	if err := b.Initialize(ctx, &logical.InitializationRequest{Storage: count}); err != nil {
		return nil, err
	}
	send := func(path string, data object) error {
		resp, err := b.HandleRequest(ctx, &logical.Request{
			Operation: logical.UpdateOperation, Path: path, Data: data, Storage: count,
			Connection: &logical.Connection{RemoteAddr: "127.0.0.1"},
		})
		if err == nil && resp.IsError() {
			err = resp.Error()
		}
		return err
	}
	err = send("config", object{"org_name": "acme", "base_url": o.URL, "api_token": o.Token})
	if err != nil {
		return nil, err
	}
	login := func() error { return send("login/"+c.who(o).Login(), object{"password": password}) }
	if err := login(); err != nil {
		return nil, err
	}
	count.reads, count.lists, count.writes = 0, 0, 0
	return count, login()
}
