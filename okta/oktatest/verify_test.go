package oktatest_test

import (
	"testing"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestPushScripts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		script []string
		want   []string // of the request that sends the push, then of the polls
		pushes int
	}{
		{"none", nil, []string{"MFA_CHALLENGE WAITING", "MFA_CHALLENGE WAITING", "MFA_CHALLENGE WAITING"}, 1},
		{"approved", []string{"WAITING", "SUCCESS"},
			[]string{"MFA_CHALLENGE WAITING", "MFA_CHALLENGE WAITING", "SUCCESS"}, 1},
		{"at once", []string{"SUCCESS"}, []string{"SUCCESS"}, 1},
		{"rejected, then a new push", []string{"WAITING", "REJECTED"},
			[]string{"MFA_CHALLENGE WAITING", "MFA_CHALLENGE WAITING", "MFA_CHALLENGE REJECTED", "MFA_CHALLENGE WAITING"}, 2},
		{"rejected at once, three times", []string{"REJECTED"},
			[]string{"MFA_CHALLENGE REJECTED", "MFA_CHALLENGE REJECTED", "MFA_CHALLENGE REJECTED"}, 3},
		{"unknown", []string{"WAITING", "BRAND_NEW"},
			[]string{"MFA_CHALLENGE WAITING", "MFA_CHALLENGE WAITING", "MFA_CHALLENGE BRAND_NEW"}, 1},
		{"no factorResult", []string{""}, []string{"MFA_CHALLENGE"}, 1},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c, srv := newClient(t)
			f := srv.AddUser(login, password).AddPush(tc.script...)
			r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
			for _, want := range tc.want {
				got := c.verify(r, f, "").is(t, 200, want)
				next := map[string]string{"SUCCESS": "", "MFA_CHALLENGE WAITING": "poll"}
				wantNext, known := next[want]
				if !known {
					wantNext = "verify"
				}
				if name := got.str("_links", "next", "name"); name != wantNext {
					t.Errorf("after %s next is %q, want %q", want, name, wantNext)
				}
			}
			if got := f.Pushes(); got != tc.pushes {
				t.Errorf("%d pushes, want %d", got, tc.pushes)
			}
		})
	}
}

func TestPushDecidedByTheUser(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush("WAITING")
	if got := f.Approve(); got != 0 {
		t.Errorf("Approve without a push = %d, want 0", got)
	}
	first, second := c.login(login, password), c.login(login, password)
	c.verify(first, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	c.verify(second, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	if got := f.Waiting(); got != 2 {
		t.Errorf("%d waiting, want 2", got)
	}
	if got := f.Approve(); got != 2 {
		t.Errorf("Approve = %d, want 2", got)
	}
	c.verify(first, f, "").is(t, 200, "SUCCESS")
	c.verify(second, f, "").is(t, 200, "SUCCESS")

	third := c.login(login, password)
	c.verify(third, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	f.Reject()
	c.verify(third, f, "").is(t, 200, "MFA_CHALLENGE REJECTED")
}

func TestPushTimesOut(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddPush("WAITING")
	r := c.login(login, password)
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	clock.Advance(4 * time.Minute)
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	clock.Advance(time.Minute)
	if got := f.Approve(); got != 0 {
		t.Errorf("Approve of a push that timed out = %d, want 0", got)
	}
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE TIMEOUT")
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	if got := f.Pushes(); got != 2 {
		t.Errorf("%d pushes, want 2", got)
	}
}

func TestNumberChallenge(t *testing.T) {
	t.Parallel()
	for _, number := range []int{47, 0} {
		c, srv := newClient(t)
		f := srv.AddUser(login, password).AddPush("WAITING", "WAITING", "WAITING", "REJECTED").Number(number, 2)
		r := c.login(login, password)
		for poll, want := range []any{nil, nil, float64(number), float64(number), nil} {
			got := c.verify(r, f, "").at("_embedded", "factor", "_embedded", "challenge", "correctAnswer")
			if got != want {
				t.Errorf("poll %d: correctAnswer = %v, want %v", poll, got, want)
			}
		}
	}
}

func TestPushResendAndPrevious(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush()
	r := c.login(login, password)
	resend := "/api/v1/authn/factors/" + f.ID + "/verify/resend"
	body := map[string]any{"stateToken": r.str("stateToken")}
	c.post(resend, body).is(t, 403, "E0000079")
	got := c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	if href := got.str("_links", "resend", 0, "href"); href != srv.URL+resend {
		t.Errorf("resend link = %q, want %q", href, srv.URL+resend)
	}
	c.post(resend, body).is(t, 200, "MFA_CHALLENGE WAITING")
	if got := f.Pushes(); got != 2 {
		t.Errorf("%d pushes, want 2", got)
	}
	c.step(r, "previous").is(t, 200, "MFA_REQUIRED")
	c.step(r, "previous").is(t, 403, "E0000079")
	if got := f.Waiting(); got != 0 {
		t.Errorf("%d waiting after previous, want 0", got)
	}
}

func TestReadingTheStateIsNoPoll(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush("WAITING", "SUCCESS")
	r := c.login(login, password)
	c.verify(r, f, "")
	for range 3 {
		c.step(r, "").is(t, 200, "MFA_CHALLENGE WAITING")
	}
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	c.verify(r, f, "").is(t, 200, "SUCCESS")
}

func TestAnotherFactorTakesOver(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	push, sms := u.AddPush("WAITING"), u.AddFactor("sms", "OKTA")
	r := c.login(login, password)
	c.verify(r, push, "").is(t, 200, "MFA_CHALLENGE WAITING")
	c.verify(r, sms, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
	c.verify(r, push, "").is(t, 403, "E0000079")
	c.step(r, "previous").is(t, 200, "MFA_REQUIRED")
	c.verify(r, push, "").is(t, 200, "MFA_CHALLENGE WAITING")
}

func TestTOTP(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"GOOGLE", "OKTA"} {
		t.Run(provider, func(t *testing.T) {
			clock, opts := newClock()
			c, srv := newClient(t, opts)
			f := srv.AddUser(login, password).AddTOTP(provider)
			codeIn := func(d time.Duration) string { return f.CodeAt(noon.Add(d)) }

			r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
			c.verify(r, f, "").is(t, 400, "E0000001")
			c.verify(r, f, "12345").is(t, 403, "E0000068")
			c.verify(r, f, codeIn(-10*time.Minute)).is(t, 403, "E0000083")
			c.verify(r, f, codeIn(time.Minute)).is(t, 403, "E0000083")
			c.verify(r, f, codeIn(time.Hour)).is(t, 403, "E0000068")
			c.step(r, "").is(t, 200, "MFA_REQUIRED") // the state did not advance
			c.verify(r, f, codeIn(-30*time.Second)).is(t, 200, "SUCCESS")

			r = c.login(login, password)
			c.verify(r, f, codeIn(-30*time.Second)).is(t, 403, "E0000082")
			c.verify(r, f, f.Code()).is(t, 200, "SUCCESS")
			clock.Advance(30 * time.Second)
			c.verify(c.login(login, password), f, f.Code()).is(t, 200, "SUCCESS")
		})
	}
}

func TestWrongCodesLock(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t, oktatest.Options{MaxFailures: 3})
	u := srv.AddUser(login, password)
	f := u.AddTOTP("GOOGLE")
	r := c.login(login, password)
	c.verify(r, f, "wrong").is(t, 403, "E0000068")
	c.verify(r, f, "wrong").is(t, 403, "E0000068")
	c.verify(r, f, "wrong").is(t, 403, "E0000069")
	c.verify(r, f, f.Code()).is(t, 403, "E0000069")
	if got := u.Status(); got != "LOCKED_OUT" {
		t.Errorf("status = %s, want LOCKED_OUT", got)
	}
	c.login(login, password).is(t, 200, "LOCKED_OUT")
	u.SetStatus("ACTIVE")
	c.verify(c.login(login, password), f, f.Code()).is(t, 200, "SUCCESS")
}

func TestCodesThatAreSent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind, early string
		wait        time.Duration
	}{
		{"sms", "E0000109", 30 * time.Second},
		{"call", "E0000133", 30 * time.Second},
		{"email", "E0000118", 5 * time.Second},
	}
	for _, tc := range tests {
		t.Run(tc.kind, func(t *testing.T) {
			clock, opts := newClock()
			c, srv := newClient(t, opts)
			f := srv.AddUser(login, password).AddFactor(tc.kind, "OKTA")
			r := c.login(login, password)
			c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
			first := f.Code()
			c.verify(r, f, "").is(t, 429, tc.early)
			c.verify(c.login(login, password), f, "").is(t, 429, tc.early)
			clock.Advance(tc.wait)
			c.post("/api/v1/authn/factors/"+f.ID+"/verify/resend",
				map[string]any{"stateToken": r.str("stateToken")}).is(t, 200, "MFA_CHALLENGE CHALLENGE")
			if first != f.Code() { // they can be equal by chance
				c.verify(r, f, first).is(t, 403, "E0000068")
			}
			c.verify(r, f, f.Code()).is(t, 200, "SUCCESS")
		})
	}
}

func TestQuestion(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddFactor("question", "OKTA")
	r := c.login(login, password)
	c.verify(r, f, f.Code()).is(t, 400, "E0000001") // passCode is the wrong field
	body := map[string]any{"stateToken": r.str("stateToken"), "answer": f.Code()}
	c.post("/api/v1/authn/factors/"+f.ID+"/verify", body).is(t, 200, "SUCCESS")
}

func TestPublishedFactors(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	push := u.AddPush()
	u.AddFactor("webauthn", "FIDO").SetStatus("PENDING_ACTIVATION")
	u.AddFactor("sms", "OKTA").SetStatus("NOT_SETUP")

	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if got := len(r.at("_embedded", "factors").([]any)); got != 2 {
		t.Fatalf("%d factors, want 2", got)
	}
	if _, has := r.at("_embedded", "factors", 0).(map[string]any)["status"]; has {
		t.Error("an enrolled factor has a status")
	}
	if got := r.str("_embedded", "factors", 1, "status"); got != "PENDING_ACTIVATION" {
		t.Errorf("status = %q, want PENDING_ACTIVATION", got)
	}
	href := r.str("_embedded", "factors", 0, "_links", "verify", "href")
	if want := srv.URL + "/api/v1/authn/factors/" + push.ID + "/verify"; href != want {
		t.Errorf("verify link = %q, want %q", href, want)
	}

	srv.Configure(func(o *oktatest.Options) {
		o.FactorArrayUnderFactor, o.EmptyVerifyProfile, o.ExtraFields = true, true, true
	})
	r = c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if r.at("_embedded", "factors") != nil || len(r.at("_embedded", "factor").([]any)) != 2 {
		t.Errorf("factors are not under factor: %s", r.raw)
	}
	if got := r.at("_embedded", "factor", 0, "profile", "name"); got != nil {
		t.Errorf("profile has a name: %v", got)
	}
	if r.at("_embedded", "factor", 0, "futureField") == nil {
		t.Error("no extra field in the factor")
	}
}

func TestWebauthnByType(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddFactor("webauthn", "FIDO")
	r := c.login(login, password)
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE CHALLENGE")
	r = c.post("/api/v1/authn/factors/webauthn/verify", map[string]any{"stateToken": r.str("stateToken")})
	r.is(t, 200, "MFA_CHALLENGE CHALLENGE")
	if r.at("_embedded", "challenge") == nil || r.str("_embedded", "factors", 0, "id") != f.ID {
		t.Errorf("by type: %s", r.raw)
	}
}

func TestStrangersFactor(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	srv.AddUser(login, password).AddPush()
	other := srv.AddUser("tom@acme.test", password).AddPush()
	c.verify(c.login(login, password), other, "").is(t, 404, "E0000007")
}

func TestTokenRate(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	opts.EnforceTokenRate = true
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddPush()
	r := c.login(login, password)
	for range 10 {
		c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	}
	c.verify(r, f, "").is(t, 429, "E0000047")
	clock.Advance(5 * time.Second)
	c.verify(r, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
}
