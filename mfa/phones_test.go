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

// TestPhones: which phones ring for one login, in what order, and what ends
// it. The further transactions are t2, t3 and so on.
func TestPhones(t *testing.T) {
	t.Parallel()
	two, three := required(phone, tablet), required(phone, tablet, watch)
	const pace = 400 * time.Millisecond
	five := required(phone, tablet, watch, app, okta.Factor{ID: "opf5", Type: okta.FactorPush, Provider: okta.ProviderOkta})
	ofEve := func(tx okta.Transaction) okta.Transaction { tx.User = eve; return tx }
	for _, tc := range []struct {
		name     string
		start    okta.Transaction
		want     want
		first    bool // the policy is of the first device only
		alone    bool // without Again
		noNumber bool
		answers  []answer
		err      error
		asked    string
		numbers  []mfa.Number
		pauses   int // between phones
	}{
		{name: "the first approves", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, cancel t2", pauses: 1},
		{name: "the second approves", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), waiting(phone), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, cancel t1", pauses: 1},
		{name: "the second approves at once", start: three,
			answers: said(waiting(phone), on("t2", three), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, cancel t1", pauses: 1},
		{name: "the first approves at once", start: two, answers: said(success(mia)), asked: "verify opf1 t1"},
		{name: "the last of three approves, after a warning", start: three,
			answers: said(waiting(phone), on("t2", three), on("t2", waiting(tablet)), on("t3", three), on("t3", waiting(watch)),
				waiting(phone), on("t2", waiting(tablet)), on("t3", state(okta.StatusPasswordWarn)), success(mia)),
			asked: "verify opf1 t1, again, verify opf2 t2, again, verify opf3 t3, verify opf1 t1, verify opf2 t2, verify opf3 t3, skip t3, cancel t1, cancel t2", pauses: 2},
		{name: "the first rejects", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), challenge(phone, okta.ResultRejected)),
			err:     mfa.ErrRejected, asked: "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, cancel t1, cancel t2", pauses: 1},
		{name: "the first's app is too old, and the second approves", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), challenge(phone, okta.ResultUpgradeRequired), on("t2", success(mia))),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, cancel t1", pauses: 1},
		{name: "the second rejects", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), waiting(phone), on("t2", challenge(tablet, okta.ResultRejected))),
			err:     mfa.ErrRejected, asked: "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, cancel t1, cancel t2", pauses: 1},
		{name: "the second rejects at once", start: three,
			answers: said(waiting(phone), on("t2", three), on("t2", challenge(tablet, okta.ResultRejected))),
			err:     mfa.ErrRejected, asked: "verify opf1 t1, again, verify opf2 t2, cancel t1, cancel t2", pauses: 1},
		{name: "the first rejects at once", start: two, answers: said(challenge(phone, okta.ResultRejected)),
			err: mfa.ErrRejected, asked: "verify opf1 t1, cancel t1"},
		{name: "the second's service says that it rejects", start: two,
			answers: said(waiting(phone), on("t2", two), refused(okta.CodeFactorRejected)),
			err:     refused(okta.CodeFactorRejected), asked: "verify opf1 t1, again, verify opf2 t2, cancel t1, cancel t2", pauses: 1},

		// One that fails.
		{name: "the second fails, the first approves", start: two,
			answers: said(waiting(phone), on("t2", two), broken(), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, cancel t2", pauses: 1},
		{name: "the first fails, the second approves", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), okta.ErrMalformed, on("t2", waiting(tablet)), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, verify opf2 t2, cancel t1", pauses: 1},
		{name: "the first times out, the second approves", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), challenge(phone, okta.ResultTimeout), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, cancel t1", pauses: 1},
		{name: "both fail: the first's reason", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), challenge(phone, okta.ResultTimeout), okta.ErrMalformed),
			err:     mfa.ErrPushTimeout, asked: "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, cancel t1, cancel t2", pauses: 1},
		{name: "the first cannot ring", start: two, answers: said(broken()), err: broken(), asked: "verify opf1 t1, cancel t1"},
		{name: "no second password", start: three, answers: said(waiting(phone), refused("E0000004"), success(mia)),
			asked: "verify opf1 t1, again, verify opf1 t1", pauses: 1},
		{name: "the second transaction wants no factor", start: two, answers: said(waiting(phone), success(mia), success(mia)),
			asked: "verify opf1 t1, again, verify opf1 t1", pauses: 1},
		{name: "the second transaction is a warning", start: two, answers: said(waiting(phone), on("t2", state(okta.StatusPasswordWarn)), success(mia)),
			asked: "verify opf1 t1, again, verify opf1 t1, cancel t2", pauses: 1},
		{name: "the second transaction is somebody else's", start: two, answers: said(waiting(phone), on("t2", ofEve(two)), success(mia)),
			asked: "verify opf1 t1, again, verify opf1 t1, cancel t2", pauses: 1},
		{name: "the second approves somebody else", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), waiting(phone), success(eve), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, verify opf1 t1", pauses: 1},
		{name: "the second answers with another's challenge", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(phone)), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, cancel t2", pauses: 1},

		// How many.
		{name: "four at most", start: five,
			answers: said(waiting(phone), on("t2", five), on("t2", waiting(tablet)), on("t3", five), on("t3", waiting(watch)), on("t4", five),
				on("t4", waiting(app)), success(mia)),
			asked: "verify opf1 t1, again, verify opf2 t2, again, verify opf3 t3, again, verify opf9 t4, verify opf1 t1, cancel t2, cancel t3, cancel t4", pauses: 3},
		{name: "the first device only", start: three, first: true, answers: said(waiting(phone), success(mia)), asked: "verify opf1 t1, verify opf1 t1"},
		{name: "no way to verify the password again", start: three, alone: true, answers: said(waiting(phone), success(mia)), asked: "verify opf1 t1, verify opf1 t1"},
		{name: "one by name", start: three, want: want{Device: "tablet"}, answers: said(waiting(tablet), success(mia)), asked: "verify opf2 t1, verify opf2 t1"},
		{name: "one by id", start: three, want: want{Device: "opf3"}, answers: said(waiting(watch), success(mia)), asked: "verify opf3 t1, verify opf3 t1"},
		{name: "those of one provider", start: required(phone, app, tablet), want: want{Provider: okta.ProviderOkta},
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, cancel t2", pauses: 1},
		{name: "the same phone twice in the list", start: required(phone, phone), answers: said(waiting(phone), success(mia)),
			asked: "verify opf1 t1, verify opf1 t1"},

		// Numbers.
		{name: "number in the first answer", start: three, answers: said(number(phone, 47), success(mia)),
			asked: "verify opf1 t1, verify opf1 t1", numbers: []mfa.Number{{Answer: 47, Device: "Phone 1"}}},
		{name: "number in the second phone's first answer", start: three,
			answers: said(waiting(phone), on("t2", three), on("t2", number(tablet, 0)), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, cancel t1, verify opf2 t2", numbers: []mfa.Number{{Answer: 0, Device: "Tablet"}}, pauses: 1},
		{name: "number at the first phone, later", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), number(phone, 7), number(phone, 7), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, cancel t2, verify opf1 t1, verify opf1 t1",
			numbers: []mfa.Number{{Answer: 7, Device: "Phone 1"}, {Answer: 7, Device: "Phone 1"}}, pauses: 1},
		{name: "number at the second phone, later", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), waiting(phone), on("t2", number(tablet, 99)), success(mia)),
			asked:   "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, cancel t1, verify opf2 t2",
			numbers: []mfa.Number{{Answer: 99, Device: "Tablet"}}, pauses: 1},
		{name: "number at the second phone, and then no", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", number(tablet, 99)), on("t2", challenge(tablet, okta.ResultRejected))),
			err:     mfa.ErrRejected, asked: "verify opf1 t1, again, verify opf2 t2, cancel t1, verify opf2 t2, cancel t2",
			numbers: []mfa.Number{{Answer: 99, Device: "Tablet"}}, pauses: 1},
		{name: "number at the second phone, and then it fails", start: two,
			answers: said(waiting(phone), on("t2", two), on("t2", number(tablet, 99)), okta.ErrMalformed),
			err:     okta.ErrMalformed, asked: "verify opf1 t1, again, verify opf2 t2, cancel t1, verify opf2 t2, cancel t2",
			numbers: []mfa.Number{{Answer: 99, Device: "Tablet"}}, pauses: 1},
		{name: "number for nobody, at the second phone", start: two, noNumber: true,
			answers: said(waiting(phone), on("t2", two), on("t2", waiting(tablet)), waiting(phone), on("t2", number(tablet, 99))),
			err:     mfa.ErrNumberChallenge, asked: "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, cancel t1, cancel t2", pauses: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			authn := &script{answers: tc.answers}
			clock := newClock()
			flow := authn.flow()
			flow.Policy.AllDevices, flow.Clock = !tc.first, clock
			var numbers []mfa.Number
			flow.Show = func(n mfa.Number) {
				assert.Equal(t, noon.Add(5*time.Minute), n.ExpiresAt)
				n.ExpiresAt = time.Time{}
				numbers = append(numbers, n)
			}
			if tc.noNumber {
				flow.Show = nil
			}
			if tc.alone {
				flow.Again = nil
			}
			l, err := run(t.Context(), flow, tc.start, tc.want)
			assertError(t, tc.err, err)
			if tc.err == nil {
				assert.Equal(t, mia, whom(l))
			} else {
				assert.Zero(t, whom(l))
			}
			assert.True(t, l.Challenged())
			assert.Equal(t, tc.asked, authn.asked())
			assert.Equal(t, tc.numbers, numbers)
			pauses := 0
			for _, d := range clock.sleeps() {
				if d < time.Second { // no question about a push comes so soon
					assert.GreaterOrEqual(t, d, pace)
					pauses++
				}
			}
			assert.Equal(t, tc.pauses, pauses)
		})
	}
}

// TestPhonesEnd: the wait for all phones ends with the transactions' life, and
// all are cancelled.
func TestPhonesEnd(t *testing.T) {
	t.Parallel()
	authn := scripted(waiting(phone), on("t2", required(phone, tablet)), on("t2", waiting(tablet)))
	for range 150 {
		authn.add(waiting(phone), on("t2", waiting(tablet)))
	}
	flow := authn.flow()
	flow.Policy.AllDevices = true
	_, err := run(t.Context(), flow, required(phone, tablet), want{})
	assert.ErrorIs(t, err, mfa.ErrPushTimeout)
	assert.Contains(t, authn.asked(), "cancel t1, cancel t2")
	waited := flow.Clock.Now().Sub(noon)
	assert.Less(t, waited, mfa.MaxWait+3*time.Second)
}

// TestPhonesAndContext: when the caller leaves, all phones are told.
func TestPhonesAndContext(t *testing.T) {
	t.Parallel()
	for at, asked := range map[int]string{
		1: "verify opf1 t1, cancel t1",
		2: "verify opf1 t1, again, cancel t1",
		3: "verify opf1 t1, again, verify opf2 t2, cancel t1, cancel t2",
		4: "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, cancel t1, cancel t2",
		5: "verify opf1 t1, again, verify opf2 t2, verify opf1 t1, verify opf2 t2, cancel t1, cancel t2",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		authn := scripted(waiting(phone), on("t2", required(phone, tablet)), on("t2", waiting(tablet)), waiting(phone), on("t2", waiting(tablet)))
		n := 0
		authn.each = func() {
			if n++; n == at {
				cancel()
			}
		}
		flow := authn.flow()
		flow.Policy.AllDevices = true
		l, err := run(ctx, flow, required(phone, tablet), want{})
		require.ErrorIs(t, err, context.Canceled, at)
		assert.True(t, l.Over(), at)
		assert.Equal(t, asked, authn.asked(), at)
		assert.NoError(t, authn.cancelErr, at)
	}
}

// TestFurtherPhonesRingForTheNewestCaller: Okta is told of who collects the token, and
// not of who began the login, also by the transactions of further phones.
func TestFurtherPhonesRingForTheNewestCaller(t *testing.T) {
	t.Parallel()
	began := scripted()
	flow := began.flow()
	flow.Hold, flow.Policy.AllDevices = true, true
	s, err := flow.Begin(t.Context(), required(phone, tablet, verify), mfa.Input{Want: want{Kind: mfa.KindTOTP}})
	require.NoError(t, err)
	collects := scripted(waiting(phone), on("t2", required(phone, tablet)), on("t2", waiting(tablet)))
	now := flow
	now.Okta, now.Again = collects, collects.again
	_, err = s.Continue(t.Context(), now, mfa.Input{Want: want{Kind: mfa.KindPush}})
	require.NoError(t, err)
	assert.Equal(t, "verify opf1 t1, again, verify opf2 t2", collects.asked())
	assert.Empty(t, began.asked())
}
