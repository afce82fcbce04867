package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

var fuzzWants = []want{
	{}, {}, {}, {PassCode: code}, {PassCode: code}, {PassCode: words}, {PassCode: otp}, {Kind: mfa.KindPush}, {Kind: mfa.KindSMS},
	{Kind: mfa.KindEmail}, {Kind: mfa.KindSMS, Resend: true}, {Resend: true}, {Kind: mfa.KindTOTP}, {Device: "Tablet"}, {Device: "opf1"},
	{Kind: mfa.KindSMS, PassCode: code}, {Kind: mfa.KindToken, PassCode: code}, {Provider: okta.ProviderGoogle, PassCode: code}, {Kind: "passkey"},
}

// play lets a few logins of one person on one mount happen, as the bytes say, and
// returns what went wrong:
//
//   - Somebody is let in only by a success for the person whose password was
//     right (or what Bypass takes for one), and it is the last word of Okta's.
//   - A login makes no phone ring twice, and sends at most one code in a call.
//     Without Resend it sends none while its own is waited for.
//   - No passcode is tried twice on a factor, and no warning skipped twice.
//   - Nothing is asked in a transaction after its cancellation, and none is
//     cancelled twice.
//   - A login ends, and leaves nothing open that could be approved.
func play(bytes []byte) (foul, story []string) {
	d := newDice(bytes)
	clock := newClock()
	flow := mfa.Flow{Okta: d, Mount: new(mfa.Mount), Again: d.again, Nonce: ours, Clock: clock, Show: d.show}
	flow.Policy = mfa.Policy{Bypass: d.roll(4) == 3, AllDevices: d.roll(2) == 1, Push: mfa.PushLimit{Failures: d.roll(4), Window: time.Minute}}
	if d.roll(8) == 7 {
		flow.Policy.Factors = []mfa.Kind{mfa.KindPush, mfa.KindSMS}
	}
	if d.roll(6) == 5 {
		flow.Again = nil
	}
	var held []*mfa.Session
	for range 1 + d.roll(3) {
		flow.Hold, flow.Unattended = d.roll(2) == 1, d.roll(8) == 7
		if l := playLogin(d, flow, clock); l != nil {
			held = append(held, l)
		}
	}
	for _, l := range held {
		l.Cancel(context.Background(), mfa.Flow{})
	}
	d.settled(1)
	return d.foul, d.story
}

// playLogin is one login. It is returned if it is left open.
func playLogin(d *dice, flow mfa.Flow, clock *fakeClock) *mfa.Session {
	d.login = newBets()
	slept := len(clock.sleeps())
	tx := d.begin()
	first := d.made
	w := pick(d, fuzzWants)
	l, err := playCall(d, flow, tx, nil, w, mfa.State{})
	var s mfa.State
	for n := 0; flow.Hold && !l.Over() && n < 12; n++ {
		clock.Advance(time.Duration(d.roll(4)) * time.Second)
		s, _ = l.State(context.Background())
		_, err = playCall(d, flow, tx, l, pick(d, fuzzWants), s)
	}
	if len(clock.sleeps())-slept > 160 {
		d.fail("slept %d times", len(clock.sleeps())-slept)
	}
	if !flow.Hold && !l.Over() {
		d.fail("a blocking login is left open, with %v", err)
	}
	if flow.Hold && !l.Over() {
		end := []func(context.Context){func(ctx context.Context) { l.Cancel(ctx, mfa.Flow{}) }, l.Close, nil}[d.roll(3)]
		if end == nil {
			return l
		}
		end(context.Background())
		if whom(l) != (okta.User{}) {
			d.fail("cancelled, and yet %+v", whom(l))
		}
	}
	d.settled(first)
	return nil
}

// settled looks for pushes that are left to approve. Codes may be, for the next
// login to answer.
func (d *dice) settled(first int) {
	for n := first; n <= d.made; n++ {
		name := fmt.Sprint(n)
		w := d.open[name]
		push := w.last.Status == okta.StatusMFAChallenge && w.last.Factor != nil && mfa.KindOf(*w.last.Factor) == mfa.KindPush
		if push && !w.last.StateToken.IsZero() && !w.cancelled {
			d.fail("transaction %s is left with a push", name)
		}
	}
}

// playCall starts a login, or goes on with one, and judges what comes of it.
func playCall(d *dice, flow mfa.Flow, tx okta.Transaction, l *mfa.Session, w want, before mfa.State) (*mfa.Session, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d.leave, d.call = cancel, newBets()
	var s mfa.State
	var err error
	d.log("call %+v (hold %v)", w, flow.Hold)
	switch {
	case l != nil:
		s, err = l.Continue(ctx, mfa.Flow{}, mfa.Input{Want: w})
	case flow.Hold:
		l, err = flow.Begin(ctx, tx, mfa.Input{Want: w})
	default:
		l, err = run(ctx, flow, tx, w)
	}
	d.log("-> %v", err)
	if err != nil && s.Phase == mfa.PhaseDone {
		d.fail("%v, and yet done", err)
	}
	if in := whom(l); in != (okta.User{}) {
		if err != nil && !errors.Is(err, mfa.ErrOver) {
			d.fail("%v, and yet %+v", err, in)
		}
		last := d.last
		done := last.Status == okta.StatusSuccess && (last.FactorResult == "" || last.FactorResult == okta.ResultSuccess)
		grace := flow.Policy.Bypass && (d.by == "begin" || d.by == "skip") &&
			(last.Status == okta.StatusMFARequired || last.Status == okta.StatusMFAEnroll || last.Status == okta.StatusMFAEnrollActivate)
		if !done && !grace {
			d.fail("let in by %+v", last)
		}
		if in != last.User || in.ID == "" || in.ID != tx.User.ID {
			d.fail("let %+v in; the password was that of %+v, the success that of %+v", in, tx.User, last.User)
		}
		if !l.Over() {
			d.fail("let in, and not over")
		}
	} else if s.Phase == mfa.PhaseDone || err == nil && !flow.Hold {
		d.fail("nobody was let in, and yet it is done: %v", err)
	}
	sent := 0
	for id, n := range d.call.sent {
		sent += n
		if before.Phase == mfa.PhasePassCode && before.Factor.ID == id && d.login.sent[id] > n && !w.Resend {
			d.fail("the code of %s was sent again, which nobody wanted", id)
		}
	}
	if sent > 1+d.call.further {
		d.fail("%d codes were sent", sent)
	}
	if !flow.Hold {
		for _, n := range d.login.sent {
			if n > 1 {
				d.fail("%d codes were sent for one login", n)
			}
		}
	}
	for id, n := range d.login.rang {
		if n > 1 {
			d.fail("%s rang %d times for one login", id, n)
		}
	}
	for id, n := range d.login.skips {
		if n > 1 {
			d.fail("%d warnings were skipped in transaction %s", n, id)
		}
	}
	for id, n := range d.call.passCodes {
		if n > 1 {
			d.fail("the passcode was tried %d times on %s", n, id)
		}
	}
	if w.PassCode != "" && d.call.further == 0 && len(d.call.rang)+len(d.call.sent) > 0 {
		d.fail("a passcode was given, and yet something was sent")
	}
	if (len(d.call.rang)+len(d.call.sent) > 0) && !l.Challenged() {
		d.fail("something was sent, and nobody is told so")
	}
	return l, err
}

// TestProperties: some ten thousand plays, the same each time.
func TestProperties(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2, 3, 5, 8, 13, 21, 34} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 42))
			fouls := map[string]bool{}
			for range 1500 {
				bytes := make([]byte, 20+random.IntN(300))
				for i := range bytes {
					bytes[i] = byte(random.Uint32())
				}
				list, story := play(bytes)
				for _, foul := range list {
					if len(fouls) < 5 && !fouls[foul] {
						fouls[foul] = true
						t.Errorf("seed %d: %s\n%s", seed, foul, strings.Join(story, "\n"))
					}
				}
			}
		})
	}
}

// FuzzPlay is TestProperties with bytes that the fuzzer makes.
func FuzzPlay(f *testing.F) {
	f.Add([]byte{})
	for _, b := range []byte{0, 1, 2, 3, 4, 7, 9, 255} {
		f.Add([]byte{b})
	}
	random := rand.New(rand.NewPCG(7, 7))
	for range 40 {
		bytes := make([]byte, 10+random.IntN(150))
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		f.Add(bytes)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		fouls, story := play(bytes)
		for _, foul := range fouls {
			t.Errorf("%s\n%s", foul, strings.Join(story, "\n"))
		}
	})
}

// TestPlaysReach: the dice fall often enough on what the properties are about.
func TestPlaysReach(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 2))
	var in, rang, sent, continued int
	for range 2000 {
		bytes := make([]byte, 200)
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		d := newDice(bytes)
		clock := newClock()
		flow := mfa.Flow{Okta: d, Mount: new(mfa.Mount), Again: d.again, Nonce: ours, Clock: clock, Hold: true}
		d.login = newBets()
		tx := d.begin()
		l, _ := playCall(d, flow, tx, nil, pick(d, fuzzWants), mfa.State{})
		for range 8 {
			if !l.Over() {
				continued++
				clock.Advance(due)
				_, _ = playCall(d, flow, tx, l, pick(d, fuzzWants), mfa.State{})
			}
		}
		rang += len(d.login.rang)
		sent += len(d.login.sent)
		if whom(l) != (okta.User{}) {
			in++
		}
	}
	for name, n := range map[string]int{"let in": in, "rang": rang, "sent": sent, "continued": continued} {
		assert.Greater(t, n, 100, name)
	}
}
