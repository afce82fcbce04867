package mfa_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestPendingCode: what a login asks of Okta when the code of one before is
// pending in transaction t1. Its own is t2.
func TestPendingCode(t *testing.T) {
	t.Parallel()
	passCode := want{PassCode: code}
	offered := required(sms, verify, email)
	resend := want{Kind: mfa.KindSMS, Resend: true}
	for _, tc := range []struct {
		name    string
		want    want
		answers []answer
		err     error // nil: mia is let in
		asked   string
		pending bool // t1 is, after that
	}{
		{"right", passCode, said(success(mia)), nil, "verify sms1 t1 123456, cancel t2", false},
		{"right, then a warning", passCode, said(state(okta.StatusPasswordWarn), success(mia)), nil, "verify sms1 t1 123456, skip t1, cancel t2", false},
		{"wrong", want{PassCode: code, Kind: mfa.KindSMS}, said(refused(okta.CodeInvalidPassCode)), refused(okta.CodeInvalidPassCode),
			"verify sms1 t1 123456, cancel t2", true},
		{"wrong, but another's", passCode, said(refused(okta.CodeInvalidPassCode), success(mia)), nil, "verify sms1 t1 123456, verify ost1 t2 123456", true},
		{"wrong, and nobody's", passCode, said(refused(okta.CodeInvalidPassCode), refused(okta.CodeInvalidPassCode)), refused(okta.CodeInvalidPassCode),
			"verify sms1 t1 123456, verify ost1 t2 123456, cancel t2", true},
		{"gone, but good in the new transaction", passCode, said(refused(okta.CodeInvalidToken), success(mia)), nil,
			"verify sms1 t1 123456, verify sms1 t2 123456, cancel t1", false},
		{"gone, and another's", passCode, said(refused(okta.CodeWrongState), refused(okta.CodeInvalidPassCode), success(mia)), nil,
			"verify sms1 t1 123456, verify sms1 t2 123456, verify ost1 t2 123456, cancel t1", false},
		{"locked out", passCode, said(refused(okta.CodeUserLocked)), refused(okta.CodeUserLocked), "verify sms1 t1 123456, cancel t1, cancel t2", false},
		{"replayed", passCode, said(refused(okta.CodePassCodeReplayed)), refused(okta.CodePassCodeReplayed), "verify sms1 t1 123456, cancel t2", true},
		{"rejected by Okta", passCode, said(challenge(sms, okta.ResultError)), mfa.ErrFactorFailed, "verify sms1 t1 123456, cancel t1, cancel t2", false},
		{"still asked for", passCode, said(sent(sms)), errStrange, "verify sms1 t1 123456, cancel t1, cancel t2", false},
		{"success for somebody else", passCode, said(success(eve)), okta.ErrMalformed, "verify sms1 t1 123456, cancel t2", false},
		{"too many requests", passCode, said(tooSoon("E0000047")), tooSoon("E0000047"), "verify sms1 t1 123456, cancel t2", true},
		{"a failure of Okta's", passCode, said(broken()), broken(), "verify sms1 t1 123456, cancel t2", true},
		{"a lost answer", passCode, said(okta.ErrTimeout), okta.ErrTimeout, "verify sms1 t1 123456, cancel t2", true},
		{"the next is wanted", passCode, said(refused(okta.CodeNextPassCode)), refused(okta.CodeNextPassCode), "verify sms1 t1 123456, cancel t2", true},
		{"a passcode that it cannot be", want{PassCode: code, Kind: mfa.KindTOTP}, said(success(mia)), nil, "verify ost1 t2 123456", true},

		{"sent before", want{Kind: mfa.KindSMS}, nil, errSent, "cancel t2", true},
		{"sent again", resend, said(sent(sms)), errSent, "verify sms1 t1, cancel t2", true},
		{"sent again too soon", resend, said(tooSoon(okta.CodeResendSMS)), tooSoon(okta.CodeResendSMS), "verify sms1 t1, cancel t2", true},
		{"sent again, and lost", resend, said(okta.ErrTimeout), okta.ErrTimeout, "verify sms1 t1, cancel t2", true},
		{"sent again where it is gone", resend, said(refused(okta.CodeInvalidToken), on("t2", sent(sms))), errSent, "verify sms1 t1, verify sms1 t2, cancel t1", false},
		{"sent again, and refused", resend, said(refused("E0000006")), refused("E0000006"), "verify sms1 t1, cancel t1, cancel t2", false},
		{"sent again, and in another state", resend, said(challenge(sms, okta.ResultTimeout)), mfa.ErrPushTimeout, "verify sms1 t1, cancel t1, cancel t2", false},
		{"another's code", want{Kind: mfa.KindEmail}, said(on("t2", sent(email))), errSent, "verify emf1 t2, cancel t1", false},
		{"another's code, too soon", want{Kind: mfa.KindEmail}, said(tooSoon(okta.CodeResendEmail)), tooSoon(okta.CodeResendEmail), "verify emf1 t2, cancel t2", true},
		{"which?", want{Kind: mfa.KindTOTP}, nil, errNoFactor, "cancel t2", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := scripted(sent(sms))
			flow := authn.flow()
			_, err := run(t.Context(), flow, required(sms), want{})
			assertError(t, errSent, err)
			require.Equal(t, "verify sms1 t1", authn.asked())

			authn.answers = tc.answers
			l, err := run(t.Context(), flow, on("t2", offered), tc.want)
			assertError(t, tc.err, err)
			assert.Equal(t, tc.err == nil, whom(l) == mia)
			assert.Equal(t, tc.asked, authn.asked())
			assert.True(t, l.Over())

			authn.answers = said(success(mia))
			_, err = run(t.Context(), flow, on("t3", required(sms)), passCode)
			assert.NoError(t, err)
			assert.Equal(t, tc.pending, authn.asked() == "verify sms1 t1 123456, cancel t3")
		})
	}
}

// TestCodeWithoutExpiry: a code is given up in time where Okta does not say when.
func TestCodeWithoutExpiry(t *testing.T) {
	t.Parallel()
	tx := sent(sms)
	tx.ExpiresAt = time.Time{}
	authn := scripted(tx)
	flow := authn.flow()
	flow.Hold = true
	l, err := flow.Begin(t.Context(), required(sms), mfa.Input{Want: want{}})
	require.NoError(t, err)
	s, err := l.State(t.Context())
	require.NoError(t, err)
	assert.Equal(t, noon.Add(5*time.Minute), s.ExpiresAt)
}

// sender is an Okta that sends every code that it is asked for.
type sender struct{ mfa.Authn }

func (sender) Verify(_ context.Context, t okta.Transaction, f okta.Factor, _ string) (okta.Transaction, error) {
	tx := sent(f)
	tx.User, tx.ExpiresAt = t.User, t.ExpiresAt
	return tx, nil
}

func (sender) Cancel(context.Context, okta.Transaction) error { return nil }

// TestCodesAreBounded: the codes of many people push out that of whoever was away for
// the longest time, and that one is still good in a transaction of its own.
func TestCodesAreBounded(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{})
	send := func(n int) (again bool) {
		tx := m.fresh(required(sms))
		tx.User.ID = fmt.Sprint("00u", n)
		_, err := run(t.Context(), m.flow(sender{}, ours), tx, want{})
		var out *mfa.CodeSentError
		require.ErrorAs(t, err, &out)
		return out.Again
	}
	const most = 10_000
	for n := range most {
		require.False(t, send(n))
	}
	require.True(t, send(0), "all are remembered")
	require.False(t, send(most), "there is room for more")
	assert.True(t, send(0), "who was here lately is remembered")

	authn := scripted(success(okta.User{ID: "00u1", Login: "one@acme.test"}))
	tx := on("t2", m.fresh(required(sms)))
	tx.User.ID = "00u1"
	_, err := run(t.Context(), m.flow(authn, ours), tx, want{PassCode: code})
	assert.NoError(t, err)
	assert.Equal(t, "verify sms1 t2 123456", authn.asked(), "who was not may answer all the same")
}

// TestOneCodeManyLogins: of all logins that bring the code at the same time, on
// one transaction one is let in, and whoever had it sent and waits for it has
// nothing left to answer.
func TestOneCodeManyLogins(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]bool{"blocking only": false, "with the one that holds it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 10 {
				o := newOrg(t, oktatest.Options{MaxFailures: 100})
				f := o.user.AddFactor("sms", "OKTA")
				var owner *mfa.Session
				if held {
					owner, _ = o.hold(t, o.flow(), want{})
				} else {
					_, err := o.login(t, want{})
					assertSent(t, f, false, err)
				}
				passCode := f.Code()
				o.Reset()
				var in atomic.Int32
				var all sync.WaitGroup
				for n := range 6 {
					all.Go(func() {
						if n == 0 && held {
							s, err := owner.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: passCode}})
							if err == nil && s.Phase == mfa.PhaseDone {
								in.Add(1)
							}
							return
						}
						l, err := o.login(t, want{PassCode: passCode})
						if err == nil {
							in.Add(1)
							assert.Equal(t, o.in(), whom(l))
						} else {
							assert.Zero(t, whom(l))
						}
					})
				}
				all.Wait()
				assert.EqualValues(t, 1, in.Load(), "a code is good once")
				if held {
					assert.True(t, owner.Over() || whom(owner) == (okta.User{}))
					_, err := owner.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{PassCode: passCode}})
					assert.Error(t, err)
				}
				// Every transaction but one was cancelled, the one of the code included
				// where another was answered.
				assert.LessOrEqual(t, len(o.tokens("/cancel")), 6)
			}
		})
	}
}

// TestHeldOwnerLosesItsCode: a login that holds a code finds that another has
// answered it, replaced it or is about to.
func TestHeldOwnerLosesItsCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		other want
		says  []answer
		mine  want
		asked string
	}{
		{"answered", want{PassCode: code}, said(success(mia)), want{PassCode: code}, "verify sms1 t1 123456, cancel t2"},
		{"answered, resend", want{PassCode: code}, said(success(mia)), want{Kind: mfa.KindSMS, Resend: true}, "verify sms1 t1 123456, cancel t2"},
		{"answered, another choice", want{PassCode: code}, said(success(mia)), want{Kind: mfa.KindPush}, "verify sms1 t1 123456, cancel t2"},
		{"replaced", want{Kind: mfa.KindEmail}, said(on("t2", sent(email))), want{PassCode: code, Kind: mfa.KindSMS}, "verify emf1 t2, cancel t1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := scripted(sent(sms))
			flow := authn.flow()
			held := flow
			held.Hold = true
			owner, err := held.Begin(t.Context(), required(phone, sms, email), mfa.Input{Want: want{Kind: mfa.KindSMS}})
			require.NoError(t, err)
			authn.asked()
			authn.answers = tc.says
			_, _ = run(t.Context(), flow, on("t2", required(phone, sms, email)), tc.other)
			assert.Equal(t, tc.asked, authn.asked())
			_, err = owner.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: tc.mine})
			assert.ErrorIs(t, err, mfa.ErrOver)
			assert.True(t, owner.Over())
			assert.Empty(t, authn.asked(), "the transaction is not its own any more")
		})
	}
}
