package mfa_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// hold starts a held login.
func (s *script) hold(t *testing.T, tx okta.Transaction, w want) (*mfa.Session, mfa.Flow) {
	t.Helper()
	flow := s.flow()
	flow.Hold, flow.Policy.AllDevices = true, true
	l, err := flow.Begin(t.Context(), tx, mfa.Input{Want: w})
	require.NoError(t, err)
	return l, flow
}

// TestEndOfHeld: what is asked of Okta when a held login is cancelled, closed or
// has expired, and that this is the end.
func TestEndOfHeld(t *testing.T) {
	t.Parallel()
	two := required(phone, tablet, sms)
	for _, tc := range []struct {
		name    string
		tx      okta.Transaction
		want    want
		answers []answer
		end     func(l *mfa.Session, ctx context.Context)
		asked   string
		kept    bool // the code that was sent
	}{
		{"cancel, push", required(phone), want{}, said(waiting(phone)), withdrawn, "cancel t1", false},
		{"close, push", required(phone), want{}, said(waiting(phone)), (*mfa.Session).Close, "cancel t1", false},
		{"expire, push", required(phone), want{}, said(waiting(phone)), (*mfa.Session).Expire, "cancel t1", false},
		{"cancel, two pushes", two, want{}, said(waiting(phone), on("t2", two), on("t2", waiting(tablet))), withdrawn, "cancel t1, cancel t2", false},
		{"close, two pushes", two, want{}, said(waiting(phone), on("t2", two), on("t2", waiting(tablet))), (*mfa.Session).Close, "cancel t1, cancel t2", false},
		{"expire, two pushes", two, want{}, said(waiting(phone), on("t2", two), on("t2", waiting(tablet))), (*mfa.Session).Expire, "cancel t1, cancel t2", false},
		{"cancel, code", required(sms), want{}, said(sent(sms)), withdrawn, "cancel t1", false},
		{"close, code", required(sms), want{}, said(sent(sms)), (*mfa.Session).Close, "", true},
		{"expire, code", required(sms), want{}, said(sent(sms)), (*mfa.Session).Expire, "", true},
		{"cancel, nothing chosen", required(sms, email), want{}, nil, withdrawn, "cancel t1", false},
		{"close, nothing chosen", required(sms, email), want{}, nil, (*mfa.Session).Close, "cancel t1", false},
		{"expire, nothing chosen", required(sms, email), want{}, nil, (*mfa.Session).Expire, "cancel t1", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := &script{answers: tc.answers}
			l, flow := authn.hold(t, tc.tx, tc.want)
			authn.asked()
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // that the caller has left changes nothing
			tc.end(l, ctx)
			assert.Equal(t, tc.asked, authn.asked())
			assert.NoError(t, authn.cancelErr)
			assert.True(t, l.Over())
			assert.Zero(t, whom(l))
			for _, w := range []want{{}, {PassCode: code}, {Kind: mfa.KindSMS}} {
				_, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: w})
				assert.ErrorIs(t, err, mfa.ErrOver)
			}
			_, err := l.State(t.Context())
			assert.ErrorIs(t, err, mfa.ErrOver)
			l.Close(t.Context())
			l.Expire(t.Context())
			assert.Empty(t, authn.asked(), "the end is the end")

			authn.add(sent(sms))
			flow.Hold = false
			_, err = run(t.Context(), flow, on("t9", required(sms)), want{})
			var out *mfa.CodeSentError
			require.ErrorAs(t, err, &out)
			assert.Equal(t, tc.kept, out.Again)
		})
	}
}

// TestCancelAfterClose: a code that was kept is good for the next login, or it is
// withdrawn at Okta; it is not forgotten while it can still be answered there.
func TestCancelAfterClose(t *testing.T) {
	t.Parallel()
	authn := scripted(sent(sms))
	l, flow := authn.hold(t, required(sms), want{})
	l.Close(t.Context())
	l.Cancel(t.Context(), mfa.Flow{})
	cancelled := authn.asked() == "verify sms1 t1, cancel t1"
	flow.Hold = false
	_, err := run(t.Context(), flow, on("t9", required(sms)), want{})
	var out *mfa.CodeSentError
	require.ErrorAs(t, err, &out)
	assert.Equal(t, !cancelled, out.Again)
}

// TestCallerLeaves: a held login outlives its callers. What Okta is being asked
// is asked to the end, and the answer counts.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	all := required(phone, tablet, verify, sms)
	passCode := want{PassCode: code}
	for _, tc := range []struct {
		name  string
		first want
		sent  []answer
		want  want // in the middle of which the caller leaves
		after time.Duration
		asked string
	}{
		{"at a poll", want{}, said(waiting(phone)), want{}, due, "verify opf1 t1"},
		{"at a passcode", want{Kind: mfa.KindTOTP}, nil, passCode, 0, "verify ost1 t1 123456"},
		{"at a push", want{Kind: mfa.KindTOTP}, nil, want{Kind: mfa.KindPush}, 0, "verify opf1 t1"},
		{"at a code", want{Kind: mfa.KindSMS}, said(sent(sms)), passCode, 0, "verify sms1 t1 123456"},
		{"on the way back from a push", want{}, said(waiting(phone)), passCode, 0, "previous t1, verify ost1 t1 123456"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := &script{answers: tc.sent}
			flow := authn.flow()
			flow.Hold = true
			l, err := flow.Begin(t.Context(), all, mfa.Input{Want: tc.first})
			require.NoError(t, err)
			authn.asked()

			flow.Clock.(*fakeClock).Advance(tc.after)
			ctx, cancel := context.WithCancel(t.Context())
			authn.each = cancel
			authn.answers = said(success(mia))
			if strings.HasPrefix(tc.asked, "previous") {
				authn.answers = said(all, success(mia))
			}
			s, err := l.Continue(ctx, mfa.Flow{}, mfa.Input{Want: tc.want})
			assert.NoError(t, err)
			assert.Equal(t, mfa.PhaseDone, s.Phase)
			assert.Equal(t, tc.asked, authn.asked())
			assert.Equal(t, mia, whom(l))
			_, err = l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
			assert.ErrorIs(t, err, mfa.ErrOver)
		})
	}
	t.Run("between two calls", func(t *testing.T) {
		t.Parallel()
		authn := scripted(waiting(phone), success(mia))
		flow := authn.flow()
		flow.Hold = true
		ctx, cancel := context.WithCancel(t.Context())
		l, err := flow.Begin(ctx, required(phone), mfa.Input{Want: want{}})
		require.NoError(t, err)
		cancel()
		flow.Clock.(*fakeClock).Advance(due)
		s, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
		assert.NoError(t, err)
		assert.Equal(t, mfa.PhaseDone, s.Phase)
	})
	t.Run("before its turn", func(t *testing.T) {
		t.Parallel()
		authn := scripted(waiting(phone), success(mia))
		l, flow := authn.hold(t, required(phone), want{})
		flow.Clock.(*fakeClock).Advance(due)
		asking, answer, done := make(chan struct{}), make(chan struct{}), make(chan mfa.Phase)
		authn.each = func() { close(asking); <-answer }
		go func() {
			s, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
			assert.NoError(t, err)
			done <- s.Phase
		}()
		<-asking
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := l.Continue(ctx, mfa.Flow{}, mfa.Input{Want: want{PassCode: code}})
		assert.ErrorIs(t, err, context.Canceled)
		_, err = l.State(ctx)
		assert.ErrorIs(t, err, context.Canceled)
		close(answer)
		assert.Equal(t, mfa.PhaseDone, <-done, "who asks is not disturbed")
		assert.Equal(t, "verify opf1 t1, verify opf1 t1", authn.asked())
	})
}

// TestContinueAtOnce: calls on one held login are served one after the other;
// one of them is told of the success, and Okta is asked when it is time.
func TestContinueAtOnce(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]want{"polls": {}, "passcodes": {PassCode: code}, "codes": {Kind: mfa.KindSMS}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := required(phone, verify, sms)
			authn := scripted(waiting(phone))
			l, flow := authn.hold(t, all, want{})
			authn.asked()
			switch name {
			case "polls":
				authn.add(success(mia))
			case "passcodes":
				authn.add(all, success(mia))
			case "codes":
				authn.add(all, sent(sms))
			}
			flow.Clock.(*fakeClock).Advance(due)
			var done atomic.Int32
			var all12 sync.WaitGroup
			for range 12 {
				all12.Go(func() {
					s, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: w})
					switch {
					case err != nil:
						assert.ErrorIs(t, err, mfa.ErrOver)
					case s.Phase == mfa.PhaseDone:
						done.Add(1)
					}
					_, _ = l.State(t.Context())
				})
			}
			all12.Wait()
			if name == "codes" {
				assert.Zero(t, done.Load())
				assert.Equal(t, "previous t1, verify sms1 t1", authn.asked(), "one code is sent")
				return
			}
			assert.EqualValues(t, 1, done.Load(), "one call is told")
			assert.Equal(t, mia, whom(l))
			assert.Contains(t, []string{"verify opf1 t1", "previous t1, verify ost1 t1 123456"}, authn.asked())
		})
	}
}

// TestEndInTheMiddle: Cancel and Close wait for the call that is being served,
// and nothing is asked after them.
func TestEndInTheMiddle(t *testing.T) {
	t.Parallel()
	for range 50 {
		authn := scripted(waiting(phone))
		l, flow := authn.hold(t, required(phone), want{})
		flow.Clock.(*fakeClock).Advance(due)
		var all sync.WaitGroup
		all.Go(func() {
			_, err := l.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
			if err != nil {
				assert.ErrorIs(t, err, mfa.ErrOver)
			}
		})
		all.Go(func() { l.Cancel(t.Context(), mfa.Flow{}) })
		all.Go(func() { l.Close(t.Context()) })
		all.Wait()
		assert.True(t, l.Over())
		asked := authn.asked()
		assert.Contains(t, []string{"verify opf1 t1, cancel t1", "verify opf1 t1, verify opf1 t1, cancel t1"}, asked)
	}
}

// withdrawn is Cancel in the form of Close and Expire.
func withdrawn(l *mfa.Session, ctx context.Context) { l.Cancel(ctx, mfa.Flow{}) }
