package mfa_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestOktaMethodPush: one push, whatever becomes of it, which is taken back
// exactly where Okta has not decided it.
func TestOktaMethodPush(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		script  []string
		err     error
		polls   int
		deleted int
	}{
		{"approved", []string{"WAITING", "WAITING", "SUCCESS"}, nil, 3, 0},
		{"approved at the first poll", []string{"WAITING", "SUCCESS"}, nil, 2, 0},
		{"approved at once", []string{"SUCCESS"}, nil, 0, 0},
		{"pending", []string{"E0000070", "WAITING", "E0000070", "E0000070", "SUCCESS"}, nil, 5, 0},
		{"pending, then rejected", []string{"E0000070", "REJECTED"}, mfa.ErrRejected, 2, 0},
		{"rejected", []string{"WAITING", "REJECTED"}, mfa.ErrRejected, 2, 0},
		{"rejected at once", []string{"REJECTED"}, mfa.ErrRejected, 0, 0},
		{"too old an app", []string{"WAITING", "OKTA_VERIFY_UPGRADE_REQUIRED"}, mfa.ErrAppTooOld, 2, 0},
		{"too old an app, at once", []string{"OKTA_VERIFY_UPGRADE_REQUIRED"}, mfa.ErrAppTooOld, 0, 0},
		{"timed out", []string{"WAITING", "TIMEOUT"}, mfa.ErrPushTimeout, 2, 0},
		{"expired", []string{"WAITING", "EXPIRED"}, mfa.ErrPushTimeout, 2, 0},
		{"cancelled", []string{"WAITING", "CANCELLED"}, mfa.ErrCancelled, 2, 0},
		{"canceled", []string{"WAITING", "CANCELED"}, mfa.ErrCancelled, 2, 0},
		{"failed", []string{"WAITING", "ERROR"}, mfa.ErrFactorFailed, 2, 0},
		{"failed otherwise", []string{"WAITING", "FAILED"}, mfa.ErrFactorFailed, 2, 0},
		{"unknown", []string{"WAITING", "MAYBE"}, errStrange, 2, 1},
		{"in small letters", []string{"WAITING", "success"}, errStrange, 2, 1},
		{"no result", []string{"WAITING", ""}, okta.ErrMalformed, 2, 1},
		{"a code", []string{"WAITING", "CHALLENGE"}, errStrange, 2, 1},
		{"unknown at once", []string{"MAYBE"}, errStrange, 0, 0}, // there is no link to take it back by
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{ExtraFields: true})
			o.deaf = true
			phone, second := o.user.AddPush(tc.script...), o.user.AddPush("SUCCESS")
			assertError(t, tc.err, o.satisfy(t, o.method(), mfa.Credential{}))
			assert.Equal(t, 1, phone.Pushes())
			assert.Equal(t, tc.polls, phone.Polls())
			assert.Len(t, o.clock.sleeps(), tc.polls)
			assert.Equal(t, tc.deleted, o.deleted())
			assert.Zero(t, phone.Waiting())
			assert.Zero(t, second.Pushes())
		})
	}
}

// TestOktaMethodPollInterval: Okta allows 20 requests of a user in 5 s.
func TestOktaMethodPollInterval(t *testing.T) {
	t.Parallel()
	o := newFactorsOrg(t, oktatest.Options{})
	phone := o.user.AddPush()
	o.clock.each = func(n int) {
		if n == 30 {
			phone.Approve()
		}
	}
	require.NoError(t, o.satisfy(t, o.method(), mfa.Credential{}))
	sleeps := o.clock.sleeps()
	require.Len(t, sleeps, 30)
	different := map[time.Duration]bool{}
	for i, d := range sleeps {
		least := mfa.PollInterval
		if i == 0 {
			least = time.Second // the first ones are spread wider
		}
		assert.GreaterOrEqual(t, d, least)
		assert.Less(t, d, mfa.PollInterval+500*time.Millisecond)
		different[d] = true
	}
	assert.Greater(t, len(different), 15)
	last := noon.Add(-time.Second)
	for _, r := range o.Requests() {
		if strings.Contains(r.Path, "/transactions/") {
			assert.GreaterOrEqual(t, r.Time.Sub(last), time.Second)
			last = r.Time
		}
	}
	assert.Equal(t, 30, phone.Polls())
}

// TestOktaMethodPushEnds: at Okta's end of it or at the end of the patience,
// whichever comes first, and then it is taken back.
func TestOktaMethodPushEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		life, patience time.Duration
		ends           time.Duration
		withdrawn      int
	}{
		{"Okta's end", time.Minute, time.Hour, time.Minute, 0},
		{"ours", time.Hour, 90 * time.Second, 90 * time.Second, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{ChallengeLife: tc.life})
			o.patience = tc.patience
			phone := o.user.AddPush().Number(7, 0)
			err := o.satisfy(t, o.method(), mfa.Credential{})
			assert.ErrorIs(t, err, mfa.ErrPushTimeout)
			assert.False(t, mfa.NotSent(err))
			require.Len(t, o.said, 1)
			assert.True(t, strings.HasPrefix(o.said[0], "show 7 Phone 1 1m"), o.said)
			waited := o.clock.Now().Sub(noon)
			assert.Greater(t, waited, tc.ends-30*time.Second) // the time of the machine counts, too
			assert.Less(t, waited, tc.ends+3*time.Second)
			assert.Equal(t, []int{1, tc.withdrawn, 0}, []int{phone.Pushes(), phone.Withdrawn(), phone.Waiting()})
			assert.GreaterOrEqual(t, o.deleted(), tc.withdrawn) // Okta's own end may come first
			for _, r := range o.Requests() {
				if strings.Contains(r.Path, "/transactions/") && r.Method == http.MethodGet {
					// Okta's clock tells whole seconds.
					assert.Less(t, r.Time.Sub(noon), tc.ends+time.Second, "nobody asks after the end")
				}
			}
		})
	}
}

// TestOktaMethodNumber: the person is told the number before anybody is told
// that the phone rings, and again where it has changed.
func TestOktaMethodNumber(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		number     int
		deaf       bool
		numberOnly bool
		err        error
		said       []string
		pushes     int
	}{
		{name: "shown", number: 47, said: []string{"show 47 Phone 1 5m0s"}, pushes: 1},
		{name: "zero", number: 0, said: []string{"show 0 Phone 1 5m0s"}, pushes: 1},
		{name: "no way to show one", number: 47, deaf: true, pushes: 1},
		{name: "number only", number: 47, numberOnly: true, said: []string{"show 47 Phone 1 5m0s"}, pushes: 1},
		{name: "number only, no way to show one", number: 47, numberOnly: true, deaf: true, err: mfa.ErrNumberChallenge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{})
			o.deaf = tc.deaf
			phone := o.user.AddPush("WAITING", "WAITING", "SUCCESS").Number(tc.number, 0)
			m := o.method()
			m.NumberOnly = tc.numberOnly
			err := o.satisfy(t, m, mfa.Credential{})
			assertError(t, tc.err, err)
			assert.Equal(t, tc.err != nil, mfa.NotSent(err))
			assert.Equal(t, tc.said, o.said)
			assert.Equal(t, tc.pushes, phone.Pushes())
			assert.Equal(t, tc.pushes, o.challenges(phone))
			assert.Zero(t, o.deleted())
			for _, r := range o.Requests() {
				if strings.HasSuffix(r.Path, "/verify") {
					assert.Equal(t, !tc.deaf, len(r.Body) > 0, "a plain push has no body")
				}
			}
		})
	}
}

// TestOktaMethodNumberAnswers: what Okta makes of the number that it was asked
// for.
func TestOktaMethodNumberAnswers(t *testing.T) {
	t.Parallel()
	plain := okta.FactorTransaction{Result: okta.ResultWaiting, ExpiresAt: noon.Add(time.Minute)}
	number := func(n int) okta.FactorTransaction {
		with := plain
		with.Challenge = &okta.Challenge{CorrectAnswer: n}
		return with
	}
	success := okta.FactorTransaction{Result: okta.ResultSuccess}
	for _, tc := range []struct {
		name       string
		numberOnly bool
		answers    []okta.FactorTransaction
		err        error
		said       []string
		asked      string
	}{
		{"stays", false, []okta.FactorTransaction{number(7), number(7), number(7), success}, nil,
			[]string{"show 7 Phone 1 1m0s"}, "poll, poll, poll"},
		{"left out of an answer", true, []okta.FactorTransaction{number(7), plain, number(7), success}, nil,
			[]string{"show 7 Phone 1 1m0s"}, "poll, poll, poll"},
		{"changes", true, []okta.FactorTransaction{number(7), number(8), number(0), success}, nil,
			[]string{"show 7 Phone 1 1m0s", "show 8 Phone 1 1m0s", "show 0 Phone 1 1m0s"}, "poll, poll, poll"},
		{"late", false, []okta.FactorTransaction{plain, number(7), success}, nil,
			[]string{"show 7 Phone 1 1m0s"}, "poll, poll"},
		{"none", false, []okta.FactorTransaction{plain, success}, nil, nil, "poll"},
		{"none, number only", true, []okta.FactorTransaction{plain, number(7), success}, errStrange, nil, "cancel <nil>"},
		{"approved without", true, []okta.FactorTransaction{success}, errStrange, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			api := &factorsScript{factors: []okta.Factor{with("ACTIVE", phone)}, answers: tc.answers}
			m := api.method()
			m.NumberOnly = tc.numberOnly
			o := &factorsOrg{org: &org{mount: newMount(mfa.PushLimit{})}}
			assertError(t, tc.err, o.satisfyAs(t.Context(), elsewhere(login), m, mfa.Credential{}))
			assert.Equal(t, tc.said, o.said)
			asked := strings.TrimSuffix("account "+login+", factors 00u1mia, challenge opf1 true, "+tc.asked, ", ")
			assert.Equal(t, asked, api.asked())
		})
	}
}

// TestOktaMethodAbandoned: nobody can approve any more what nobody waits for.
func TestOktaMethodAbandoned(t *testing.T) {
	t.Parallel()
	for sleep := 1; sleep <= 3; sleep++ {
		t.Run(fmt.Sprint("in wait ", sleep), func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{})
			phone := o.user.AddPush()
			ctx, cancel := context.WithCancel(t.Context())
			o.clock.each = func(n int) {
				if n == sleep {
					cancel()
				}
			}
			err := o.satisfyAs(ctx, o.who(), o.method(), mfa.Credential{})
			assert.ErrorIs(t, err, context.Canceled)
			assert.False(t, mfa.NotSent(err))
			assert.Equal(t, []int{1, sleep - 1, 1, 1, 0},
				[]int{phone.Pushes(), phone.Polls(), o.deleted(), phone.Withdrawn(), phone.Waiting()})
		})
	}
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		o := newFactorsOrg(t, oktatest.Options{})
		phone := o.user.AddPush()
		attempt, err := o.method().Prepare(t.Context(), o.who(), mfa.Credential{})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = attempt.Ring(ctx, mfa.Exchange{})
		assert.ErrorIs(t, err, context.Canceled)
		assert.True(t, mfa.NotSent(err))
		assert.Zero(t, phone.Pushes())
	})
	t.Run("during the push", func(t *testing.T) {
		t.Parallel()
		o := newFactorsOrg(t, oktatest.Options{})
		phone := o.user.AddPush()
		released := make(chan struct{})
		o.Fail("verifyfactor", oktatest.Meanwhile(func() { <-released }).Times(1))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.satisfyAs(ctx, o.who(), o.method(), mfa.Credential{}) }()
		require.Eventually(t, func() bool {
			all := o.Requests()
			return len(all) > 0 && strings.HasSuffix(all[len(all)-1].Path, "/verify")
		}, patience, time.Millisecond)
		cancel()
		close(released)
		err := <-done
		assert.ErrorIs(t, err, context.Canceled)
		assert.False(t, mfa.NotSent(err), "the phone may have rung")
		assert.Equal(t, []int{1, 1}, []int{phone.Pushes(), phone.Withdrawn()}, "it is sent, and taken back")
	})
	t.Run("the farewell has its own time", func(t *testing.T) {
		t.Parallel()
		api := &factorsScript{factors: []okta.Factor{with("ACTIVE", phone)}, answers: []okta.FactorTransaction{{Result: okta.ResultWaiting}}}
		ctx, cancel := context.WithCancel(t.Context())
		o := &factorsOrg{org: &org{mount: newMount(mfa.PushLimit{})}}
		o.clock.each = func(int) { cancel() }
		assert.ErrorIs(t, o.satisfyAs(ctx, elsewhere(login), api.method(), mfa.Credential{}), context.Canceled)
		assert.True(t, strings.HasSuffix(api.asked(), "challenge opf1 true, cancel <nil>"), api.asked())
	})
}

// TestOktaMethodRateLimit: where Okta wants to be left alone for a while, it is,
// as long as the push waits.
func TestOktaMethodRateLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		fault  oktatest.Fault
		waited time.Duration // more than that
		polls  int           // sent
		passes bool
	}{
		{"waited out", oktatest.RateLimited(0, 30*time.Second).Times(1), 30 * time.Second, 2, true},
		{"waited out twice", oktatest.RateLimited(0, 30*time.Second).Times(2), time.Minute, 3, true},
		{"nobody says for how long", oktatest.RateLimitedBare().Times(1), 10 * time.Second, 2, true},
		{"too long", oktatest.RateLimited(0, 3*time.Minute).Times(1), 0, 1, false},
		{"too often", oktatest.RateLimited(0, 50*time.Second), 100 * time.Second, 3, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{})
			o.patience = 2 * time.Minute
			phone := o.user.AddPush("SUCCESS")
			phone.SetScript("WAITING", "SUCCESS")
			o.Fail("transaction", tc.fault)
			o.Fail("transaction", oktatest.Body(200, "application/json", `{"factorResult":"SUCCESS"}`))
			err := o.satisfy(t, o.method(), mfa.Credential{})
			polls := 0
			for _, r := range o.Requests() {
				if strings.Contains(r.Path, "/transactions/") && r.Method == http.MethodGet {
					polls++
				}
			}
			assert.Equal(t, tc.polls, polls)
			waited := o.clock.Now().Sub(noon)
			assert.Greater(t, waited, tc.waited)
			assert.Less(t, waited, tc.waited+10*time.Second)
			assert.Equal(t, 1, phone.Pushes())
			if tc.passes {
				assert.NoError(t, err)
				return
			}
			assertError(t, refused("E0000047"), err)
			assert.False(t, mfa.NotSent(err))
			assert.Equal(t, 1, phone.Withdrawn())
		})
	}
}

// TestOktaMethodPollFails: a push whose end cannot be learned is taken back, and
// none is sent in its place.
func TestOktaMethodPollFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		oktatest.Fault
		err error
	}{
		"403":               {oktatest.Status(403, "E0000006", "You do not have permission"), refused(okta.CodeAccessDenied)},
		"404":               {oktatest.Status(404, "E0000007", "Not found"), refused(okta.CodeNotFound)},
		"redirect":          {oktatest.Redirect(307, "/api/v1/users/me"), okta.ErrMalformed},
		"HTML":              {oktatest.HTML(200), okta.ErrMalformed},
		"truncated":         {oktatest.TruncatedJSON(), okta.ErrMalformed},
		"5 MB":              {oktatest.HugeBody(5 << 20), okta.ErrMalformed},
		"nothing":           {oktatest.Body(200, "application/json", "{}"), okta.ErrMalformed},
		"null":              {oktatest.Body(200, "application/json", "null"), okta.ErrMalformed},
		"success by status": {oktatest.Body(200, "application/json", `{"status":"SUCCESS"}`), okta.ErrMalformed},
		"unknown result":    {oktatest.Body(200, "application/json", `{"factorResult":"APPROVED"}`), errStrange},
	} {
		for after, when := range []string{"the first poll", "the second poll"} {
			t.Run(name+" at "+when, func(t *testing.T) {
				t.Parallel()
				o := newFactorsOrg(t, oktatest.Options{})
				phone := o.user.AddPush()
				o.Fail("transaction", tc.After(after))
				err := o.satisfy(t, o.method(), mfa.Credential{})
				assertError(t, tc.err, err)
				assert.False(t, mfa.NotSent(err))
				assert.Equal(t, []int{1, after, 1, 1, 0},
					[]int{phone.Pushes(), phone.Polls(), o.deleted(), phone.Withdrawn(), phone.Waiting()})
			})
		}
	}
}

// TestOktaMethodPendingForEver: E0000070 alone does not let anybody wait for longer.
func TestOktaMethodPendingForEver(t *testing.T) {
	t.Parallel()
	o := newFactorsOrg(t, oktatest.Options{})
	phone := o.user.AddPush()
	o.Fail("transaction", oktatest.Accepted202())
	assertError(t, mfa.ErrPushTimeout, o.satisfy(t, o.method(), mfa.Credential{}))
	assert.Equal(t, []int{1, 0, 1}, []int{phone.Pushes(), phone.Waiting(), o.deleted()})
	assert.LessOrEqual(t, o.clock.Now().Sub(noon), mfa.MaxWait+time.Second)
}

// TestOktaMethodPollIsAskedAgain: a failed question about a push does not end it, and an
// answer that was lost counts. Where Okta fails until the end, that is the reason.
func TestOktaMethodPollIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]oktatest.Fault{
		"closed connection": oktatest.CloseConnection().Delivered(),
		"page":              oktatest.HTML(502),
		"500":               oktatest.Status(500, "E0000009", "Internal Server Error").Delivered(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{})
			phone := o.user.AddPush("WAITING", "SUCCESS")
			o.Fail("transaction", fault.Times(1))
			require.NoError(t, o.satisfy(t, o.method(), mfa.Credential{}))
			assert.Equal(t, 1, phone.Pushes())
		})
	}
	t.Run("the answer that it is over", func(t *testing.T) {
		t.Parallel()
		o := newFactorsOrg(t, oktatest.Options{})
		phone := o.user.AddPush("WAITING", "SUCCESS")
		o.Fail("transaction", oktatest.CloseConnection().Delivered().After(1).Times(1))
		assert.ErrorIs(t, o.satisfy(t, o.method(), mfa.Credential{}), okta.ErrUnreachable)
		assert.Equal(t, 1, phone.Pushes())
	})
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		o := newFactorsOrg(t, oktatest.Options{})
		phone := o.user.AddPush()
		o.Fail("transaction", oktatest.HTML(503))
		err := o.satisfy(t, o.method(), mfa.Credential{})
		assertError(t, &okta.Error{HTTPStatus: 503}, err)
		assert.Equal(t, []int{1, 1}, []int{phone.Pushes(), o.deleted()})
	})
}

// TestOktaMethodChallengeFails: only what Okta has refused has not been sent.
func TestOktaMethodChallengeFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault   oktatest.Fault
		err     error
		notSent bool
	}{
		"400":               {oktatest.Status(400, "E0000001", "The request is not valid"), refused("E0000001"), true},
		"401":               {oktatest.Status(401, "E0000011", "The token is not good"), refused(okta.CodeInvalidToken), true},
		"403":               {oktatest.Status(403, "E0000006", "You do not have permission"), refused(okta.CodeAccessDenied), true},
		"404":               {oktatest.Status(404, "E0000007", "Not found"), refused(okta.CodeNotFound), true},
		"429":               {oktatest.RateLimited(0, time.Second), refused("E0000047"), true},
		"500":               {oktatest.Status(500, "E0000009", "Internal Server Error").Delivered(), broken(), false},
		"503 of a proxy":    {oktatest.HTML(503).Delivered(), &okta.Error{HTTPStatus: 503}, false},
		"closed connection": {oktatest.CloseConnection().Delivered(), okta.ErrUnreachable, false},
		"redirect":          {oktatest.Redirect(307, "/api/v1/users/me").Delivered(), okta.ErrMalformed, false},
		"HTML":              {oktatest.HTML(200).Delivered(), okta.ErrMalformed, false},
		"truncated":         {oktatest.TruncatedJSON().Delivered(), okta.ErrMalformed, false},
		"202":               {oktatest.Accepted202().Delivered(), refused("E0000070"), false},
		"null":              {oktatest.Body(201, "application/json", "null").Delivered(), okta.ErrMalformed, false},
		"links elsewhere": {oktatest.Body(201, "application/json",
			`{"factorResult":"WAITING","_links":{"poll":{"href":"https://evil.test/api/v1/users/me"}}}`).Delivered(), okta.ErrMalformed, false},
		"no links": {oktatest.Body(201, "application/json", `{"factorResult":"WAITING"}`).Delivered(), okta.ErrMalformed, false},
	} {
		for _, kind := range []mfa.Kind{mfa.KindPush, mfa.KindSMS} {
			if kind == mfa.KindSMS && strings.Contains(name, "links") {
				continue // a code has none
			}
			t.Run(name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				o := newFactorsOrg(t, oktatest.Options{})
				device := o.user.AddPush()
				if kind == mfa.KindSMS {
					device = o.user.AddFactor("sms", "OKTA")
				}
				o.Fail("verifyfactor", tc.fault)
				err := o.satisfy(t, o.method(kind), mfa.Credential{})
				assertError(t, tc.err, err)
				assert.Equal(t, tc.notSent, mfa.NotSent(err))
				sent := 1
				if tc.notSent {
					sent = 0
				}
				assert.Equal(t, sent, device.Sent())
				assert.Equal(t, 1, o.challenges(device), "nobody tries again")
			})
		}
	}
	t.Run("no API token", func(t *testing.T) {
		t.Parallel()
		api := &factorsScript{factors: []okta.Factor{with("ACTIVE", phone)}}
		attempt, err := api.method().Prepare(t.Context(), elsewhere(login), mfa.Credential{})
		require.NoError(t, err)
		api.err = okta.ErrNoAPIToken
		_, err = attempt.Ring(t.Context(), mfa.Exchange{})
		assert.ErrorIs(t, err, okta.ErrNoAPIToken)
		assert.True(t, mfa.NotSent(err))
	})
}
