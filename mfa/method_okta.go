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

// FactorsAPI is what an OktaMethod needs of an org; *okta.Client implements it. Each of
// its methods sends one request and ends with its context.
type FactorsAPI interface {
	// Account returns the account with that id, login or short name.
	Account(ctx context.Context, name string) (okta.Account, error)
	// AccountsByEmail returns the accounts with that primary e-mail address.
	AccountsByEmail(ctx context.Context, email string) ([]okta.Account, error)
	// Factors lists the factors that a user has enrolled.
	Factors(ctx context.Context, userID string) ([]okta.Factor, error)
	// ChallengeFactor begins a push, with a number challenge or without, or sends a code.
	ChallengeFactor(ctx context.Context, userID string, f okta.Factor, number bool) (okta.FactorTransaction, error)
	// AnswerFactor verifies a passcode.
	AnswerFactor(ctx context.Context, userID string, f okta.Factor, passCode string) (okta.FactorTransaction, error)
	// PollFactor asks what has become of a push.
	PollFactor(ctx context.Context, t okta.FactorTransaction) (okta.FactorTransaction, error)
	// CancelFactor withdraws a push.
	CancelFactor(ctx context.Context, t okta.FactorTransaction) error
}

// DefaultKinds are the kinds of factor that an OktaMethod accepts where its
// configuration names none. An e-mail address and a security question are not among
// them, because Okta lists these for people who never enrolled them as a factor.
var DefaultKinds = []Kind{KindPush, KindTOTP}

// OktaMethod requires one of Okta's factors by the Factors API, whatever the sign-on
// policy of the org requires.
type OktaMethod struct {
	// For returns the API for requests on behalf of a caller.
	For func(okta.Caller) FactorsAPI
	// Org is the URL of the org, as okta.Client.OrgURL returns it. Where it is the org of
	// the login, the method accepts factors of the account that logs in and of no other.
	Org string
	// Format makes the login of the account or, with PrimaryEmail, its e-mail address.
	Format Format
	// PrimaryEmail is true where the account is found by its primary e-mail address.
	PrimaryEmail bool
	// Kinds are the accepted kinds of factor. There must be at least one.
	Kinds []Kind
	// NumberOnly accepts a push only with a number challenge. Otherwise a login whose
	// client cannot show the number sends a push without one.
	NumberOnly bool
	// Limit returns what is left of Okta's rate limit. It is nil where that is not known.
	Limit func() okta.RateLimit
	// Sent remembers the codes that Okta has sent and nobody has given back.
	Sent *SentCodes
}

// Prepare finds the person's account and chooses one of its factors. It asks Okta
// nothing where Okta's own challenge has already verified a factor that the method
// accepts.
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
	person := m.Org + " " + account.ID // the same as in the guard of a Login
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
			// A person who names the type of factor asks for another code.
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

// shownBefore reports whether the person has verified a factor that the method accepts
// in Okta's own challenge of this login.
func (m *OktaMethod) shownBefore(who Subject) bool {
	if who.Verified == nil || who.Org != m.Org {
		return false
	}
	kind := KindOf(*who.Verified)
	return slices.Contains(m.Kinds, kind) && (kind != KindPush || !m.NumberOnly || who.ByNumber)
}

// find returns the person's account, which must be active and, in the org of the login,
// the one that logs in.
func (m *OktaMethod) find(ctx context.Context, api FactorsAPI, who Subject) (okta.Account, error) {
	account, err := m.lookUp(ctx, api, who)
	switch {
	case saidBy(err, okta.CodeNotFound):
		return okta.Account{}, ErrUnknownPerson
	case err != nil:
		return okta.Account{}, err
	case m.Org == who.Org && account.ID != who.ID:
		// Somebody else must not approve this login.
		return okta.Account{}, ErrOtherPerson
	case account.Status != okta.AccountActive:
		return okta.Account{}, ErrInactivePerson
	}
	return account, nil
}

// lookUp returns the account that Okta finds by the person's name at the service.
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
		// Okta's search index may be out of date: compare with the account itself.
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
		err = ErrUnknownPerson // Okta has found it by something else, such as its id
	}
	return account, err
}

// choose chooses among the accepted factors by the rules of Choose.
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

// phones lists the names of the phones, for the end of a message.
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

// answer verifies the passcode with one factor after the other, until Okta does not find
// it wrong. It returns the factor that was tried last.
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

// send has a code sent and fails with *CodeSentError: the person gives the code with the
// next login. A challenge belongs to the factor, so that any login can answer it.
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

// push rings the phone once and waits for the person's answer.
func (m *OktaMethod) push(ctx context.Context, api FactorsAPI, userID string, phone okta.Factor, x Exchange) error {
	switch {
	case m.NumberOnly && x.Show == nil && x.Shown:
		return MarkNotSent(ErrNumberShown)
	case m.NumberOnly && x.Show == nil:
		return MarkNotSent(ErrNumberChallenge)
	case ctx.Err() != nil:
		return MarkNotSent(ctx.Err())
	}
	// The request goes on where the client leaves: only Okta's answer to it tells how to
	// withdraw the push.
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
		_ = api.CancelFactor(ctx, t) // where this fails, the push expires by itself
	}
	return err
}

// await polls a push until the person has answered it. waits is true where they have
// not, so that the push must be withdrawn.
func (m *OktaMethod) await(ctx context.Context, api FactorsAPI, t *okta.FactorTransaction, phone okta.Factor, x Exchange) (waits bool, err error) {
	var told *int
	for first := true; ; first = false {
		step, err := nextOfFactor(*t, phone)
		switch {
		case err != nil: // the push still waits after an answer that was not understood
			_, strange := errors.AsType[*UnexpectedError](err)
			return strange || errors.Is(err, okta.ErrMalformed), err
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

// ask waits until the next poll is due, and polls. After an HTTP 429 it waits as long as
// Okta says and polls again, unless the push expires before that.
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

// nextOfFactor returns the next step after an answer of the Factors API about f.
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

// unlessRefused marks err with MarkNotSent where Okta has refused to begin a challenge.
func unlessRefused(err error) error {
	if refused(err) || errors.Is(err, okta.ErrNoAPIToken) {
		return MarkNotSent(err)
	}
	return err
}
