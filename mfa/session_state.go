package mfa

import (
	"context"
	"maps"
	"slices"
	"time"
)

// This file is about what others learn of a session.

// State returns where the session stands after Begin.
func (s *Session) State(ctx context.Context) (State, error) {
	if err := s.turn.take(ctx); err != nil {
		return State{}, err
	}
	defer s.turn.give()
	if s.over.Load() && s.phase != PhaseDone {
		return State{}, context.Cause(s.life)
	}
	return s.state(), nil
}

// credentialLife is how long a held session waits for credentials of methods.
const credentialLife = 5 * time.Minute

func (s *Session) state() State {
	st := State{Phase: s.phase}
	if s.phase != PhaseMethods {
		st.Number = s.number
	}
	switch {
	case !s.okta.passed():
		st.Factor, st.ExpiresAt, st.Others = s.okta.factor, s.okta.expiry(), s.okta.others()
	case s.methods.push != nil:
		at := s.methods.at.method
		st.Method, st.Device, st.ExpiresAt = &at, s.methods.push.Waiting().Device, s.methods.ends()
	default:
		st.Missing, st.ExpiresAt = s.missing, s.flow.Clock.Now().Add(credentialLife)
	}
	return st
}

// Who is the person whom Okta let in, with their groups; it is zero until then. While the
// session goes on, nobody may call Who beside another call.
func (s *Session) Who() Subject { return s.who }

// Satisfied returns the IDs of the methods that the person has satisfied, sorted.
func (s *Session) Satisfied() (ids []string) {
	for _, p := range s.methods.passed {
		ids = append(ids, p.method.ID)
	}
	slices.Sort(ids)
	return ids
}

// Covers reports whether the person has satisfied all that is required, in the same
// revisions.
func (s *Session) Covers(required []Required) bool {
	satisfied := slices.Collect(maps.Values(s.methods.passed))
	return !slices.ContainsFunc(required, func(m Required) bool {
		return !slices.ContainsFunc(satisfied, func(p pass) bool { return m.takes(p.method) })
	})
}

// UserID is the Okta user id whose password was right.
func (s *Session) UserID() string { return s.okta.user }

// EnrollmentSkipped says that Okta asks the person to enroll a factor, and that the
// login has skipped that.
func (s *Session) EnrollmentSkipped() bool { return s.okta.excused }

// PasswordWarning says that the password is about to expire.
func (s *Session) PasswordWarning() bool { return s.okta.warning }

// Challenged reports whether a phone may have rung, or a code may have been sent,
// for this login or for the one that it completes, also where it then failed. A
// client that repeats such a login may make that happen again.
func (s *Session) Challenged() bool { return s.challenged.Load() }

// noteKind keeps the kind of the factor that Okta has verified, or that its challenge is
// about.
func (s *Session) noteKind() {
	f := s.okta.factor
	if s.okta.by != nil {
		f = *s.okta.by
	}
	if kind := KindOf(f); kind != "" {
		s.kind.Store(kind)
	}
}

// Kind returns the kind of the factor that Okta's challenge was last about, also while
// another call is served; "" where it was about none.
func (s *Session) Kind() Kind {
	kind, _ := s.kind.Load().(Kind)
	return kind
}

// Over reports whether the session has ended.
func (s *Session) Over() bool { return s.over.Load() }
