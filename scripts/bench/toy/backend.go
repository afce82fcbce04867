package main

import (
	"context"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// backend is one mount.
type backend struct {
	*framework.Backend
	okta client

	mu       sync.RWMutex
	url      string
	token    string
	policies map[string]string // by lower-case name of the group
}

func factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	b := &backend{okta: newClient()}
	text := func() *framework.FieldSchema { return &framework.FieldSchema{Type: framework.TypeString} }
	b.Backend = &framework.Backend{
		BackendType:  logical.TypeCredential,
		PathsSpecial: &logical.Paths{Unauthenticated: []string{"login/*"}},
		AuthRenew:    b.renew,
		Paths: []*framework.Path{
			{
				Pattern: "config",
				Fields:  map[string]*framework.FieldSchema{"base_url": text(), "api_token": text()},
				Operations: map[logical.Operation]framework.OperationHandler{
					logical.UpdateOperation: &framework.PathOperation{Callback: b.configWrite},
					logical.ReadOperation:   &framework.PathOperation{Callback: b.configRead},
				},
			},
			{
				Pattern: "groups",
				Fields:  map[string]*framework.FieldSchema{"policies": {Type: framework.TypeKVPairs}},
				Operations: map[logical.Operation]framework.OperationHandler{
					logical.UpdateOperation: &framework.PathOperation{Callback: b.groupsWrite},
				},
			},
			{
				Pattern: "login/(?P<username>.+)",
				Fields:  map[string]*framework.FieldSchema{"username": text(), "password": text(), "totp": text()},
				Operations: map[logical.Operation]framework.OperationHandler{
					logical.UpdateOperation: &framework.PathOperation{Callback: b.login},
				},
			},
		},
	}
	return b, b.Setup(ctx, conf)
}

func (b *backend) configWrite(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.url, b.token = d.Get("base_url").(string), d.Get("api_token").(string)
	return nil, nil
}

func (b *backend) configRead(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return &logical.Response{Data: map[string]any{"base_url": b.url}}, nil
}

func (b *backend) groupsWrite(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	policies := map[string]string{}
	for name, policy := range d.Get("policies").(map[string]string) {
		policies[strings.ToLower(name)] = policy
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.policies = policies
	return nil, nil
}

func (b *backend) login(ctx context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	auth, err := b.authenticate(ctx, d.Get("username").(string), d.Get("password").(string), d.Get("totp").(string))
	if err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	return &logical.Response{Auth: auth}, nil
}

func (b *backend) renew(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	password, _ := req.Auth.InternalData["password"].(string)
	found, err := b.authenticate(ctx, req.Auth.Metadata["username"], password, "")
	if err != nil {
		return nil, err
	}
	auth := *req.Auth
	auth.GroupAliases = found.GroupAliases
	return &logical.Response{Auth: &auth}, nil
}

func (b *backend) authenticate(ctx context.Context, username, password, passCode string) (*logical.Auth, error) {
	b.mu.RLock()
	url, token, mapped := b.url, b.token, b.policies
	b.mu.RUnlock()
	groups, err := b.okta.login(ctx, url, token, username, password, passCode)
	if err != nil {
		return nil, err
	}
	auth := &logical.Auth{
		InternalData: map[string]any{"password": password},
		DisplayName:  username,
		Alias:        &logical.Alias{Name: username},
		GroupAliases: make([]*logical.Alias, 0, len(groups)),
		LeaseOptions: logical.LeaseOptions{Renewable: true},
	}
	for _, name := range groups {
		auth.GroupAliases = append(auth.GroupAliases, &logical.Alias{Name: name})
		if policy := mapped[strings.ToLower(name)]; policy != "" {
			auth.Policies = append(auth.Policies, policy)
		}
	}
	auth.Metadata = map[string]string{"username": username, "policies": strings.Join(auth.Policies, ",")}
	return auth, nil
}
