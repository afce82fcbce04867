package mfa_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const login, password = "mia.ito@acme.test", "correct-horse"

// orgClock is the org's clock, which a login moves by what it sleeps.
type orgClock struct {
	*oktatest.Clock
	sleeps []time.Duration
}

func (c *orgClock) Sleep(ctx context.Context, d time.Duration) error {
	c.sleeps = append(c.sleeps, d)
	c.Advance(d)
	return ctx.Err()
}

// org is an Okta with one user, and a login of theirs.
type org struct {
	*oktatest.Server
	user    *oktatest.User
	clock   *orgClock
	client  *okta.Client
	numbers []int
}

func newOrg(t testing.TB, options oktatest.Options) *org {
	t.Helper()
	o := &org{clock: &orgClock{Clock: oktatest.NewClock(noon)}}
	options.Now = o.clock.Now
	o.Server = oktatest.NewServer(t, options)
	o.user = o.AddUser(login, password)
	var err error
	o.client, err = okta.New(okta.Config{OrgURL: o.URL, RootCAs: o.CertPool(), Timeout: 10 * time.Second})
	require.NoError(t, err)
	t.Cleanup(o.client.CloseIdleConnections)
	return o
}

func (o *org) login(t testing.TB, want mfa.Want) (mfa.Outcome, error) {
	t.Helper()
	tx, err := o.client.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	return mfa.Login{
		Okta:       o.client,
		Want:       want,
		ShowNumber: func(n int) { o.numbers = append(o.numbers, n) },
		Poll:       mfa.Poll{Clock: o.clock},
	}.Complete(t.Context(), tx)
}

func (o *org) cancelled() int { return o.Count(http.MethodPost, "/api/v1/authn/cancel") }

// TestPushAtOrg: one push, whatever becomes of it, and a transaction that is
// cancelled exactly when nobody was let in.
func TestPushAtOrg(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		script []string
		err    error
		polls  int
	}{
		{"approved", []string{"WAITING", "WAITING", "SUCCESS"}, nil, 3},
		{"approved at the first poll", []string{"WAITING", "SUCCESS"}, nil, 2},
		{"approved at once", []string{"SUCCESS"}, nil, 0},
		{"rejected", []string{"WAITING", "REJECTED"}, mfa.ErrRejected, 2},
		{"timed out", []string{"WAITING", "TIMEOUT"}, mfa.ErrPushTimeout, 2},
		{"expired", []string{"WAITING", "EXPIRED"}, mfa.ErrPushTimeout, 2},
		{"cancelled", []string{"WAITING", "CANCELLED"}, mfa.ErrCancelled, 2},
		{"canceled", []string{"WAITING", "CANCELED"}, mfa.ErrCancelled, 2},
		{"failed", []string{"WAITING", "ERROR"}, mfa.ErrFactorFailed, 2},
		{"unknown", []string{"WAITING", "MAYBE"}, errStrange, 2},
		{"no result", []string{"WAITING", ""}, errStrange, 2},
		{"a challenge", []string{"WAITING", "CHALLENGE"}, errStrange, 2},
		{"rejected at once", []string{"REJECTED"}, mfa.ErrRejected, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{ExtraFields: true, EnforceTokenRate: true})
			phone := o.user.AddPush(tc.script...)
			o.user.AddTOTP("OKTA")
			out, err := o.login(t, mfa.Want{})
			want := mfa.Outcome{ChallengeSent: true}
			cancelled := 1
			if tc.err == nil {
				assert.NoError(t, err)
				want.User = okta.User{ID: o.user.ID, Login: login}
				cancelled = 0
			} else {
				assertDenied(t, tc.err, err)
			}
			assert.Equal(t, want, out)
			assert.Equal(t, 1, phone.Pushes())
			assert.Equal(t, tc.polls+1, o.Count(http.MethodPost, "/api/v1/authn/factors/"+phone.ID+"/verify"))
			assert.Len(t, o.clock.sleeps, tc.polls)
			assert.Equal(t, cancelled, o.cancelled())
			assert.Empty(t, o.numbers)
		})
	}
}

// TestPushFaultsAtOrg: one push and one delivery of each request, however an
// answer gets lost.
func TestPushFaultsAtOrg(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]oktatest.Fault{
		"closed connection": oktatest.CloseConnection(),
		"web page":          oktatest.HTML(502),
		"error":             oktatest.Status(500, "E0000009", "Internal Server Error"),
		"202":               oktatest.Accepted202(),
		"rate limit":        oktatest.RateLimited(0, time.Minute),
		"truncated":         oktatest.TruncatedJSON(),
		"not JSON":          oktatest.Body(200, "application/json", "approved"),
		"null":              oktatest.Body(200, "application/json", "null"),
		"redirect":          oktatest.Redirect(307, "/api/v1/authn/factors/x/verify"),
	} {
		for after, when := range []string{"the push", "the first poll", "the second poll"} {
			t.Run(name+" at "+when, func(t *testing.T) {
				t.Parallel()
				o := newOrg(t, oktatest.Options{})
				phone := o.user.AddPush()
				o.Fail("verify", fault.Delivered().After(after))
				out, err := o.login(t, mfa.Want{})
				assert.Error(t, err)
				assert.Equal(t, mfa.Outcome{ChallengeSent: true}, out)
				assert.Equal(t, 1, phone.Pushes())
				assert.Equal(t, after+1, o.Count(http.MethodPost, "/api/v1/authn/factors/"+phone.ID+"/verify"))
				assert.Equal(t, 1, o.cancelled())
				assert.Zero(t, phone.Waiting(), "nothing is left to approve")
			})
		}
	}
}

func TestNumberAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	phone := o.user.AddPush("WAITING", "WAITING", "WAITING", "SUCCESS").Number(0, 2)
	_, err := o.login(t, mfa.Want{})
	require.NoError(t, err)
	assert.Equal(t, []int{0, 0}, o.numbers)

	tx, err := o.client.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	_, err = mfa.Login{Okta: o.client, Poll: mfa.Poll{Clock: o.clock}}.Complete(t.Context(), tx)
	assert.ErrorIs(t, err, mfa.ErrNumberChallenge)
	assert.Equal(t, 2, phone.Pushes(), "one a login")
	assert.Equal(t, 1, o.cancelled())
	assert.Zero(t, phone.Waiting())
}

// TestNobodyAnswersAtOrg: Okta's end of the push, or ours.
func TestNobodyAnswersAtOrg(t *testing.T) {
	t.Parallel()
	for name, life := range map[string]time.Duration{"Okta ends it": time.Minute, "we end it": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{ChallengeLife: life})
			phone := o.user.AddPush()
			_, err := o.login(t, mfa.Want{})
			assert.ErrorIs(t, err, mfa.ErrPushTimeout)
			assert.Equal(t, 1, phone.Pushes())
			assert.Equal(t, 1, o.cancelled())
			waited := o.clock.Now().Sub(noon)
			assert.Less(t, waited, min(life, mfa.MaxWait)+3*time.Second)
		})
	}
}

// TestCancelAtOrg: when the caller leaves, the push is withdrawn.
func TestCancelAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	phone := o.user.AddPush()
	tx, err := o.client.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	clock := &fakeClock{now: o.clock.Now(), each: func(int) { cancel() }}
	_, err = mfa.Login{Okta: o.client, Poll: mfa.Poll{Clock: clock}}.Complete(ctx, tx)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, phone.Pushes())
	assert.Equal(t, 1, o.cancelled())
	assert.Zero(t, phone.Waiting())
	_, err = o.client.Verify(t.Context(), tx, okta.Factor{ID: phone.ID}, "")
	var said *okta.Error
	require.ErrorAs(t, err, &said)
	assert.Equal(t, okta.CodeInvalidToken, said.Code, "the transaction is over")
}

// TestPassCodesAtOrg: each generator is asked once at most, and a passcode is
// good once.
func TestPassCodesAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{MaxFailures: 10})
	o.user.AddPush()
	verify, google := o.user.AddTOTP("OKTA"), o.user.AddTOTP("GOOGLE")
	path := func(f *oktatest.Factor) string { return "/api/v1/authn/factors/" + f.ID + "/verify" }
	denied := func(err error, code string) {
		t.Helper()
		var said *okta.Error
		if assert.ErrorAs(t, err, &said) {
			assert.Equal(t, code, said.Code)
		}
	}
	for _, tc := range []struct {
		name           string
		want           mfa.Want
		code           string // Okta's error; empty for success
		verify, google int    // requests
	}{
		{"OKTA", mfa.Want{PassCode: verify.Code()}, "", 1, 0},
		{"replay", mfa.Want{PassCode: verify.Code()}, okta.CodePassCodeReplayed, 1, 0},
		{"GOOGLE", mfa.Want{PassCode: google.Code()}, "", 1, 1},
		{"wrong", mfa.Want{PassCode: "000000x"}, okta.CodeInvalidPassCode, 1, 1},
		{"wrong, GOOGLE", mfa.Want{PassCode: "000000x", Provider: okta.ProviderGoogle}, okta.CodeInvalidPassCode, 0, 1},
	} {
		o.Reset()
		out, err := o.login(t, tc.want)
		if tc.code == "" {
			assert.NoError(t, err, tc.name)
			assert.Equal(t, mfa.Outcome{User: okta.User{ID: o.user.ID, Login: login}}, out, tc.name)
			assert.Zero(t, o.cancelled(), tc.name)
		} else {
			denied(err, tc.code)
			assert.Zero(t, out, tc.name)
			assert.Equal(t, 1, o.cancelled(), tc.name)
		}
		assert.Equal(t, tc.verify, o.Count(http.MethodPost, path(verify)), tc.name)
		assert.Equal(t, tc.google, o.Count(http.MethodPost, path(google)), tc.name)
	}

	o.Configure(func(options *oktatest.Options) { options.MaxFailures = 1 })
	o.Reset()
	_, err := o.login(t, mfa.Want{PassCode: "000000x"})
	denied(err, okta.CodeUserLocked)
	assert.Equal(t, 1, o.Count(http.MethodPost, path(verify)))
	assert.Zero(t, o.Count(http.MethodPost, path(google)), "a locked account is left alone")
}

func TestWarningAtOrg(t *testing.T) {
	t.Parallel()
	for name, add := range map[string]func(u *oktatest.User) mfa.Want{
		"alone":           func(*oktatest.User) mfa.Want { return mfa.Want{} },
		"after a push":    func(u *oktatest.User) mfa.Want { u.AddPush("WAITING", "SUCCESS"); return mfa.Want{} },
		"after a factor":  func(u *oktatest.User) mfa.Want { return mfa.Want{PassCode: u.AddTOTP("GOOGLE").Code()} },
		"factor in array": func(u *oktatest.User) mfa.Want { u.AddPush("SUCCESS"); return mfa.Want{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{FactorArrayUnderFactor: name == "factor in array"})
			o.user.SetStatus("PASSWORD_WARN")
			out, err := o.login(t, add(o.user))
			require.NoError(t, err)
			assert.True(t, out.PasswordWarning)
			assert.Equal(t, o.user.ID, out.User.ID)
			assert.Equal(t, 1, o.Count(http.MethodPost, "/api/v1/authn/skip"))
			assert.Zero(t, o.cancelled())
		})
	}
}

// TestStatusesAtOrg: every state that an account can be in, with Bypass and
// without.
func TestStatusesAtOrg(t *testing.T) {
	t.Parallel()
	for status, tc := range map[string]struct{ err, bypassed error }{
		"ACTIVE":              {nil, nil},
		"SUCCESS":             {nil, nil},
		"PASSWORD_EXPIRED":    {mfa.ErrPasswordExpired, mfa.ErrPasswordExpired},
		"LOCKED_OUT":          {mfa.ErrLockedOut, mfa.ErrLockedOut},
		"MFA_ENROLL":          {mfa.ErrEnrollment, nil},
		"MFA_ENROLL_ACTIVATE": {mfa.ErrEnrollment, nil},
		"PASSWORD_RESET":      {mfa.ErrRecovery, mfa.ErrRecovery},
		"RECOVERY_CHALLENGE":  {mfa.ErrRecovery, mfa.ErrRecovery},
		"UNAUTHENTICATED":     {errStrange, errStrange},
		"PASSKEY_REQUIRED":    {errStrange, errStrange},
	} {
		for _, bypass := range []bool{false, true} {
			o := newOrg(t, oktatest.Options{})
			o.user.SetStatus(status)
			tx, err := o.client.Authenticate(t.Context(), login, password)
			require.NoError(t, err)
			out, err := mfa.Login{Okta: o.client, Bypass: bypass}.Complete(t.Context(), tx)
			want := tc.err
			if bypass {
				want = tc.bypassed
			}
			if want == nil {
				assert.NoError(t, err, "%s, bypass %v", status, bypass)
				assert.Equal(t, o.user.ID, out.User.ID)
				continue
			}
			assertDenied(t, want, err)
			assert.Zero(t, out, "%s, bypass %v", status, bypass)
		}
	}
}

// TestConcurrentLogins is for the race detector: two logins of one person are
// two transactions.
func TestConcurrentLogins(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	phone := o.user.AddPush("WAITING", "SUCCESS")
	done := make(chan error)
	var shown atomic.Int32
	for range 4 {
		go func() {
			tx, err := o.client.Authenticate(t.Context(), login, password)
			if err == nil {
				clock := &fakeClock{now: noon}
				_, err = mfa.Login{Okta: o.client, ShowNumber: func(int) { shown.Add(1) }, Poll: mfa.Poll{Clock: clock}}.Complete(t.Context(), tx)
			}
			done <- err
		}()
	}
	for range 4 {
		assert.NoError(t, <-done)
	}
	assert.Equal(t, 4, phone.Pushes())
}
