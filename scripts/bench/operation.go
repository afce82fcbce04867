package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// operation is what a worker does again and again.
type operation func(ctx context.Context, worker int) error

// loginBody is the body of a login.
func loginBody(fields object) []byte {
	body := object{"password": password}
	for name, value := range fields {
		body[name] = value
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err) // the fields are this program's own
	}
	return raw
}

// request is a login that a worker sends: its path and its body.
type request func(worker int) (path string, body []byte)

// loginAs is the login at a mount, each worker as somebody else.
func loginAs(mount string, users []*oktatest.User, fields object) request {
	body, paths := loginBody(fields), make([]string, len(users))
	for i, u := range users {
		paths[i] = mount + "/login/" + u.Login()
	}
	return func(worker int) (string, []byte) { return paths[worker%len(paths)], body }
}

// loginByRole is the login by an AppRole.
func loginByRole() request {
	body := loginBody(object{"role_id": "bench", "secret_id": password})
	return func(int) (string, []byte) { return "auth/approle/login", body }
}

// userpassUsers is the number of users that Vault itself knows.
const userpassUsers = 64

func userpassName(worker int) string { return fmt.Sprintf("plain%d", worker%userpassUsers) }

// loginByPassword is the login by Vault's own users.
func loginByPassword() request {
	body := loginBody(nil)
	return func(worker int) (string, []byte) { return "auth/userpass/login/" + userpassName(worker), body }
}

// login logs in.
func (s *stage) login(r request) operation {
	return func(ctx context.Context, worker int) error {
		path, body := r(worker)
		return s.client.send(ctx, http.MethodPost, path, "", body, isLogin)
	}
}

func isLogin(answer []byte) error {
	_, err := issued(answer)
	return err
}

// renewal renews a token, each worker its own, for which it logs in first.
func (s *stage) renewal(ctx context.Context, workers int, r request) (operation, error) {
	tokens := make([]string, workers)
	for i := range tokens {
		path, body := r(i)
		err := s.client.send(ctx, http.MethodPost, path, "", body, func(answer []byte) (err error) {
			tokens[i], err = issued(answer)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, worker int) error {
		return s.client.send(ctx, http.MethodPost, "auth/token/renew-self", tokens[worker], []byte("{}"), isLogin)
	}, nil
}

// configRead reads a mount's configuration.
func (s *stage) configRead(mount string) operation {
	return func(ctx context.Context, _ int) error {
		return s.client.send(ctx, http.MethodGet, mount+"/config", s.vault.RootToken, nil, func(answer []byte) error {
			if !bytes.Contains(answer, []byte(`"base_url"`)) {
				return fmt.Errorf("no configuration in the answer: %.200s", answer)
			}
			return nil
		})
	}
}

// bareLogin makes the calls of a login at Okta, and nothing else: even what it
// needs to know of the answers it mostly knows before.
func bareLogin(o *org, users []*oktatest.User) operation {
	client := o.Client()
	type known struct {
		authn          []byte
		verify, groups string
	}
	all := make([]known, len(users))
	for i, u := range users {
		all[i].authn = loginBody(object{"username": u.Login()})
		all[i].groups = o.URL + "/api/v1/users/" + u.ID + "/groups?limit=200"
		if factors := u.Factors(); len(factors) > 0 {
			all[i].verify = o.URL + "/api/v1/authn/factors/" + factors[0].ID + "/verify"
		}
	}
	return func(ctx context.Context, worker int) error {
		who := all[worker%len(all)]
		var stateToken string
		_, err := call(ctx, client, http.MethodPost, o.URL+"/api/v1/authn", o.Token, who.authn, func(answer []byte) error {
			_, rest, _ := strings.Cut(string(answer), `"stateToken":"`)
			stateToken, _, _ = strings.Cut(rest, `"`)
			return nil
		})
		if err == nil && who.verify != "" {
			body := fmt.Appendf(nil, `{"stateToken":%q,"passCode":%q}`, stateToken, passCode)
			_, err = call(ctx, client, http.MethodPost, who.verify, o.Token, body, isSuccess)
		}
		for page := who.groups; err == nil && page != ""; {
			var header http.Header
			header, err = call(ctx, client, http.MethodGet, page, o.Token, nil, anything)
			page = nextPage(header)
		}
		return err
	}
}

func anything([]byte) error { return nil }

func isSuccess(answer []byte) error {
	if !bytes.Contains(answer, []byte(`"SUCCESS"`)) {
		return fmt.Errorf("no success: %.200s", answer)
	}
	return nil
}

// call is a call to Okta.
func call(ctx context.Context, client *http.Client, method, url, token string, body []byte, read func([]byte) error) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "SSWS "+token)
	return fetch(client, req, read)
}

func nextPage(header http.Header) string {
	for _, link := range header["Link"] {
		if target, relation, _ := strings.Cut(link, ">"); strings.Contains(relation, `"next"`) {
			return strings.TrimPrefix(target, "<")
		}
	}
	return ""
}
