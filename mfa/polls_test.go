package mfa_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestWaitEnds: however far apart questions are, a push that nobody answers is given
// up when it expires, and is asked about a moment before that.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
	begin := m.clock.Now()
	const life = 3 * time.Minute // less than a login waits
	short := func(tx okta.Transaction) okta.Transaction {
		tx.ExpiresAt = begin.Add(life)
		return tx
	}
	authn := scripted(short(waiting(phone)))
	var asked []time.Duration
	authn.each = func() { asked = append(asked, m.clock.Now().Sub(begin)) }
	flow := m.flow(authn, ours)
	flow.Limit = func() okta.RateLimit { return okta.RateLimit{Limit: 600, Reset: begin.Add(time.Hour)} }
	_, err := run(t.Context(), flow, short(required(phone)), want{})
	require.ErrorIs(t, err, mfa.ErrPushTimeout)
	assert.Less(t, len(asked), int(life/(15*time.Second)), "Okta has nothing left")
	assert.InDelta(t, (life - time.Second).Seconds(), asked[len(asked)-1].Seconds(), 0.1)
	assert.InDelta(t, life.Seconds(), m.clock.Now().Sub(begin).Seconds(), 0.1)
}

// TestPhonesShareTheLimit: where little is left of Okta's limit, a login with two
// phones asks about each half as often.
func TestPhonesShareTheLimit(t *testing.T) {
	t.Parallel()
	count := func(phones ...okta.Factor) (asked int) {
		m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
		var answers []any
		for range 300 {
			for _, f := range phones {
				answers = append(answers, waiting(f))
			}
		}
		authn := scripted(answers...)
		authn.each = func() { asked++ }
		flow := m.flow(authn, ours)
		flow.Again = func(context.Context) (okta.Transaction, error) { return required(phones...), nil }
		flow.Policy.AllDevices = true
		flow.Limit = func() okta.RateLimit {
			return okta.RateLimit{Limit: 600, Remaining: 20, Reset: m.clock.Now().Add(time.Minute)}
		}
		_, err := run(t.Context(), flow, required(phones...), want{})
		require.ErrorIs(t, err, mfa.ErrPushTimeout)
		return asked
	}
	one, two := count(phone), count(phone, tablet)
	assert.InDelta(t, 50, one, 10)
	assert.InDelta(t, one, two, 10)
}

// TestLastQuestionAboutEachPhone: a slow answer about one phone at the end of the
// wait does not make the question about the next one late.
func TestLastQuestionAboutEachPhone(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
	begin := m.clock.Now()
	life := required(phone).ExpiresAt.Sub(begin)
	var answers []any
	for range 300 {
		answers = append(answers, waiting(phone), waiting(tablet))
	}
	authn := scripted(answers...)
	slow := false
	authn.each = func() {
		if !slow && m.clock.Now().Sub(begin) > life-2100*time.Millisecond {
			slow = true
			m.clock.Advance(3 * time.Second)
			authn.answers = said(waiting(phone), success(mia))
		}
	}
	flow := m.flow(authn, ours)
	flow.Again = func(context.Context) (okta.Transaction, error) { return required(phone, tablet), nil }
	flow.Policy.AllDevices = true
	_, err := run(t.Context(), flow, required(phone, tablet), want{})
	assert.NoError(t, err)
	assert.True(t, slow)
}

// TestContinueByNewLimit: who goes on with a login after a change of the
// configuration asks Okta by what the new client has been told of the limit.
func TestContinueByNewLimit(t *testing.T) {
	t.Parallel()
	m := newMount(mfa.PushLimit{Failures: 3, Window: 10 * time.Minute})
	authn := scripted(m.fresh(waiting(phone)))
	flow := m.flow(authn, ours)
	flow.Hold = true
	flow.Limit = func() okta.RateLimit { return okta.RateLimit{} }
	l, err := flow.Begin(t.Context(), m.fresh(required(phone)), mfa.Input{Want: want{}})
	require.NoError(t, err)
	defer l.Close(t.Context())
	m.clock.Advance(due)
	now, asked := flow, 0
	now.Limit = func() okta.RateLimit { asked++; return okta.RateLimit{} }
	_, err = l.Continue(t.Context(), now, mfa.Input{Want: want{}})
	require.NoError(t, err)
	assert.NotZero(t, asked)
}

// TestPollsAreSoonWhereOktaHasRoom: about once a second in the time in which people
// approve, and at the ordinary pace afterwards, or where the limit is not ample.
func TestPollsAreSoonWhereOktaHasRoom(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		limit okta.RateLimit
		soon  bool
	}{
		"ample":       {okta.RateLimit{Limit: 600, Remaining: 500, Reset: noon.Add(time.Minute)}, true},
		"half":        {okta.RateLimit{Limit: 600, Remaining: 300, Reset: noon.Add(time.Minute)}, false},
		"not known":   {okta.RateLimit{}, false},
		"running out": {okta.RateLimit{Limit: 600, Remaining: 10, Reset: noon.Add(time.Minute)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(mfa.PushLimit{})
			answers := []any{waiting(phone)}
			for range 30 {
				answers = append(answers, waiting(phone))
			}
			flow := m.flow(scripted(append(answers, success(mia))...), ours)
			flow.Limit = func() okta.RateLimit { return row.limit }
			_, err := run(t.Context(), flow, required(phone), want{})
			require.NoError(t, err)
			at, early := time.Duration(0), 0
			for _, d := range m.clock.sleeps() {
				if at += d; at <= 12*time.Second {
					early++
				}
			}
			assert.Equal(t, row.soon, early > 8, "%d polls in the first 12 s", early)
			last := m.clock.sleeps()[29]
			assert.GreaterOrEqual(t, last, mfa.PollInterval)
		})
	}
}
