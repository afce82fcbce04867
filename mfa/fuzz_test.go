package mfa_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// dice makes answers of bytes, and lets them go from one to the next as Okta
// never would. It notes what the properties below are about.
type dice struct {
	bytes []byte

	tx        okta.Transaction // the newest answer that was not an error
	starts    int              // requests that can make a phone ring
	challenge int              // requests without a passcode, polls included
	passCodes map[string]int   // by factor
	skips     int
	cancels   int
	afterEnd  bool // something was asked after Cancel
	nobody    bool // a number was shown that no answer had
}

func (d *dice) roll(n int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	if len(d.bytes) > 1 { // the last one stays, so that what it says goes on for ever
		d.bytes = d.bytes[1:]
	}
	return int(b) % n
}

var (
	fuzzUsers    = []okta.User{mia, mia, mia, eve, {}}
	fuzzFactors  = []okta.Factor{phone, verify, google, tablet, sms, nameless, with("INACTIVE", phone)}
	fuzzStatuses = append([]okta.Status{ // the likely ones more often
		okta.StatusMFAChallenge, okta.StatusMFAChallenge, okta.StatusMFARequired, okta.StatusPasswordWarn, okta.StatusSuccess,
	}, allStatuses...)
	fuzzResults = append([]okta.FactorResult{okta.ResultWaiting, okta.ResultWaiting, okta.ResultWaiting, ""}, allResults...)
	fuzzErrors  = []error{
		refused(okta.CodeInvalidPassCode), refused(okta.CodePassCodeReplayed), okta.ErrTimeout, okta.ErrMalformed, context.Canceled,
	}
)

func (d *dice) transaction() okta.Transaction {
	tx := okta.Transaction{Status: fuzzStatuses[d.roll(len(fuzzStatuses))], User: fuzzUsers[d.roll(len(fuzzUsers))]}
	tx.StateToken = []okta.StateToken{"t1", "t2", ""}[d.roll(3)]
	switch tx.Status {
	case okta.StatusMFAChallenge:
		tx.FactorResult = fuzzResults[d.roll(len(fuzzResults))]
		if n := d.roll(len(fuzzFactors) + 1); n < len(fuzzFactors) {
			tx.Factor = &fuzzFactors[n]
			if n := d.roll(6); n < 2 {
				tx.Challenge = &okta.Challenge{CorrectAnswer: n * 47}
			}
		}
	case okta.StatusMFARequired:
		tx.Factors = fuzzFactors[d.roll(3):][:d.roll(5)]
	case okta.StatusSuccess:
		if d.roll(8) == 7 {
			tx.FactorResult = fuzzResults[d.roll(len(fuzzResults))]
		}
	}
	return tx
}

func (d *dice) answer() (okta.Transaction, error) {
	d.afterEnd = d.afterEnd || d.cancels > 0
	if n := d.roll(12); n >= 7 && n-7 < len(fuzzErrors) {
		return okta.Transaction{}, fuzzErrors[n-7]
	}
	tx := d.transaction()
	d.tx = tx
	return tx, nil
}

func (d *dice) Verify(_ context.Context, _ okta.Transaction, f okta.Factor, passCode string) (okta.Transaction, error) {
	if passCode != "" {
		d.passCodes[f.ID]++
		return d.answer()
	}
	d.challenge++
	poll := d.tx.Status == okta.StatusMFAChallenge && d.tx.FactorResult == okta.ResultWaiting && d.tx.Factor != nil && d.tx.Factor.ID == f.ID
	if !poll {
		d.starts++
	}
	return d.answer()
}

func (d *dice) Skip(context.Context, okta.Transaction) (okta.Transaction, error) {
	d.skips++
	return d.answer()
}

func (d *dice) Cancel(context.Context, okta.Transaction) error {
	d.afterEnd = d.afterEnd || d.cancels > 0
	d.cancels++
	return nil
}

// FuzzLogin: whatever Okta answers, in whatever order, a login ends; it lets
// somebody in only by a success (or what Bypass takes for one) for the person
// whose password was right; and it makes a phone ring once at most.
func FuzzLogin(f *testing.F) {
	for _, seed := range [][]byte{
		{}, {0}, {1}, {4}, {255},
		{4, 0, 0},                                           // success
		{3, 0, 0, 0, 4, 0, 2},                               // warning, success
		{2, 0, 0, 0, 4, 0, 4, 0, 0},                         // push approved at once
		{2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0},                // push that waits for ever
		{2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0}, // push, poll, success
		{2, 0, 0, 0, 4, 0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0}, // push rejected
		{2, 0, 0, 1, 2, 7, 0, 4, 0, 0},                      // two generators
		{2, 0, 0, 0, 4, 0, 4, 3, 0},                         // somebody else
	} {
		f.Add(seed, false, false)
		f.Add(seed, true, false)
		f.Add(seed, false, true)
	}
	f.Fuzz(func(t *testing.T, answers []byte, bypass, passCode bool) {
		d := &dice{bytes: answers, passCodes: map[string]int{}}
		start := d.transaction()
		d.tx = start
		clock := &fakeClock{now: noon}
		login := mfa.Login{Okta: d, Bypass: bypass, Poll: mfa.Poll{Clock: clock}, ShowNumber: func(n int) {
			d.nobody = d.nobody || d.tx.Challenge == nil || d.tx.Challenge.CorrectAnswer != n
		}}
		if passCode {
			login.Want.PassCode = "123456"
		}
		out, err := login.Complete(t.Context(), start)

		if err == nil {
			last := d.tx
			done := last.Status == okta.StatusSuccess && (last.FactorResult == "" || last.FactorResult == okta.ResultSuccess)
			byGrace := bypass && (last.Status == okta.StatusMFARequired || last.Status == okta.StatusMFAEnroll || last.Status == okta.StatusMFAEnrollActivate)
			if !done && !byGrace {
				t.Errorf("let in by %+v", last)
			}
			if out.User.ID == "" || out.User != last.User || out.User.ID != start.User.ID {
				t.Errorf("let %+v in; the password was that of %+v, the success that of %+v", out.User, start.User, last.User)
			}
			if d.cancels > 0 {
				t.Error("cancelled a success")
			}
		} else {
			if out.User != (okta.User{}) {
				t.Errorf("%v, and yet %+v", err, out.User)
			}
			if d.tx.StateToken != "" && d.cancels != 1 {
				t.Errorf("left with %v and cancelled %d times", err, d.cancels)
			}
		}
		if d.afterEnd {
			t.Error("went on after Cancel")
		}
		if d.starts > 1 || d.skips > 1 {
			t.Errorf("%d challenges started, %d warnings skipped", d.starts, d.skips)
		}
		for id, n := range d.passCodes {
			if n > 1 {
				t.Errorf("the passcode was tried %d times on %s", n, id)
			}
		}
		if passCode && d.challenge > 0 || out.ChallengeSent != (d.challenge > 0) || len(clock.sleeps) > 150 {
			t.Errorf("%d challenges and polls, %d sleeps: %+v", d.challenge, len(clock.sleeps), out)
		}
		if d.nobody {
			t.Error("showed a number that Okta did not tell")
		}
		if errors.Is(err, mfa.ErrNumberChallenge) {
			t.Error("the number could be shown")
		}
	})
}

// FuzzAnswer: of all that can be decoded, SUCCESS alone is the end, and what is
// chosen of the factors is usable.
func FuzzAnswer(f *testing.F) {
	files, err := filepath.Glob("../okta/testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds: ", err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, "")
		f.Add(body, "123456")
	}
	f.Fuzz(func(t *testing.T, body []byte, passCode string) {
		var tx okta.Transaction
		if err := json.Unmarshal(body, &tx); err != nil {
			if tx.Status != "" || tx.Factors != nil {
				t.Errorf("%v, and yet %+v", err, tx)
			}
			return
		}
		step, err := mfa.Next(tx)
		if (step == 0) == (err == nil) {
			t.Errorf("step %d and %v", step, err)
		}
		if step == mfa.StepDone && tx.Status != okta.StatusSuccess {
			t.Errorf("done with %q", tx.Status)
		}
		if step == mfa.StepWait && tx.Factor == nil {
			t.Error("waits for no factor")
		}
		chosen, err := mfa.Choose(tx.Factors, mfa.Want{PassCode: passCode})
		if (len(chosen) == 0) == (err == nil) || passCode == "" && len(chosen) > 1 {
			t.Errorf("%d factors and %v", len(chosen), err)
		}
		for _, factor := range chosen {
			if !mfa.Usable(factor) || (factor.Type == okta.FactorPush) != (passCode == "") {
				t.Errorf("chose %+v", factor)
			}
		}
	})
}
