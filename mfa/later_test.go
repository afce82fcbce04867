package mfa_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// farewells are what flows leave for later.
type farewells []func()

func (f *farewells) later(farewell func()) { *f = append(*f, farewell) }

func (f *farewells) do() {
	for _, farewell := range *f {
		farewell()
	}
	*f = nil
}

// No answer waits until Okta has cancelled what nobody is to answer any more, whether the
// login succeeds, fails, or shows a number.
func TestNoAnswerWaitsForACancel(t *testing.T) {
	t.Parallel()
	two := required(phone, tablet)
	for name, tc := range map[string]struct {
		start     okta.Transaction
		want      mfa.Want
		answers   []answer
		err       error
		cancelled string
	}{
		"a success while another phone rings": {
			start: two, answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), waiting(phone), success(mia)),
			cancelled: "cancel t1"},
		"a rejection": {
			start: two, answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), challenge(phone, okta.ResultRejected)),
			err: mfa.ErrRejected, cancelled: "cancel t1, cancel t2"},
		"a wrong passcode": {
			start: required(verify), want: mfa.Want{PassCode: code}, answers: said(refused(okta.CodeInvalidPassCode)),
			err: refused(okta.CodeInvalidPassCode), cancelled: "cancel t1"},
		"no factor": {
			start: required(webauthn), err: errNoFactor, cancelled: "cancel t1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, late := scripted(), farewells{}
			s.answers = tc.answers
			flow := s.flow()
			flow.Policy.AllDevices, flow.Later = true, late.later
			_, err := run(t.Context(), flow, tc.start, tc.want)
			assertError(t, tc.err, err)
			assert.NotContains(t, s.asked(), "cancel")
			late.do()
			assert.Equal(t, tc.cancelled, s.asked())
		})
	}
	t.Run("a number that is shown", func(t *testing.T) {
		t.Parallel()
		s, late := scripted(waiting(phone), on("t2", two), on("t2", number(tablet, 42)), on("t2", number(tablet, 42)), success(mia)), farewells{}
		flow := s.flow()
		shown := ""
		flow.Policy.AllDevices, flow.Later = true, late.later
		flow.Show = func(mfa.Number) { shown = s.asked() }
		_, err := run(t.Context(), flow, two, mfa.Want{})
		require.NoError(t, err)
		assert.NotContains(t, shown+s.asked(), "cancel")
		late.do()
		assert.Equal(t, "cancel t1", s.asked())
	})
}

// While a push is being taken back no other rings: another login of the same person waits
// for that.
func TestNoPushBesideOneThatIsTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, late := scripted(waiting(phone), challenge(phone, okta.ResultRejected)), farewells{}
		first := s.flow()
		first.Later = late.later
		_, err := run(t.Context(), first, required(phone), mfa.Want{})
		require.ErrorIs(t, err, mfa.ErrRejected)
		s.asked()

		s.add(on("t2", waiting(phone)), success(mia))
		second := first
		second.Nonce, second.Later = theirs, nil
		ended := make(chan error, 1)
		go func() {
			_, err := run(t.Context(), second, on("t2", required(phone)), mfa.Want{})
			ended <- err
		}()
		synctest.Wait()
		assert.Empty(t, s.asked(), "a phone rings beside the other")
		late.do()
		require.NoError(t, <-ended)
		assert.Equal(t, "cancel t1, verify opf1 t2, verify opf1 t2", s.asked())
	})
}

// Where the person has approved on one phone, no other push rings while the mount still
// takes back those on their other phones: neither another login's nor that of a method of
// the same login. The approval counts at once.
func TestNoPushBesideAPhoneThatStillRings(t *testing.T) {
	t.Parallel()
	two := required(phone, tablet)
	ringing := func() []any {
		return []any{waiting(phone), on("t2", two), on("t2", waiting(tablet)), waiting(phone)}
	}
	for name, tc := range map[string]struct {
		last any
		err  error
	}{
		"approved":             {success(mia), nil},
		"approved for nothing": {state(okta.StatusPasswordExpired), mfa.ErrPasswordExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, late := scripted(append(ringing(), tc.last)...), farewells{}
				first := s.flow()
				first.Policy.AllDevices, first.Later = true, late.later
				_, err := run(t.Context(), first, two, mfa.Want{})
				assertError(t, tc.err, err)
				s.asked()

				s.add(on("t3", waiting(phone)), success(mia))
				second := first
				second.Nonce, second.Later = theirs, nil
				ended := make(chan error, 1)
				go func() {
					_, err := run(t.Context(), second, on("t3", required(phone)), mfa.Want{})
					ended <- err
				}()
				synctest.Wait()
				assert.Empty(t, s.asked(), "a phone rings beside another")
				late.do()
				require.NoError(t, <-ended)
				assert.Contains(t, s.asked(), "verify opf1 t3")
			})
		})
	}
	t.Run("a method", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b, late := newBench(mfa.PushLimit{Failures: 1, Window: time.Hour}).waits(), farewells{}
			b.phone.rings = " " + mia.ID // as a method of type okta has it
			s := scripted(append(ringing(), success(mia))...)
			flow := b.seamFlow(s, ours, need(b.phone)...)
			flow.Policy.AllDevices, flow.Again, flow.Later = true, s.again, late.later
			ended := make(chan error, 1)
			go func() {
				_, err := run(t.Context(), flow, two, mfa.Want{})
				ended <- err
			}()
			synctest.Wait()
			assert.Empty(t, b.phone.rang, "a phone rings beside another")
			late.do()
			synctest.Wait()
			assert.Len(t, b.phone.rang, 1)
			b.phone.decided <- nil
			require.NoError(t, <-ended)
		})
	})
}

// The push of a method is taken back after the answer, too.
func TestNoAnswerWaitsForAMethodsCancel(t *testing.T) {
	t.Parallel()
	b, late := newBench(mfa.PushLimit{}).waits(), farewells{}
	ctx, leave := context.WithCancel(t.Context())
	flow := b.seamFlow(scripted(), ours, need(b.phone)...)
	flow.Later = late.later
	ended := make(chan error)
	go func() {
		_, err := run(ctx, flow, success(mia), mfa.Want{})
		ended <- err
	}()
	<-b.phone.rang
	leave()
	require.ErrorIs(t, <-ended, context.Canceled)
	assert.NotContains(t, b.journal.read(), "withdraw")
	late.do()
	assert.Equal(t, "withdraw phone", b.journal.read())
}

// A login that rings again while its own push is being taken back waits for that, and does
// not take its own place.
func TestNextPushOfALoginWaitsForItsLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, late := newBench(mfa.PushLimit{}).waits(), farewells{}
		flow := b.seamFlow(scripted(), ours, need(b.phone)...)
		flow.Hold, flow.Show, flow.Later = true, nil, late.later
		s, err := flow.Begin(t.Context(), success(mia), mfa.Input{})
		require.NoError(t, err)
		<-b.phone.rang
		b.phone.decided <- mfa.ErrNeedsPassCode
		synctest.Wait()
		st, err := s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
		require.NoError(t, err)
		require.Equal(t, mfa.PhaseMethods, st.Phase)
		b.journal.read()

		continued := make(chan error, 1)
		go func() {
			_, err := s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
			continued <- err
		}()
		synctest.Wait()
		assert.Empty(t, b.phone.rang, "the phone rings beside itself")
		late.do()
		require.NoError(t, <-continued)
		assert.Len(t, b.phone.rang, 1)
		b.phone.decided <- nil
		synctest.Wait()
		st, err = s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
		require.NoError(t, err)
		assert.Equal(t, mfa.PhaseDone, st.Phase)
	})
}
