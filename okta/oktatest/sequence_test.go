package oktatest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// ids lists the ids of the factors that an answer publishes as a list.
func (r reply) ids() (ids []string) {
	list, _ := r.at("_embedded", "factors").([]any)
	for i := range list {
		ids = append(ids, r.str("_embedded", "factors", i, "id"))
	}
	return ids
}

func TestFactorAfterFactor(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	totp, push := u.AddTOTP("GOOGLE"), u.AddPush("WAITING", "SUCCESS")
	u.SetSequence([]*oktatest.Factor{totp}, []*oktatest.Factor{push})

	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if got := r.ids(); !slices.Equal(got, []string{totp.ID}) {
		t.Errorf("the first step offers %v, want the app alone", got)
	}
	c.verify(r, push, "").is(t, 403, "E0000079")
	next := c.verify(r, totp, totp.Code()).is(t, 200, "MFA_REQUIRED")
	if got := next.ids(); !slices.Equal(got, []string{push.ID}) {
		t.Errorf("the second step offers %v, want the push alone", got)
	}
	if next.str("stateToken") != r.str("stateToken") || next.str("_embedded", "user", "id") != u.ID {
		t.Errorf("the second step is another login: %s", next.raw)
	}
	c.verify(next, totp, totp.Code()).is(t, 403, "E0000079")
	c.verify(next, push, "").is(t, 200, "MFA_CHALLENGE WAITING")
	c.step(next, "previous").is(t, 200, "MFA_REQUIRED")
	c.verify(next, push, "").is(t, 200, "MFA_CHALLENGE WAITING")
	c.verify(next, push, "").is(t, 200, "MFA_CHALLENGE WAITING")
	c.verify(next, push, "").is(t, 200, "SUCCESS")

	u.SetSequence()
	if got := c.login(login, password).is(t, 200, "MFA_REQUIRED").ids(); len(got) != 2 {
		t.Errorf("without a sequence %v are offered, want both", got)
	}
}

func TestVerifyByType(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	opts.VerifyByType = true
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	first := u.AddTOTP("OKTA")
	byType := func(r reply, code string) reply {
		return c.post("/api/v1/authn/factors/token:software:totp/verify", map[string]any{"stateToken": r.str("stateToken"), "passCode": code})
	}
	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if r.at("_embedded", "factorTypes") != nil {
		t.Errorf("a type is offered for one factor: %s", r.raw)
	}
	byType(r, first.Code()).is(t, 404, "E0000007")

	second := u.AddTOTP("OKTA")
	u.AddPush()
	r = c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if got := r.str("_embedded", "factorTypes", 0, "factorType"); got != "token:software:totp" || r.at("_embedded", "factorTypes", 1) != nil {
		t.Errorf("offered types of %s, want the app's alone", r.raw)
	}
	want := srv.URL + "/api/v1/authn/factors/token:software:totp/verify"
	if got := r.str("_embedded", "factorTypes", 0, "_links", "next", "href"); got != want {
		t.Errorf("link %q, want %q", got, want)
	}
	for range 3 {
		byType(r, "000000").is(t, 403, "E0000068")
	}
	if n := u.WrongPassCodes(); n != 3 {
		t.Errorf("%d wrong passcodes, want 3: one for each request", n)
	}
	byType(r, second.Code()).is(t, 200, "SUCCESS")
	r = c.login(login, password).is(t, 200, "MFA_REQUIRED")
	byType(r, second.Code()).is(t, 403, "E0000082")
	byType(r, first.Code()).is(t, 200, "SUCCESS")

	srv.Configure(func(o *oktatest.Options) { o.VerifyByType = false })
	clock.Advance(time.Minute)
	r = c.login(login, password).is(t, 200, "MFA_REQUIRED")
	byType(r, first.Code()).is(t, 404, "E0000007")
}

func TestFactorsAsObject(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t, oktatest.Options{FactorsAsObject: true})
	u := srv.AddUser(login, password)
	push := u.AddPush("WAITING", "REJECTED")
	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if got := r.str("_embedded", "factors", "id"); got != push.ID {
		t.Errorf("no object of one factor: %s", r.raw)
	}
	for _, want := range []string{"WAITING", "WAITING", "REJECTED"} {
		r = c.verify(r, push, "").is(t, 200, "MFA_CHALLENGE "+want)
		if got := r.str("_embedded", "factors", "id"); got != push.ID || r.at("_embedded", "factor") != nil {
			t.Errorf("the factor of the challenge is not an object under factors: %s", r.raw)
		}
	}
	u.AddTOTP("OKTA")
	if got := c.login(login, password).is(t, 200, "MFA_REQUIRED").ids(); len(got) != 2 {
		t.Errorf("%v, want a list of two", got)
	}
	srv.Configure(func(o *oktatest.Options) { o.FactorArrayUnderFactor = true })
	u.SetSequence([]*oktatest.Factor{push})
	r = c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if got := r.str("_embedded", "factor", "id"); got != push.ID {
		t.Errorf("no object under factor: %s", r.raw)
	}
}

func TestPushThatIsPending(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	push := u.AddPush("E0000070", "WAITING", "E0000070", "SUCCESS")
	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	c.verify(r, push, "").is(t, 200, "MFA_CHALLENGE WAITING")
	if n := push.Waiting(); n != 1 {
		t.Errorf("%d pushes wait, want 1", n)
	}
	c.verify(r, push, "").is(t, 202, "E0000070")
	c.verify(r, push, "").is(t, 200, "MFA_CHALLENGE WAITING")
	c.verify(r, push, "").is(t, 202, "E0000070")
	c.verify(r, push, "").is(t, 200, "SUCCESS")
	if n := push.Pushes(); n != 1 {
		t.Errorf("%d pushes were sent, want 1", n)
	}

	push.SetScript("E0000070", "REJECTED")
	sent := c.manage("POST", factorPath(push)+"/verify", nil).is(t, 201, "WAITING")
	c.manage("GET", sent.pollPath(t), nil).is(t, 202, "E0000070")
	c.manage("GET", sent.pollPath(t), nil).is(t, 200, "REJECTED")
}

// TestEnrollmentIsPutOff: a factor that is enrolled is asked for all the same.
func TestEnrollmentIsPutOff(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	totp := u.AddTOTP("GOOGLE")
	u.SetStatus("MFA_ENROLL")
	u.SetSkip(true)
	r := c.login(login, password).is(t, 200, "MFA_ENROLL")
	if r.str("_links", "skip", "href") != srv.URL+"/api/v1/authn/skip" || r.str("_embedded", "policy", "gracePeriod", "endDate") == "" {
		t.Errorf("no skip in a grace period: %s", r.raw)
	}
	c.verify(r, totp, totp.Code()).is(t, 403, "E0000079")
	c.step(r, "skip").is(t, 200, "MFA_REQUIRED")
	c.verify(r, totp, totp.Code()).is(t, 200, "SUCCESS")
}

func TestFactorsOfOtherServices(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	saml, oidc := u.AddFactor("assertion:saml2", "GENERIC_SAML"), u.AddFactor("assertion:oidc", "GENERIC_OIDC")
	for _, f := range []*oktatest.Factor{saml, oidc} {
		r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
		r = c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
		if got := r.str("_links", "next", "name"); got != "redirect" {
			t.Errorf("%s: next is %q, want redirect", f.Type, got)
		}
		c.verify(r, f, "012345").is(t, 200, "MFA_CHALLENGE CHALLENGE")
	}
}
