package mfa_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestHeldAtOrg: a person goes from factor to factor in one login, as Okta's
// state machine lets them, and one transaction does for all.
func TestHeldAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{MaxFailures: 10, EnforceTokenRate: true})
	phone, tablet, totp := o.user.AddPush(), o.user.AddPush(), o.user.AddTOTP("GOOGLE")
	text, mail := o.user.AddFactor("sms", "OKTA"), o.user.AddFactor("email", "OKTA")
	flow := o.flow()
	flow.Policy.AllDevices = false
	l, s := o.hold(t, flow, want{})
	go1 := func(w want, phase mfa.Phase, f *oktatest.Factor) {
		t.Helper()
		o.clock.Advance(due)
		var err error
		s, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: w})
		require.NoError(t, err)
		assert.Equal(t, phase, s.Phase)
		assert.Equal(t, f.ID, s.Factor.ID)
	}
	bad := func(w want, expected error) {
		t.Helper()
		o.clock.Advance(due)
		_, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: w})
		assertError(t, expected, err)
		assert.True(t, mfa.Retryable(err))
		assert.False(t, l.Over())
	}
	assert.Equal(t, []any{mfa.PhaseWaiting, phone.ID, 4}, []any{s.Phase, s.Factor.ID, len(s.Others)})
	go1(want{}, mfa.PhaseWaiting, phone)
	bad(want{Device: "Phone 1"}, mfa.ErrRungBefore)
	bad(want{Kind: mfa.KindCall}, errNoFactor)
	assert.Equal(t, []int{1, 0, 1}, []int{phone.Pushes(), phone.Withdrawn(), phone.Waiting()})

	go1(want{Device: "phone 2"}, mfa.PhaseWaiting, tablet)
	assert.Equal(t, []int{1, 1, 0}, []int{phone.Pushes(), phone.Withdrawn(), phone.Waiting()})
	go1(want{Kind: mfa.KindSMS}, mfa.PhasePassCode, text)
	assert.Equal(t, []int{1, 1, 0}, []int{tablet.Pushes(), tablet.Withdrawn(), tablet.Waiting()})
	go1(want{Kind: mfa.KindSMS}, mfa.PhasePassCode, text)
	assert.Equal(t, 1, text.Sent())
	bad(want{Kind: mfa.KindSMS, Resend: true}, tooSoon(okta.CodeResendSMS))
	o.clock.Advance(30 * time.Second)
	go1(want{Kind: mfa.KindSMS, Resend: true}, mfa.PhasePassCode, text)
	assert.Equal(t, 2, text.Sent())
	bad(want{PassCode: "000000", Kind: mfa.KindSMS}, refused(okta.CodeInvalidPassCode))
	go1(want{Kind: mfa.KindEmail}, mfa.PhasePassCode, mail)
	assert.Equal(t, 1, mail.Sent())
	bad(want{PassCode: "000000", Kind: mfa.KindTOTP}, refused(okta.CodeInvalidPassCode))
	bad(want{Device: "phone 2"}, mfa.ErrRungBefore)
	bad(want{Device: "phone 1"}, mfa.ErrRungBefore)

	s, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: totp.Code()}})
	require.NoError(t, err)
	assert.Equal(t, mfa.PhaseDone, s.Phase)
	assert.Equal(t, o.in(), whom(l))
	assert.True(t, l.Challenged())
	assert.Zero(t, o.cancelled())
	assert.Len(t, o.StateTokens(), 1)
}

// TestHeldCodeAtOrg: sms to push, and back to an answer; the push is withdrawn.
func TestHeldCodeAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	phone, text := o.user.AddPush(), o.user.AddFactor("sms", "OKTA")
	l, s := o.hold(t, o.flow(), want{Kind: mfa.KindSMS})
	assert.Equal(t, mfa.PhasePassCode, s.Phase)
	s, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{Kind: mfa.KindPush}})
	require.NoError(t, err)
	assert.Equal(t, []any{mfa.PhaseWaiting, phone.ID}, []any{s.Phase, s.Factor.ID})
	// The code is Okta's still, and answers the factor in the same transaction.
	s, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: text.Code()}})
	require.NoError(t, err)
	assert.Equal(t, mfa.PhaseDone, s.Phase)
	assert.Equal(t, 1, phone.Withdrawn())
	assert.Zero(t, o.cancelled())
}

// TestHeldNumberAtOrg: the number is in the state as soon as Okta tells it.
func TestHeldNumberAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	o.user.AddPush()
	tablet := o.user.AddPush("WAITING", "WAITING", "SUCCESS").Number(0, 1)
	l, s := o.hold(t, o.flow(), want{})
	assert.Nil(t, s.Number)
	o.clock.Advance(due)
	s, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
	require.NoError(t, err)
	require.NotNil(t, s.Number)
	assert.Equal(t, []any{0, "Phone 2", tablet.ID}, []any{s.Number.Answer, s.Number.Device, s.Factor.ID})
	assert.Equal(t, []int{0}, o.tokens("/cancel"), "the other phone")
	for range 2 {
		o.clock.Advance(due)
		s, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
		require.NoError(t, err)
	}
	assert.Equal(t, mfa.PhaseDone, s.Phase)
}

// TestHeldCancelAtOrg: what Cancel leaves at Okta is nothing.
func TestHeldCancelAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	phone, tablet, text := o.user.AddPush(), o.user.AddPush(), o.user.AddFactor("sms", "OKTA")
	l, _ := o.hold(t, o.flow(), want{})
	l.Cancel(t.Context(), mfa.Flow{})
	assert.Equal(t, []int{1, 1, 2}, []int{phone.Withdrawn(), tablet.Withdrawn(), o.cancelled()})

	l, _ = o.hold(t, o.flow(), want{Kind: mfa.KindSMS})
	l.Cancel(t.Context(), mfa.Flow{})
	assert.Equal(t, 3, o.cancelled())
	o.Reset()
	_, err := o.login(t, want{PassCode: text.Code()})
	assert.NoError(t, err)
	assert.Equal(t, []int{3}, o.tokens("/verify"), "it is not pending")
}

// losing loses one answer, for the reason that its caller leaves.
type losing struct {
	mfa.Authn
	lose  string // the request
	leave context.CancelFunc
}

func (l *losing) lost(ctx context.Context, request string) error {
	if l.leave == nil || request != l.lose {
		return nil
	}
	l.leave()
	l.leave = nil
	return ctx.Err()
}

func (l *losing) Verify(ctx context.Context, t okta.Transaction, f okta.Factor, passCode string) (okta.Transaction, error) {
	tx, err := l.Authn.Verify(context.WithoutCancel(ctx), t, f, passCode)
	if lost := l.lost(ctx, "verify"); lost != nil {
		return okta.Transaction{}, lost
	}
	return tx, err
}

func (l *losing) Skip(ctx context.Context, t okta.Transaction) (okta.Transaction, error) {
	tx, err := l.Authn.Skip(context.WithoutCancel(ctx), t)
	if lost := l.lost(ctx, "skip"); lost != nil {
		return okta.Transaction{}, lost
	}
	return tx, err
}

// TestLostDecision: the answer that decides a push is lost, because the caller of
// a held login leaves just then. Okta would take the next question for the wish
// for a new push: the phone must not ring again.
func TestLostDecision(t *testing.T) {
	t.Parallel()
	for _, decision := range []string{"REJECTED", "TIMEOUT", "CANCELLED", "ERROR"} {
		t.Run(decision, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{})
			phone := o.user.AddPush("WAITING", decision)
			authn := &losing{Authn: o.client, lose: "verify"}
			flow := o.flow()
			flow.Okta = authn
			l, _ := o.hold(t, flow, want{})
			o.clock.Advance(due)
			_, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
			require.NoError(t, err)
			o.clock.Advance(due)
			ctx, cancel := context.WithCancel(t.Context())
			authn.leave = cancel
			_, _ = l.Continue(ctx, mfa.Flow{}, mfa.Input{Want: want{}})
			for range 3 {
				o.clock.Advance(due)
				_, _ = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
			}
			assert.Equal(t, 1, phone.Pushes())
			assert.Zero(t, whom(l))
			l.Close(t.Context())
			assert.Zero(t, phone.Waiting())
		})
	}
}

// TestLostWarning: a push was approved, and what goes wrong is to pass over the
// warning behind it. The next call does not ask about the push again, which is no
// challenge any more.
func TestLostWarning(t *testing.T) {
	t.Parallel()
	t.Run("the caller leaves", func(t *testing.T) {
		t.Parallel()
		authn := scripted(waiting(phone), state(okta.StatusPasswordWarn), success(mia))
		l, flow := authn.hold(t, required(phone), want{})
		flow.Clock.(*fakeClock).Advance(due)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		authn.each = func() {
			if n++; n == 2 {
				cancel()
			}
		}
		_, _ = l.Continue(ctx, mfa.Flow{}, mfa.Input{Want: want{}})
		assert.Equal(t, "verify opf1 t1, verify opf1 t1, skip t1", strings.TrimSuffix(authn.asked(), ", cancel t1"))
		flow.Clock.(*fakeClock).Advance(due)
		_, _ = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
		assert.False(t, strings.HasPrefix(authn.asked(), "verify"), "the push was approved")
	})
	t.Run("too many requests", func(t *testing.T) {
		t.Parallel()
		authn := scripted(waiting(phone), state(okta.StatusPasswordWarn), tooSoon("E0000047"), success(mia))
		l, flow := authn.hold(t, required(phone), want{})
		flow.Clock.(*fakeClock).Advance(due)
		_, _ = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
		assert.Equal(t, "verify opf1 t1, verify opf1 t1, skip t1", strings.TrimSuffix(authn.asked(), ", cancel t1"))
		flow.Clock.(*fakeClock).Advance(due)
		_, _ = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
		assert.False(t, strings.HasPrefix(authn.asked(), "verify"), "the push was approved")
	})
}
