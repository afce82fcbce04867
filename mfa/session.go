package mfa

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Session is one login, from the right password to its last factor: first Okta's
// own challenge, then the methods that the mount requires. It owns all that the
// login knows. It is safe for concurrent use and serves one call at a time.
type Session struct {
	*trail
	turn turn

	// life ends with the session. Its cause is ErrReplaced where another login took
	// the session's place, otherwise ErrOver.
	life context.Context
	stop context.CancelCauseFunc
	over atomic.Bool
	kind atomic.Value // Kind, of the factor that Okta's challenge was last about

	// The fields below are used in turn only.

	okta    *login
	methods *demands
	given   Given      // for the methods, and not used yet
	groups  *GroupRead // begun beside the factor; may be nil
	active  time.Time  // when Okta last said that the account may log in
	who     Subject    // once Okta has let the person in
	missing []Required // methods that want a credential
}

// Begin opens a session for a transaction whose password was right, and takes it
// as far as it goes without waiting for anybody. When Begin fails the session has
// ended, unless it is held: then the caller must close it.
//
// A session that is not held ends with ctx, which Run must get, too.
func (f Flow) Begin(ctx context.Context, tx okta.Transaction, in Input) (*Session, error) {
	if f.Clock == nil {
		f.Clock = systemClock{}
	}
	s := &Session{
		trail: &trail{flow: f, opened: f.Clock.Now(), rang: map[string]bool{}},
		turn:  newTurn(), given: in.Given, groups: f.Begun,
	}
	s.life, s.stop = context.WithCancelCause(context.Background())
	s.trail.withdraw = s.giveWay
	s.trail.isEnding = func() bool { return s.life.Err() != nil || !f.Hold && ctx.Err() != nil }
	s.okta = newLogin(s.trail, tx, s.readGroups)
	s.methods = &demands{trail: s.trail, passed: map[string]pass{}, life: s.life}
	return s, s.do(ctx, func(ctx context.Context) error {
		if err := s.admit(ctx); err != nil {
			return err
		}
		if err := s.okta.start(ctx, in.Want); err != nil {
			return err
		}
		return s.advance(ctx)
	})
}

// admit asks whether the person may log in, where Okta is about to ask for a factor.
// Where the groups cannot be read now, Require decides at the end.
func (s *Session) admit(ctx context.Context) error {
	tx := s.okta.main.tx
	if s.flow.Admit == nil || tx.Status != okta.StatusMFARequired || tx.User.ID == "" || tx.User.Login == "" {
		return nil
	}
	var groups []okta.Group
	if s.flow.Groups != nil {
		now := s.flow.Clock.Now()
		if !s.groups.isOf(tx.User.ID, now.Add(-MaxAge)) {
			s.groups = s.flow.ReadGroups(s.life, now, tx.User.ID)
		}
		var err error
		if groups, err = s.groups.wait(ctx); err != nil {
			return ctx.Err()
		}
	}
	return s.flow.Admit(ctx, s.subject(tx.User, groups))
}

// Run brings a session that is not held to its end, and polls the pushes that it
// waits for. It fails with *CodeSentError where a code has been sent instead.
func (s *Session) Run(ctx context.Context) error {
	if s.phase == PhaseDone { // Begin was enough
		return nil
	}
	return s.do(ctx, func(ctx context.Context) error {
		for s.phase == PhaseWaiting {
			if err := s.wait(ctx); err != nil {
				return err
			}
			if err := s.poll(ctx); err != nil {
				return err
			}
			if err := s.advance(ctx); err != nil {
				return err
			}
		}
		if s.phase == PhaseDone {
			return nil
		}
		return s.okta.asks()
	})
}

// Continue continues a held session with what the person has given since. Where
// that is nothing, it polls the push that waits, if a poll is due. The session takes
// over from now what depends on the configuration and the caller; the zero Flow
// changes nothing. Continue returns where the session stands then. Of all calls, one
// at most returns PhaseDone. A caller that leaves ends neither the session nor a
// request that is on its way to Okta.
func (s *Session) Continue(ctx context.Context, now Flow, in Input) (st State, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		if err := s.follow(now); err != nil {
			return err
		}
		if len(in.Given) > 0 {
			s.given = in.Given
		}
		err := s.proceed(ctx, in.Want)
		st = s.state()
		return err
	})
	return st, err
}

// follow takes over what may have changed since the last call.
func (s *Session) follow(now Flow) error {
	if now.Okta == nil {
		return nil
	}
	f := &s.flow
	f.Okta, f.Policy, f.Limit, f.Groups, f.Active, f.Require = now.Okta, now.Policy, now.Limit, now.Groups, now.Active, now.Require
	f.Caller, f.Address, f.Alias, f.Again = now.Caller, now.Address, now.Alias, now.Again
	f.Attributes, f.GroupsOptional = now.Attributes, now.GroupsOptional
	return s.okta.follow()
}

// proceed acts on what the person gave, in Okta's half of the login or in the
// methods'.
func (s *Session) proceed(ctx context.Context, want Want) error {
	if !s.okta.passed() {
		if err := s.okta.proceed(ctx, want); err != nil {
			return err
		}
	} else if s.methods.isDue() {
		err := s.methods.poll(ctx)
		if s.missing = wanted(err); s.missing != nil {
			return nil // the push has come to want something else
		}
		if err != nil {
			return err
		}
	}
	return s.advance(ctx)
}

// poll polls the push that the session waits for.
func (s *Session) poll(ctx context.Context) error {
	if s.okta.passed() {
		return s.methods.poll(ctx)
	}
	return s.okta.poll(ctx)
}

// wait sleeps until the next poll is due.
func (s *Session) wait(ctx context.Context) error {
	if s.okta.passed() {
		return s.methods.wait(ctx)
	}
	return s.flow.Clock.Sleep(ctx, s.due.Sub(s.flow.Clock.Now()))
}

// advance continues with the methods once Okta is satisfied, as far as they go
// without waiting for anybody.
func (s *Session) advance(ctx context.Context) error {
	if !s.okta.passed() {
		return nil
	}
	given := s.given
	s.given, s.missing = nil, nil // a passcode is good once
	err := s.satisfy(ctx, given)
	for err == nil && s.phase == PhaseDone && !s.isFresh() { // the methods took their time
		err = s.satisfy(ctx, nil)
	}
	if s.flow.Hold {
		if s.missing = wanted(err); s.missing != nil {
			return nil
		}
	}
	return err
}

// satisfy finds out what the person has to satisfy by now, and has them do so.
func (s *Session) satisfy(ctx context.Context, given Given) error {
	required, err := s.require(ctx)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return &finalError{err} // the factors have been verified and cannot be again
	}
	return s.methods.proceed(ctx, s.who, required, given)
}

// MaxAge is how old the groups and the state of the account may be on which a login
// decides. What is older is read again.
const MaxAge = time.Minute

// isFresh reports whether the login may be decided by what was read.
func (s *Session) isFresh() bool {
	oldest := s.flow.Clock.Now().Add(-MaxAge)
	return (s.flow.Groups == nil || !s.groups.began.Before(oldest)) && (s.flow.Active == nil || !s.active.Before(oldest))
}

// require finds out who the person is and which methods they have to satisfy.
func (s *Session) require(ctx context.Context) ([]Required, error) {
	if err := s.stillActive(ctx); err != nil {
		return nil, err
	}
	groups, err := s.groupsNow(ctx)
	if err != nil && (ctx.Err() != nil || s.flow.GroupsOptional == nil || !s.flow.GroupsOptional(err)) {
		return nil, err
	}
	if err != nil {
		groups = nil
	}
	s.who = s.subject(s.okta.admitted, groups)
	s.who.GroupsError = err
	if err == nil && s.flow.Groups != nil {
		s.who.Attributes = s.groups.attributes
	}
	if s.flow.Alias != nil {
		s.who.Alias = s.flow.Alias(s.who)
	}
	if s.flow.Require == nil {
		return nil, nil
	}
	return s.flow.Require(ctx, s.who)
}

// subject is what the session knows of the user by now.
func (s *Session) subject(user okta.User, groups []okta.Group) Subject {
	return Subject{
		ID: user.ID, Org: s.flow.Org, Login: user.Login, Groups: groups,
		Name: s.flow.Name, Caller: s.flow.Caller, Address: s.flow.Address,
		Verified: s.okta.by, Earlier: s.okta.earlier, ByNumber: s.okta.byNumber, Bypassed: s.okta.bypassed, Excused: s.okta.excused,
		rang: func(phone string) bool { return s.rang[phone] },
	}
}

// readGroups begins to read the groups of a person whose password was right,
// unless that has begun. A held login reads them at its end, because the person may
// take minutes, and groups that are so old must not decide.
func (s *Session) readGroups() {
	userID := s.okta.user
	if s.flow.Hold || s.flow.Groups == nil || s.groups != nil && s.groups.userID == userID {
		return
	}
	s.groups = s.flow.ReadGroups(s.life, s.flow.Clock.Now(), userID)
}

// stillActive asks about the account, unless Okta has said so lately.
func (s *Session) stillActive(ctx context.Context) error {
	now := s.flow.Clock.Now()
	if s.active.IsZero() {
		s.active = now // Okta has just let the person in
	}
	if s.flow.Active == nil || !s.active.Before(now.Add(-MaxAge)) {
		return nil
	}
	s.active = now
	return s.flow.Active(ctx, s.okta.admitted.ID)
}

// groupsNow returns the groups of the person whom Okta let in. Where the read beside the
// factor has failed, it reads them once more: the failure may be old, and the person
// should not have to approve another push because of it.
func (s *Session) groupsNow(ctx context.Context) ([]okta.Group, error) {
	if s.flow.Groups == nil {
		return nil, nil
	}
	userID := s.okta.admitted.ID
	now := s.flow.Clock.Now()
	if s.groups.isOf(userID, now.Add(-MaxAge)) {
		groups, err := s.groups.wait(ctx)
		left := groupPatience - s.flow.Clock.Now().Sub(now)
		if err == nil || ctx.Err() != nil || left <= 0 {
			return groups, err
		}
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, left)
		defer stop()
		now = s.flow.Clock.Now()
	}
	s.groups = s.flow.ReadGroups(ctx, now, userID)
	<-s.groups.done
	return s.groups.groups, s.groups.err
}

// Close ends the session where it has not ended, and cancels what is open, also
// where ctx has ended. A code that has been sent stays good for the next login.
func (s *Session) Close(ctx context.Context) { s.end(ctx, func(context.Context) {}) }

// Cancel ends the session and cancels all that is open, also a code that it has
// had sent, on behalf of now.Okta unless that is nil.
func (s *Session) Cancel(ctx context.Context, now Flow) {
	s.end(ctx, func(ctx context.Context) {
		_ = s.follow(now) // what the session waits for no longer matters
		_ = s.okta.giveUpCode(ctx)
	})
}

// Expire ends a session that nobody has continued in time. It does not cancel what
// has expired at Okta, too.
func (s *Session) Expire(ctx context.Context) {
	s.end(ctx, func(context.Context) { s.okta.dropExpired() })
}

// giveWay ends the session in favor of another login.
func (s *Session) giveWay(ctx context.Context) {
	s.stop(ErrReplaced)
	s.Close(ctx)
}

// end ends the session, and the call that is being served. before runs first,
// unless the session had ended by itself.
func (s *Session) end(ctx context.Context, before func(ctx context.Context)) {
	s.stop(ErrOver)
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), turnPatience)
	defer stop()
	if s.turn.take(ctx) != nil {
		return
	}
	defer s.turn.give()
	if !s.over.Load() {
		before(ctx)
		s.finish(ctx, unanswered)
	}
}

// do serves one call, in turn, until the caller leaves or the session ends. A
// session that fails for good has ended when do returns.
func (s *Session) do(ctx context.Context, step func(ctx context.Context) error) error {
	if err := s.turn.take(ctx); err != nil {
		return err
	}
	defer s.turn.give()
	if s.over.Load() {
		return context.Cause(s.life) // ErrOver or ErrReplaced
	}
	if s.flow.Hold && s.phase != 0 {
		// A held session outlives its callers. An answer counts also where its caller
		// has left: a rejection that was lost would be followed by another push.
		var stop context.CancelFunc
		ctx, stop = withoutCaller(ctx)
		defer stop()
	}
	during, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.life, stop)()
	err := recovered(during, step)
	s.noteKind()
	if is[*panics.Error](err) { // which may hide what has been sent
		s.challenged.Store(true)
	}
	switch {
	case s.life.Err() != nil && s.phase != PhaseDone:
		err = context.Cause(s.life)
		s.finish(ctx, unanswered)
	case err == nil && s.phase == PhaseDone:
		s.finish(ctx, approved)
	case err != nil && !(s.flow.Hold && Retryable(err)):
		s.finish(ctx, resultOf(err))
	}
	return err
}

// recovered runs step. A panic is an error of the call that met it, and ends the
// session as every other error does: nothing keeps ringing.
func recovered(ctx context.Context, step func(ctx context.Context) error) (err error) {
	defer panics.Recover(&err)
	return step(ctx)
}

// finish ends the session: the push that waits, and what is open at Okta and at
// the methods' services.
func (s *Session) finish(ctx context.Context, how result) {
	if s.over.Swap(true) {
		return
	}
	s.stop(ErrOver)
	takeBack := s.methods.drop(ctx, how)
	cancel, end := s.okta.dropAll(ctx), s.letGo()
	s.later(func() {
		defer end(how) // another login may ring once the push has been taken back
		takeBack()
		cancel()
	})
}

// withoutCaller is ctx without the cancellation by its caller. It keeps the deadline.
func withoutCaller(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if ctx = context.WithoutCancel(ctx); !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}
