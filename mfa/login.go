package mfa

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// login is the part of a session that is about Okta's own challenge: a machine
// that goes from choice to choice, and that the session polls. login_choose.go says
// how it chooses, login_push.go is about pushes, and login_code.go about codes that
// Okta sends.
type login struct {
	*trail
	user   string // the Okta user id whose password was right
	person string // by which the guard and the codes know the user
	// readGroups begins to read the person's groups, which the session needs once
	// the person has passed.
	readGroups func()

	main     *leg
	legs     []*leg // all that are open, main and those of further phones
	code     *code  // that has been sent, by this login or one before
	own      bool   // the code's transaction is main
	codeSent bool   // this login has had the code sent
	factor   okta.Factor
	offered  []okta.Factor
	asked    []okta.Factor // those of them that a passcode by itself is for; none: all

	admitted okta.User     // whom Okta let in
	by       *okta.Factor  // by which factor; nil where Okta asked for none
	byNumber bool          // and that was a number challenge
	bypassed bool          // Policy.Bypass has admitted them, without a factor
	warning  bool          // the password is about to expire
	excused  bool          // the enrollment of a factor has been skipped
	earlier  []okta.Factor // that were verified before, where Okta wants one after the other
}

func newLogin(t *trail, tx okta.Transaction, readGroups func()) *login {
	main := &leg{okta: t.flow.Okta, tx: tx}
	return &login{
		trail: t, user: tx.User.ID, person: personKey(t.flow.Org, tx.User.ID), readGroups: readGroups,
		main: main, legs: []*leg{main},
	}
}

// passed reports whether Okta has let the person in.
func (l *login) passed() bool { return l.admitted.ID != "" }

// follow takes over the client and the policy of the newest call. It fails with ErrOver
// where what has admitted the person, or what the login waits for, no longer would.
func (l *login) follow() error {
	for _, g := range l.legs {
		if !l.isCodes(g) {
			g.okta = l.flow.Okta
		}
	}
	challenged := l.factor
	if l.by != nil {
		challenged = *l.by
	}
	policy := l.flow.Policy
	switch {
	case l.bypassed && !policy.Bypass, l.excused && !policy.SkipEnrollment, challenged.ID != "" && !policy.accepts(challenged),
		len(policy.Accepted(l.earlier)) < len(l.earlier):
		return ErrOver
	}
	return nil
}

// asks is the error of a login that needs the person and that nobody continues.
func (l *login) asks() error {
	if l.phase == PhasePassCode && l.code != nil {
		return &CodeSentError{Factor: l.factor, Again: !l.codeSent}
	}
	return unexpected(l.main.tx, "nothing to wait for")
}

// done takes the success of leg, by the factor f if it took one, and ends
// everything else that is open at Okta.
func (l *login) done(ctx context.Context, g *leg, f *okta.Factor) error {
	if g.tx.User.ID == "" || g.tx.User.Login == "" || g.tx.User.ID != l.user {
		return fmt.Errorf("%w: a success without an account, or for another one", okta.ErrMalformed)
	}
	l.admitted, l.by, l.byNumber, l.warning = g.tx.User, f, f != nil && l.number != nil, g.warned
	l.excused = g.excused
	l.phase = PhaseMethods
	if f != nil {
		l.flow.Mount.guard.answered(l.person, *f)
	}
	l.legs = slices.DeleteFunc(l.legs, func(open *leg) bool { return open == g })
	l.hangUpAll(ctx, approved)
	return nil
}

// hangUpAll drops all open transactions, and ends the guard's permit once they have been
// cancelled: their phones ring until then.
func (l *login) hangUpAll(ctx context.Context, how result) {
	if len(l.legs) == 0 {
		l.hangUp(how)
		return
	}
	if l.permit != nil {
		l.permit.settle(how)
	}
	cancel, end := l.dropAll(ctx), l.letGo()
	l.later(func() {
		defer end(how)
		cancel()
	})
}

func (l *login) dropAll(ctx context.Context) (cancel func()) {
	return l.drop(ctx, func(*leg) bool { return true })
}

// drop drops the open transactions for which unwanted is true, and returns what cancels
// them, at the same time. One that waits for a code is kept for the next login.
func (l *login) drop(ctx context.Context, unwanted func(*leg) bool) (cancel func()) {
	var dropped []*leg
	l.legs = slices.DeleteFunc(l.legs, func(g *leg) bool {
		if !unwanted(g) || l.isCodes(g) {
			return false
		}
		dropped = append(dropped, g)
		return true
	})
	return func() {
		var all panics.Group
		for _, g := range dropped {
			all.Go(func() { g.cancel(ctx) })
		}
		all.Wait()
	}
}

// dropExpired forgets the transactions that have expired at Okta, too.
func (l *login) dropExpired() {
	now := l.flow.Clock.Now()
	l.legs = slices.DeleteFunc(l.legs, func(g *leg) bool { return !l.isCodes(g) && now.After(l.expires(g)) })
}

// isCodes reports whether g is the transaction of the code that is pending. Another login
// may be using it: it is read and changed in the code's turn only.
func (l *login) isCodes(g *leg) bool { return l.own && g == l.main }

// others are the factors that could answer Okta's challenge instead.
func (l *login) others() (others []okta.Factor) {
	for _, f := range l.flow.Policy.Accepted(l.offered) {
		if f.ID != l.factor.ID {
			others = append(others, f)
		}
	}
	return others
}

// expiry is when the challenge that is open can no longer be answered.
func (l *login) expiry() time.Time {
	switch {
	case l.phase == PhaseWaiting:
		return l.ends(l.main)
	case l.isPending(l.factor):
		return l.flow.Mount.codes.expiry(l.code)
	}
	return l.expires(l.main)
}

// mainExpires is when the login's own transaction expires.
func (l *login) mainExpires() time.Time {
	if l.isCodes(l.main) {
		return l.flow.Mount.codes.expiry(l.code)
	}
	return l.expires(l.main)
}

// expires is when the transaction expires. A time of Okta's that is too far away is
// not believed.
func (l *login) expires(g *leg) time.Time {
	now := l.flow.Clock.Now()
	if g.tx.ExpiresAt.IsZero() {
		return now.Add(assumedLife)
	}
	if most := now.Add(longestLife); g.tx.ExpiresAt.After(most) {
		return most
	}
	return g.tx.ExpiresAt
}
