package mfa

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
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
	// Unproven says that nobody knows whether Org is the org of the login by another
	// URL. The account has to be that of the login then, too, by the same user id. That
	// shows that it is the same org, because no two orgs have a user id in common.
	Unproven bool
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
}

// Prepare finds the person's account and chooses one of its factors. It asks Okta
// nothing where Okta's own challenge has already verified a factor that the method
// accepts.
func (m *OktaMethod) Prepare(ctx context.Context, who Subject, c Credential) (Attempt, error) {
	if m.shownBefore(who) {
		return Attempt{Passed: true}, nil
	}
	api := m.For(who.Caller)
	var listed func() ([]okta.Factor, error)
	if m.Org == who.Org { // find accepts no other account than the one that logs in
		listing, stop := context.WithCancel(ctx)
		defer stop()
		listed = listFactors(listing, api, who.ID)
	}
	account, err := m.find(ctx, api, who)
	if err != nil {
		return Attempt{}, err
	}
	if m.Unproven { // find has compared the user ids
		proven := *m
		proven.Org, proven.Unproven = who.Org, false
		if m = &proven; m.shownBefore(who) {
			return Attempt{Passed: true}, nil
		}
	}
	if listed == nil {
		listed = listFactors(ctx, api, account.ID)
	}
	offered, err := listed()
	if err != nil {
		return Attempt{}, err
	}
	return m.prepare(api, account, offered, who, c)
}

// listFactors begins to list a user's factors, and returns the function that waits for
// them.
func listFactors(ctx context.Context, api FactorsAPI, userID string) (wait func() ([]okta.Factor, error)) {
	var factors []okta.Factor
	var err error
	var listing panics.Group
	listing.Go(func() { factors, err = api.Factors(ctx, userID) })
	return func() ([]okta.Factor, error) {
		listing.Wait()
		return factors, err
	}
}

// prepare chooses one of the account's factors.
func (m *OktaMethod) prepare(api FactorsAPI, account okta.Account, offered []okta.Factor, who Subject, c Credential) (Attempt, error) {
	choice, err := m.choose(offered, c)
	if err != nil {
		return Attempt{}, err
	}
	person := personKey(m.Org, account.ID)
	switch choice.Action {
	case ActionRing:
		phone, err := m.phone(who, choice.Factors, offered)
		if err != nil {
			return Attempt{}, err
		}
		return Attempt{
			Rings: person, Phone: phoneKey(m.Org, phone.ID), Limit: m.Limit,
			Ring: func(ctx context.Context, x Exchange) (Push, error) {
				return m.sendPush(ctx, api, account.ID, phone, x)
			},
		}, nil
	case ActionSend:
		first := choice.Factors[0]
		return Attempt{
			Sends: true, Factor: first, Rings: person,
			Anew:   c.Kind != "", // to name the type of factor is to ask for another code
			Verify: func(ctx context.Context, _ Exchange) error { return sendCode(ctx, api, account.ID, first) },
		}, nil
	case ActionAnswer:
		return Attempt{Verify: func(ctx context.Context, x Exchange) error {
			f, err := tryFactors(ctx, api, account.ID, choice.Factors, c.PassCode)
			if err == nil {
				x.Answered(person, f)
			}
			return err
		}}, nil
	}
	return Attempt{}, ErrNeedsPassCode
}

// phone is the first of the phones that has not rung in this login. Where all have,
// the error says what else the person can give.
func (m *OktaMethod) phone(who Subject, phones, offered []okta.Factor) (okta.Factor, error) {
	for _, f := range phones {
		if !who.Rang(m.Org, f) {
			return f, nil
		}
	}
	others := only(m.accepted(offered), func(f okta.Factor) bool { return KindOf(f) != KindPush })
	if len(others) == 0 {
		return okta.Factor{}, ErrRungBefore
	}
	return okta.Factor{}, &CredentialError{"does not send your phone another push in the same login: use one of your other factors, " + kinds(others)}
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

// find returns the person's account, which must be active and, in the org of the login,
// the one that logs in.
func (m *OktaMethod) find(ctx context.Context, api FactorsAPI, who Subject) (okta.Account, error) {
	account, err := m.lookUp(ctx, api, who)
	switch {
	case saidBy(err, okta.CodeNotFound):
		return okta.Account{}, ErrUnknownPerson
	case err != nil:
		return okta.Account{}, err
	case (m.Org == who.Org || m.Unproven) && account.ID != who.ID:
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
	policy, accepted := Policy{Factors: m.Kinds}, m.accepted(offered)
	if len(accepted) == 0 {
		return Choice{}, ErrNoFactor
	}
	choice, err := Choose(accepted, Want{PassCode: c.PassCode, Kind: c.Kind, Device: c.Device}, policy, "")
	switch {
	case err == nil:
		return choice, nil
	case c.Device != "":
		return Choice{}, &CredentialError{"knows no device of yours by that name" + devices(accepted)}
	case c.PassCode == "":
		return Choice{}, &CredentialError{"knows no factor of yours of that type: you have " + kinds(accepted)}
	}
	like := ""
	if e, ok := errors.AsType[*NoFactorError](err); ok && len(e.Forms) > 0 {
		like = ", but by " + strings.Join(e.Forms, " or ")
	}
	return Choice{}, &CredentialError{"is not answered by a passcode like that" + like + ": you have " + kinds(accepted)}
}

// accepted are the active factors that the method takes.
func (m *OktaMethod) accepted(offered []okta.Factor) []okta.Factor {
	active := only(offered, func(f okta.Factor) bool { return f.Status == okta.FactorActive })
	return Policy{Factors: m.Kinds}.Accepted(active)
}

// devices lists the devices by name.
func devices(factors []okta.Factor) string {
	var names []string
	for _, f := range factors {
		if kind := KindOf(f); kind == KindPush || kind.sends() {
			names = append(names, fmt.Sprintf("%q", cmp.Or(f.DeviceName, f.SentTo, f.ID)))
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

// tryFactors verifies the passcode with one factor after the other, until Okta does not
// find it wrong. It returns the factor that was tried last.
func tryFactors(ctx context.Context, api FactorsAPI, userID string, factors []okta.Factor, passCode string) (f okta.Factor, err error) {
	var t okta.FactorTransaction
	for _, f = range factors {
		if t, err = api.AnswerFactor(ctx, userID, f, passCode); !refusedPassCode(err) {
			break
		}
	}
	if err != nil {
		return f, triedOn(factors, err)
	}
	step, err := nextOfFactor(t, f)
	if err == nil && step != StepDone {
		err = unexpectedFactor(t, "a passcode was given")
	}
	return f, err
}

// sendCode has a code sent and fails with *CodeSentError: the person gives the code with
// the next login. A challenge belongs to the factor, so that any login can answer it.
func sendCode(ctx context.Context, api FactorsAPI, userID string, f okta.Factor) error {
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
