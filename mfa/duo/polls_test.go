package duo_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
)

const (
	noNews      = `{"stat":"FAIL","code":40002,"message":"no","message_detail":"txid"}`
	tooMany     = `{"stat":"FAIL","code":42901,"message":"Too many"}`
	emptyCode   = `{"stat":"FAIL","code":"","message":"Too many"}`
	wrongKey    = `{"stat":"FAIL","code":40301,"message":"Wrong integration type"}`
	codeIsWords = `{"stat":"FAIL","code":{"a":1},"message":"no"}`
)

// TestPollsThatFail end no login before its time, where Duo can be asked again.
func TestPollsThatFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  mfatest.Fault
		final  bool
		status int   // of the error where they never end
		want   error // likewise
	}{
		"no news":           {fault: mfatest.Fault{Status: 400, Body: noNews}, want: mfa.ErrPushTimeout},
		"dropped":           {fault: mfatest.Fault{Drop: true}, want: mfa.ErrServiceUnreachable},
		"unavailable":       {fault: mfatest.Fault{Status: 503}, status: 503},
		"internal":          {fault: mfatest.Fault{Status: 500, Body: `{"stat":"FAIL","code":50001,"message":"x"}`}, status: 500},
		"a proxy gave up":   {fault: mfatest.Fault{Status: 408}, status: 408},
		"too many":          {fault: mfatest.Fault{Status: 429, Body: tooMany}, status: 429},
		"too many, by code": {fault: mfatest.Fault{Body: tooMany}, status: 429},
		"no code":           {fault: mfatest.Fault{Status: 429, Body: emptyCode}, status: 429},
		"wrong key":         {fault: mfatest.Fault{Status: 403, Body: wrongKey}, status: 403, final: true},
		"strange code":      {fault: mfatest.Fault{Status: 400, Body: codeIsWords}, status: 400, final: true},
		"garbage":           {fault: mfatest.Fault{Body: "<html>"}, want: mfa.ErrServiceMalformed, final: true},
	} {
		for _, times := range []int{1, 0} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				srv := mfatest.NewDuo(t)
				user := srv.AddUser(methodtest.Person.Login).AddPhone("push").Script(mfatest.DuoOutcome{Result: "allow"})
				fault := test.fault
				fault.On, fault.Times = "/auth_status", times
				srv.Fail(fault)
				attempt, err := methodtest.Duo(t, srv, nil).Prepare(t.Context(), methodtest.Person, mfa.Credential{})
				require.NoError(t, err)
				said := methodtest.Talk{Clock: methodtest.NewMoving()}
				err = said.Satisfy(t.Context(), attempt, time.Minute)
				asked := srv.Count("/auth_status")
				switch {
				case test.final:
					assert.Equal(t, 1, asked)
				case times == 1:
					assert.NoError(t, err)
					return
				default:
					assert.Greater(t, asked, 5)
					assert.Less(t, asked, 40)
				}
				if test.want != nil {
					assert.ErrorIs(t, err, test.want)
				} else if failed, ok := errors.AsType[*mfa.ServiceError](err); assert.True(t, ok, err) {
					assert.Equal(t, test.status, failed.Status)
				}
				assert.False(t, mfa.NotSent(err))
				assert.Equal(t, 1, user.Pushes())
			})
		}
	}
}

// TestWaitingAndTimeout together are an end.
func TestWaitingAndTimeout(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	srv.AddUser(methodtest.Person.Login).AddPhone("push").Script(mfatest.DuoOutcome{Result: "waiting", Status: "timeout"})
	assert.ErrorIs(t, methodtest.Login(t.Context(), methodtest.Duo(t, srv, nil), mfa.Credential{}), mfa.ErrPushTimeout)
	assert.Equal(t, 2, srv.Count("/auth_status"))
}

// TestRetryAfter: a request that Duo has not served is repeated after the time that Duo
// names, and not where the login has no such time, or Duo names none.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"/preauth", "/auth", "/auth_status"} {
		for name, test := range map[string]struct {
			fault  mfatest.Fault
			waits  time.Duration // at least; 0: the login fails
			within time.Duration // that the login has
		}{
			"by the status": {fault: mfatest.Fault{Status: 429, Header: map[string]string{"Retry-After": "7"}}, waits: 7 * time.Second},
			"by the code":   {fault: mfatest.Fault{Body: tooMany, Header: map[string]string{"X-Retry-After": "8"}}, waits: 8 * time.Second},
			"too long":      {fault: mfatest.Fault{Status: 429, Body: tooMany, Header: map[string]string{"Retry-After": "90"}}},
			"no time":       {fault: mfatest.Fault{Status: 429, Header: map[string]string{"Retry-After": "20"}}, within: 15 * time.Second},
		} {
			t.Run(step+" "+name, func(t *testing.T) {
				t.Parallel()
				srv, clock := mfatest.NewDuo(t), methodtest.NewMoving()
				user := srv.AddUser(methodtest.Person.Login).AddPhone("push").Script(mfatest.DuoOutcome{Result: "allow"})
				test.fault.On, test.fault.Times = step, 1
				srv.Fail(test.fault)
				method := methodtest.Duo(t, srv, func(c *duo.Config) { c.Clock = clock })
				ctx, patience := t.Context(), time.Minute
				if test.within > 0 {
					ctx, patience = methodtest.Within(ctx, test.within), test.within
				}
				began := clock.Now()
				attempt, err := method.Prepare(ctx, methodtest.Person, mfa.Credential{})
				if err == nil {
					err = (&methodtest.Talk{Clock: clock}).Satisfy(ctx, attempt, patience)
				}
				if test.waits > 0 {
					require.NoError(t, err)
					assert.GreaterOrEqual(t, clock.Now().Sub(began), test.waits)
					assert.Equal(t, 1, user.Pushes())
					return
				}
				failed, ok := errors.AsType[*mfa.ServiceError](err)
				require.True(t, ok, err)
				assert.Equal(t, http.StatusTooManyRequests, failed.Status)
				assert.Greater(t, failed.RetryAfter, 15*time.Second)
				assert.Equal(t, step == "/auth", mfa.NotSent(err))
				assert.Equal(t, 1, srv.Count(step))
			})
		}
	}
}

// TestRetryAfterOfAPassCode: a passcode that Duo has not looked at is good for another try.
func TestRetryAfterOfAPassCode(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewDuo(t)
	srv.AddUser(methodtest.Person.Login).AddPassCode("555111")
	srv.Fail(mfatest.Fault{On: "/auth", Times: 2, Status: 429, Header: map[string]string{"Retry-After": "3"}})
	method := methodtest.Duo(t, srv, func(c *duo.Config) { c.Clock = methodtest.NewMoving() })
	assert.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "555111"}))
	assert.Equal(t, 3, srv.Count("/auth"))
}
