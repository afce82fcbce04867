package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// dice is an Okta that makes its answers of bytes, and goes from one to the next
// as Okta never would. It notes what must never happen, whatever it answers.
// The state tokens tell the transaction, as "2.7" for the seventh of the second.
type dice struct {
	mu sync.Mutex // for what is cancelled at the same time

	bytes  []byte
	made   int // transactions
	tokens int
	open   map[string]*wager // the transactions
	last   okta.Transaction  // the newest answer of all that was not lost
	by     string            // the request that it answered

	leave context.CancelFunc // ends the context of the call that is served

	login   bets // since the login began
	call    bets // since the call on it began
	foul    []string
	story   []string // what happened, to understand a foul
	numbers int
}

// wager is one transaction.
type wager struct {
	last      okta.Transaction
	lost      bool // what became of it since
	cancelled bool
}

// bets counts the requests that had an effect on the person, or may have had.
type bets struct {
	rang      map[string]int // pushes by factor
	sent      map[string]int // codes by factor
	passCodes map[string]int // tries by factor
	skips     map[string]int // by transaction
	further   int            // answers to a factor that want another one
}

func newBets() bets {
	return bets{rang: map[string]int{}, sent: map[string]int{}, passCodes: map[string]int{}, skips: map[string]int{}}
}

func newDice(bytes []byte) *dice { return &dice{bytes: bytes, open: map[string]*wager{}} }

func (d *dice) fail(format string, args ...any) {
	d.foul = append(d.foul, fmt.Sprintf(format, args...))
}

func (d *dice) log(format string, args ...any) {
	d.story = append(d.story, fmt.Sprintf(format, args...))
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

func pick[T any](d *dice, list []T) T { return list[d.roll(len(list))] }

var (
	fuzzUsers    = []okta.User{mia, mia, mia, mia, mia, mia, eve, {}}
	fuzzFactors  = []okta.Factor{phone, verify, sms, tablet, email, rsa, google, question, watch, call, webauthn, nameless, with("INACTIVE", phone)}
	fuzzStatuses = append([]okta.Status{ // the likely ones more often
		okta.StatusMFAChallenge, okta.StatusMFAChallenge, okta.StatusMFAChallenge, okta.StatusMFAChallenge, okta.StatusMFARequired,
		okta.StatusMFARequired, okta.StatusPasswordWarn, okta.StatusSuccess, okta.StatusSuccess,
	}, allStatuses...)
	fuzzResults = append([]okta.FactorResult{
		okta.ResultWaiting, okta.ResultWaiting, okta.ResultWaiting, okta.ResultWaiting, okta.ResultChallenge, okta.ResultChallenge, "",
	}, allResults...)
	fuzzRefusals = []error{
		refused(okta.CodeInvalidPassCode), refused(okta.CodeInvalidPassCode), refused(okta.CodePassCodeReplayed), refused(okta.CodeInvalidToken),
		refused(okta.CodeWrongState), refused(okta.CodeUserLocked), tooSoon("E0000047"), tooSoon(okta.CodeResendSMS),
		&okta.Error{HTTPStatus: 409, Code: okta.CodeNextPassCode}, refused(okta.CodeFactorRejected),
	}
	fuzzLosses = []error{okta.ErrTimeout, okta.ErrUnreachable, okta.ErrMalformed, broken(), &okta.Error{HTTPStatus: 202, Code: "E0000070"}}
)

func transactionOf(t okta.Transaction) string {
	name, _, _ := strings.Cut(t.StateToken.Reveal(), ".")
	return name
}

// begin answers a password.
func (d *dice) begin() okta.Transaction {
	d.made++
	name := fmt.Sprint(d.made)
	d.open[name] = &wager{}
	tx := d.transaction(name, okta.Factor{})
	if d.roll(4) > 0 { // as it usually is
		tx.Status, tx.FactorResult, tx.Factor, tx.Challenge, tx.User = okta.StatusMFARequired, "", nil, nil, mia
		tx.Factors = d.factors()
	}
	if tx.StateToken.IsZero() && tx.Status != okta.StatusSuccess {
		tx.StateToken = okta.NewSecret(name + ".0")
	}
	d.note("begin", name, tx)
	return tx
}

func (d *dice) again(context.Context) (okta.Transaction, error) {
	if d.roll(6) == 5 {
		return okta.Transaction{}, refused(okta.CodeAuthenticationFailed)
	}
	return d.begin(), nil
}

func (d *dice) factors() []okta.Factor {
	from := d.roll(len(fuzzFactors))
	return append(slices.Clone(fuzzFactors[from:]), fuzzFactors[:from]...)[:d.roll(7)]
}

// transaction makes an answer about the factor that was asked about.
func (d *dice) transaction(name string, asked okta.Factor) okta.Transaction {
	d.tokens++
	tx := okta.Transaction{Status: pick(d, fuzzStatuses), User: pick(d, fuzzUsers), ExpiresAt: noon.Add(1000 * 24 * 3600e9)}
	if d.roll(8) > 0 {
		tx.StateToken = okta.NewSecret(fmt.Sprintf("%s.%d", name, d.tokens))
	}
	tx.CanResend = d.roll(2) == 1
	switch tx.Status {
	case okta.StatusMFAChallenge:
		tx.FactorResult = pick(d, fuzzResults)
		switch d.roll(12) {
		case 11:
		case 10:
			f := pick(d, fuzzFactors)
			tx.Factor = &f
		default:
			tx.Factor = &asked
		}
		if n := d.roll(12); n < 2 && tx.Factor != nil {
			tx.Challenge = &okta.Challenge{CorrectAnswer: n * 47}
		}
	case okta.StatusMFARequired:
		tx.Factors = d.factors()
	case okta.StatusSuccess:
		if d.roll(8) == 7 {
			tx.FactorResult = pick(d, fuzzResults)
		}
	}
	return tx
}

func (d *dice) note(by, name string, tx okta.Transaction) {
	d.log("%s %s: %s %s", by, name, tx.Status, tx.FactorResult)
	d.last, d.by = tx, by
	w := d.open[name]
	w.last, w.lost = tx, false
}

// answer makes one to a request in a transaction. count is called if the request
// may have had an effect.
func (d *dice) answer(ctx context.Context, by string, t okta.Transaction, f okta.Factor, count func()) (okta.Transaction, error) {
	name := transactionOf(t)
	w := d.open[name]
	if w.cancelled {
		d.fail("%s in transaction %s after its cancellation", by, name)
	}
	if err := ctx.Err(); err != nil {
		return okta.Transaction{}, err // nothing was sent
	}
	switch d.roll(16) {
	case 15, 14, 13:
		err := pick(d, fuzzRefusals)
		d.log("%s %s %s: %v", by, f.ID, name, err)
		return okta.Transaction{}, err
	case 12:
		count()
		err := pick(d, fuzzLosses)
		// That a push still waits is an answer like any other.
		polled := by == "verify" && w.last.Status == okta.StatusMFAChallenge && w.last.FactorResult == okta.ResultWaiting
		w.lost = w.lost || !okta.Pending(err) || !polled
		d.log("%s %s %s: %v", by, f.ID, name, err)
		return okta.Transaction{}, err
	case 11:
		d.leave()
		if err := ctx.Err(); err != nil { // a request that ends with its caller
			count()
			w.lost = true
			d.log("%s %s %s: the caller leaves", by, f.ID, name)
			return okta.Transaction{}, err
		}
	}
	count()
	tx := d.transaction(name, f)
	d.note(strings.TrimSpace(by+" "+f.ID), name, tx)
	return tx, nil
}

func (d *dice) Verify(ctx context.Context, t okta.Transaction, f okta.Factor, passCode string) (okta.Transaction, error) {
	name := transactionOf(t)
	if !mfa.Usable(f) {
		d.fail("%+v is not usable", f)
	}
	tx, err := d.answer(ctx, "verify", t, f, func() {
		w := d.open[name]
		poll := w.last.Status == okta.StatusMFAChallenge && w.last.FactorResult == okta.ResultWaiting &&
			w.last.Factor != nil && w.last.Factor.ID == f.ID && !w.lost
		switch kind := mfa.KindOf(f); {
		case passCode != "":
			d.login.passCodes[f.ID]++
			d.call.passCodes[f.ID]++
		case kind == mfa.KindPush && !poll:
			d.login.rang[f.ID]++
			d.call.rang[f.ID]++
		case kind != mfa.KindPush:
			d.login.sent[f.ID]++
			d.call.sent[f.ID]++
		}
	})
	if err == nil && tx.Status == okta.StatusMFARequired {
		d.call.further++
	}
	return tx, err
}

func (d *dice) VerifyByType(context.Context, okta.Transaction, okta.FactorType, string) (okta.Transaction, error) {
	panic("it offers no factor types")
}

func (d *dice) Resend(ctx context.Context, t okta.Transaction, f okta.Factor) (okta.Transaction, error) {
	if mfa.KindOf(f) == mfa.KindPush {
		d.fail("a push sent again")
	}
	return d.answer(ctx, "resend", t, f, func() {
		d.login.sent[f.ID]++
		d.call.sent[f.ID]++
	})
}

func (d *dice) Previous(ctx context.Context, t okta.Transaction) (okta.Transaction, error) {
	return d.answer(ctx, "previous", t, okta.Factor{}, func() {})
}

func (d *dice) State(ctx context.Context, t okta.Transaction) (okta.Transaction, error) {
	var asked okta.Factor
	if w := d.open[transactionOf(t)]; w.last.Factor != nil {
		asked = *w.last.Factor
	}
	tx, err := d.answer(ctx, "state", t, asked, func() {})
	if err == nil && tx.Status == okta.StatusMFARequired {
		d.call.further++
	}
	return tx, err
}

func (d *dice) Skip(ctx context.Context, t okta.Transaction) (okta.Transaction, error) {
	name := transactionOf(t)
	tx, err := d.answer(ctx, "skip", t, okta.Factor{}, func() { d.login.skips[name]++ })
	if err == nil && tx.Status == okta.StatusMFARequired && len(d.call.passCodes) > 0 {
		d.call.further++
	}
	return tx, err
}

func (d *dice) Cancel(ctx context.Context, t okta.Transaction) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := transactionOf(t)
	w := d.open[name]
	if w == nil || t.StateToken.IsZero() {
		d.fail("cancelled a transaction that there is not: %q", t.StateToken.Reveal())
		return nil
	}
	if w.cancelled {
		d.fail("cancelled transaction %s twice", name)
	}
	d.log("cancel %s", name)
	if ctx.Err() != nil {
		d.fail("cancelled transaction %s with a context that has ended", name)
	}
	w.cancelled = true
	return errors.New("what Cancel says does not matter")
}

// show is a Flow's Show.
func (d *dice) show(n mfa.Number) {
	d.numbers++
	if c := d.last.Challenge; c == nil || c.CorrectAnswer != n.Answer {
		d.fail("showed a number that Okta did not tell")
	}
}
