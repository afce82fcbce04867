// Package methodtest runs methods in tests, as a login does, against the services of
// package mfatest.
package methodtest

import (
	"context"
	"errors"
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
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Person is who logs in.
var Person = mfa.Subject{
	ID: "00u1mia", Login: "Mia.Ito@acme.test", Name: "mia.ito", Org: "https://acme.okta.test", Address: "192.0.2.7",
}

// Clock tells the real time, but sleeps for 2 ms at most.
type Clock struct{}

// Now tells the real time.
func (Clock) Now() time.Time { return time.Now() }

// Sleep waits for the shorter of d and 2 ms.
func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(d, 2*time.Millisecond)):
		return nil
	}
}

// Moving is a clock that moves by what is slept.
type Moving struct{ *oktatest.Clock }

// NewMoving makes one that begins now.
func NewMoving() Moving { return Moving{oktatest.NewClock(time.Now())} }

// Sleep moves the clock.
func (c Moving) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}

// Within is ctx with a deadline that is always d ahead. What goes by it does not depend on
// the time that the machine has taken.
func Within(ctx context.Context, d time.Duration) context.Context { return within{ctx, d} }

type within struct {
	context.Context
	d time.Duration
}

func (w within) Deadline() (time.Time, bool) { return time.Now().Add(w.d), true }

// Talk takes attempts to their end, and counts the pushes that were on their way.
type Talk struct {
	// Rings, unless nil, is called for each of them.
	Rings func()
	// Clock is that of the exchanges; nil is the real one.
	Clock mfa.Clock
	// Numbers says that the number of a push can be shown, and Shown that one has been.
	Numbers, Shown bool
	// Told is what there was to know about the last push.
	Told mfa.Waiting

	mu    sync.Mutex
	waits int
}

// Satisfy takes an attempt to its end, as a login does whose patience that is.
func (k *Talk) Satisfy(ctx context.Context, attempt mfa.Attempt, patience time.Duration) error {
	clock := k.Clock
	if clock == nil {
		clock = Clock{}
	}
	x := mfa.Exchange{
		Clock: clock, Mount: new(mfa.Mount), Life: ctx, Until: clock.Now().Add(patience), Numbers: k.Numbers, Shown: k.Shown,
	}
	if attempt.Ring == nil {
		return attempt.Verify(ctx, x)
	}
	push, err := attempt.Ring(ctx, x)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.waits++
	k.Told = push.Waiting()
	k.mu.Unlock()
	if k.Rings != nil {
		k.Rings()
	}
	if decided := push.Decided(); decided != nil {
		<-decided
		passed, err := push.Poll(ctx)
		if passed == (err != nil) {
			panic("a decided push that neither passed nor failed")
		}
		return err
	}
	return poll(ctx, push, x)
}

// poll polls a push that tells nothing by itself, and takes it back where nobody has
// answered it.
func poll(ctx context.Context, push mfa.Push, x mfa.Exchange) error {
	for {
		passed, err := push.Poll(ctx)
		if err == nil && !passed {
			err = x.Clock.Sleep(ctx, 2*time.Second)
		}
		if !passed && (errors.Is(ctx.Err(), context.DeadlineExceeded) || err == nil && x.Clock.Now().After(x.Until)) {
			err = mfa.ErrPushTimeout // a login stops waiting before its own context ends
		}
		switch {
		case passed:
			return nil
		case err != nil:
			push.Cancel(context.WithoutCancel(ctx))
			return err
		}
	}
}

// Waited returns how many pushes were on their way.
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
	return new(Talk).Satisfy(ctx, attempt, time.Minute)
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

// Duo makes the method of a simulated Duo. change may be nil.
func Duo(t testing.TB, srv *mfatest.DuoServer, change func(*duo.Config)) *duo.Method {
	t.Helper()
	config := duo.Config{
		IntegrationKey: srv.IntegrationKey, SecretKey: okta.NewSecret(srv.SecretKey), APIHostname: srv.Host(),
		RootCAs: srv.CertPool(), UserAgent: "test/1.0",
	}
	if change != nil {
		change(&config)
	}
	m, err := duo.New(config)
	require.NoError(t, err)
	return m
}

// PingID makes the method of a simulated PingID, whose pushes go by authonline. change may
// be nil.
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
