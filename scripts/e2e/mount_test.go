package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// object is a JSON object.
type object = map[string]any

// requestTimeout is longer than any answer may take: Vault itself gives a
// request up after 90 seconds.
const requestTimeout = 100 * time.Second

// patience is how long tests wait for what others do: only what hangs meets it, and no
// machine that is slow.
const patience = 2 * time.Minute

// mount is an auth mount of the plugin.
type mount struct {
	t     *testing.T
	vault *harness.Vault
	org   *org
	Path  string // below auth/

	// What logins come with; see at.
	address string
	header  http.Header
}

// at is the mount for somebody who logs in from another address of this machine
// or with further headers: name, value, name, value.
func (m *mount) at(address string, header ...string) *mount {
	there := *m
	there.address, there.header = address, http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		there.header.Add(header[i], header[i+1])
	}
	return &there
}

var mountCount atomic.Int64

// enable makes a mount without a configuration.
func enable(t *testing.T, o *org) *mount {
	t.Helper()
	return enableOn(t, suite.vault, o, suite.mountVersion)
}

func enableOn(t *testing.T, v *harness.Vault, o *org, version string) *mount {
	t.Helper()
	if version == suite.builtinVersion {
		needsVault(t, "builtin Okta method")
	}
	m := &mount{t: t, vault: v, org: o, Path: fmt.Sprintf("okta-%d", mountCount.Add(1))}
	m.mustDo(http.MethodPost, "sys/auth/"+m.Path, object{
		"type": "okta", "config": object{"plugin_version": version},
	})
	return m
}

// allFactors is the configuration for tests of factors that have to be named.
var allFactors = object{"mfa_factors": "push,totp,sms,call,email,token,question"}

// newMount makes a mount that is configured for its org, with further fields
// of the configuration.
func newMount(t *testing.T, more ...object) *mount {
	t.Helper()
	m := enable(t, newOrg(t))
	m.configure(more...)
	return m
}

// configure writes the configuration for the mount's org.
func (m *mount) configure(more ...object) {
	m.t.Helper()
	config := object{"org_name": m.org.Name, "base_url": "okta.test", "api_token": m.org.Token}
	for _, fields := range more {
		maps.Copy(config, fields)
	}
	m.mustWrite("config", config)
}

// send sends any request to Vault.
func (m *mount) send(r harness.Request) harness.Answer {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), requestTimeout)
	defer cancel()
	a, err := m.vault.Do(ctx, r)
	require.NoError(m.t, err)
	return a
}

// do sends a request to any path of Vault as root.
func (m *mount) do(method, path string, body any) harness.Answer {
	m.t.Helper()
	return m.send(harness.Request{Method: method, Path: path, Token: m.vault.RootToken, Body: body})
}

func (m *mount) mustDo(method, path string, body any) harness.Answer {
	m.t.Helper()
	a := m.do(method, path, body)
	require.NoError(m.t, a.Err(), "%s %s", method, path)
	return a
}

// write, read, list and delete work on a path of the mount as root.
func (m *mount) write(path string, body any) harness.Answer {
	m.t.Helper()
	return m.do(http.MethodPost, m.full(path), body)
}

func (m *mount) mustWrite(path string, body any) harness.Answer {
	m.t.Helper()
	return m.mustDo(http.MethodPost, m.full(path), body)
}

func (m *mount) read(path string) harness.Answer {
	m.t.Helper()
	return m.do(http.MethodGet, m.full(path), nil)
}

// inForce reads a path with its defaults.
func (m *mount) inForce(path string) harness.Answer {
	m.t.Helper()
	a := m.send(harness.Request{
		Method: http.MethodGet, Path: m.full(path), Query: url.Values{"defaults": {"true"}}, Token: m.vault.RootToken,
	})
	require.NoError(m.t, a.Err())
	return a
}

func (m *mount) mustRead(path string) object {
	m.t.Helper()
	return m.mustDo(http.MethodGet, m.full(path), nil).Data()
}

func (m *mount) delete(path string) harness.Answer {
	m.t.Helper()
	return m.do(http.MethodDelete, m.full(path), nil)
}

// list lists a path, and checks that both ways to list agree.
func (m *mount) list(path string) []any {
	m.t.Helper()
	a := m.do("LIST", m.full(path), nil)
	b := m.send(harness.Request{
		Method: http.MethodGet, Path: m.full(path), Query: url.Values{"list": {"true"}}, Token: m.vault.RootToken,
	})
	require.Equal(m.t, a.Status, b.Status)
	require.Equal(m.t, a.Data(), b.Data())
	keys, _ := a.Data()["keys"].([]any)
	return keys
}

// listRequest is a list of a path with a parameter.
func listRequest(m *mount, path, name, value string) harness.Request {
	return harness.Request{Method: http.MethodGet, Path: m.full(path), Query: url.Values{"list": {"true"}, name: {value}}, Token: m.vault.RootToken}
}

func (m *mount) full(path string) string { return "auth/" + m.Path + "/" + path }

// attempt tries to log in, with any body.
func (m *mount) attempt(username string, body object) harness.Answer {
	m.t.Helper()
	a := m.send(m.loginRequest(username, body))
	noteSecrets(a)
	return a
}

func (m *mount) loginRequest(username string, body object) harness.Request {
	return harness.Request{
		Method: http.MethodPost, Path: m.full("login/" + username), Body: body, From: m.address, Header: m.header,
	}
}

// credentials are the right password and what else is given.
func credentials(u *oktatest.User, more ...object) object {
	body := object{"password": u.Password()}
	for _, fields := range more {
		maps.Copy(body, fields)
	}
	return body
}

// login tries to log in a user by the right password and what else is given.
func (m *mount) login(u *oktatest.User, more ...object) harness.Answer {
	m.t.Helper()
	return m.attempt(u.Login(), credentials(u, more...))
}

// mustLogin logs in and returns the answer.
func (m *mount) mustLogin(u *oktatest.User, more ...object) harness.Answer {
	m.t.Helper()
	a := m.login(u, more...)
	require.NoError(m.t, a.Err())
	require.NotEmpty(m.t, a.Token())
	return a
}

// outcome is how a login in the background ended.
type outcome struct {
	harness.Answer
	err error // no answer
}

// start runs a login in the background, until its end or that of ctx.
func (m *mount) start(ctx context.Context, u *oktatest.User, more ...object) <-chan outcome {
	ended := make(chan outcome, 1)
	request := m.loginRequest(u.Login(), credentials(u, more...))
	go func() {
		a, err := m.vault.Do(ctx, request)
		noteSecrets(a)
		ended <- outcome{a, err}
	}()
	return ended
}

// startAmongStrangers is start, and begins the login again while there is no place for it
// among those of other strangers at Okta, as a client does.
func (m *mount) startAmongStrangers(u *oktatest.User) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) {
			o := <-m.start(m.t.Context(), u)
			if o.err != nil || !strings.Contains(o.Errors(), "too many logins are waiting for Okta") || time.Now().After(deadline) {
				ended <- o
				return
			}
		}
	}()
	return ended
}

// requireSuccess checks that a login in the background has succeeded.
func requireSuccess(t *testing.T, o outcome) {
	t.Helper()
	require.NoError(t, o.err)
	require.NoError(t, o.Err())
	require.NotEmpty(t, o.Token())
}

// verify reads the number of a challenge, as clients do: without a token.
func (m *mount) verify(nonce string) harness.Answer {
	m.t.Helper()
	return m.send(harness.Request{Method: http.MethodGet, Path: m.full("verify/" + nonce)})
}

// accessor is the mount's accessor.
func (m *mount) accessor() string {
	m.t.Helper()
	accessor, _ := m.mustDo(http.MethodGet, "sys/auth/"+m.Path, nil).Data()["accessor"].(string)
	require.NotEmpty(m.t, accessor)
	return accessor
}

// asToken sends a request with another token than root's.
func (m *mount) asToken(token, method, path string, body any) harness.Answer {
	m.t.Helper()
	return m.send(harness.Request{Method: method, Path: path, Token: token, Body: body})
}

// addUser adds a user with a password of its own to the mount's org.
func (m *mount) addUser(login string, groups ...string) *oktatest.User {
	u := m.org.AddUser(login, secret())
	if len(groups) > 0 {
		u.SetGroups(groups...)
	}
	return u
}

// secret makes a string that is found in a log only if it leaked there.
func secret() string { return "pw-" + rand.Text() }

// noteSecrets remembers what a login was given out: a token, or the id to go
// on with.
func noteSecrets(a harness.Answer) {
	noteSecret(a.Token())
	id, _ := a.Data()["transaction_id"].(string)
	noteSecret(id)
}

// noteSecret remembers a token or the like, to look for it in the logs.
func noteSecret(secret string) {
	if secret == "" {
		return
	}
	suite.mu.Lock()
	defer suite.mu.Unlock()
	suite.secrets = append(suite.secrets, secret)
}

// requireRefused checks a refusal: its status, and that its text is one short
// sentence that names each of the words.
func requireRefused(t *testing.T, a harness.Answer, status int, words ...string) {
	t.Helper()
	require.Equal(t, status, a.Status, "the answer: %s", a.Raw)
	require.Empty(t, a.Token())
	for _, word := range words {
		require.Contains(t, a.Errors(), word)
	}
}

// policies are the token's policies in an answer to a login or a renewal.
func policies(a harness.Answer) any { return a.Auth()["token_policies"] }

// soon wants got to return that value. A mount cancels at Okta, and at the services of
// methods, after it has answered.
func soon[T any](t *testing.T, want T, got func() T, about ...any) {
	t.Helper()
	value := got()
	for deadline := time.Now().Add(patience); !reflect.DeepEqual(want, value) && time.Now().Before(deadline); value = got() {
		time.Sleep(20 * time.Millisecond)
	}
	require.Equal(t, want, value, about...)
}

// cancels is how often the org was asked to cancel a transaction.
func (m *mount) cancels() int { return m.org.Count(http.MethodPost, "/api/v1/authn/cancel") }

// eventually waits for a condition, polling. (Unlike testify's, it asks on the
// test's own goroutine, so that a condition may fail the test.)
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); {
		require.True(t, time.Now().Before(deadline), "no sign of "+what)
		time.Sleep(100 * time.Millisecond)
	}
}
