package mfa_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestFactorAfterAFactor: where Okta wants another factor after one, the login goes on
// with the push, or asks for what is missing.
func TestFactorAfterAFactor(t *testing.T) {
	t.Parallel()
	passCode := want{PassCode: code}
	for _, tc := range []struct {
		name    string
		start   okta.Transaction
		want    want
		answers []any
		err     error
		asked   string
	}{
		{"a passcode, then a push", required(verify, phone), passCode, []any{required(phone), waiting(phone), success(mia)}, nil,
			"verify ost1 t1 123456, verify opf1 t1, verify opf1 t1"},
		{"a push, then a push to another phone", required(phone), want{}, []any{waiting(phone), required(tablet), waiting(tablet), success(mia)}, nil,
			"verify opf1 t1, verify opf1 t1, verify opf2 t1, verify opf2 t1"},
		{"a push that is approved at once, then another", required(phone), want{}, []any{required(tablet), waiting(tablet), success(mia)}, nil,
			"verify opf1 t1, verify opf2 t1, verify opf2 t1"},
		{"a push, then nothing that can go on by itself", required(phone), want{}, []any{waiting(phone), required(verify)}, errNoFactor,
			"verify opf1 t1, verify opf1 t1, cancel t1"},
		{"a passcode, then a code that is sent", required(verify), passCode, []any{required(sms), sent(sms)}, errSent,
			"verify ost1 t1 123456, verify sms1 t1"},
		{"the same phone again", required(phone), want{}, []any{waiting(phone), required(phone)}, mfa.ErrRungBefore,
			"verify opf1 t1, verify opf1 t1, cancel t1"},
		{"the second is rejected", required(verify, phone), passCode, []any{required(phone), challenge(phone, okta.ResultRejected)}, mfa.ErrRejected,
			"verify ost1 t1 123456, verify opf1 t1, cancel t1"},
		{"without end", required(phone), want{}, []any{required(tablet), required(watch), required(app)}, errStrange,
			"verify opf1 t1, verify opf2 t1, verify opf3 t1, cancel t1"},
		{"another, and none on offer", required(verify), passCode, []any{required()}, errStrange, "verify ost1 t1 123456, cancel t1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := scripted(tc.answers...)
			s, err := run(t.Context(), authn.flow(), tc.start, tc.want)
			assertError(t, tc.err, err)
			assert.Equal(t, tc.err == nil, whom(s) == mia)
			assert.Equal(t, tc.asked, authn.asked())
		})
	}
	t.Run("held: it offers the second choice", func(t *testing.T) {
		t.Parallel()
		authn := scripted(waiting(phone))
		flow := authn.flow()
		flow.Hold, flow.Show = true, nil
		s, err := flow.Begin(t.Context(), required(phone, verify), mfa.Input{})
		require.NoError(t, err)
		flow.Clock.(*fakeClock).Advance(3 * time.Second)
		authn.add(required(verify))
		st, err := s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
		require.NoError(t, err)
		assert.Equal(t, mfa.PhasePassCode, st.Phase)
		assert.Equal(t, verify, st.Factor)
		authn.add(success(mia))
		st, err = s.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: passCode})
		require.NoError(t, err)
		assert.Equal(t, mfa.PhaseDone, st.Phase)
	})
}

// TestEnrollmentThatMayBeSkipped: only where the mount says so, and once.
func TestEnrollmentThatMayBeSkipped(t *testing.T) {
	t.Parallel()
	maySkip := state(okta.StatusMFAEnroll)
	maySkip.CanSkip = true
	for _, tc := range []struct {
		name    string
		start   okta.Transaction
		policy  mfa.Policy
		answers []any
		err     error
		asked   string
		skipped bool
	}{
		{"not by itself", maySkip, mfa.Policy{}, nil, mfa.ErrEnrollmentMaySkip, "cancel t1", false},
		{"skipped", maySkip, mfa.Policy{SkipEnrollment: true}, []any{success(mia)}, nil, "skip t1", true},
		{"no link", state(okta.StatusMFAEnroll), mfa.Policy{SkipEnrollment: true}, nil, mfa.ErrEnrollment, "cancel t1", false},
		{"on to the factor", maySkip, mfa.Policy{SkipEnrollment: true}, []any{required(phone), waiting(phone), success(mia)}, nil,
			"skip t1, verify opf1 t1, verify opf1 t1", true},
		{"again", maySkip, mfa.Policy{SkipEnrollment: true}, []any{maySkip}, errStrange, "skip t1, cancel t1", false},
		{"after a warning", state(okta.StatusPasswordWarn), mfa.Policy{SkipEnrollment: true}, []any{maySkip, success(mia)}, nil, "skip t1, skip t1", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := scripted(tc.answers...)
			flow := authn.flow()
			flow.Policy = tc.policy
			s, err := run(t.Context(), flow, tc.start, want{})
			assertError(t, tc.err, err)
			assert.Equal(t, tc.asked, authn.asked())
			assert.Equal(t, tc.skipped, s.EnrollmentSkipped())
		})
	}
}

// TestPasscodeByType: where Okta offers that, a passcode is tried once on all of a
// person's enrollments of one type, so that a typo counts once.
func TestPasscodeByType(t *testing.T) {
	t.Parallel()
	second := verify
	second.ID = "ost2"
	for _, tc := range []struct {
		name    string
		factors []okta.Factor
		types   []okta.FactorType
		asked   string
	}{
		{"offered", []okta.Factor{verify, second}, []okta.FactorType{okta.FactorTOTP}, "type token:software:totp t1 123456, cancel t1"},
		{"not offered", []okta.Factor{verify, second}, nil, "verify ost1 t1 123456, verify ost2 t1 123456, cancel t1"},
		{"one only", []okta.Factor{verify}, []okta.FactorType{okta.FactorTOTP}, "verify ost1 t1 123456, cancel t1"},
		{"beside another type", []okta.Factor{verify, symantec, second}, []okta.FactorType{okta.FactorTOTP},
			"type token:software:totp t1 123456, verify sym1 t1 123456, cancel t1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tx := required(tc.factors...)
			tx.FactorTypes = tc.types
			authn := scripted(refused(okta.CodeInvalidPassCode))
			_, err := run(t.Context(), authn.flow(), tx, want{PassCode: code})
			assertError(t, refused(okta.CodeInvalidPassCode), err)
			assert.Equal(t, tc.asked, authn.asked())
		})
	}
}
