package pingid_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
)

// starter is an organization with a person, and a method that uses startauthentication.
func starter(t *testing.T) (*mfatest.PingIDServer, *mfatest.PingIDUser, *pingid.Method) {
	srv := mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	return srv, user, methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = true })
}

// ring has the person's phone ring.
func ring(t *testing.T, ctx context.Context, method *pingid.Method, numbers, shown bool) (mfa.Push, error) {
	t.Helper()
	attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
	require.NoError(t, err)
	require.NotEmpty(t, attempt.Rings)
	return attempt.Ring(ctx, mfa.Exchange{
		Clock: methodtest.Clock{}, Mount: new(mfa.Mount), Life: ctx, Until: time.Now().Add(time.Hour), Numbers: numbers, Shown: shown,
	})
}

// TestNumberMatching: the number is known with the push, and stays known while the push is
// polled.
func TestNumberMatching(t *testing.T) {
	t.Parallel()
	srv, user, method := starter(t)
	srv.SetNumberMatching(true)
	push, err := ring(t, t.Context(), method, true, false)
	require.NoError(t, err)
	number, ok := user.Number()
	require.True(t, ok)
	for range 2 {
		require.NotNil(t, push.Waiting().Number)
		assert.Equal(t, number, push.Waiting().Number.Answer)
		passed, err := push.Poll(t.Context())
		require.NoError(t, err)
		assert.False(t, passed)
	}
	user.Approve()
	passed, err := push.Poll(t.Context())
	require.NoError(t, err)
	assert.True(t, passed)
	push.Cancel(t.Context())
	assert.Zero(t, user.Cancelled(), "an approval is not withdrawn")
}

// TestNumberThatNobodySees: the push is taken back at once, and the person is told how to
// see the number.
func TestNumberThatNobodySees(t *testing.T) {
	t.Parallel()
	for shown, want := range map[bool]error{false: mfa.ErrNumberChallenge, true: mfa.ErrNumberShown} {
		srv, user, method := starter(t)
		srv.SetNumberMatching(true)
		_, err := ring(t, t.Context(), method, false, shown)
		assert.ErrorIs(t, err, want)
		assert.False(t, mfa.NotSent(err), "the phone has rung")
		assert.Equal(t, []int{1, 0, 1}, []int{user.Pushes(), user.Waiting(), user.Cancelled()})
	}
}

// TestPushIsTakenBack wherever the login ends before the person has answered, and once.
func TestPushIsTakenBack(t *testing.T) {
	t.Parallel()
	_, user, method := starter(t)
	push, err := ring(t, t.Context(), method, true, false)
	require.NoError(t, err)
	push.Cancel(t.Context())
	push.Cancel(t.Context())
	assert.Equal(t, []int{1, 0, 1}, []int{user.Pushes(), user.Waiting(), user.Cancelled()})

	push, err = ring(t, t.Context(), method, true, false)
	require.NoError(t, err, "the app takes another one")
	user.Reject()
	_, err = push.Poll(t.Context())
	assert.Equal(t, &mfa.DeniedError{Reason: notApproved + " (PingID error 10551: Failed transaction. Please retry.)"}, err)
	push.Cancel(t.Context())
	assert.Equal(t, 1, user.Cancelled(), "what was answered is not withdrawn")
}

// TestCallerLeavesWhileThePushIsSent: the answer still counts, because it says how to take
// the push back.
func TestCallerLeavesWhileThePushIsSent(t *testing.T) {
	t.Parallel()
	srv, user, method := starter(t)
	ctx, leave := context.WithCancel(t.Context())
	srv.Forge(func(*mfatest.Token) {
		if srv.Count("/startauthentication/do") > 0 {
			leave()
		}
	})
	push, err := ring(t, ctx, method, true, false)
	require.NoError(t, err)
	push.Cancel(context.WithoutCancel(ctx))
	assert.Equal(t, []int{1, 0, 1}, []int{user.Pushes(), user.Waiting(), user.Cancelled()})

	_, err = ring(t, ctx, method, true, false)
	assert.ErrorIs(t, err, context.Canceled)
	assert.True(t, mfa.NotSent(err))
	assert.Equal(t, 1, user.Pushes())
}

// TestPhoneIsNotReached: where PingID gives the push up for a passcode, the passcode ends
// the same authentication.
func TestPhoneIsNotReached(t *testing.T) {
	t.Parallel()
	for _, start := range []bool{false, true} {
		srv := mfatest.NewPingID(t)
		user := srv.AddUser(methodtest.Person.Login).AddPassCode("123456")
		user.Script(mfatest.PingIDOutcome{ErrorID: 30006, Message: "Use the app"})
		method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = start })
		err := methodtest.Login(t.Context(), method, mfa.Credential{})
		assert.Equal(t, &mfa.PassCodeNeededError{What: "the code that the PingID app shows"}, err)
		begun := srv.Count("/startauthentication/do")
		assert.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "123456"}))
		assert.Equal(t, []int{1, begun}, []int{user.Pushes(), srv.Count("/startauthentication/do")})
	}
}

// TestOpenAuthenticationIsWithdrawn before another one begins: the app holds one.
func TestOpenAuthenticationIsWithdrawn(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUserWith(methodtest.Person.Login, mfatest.PingIDDevice{Type: "SMS"})
	method := methodtest.PingID(t, srv, nil)
	for range 2 {
		var sent *mfa.CodeSentError
		require.ErrorAs(t, methodtest.Login(t.Context(), method, mfa.Credential{Kind: mfa.KindSMS}), &sent)
	}
	assert.Equal(t, []int{2, 1}, []int{user.Sent(), user.Cancelled()})
}

// TestOnlineFlowIsTakenBack: where PingID wants authonline to send the push, the session is
// known, and ends with the login.
func TestOnlineFlowIsTakenBack(t *testing.T) {
	t.Parallel()
	srv, user, method := starter(t)
	user.ScriptBegin(mfatest.PingIDOutcome{ErrorID: 30007})
	push, err := ring(t, t.Context(), method, true, false)
	require.NoError(t, err)
	for srv.Count("/authonline/do") == 0 { // the push is on its way from its first byte on
		time.Sleep(time.Millisecond)
	}
	push.Cancel(t.Context())
	assert.Equal(t, []int{1, 1}, []int{srv.Count("/authonline/do"), user.Cancelled()})
}
