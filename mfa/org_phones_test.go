package mfa_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestPhonesAtOrg: five phones, of which four ring; what one of them says, and
// what becomes of the others.
func TestPhonesAtOrg(t *testing.T) {
	t.Parallel()
	type phones = []*oktatest.Factor
	at := func(n int, do func(f phones)) func(o *org, f phones) {
		return func(o *org, f phones) {
			o.clock.each = func(sleep int) {
				if sleep == n {
					do(f)
				}
			}
		}
	}
	for _, tc := range []struct {
		name    string
		arrange func(o *org, f phones)
		want    want
		flow    func(*mfa.Flow)
		err     error
		pushes  []int
		numbers int
		device  string
	}{
		{name: "the first approves", arrange: at(5, func(f phones) { f[0].Approve() }), pushes: []int{1, 1, 1, 1, 0}},
		{name: "the fourth approves", arrange: at(5, func(f phones) { f[3].Approve() }), pushes: []int{1, 1, 1, 1, 0}},
		{name: "the second approves before the fourth rings", arrange: at(3, func(f phones) { f[1].Approve() }), pushes: []int{1, 1, 1, 1, 0}},
		{name: "the third approves at once", arrange: func(_ *org, f phones) { f[2].SetScript("SUCCESS") }, pushes: []int{1, 1, 1, 0, 0}},
		{name: "the third rejects", arrange: at(6, func(f phones) { f[2].Reject() }), err: mfa.ErrRejected, pushes: []int{1, 1, 1, 1, 0}},
		{name: "one rejects, a later one approves", arrange: at(5, func(f phones) { f[0].Reject(); f[1].Approve() }), err: mfa.ErrRejected, pushes: []int{1, 1, 1, 1, 0}},
		{name: "nobody answers", arrange: func(*org, phones) {}, err: mfa.ErrPushTimeout, pushes: []int{1, 1, 1, 1, 0}},
		{name: "one by name", want: want{Device: "phone 5"}, arrange: at(1, func(f phones) { f[4].Approve() }), pushes: []int{0, 0, 0, 0, 1}},
		{name: "the first device only", flow: func(f *mfa.Flow) { f.Policy.AllDevices = false },
			arrange: at(1, func(f phones) { f[0].Approve() }), pushes: []int{1, 0, 0, 0, 0}},
		{name: "number at once", arrange: func(_ *org, f phones) { f[0].Number(0, 0).SetScript("WAITING", "SUCCESS") },
			pushes: []int{1, 0, 0, 0, 0}, numbers: 2, device: "Phone 1"},
		{name: "number at the second's first answer", arrange: func(_ *org, f phones) { f[1].Number(7, 0).SetScript("WAITING", "SUCCESS") },
			pushes: []int{1, 1, 0, 0, 0}, numbers: 2, device: "Phone 2"},
		{name: "number at the third, later", arrange: func(_ *org, f phones) { f[2].Number(99, 2).SetScript("WAITING", "WAITING", "WAITING", "SUCCESS") },
			pushes: []int{1, 1, 1, 1, 0}, numbers: 2, device: "Phone 3"},
		{name: "number for nobody", flow: func(f *mfa.Flow) { f.Show = nil }, arrange: func(_ *org, f phones) { f[2].Number(99, 2) },
			err: mfa.ErrNumberChallenge, pushes: []int{1, 1, 1, 1, 0}},
		{name: "the second cannot ring", arrange: func(o *org, f phones) {
			o.Fail("verify", oktatest.Status(500, "E0000009", "Internal Server Error").After(1).Times(1))
			f[3].SetScript("WAITING", "SUCCESS")
		}, pushes: []int{1, 0, 1, 1, 0}},
		{name: "the first's polls are lost", arrange: func(o *org, f phones) {
			o.Fail("verify", oktatest.HTML(502).After(4).Times(1))
			f[3].SetScript("WAITING", "WAITING", "SUCCESS")
		}, pushes: []int{1, 1, 1, 1, 0}},
		{name: "the third times out", arrange: func(_ *org, f phones) {
			f[2].SetScript("TIMEOUT")
			f[3].SetScript("WAITING", "WAITING", "SUCCESS")
		}, pushes: []int{1, 1, 1, 1, 0}},
		{name: "the password has changed meanwhile", arrange: func(o *org, f phones) {
			o.clock.each = func(sleep int) {
				if sleep == 2 {
					o.user.SetPassword("another")
				}
			}
			f[1].SetScript("WAITING", "SUCCESS")
		}, pushes: []int{1, 1, 0, 0, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, oktatest.Options{EnforcePerUserRate: true, EnforceTokenRate: true, EnforceUserRate: true})
			var f phones
			for range 5 {
				f = append(f, o.user.AddPush())
			}
			tc.arrange(o, f)
			flow := o.flow()
			if tc.flow != nil {
				tc.flow(&flow)
			}
			l, err := o.loginBy(t, flow, tc.want)
			assertError(t, tc.err, err)
			assert.Equal(t, tc.err == nil, whom(l) == o.in())
			var pushes []int
			var last time.Time
			for _, one := range f {
				pushes = append(pushes, one.Pushes())
				assert.Zero(t, one.Waiting(), "nothing is left to approve")
				if at := one.LastSent(); one.Pushes() > 0 {
					assert.True(t, last.IsZero() || at.Sub(last) >= 400*time.Millisecond, "%s after %s", at, last)
					last = at
				}
			}
			assert.Equal(t, tc.pushes, pushes)
			for _, r := range o.Requests() {
				assert.NotEqual(t, http.StatusTooManyRequests, r.Status, r.Path)
			}
			require.Len(t, o.numbers, tc.numbers)
			for _, n := range o.numbers {
				assert.Equal(t, tc.device, n.Device)
			}
		})
	}
}

// TestPhonesAndOthersAtOrg: another login of the same person, with a passcode and
// in the middle of the ringing, does not meet Okta's limit of four a second.
func TestPhonesAndOthersAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{EnforcePerUserRate: true})
	for range 4 {
		o.user.AddPush("WAITING", "SUCCESS")
	}
	totp := o.user.AddTOTP("OKTA")
	o.clock.each = func(sleep int) {
		if sleep == 2 {
			_, err := o.login(t, want{PassCode: totp.Code()})
			assert.NoError(t, err)
		}
	}
	l, err := o.login(t, want{})
	require.NoError(t, err)
	assert.Equal(t, o.in(), whom(l))
	for _, r := range o.Requests() {
		assert.NotEqual(t, http.StatusTooManyRequests, r.Status, r.Path)
	}
}

// TestReplaceAtOrg: the phone has one push at a time to show.
func TestReplaceAtOrg(t *testing.T) {
	t.Parallel()
	o := newOrg(t, oktatest.Options{})
	phone, tablet := o.user.AddPush(), o.user.AddPush()
	before, _ := o.hold(t, o.flow(), want{})
	require.Equal(t, 1, phone.Waiting())
	require.Equal(t, 1, tablet.Waiting())
	o.clock.Advance(due)
	after, s := o.hold(t, o.flow(), want{})
	assert.Equal(t, mfa.PhaseWaiting, s.Phase)
	for _, f := range []*oktatest.Factor{phone, tablet} {
		assert.Equal(t, []int{2, 1, 1}, []int{f.Pushes(), f.Withdrawn(), f.Waiting()})
	}
	_, err := before.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
	assert.ErrorIs(t, err, mfa.ErrReplaced)
	phone.Approve()
	o.clock.Advance(due)
	s, err = after.Continue(t.Context(), mfa.Flow{}, mfa.Input{Want: want{}})
	require.NoError(t, err)
	assert.Equal(t, mfa.PhaseDone, s.Phase)
	assert.Zero(t, tablet.Waiting())
	assert.Zero(t, whom(before))
}
