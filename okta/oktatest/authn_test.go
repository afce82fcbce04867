package oktatest_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestLoginAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status string
		code   int
		want   string
		token  bool
	}{
		{"ACTIVE", 200, "SUCCESS", false},
		{"PASSWORD_EXPIRED", 200, "PASSWORD_EXPIRED", true},
		{"PASSWORD_WARN", 200, "SUCCESS", false}, // nobody asked for the warning
		{"LOCKED_OUT", 200, "LOCKED_OUT", false},
		{"HIDDEN_LOCKED_OUT", 401, "E0000004", false},
		{"SUSPENDED", 401, "E0000004", false},
		{"DEPROVISIONED", 401, "E0000004", false},
		{"STAGED", 401, "E0000004", false},
		{"PROVISIONED", 401, "E0000004", false},
		{"RECOVERY", 401, "E0000004", false},
		{"MFA_ENROLL", 200, "MFA_ENROLL", true},
		{"MFA_ENROLL_ACTIVATE", 200, "MFA_ENROLL_ACTIVATE", true},
		{"PASSWORD_RESET", 200, "PASSWORD_RESET", true},
		{"RECOVERY_CHALLENGE", 200, "RECOVERY_CHALLENGE", true},
		{"UNAUTHENTICATED", 200, "UNAUTHENTICATED", true},
		{"BRAND_NEW_STATE", 200, "BRAND_NEW_STATE", true},
	}
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	for _, tc := range tests {
		t.Run(tc.status, func(t *testing.T) {
			u.SetStatus(tc.status)
			r := c.login(login, password).is(t, tc.code, tc.want)
			if got := r.at("stateToken") != nil; got != tc.token {
				t.Errorf("has stateToken = %v, want %v", got, tc.token)
			}
			if got, want := r.at("sessionToken") != nil, tc.want == "SUCCESS"; got != want {
				t.Errorf("has sessionToken = %v, want %v", got, want)
			}
		})
	}
}

func TestWhoCanLogIn(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	srv.AddUser("tom@acme.test", password)
	srv.AddUser("tom@other.test", password)
	tests := []struct {
		name, username, password string
		code                     int
		want                     string
	}{
		{"login", login, password, 200, "SUCCESS"},
		{"other case", "MIA.Ito@Acme.Test", password, 200, "SUCCESS"},
		{"diacritics", "mìa.ito@acme.test", password, 200, "SUCCESS"},
		{"short name", "Mia.Ito", password, 200, "SUCCESS"},
		{"ambiguous short name", "tom", password, 401, "E0000004"},
		{"wrong password", login, "wrong", 401, "E0000004"},
		{"password in other case", login, "Correct-Horse", 401, "E0000004"},
		{"empty password", login, "", 401, "E0000004"},
		{"unknown user", "nobody@acme.test", password, 401, "E0000004"},
		{"user id", u.ID, password, 401, "E0000004"},
		{"no username", "", password, 400, "E0000001"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := c.login(tc.username, tc.password).is(t, tc.code, tc.want)
			if tc.code != 200 {
				return
			}
			if got := r.str("_embedded", "user", "profile", "login"); got != login {
				t.Errorf("login = %q, want the canonical %q", got, login)
			}
			if got := r.str("_embedded", "user", "id"); got != u.ID {
				t.Errorf("id = %q, want %q", got, u.ID)
			}
		})
	}
}

func TestAPITokenOnAuthn(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	srv.AddUser(login, password)
	for header, want := range map[string]int{
		"": 200, "SSWS " + srv.Token: 200, "SSWS wrong": 401, "Bearer " + srv.Token: 401,
	} {
		req := c.request(http.MethodPost, "/api/v1/authn", map[string]any{"username": login, "password": password})
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		if r := c.do(req); r.status != want || (want == 401 && r.str("errorCode") != "E0000011") {
			t.Errorf("Authorization %q: got %d %s, want %d", header, r.status, r.raw, want)
		}
	}
}

func TestPasswordWarning(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	u.SetStatus("PASSWORD_WARN")
	body := map[string]any{
		"username": login, "password": password,
		"options": map[string]any{"warnBeforePasswordExpired": true},
	}
	r := c.post("/api/v1/authn", body).is(t, 200, "PASSWORD_WARN")
	if r.at("_links", "skip") == nil {
		t.Error("no skip link")
	}
	c.step(r, "previous").is(t, 403, "E0000079")
	c.step(r, "skip").is(t, 200, "SUCCESS")
	c.step(r, "skip").is(t, 401, "E0000011")
}

func TestExpiredPasswordComesAfterMFA(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	f := u.AddTOTP("GOOGLE")
	u.SetStatus("PASSWORD_EXPIRED")
	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	r = c.verify(r, f, f.Code()).is(t, 200, "PASSWORD_EXPIRED")
	c.verify(r, f, f.Code()).is(t, 403, "E0000079")
	c.step(r, "skip").is(t, 403, "E0000079")

	u.SetStatusAfterMFA("BRAND_NEW_STATE")
	r = c.login(login, password).is(t, 200, "MFA_REQUIRED")
	c.verify(r, f, f.CodeAt(time.Now().Add(30*time.Second))).is(t, 200, "BRAND_NEW_STATE")
}

func TestEnrollmentSkippedOnlyWhenPublished(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	u.SetStatus("MFA_ENROLL")
	r := c.login(login, password).is(t, 200, "MFA_ENROLL")
	if got := r.str("_embedded", "factors", 0, "status"); got != "NOT_SETUP" {
		t.Errorf("status of the factor = %q, want NOT_SETUP", got)
	}
	c.step(r, "skip").is(t, 403, "E0000079")
	u.SetSkip(true)
	c.step(r, "skip").is(t, 200, "SUCCESS")
}

func TestStateTokenSlides(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddTOTP("GOOGLE")

	r := c.login(login, password).is(t, 200, "MFA_REQUIRED")
	if got, want := r.str("expiresAt"), "2026-03-02T12:05:00.000Z"; got != want {
		t.Errorf("expiresAt = %s, want %s", got, want)
	}
	clock.Advance(4 * time.Minute)
	r = c.step(r, "").is(t, 200, "MFA_REQUIRED")
	if got, want := r.str("expiresAt"), "2026-03-02T12:09:00.000Z"; got != want {
		t.Errorf("expiresAt = %s, want %s", got, want)
	}
	clock.Advance(4 * time.Minute)
	c.verify(r, f, "nonsense").is(t, 403, "E0000068")
	clock.Advance(5*time.Minute + time.Second)
	c.verify(r, f, f.Code()).is(t, 401, "E0000011")
}

func TestStateTokenEnds(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddTOTP("GOOGLE")
	for _, step := range []string{"", "previous", "skip", "cancel"} {
		c.step(reply{doc: map[string]any{"stateToken": "00unknown"}}, step).is(t, 401, "E0000011")
	}
	r := c.login(login, password)
	if got := c.step(r, "cancel").status; got != 200 {
		t.Errorf("cancel = %d, want 200", got)
	}
	c.verify(r, f, f.Code()).is(t, 401, "E0000011")

	r = c.login(login, password)
	c.verify(r, f, f.Code()).is(t, 200, "SUCCESS")
	c.verify(r, f, f.Code()).is(t, 401, "E0000011")
	if got := len(srv.StateTokens()); got != 2 {
		t.Errorf("%d state tokens, want 2", got)
	}
}

func TestPasswordLockout(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t, oktatest.Options{MaxPasswordFailures: 2})
	u := srv.AddUser(login, password)
	c.login(login, "wrong").is(t, 401, "E0000004")
	c.login(login, password).is(t, 200, "SUCCESS") // starts the count anew
	c.login(login, "wrong").is(t, 401, "E0000004")
	c.login(login, "wrong").is(t, 401, "E0000004")
	c.login(login, password).is(t, 200, "LOCKED_OUT")
	u.SetStatus("ACTIVE")
	c.login(login, password).is(t, 200, "SUCCESS")
}

// TestSignInCode: an organization can refuse logins by the newer code, whatever the reason.
func TestSignInCode(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t, oktatest.Options{SignInCode: "E0000207"})
	u := srv.AddUser(login, password)
	c.login(login, "wrong").is(t, 401, "E0000207")
	c.login("nobody@acme.test", password).is(t, 401, "E0000207")
	u.SetStatus("SUSPENDED")
	c.login(login, password).is(t, 401, "E0000207")
	srv.Configure(func(o *oktatest.Options) { o.SignInCode = "" })
	c.login(login, password).is(t, 401, "E0000004")
}

func TestSecretsKnowsWhatMayNotLeak(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	f := u.AddTOTP("OKTA")
	c.login(login, "typed-wrong")
	r := c.login(login, password)
	code := f.Code()
	done := c.verify(r, f, code).is(t, 200, "SUCCESS")
	for _, want := range []string{
		srv.Token, password, "typed-wrong", r.str("stateToken"), done.str("sessionToken"), code,
	} {
		if !slices.Contains(srv.Secrets(), want) {
			t.Errorf("Secrets lacks %q", want)
		}
	}
}

func TestPerUserRate(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	opts.EnforcePerUserRate = true
	c, srv := newClient(t, opts)
	srv.AddUser(login, password)
	for _, name := range []string{login, "Mia.Ito@acme.test", login, login} {
		c.login(name, password).is(t, 200, "SUCCESS")
	}
	c.login("MIA.ITO@acme.test", password).is(t, 429, "E0000047")
	c.login("other@acme.test", password).is(t, 401, "E0000004")
	clock.Advance(time.Second)
	c.login(login, password).is(t, 200, "SUCCESS")
}

func TestOrgRate(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	opts.RateLimit = 2
	c, srv := newClient(t, opts)
	srv.AddUser(login, password)
	for _, want := range []string{"1", "0"} {
		r := c.login(login, password).is(t, 200, "SUCCESS")
		if got := r.header.Get("X-Rate-Limit-Remaining"); got != want {
			t.Errorf("remaining = %s, want %s", got, want)
		}
	}
	r := c.login(login, password).is(t, 429, "E0000047")
	if got, want := r.header.Get("X-Rate-Limit-Reset"), "1772452860"; got != want {
		t.Errorf("reset = %s, want %s", got, want)
	}
	c.get("/api/v1/users/mia.ito").is(t, 200, "ACTIVE")
	clock.Advance(time.Minute)
	c.login(login, password).is(t, 200, "SUCCESS")
}
