package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// methodName is the name of a mount's MFA method.
const methodName = "bench_okta"

// mount is an auth mount that may be measured.
type mount struct {
	*subject
	mappings int  // so many groups have policies
	noToken  bool // it has no API token
	method   bool // it requires one of Okta's factors by the Factors API
}

// mount makes a mount once, and returns its path: "auth/okta-builtin-500".
func (s *stage) mount(ctx context.Context, m mount) (string, error) {
	if path := s.mounts[m]; path != "" {
		return path, nil
	}
	path := fmt.Sprintf("okta-%s-%d", m.name, m.mappings)
	if m.noToken {
		path += "-no-token"
	}
	if m.method {
		path += "-method"
	}
	if err := s.enable(ctx, m.subject, m.catalog, path); err != nil {
		return "", err
	}
	if err := s.mapGroups(ctx, m, path); err != nil {
		return "", fmt.Errorf("mapping the groups of %s: %w", path, err)
	}
	if err := s.configure(ctx, m, path); err != nil {
		return "", err
	}
	s.mounts[m] = "auth/" + path
	return s.mounts[m], nil
}

// forget revokes all tokens that were issued, and waits until they are gone: they
// would fill the memory, and Vault has work with each of them.
func (s *stage) forget(ctx context.Context) error {
	paths := []string{"auth/approle", "auth/userpass"}
	for _, path := range s.mounts {
		paths = append(paths, path)
	}
	for _, path := range paths {
		if _, err := s.do(ctx, http.MethodPut, "sys/leases/revoke-prefix/"+path, object{"sync": true}); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) enable(ctx context.Context, of *subject, name, path string) error {
	_, err := s.write(ctx, "sys/auth/"+path, object{"type": name, "config": object{"plugin_version": of.version}})
	return err
}

// configure connects a mount to its org. The builtin method makes its URL of
// two parts, which may be those of an address.
func (s *stage) configure(ctx context.Context, m mount, path string) error {
	first, rest, _ := strings.Cut(m.org.host, ".")
	config := object{"org_name": first, "base_url": rest}
	if m.catalog == toyName {
		config = object{"base_url": "https://" + m.org.host}
	}
	if !m.noToken {
		config["api_token"] = m.org.Token
	}
	_, err := s.write(ctx, "auth/"+path+"/config", config)
	if err != nil || !m.method {
		return err
	}
	if _, err = s.write(ctx, "auth/"+path+"/mfa/method/okta/"+methodName, object{}); err == nil {
		_, err = s.write(ctx, "auth/"+path+"/config", object{"mfa_methods": methodName})
	}
	return err
}

// mapGroups gives a new mount its mappings. They are written beneath it, in the
// builtin method's form, because writing thousands one by one would take
// minutes; then the mount is loaded again, as after a restart of Vault.
func (s *stage) mapGroups(ctx context.Context, m mount, path string) error {
	groups := mapped(m.mappings)
	if m.catalog == toyName {
		_, err := s.write(ctx, "auth/"+path+"/groups", object{"policies": groups})
		return err
	}
	a, err := s.do(ctx, http.MethodGet, "sys/auth/"+path, nil)
	if err != nil {
		return err
	}
	below := fmt.Sprintf("sys/raw/auth/%s/group/", a.Data()["uuid"])
	if err := s.writeGroups(ctx, below, groups); err != nil {
		return err
	}
	_, err = s.do(ctx, http.MethodPut, "sys/plugins/reload/backend", object{"mounts": []string{"auth/" + path + "/"}})
	return err
}

func (s *stage) writeGroups(ctx context.Context, below string, groups map[string]string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	names := make(chan string)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for name := range names {
				value, err := json.Marshal(object{"Policies": []string{groups[name]}})
				if err == nil {
					_, err = s.write(ctx, below+name, object{"value": string(value)})
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	for name := range groups {
		names <- name
	}
	close(names)
	writers.Wait()
	return context.Cause(ctx)
}
