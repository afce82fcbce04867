package oktatest_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// asks checks that the token's server wants one more entry, in words that hold part.
func (r reply) asks(t *testing.T, part string) {
	t.Helper()
	r.is(t, 409, "E0000113")
	if got := r.str("errorSummary"); !strings.Contains(got, part) {
		t.Errorf("asks %q, want %q in it", got, part)
	}
	for _, name := range []string{"stateToken", "status", "_links", "_embedded"} {
		if r.at(name) != nil {
			t.Errorf("the question holds %s: %s", name, r.raw)
		}
	}
}

func TestOnPremToken(t *testing.T) {
	t.Parallel()
	_, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	token := u.AddFactor("token", "DEL_OATH")
	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if got := r.str("_embedded", "factors", 0, "vendorName"); got != "On-Prem MFA" {
		t.Errorf("vendor %q, want On-Prem MFA", got)
	}
	token.SetVendor("Acme Fobs")
	r = c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if got := r.str("_embedded", "factors", 0, "vendorName"); got != "Acme Fobs" {
		t.Errorf("vendor %q, want Acme Fobs", got)
	}
	if got := c.manage("GET", factorPath(token), nil).str("vendorName"); got != "Acme Fobs" {
		t.Errorf("vendor %q of the Factors API, want Acme Fobs", got)
	}
	c.verify(r, token, "x").is(t, 403, "E0000068")
	c.verify(r, token, token.Code()).is(t, 200, "SUCCESS")
}

func TestNewPIN(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	token := u.AddFactor("token", "DEL_OATH")
	token.RequireNewPIN()
	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	c.verify(r, token, "x").is(t, 403, "E0000068")
	c.verify(r, token, token.Code()).asks(t, "4 to 8 digits")

	// A wrong entry ends the dialogue, and so does another login.
	c.verify(r, token, "12a").is(t, 403, "E0000068")
	clock.Advance(time.Minute)
	c.verify(r, token, token.Code()).asks(t, "4 to 8 digits")
	c.verify(r, token, "5086").asks(t, "once more")
	r = c.login(login, password).is(t, 200, "MFA_REQUIRED")
	c.verify(r, token, "5086").is(t, 403, "E0000068")
	clock.Advance(time.Minute)
	c.verify(r, token, token.Code()).asks(t, "4 to 8 digits")
	c.verify(r, token, "5086").asks(t, "once more")
	c.verify(r, token, "5087").is(t, 403, "E0000068")

	clock.Advance(time.Minute)
	last := token.Code()
	c.verify(r, token, last).asks(t, "4 to 8 digits")
	c.verify(r, token, "5086").asks(t, "once more")
	c.verify(r, token, "5086").asks(t, "another code")
	c.verify(r, token, last).is(t, 403, "E0000082")
	clock.Advance(time.Minute)
	c.verify(r, token, token.Code()).is(t, 200, "SUCCESS")

	clock.Advance(time.Minute)
	r = c.login(login, password).is(t, 200, "MFA_REQUIRED")
	c.verify(r, token, token.Code()).is(t, 200, "SUCCESS")
}

func TestPINOfTheServer(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	token := u.AddFactor("token", "RSA")
	pin := token.RequireServerPIN()
	if !slices.Contains(srv.Secrets(), pin) {
		t.Error("the PIN is none of the secrets")
	}
	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	c.verify(r, token, token.Code()).asks(t, pin)
	c.verify(r, token, pin).asks(t, "another code")
	clock.Advance(time.Minute)
	c.verify(r, token, token.Code()).is(t, 200, "SUCCESS")
}
