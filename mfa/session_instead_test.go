package mfa_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file tests what happens where a service that is asked for a push finds out that it
// wants something else of the person.

// TestPushThatBecomesAPassCode: the method wants a passcode, and says which. A held login
// stays open for it.
func TestPushThatBecomesAPassCode(t *testing.T) {
	t.Parallel()
	needed := &mfa.PassCodeNeededError{What: "the code of your hardware token"}
	for name, wants := range map[string]func(*bench){
		"before the phone rings": func(b *bench) { b.phone.fails = mfa.MarkNotSent(needed) },
		"after it":               func(b *bench) { b.waits(); b.phone.decided <- needed },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(mfa.PushLimit{})
			wants(b)
			v := b.validation("")
			_, err := v.Continue(t.Context(), need(b.phone), nil)
			if err == nil { // the push waits
				<-(<-b.phone.rang).done
				_, err = v.Continue(t.Context(), need(b.phone), nil)
			}
			var missing *mfa.MissingError
			require.ErrorAs(t, err, &missing)
			assert.Equal(t, "the code of your hardware token", missing.Methods[0].Wants)
			assert.False(t, v.Over())
			b.phone.fails = nil
			_, err = v.Continue(t.Context(), need(b.phone), gave(map[string]string{"phone": "222222"}))
			require.NoError(t, err)
			assert.True(t, v.Passed())
		})
	}
}

// codeInstead sends a code where it is asked for a push.
type codeInstead struct {
	sms  okta.Factor
	sent int
}

func (c *codeInstead) Prepare(_ context.Context, _ mfa.Subject, given mfa.Credential) (mfa.Attempt, error) {
	if given.PassCode != "" {
		return mfa.Attempt{Verify: func(_ context.Context, x mfa.Exchange) error {
			x.Answered("mia", c.sms)
			return nil
		}}, nil
	}
	if c.sent > 0 { // it knows by then
		return mfa.Attempt{Sends: true, Factor: c.sms, By: "Acme", Rings: "mia", Verify: func(context.Context, mfa.Exchange) error {
			c.sent++
			return &mfa.CodeSentError{Factor: c.sms, By: "Acme"}
		}}, nil
	}
	return mfa.Attempt{Rings: "mia", Phone: "mia", Ring: func(context.Context, mfa.Exchange) (mfa.Push, error) {
		c.sent++
		return nil, &mfa.CodeSentError{Factor: c.sms, By: "Acme"}
	}}, nil
}

// TestPushThatBecomesACode: no other one is sent while it is good.
func TestPushThatBecomesACode(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{})
	c := &codeInstead{sms: okta.Factor{ID: "1", Type: okta.FactorSMS, Provider: okta.ProviderOkta}}
	required := []mfa.Required{{ID: "id of acme", Name: "acme", Method: c}}
	for i := range 3 {
		err := b.validation("").Run(t.Context(), required, nil)
		sent, ok := errors.AsType[*mfa.CodeSentError](err)
		require.True(t, ok, err)
		assert.Equal(t, mfa.CodeSentError{Factor: c.sms, By: "Acme", Again: i > 0}, *sent)
	}
	assert.Equal(t, 1, c.sent)
	require.NoError(t, b.validation("").Run(t.Context(), required, gave(map[string]string{"acme": "123456"})))
	require.Error(t, b.validation("").Run(t.Context(), required, nil))
	assert.Equal(t, 2, c.sent, "the last one has been used")
}

// TestCodeThatIsNotNeeded: a service that lets the person in where it would have sent a
// code has sent none.
func TestCodeThatIsNotNeeded(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{Failures: 1, Window: mfa.PollInterval})
	for range 3 {
		require.NoError(t, b.validation("").Run(t.Context(), need(b.text), nil), "it counts as no failure")
	}
}
