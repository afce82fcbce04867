package mfa_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// meeting lets everybody go on who has come, once n have.
type meeting struct {
	mu   sync.Mutex
	n    int
	full chan struct{}
}

func newMeeting(n int) *meeting { return &meeting{n: n, full: make(chan struct{})} }

func (m *meeting) come() error {
	m.mu.Lock()
	if m.n--; m.n == 0 {
		close(m.full)
	}
	m.mu.Unlock()
	select {
	case <-m.full:
		return nil
	case <-time.After(patience):
		return errors.New("nobody else has come")
	}
}

// preparing is a method of which only the preparation matters.
type preparing func(ctx context.Context) (mfa.Attempt, error)

func (p preparing) Prepare(ctx context.Context, _ mfa.Subject, _ mfa.Credential) (mfa.Attempt, error) {
	return p(ctx)
}

// satisfyAll logs somebody in at a mount that requires the methods, named a, b and so on.
func satisfyAll(t *testing.T, methods ...preparing) error {
	t.Helper()
	var required []mfa.Required
	for i, m := range methods {
		name := string(rune('a' + i))
		required = append(required, mfa.Required{ID: name, Name: name, Method: m})
	}
	flow := scripted().flow()
	flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) { return required, nil }
	_, err := run(t.Context(), flow, success(mia), want{})
	return err
}

func TestMethodsArePreparedTogether(t *testing.T) {
	t.Parallel()
	all := newMeeting(3)
	waits := func(context.Context) (mfa.Attempt, error) { return mfa.Attempt{Passed: true}, all.come() }
	assert.NoError(t, satisfyAll(t, waits, waits, waits))
}

// The first method that fails decides, whichever fails earlier, and those after it are not
// waited for. A passcode that is missing is told before a later failure.
func TestTheFirstMethodThatFailsDecides(t *testing.T) {
	t.Parallel()
	fails := func(err error) preparing {
		return func(context.Context) (mfa.Attempt, error) { return mfa.Attempt{}, err }
	}
	hangs := func(ctx context.Context) (mfa.Attempt, error) {
		<-ctx.Done()
		return mfa.Attempt{}, ctx.Err()
	}
	passes := func(ctx context.Context) (mfa.Attempt, error) { return mfa.Attempt{Passed: true}, ctx.Err() }
	assertAt(t, "a", mfa.ErrNoFactor, satisfyAll(t, fails(mfa.ErrNoFactor), hangs, hangs))
	assertAt(t, "b", mfa.ErrNoFactor, satisfyAll(t, passes, fails(mfa.ErrNoFactor), hangs))

	failed := make(chan struct{})
	late := func(ctx context.Context) (mfa.Attempt, error) {
		<-failed
		return mfa.Attempt{}, errors.Join(ctx.Err(), mfa.ErrNoKey)
	}
	early := func(context.Context) (mfa.Attempt, error) {
		defer close(failed)
		return mfa.Attempt{}, mfa.ErrNoFactor
	}
	assertAt(t, "a", mfa.ErrNoKey, satisfyAll(t, late, early))
	assertMissing(t, "a", satisfyAll(t, fails(mfa.ErrNeedsPassCode), fails(mfa.ErrNoFactor), hangs))
	assertMissing(t, "a, c", satisfyAll(t, fails(mfa.ErrNeedsPassCode), passes, fails(mfa.ErrNeedsPassCode)))
}

// meetingAPI answers about the account and the factors once both have been asked for.
type meetingAPI struct {
	*factorsScript
	*meeting
}

func (a meetingAPI) Account(ctx context.Context, name string) (okta.Account, error) {
	if err := a.come(); err != nil {
		return okta.Account{}, err
	}
	return a.factorsScript.Account(ctx, name)
}

func (a meetingAPI) Factors(ctx context.Context, userID string) ([]okta.Factor, error) {
	if err := a.come(); err != nil {
		return nil, err
	}
	return a.factorsScript.Factors(ctx, userID)
}

// In the org of the login the user id is known: the account and its factors are read at
// the same time. Whose account is not active learns that, whatever became of the factors.
func TestOktaMethodReadsAccountAndFactorsTogether(t *testing.T) {
	t.Parallel()
	for _, byEmail := range []bool{false, true} {
		script := &factorsScript{factors: []okta.Factor{with(okta.FactorActive, verify)}}
		method := script.method()
		method.PrimaryEmail, script.found = byEmail, []okta.Account{script.account}
		method.For = func(okta.Caller) mfa.FactorsAPI { return meetingAPI{script, newMeeting(2)} }
		who := mfa.Subject{ID: mia.ID, Login: mia.Login, Org: method.Org, Name: mia.Login}
		_, err := method.Prepare(t.Context(), who, mfa.Credential{PassCode: code})
		require.NoError(t, err)
		assert.Contains(t, script.asked(), "factors 00u1mia")

		script.account.Status = "SUSPENDED"
		_, err = method.Prepare(t.Context(), who, mfa.Credential{PassCode: code})
		assert.ErrorIs(t, err, mfa.ErrInactivePerson)
	}
}
