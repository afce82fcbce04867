package okta

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// prover is how the program proves itself to Okta with a request.
type prover interface {
	// prove adds the proof to a request that is about to be sent.
	prove(context.Context, *Client, *http.Request) error
	// renew gets the error of a request with that proof, and reports whether another
	// proof may help. The client then sends the request, upon which Okta has not acted,
	// once more.
	renew(req *http.Request, err error) bool
}

// proverOf returns the prover for a path. Only the Authentication API and the id of the
// org may be called without a proof.
func (c *Client) proverOf(path string) prover {
	switch {
	case strings.HasPrefix(path, authnPath):
		return c.authn
	case path == organizationPath, path == tokenPath:
		return ssws{}
	}
	return c.manager
}

// manages fails with ErrNoAPIToken on a client that cannot make management calls.
func (c *Client) manages() error {
	if c.manager == nil {
		return ErrNoAPIToken
	}
	return nil
}

// managerOf returns the prover of management calls: the service app where there is one,
// or else the API token; nil where there is neither.
func managerOf(cfg Config) (prover, error) {
	switch {
	case cfg.ServiceApp != nil:
		return newServiceApp(*cfg.ServiceApp, cfg.Now)
	case !cfg.APIToken.IsZero():
		return ssws{cfg.APIToken}, nil
	}
	return nil, nil
}

// ssws proves by an API token, or not at all where it is empty.
type ssws struct{ token Secret }

func (p ssws) prove(_ context.Context, _ *Client, req *http.Request) error {
	if !p.token.IsZero() {
		req.Header.Set("Authorization", "SSWS "+p.token.Reveal())
	}
	return nil
}

func (ssws) renew(*http.Request, error) bool { return false }

// The names of errors of OAuth 2.0, which are the Code of an *Error.
const (
	CodeInvalidAccessToken = "invalid_token"      // 401: it has expired, or was revoked
	CodeInsufficientScope  = "insufficient_scope" // 403: or less was granted than was asked for
	CodeInvalidClient      = "invalid_client"     // 401: the client id, or the key or the clock of its assertion
	CodeInvalidScope       = "invalid_scope"      // 400: a scope is not granted to the service app
	CodeConsentRequired    = "consent_required"   // 400: no scope is
	codeUseNonce           = "use_dpop_nonce"     // 400 or 401: Error.nonce is to be sent
)

// asksForNonce returns the nonce that Okta wants, "" where err asks for none.
func asksForNonce(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == codeUseNonce {
		return e.nonce
	}
	return ""
}
