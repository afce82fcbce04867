// Package methodtest runs methods in tests, as a login does, against the services of
// package mfatest.
package methodtest

import (
	"context"
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
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
)

// Person is who logs in.
var Person = mfa.Subject{
	ID: "00u1mia", Login: "Mia.Ito@acme.test", Name: "mia.ito", Org: "https://acme.okta.test", Address: "192.0.2.7",
}

// Clock is the system's, but for sleeps, which are short.
type Clock struct{}

func (Clock) Now() time.Time { return time.Now() }

func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(d, 2*time.Millisecond)):
		return nil
	}
}

// Talk is what an attempt says to the person.
type Talk struct {
	mu    sync.Mutex
	waits int
	Rings func() // called within Waiting
}

// Exchange ends after patience.
func (k *Talk) Exchange(patience time.Duration) mfa.Exchange {
	return mfa.Exchange{
		Clock: Clock{}, Until: time.Now().Add(patience),
		Waiting: func(string, time.Time) {
			k.mu.Lock()
			k.waits++
			k.mu.Unlock()
			if k.Rings != nil {
				k.Rings()
			}
		},
	}
}

func (k *Talk) Waited() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.waits
}

// Login has the person satisfy a method.
func Login(ctx context.Context, m mfa.Method, c mfa.Credential) error {
	attempt, err := m.Prepare(ctx, Person, c)
	if err != nil || attempt.Passed {
		return err
	}
	return attempt.Verify(ctx, new(Talk).Exchange(time.Minute))
}

// AssertNoSecret wants no secret in what is printed of any of the values.
func AssertNoSecret(t *testing.T, secrets []string, values ...any) {
	t.Helper()
	for _, v := range values {
		text := fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v)
		for _, secret := range secrets {
			assert.False(t, strings.Contains(text, secret), "a secret in %T: %s", v, text)
		}
	}
}

// Fault is one on the way to a service, and what it means.
type Fault struct {
	Fault   mfatest.Fault
	Want    error // for errors.Is; nil: a *mfa.ServiceError with Status
	Status  int
	NotSent bool // where the fault strikes the request that makes a phone ring
}

// Faults are those of the way to a service, and what they mean.
var Faults = map[string]Fault{
	"redirect":           {Fault: mfatest.Fault{Status: 307, Header: map[string]string{"Location": "/elsewhere"}}, Want: mfa.ErrServiceMalformed},
	"garbage":            {Fault: mfatest.Fault{Body: "<html>hello</html>"}, Want: mfa.ErrServiceMalformed},
	"another document":   {Fault: mfatest.Fault{Body: `{"stat":"OK","response":[1,2]}`}, Want: mfa.ErrServiceMalformed},
	"no document":        {Fault: mfatest.Fault{Body: `{}`}, Want: mfa.ErrServiceMalformed},
	"nothing":            {Want: mfa.ErrServiceMalformed},
	"5 MiB":              {Fault: mfatest.Fault{Body: strings.Repeat("x", 5<<20)}, Want: mfa.ErrServiceMalformed},
	"connection dropped": {Fault: mfatest.Fault{Drop: true}, Want: mfa.ErrServiceUnreachable},
	"cut off":            {Fault: mfatest.Fault{Header: map[string]string{"Content-Length": "99"}, Body: "x"}, Want: mfa.ErrServiceUnreachable},
	"other protocol":     {Fault: mfatest.Fault{Status: 101}, Want: mfa.ErrServiceMalformed},
	"not found":          {Fault: mfatest.Fault{Status: 404, Body: "nowhere"}, Status: 404, NotSent: true},
	"rate limit":         {Fault: mfatest.Fault{Status: 429, Body: `{"stat":"FAIL","code":42901,"message":"Too many"}`}, Status: 429, NotSent: true},
	"proxy gave up":      {Fault: mfatest.Fault{Status: 408}, Status: 408},
	"unavailable":        {Fault: mfatest.Fault{Status: 503, Body: "later"}, Status: 503},
	"hanging":            {Fault: mfatest.Fault{Hang: true}, Want: mfa.ErrServiceTimeout},
}

// AssertServiceError wants got to be what a fault means.
func AssertServiceError(t *testing.T, want error, status int, got error) {
	t.Helper()
	if status == 0 {
		assert.ErrorIs(t, got, want)
		return
	}
	var failed *mfa.ServiceError
	if assert.ErrorAs(t, got, &failed) {
		assert.Equal(t, status, failed.Status)
	}
}

// Duo makes the method of a simulated Duo. change may be nil.
func Duo(t testing.TB, srv *mfatest.DuoServer, change func(*duo.Config)) *duo.Method {
	t.Helper()
	config := duo.Config{
		IntegrationKey: srv.IntegrationKey, SecretKey: srv.SecretKey, APIHostname: srv.Host(),
		RootCAs: srv.CertPool(), UserAgent: "test/1.0",
	}
	if change != nil {
		change(&config)
	}
	m, err := duo.New(config)
	require.NoError(t, err)
	return m
}

// PingID makes the method of a simulated PingID. change may be nil.
func PingID(t testing.TB, srv *mfatest.PingIDServer, change func(*pingid.Config)) *pingid.Method {
	t.Helper()
	settings, err := pingid.ParseSettings(srv.Settings())
	require.NoError(t, err)
	config := pingid.Config{Settings: settings, RootCAs: srv.CertPool(), UserAgent: "test/1.0"}
	if change != nil {
		change(&config)
	}
	m, err := pingid.New(config)
	require.NoError(t, err)
	return m
}
