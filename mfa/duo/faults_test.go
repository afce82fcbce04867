package duo_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestKeys: a mount with the wrong keys, or a wrong clock, hears it.
func TestKeys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*duo.Config)
		skew   time.Duration
		want   mfa.ServiceError
	}{
		"integration key": {change: func(c *duo.Config) { c.IntegrationKey = "DIWRONG" }, want: mfa.ServiceError{Status: 401, Message: "Invalid integration key in request credentials (code 40102: check integration_key and api_hostname)"}},
		"secret key":      {change: func(c *duo.Config) { c.SecretKey = okta.NewSecret("a wrong secret") }, want: mfa.ServiceError{Status: 401, Message: "Invalid signature in request credentials (code 40103: check secret_key and api_hostname)"}},
		"clock":           {skew: time.Hour, want: mfa.ServiceError{Status: 401, Message: "Bad request timestamp (code 40105: check the clock of this machine)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewDuo(t)
			srv.SetNow(func() time.Time { return time.Now().Add(test.skew) })
			srv.AddUser(methodtest.Person.Login).SetResult("allow", "")
			method := methodtest.Duo(t, srv, test.change)
			_, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
			assert.Equal(t, &test.want, err)
			methodtest.AssertNoSecret(t, append(srv.Secrets(), "a wrong secret"), err, method)
		})
	}
}

// TestPushWithoutTransaction: nobody can tell what becomes of it.
func TestPushWithoutTransaction(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	srv.AddUser(methodtest.Person.Login).AddPhone("push")
	srv.Fail(mfatest.Fault{On: "/auth", Body: `{"stat":"OK","response":{"result":"allow","status":"allow"}}`})
	err := methodtest.Login(t.Context(), methodtest.Duo(t, srv, nil), mfa.Credential{})
	assert.ErrorIs(t, err, mfa.ErrServiceMalformed)
	assert.False(t, mfa.NotSent(err))
	assert.Zero(t, srv.Count("/auth_status"))
}

// TestUnknownAtLast: a person who is gone after the preparation.
func TestUnknownAtLast(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]error{
		"username": mfa.ErrUnknownPerson, "passcode": mfa.ErrWrongPassCode,
	} {
		srv := mfatest.NewDuo(t)
		srv.AddUser(methodtest.Person.Login).AddPhone("push")
		srv.Fail(mfatest.Fault{On: "/auth", Status: 400, Body: fmt.Sprintf(
			`{"stat":"FAIL","code":40002,"message":"Invalid request parameters","message_detail":%q}`, detail)})
		err := methodtest.Login(t.Context(), methodtest.Duo(t, srv, nil), mfa.Credential{})
		assert.ErrorIs(t, err, want)
		assert.True(t, mfa.NotSent(err))
	}
}

// TestTogether: many logins share a method, and each has its own answer.
func TestTogether(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	method := methodtest.Duo(t, srv, nil)
	var all sync.WaitGroup
	for i := range 8 {
		who, want := methodtest.Person, error(nil)
		who.Login = fmt.Sprintf("user%d", i)
		outcome := mfatest.DuoOutcome{Result: "allow", Status: "allow"}
		if i%2 == 1 {
			outcome, want = mfatest.DuoOutcome{Result: "deny", Status: "deny"}, mfa.ErrRejected
		}
		user := srv.AddUser(who.Login).AddPhone("push").Script(outcome)
		all.Go(func() {
			attempt, err := method.Prepare(t.Context(), who, mfa.Credential{})
			if assert.NoError(t, err) {
				assert.ErrorIs(t, new(methodtest.Talk).Satisfy(t.Context(), attempt, time.Minute), want)
			}
			assert.Equal(t, 1, user.Pushes())
		})
	}
	all.Wait()
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := duo.Config{IntegrationKey: "DIKEY", SecretKey: okta.NewSecret("a-very-secret-key"), APIHostname: "api-1.duosecurity.com"}
	for name, test := range map[string]struct {
		change func(*duo.Config)
		want   string // the field; empty: it is good
	}{
		"good":               {change: func(*duo.Config) {}},
		"port":               {change: func(c *duo.Config) { c.APIHostname = "duo.acme.test:8443" }},
		"address":            {change: func(c *duo.Config) { c.APIHostname = "[2001:db8::1]:443" }},
		"pairs":              {change: func(c *duo.Config) { c.PushInfo = "from=vault%20login&domain=acme.test" }},
		"no integration key": {change: func(c *duo.Config) { c.IntegrationKey = "" }, want: "integration_key"},
		"no secret key":      {change: func(c *duo.Config) { c.SecretKey = okta.Secret{} }, want: "secret_key"},
		"no host":            {change: func(c *duo.Config) { c.APIHostname = "" }, want: "api_hostname"},
		"URL":                {change: func(c *duo.Config) { c.APIHostname = "https://api-1.duosecurity.com" }, want: "api_hostname"},
		"path":               {change: func(c *duo.Config) { c.APIHostname = "api-1.duosecurity.com/x" }, want: "api_hostname"},
		"query":              {change: func(c *duo.Config) { c.APIHostname = "api-1.duosecurity.com?x" }, want: "api_hostname"},
		"fragment":           {change: func(c *duo.Config) { c.APIHostname = "api-1.duosecurity.com#x" }, want: "api_hostname"},
		"user":               {change: func(c *duo.Config) { c.APIHostname = "me:pass@duo.acme.test" }, want: "api_hostname"},
		"dot":                {change: func(c *duo.Config) { c.APIHostname = "api-1.duosecurity.com." }, want: "api_hostname"},
		"space":              {change: func(c *duo.Config) { c.APIHostname = "api 1" }, want: "api_hostname"},
		"empty port":         {change: func(c *duo.Config) { c.APIHostname = "duo.acme.test:" }, want: "api_hostname"},
		"strange port":       {change: func(c *duo.Config) { c.APIHostname = "duo.acme.test:https" }, want: "api_hostname"},
		"port alone":         {change: func(c *duo.Config) { c.APIHostname = ":443" }, want: "api_hostname"},
		"no pairs":           {change: func(c *duo.Config) { c.PushInfo = "hello" }, want: "push_info"},
		"nameless pair":      {change: func(c *duo.Config) { c.PushInfo = "a=b&=c" }, want: "push_info"},
		"broken escape":      {change: func(c *duo.Config) { c.PushInfo = "a=%zz" }, want: "push_info"},
		"semicolon":          {change: func(c *duo.Config) { c.PushInfo = "a=b;c=d" }, want: "push_info"},
		"long":               {change: func(c *duo.Config) { c.PushInfo = "a=" + strings.Repeat("x", 20_000) }, want: "push_info"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			test.change(&config)
			method, err := duo.New(config)
			assert.Equal(t, err, config.Validate())
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
				assert.True(t, strings.HasPrefix(err.Error(), test.want+" "), err)
			}
			methodtest.AssertNoSecret(t, []string{good.SecretKey.Reveal(), "me:pass"}, err, config, &config, method, struct{ m mfa.Method }{method}, struct{ m *duo.Method }{method})
		})
	}
}
