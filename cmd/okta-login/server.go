package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

const (
	// requestTimeout is longer than a server works on one request (90 s by default).
	requestTimeout = 100 * time.Second
	revokeTimeout  = 5 * time.Second
)

// server is a Vault or OpenBao server.
type server struct{ client *api.Client }

// refusal is an answer that says no. Its text is the server's own.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// isOpen reports whether the login goes on all the same: what was given can be given
// again.
func (r *refusal) isOpen() bool { return strings.Contains(r.text, stillOpen) }

// isWrongCode reports whether Vault's own login MFA did not accept what it was given. Vault
// keeps its request then, and takes another passcode for it.
func (r *refusal) isWrongCode() bool {
	return strings.Contains(r.text, "failed to satisfy enforcement")
}

// stillOpen is how a refusal ends that leaves a login open, see docs/mfa.md.
const stillOpen = "(this login is still open: continue it with its transaction_id)"

// newServer takes from the environment what the options do not say, as the command line
// tool of Vault does.
func newServer(o *options) (*server, error) {
	address, err := url.Parse(o.address)
	isURL := err == nil && (address.Host != "" && (address.Scheme == "https" || address.Scheme == "http") || address.Scheme == "unix")
	if !isURL {
		return nil, fmt.Errorf("-address must be a URL such as https://vault.example.com:8200: %w", errUsage)
	}
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, fmt.Errorf("%w: %w", config.Error, errUsage)
	}
	config.Address, config.AgentAddress = o.address, "" // parse has decided between them
	config.MaxRetries = 0                               // a password, or a push, is sent once
	if os.Getenv(api.EnvVaultClientTimeout) == "" {
		config.Timeout = requestTimeout
	}
	err = config.ConfigureTLS(&api.TLSConfig{
		CACert: o.caCert, CAPath: o.caPath, ClientCert: o.clientCert, ClientKey: o.clientKey,
		TLSServerName: o.serverName, Insecure: o.skipVerify,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errUsage)
	}
	config.HttpClient.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = o.skipVerify // false stands, too
	client, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errUsage)
	}
	client.ClearToken()
	client.SetWrappingLookupFunc(func(string, string) string { return "" }) // a wrapped answer asks nothing
	client.ClearNamespace()
	if o.namespace != "" {
		client.SetNamespace(o.namespace)
	}
	return &server{client}, nil
}

// isPlain reports whether others on the network can read what is sent.
func (s *server) isPlain() bool {
	u, err := url.Parse(s.client.Address())
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// post sends one request, once. A refusal is a *refusal; errUnavailable says that no
// answer came, or that the server failed.
func (s *server) post(ctx context.Context, at string, body fields) (*api.Secret, error) {
	if path.Clean(at) != at {
		return nil, fmt.Errorf("-mount and the username must be names, and not empty, . or .. between slashes: %w", errUsage)
	}
	answer, err := s.client.Logical().WriteWithContext(ctx, at, body)
	if refused, ok := errors.AsType[*api.ResponseError](err); ok {
		text := fmt.Sprintf("HTTP %d %s", refused.StatusCode, http.StatusText(refused.StatusCode))
		if len(refused.Errors) > 0 && !refused.RawError {
			text = strings.Join(refused.Errors, "; ")
		}
		if refused.StatusCode >= 500 {
			return nil, fmt.Errorf("%w: %s", errUnavailable, text)
		}
		return nil, &refusal{refused.StatusCode, text}
	}
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err // without the URL, which names the person
	}
	_, noJSON := errors.AsType[*json.SyntaxError](err)
	switch {
	case noJSON, err == nil && answer == nil:
		return nil, fmt.Errorf("%w: the answer is not Vault's (is -address right?)", errUnavailable)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return answer, nil
}

// revoke revokes a token that nobody will use.
func (s *server) revoke(token string) error {
	ctx, stop := context.WithTimeout(context.Background(), revokeTimeout)
	defer stop()
	s.client.SetToken(token)
	return s.client.Auth().Token().RevokeSelfWithContext(ctx, "")
}
