package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

var (
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	mia  = okta.User{ID: "00u1mia", Login: "mia.ito@acme.test"}
	eve  = okta.User{ID: "00u2eve", Login: "eve@acme.test"}
)

// patience is how long tests wait for what another goroutine does: only what hangs meets
// it, and no machine that is slow.
const patience = 2 * time.Minute

// code looks like the passcode of most factors, otp like that of a YubiKey, and
// words like the answer to a question alone.
const (
	code  = "123456"
	otp   = "cccccccdefghijklnrtuvcbdefghijklnrtuvcbdefgh"
	words = "a blue door"
)

// The factors of the tests.
var (
	phone    = okta.Factor{ID: "opf1", Type: okta.FactorPush, Provider: okta.ProviderOkta, DeviceName: "Phone 1"}
	tablet   = okta.Factor{ID: "opf2", Type: okta.FactorPush, Provider: okta.ProviderOkta, DeviceName: "Tablet"}
	watch    = okta.Factor{ID: "opf3", Type: okta.FactorPush, Provider: okta.ProviderOkta, DeviceName: "Watch"}
	app      = okta.Factor{ID: "opf9", Type: okta.FactorPush, Provider: okta.ProviderCustom, DeviceName: "Bank app"}
	verify   = okta.Factor{ID: "ost1", Type: okta.FactorTOTP, Provider: okta.ProviderOkta}
	google   = okta.Factor{ID: "uft1", Type: okta.FactorTOTP, Provider: okta.ProviderGoogle}
	yubikey  = okta.Factor{ID: "ykf1", Type: okta.FactorHardware, Provider: okta.ProviderYubico}
	rsa      = okta.Factor{ID: "rsa1", Type: okta.FactorToken, Provider: okta.ProviderRSA}
	symantec = okta.Factor{ID: "sym1", Type: okta.FactorToken, Provider: okta.ProviderSymantec}
	hotp     = okta.Factor{ID: "hot1", Type: okta.FactorHOTP, Provider: okta.ProviderCustom}
	question = okta.Factor{ID: "ufs1", Type: okta.FactorQuestion, Provider: okta.ProviderOkta}
	sms      = okta.Factor{ID: "sms1", Type: okta.FactorSMS, Provider: okta.ProviderOkta, SentTo: "+1 XXX-XXX-4821"}
	sms2     = okta.Factor{ID: "sms2", Type: okta.FactorSMS, Provider: okta.ProviderOkta}
	call     = okta.Factor{ID: "clf1", Type: okta.FactorCall, Provider: okta.ProviderOkta}
	email    = okta.Factor{ID: "emf1", Type: okta.FactorEmail, Provider: okta.ProviderOkta}

	webauthn = okta.Factor{ID: "fwf1", Type: okta.FactorWebAuthn, Provider: okta.ProviderFIDO}
	u2f      = okta.Factor{ID: "fuf1", Type: okta.FactorU2F, Provider: okta.ProviderFIDO}
	duo      = okta.Factor{ID: "dsf1", Type: okta.FactorWeb, Provider: okta.ProviderDuo}
	claims   = okta.Factor{ID: "cpf1", Type: okta.FactorClaimsProvider, Provider: okta.ProviderCustom}
	fastPass = okta.Factor{ID: "snf1", Type: okta.FactorSignedNonce, Provider: okta.ProviderOkta}
	nameless = okta.Factor{Type: okta.FactorPush, Provider: okta.ProviderOkta}
	untyped  = okta.Factor{ID: "xxx1", Provider: okta.ProviderOkta}
)

func with(status string, f okta.Factor) okta.Factor {
	f.Status = status
	return f
}

// The answers. All that go on have the state token t1.
func required(factors ...okta.Factor) okta.Transaction {
	tx := state(okta.StatusMFARequired)
	tx.Factors = factors
	return tx
}

func challenge(f okta.Factor, result okta.FactorResult) okta.Transaction {
	tx := state(okta.StatusMFAChallenge)
	tx.Factor, tx.FactorResult = &f, result
	return tx
}

func waiting(f okta.Factor) okta.Transaction { return challenge(f, okta.ResultWaiting) }

func sent(f okta.Factor) okta.Transaction { return challenge(f, okta.ResultChallenge) }

func number(f okta.Factor, n int) okta.Transaction {
	tx := waiting(f)
	tx.Challenge = &okta.Challenge{CorrectAnswer: n}
	return tx
}

func state(s okta.Status) okta.Transaction {
	return okta.Transaction{Status: s, StateToken: okta.NewSecret("t1"), ExpiresAt: noon.Add(5 * time.Minute), User: mia}
}

func success(u okta.User) okta.Transaction {
	return okta.Transaction{Status: okta.StatusSuccess, ExpiresAt: noon.Add(5 * time.Minute), User: u}
}

// on moves an answer to another transaction.
func on(token string, tx okta.Transaction) okta.Transaction {
	tx.StateToken = okta.NewSecret(token)
	return tx
}

func refused(code string) error { return &okta.Error{HTTPStatus: 403, Code: code} }

func tooSoon(code string) error {
	return &okta.Error{HTTPStatus: 429, Code: code, RetryAfter: 30 * time.Second}
}

func broken() error { return &okta.Error{HTTPStatus: 500, Code: "E0000009"} }

// answer is one answer of Okta's.
type answer struct {
	tx  okta.Transaction
	err error
}

// said makes a list of answers of transactions and errors.
func said(answers ...any) []answer {
	var list []answer
	for _, a := range answers {
		switch a := a.(type) {
		case okta.Transaction:
			list = append(list, answer{tx: a})
		case error:
			list = append(list, answer{err: a})
		default:
			panic(fmt.Sprintf("%T is no answer", a))
		}
	}
	return list
}

// script is an Okta that reads its answers from a list, and repeats the last
// one. It notes what it was asked as "verify opf1 t1", with a passcode at the
// end where there is one, "resend sms1 t1", "previous t1", "skip t1", "again"
// for one more password, and "cancel t1".
type script struct {
	mu      sync.Mutex
	answers []answer
	last    answer
	log     []string
	// each is called at every request but Cancel.
	each func()
	// What became of Cancel's context, and its time to go, when it was called.
	cancelErr  error
	cancelLeft time.Duration
}

func scripted(answers ...any) *script { return &script{answers: said(answers...)} }

// add gives it more answers.
func (s *script) add(answers ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, said(answers...)...)
}

// asked returns what it was asked since the last call.
func (s *script) asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.log
	s.log = nil
	return strings.Join(list, ", ")
}

// note needs the lock. Several cancellations come at the same time: they are
// kept in order.
func (s *script) note(asked string) {
	s.log = append(s.log, asked)
	for i := len(s.log) - 1; i > 0 && strings.HasPrefix(s.log[i], "cancel ") && strings.HasPrefix(s.log[i-1], "cancel "); i-- {
		if s.log[i] < s.log[i-1] {
			s.log[i], s.log[i-1] = s.log[i-1], s.log[i]
		}
	}
}

func (s *script) next(ctx context.Context, asked string) (okta.Transaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(asked)
	if s.each != nil {
		s.each()
	}
	if err := ctx.Err(); err != nil {
		return okta.Transaction{}, err
	}
	if len(s.answers) > 0 {
		s.last, s.answers = s.answers[0], s.answers[1:]
	}
	return s.last.tx, s.last.err
}

func (s *script) Verify(ctx context.Context, t okta.Transaction, f okta.Factor, passCode string) (okta.Transaction, error) {
	return s.next(ctx, strings.TrimSpace(fmt.Sprintf("verify %s %s %s", f.ID, t.StateToken.Reveal(), passCode)))
}

func (s *script) VerifyByType(ctx context.Context, t okta.Transaction, typ okta.FactorType, passCode string) (okta.Transaction, error) {
	return s.next(ctx, fmt.Sprintf("type %s %s %s", typ, t.StateToken.Reveal(), passCode))
}

func (s *script) Resend(ctx context.Context, t okta.Transaction, f okta.Factor) (okta.Transaction, error) {
	return s.next(ctx, fmt.Sprintf("resend %s %s", f.ID, t.StateToken.Reveal()))
}

func (s *script) Previous(ctx context.Context, t okta.Transaction) (okta.Transaction, error) {
	return s.next(ctx, "previous "+t.StateToken.Reveal())
}

func (s *script) Skip(ctx context.Context, t okta.Transaction) (okta.Transaction, error) {
	return s.next(ctx, "skip "+t.StateToken.Reveal())
}

func (s *script) State(ctx context.Context, t okta.Transaction) (okta.Transaction, error) {
	return s.next(ctx, "state "+t.StateToken.Reveal())
}

func (s *script) Cancel(ctx context.Context, t okta.Transaction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("cancel " + t.StateToken.Reveal())
	s.cancelErr = ctx.Err()
	if deadline, ok := ctx.Deadline(); ok {
		s.cancelLeft = time.Until(deadline)
	}
	return errors.New("what Cancel says does not matter")
}

// again is a Flow's Again.
func (s *script) again(ctx context.Context) (okta.Transaction, error) { return s.next(ctx, "again") }

// flow is one of a mount of its own.
func (s *script) flow() mfa.Flow {
	return mfa.Flow{
		Okta: s, Mount: new(mfa.Mount), Again: s.again,
		Nonce: ours, Show: func(mfa.Number) {}, Clock: newClock(),
	}
}

// fakeClock moves by what it sleeps.
type fakeClock struct {
	*oktatest.Clock
	mu   sync.Mutex
	list []time.Duration
	// each is called within each sleep.
	each func(n int)
}

func newClock() *fakeClock { return &fakeClock{Clock: oktatest.NewClock(noon)} }

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	c.list = append(c.list, d)
	n := len(c.list)
	c.mu.Unlock()
	c.Advance(d)
	if c.each != nil {
		c.each(n)
	}
	return ctx.Err()
}

// sleeps returns what was slept.
func (c *fakeClock) sleeps() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// whom is who Okta let in, zero for nobody.
func whom(s *mfa.Session) okta.User { return okta.User{ID: s.Who().ID, Login: s.Who().Login} }

// run brings a blocking login to its end.
func run(ctx context.Context, flow mfa.Flow, tx okta.Transaction, want mfa.Want) (*mfa.Session, error) {
	l, err := flow.Begin(ctx, tx, mfa.Input{Want: want})
	if err == nil {
		err = l.Run(ctx)
	}
	return l, err
}

// errStrange stands for any *mfa.UnexpectedError in a table, and the others for
// any error of their type.
var (
	errStrange  = errors.New("unexpected")
	errNoFactor = errors.New("no factor")
	errSent     = errors.New("a code was sent")
	errRefused  = errors.New("challenge refused")
)

// assertError wants got to be want: nil, an error of Okta's with that code, one
// of the errors above, or any other.
func assertError(t *testing.T, want, got error) {
	t.Helper()
	var (
		strange *mfa.UnexpectedError
		none    *mfa.NoFactorError
		codeOut *mfa.CodeSentError
		refusal *mfa.ChallengeRefusedError
		theirs  *okta.Error
	)
	switch {
	case want == nil:
		assert.NoError(t, got)
	case want == errStrange:
		assert.ErrorAs(t, got, &strange)
	case want == errNoFactor:
		assert.ErrorAs(t, got, &none)
	case want == errSent:
		assert.ErrorAs(t, got, &codeOut)
	case want == errRefused:
		assert.ErrorAs(t, got, &refusal)
	case errors.As(want, &theirs):
		expected := theirs.Code
		if assert.ErrorAs(t, got, &theirs) {
			assert.Equal(t, expected, theirs.Code)
		}
	default:
		assert.ErrorIs(t, got, want)
	}
}

// muchTooSoon is a 429 with a wait that no push outlives.
func muchTooSoon() error {
	return &okta.Error{HTTPStatus: 429, Code: "E0000047", RetryAfter: time.Hour}
}
