package backend

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// event says in one word what a line of the log is about. People search and alert by
// these words, so they stay as they are. docs/monitoring.md explains them.
type event string

// How a request to log in or to renew a token was answered. The numbers of logins go by
// the same words.
const (
	eventLoginOK      event = "login_ok"
	eventLoginDenied  event = "login_denied"
	eventLockout      event = "lockout"       // too much went wrong, at the mount or at Okta
	eventRateLimited  event = "rate_limited"  // by Okta, a method's service or the mount
	eventOktaError    event = "okta_error"    // a fault of Okta's or on the way there, or Okta refuses the mount
	eventServiceError event = "service_error" // the same of an MFA method's service
	eventMountError   event = "mount_error"   // a bug, storage, or a configuration that cannot work
	eventLoginGone    event = "login_gone"    // the client has left, or the mount has ended
)

// What else is logged.
const (
	eventRequestDenied   event = "request_denied" // of an operator's request
	eventPushRefused     event = "push_refused"
	eventRenewalGrace    event = "renewal_grace"
	eventEntryUnreadable event = "entry_unreadable"
	eventGroupsUnread    event = "groups_unread"
	eventProfileUnseen   event = "profile_unseen"
	eventGroupLookalike  event = "group_lookalike"
	eventStorageStale    event = "storage_stale"
	eventKeyRotated      event = "key_rotated"
	eventUpkeepFailed    event = "upkeep_failed"
)

var (
	// loginEvents are those that loginEvent returns, and eventLoginOK.
	loginEvents = []event{
		eventLoginOK, eventLoginDenied, eventLockout, eventRateLimited,
		eventOktaError, eventServiceError, eventMountError, eventLoginGone,
	}
	logEvents = append(loginEvents[:len(loginEvents):len(loginEvents)], eventRequestDenied, eventPushRefused, eventRenewalGrace, eventGroupsUnread, eventProfileUnseen, eventGroupLookalike, eventStorageStale, eventKeyRotated, eventUpkeepFailed, eventEntryUnreadable)
)

// loginEvent sorts the error of a request that failed.
func loginEvent(err error) event {
	switch {
	case isA[*panics.Error](err), isA[*store.UnreadableError](err):
		return eventMountError
	case errors.Is(err, context.Canceled), errors.Is(err, errMountGone):
		return eventLoginGone
	case isLockout(err):
		return eventLockout
	case challengeRefused(pushWaits)(err), errors.Is(err, mfa.ErrNoTime):
		return eventLoginDenied
	case replyTo(err).status == http.StatusTooManyRequests:
		return eventRateLimited
	case !operational(err):
		return eventLoginDenied
	case isA[*mfa.MethodError](err):
		return eventServiceError
	case isOktas(err):
		return eventOktaError
	}
	return eventMountError
}

// isLockout reports whether nothing more of the person is tried for a while.
func isLockout(err error) bool {
	return isA[*attempts.BlockedError](err) || isA[*mfa.PassCodesBarredError](err) || challengeRefused(challengesFailed)(err) ||
		errors.Is(err, mfa.ErrLockedOut) || isCode(err, okta.CodeUserLocked)
}

// isOktas reports whether err came of a request to Okta.
func isOktas(err error) bool {
	return isA[*okta.Error](err) ||
		is(okta.ErrTimeout, okta.ErrUnreachable, okta.ErrMalformed, okta.ErrBusy, context.DeadlineExceeded)(err)
}

// seldom keeps what anybody can cause from filling the log. The zero value is ready.
type seldom struct {
	mu   sync.Mutex
	last map[event]time.Time
}

// seldomPause is how long lines of the same event are too many.
const seldomPause = time.Minute

// isDue reports whether the event is the first one of a minute.
func (s *seldom) isDue(e event, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.last[e]; ok && now.Sub(last) < seldomPause {
		return false
	}
	if s.last == nil {
		s.last = map[event]time.Time{}
	}
	s.last[e] = now
	return true
}
