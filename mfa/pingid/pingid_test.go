package pingid_test

import (
	"errors"
	"fmt"
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

func TestPrepare(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	method := methodtest.PingID(t, srv, nil)
	var useless *mfa.CredentialError
	_, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{Kind: mfa.KindQuestion})
	assert.ErrorAs(t, err, &useless)
	_, err = method.Prepare(t.Context(), mfa.Subject{}, mfa.Credential{})
	assert.ErrorIs(t, err, mfa.ErrUnknownPerson)
	assert.Empty(t, srv.Requests())

	attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
	require.NoError(t, err)
	assert.False(t, attempt.Passed)
	assert.False(t, attempt.Sends)
	assert.Equal(t, []mfatest.Request{{Method: http.MethodPost, Path: "/pingid/rest/4/getuserdetails/do", Status: 200}}, srv.Requests())
	assert.Zero(t, user.Pushes())
}

// What a person reads of some errors.
const (
	notApproved   = "the request was rejected or not answered, or PingID could not carry it out: log in again"
	unknownReason = "PingID refuses, for a reason that this plugin does not know"
)

func TestPush(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outcome mfatest.PingIDOutcome
		want    error
		denied  string
	}{
		"success":           {outcome: mfatest.PingIDOutcome{ErrorID: 200, Message: "ok"}},
		"success as 400":    {outcome: mfatest.PingIDOutcome{Status: 400, ErrorID: 200}, want: mfa.ErrServiceMalformed},
		"failed":            {outcome: mfatest.PingIDOutcome{Status: 400, ErrorID: 10551, Message: "Failed\x1b transaction"}, denied: notApproved + " (PingID error 10551: Failed. transaction)"},
		"one-time password": {outcome: mfatest.PingIDOutcome{ErrorID: 30009, Message: "Please enter the OTP"}, want: mfa.ErrNeedsPassCode},
		"other flow":        {outcome: mfatest.PingIDOutcome{ErrorID: 30007}, denied: "PingID wants an answer on your phone (PingID error 30007)"},
		"waiting":           {outcome: mfatest.PingIDOutcome{ErrorID: 30010}, denied: "PingID wants an answer on your phone (PingID error 30010)"},
		"zero":              {outcome: mfatest.PingIDOutcome{}, denied: unknownReason + " (PingID error 0)"},
		"wordy":             {outcome: mfatest.PingIDOutcome{ErrorID: 1, Message: strings.Repeat("x", 300)}, denied: unknownReason + " (PingID error 1: " + strings.Repeat("x", 256) + "…)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewPingID(t)
			user := srv.AddUser(methodtest.Person.Login).Script(test.outcome)
			method := methodtest.PingID(t, srv, nil)
			attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
			require.NoError(t, err)
			var said methodtest.Talk
			err = said.Satisfy(t.Context(), attempt, time.Minute)
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

func TestNobody(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	for _, hidden := range []bool{false, true} {
		if hidden {
			srv.HideDevices()
		}
		err := methodtest.Login(t.Context(), methodtest.PingID(t, srv, nil), mfa.Credential{})
		assert.ErrorIs(t, err, mfa.ErrUnknownPerson)
		assert.Equal(t, hidden, mfa.NotSent(err)) // otherwise it is Prepare's error
	}
}

// TestForgery: an answer that is not the organization's lets nobody in.
func TestForgery(t *testing.T) {
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
		"not echoed":         {forge: func(a *mfatest.Token) { delete(a.Answer(), "clientData") }, good: true},
		"echoed as null":     {forge: func(a *mfatest.Token) { a.Answer()["clientData"] = nil }, good: true},
		"echoed as nothing":  {forge: func(a *mfatest.Token) { a.Answer()["clientData"] = "" }, good: true},
		"another request":    {forge: func(a *mfatest.Token) { a.Answer()["clientData"] = "another" }},
		"request and more":   {forge: func(a *mfatest.Token) { a.Answer()["clientData"] = fmt.Sprint(a.Answer()["clientData"], "x") }},
		"a number echoed":    {forge: func(a *mfatest.Token) { a.Answer()["clientData"] = 1 }},
		"false echoed":       {forge: func(a *mfatest.Token) { a.Answer()["clientData"] = false }},
		"a list echoed":      {forge: func(a *mfatest.Token) { a.Answer()["clientData"] = []any{a.Answer()["clientData"]} }},
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

// TestAnswerToAnotherRequest: the answer to one push neither approves another, nor says
// that no phone rang for it.
func TestAnswerToAnotherRequest(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	method := methodtest.PingID(t, srv, nil)
	user := srv.AddUser(methodtest.Person.Login).Script(mfatest.PingIDOutcome{ErrorID: 200})
	var first map[string]any
	srv.Forge(func(a *mfatest.Token) { first = a.Answer() })
	require.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{}))

	for _, id := range []any{200, 10564, 10551} {
		user.Script(mfatest.PingIDOutcome{ErrorID: 10551})
		srv.Forge(func(a *mfatest.Token) {
			first["errorId"] = id
			a.Payload["responseBody"] = first
		})
		err := methodtest.Login(t.Context(), method, mfa.Credential{})
		assert.ErrorIs(t, err, mfa.ErrServiceMalformed, id)
		assert.False(t, mfa.NotSent(err), id)
	}
}

// TestKeys: a mount with another organization's key or token, or with a
// wrong clock, hears it.
func TestKeys(t *testing.T) {
	t.Parallel()
	srv, other := mfatest.NewPingID(t), mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	settings, err := pingid.ParseSettings(other.SettingsAt(srv.URL + "/pingid/"))
	require.NoError(t, err)
	method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Settings = settings })
	err = methodtest.Login(t.Context(), method, mfa.Credential{})
	refused, ok := errors.AsType[*mfa.ServiceError](err)
	require.True(t, ok, err)
	assert.Equal(t, http.StatusUnauthorized, refused.Status)
	assert.True(t, mfa.NotSent(err))
	methodtest.AssertNoSecret(t, append(srv.Secrets(), other.Secrets()...), err, method)

	method = methodtest.PingID(t, srv, func(c *pingid.Config) {
		c.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	})
	err = methodtest.Login(t.Context(), method, mfa.Credential{})
	refused, ok = errors.AsType[*mfa.ServiceError](err)
	require.True(t, ok, err)
	assert.Contains(t, refused.Message, "PingID error 400: Invalid input: timestamp, which means that the input was refused (message webs_")
	assert.True(t, mfa.NotSent(err))
	assert.Zero(t, user.Pushes())
}
