package mfa

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// FactorsAPI is what an OktaMethod asks of an org; *okta.Client has it. Each
// method sends one request and stops with its context.
type FactorsAPI interface {
	// Account finds an account by its id, login or short name.
	Account(ctx context.Context, name string) (okta.Account, error)
	// AccountsByEmail finds accounts by their primary e-mail address.
	AccountsByEmail(ctx context.Context, email string) ([]okta.Account, error)
	// Factors lists what a user has enrolled.
	Factors(ctx context.Context, userID string) ([]okta.Factor, error)
	// ChallengeFactor begins a push or has a code sent.
	ChallengeFactor(ctx context.Context, userID string, f okta.Factor, number bool) (okta.FactorTransaction, error)
	// AnswerFactor tries a passcode.
	AnswerFactor(ctx context.Context, userID string, f okta.Factor, passCode string) (okta.FactorTransaction, error)
	// PollFactor asks how a push stands.
	PollFactor(ctx context.Context, t okta.FactorTransaction) (okta.FactorTransaction, error)
	// CancelFactor takes a push back.
	CancelFactor(ctx context.Context, t okta.FactorTransaction) error
}

// DefaultKinds are the factors of an OktaMethod that names none. What Okta lists
// without anybody having enrolled it for this, an e-mail address or a security
// question, is not among them.
var DefaultKinds = []Kind{KindPush, KindTOTP}

// OktaMethod asks for a factor of Okta's by the Factors API, whatever the org's
// sign-on policy asks for.
type OktaMethod struct {
	// For returns the API on behalf of a caller.
	For func(okta.Caller) FactorsAPI
	// Org is the org's URL, as okta.Client.OrgURL tells it. In the org of the login
	// itself the factors are those of the account that logged in, and of no other.
	Org string
	// Format makes the account's login or, with PrimaryEmail, its e-mail address.
	Format       Format
	PrimaryEmail bool
	// Kinds are the accepted kinds of factor; there is at least one.
	Kinds []Kind
	// NumberOnly accepts a push only with a number challenge. Otherwise a client that
	// has no way to show the number gets a push without.
	NumberOnly bool
	// Limit tells what is left of Okta's rate limit; nil: nobody knows.
	Limit func() okta.RateLimit
	// Sent remembers the codes that are on their way.
	Sent *SentCodes
}

// Prepare finds the account and the factor.
func (m *OktaMethod) Prepare(ctx context.Context, who Subject, c Credential) (Attempt, error) {
	if m.shownBefore(who) {
		return Attempt{Passed: true}, nil
	}
	api := m.For(who.Caller)
	account, err := m.find(ctx, api, who)
	if err != nil {
		return Attempt{}, err
	}
	offered, err := api.Factors(ctx, account.ID)
	if err != nil {
		return Attempt{}, err
	}
	choice, err := m.choose(offered, c)
	if err != nil {
		return Attempt{}, err
	}
	first := choice.Factors[0]
	person := m.Org + " " + account.ID // as a Login names people
	switch choice.Action {
	case ActionRing:
		return Attempt{
			Rings: person,
			Phone: m.Org + " " + first.ID,
			Verify: func(ctx context.Context, x Exchange) error {
				return m.push(ctx, api, account.ID, first, x)
			},
		}, nil
	case ActionSend:
		return Attempt{Sends: true, Verify: func(ctx context.Context, x Exchange) error {
			// To name the type of factor is to ask for another code.
			if c.Kind == "" && m.Sent.pending(person, first, x.Clock.Now()) {
				return MarkNotSent(&CodeSentError{Factor: first, Again: true})
			}
			err := send(ctx, api, account.ID, first)
			if !NotSent(err) {
				m.Sent.note(person, first, x.Clock.Now())
			}
			return err
		}}, nil
	case ActionAnswer:
		return Attempt{Verify: func(ctx context.Context, _ Exchange) error {
			f, err := answer(ctx, api, account.ID, choice.Factors, c.PassCode)
			if err == nil {
				m.Sent.forget(person, f)
			}
			return err
		}}, nil
	}
	return Attempt{}, ErrNeedsPassCode
}

// shownBefore reports whether Okta's own challenge of this login was one that the
// method would accept.
func (m *OktaMethod) shownBefore(who Subject) bool {
	if who.Verified == nil || who.Org != m.Org {
		return false
	}
	kind := KindOf(*who.Verified)
	return slices.Contains(m.Kinds, kind) && (kind != KindPush || !m.NumberOnly || who.ByNumber)
}

// find finds the one active account of the person.
func (m *OktaMethod) find(ctx context.Context, api FactorsAPI, who Subject) (okta.Account, error) {
	account, err := m.lookUp(ctx, api, who)
	switch {
	case saidBy(err, okta.CodeNotFound):
		return okta.Account{}, ErrUnknownPerson
	case err != nil:
		return okta.Account{}, err
	case m.Org == who.Org && account.ID != who.ID:
		// Somebody else's approval is none.
		return okta.Account{}, ErrOtherPerson
	case account.Status != okta.AccountActive:
		return okta.Account{}, ErrInactivePerson
	}
	return account, nil
}

func (m *OktaMethod) lookUp(ctx context.Context, api FactorsAPI, who Subject) (okta.Account, error) {
	name := m.Format.Name(who)
	switch {
	case m.PrimaryEmail:
		found, err := api.AccountsByEmail(ctx, name)
		switch {
		case err != nil:
			return okta.Account{}, err
		case len(found) == 0:
			return okta.Account{}, ErrUnknownPerson
		case len(found) > 1:
			return okta.Account{}, ErrSeveralPeople
		}
		// The index may be behind: ask the account itself.
		account, err := api.Account(ctx, found[0].ID)
		if err == nil && !strings.EqualFold(account.Email, name) {
			err = ErrUnknownPerson
		}
		return account, err
	case m.Org == who.Org && m.Format == (Format{}):
		return api.Account(ctx, who.ID)
	}
	account, err := api.Account(ctx, name)
	if short, _, _ := strings.Cut(account.Login, "@"); err == nil &&
		!strings.EqualFold(account.Login, name) && !strings.EqualFold(short, name) {
		err = ErrUnknownPerson // found by something that is not a name, such as an id
	}
	return account, err
}

// choose decides among the factors as a login does.
func (m *OktaMethod) choose(offered []okta.Factor, c Credential) (Choice, error) {
	policy := Policy{Factors: m.Kinds}
	accepted := policy.Accepted(only(offered, func(f okta.Factor) bool { return f.Status == okta.FactorActive }))
	if len(accepted) == 0 {
		return Choice{}, ErrNoFactor
	}
	choice, err := Choose(accepted, Want{PassCode: c.PassCode, Kind: c.Kind, Device: c.Device}, policy, "")
	switch {
	case err == nil:
		return choice, nil
	case c.Device != "":
		return Choice{}, &CredentialError{"knows no phone of yours by that name" + phones(accepted)}
	case c.PassCode == "":
		return Choice{}, &CredentialError{"knows no factor of yours of that type: you have " + kinds(accepted)}
	}
	return Choice{}, &CredentialError{"is not answered by a passcode like that: you have " + kinds(accepted)}
}

// phones lists the phones by name.
func phones(factors []okta.Factor) string {
	var names []string
	for _, f := range factors {
		if KindOf(f) == KindPush {
			names = append(names, fmt.Sprintf("%q", f.DeviceName))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": you have " + strings.Join(names, ", ")
}

// kinds lists the kinds of the factors, each once.
func kinds(factors []okta.Factor) string {
	var all []Kind
	for _, f := range factors {
		if kind := KindOf(f); !slices.Contains(all, kind) {
			all = append(all, kind)
		}
	}
	return join(all)
}

// answer tries the passcode on each factor, once, and returns the last that it has
// tried.
func answer(ctx context.Context, api FactorsAPI, userID string, factors []okta.Factor, passCode string) (f okta.Factor, err error) {
	var t okta.FactorTransaction
	for _, f = range factors {
		if t, err = api.AnswerFactor(ctx, userID, f, passCode); !refusedPassCode(err) {
			break
		}
	}
	if err != nil {
		return f, err
	}
	step, err := nextOfFactor(t, f)
	if err == nil && step != StepDone {
		err = unexpectedFactor(t, "a passcode was given")
	}
	return f, err
}

// send has a code sent, which the next login has to bring: the challenge is the
// factor's, and that login's as well as this one's.
func send(ctx context.Context, api FactorsAPI, userID string, f okta.Factor) error {
	t, err := api.ChallengeFactor(ctx, userID, f, false)
	if err != nil {
		return unlessRefused(err)
	}
	step, err := nextOfFactor(t, f)
	switch {
	case err != nil:
		return err
	case step != StepAnswer:
		return unexpectedFactor(t, "a code was asked for")
	}
	return &CodeSentError{Factor: f}
}

// push makes the phone ring, once, and waits for the answer.
func (m *OktaMethod) push(ctx context.Context, api FactorsAPI, userID string, phone okta.Factor, x Exchange) error {
	switch {
	case m.NumberOnly && x.Show == nil && x.Shown:
		return MarkNotSent(ErrNumberShown)
	case m.NumberOnly && x.Show == nil:
		return MarkNotSent(ErrNumberChallenge)
	case ctx.Err() != nil:
		return MarkNotSent(ctx.Err())
	}
	// Whoever leaves now: the push can be taken back by what Okta answers only.
	asking, stop := withoutCaller(ctx)
	t, err := api.ChallengeFactor(asking, userID, phone, x.Show != nil)
	stop()
	if err != nil {
		return unlessRefused(err)
	}
	defer x.Pace.enter()()
	waits, err := m.await(ctx, api, &t, phone, x)
	if waits {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer stop()
		_ = api.CancelFactor(ctx, t) // Okta forgets it by itself
	}
	return err
}

// await asks how a push stands, at intervals, until that is decided; waits says
// that it was not.
func (m *OktaMethod) await(ctx context.Context, api FactorsAPI, t *okta.FactorTransaction, phone okta.Factor, x Exchange) (waits bool, err error) {
	var told *int
	for first := true; ; first = false {
		step, err := nextOfFactor(*t, phone)
		var strange *UnexpectedError
		switch {
		case err != nil: // an answer that nobody understands decides nothing
			return errors.As(err, &strange) || errors.Is(err, okta.ErrMalformed), err
		case step != StepDone && step != StepWait:
			return true, unexpectedFactor(*t, "a push was sent")
		case m.NumberOnly && t.Challenge == nil:
			return step == StepWait, unexpectedFactor(*t, "a push without the number that was asked for")
		case step == StepDone:
			return false, nil
		}
		until := earlier(t.ExpiresAt, x.Until)
		if t.Challenge != nil && x.Show != nil && (told == nil || *told != t.Challenge.CorrectAnswer) {
			told = &t.Challenge.CorrectAnswer
			x.Show(Number{Answer: *told, Device: phone.DeviceName, ExpiresAt: until})
		}
		if first {
			x.Waiting(phone.DeviceName, until)
		}
		if err := m.ask(ctx, api, t, until, x, first); err != nil {
			return true, err
		}
	}
}

// ask waits for its time and asks Okta. Where Okta wants to be left alone for a
// while, that is waited for, too.
func (m *OktaMethod) ask(ctx context.Context, api FactorsAPI, t *okta.FactorTransaction, until time.Time, x Exchange, first bool) error {
	wait := PollInterval + rand.N(pollJitter)
	if first {
		wait = firstPoll + rand.N(PollInterval+pollJitter-firstPoll)
	}
	for {
		now := x.Clock.Now()
		if err := x.Clock.Sleep(ctx, x.Pace.question(now, wait, 1, until, m.Limit).Sub(now)); err != nil {
			return err
		}
		if x.Clock.Now().After(until) {
			return ErrPushTimeout
		}
		next, err := api.PollFactor(ctx, *t)
		if err == nil {
			if next.Challenge == nil {
				next.Challenge = t.Challenge
			}
			*t = next
			return nil
		}
		wait, now = retryAfter(err), x.Clock.Now()
		again := now.Add(wait)
		if !tooManyRequests(err) || again.After(until) {
			return err
		}
		x.Pace.rest(now, again, m.Limit)
	}
}

// nextOfFactor judges an answer of the Factors API.
func nextOfFactor(t okta.FactorTransaction, f okta.Factor) (Step, error) {
	switch t.Result {
	case okta.ResultSuccess:
		return StepDone, nil
	case "":
		return 0, fmt.Errorf("%w: an answer about a factor without a result", okta.ErrMalformed)
	}
	return nextOfChallenge(okta.Transaction{Status: okta.StatusMFAChallenge, FactorResult: t.Result, Factor: &f})
}

func unexpectedFactor(t okta.FactorTransaction, why string) error {
	return &UnexpectedError{FactorResult: t.Result, Why: why}
}

// unlessRefused marks the error of a challenge that Okta has refused to begin.
func unlessRefused(err error) error {
	if refused(err) || errors.Is(err, okta.ErrNoAPIToken) {
		return MarkNotSent(err)
	}
	return err
}
