package oktatest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// manage makes a management call, on behalf of the addresses if there are
// any.
func (c *client) manage(method, path string, body any, forwardedFor ...string) reply {
	c.t.Helper()
	req := c.request(method, path, body)
	req.Header.Set("Authorization", "SSWS "+c.srv.Token)
	for _, line := range forwardedFor {
		req.Header.Add("X-Forwarded-For", line)
	}
	return c.do(req)
}

func factorPath(f *oktatest.Factor) string {
	return "/api/v1/users/" + f.User.ID + "/factors/" + f.ID
}

// factor verifies a factor by the Factors API. The body is pairs of a name
// and a value; without any, there is no body.
func (c *client) factor(f *oktatest.Factor, pairs ...any) reply {
	c.t.Helper()
	if len(pairs) == 0 {
		return c.manage(http.MethodPost, factorPath(f)+"/verify", nil)
	}
	body := make(map[string]any)
	for i := 0; i < len(pairs); i += 2 {
		body[pairs[i].(string)] = pairs[i+1]
	}
	return c.manage(http.MethodPost, factorPath(f)+"/verify", body)
}

// listed is a factor or user in a list.
type listed struct {
	ID, FactorType, Provider, Status, Created, LastUpdated string
	Profile                                                map[string]any
	Links                                                  map[string]struct {
		Href  string
		Hints struct{ Allow []string }
	} `json:"_links"`
}

func (r reply) list(t *testing.T) (list []listed) {
	t.Helper()
	require.Equal(t, 200, r.status, "%s", r.raw)
	require.NoError(t, json.Unmarshal(r.raw, &list))
	return list
}

// types are those of a user's factors, as a caller sees them.
func (c *client) types(u *oktatest.User, forwardedFor ...string) []string {
	c.t.Helper()
	types := []string{}
	for _, f := range c.manage(http.MethodGet, "/api/v1/users/"+u.ID+"/factors", nil, forwardedFor...).list(c.t) {
		types = append(types, f.FactorType)
	}
	return types
}

func TestListFactors(t *testing.T) {
	t.Parallel()
	_, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	path := "/api/v1/users/" + u.ID + "/factors"
	assert.Equal(t, "[]", strings.TrimSpace(string(c.get(path).raw)))

	push, sms := u.AddPush(), u.AddFactor("sms", "OKTA")
	sms.SetStatus("PENDING_ACTIVATION")
	hidden := u.AddFactor("email", "OKTA")
	hidden.SetStatus("NOT_SETUP")
	srv.AddUser("tom@acme.test", password).AddTOTP("OKTA")

	got := c.get(path).list(t)
	require.Len(t, got, 2)
	first := got[0]
	assert.Equal(t, []string{push.ID, "push", "OKTA", "ACTIVE", "2026-03-02T12:00:00.000Z", "2026-03-02T12:00:00.000Z"},
		[]string{first.ID, first.FactorType, first.Provider, first.Status, first.Created, first.LastUpdated})
	assert.Equal(t, "Phone 1", first.Profile["name"])
	for name, want := range map[string]string{
		"self": "GET " + srv.URL + factorPath(push), "user": "GET " + srv.URL + "/api/v1/users/" + u.ID,
		"verify": "POST " + srv.URL + factorPath(push) + "/verify",
	} {
		link := first.Links[name]
		assert.Equal(t, want, strings.Join(link.Hints.Allow, ",")+" "+link.Href, name)
	}
	assert.Equal(t, "PENDING_ACTIVATION", got[1].Status)
	assert.Equal(t, "+1 XXX-XXX-4821", got[1].Profile["phoneNumber"])

	c.get(factorPath(push)).is(t, 200, "ACTIVE")
	c.get(factorPath(sms)).is(t, 200, "PENDING_ACTIVATION")
	for _, missing := range []string{
		path + "/" + hidden.ID, path + "/nonsense", "/api/v1/users/nobody/factors",
		"/api/v1/users/" + login + "/factors", "/api/v1/users/mia.ito/factors", "/api/v1/users/me/factors",
		"/api/v1/users/" + login + "/factors/" + push.ID,
		strings.Replace(factorPath(push), u.ID, srv.User("tom").ID, 1),
	} {
		c.get(missing).is(t, 404, "E0000007")
	}
	u.SetStatus("SUSPENDED")
	assert.Len(t, c.get(path).list(t), 2, "a list is no verification")
	u.Delete()
	c.get(path).is(t, 404, "E0000007")
}

func TestFactorsAPINeedsTheToken(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush()
	users := "/api/v1/users/" + f.User.ID + "/factors"
	for _, call := range []struct{ method, path string }{
		{"GET", users}, {"GET", factorPath(f)}, {"POST", factorPath(f) + "/verify"},
		{"GET", factorPath(f) + "/transactions/x"}, {"DELETE", factorPath(f) + "/transactions/x"},
		{"GET", "/api/v1/users?search=" + search(`profile.login eq "x"`)},
	} {
		req := c.request(call.method, call.path, nil)
		r := c.do(req).is(t, 401, "E0000005")
		assert.NotEmpty(t, r.header.Get("X-Rate-Limit-Remaining"), call.path)
		req.Header.Set("Authorization", "SSWS wrong")
		c.do(req).is(t, 401, "E0000011")
	}
	assert.Zero(t, f.Pushes())
	c.manage("PUT", factorPath(f)+"/transactions/x", nil).is(t, 405, "E0000022")
	c.manage("DELETE", factorPath(f), nil).is(t, 405, "E0000022")
	c.manage("POST", users, nil).is(t, 405, "E0000022")
}

func TestFactorsOfferedToSome(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	sms := u.AddFactor("sms", "OKTA").OfferedTo("192.0.2.1", "2001:db8::1")
	local, nobodys := u.AddTOTP("OKTA").OfferedTo("127.0.0.1"), u.AddFactor("question", "OKTA").OfferedTo()
	u.AddPush()

	for _, tc := range []struct {
		forwarded []string
		want      []string
	}{
		{nil, []string{"token:software:totp", "push"}},
		{[]string{"192.0.2.1"}, []string{"sms", "push"}},
		{[]string{"192.0.2.1, 127.0.0.1"}, []string{"sms", "push"}},
		{[]string{"127.0.0.1, 192.0.2.1"}, []string{"token:software:totp", "push"}},
		{[]string{"198.51.100.1", "192.0.2.1"}, []string{"push"}},
		{[]string{"2001:DB8:0::1"}, []string{"sms", "push"}},
		{[]string{"::ffff:192.0.2.1"}, []string{"sms", "push"}},
		{[]string{""}, []string{"push"}},
	} {
		assert.Equal(t, tc.want, c.types(u, tc.forwarded...), "%q", tc.forwarded)
	}
	c.get(factorPath(sms)).is(t, 404, "E0000007")
	c.factor(sms).is(t, 404, "E0000007")
	c.factor(nobodys, "answer", nobodys.Code()).is(t, 404, "E0000007")
	assert.Zero(t, sms.Sent())
	c.manage("POST", factorPath(sms)+"/verify", nil, "192.0.2.1").is(t, 200, "CHALLENGE")
	c.manage("POST", factorPath(local)+"/verify", nil, "192.0.2.1").is(t, 404, "E0000007")
	c.factor(local, "passCode", local.Code()).is(t, 200, "SUCCESS")
	assert.Len(t, c.login(login, password).at("_embedded", "factors"), 4, "transactions do not care")
}

func TestFactorsNobodyEnrolled(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	u.AddPush()
	assert.Equal(t, []string{"push"}, c.types(u))
	assert.Empty(t, u.AutoFactors())

	srv.Configure(func(o *oktatest.Options) { o.AutoFactors = true })
	assert.Equal(t, []string{"push", "email", "question"}, c.types(u))
	tom := srv.AddUser("tom@acme.test", password)
	assert.Equal(t, []string{"email", "question"}, c.types(tom))
	assert.Len(t, c.login(login, password).at("_embedded", "factors"), 1)
	c.login("tom@acme.test", password).is(t, 200, "SUCCESS")
	assert.Len(t, u.Factors(), 1)

	auto := u.AutoFactors()
	require.Len(t, auto, 2)
	email, question := auto[0], auto[1]
	u.SetEmail("mia@home.test")
	r := c.get(factorPath(email)).is(t, 200, "ACTIVE")
	assert.Equal(t, "m...a@home.test", r.str("profile", "email"))
	c.factor(email).is(t, 200, "CHALLENGE")
	c.factor(email, "passCode", email.Code()).is(t, 200, "SUCCESS")
	c.factor(question, "answer", question.Code()).is(t, 200, "SUCCESS")
	assert.NotEqual(t, email.ID, tom.AutoFactors()[0].ID)
	assert.Same(t, email, u.AutoFactors()[0])

	u.AddFactor("question", "OKTA").SetStatus("NOT_SETUP")
	assert.Equal(t, []string{"push", "email", "question"}, c.types(u))
	u.AddFactor("email", "OKTA")
	assert.Equal(t, []string{"push", "email", "question"}, c.types(u), "a user has one email factor")
	c.factor(email).is(t, 404, "E0000007")
}

func TestVerifyFactorByCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ kind, provider, field, wrongField string }{
		{"token:software:totp", "OKTA", "passCode", "answer"},
		{"token:software:totp", "GOOGLE", "passCode", "answer"},
		{"token", "RSA", "passCode", "answer"},
		{"token", "SYMANTEC", "passCode", "answer"},
		{"token:hotp", "CUSTOM", "passCode", "answer"},
		{"token:hardware", "YUBICO", "passCode", "answer"},
		{"question", "OKTA", "answer", "passCode"},
	} {
		t.Run(tc.kind+" "+tc.provider, func(t *testing.T) {
			t.Parallel()
			c, srv := newClient(t, oktatest.Options{MaxFailures: 3})
			u := srv.AddUser(login, password)
			f := u.AddFactor(tc.kind, tc.provider)
			c.factor(f).is(t, 400, "E0000001")
			c.factor(f, tc.field, "").is(t, 400, "E0000001")
			c.factor(f, tc.wrongField, f.Code()).is(t, 400, "E0000001")
			c.factor(f, tc.field, 123456).is(t, 400, "E0000003")
			assert.Zero(t, u.WrongPassCodes())

			c.factor(f, tc.field, "wrong").is(t, 403, "E0000068")
			c.factor(f, tc.field, "wrong").is(t, 403, "E0000068")
			r := c.factor(f, tc.field, f.Code()).is(t, 200, "SUCCESS")
			assert.Equal(t, map[string]any{"factorResult": "SUCCESS"}, r.doc)

			c.factor(f, tc.field, "wrong").is(t, 403, "E0000068") // counted from zero again
			c.factor(f, tc.field, "wrong again").is(t, 403, "E0000068")
			c.factor(f, tc.field, "wrong").is(t, 403, "E0000069")
			assert.Equal(t, "LOCKED_OUT", u.Status())
			c.factor(f, tc.field, f.Code()).is(t, 403, "E0000038")
			assert.Equal(t, 5, u.WrongPassCodes())
			assert.Contains(t, srv.Secrets(), "wrong again")
		})
	}
}

func TestFactorsAPISharesMemory(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	opts.MaxFailures = 3
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	totp, rsa := u.AddTOTP("GOOGLE"), u.AddFactor("token", "RSA")

	c.factor(totp, "passCode", totp.Code()).is(t, 200, "SUCCESS")
	c.verify(c.login(login, password), totp, totp.Code()).is(t, 403, "E0000082")
	clock.Advance(30 * time.Second)
	c.verify(c.login(login, password), totp, totp.Code()).is(t, 200, "SUCCESS")
	c.factor(totp, "passCode", totp.Code()).is(t, 403, "E0000082")
	c.factor(totp, "passCode", totp.CodeAt(noon.Add(10*time.Minute))).is(t, 403, "E0000083")
	assert.Equal(t, 3, u.WrongPassCodes())

	rsa.RequireNextToken()
	c.factor(rsa, "passCode", rsa.Code()).is(t, 409, "E0000113")
	c.factor(rsa, "passCode", rsa.Code()).is(t, 403, "E0000082")
	clock.Advance(time.Minute)
	c.verify(c.login(login, password), rsa, rsa.Code()).is(t, 200, "SUCCESS")

	r := c.login(login, password)
	c.verify(r, totp, "wrong").is(t, 403, "E0000068")
	c.factor(rsa, "passCode", "wrong").is(t, 403, "E0000068")
	c.verify(r, totp, "wrong").is(t, 403, "E0000069")
	c.factor(rsa, "passCode", "wrong").is(t, 403, "E0000038")
}

func TestFactorsAPISendsCodes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind, early string
		wait        time.Duration
	}{
		{"sms", "E0000109", 30 * time.Second},
		{"call", "E0000133", 30 * time.Second},
		{"email", "E0000118", 5 * time.Second},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			t.Parallel()
			clock, opts := newClock()
			opts.OmitFactorResult = true // of transactions
			c, srv := newClient(t, opts)
			f := srv.AddUser(login, password).AddFactor(tc.kind, "OKTA")
			c.factor(f, "passCode", "123456").is(t, 403, "E0000068")
			c.factor(f, "answer", "123456").is(t, 400, "E0000001")
			assert.Zero(t, f.Sent())

			r := c.factor(f).is(t, 200, "CHALLENGE")
			assert.Equal(t, srv.URL+factorPath(f)+"/verify", r.str("_links", "verify", "href"))
			assert.Equal(t, srv.URL+factorPath(f), r.str("_links", "factor", "href"))
			assert.Contains(t, srv.Secrets(), f.Code())
			c.factor(f).is(t, 429, tc.early)
			c.verify(c.login(login, password), f, "").is(t, 429, tc.early)
			assert.Equal(t, 1, f.Sent())
			clock.Advance(tc.wait)
			c.factor(f, "passCode", "").is(t, 200, "CHALLENGE")
			assert.Equal(t, 2, f.Sent())
			assert.Equal(t, clock.Now(), f.LastSent())
			c.factor(f, "passCode", f.Code()).is(t, 200, "SUCCESS")
			assert.Empty(t, f.Code(), "a code is good once")

			clock.Advance(tc.wait)
			c.factor(f).is(t, 200, "CHALLENGE")
			clock.Advance(5 * time.Minute)
			c.factor(f, "passCode", f.Code()).is(t, 403, "E0000068")
		})
	}
}

func TestCodesOfBothAPIs(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddFactor("sms", "OKTA")
	stay := func(on bool) { srv.Configure(func(o *oktatest.Options) { o.CodesStayInTransaction = on }) }
	c.factor(f).is(t, 200, "CHALLENGE")
	r := c.login(login, password)
	stay(true)
	c.verify(r, f, f.Code()).is(t, 403, "E0000068")
	stay(false)
	c.verify(r, f, f.Code()).is(t, 200, "SUCCESS")

	clock.Advance(time.Minute)
	r = c.login(login, password)
	c.verify(r, f, "")
	stay(true)
	c.factor(f, "passCode", f.Code()).is(t, 403, "E0000068")
	c.verify(r, f, f.Code()).is(t, 200, "SUCCESS")
	clock.Advance(time.Minute)
	c.factor(f).is(t, 200, "CHALLENGE")
	c.factor(f, "passCode", f.Code()).is(t, 200, "SUCCESS")
}

func TestWhoCannotVerify(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	f := u.AddTOTP("OKTA")
	for _, status := range []string{
		"SUSPENDED", "DEPROVISIONED", "STAGED", "PROVISIONED", "RECOVERY", "LOCKED_OUT", "HIDDEN_LOCKED_OUT",
		"PASSWORD_EXPIRED", "BRAND_NEW",
	} {
		u.SetStatus(status)
		c.factor(f, "passCode", f.Code()).is(t, 403, "E0000038")
	}
	u.SetStatus("ACTIVE")
	for status, want := range map[string]string{
		"INACTIVE": "E0000180", "PENDING_ACTIVATION": "E0000180", "EXPIRED": "E0000180",
	} {
		f.SetStatus(status)
		c.factor(f, "passCode", f.Code()).is(t, 423, want)
	}
	f.SetStatus("NOT_SETUP")
	c.factor(f, "passCode", f.Code()).is(t, 404, "E0000007")
	assert.Zero(t, u.WrongPassCodes())
	f.SetStatus("ACTIVE")
	c.factor(f, "passCode", f.Code()).is(t, 200, "SUCCESS")
	c.manage("POST", "/api/v1/users/"+login+"/factors/"+f.ID+"/verify", nil).is(t, 404, "E0000007")
	c.manage("POST", "/api/v1/users/"+u.ID+"/factors/nonsense/verify", nil).is(t, 404, "E0000007")
}

func TestFactorsAPIAndBrowsers(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	f := u.AddFactor("webauthn", "FIDO")
	r := c.factor(f).is(t, 200, "CHALLENGE")
	assert.NotEmpty(t, r.str("_embedded", "challenge", "challenge"))
	c.factor(f, "passCode", "123456").is(t, 400, "E0000001")
	c.manage("POST", "/api/v1/users/"+u.ID+"/factors/webauthn/verify", nil).is(t, 404, "E0000007") // by id only
}
