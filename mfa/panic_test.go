package mfa_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// fragile is a method that panics where it is told to.
type fragile struct {
	*fakeMethod
	at string
}

func (f fragile) Prepare(ctx context.Context, who mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	f.breaks("prepare")
	a, err := f.fakeMethod.Prepare(ctx, who, c)
	if ring := a.Ring; ring != nil {
		a.Ring = func(ctx context.Context, x mfa.Exchange) (mfa.Push, error) {
			f.breaks("ring")
			p, err := ring(ctx, x)
			return fragilePush{p, f}, err
		}
	}
	return a, err
}

func (f fragile) breaks(at string) {
	if f.at == at {
		panic("secret-of-a-request")
	}
}

type fragilePush struct {
	mfa.Push
	method fragile
}

func (p fragilePush) Poll(ctx context.Context) (bool, error) {
	p.method.breaks("poll")
	return p.Push.Poll(ctx)
}

// TestPanicEndsOneLogin: a panic denies the login that met it, lets go of the guard,
// tells nothing of the request, and the next login of the same person goes through.
func TestPanicEndsOneLogin(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{})
	assertPanic := func(t *testing.T, err error) {
		t.Helper()
		var p *panics.Error
		require.ErrorAs(t, err, &p)
		assert.NotContains(t, err.Error()+p.Stack, "secret-of-a-request")
		assert.NotEmpty(t, p.Stack)
		b.phone.rings = " " + mia.ID
		_, err = run(t.Context(), b.seamFlow(scripted(waiting(phone), success(mia)), theirs, need(b.phone)...), required(phone), want{})
		assert.NoError(t, err)
	}
	for _, at := range []string{"prepare", "ring", "poll"} {
		t.Run(at, func(t *testing.T) {
			method := mfa.Required{ID: "1", Name: "phone", Method: fragile{b.phone, at}}
			s, err := run(t.Context(), b.seamFlow(scripted(), ours, method), success(mia), want{})
			assertPanic(t, err)
			assert.True(t, s.Challenged(), "a client must not repeat the login by itself: a phone may ring")
		})
	}
	t.Run("requirements", func(t *testing.T) {
		flow := b.seamFlow(scripted(), ours)
		flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) { panic("secret-of-a-request") }
		s, err := run(t.Context(), flow, success(mia), want{})
		assertPanic(t, err)
		assert.True(t, s.Over())
	})
	t.Run("groups, in a goroutine of their own", func(t *testing.T) {
		flow := b.seamFlow(scripted(success(mia)), ours)
		flow.Groups = func(context.Context, string) ([]okta.Group, error) { panic("secret-of-a-request") }
		_, err := run(t.Context(), flow, required(verify), want{PassCode: code})
		assertPanic(t, err)
	})
	t.Run("Okta, while a push waits", func(t *testing.T) {
		authn := scripted(waiting(phone), success(mia))
		asked := 0
		authn.each = func() {
			if asked++; asked == 2 {
				panic("secret-of-a-request")
			}
		}
		s, err := run(t.Context(), b.seamFlow(authn, ours), required(phone), want{})
		assertPanic(t, err)
		assert.Zero(t, whom(s))
	})
	t.Run("held", func(t *testing.T) {
		flow := b.seamFlow(scripted(), ours, mfa.Required{ID: "1", Name: "phone", Method: fragile{b.phone, "poll"}})
		b.phone.rang, b.phone.decided = make(chan *fakePush, 8), make(chan error, 8)
		flow.Hold, flow.Show = true, nil
		s, err := flow.Begin(t.Context(), success(mia), mfa.Input{})
		require.NoError(t, err)
		b.clock.Advance(3 * time.Second)
		_, err = s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
		b.phone.rang, b.phone.decided = nil, nil
		assertPanic(t, err)
		assert.True(t, s.Over())
	})
}
