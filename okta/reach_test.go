package okta_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Reach tells each step up to the one that failed, and nothing of those after it.
func TestReachTellsHowFarItCame(t *testing.T) {
	t.Parallel()
	srv := oktatest.NewServer(t)
	address := srv.URL[len("https://"):]
	r := newClient(t, srv).Reach(t.Context())
	require.NoError(t, r.Err)
	assert.Equal(t, okta.Organization{ID: srv.OrgID(), Pipeline: "v1", URL: srv.URL}, r.Org)
	assert.Equal(t, address, r.Address)
	assert.Equal(t, "TLS 1.3", r.TLS)
	assert.Equal(t, "oktatest", r.Certificate.Subject.CommonName)
	assert.Positive(t, r.Latency)
	require.Len(t, srv.Requests(), 1)
	assert.Empty(t, srv.Requests()[0].Header.Get("Authorization"))

	srv.Fail("organization", oktatest.HTML(http.StatusNotFound))
	r = newClient(t, srv).Reach(t.Context())
	require.Error(t, r.Err)
	assert.Zero(t, r.Org)
	assert.Equal(t, "TLS 1.3", r.TLS)

	stranger, err := okta.New(okta.Config{OrgURL: srv.URL})
	require.NoError(t, err)
	r = stranger.Reach(t.Context())
	require.ErrorIs(t, r.Err, okta.ErrUnreachable)
	assert.Equal(t, address, r.Address)
	assert.Empty(t, r.TLS)
	assert.Equal(t, "oktatest", r.Certificate.Subject.CommonName, "a certificate that is not trusted is shown, too")
	assert.Zero(t, r.Latency)

	srv.Close()
	r = newClient(t, srv).Reach(t.Context())
	require.ErrorIs(t, r.Err, okta.ErrUnreachable)
	assert.Equal(t, okta.Reach{Err: r.Err}, r)
}

// Saw is told of the head of each answer, also of an error.
func TestSawTellsOfEachAnswer(t *testing.T) {
	t.Parallel()
	clock := oktatest.NewClock(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
	srv := oktatest.NewServer(t, oktatest.Options{Now: clock.Now})
	srv.Fail("groups", oktatest.RateLimited(0, 30*time.Second))
	var heads []okta.Answer
	c, err := okta.New(okta.Config{
		OrgURL: srv.URL, APIToken: okta.NewSecret(srv.Token), RootCAs: srv.CertPool(),
		Now: func() time.Time { return clock.Now().Add(time.Hour) }, Saw: func(a okta.Answer) { heads = append(heads, a) },
	})
	require.NoError(t, err)
	_, _, err = c.AnyAccount(t.Context())
	require.NoError(t, err)
	require.Error(t, c.TryGroups(t.Context(), "00u1"))
	now := clock.Now()
	assert.Equal(t, []okta.Answer{
		{Endpoint: okta.EndpointUsers, Status: 200, Date: now, Received: now.Add(time.Hour), Limit: okta.RateLimit{Limit: 600, Remaining: 599, Reset: now.Add(time.Hour + time.Minute)}},
		{Endpoint: okta.EndpointGroups, Status: 429, Date: now, Received: now.Add(time.Hour), Limit: okta.RateLimit{Limit: 600, Remaining: 0, Reset: now.Add(time.Hour + 30*time.Second)}},
	}, heads)
}

// TryVerify reaches no factor of the user's, and only an org that would let the client
// verify one answers that it finds none.
func TestTryVerifyReachesNobody(t *testing.T) {
	t.Parallel()
	srv := oktatest.NewServer(t)
	mia := srv.AddUser(login, password)
	push, sms := mia.AddPush(), mia.AddFactor("sms", "OKTA")
	c := newClient(t, srv)
	require.NoError(t, c.TryVerify(t.Context(), mia.ID))
	assert.Zero(t, push.Pushes()+sms.Sent()+mia.WrongPassCodes())
	srv.Fail("verifyfactor", oktatest.Status(http.StatusForbidden, okta.CodeAccessDenied, "no"))
	var said *okta.Error
	require.ErrorAs(t, c.TryVerify(t.Context(), mia.ID), &said)
	assert.Equal(t, okta.CodeAccessDenied, said.Code)
}
