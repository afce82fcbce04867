package mfa_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// threeInTen is the limit of the tests in this file.
var threeInTen = mfa.PushLimit{Failures: 3, Window: 10 * time.Minute}

// TestCallsAreBounded: whoever knows the password has no more calls made, SMS sent or
// e-mails written than pushes, however often they ask in the window.
func TestCallsAreBounded(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"call", "sms", "email"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{})
			o.mount.limit = threeInTen
			f := o.user.AddFactor(kind, "OKTA")
			held, _ := o.hold(t, o.flow(), want{}) // which sends one
			for range 19 {
				o.clock.Advance(30 * time.Second)
				_, err := o.login(t, want{Resend: true})
				assert.Error(t, err)
				_, err = held.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{Resend: true}})
				assert.Error(t, err)
			}
			assert.Equal(t, 3, f.Sent())
		})
	}
}

// codeEvents are what may happen to codes of mia, and what they count.
var codeEvents = map[string]struct {
	want    want
	answers []any
	offered []okta.Factor
	fails   bool
}{
	"sent":          {want{Resend: true}, []any{sent(sms)}, []okta.Factor{sms}, true},
	"another's":     {want{Kind: mfa.KindEmail, Resend: true}, []any{sent(email)}, []okta.Factor{email}, true},
	"not again":     {want{}, nil, []okta.Factor{sms}, true},
	"answered":      {want{PassCode: code}, []any{success(mia)}, []okta.Factor{sms}, false},
	"wrong":         {want{PassCode: code}, []any{refused(okta.CodeInvalidPassCode)}, []okta.Factor{sms}, true},
	"lost":          {want{Resend: true}, []any{okta.ErrTimeout}, []okta.Factor{sms}, true},
	"failed":        {want{Resend: true}, []any{broken()}, []okta.Factor{sms}, true},
	"too soon":      {want{Resend: true}, []any{tooSoon(okta.CodeResendSMS)}, []okta.Factor{sms}, true},
	"refused":       {want{Resend: true}, []any{refused("E0000006")}, []okta.Factor{sms}, true},
	"passcode":      {want{PassCode: code, Kind: mfa.KindTOTP}, []any{success(mia)}, []okta.Factor{verify}, false},
	"next passcode": {want{PassCode: code}, []any{refused(okta.CodeNextPassCode)}, []okta.Factor{rsa}, true},
	"push":          {want{}, []any{challenge(phone, okta.ResultTimeout)}, []okta.Factor{phone}, true},
	"rejected push": {want{}, []any{challenge(phone, okta.ResultRejected)}, []okta.Factor{phone}, true},
	"approved push": {want{}, []any{success(mia)}, []okta.Factor{phone}, false},
}

// TestCodesCount: a code counts like a push that nobody answered, from when it is
// sent until one is answered.
func TestCodesCount(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		events []string
		refuse bool
	}{
		"three codes":                      {[]string{"sent", "sent", "sent"}, true},
		"two codes":                        {[]string{"sent", "sent"}, false},
		"codes of several factors":         {[]string{"sent", "another's", "sent"}, true},
		"codes and pushes together":        {[]string{"push", "sent", "rejected push"}, true},
		"a code that is not sent again":    {[]string{"sent", "not again", "not again", "not again"}, false},
		"what may have been sent":          {[]string{"sent", "lost", "failed"}, true},
		"what Okta refused to send":        {[]string{"sent", "too soon", "refused", "refused", "too soon"}, false},
		"a wrong answer forgives nothing":  {[]string{"sent", "wrong", "sent", "wrong", "sent"}, true},
		"the right one does":               {[]string{"sent", "sent", "answered", "sent", "sent", "answered", "push", "sent"}, false},
		"and forgives pushes":              {[]string{"push", "push", "sent", "answered", "push", "push"}, false},
		"but no rejection":                 {[]string{"rejected push", "sent", "answered", "rejected push", "sent"}, true},
		"an approved push forgives codes":  {[]string{"sent", "sent", "approved push", "sent", "sent"}, false},
		"a passcode forgives nothing":      {[]string{"sent", "sent", "passcode", "sent"}, true},
		"one more passcode costs nothing":  {[]string{"next passcode", "next passcode", "next passcode", "next passcode"}, false},
		"three, but not within the window": {[]string{"sent", "sent", "ten minutes", "sent", "sent"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(threeInTen)
			for _, event := range tc.events {
				if event == "ten minutes" {
					m.clock.Advance(10 * time.Minute)
					continue
				}
				e := codeEvents[event]
				authn := scripted(e.answers...)
				_, err := run(t.Context(), m.flow(authn, ours), m.fresh(required(e.offered...)), e.want)
				require.Equal(t, e.fails, err != nil, "%s: %v", event, err)
				require.False(t, is[*mfa.ChallengeRefusedError](err), event)
			}
			next := func(f okta.Factor) error {
				authn := scripted(sent(f))
				_, err := run(t.Context(), m.flow(authn, theirs), m.fresh(required(f)), want{Resend: f == sms})
				assert.Equal(t, !tc.refuse, strings.Contains(authn.asked(), "verify"))
				return err
			}
			if !tc.refuse {
				assertError(t, errSent, next(sms))
				return
			}
			assertError(t, errRefused, next(sms))
			assertError(t, errRefused, next(phone))
		})
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// TestCodeIsAnsweredAtTheLimit: a passcode never needs leave, and so the code of a
// login before lets the person in.
func TestCodeIsAnsweredAtTheLimit(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 1, Window: 10 * time.Minute})
	authn := scripted(sent(sms))
	_, err := run(t.Context(), m.flow(authn, ours), required(sms, phone), want{Kind: mfa.KindSMS})
	assertError(t, errSent, err)
	for _, more := range []want{{}, {Kind: mfa.KindSMS, Resend: true}, {Kind: mfa.KindPush}} {
		l, err := run(t.Context(), m.flow(authn, ours), on("t2", required(sms, phone)), more)
		assertWait(t, err, 10*time.Minute, false)
		assert.False(t, l.Challenged())
	}
	authn.asked()
	_, err = run(t.Context(), m.flow(authn, ours), on("t2", required(sms, phone)), want{Kind: mfa.KindSMS})
	assertError(t, errSent, err) // before, and not again

	authn.add(success(mia))
	_, err = run(t.Context(), m.flow(authn, ours), on("t2", required(sms, phone)), want{PassCode: code})
	assert.NoError(t, err)
	assert.Equal(t, "cancel t2, verify sms1 t1 123456, cancel t2", authn.asked())
	assert.NoError(t, m.login(t, ours, success(mia)), "and the limit is open again")
}

// TestCodeBesideAPush: the push that waits may go unanswered, too, and counts when
// another login of the person wants a code.
func TestCodeBesideAPush(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 2, Window: 10 * time.Minute})
	held, err := m.hold(t, scripted(waiting(phone)), ours, required(phone))
	require.NoError(t, err)
	send := func() error {
		_, err := run(t.Context(), m.flow(scripted(sent(sms)), theirs), required(sms), want{Resend: true})
		return err
	}
	assertError(t, errSent, send())
	assertWait(t, send(), 5*time.Minute, true)
	held.Close(t.Context())
	assertWait(t, send(), 10*time.Minute, false)
}

// TestCodesAtTheSameTime: logins that have codes sent at the same time do not get
// past the limit together.
func TestCodesAtTheSameTime(t *testing.T) {
	t.Parallel()
	m := newMount(threeInTen)
	var all sync.WaitGroup
	refused := make(chan bool, 12)
	for range 12 {
		all.Go(func() {
			_, err := run(t.Context(), m.flow(sender{}, ours), required(sms), want{Resend: true})
			refused <- is[*mfa.ChallengeRefusedError](err)
		})
	}
	all.Wait()
	close(refused)
	sent := 0
	for no := range refused {
		if !no {
			sent++
		}
	}
	assert.Equal(t, 3, sent)
}

// TestSwitchToACodeAtTheLimit: a held login keeps its push where the code that the
// person wants instead would be one too many.
func TestSwitchToACodeAtTheLimit(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 1, Window: 10 * time.Minute})
	authn := scripted(waiting(phone), success(mia))
	held, err := m.hold(t, authn, ours, required(phone, sms))
	require.NoError(t, err)
	st, err := held.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{Kind: mfa.KindSMS}})
	assertWait(t, err, 10*time.Minute, false)
	assert.Equal(t, mfa.PhaseWaiting, st.Phase)
	m.clock.Advance(due)
	st, err = held.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
	require.NoError(t, err)
	assert.Equal(t, mfa.PhaseDone, st.Phase)
	assert.Equal(t, "verify opf1 t1, verify opf1 t1", authn.asked())
}

// TestMethodCodesCount: the codes of a method need the guard's leave, too.
func TestMethodCodesCount(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{Failures: 2, Window: time.Hour})
	b.text.fails, b.text.rings, b.phone.rings = &mfa.CodeSentError{}, "", "mia"
	send := func() error { return b.validation(ours).Run(t.Context(), need(b.text), nil) }
	for range 2 {
		assert.True(t, is[*mfa.CodeSentError](send()))
	}
	b.journal.read()
	err := send()
	assert.Equal(t, &mfa.ChallengeRefusedError{Wait: time.Hour}, asType[*mfa.ChallengeRefusedError](err))
	assert.Equal(t, "text", asType[*mfa.MethodError](err).Method.Name)
	assert.True(t, mfa.NotSent(err))
	assert.Equal(t, "prepare text", b.journal.read())
	assertError(t, errRefused, b.validation(ours).Run(t.Context(), need(b.phone), nil)) // a push of theirs
	b.text.fails = nil
	assert.NoError(t, b.validation(ours).Run(t.Context(), need(b.text), gave(map[string]string{"text": "333333"})))

	other := newBench(mfa.PushLimit{Failures: 1, Window: time.Hour})
	other.text.fails = unsent(t)
	for range 3 {
		err := other.validation(ours).Run(t.Context(), need(other.text), nil)
		assert.True(t, mfa.NotSent(err))
		assert.False(t, is[*mfa.ChallengeRefusedError](err), "what was not sent does not count")
	}
}

func asType[E error](err error) E {
	e, _ := errors.AsType[E](err)
	return e
}

// TestOneCountInOneOrg: a person's codes count together, whether Okta's own challenge
// sends them or a method of type okta in the same org, and a right answer to one
// forgives the others.
func TestOneCountInOneOrg(t *testing.T) {
	t.Parallel()
	o := newFactorsOrg(t, oktatest.Options{})
	o.mount.limit = mfa.PushLimit{Failures: 2, Window: 10 * time.Minute}
	f := o.user.AddFactor("sms", "OKTA")
	own := func(w want) error {
		flow := o.flow()
		flow.Org = o.api.OrgURL()
		_, err := o.loginBy(t, flow, w)
		return err
	}
	byMethod := func(c mfa.Credential) error {
		flow := o.flow()
		flow.Org, flow.Okta = o.api.OrgURL(), scripted()
		flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) {
			return []mfa.Required{{ID: "1", Name: "text", Method: o.method(mfa.KindSMS)}}, nil
		}
		s, err := flow.Begin(t.Context(), success(o.in()), mfa.Input{Given: mfa.Given{"1": c}})
		if err == nil {
			err = s.Run(t.Context())
		}
		return err
	}
	again := mfa.Credential{Kind: mfa.KindSMS}
	for range 2 {
		assert.True(t, is[*mfa.CodeSentError](own(want{Resend: true})))
		o.clock.Advance(time.Minute)
		assert.True(t, is[*mfa.CodeSentError](byMethod(again)))
		o.clock.Advance(time.Minute)
		before := f.Sent()
		assertError(t, errRefused, own(want{Resend: true}))
		assertError(t, errRefused, byMethod(again))
		assert.Equal(t, before, f.Sent())
		assert.True(t, asType[*mfa.CodeSentError](byMethod(mfa.Credential{})).Again, "the last one is still good")
		require.NoError(t, byMethod(mfa.Credential{PassCode: f.Code()}))
	}
}
