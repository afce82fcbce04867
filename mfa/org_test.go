package mfa_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const login, password = "mia.ito@acme.test", "correct-horse"

// org is an Okta with one user, and the mount on which they log in.
type org struct {
	*oktatest.Server
	*mount
	user   *oktatest.User
	client *okta.Client

	mu      sync.Mutex
	numbers []mfa.Number
}

func newOrg(t testing.TB, options oktatest.Options) *org {
	t.Helper()
	o := &org{mount: newMount(mfa.PushLimit{})}
	options.Now = o.clock.Now
	o.Server = oktatest.NewServer(t, options)
	o.user = o.AddUser(login, password)
	var err error
	o.client, err = okta.New(okta.Config{OrgURL: o.URL, RootCAs: o.CertPool(), Timeout: patience, Now: o.clock.Now})
	require.NoError(t, err)
	t.Cleanup(o.client.CloseIdleConnections)
	return o
}

// flow is that of a login from here, on all devices.
func (o *org) flow() mfa.Flow {
	flow := o.mount.flow(o.client, ours)
	flow.Policy.AllDevices = true
	flow.Again = o.authenticate
	flow.Show = func(n mfa.Number) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.numbers = append(o.numbers, n)
	}
	return flow
}

func (o *org) authenticate(ctx context.Context) (okta.Transaction, error) {
	return o.client.Authenticate(ctx, login, password)
}

// login runs a blocking login from the password on.
func (o *org) login(t testing.TB, w want) (*mfa.Session, error) {
	t.Helper()
	return o.loginBy(t, o.flow(), w)
}

func (o *org) loginBy(t testing.TB, flow mfa.Flow, w want) (*mfa.Session, error) {
	t.Helper()
	tx, err := o.authenticate(t.Context())
	require.NoError(t, err)
	return run(t.Context(), flow, tx, w)
}

// hold starts a held login from the password on.
func (o *org) hold(t testing.TB, flow mfa.Flow, w want) (*mfa.Session, mfa.State) {
	t.Helper()
	flow.Hold, flow.Show = true, nil
	tx, err := o.authenticate(t.Context())
	require.NoError(t, err)
	l, err := flow.Begin(t.Context(), tx, mfa.Input{Want: w})
	require.NoError(t, err)
	s, err := l.State(t.Context())
	require.NoError(t, err)
	return l, s
}

// in is whom the org lets in.
func (o *org) in() okta.User { return okta.User{ID: o.user.ID, Login: login} }

func (o *org) verifies(f *oktatest.Factor) int {
	return o.Count(http.MethodPost, "/api/v1/authn/factors/"+f.ID+"/verify")
}

func (o *org) cancelled() int { return o.Count(http.MethodPost, "/api/v1/authn/cancel") }

// tokens returns the state tokens of the requests whose path ends so, as their
// places in the order in which the org made them.
func (o *org) tokens(path string) []int {
	var places []int
	for _, r := range o.Requests() {
		if !strings.HasSuffix(r.Path, path) {
			continue
		}
		var body struct{ StateToken string }
		_ = json.Unmarshal(r.Body, &body)
		for n, token := range o.StateTokens() {
			if token == body.StateToken {
				places = append(places, n)
			}
		}
	}
	return places
}

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
		{"too old an app", []string{"WAITING", "OKTA_VERIFY_UPGRADE_REQUIRED"}, mfa.ErrAppTooOld, 2},
		{"too old an app, at once", []string{"OKTA_VERIFY_UPGRADE_REQUIRED"}, mfa.ErrAppTooOld, 0},
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
			o := newOrg(t, oktatest.Options{ExtraFields: true, EnforceTokenRate: true, EnforceUserRate: true, EnforcePerUserRate: true})
			phone := o.user.AddPush(tc.script...)
			o.user.AddTOTP("OKTA")
			o.user.AddFactor("webauthn", "FIDO")
			l, err := o.login(t, want{})
			assertError(t, tc.err, err)
			if tc.err == nil {
				assert.Equal(t, o.in(), whom(l))
				assert.Zero(t, o.cancelled())
			} else {
				assert.Zero(t, whom(l))
				assert.Equal(t, 1, o.cancelled())
			}
			assert.True(t, l.Challenged())
			assert.Equal(t, 1, phone.Pushes())
			assert.Equal(t, tc.polls, phone.Polls())
			assert.Len(t, o.clock.sleeps(), tc.polls)
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
		"truncated":         oktatest.TruncatedJSON(),
		"not JSON":          oktatest.Body(200, "application/json", "approved"),
		"null":              oktatest.Body(200, "application/json", "null"),
		"redirect":          oktatest.Redirect(307, "/api/v1/authn/factors/x/verify"),
	} {
		for after, when := range []string{"the push", "the first poll", "the second poll"} {
			if name == "202" && after > 0 {
				continue // the push waits: see TestPollAnsweredByError
			}
			if after > 0 && slices.Contains([]string{"closed connection", "web page", "error"}, name) {
				continue // it is asked again: see TestLostAnswersRingNoPhone
			}
			t.Run(name+" at "+when, func(t *testing.T) {
				t.Parallel()
				o := newOrg(t, oktatest.Options{})
				phone := o.user.AddPush()
				o.Fail("verify", fault.Delivered().After(after))
				l, err := o.login(t, want{})
				assert.Error(t, err)
				assert.Zero(t, whom(l))
				assert.True(t, l.Challenged())
				assert.Equal(t, 1, phone.Pushes())
				assert.Equal(t, after+1, o.verifies(phone))
				assert.Equal(t, 1, o.cancelled())
				assert.Zero(t, phone.Waiting(), "nothing is left to approve")
				assert.Equal(t, 1, phone.Withdrawn())
			})
		}
	}
}

// Okta may say by an error document that a push still waits.
func TestPollAnsweredByError(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	phone := o.user.AddPush("WAITING", "SUCCESS")
	o.Fail("verify", oktatest.Accepted202().After(1).Times(2))
	l, err := o.login(t, want{})
	require.NoError(t, err)
	assert.Equal(t, o.in(), whom(l))
	assert.Equal(t, 1, phone.Pushes())
	assert.Zero(t, o.cancelled())
}

func TestNumberAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	phone := o.user.AddPush("WAITING", "WAITING", "WAITING", "SUCCESS").Number(0, 2)
	_, err := o.login(t, want{})
	require.NoError(t, err)
	require.Len(t, o.numbers, 2)
	for _, n := range o.numbers {
		assert.Equal(t, 0, n.Answer)
		assert.Equal(t, "Phone 1", n.Device)
	}

	flow := o.flow()
	flow.Show = nil
	_, err = o.loginBy(t, flow, want{})
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
			_, err := o.login(t, want{})
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
	tx, err := o.authenticate(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	o.clock.each = func(int) { cancel() }
	_, err = run(ctx, o.flow(), tx, want{})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, phone.Pushes())
	assert.Equal(t, 1, o.cancelled())
	assert.Equal(t, 1, phone.Withdrawn())
	_, err = o.client.Verify(t.Context(), tx, okta.Factor{ID: phone.ID}, "")
	assertError(t, refused(okta.CodeInvalidToken), err) // the transaction is over
}

func TestWarningAtOrg(t *testing.T) {
	t.Parallel()
	for name, add := range map[string]func(u *oktatest.User) want{
		"alone":           func(*oktatest.User) want { return want{} },
		"after a push":    func(u *oktatest.User) want { u.AddPush("WAITING", "SUCCESS"); return want{} },
		"after a factor":  func(u *oktatest.User) want { return want{PassCode: u.AddTOTP("GOOGLE").Code()} },
		"factor in array": func(u *oktatest.User) want { u.AddPush("SUCCESS"); return want{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{FactorArrayUnderFactor: name == "factor in array"})
			o.user.SetStatus("PASSWORD_WARN")
			l, err := o.login(t, add(o.user))
			require.NoError(t, err)
			assert.True(t, l.PasswordWarning())
			assert.Equal(t, o.in(), whom(l))
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
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{})
			o.user.SetStatus(status)
			for _, bypass := range []bool{false, true} {
				flow := o.flow()
				flow.Policy.Bypass = bypass
				l, err := o.loginBy(t, flow, want{})
				expected := tc.err
				if bypass {
					expected = tc.bypassed
				}
				assertError(t, expected, err)
				assert.Equal(t, expected == nil, whom(l).ID == o.user.ID)
				assert.False(t, l.Challenged())
			}
		})
	}
}
