package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// requestTimeout is longer than a server works on one request (90 s by default).
	requestTimeout = 100 * time.Second
	maxAnswer      = 4 << 20 // bytes
)

// server is a Vault or OpenBao server.
type server struct {
	base      *url.URL
	namespace string
	http      *http.Client
}

// answer is what a login request, or a validation of login MFA, is answered with.
type answer struct {
	Auth     *authAnswer     `json:"auth"`
	Data     json.RawMessage `json:"data"`
	Warnings []string        `json:"warnings"`
	Errors   []string        `json:"errors"`

	raw json.RawMessage // the whole answer
}

type authAnswer struct {
	ClientToken   string            `json:"client_token"`
	Policies      []string          `json:"policies"`
	Metadata      map[string]string `json:"metadata"`
	LeaseDuration int               `json:"lease_duration"` // seconds
	Requirement   *mfaRequirement   `json:"mfa_requirement"`

	whole json.RawMessage // the answer that it came with
}

// mfaRequirement is Vault's own login MFA: of each constraint, one method.
type mfaRequirement struct {
	RequestID   string `json:"mfa_request_id"`
	Constraints map[string]struct {
		Any []identityMethod `json:"any"`
	} `json:"mfa_constraints"`
}

type identityMethod struct {
	Type         string `json:"type"`
	ID           string `json:"id"`
	Name         string `json:"name"`
	UsesPasscode bool   `json:"uses_passcode"`
}

// refusal is an answer that says no. Its text is the server's own, cleaned.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// isOpen reports whether the login goes on all the same: what was given can be given
// again.
func (r *refusal) isOpen() bool { return strings.Contains(r.text, stillOpen) }

// stillOpen is how a refusal ends that leaves a login open, see docs/mfa.md.
const stillOpen = "(this login is still open: continue it with its transaction_id)"

func newServer(o *options) (*server, error) {
	base, err := url.Parse(o.address)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("-address must be a URL such as https://vault.example.com:8200: %w", errUsage)
	}
	config, err := tlsConfig(o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errUsage)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	return &server{base: base, namespace: o.namespace, http: &http.Client{
		Transport: transport, Timeout: requestTimeout, CheckRedirect: checkRedirect,
	}}, nil
}

// checkRedirect lets a standby send the request on to the active node, once, and never
// from HTTPS to HTTP: the request holds the password.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > 1 || via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("the server sends this request to a place that it must not go to")
	}
	return nil
}

func tlsConfig(o *options) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.serverName, InsecureSkipVerify: o.skipVerify}
	files := []string{}
	if o.caCert != "" {
		files = append(files, o.caCert)
	} else if o.caPath != "" {
		entries, err := os.ReadDir(o.caPath)
		if err != nil {
			return nil, fmt.Errorf("-ca-path: %w", err)
		}
		for _, entry := range entries {
			if !entry.IsDir() {
				files = append(files, filepath.Join(o.caPath, entry.Name()))
			}
		}
	}
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("certificates to trust: %w", err)
		}
		if config.RootCAs == nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) && file == o.caCert {
			return nil, fmt.Errorf("-ca-cert: no certificate is in %s", file)
		}
	}
	if o.clientCert != "" || o.clientKey != "" {
		pair, err := tls.LoadX509KeyPair(o.clientCert, o.clientKey)
		if err != nil {
			return nil, fmt.Errorf("-client-cert and -client-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// post sends one request, once. A refusal is a *refusal; errUnavailable says that no
// answer came, or that the server failed.
func (s *server) post(ctx context.Context, path string, body any) (*answer, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	u := *s.base
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/")+"/v1/"+path, "" // a username may hold any character
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Vault-Request", "true")
	if s.namespace != "" {
		req.Header.Set("X-Vault-Namespace", s.namespace)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		if urlErr, ok := errors.AsType[*url.Error](err); ok {
			err = urlErr.Err // without the URL, which names the person
		}
		return nil, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return readAnswer(resp.StatusCode, raw)
}

func readAnswer(status int, raw []byte) (*answer, error) {
	a := &answer{raw: raw}
	err := json.Unmarshal(raw, a)
	switch {
	case status >= 500:
		return nil, fmt.Errorf("%w: %s", errUnavailable, errorText(status, a.Errors))
	case status >= 300:
		return nil, &refusal{status, errorText(status, a.Errors)}
	case err != nil:
		return nil, fmt.Errorf("%w: the answer is no JSON (is -address right?)", errUnavailable)
	}
	if a.Auth != nil {
		a.Auth.whole = a.raw
	}
	return a, nil
}

func errorText(status int, errs []string) string {
	if len(errs) == 0 {
		return fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))
	}
	return clean(strings.Join(errs, "; "))
}
