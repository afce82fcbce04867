package pingid_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
)

func TestPingIDPrepare(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	method := methodtest.PingID(t, srv, nil)
	var useless *mfa.CredentialError
	for _, given := range []mfa.Credential{{PassCode: "123456"}, {Device: "Phone 1"}} {
		_, err := method.Prepare(t.Context(), methodtest.Person, given)
		assert.ErrorAs(t, err, &useless)
	}
	_, err := method.Prepare(t.Context(), mfa.Subject{}, mfa.Credential{})
	assert.ErrorIs(t, err, mfa.ErrUnknownPerson)
	assert.Empty(t, srv.Requests())

	attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
	require.NoError(t, err)
	assert.False(t, attempt.Passed)
	assert.False(t, attempt.Sends)
	assert.Equal(t, "pingid "+srv.OrgAlias+" mia.ito@acme.test", attempt.Rings)
	assert.Equal(t, []mfatest.Request{{Method: http.MethodHead, Path: "/pingid", Status: 404}}, srv.Requests())
	assert.Zero(t, user.Pushes())
}

func TestPingIDPush(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outcome mfatest.PingIDOutcome
		want    error
		denied  string
	}{
		"success":           {outcome: mfatest.PingIDOutcome{ErrorID: 200, Message: "ok"}},
		"success as 400":    {outcome: mfatest.PingIDOutcome{Status: 400, ErrorID: 200}, want: mfa.ErrServiceMalformed},
		"failed":            {outcome: mfatest.PingIDOutcome{Status: 400, ErrorID: 10551, Message: "Failed\x1b transaction"}, denied: "PingID error 10551: Failed. transaction"},
		"one-time password": {outcome: mfatest.PingIDOutcome{ErrorID: 30009, Message: "Please enter the OTP"}, denied: "PingID error 30009: Please enter the OTP"},
		"other flow":        {outcome: mfatest.PingIDOutcome{ErrorID: 30007}, denied: "PingID error 30007"},
		"waiting":           {outcome: mfatest.PingIDOutcome{ErrorID: 30010}, denied: "PingID error 30010"},
		"zero":              {outcome: mfatest.PingIDOutcome{}, denied: "PingID error 0"},
		"wordy":             {outcome: mfatest.PingIDOutcome{ErrorID: 1, Message: strings.Repeat("x", 300)}, denied: "PingID error 1: " + strings.Repeat("x", 256) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewPingID(t)
			user := srv.AddUser(methodtest.Person.Login).Script(test.outcome)
			method := methodtest.PingID(t, srv, nil)
			attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
			require.NoError(t, err)
			var said methodtest.Talk
			err = attempt.Verify(t.Context(), said.Exchange(time.Minute))
			if test.denied != "" {
				assert.Equal(t, &mfa.DeniedError{Reason: test.denied}, err)
			} else {
				assert.ErrorIs(t, err, test.want)
			}
			assert.False(t, mfa.NotSent(err))
			assert.Equal(t, 1, said.Waited())
			assert.Equal(t, 1, user.Pushes())
			assert.Equal(t, 1, srv.Count("/authonline/do"))
			methodtest.AssertNoSecret(t, srv.Secrets(), err, method)
		})
	}
}

func TestPingIDNobody(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	err := methodtest.Login(t.Context(), methodtest.PingID(t, srv, nil), mfa.Credential{})
	assert.ErrorIs(t, err, mfa.ErrUnknownPerson)
	assert.True(t, mfa.NotSent(err))
}

// TestPingIDPushIsAnswered: by somebody, while it is waited for.
func TestPingIDPushIsAnswered(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	method := methodtest.PingID(t, srv, nil)
	for i, do := range []func(){user.Approve, user.Reject} {
		attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
		require.NoError(t, err)
		said := methodtest.Talk{Rings: func() {
			go func() {
				for user.Pushes() == i {
					time.Sleep(time.Millisecond)
				}
				do()
			}()
		}}
		err = attempt.Verify(t.Context(), said.Exchange(time.Minute))
		if i == 0 {
			assert.NoError(t, err)
		} else {
			assert.Equal(t, &mfa.DeniedError{Reason: "PingID error 10551: Failed transaction. Please retry."}, err)
		}
	}
	assert.Equal(t, 2, user.Pushes())
}

// TestPingIDPushEnds: with the time, and with the client.
func TestPingIDPushEnds(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	attempt, err := methodtest.PingID(t, srv, nil).Prepare(t.Context(), methodtest.Person, mfa.Credential{})
	require.NoError(t, err)

	err = attempt.Verify(t.Context(), new(methodtest.Talk).Exchange(200*time.Millisecond))
	assert.ErrorIs(t, err, mfa.ErrPushTimeout)
	assert.False(t, mfa.NotSent(err))

	ctx, cancel := context.WithCancel(t.Context())
	said := methodtest.Talk{Rings: func() { time.AfterFunc(50*time.Millisecond, cancel) }}
	begin := time.Now()
	err = attempt.Verify(ctx, said.Exchange(time.Minute))
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, mfa.NotSent(err))
	assert.Less(t, time.Since(begin), 5*time.Second)
	assert.Equal(t, 2, user.Pushes())

	err = attempt.Verify(t.Context(), new(methodtest.Talk).Exchange(-time.Second))
	assert.ErrorIs(t, err, mfa.ErrPushTimeout)
	assert.True(t, mfa.NotSent(err))
	assert.Equal(t, 2, user.Pushes())
}

// TestPingIDFaults: whatever happens, a push is sent once.
func TestPingIDFaults(t *testing.T) {
	t.Parallel()
	for name, test := range methodtest.Faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewPingID(t)
			outcome := mfatest.PingIDOutcome{ErrorID: 200}
			user := srv.AddUser(methodtest.Person.Login).Script(outcome)
			fault := test.Fault
			fault.On, fault.Late = "/authonline/do", !test.NotSent
			srv.Fail(fault)
			method := methodtest.PingID(t, srv, nil)
			attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
			require.NoError(t, err)
			want, patience := test.Want, time.Minute
			if fault.Hang {
				want, patience = mfa.ErrPushTimeout, 300*time.Millisecond
			}
			err = attempt.Verify(t.Context(), new(methodtest.Talk).Exchange(patience))
			methodtest.AssertServiceError(t, want, test.Status, err)
			assert.Equal(t, test.NotSent, mfa.NotSent(err))
			assert.Equal(t, 1, srv.Count("/authonline/do"))
			if test.NotSent {
				assert.Zero(t, user.Pushes())
			} else {
				assert.Equal(t, 1, user.Pushes())
			}
			methodtest.AssertNoSecret(t, srv.Secrets(), err)
		})
	}
}

// TestPingIDForgery: an answer that is not the organization's lets nobody in.
func TestPingIDForgery(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		forge func(*mfatest.Token)
		good  bool
	}{
		"honest":             {forge: func(*mfatest.Token) {}, good: true},
		"other spelling":     {forge: func(a *mfatest.Token) { a.Header["orgAlias"] = a.Header["org_alias"]; delete(a.Header, "org_alias") }, good: true},
		"both spellings":     {forge: func(a *mfatest.Token) { a.Header["orgAlias"] = a.Header["org_alias"] }, good: true},
		"none":               {forge: func(a *mfatest.Token) { a.Header["alg"] = "none" }},
		"none, unsigned":     {forge: func(a *mfatest.Token) { a.Header["alg"] = "none"; a.Unsigned = true }},
		"unsigned":           {forge: func(a *mfatest.Token) { a.Unsigned = true }},
		"another algorithm":  {forge: func(a *mfatest.Token) { a.Header["alg"] = "HS512" }},
		"no algorithm":       {forge: func(a *mfatest.Token) { delete(a.Header, "alg") }},
		"another key":        {forge: func(a *mfatest.Token) { a.Key = make([]byte, 32) }},
		"empty key":          {forge: func(a *mfatest.Token) { a.Key = nil }},
		"another token":      {forge: func(a *mfatest.Token) { a.Header["token"] = "another" }},
		"no token":           {forge: func(a *mfatest.Token) { delete(a.Header, "token") }},
		"a number for token": {forge: func(a *mfatest.Token) { a.Header["token"] = 1 }},
		"another org":        {forge: func(a *mfatest.Token) { a.Header["org_alias"] = "another" }},
		"another org, too":   {forge: func(a *mfatest.Token) { a.Header["orgAlias"] = "another" }},
		"no org":             {forge: func(a *mfatest.Token) { delete(a.Header, "org_alias") }},
		"no body":            {forge: func(a *mfatest.Token) { delete(a.Payload, "responseBody") }},
		"no error id":        {forge: func(a *mfatest.Token) { delete(a.Answer(), "errorId") }},
		"no number":          {forge: func(a *mfatest.Token) { a.Answer()["errorId"] = "200" }},
		"a body of another":  {forge: func(a *mfatest.Token) { a.Payload["responseBody"] = []int{200} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewPingID(t)
			user := srv.AddUser(methodtest.Person.Login).Script(mfatest.PingIDOutcome{ErrorID: 200})
			srv.Forge(test.forge)
			err := methodtest.Login(t.Context(), methodtest.PingID(t, srv, nil), mfa.Credential{})
			if test.good {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, mfa.ErrServiceMalformed)
			}
			assert.False(t, mfa.NotSent(err))
			assert.Equal(t, 1, user.Pushes())
			methodtest.AssertNoSecret(t, srv.Secrets(), err)
		})
	}
}

// TestPingIDKeys: a mount with another organization's key or token, or with a
// wrong clock, hears it.
func TestPingIDKeys(t *testing.T) {
	t.Parallel()
	srv, other := mfatest.NewPingID(t), mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	settings, err := pingid.ParseSettings(other.SettingsAt(srv.URL + "/pingid/"))
	require.NoError(t, err)
	method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Settings = settings })
	err = methodtest.Login(t.Context(), method, mfa.Credential{})
	methodtest.AssertServiceError(t, nil, http.StatusUnauthorized, err)
	assert.True(t, mfa.NotSent(err))
	methodtest.AssertNoSecret(t, append(srv.Secrets(), other.Secrets()...), err, method)

	method = methodtest.PingID(t, srv, func(c *pingid.Config) {
		c.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	})
	err = methodtest.Login(t.Context(), method, mfa.Credential{})
	assert.Equal(t, &mfa.DeniedError{Reason: "PingID error 400: Invalid input: timestamp"}, err)
	assert.Zero(t, user.Pushes())
}

// TestPingIDGone: a service that has gone after the preparation sends nothing.
func TestPingIDGone(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	srv.Fail(mfatest.Fault{Status: http.StatusNotFound, Header: map[string]string{"Connection": "close"}})
	attempt, err := methodtest.PingID(t, srv, nil).Prepare(t.Context(), methodtest.Person, mfa.Credential{})
	require.NoError(t, err)
	srv.Close()
	var said methodtest.Talk
	err = attempt.Verify(t.Context(), said.Exchange(time.Minute))
	assert.ErrorIs(t, err, mfa.ErrServiceUnreachable)
	assert.True(t, mfa.NotSent(err))
	assert.Zero(t, said.Waited())
}
