package mfa_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
)

// TestDuoFaults: in each step. Whatever happens, a push is sent once.
func TestDuoFaults(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"/preauth", "/auth", "/auth_status"} {
		for name, test := range serviceFaults {
			t.Run(step+" "+name, func(t *testing.T) {
				t.Parallel()
				srv := mfatest.NewDuo(t)
				user := srv.AddUser(person.Login).AddPhone("push").AddPassCode("123456")
				fault := test.fault
				fault.On, fault.Late = step, step == "/auth" && !test.notSent
				srv.Fail(fault)
				method := duoMethod(t, srv, func(c *mfa.DuoConfig) { c.Timeout = time.Second })

				attempt, err := method.Prepare(t.Context(), person, mfa.Credential{})
				if step == "/preauth" {
					assertServiceError(t, test.want, test.status, err)
					assert.Equal(t, 1, srv.Count(step))
					assert.Zero(t, user.Pushes())
					return
				}
				require.NoError(t, err)
				want, patience := test.want, time.Minute
				if step == "/auth_status" && fault.Hang {
					want, patience = mfa.ErrPushTimeout, 300*time.Millisecond
				}
				err = attempt.Verify(t.Context(), new(talk).exchange(patience))
				assertServiceError(t, want, test.status, err)
				assert.Equal(t, step == "/auth" && test.notSent, mfa.NotSent(err))
				assert.Equal(t, 1, srv.Count("/auth"))
				if step == "/auth" && test.notSent {
					assert.Zero(t, user.Pushes())
				} else {
					assert.Equal(t, 1, user.Pushes())
				}
				assertNoSecret(t, srv.Secrets(), err, method)
			})
		}
	}
}

// TestDuoKeys: a mount with the wrong keys, or a wrong clock, hears it.
func TestDuoKeys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*mfa.DuoConfig)
		skew   time.Duration
		want   mfa.ServiceError
	}{
		"integration key": {change: func(c *mfa.DuoConfig) { c.IntegrationKey = "DIWRONG" }, want: mfa.ServiceError{Status: 401, Message: "Invalid integration key in request credentials"}},
		"secret key":      {change: func(c *mfa.DuoConfig) { c.SecretKey = "a wrong secret" }, want: mfa.ServiceError{Status: 401, Message: "Invalid signature in request credentials"}},
		"clock":           {skew: time.Hour, want: mfa.ServiceError{Status: 401, Message: "Bad request timestamp"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewDuo(t)
			srv.SetNow(func() time.Time { return time.Now().Add(test.skew) })
			srv.AddUser(person.Login).SetResult("allow", "")
			method := duoMethod(t, srv, test.change)
			_, err := method.Prepare(t.Context(), person, mfa.Credential{})
			assert.Equal(t, &test.want, err)
			assertNoSecret(t, append(srv.Secrets(), "a wrong secret"), err, method)
		})
	}
}

// TestDuoGone: a service that has gone after the preparation sends nothing.
func TestDuoGone(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	srv.Fail(mfatest.Fault{On: "/preauth", Header: map[string]string{"Connection": "close"},
		Body: `{"stat":"OK","response":{"result":"auth","devices":[{"capabilities":["push"]}]}}`})
	attempt, err := duoMethod(t, srv, nil).Prepare(t.Context(), person, mfa.Credential{})
	require.NoError(t, err)
	srv.Close()
	var said talk
	err = attempt.Verify(t.Context(), said.exchange(time.Minute))
	assert.ErrorIs(t, err, mfa.ErrServiceUnreachable)
	assert.True(t, mfa.NotSent(err))
	assert.Zero(t, said.waited())
}

// TestDuoPushWithoutTransaction: nobody can tell what becomes of it.
func TestDuoPushWithoutTransaction(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	srv.AddUser(person.Login).AddPhone("push")
	srv.Fail(mfatest.Fault{On: "/auth", Body: `{"stat":"OK","response":{"result":"allow","status":"allow"}}`})
	err := loginBy(t.Context(), duoMethod(t, srv, nil), mfa.Credential{})
	assert.ErrorIs(t, err, mfa.ErrServiceMalformed)
	assert.False(t, mfa.NotSent(err))
	assert.Zero(t, srv.Count("/auth_status"))
}

// TestDuoUnknownAtLast: a person who is gone after the preparation.
func TestDuoUnknownAtLast(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]error{
		"username": mfa.ErrUnknownPerson, "passcode": mfa.ErrWrongPassCode, "device": mfa.ErrNoFactor,
	} {
		srv := mfatest.NewDuo(t)
		srv.AddUser(person.Login).AddPhone("push")
		srv.Fail(mfatest.Fault{On: "/auth", Status: 400, Body: fmt.Sprintf(
			`{"stat":"FAIL","code":40002,"message":"Invalid request parameters","message_detail":%q}`, detail)})
		err := loginBy(t.Context(), duoMethod(t, srv, nil), mfa.Credential{})
		assert.ErrorIs(t, err, want)
		assert.True(t, mfa.NotSent(err))
	}
}

// TestDuoTogether: many logins share a method, and each has its own answer.
func TestDuoTogether(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	method := duoMethod(t, srv, nil)
	var all sync.WaitGroup
	for i := range 8 {
		who, want := person, error(nil)
		who.Login = fmt.Sprintf("user%d", i)
		outcome := mfatest.DuoOutcome{Result: "allow", Status: "allow"}
		if i%2 == 1 {
			outcome, want = mfatest.DuoOutcome{Result: "deny", Status: "deny"}, mfa.ErrRejected
		}
		user := srv.AddUser(who.Login).AddPhone("push").Script(outcome)
		all.Go(func() {
			attempt, err := method.Prepare(t.Context(), who, mfa.Credential{})
			if assert.NoError(t, err) {
				assert.ErrorIs(t, attempt.Verify(t.Context(), new(talk).exchange(time.Minute)), want)
			}
			assert.Equal(t, 1, user.Pushes())
		})
	}
	all.Wait()
}

func TestDuoConfig(t *testing.T) {
	t.Parallel()
	good := mfa.DuoConfig{IntegrationKey: "DIKEY", SecretKey: "a-very-secret-key", APIHostname: "api-1.duosecurity.com"}
	for name, test := range map[string]struct {
		change func(*mfa.DuoConfig)
		want   string // the field; empty: it is good
	}{
		"good":               {change: func(*mfa.DuoConfig) {}},
		"port":               {change: func(c *mfa.DuoConfig) { c.APIHostname = "duo.acme.test:8443" }},
		"address":            {change: func(c *mfa.DuoConfig) { c.APIHostname = "[2001:db8::1]:443" }},
		"pairs":              {change: func(c *mfa.DuoConfig) { c.PushInfo = "from=login%20portal&domain=example.com" }},
		"no integration key": {change: func(c *mfa.DuoConfig) { c.IntegrationKey = "" }, want: "integration_key"},
		"no secret key":      {change: func(c *mfa.DuoConfig) { c.SecretKey = "" }, want: "secret_key"},
		"no host":            {change: func(c *mfa.DuoConfig) { c.APIHostname = "" }, want: "api_hostname"},
		"URL":                {change: func(c *mfa.DuoConfig) { c.APIHostname = "https://api-1.duosecurity.com" }, want: "api_hostname"},
		"path":               {change: func(c *mfa.DuoConfig) { c.APIHostname = "api-1.duosecurity.com/x" }, want: "api_hostname"},
		"query":              {change: func(c *mfa.DuoConfig) { c.APIHostname = "api-1.duosecurity.com?x" }, want: "api_hostname"},
		"fragment":           {change: func(c *mfa.DuoConfig) { c.APIHostname = "api-1.duosecurity.com#x" }, want: "api_hostname"},
		"user":               {change: func(c *mfa.DuoConfig) { c.APIHostname = "me:pass@duo.acme.test" }, want: "api_hostname"},
		"dot":                {change: func(c *mfa.DuoConfig) { c.APIHostname = "api-1.duosecurity.com." }, want: "api_hostname"},
		"space":              {change: func(c *mfa.DuoConfig) { c.APIHostname = "api 1" }, want: "api_hostname"},
		"empty port":         {change: func(c *mfa.DuoConfig) { c.APIHostname = "duo.acme.test:" }, want: "api_hostname"},
		"strange port":       {change: func(c *mfa.DuoConfig) { c.APIHostname = "duo.acme.test:https" }, want: "api_hostname"},
		"port alone":         {change: func(c *mfa.DuoConfig) { c.APIHostname = ":443" }, want: "api_hostname"},
		"no pairs":           {change: func(c *mfa.DuoConfig) { c.PushInfo = "hello" }, want: "push_info"},
		"nameless pair":      {change: func(c *mfa.DuoConfig) { c.PushInfo = "a=b&=c" }, want: "push_info"},
		"broken escape":      {change: func(c *mfa.DuoConfig) { c.PushInfo = "a=%zz" }, want: "push_info"},
		"semicolon":          {change: func(c *mfa.DuoConfig) { c.PushInfo = "a=b;c=d" }, want: "push_info"},
		"long":               {change: func(c *mfa.DuoConfig) { c.PushInfo = "a=" + strings.Repeat("x", 20_000) }, want: "push_info"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			test.change(&config)
			method, err := mfa.NewDuo(config)
			assert.Equal(t, err, config.Validate())
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
				assert.True(t, strings.HasPrefix(err.Error(), test.want+" "), err)
			}
			assertNoSecret(t, []string{good.SecretKey, "me:pass"}, err, config, &config, method, struct{ m mfa.Method }{method}, struct{ m *mfa.Duo }{method})
		})
	}
}
