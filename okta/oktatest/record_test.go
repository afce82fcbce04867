package oktatest_test

import (
	"testing"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestCountOnly(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	srv.AddUser(login, password).AddPush()
	c.login(login, password)
	secrets, tokens := len(srv.Secrets()), len(srv.StateTokens())

	srv.Configure(func(o *oktatest.Options) { o.CountOnly = true })
	c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if got := len(srv.Requests()); got != 1 {
		t.Errorf("%d requests recorded, want that of before alone", got)
	}
	if len(srv.Secrets()) != secrets || len(srv.StateTokens()) != tokens {
		t.Error("a login that was only to be counted left secrets behind")
	}
	srv.Reset()
	if got := srv.Received(); got != 2 {
		t.Errorf("%d requests received, want 2", got)
	}
}
