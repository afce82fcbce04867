package mfa

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Method is a second factor that a mount requires in addition to what Okta asks for.
// A mount makes a method from its configuration once and keeps it, so that several
// goroutines may call it at the same time.
type Method interface {
	// Prepare finds out how c satisfies the method for who. It disturbs nobody: it
	// sends no push and no code, and it uses up no passcode. A login with several
	// methods prepares all of them first, so that no phone rings for one method while
	// another cannot be satisfied.
	//
	// Prepare fails with ErrNeedsPassCode where the method cannot be satisfied without
	// a passcode and c has none (*PassCodeNeededError says which), and with *CredentialError where the method cannot use
	// c. Every other error denies the login: one of the errors below, or, where the
	// service of the method failed, ErrServiceTimeout, ErrServiceUnreachable,
	// ErrServiceMalformed or *ServiceError. A method that asks Okta fails with the
	// errors of package okta instead.
	Prepare(ctx context.Context, who Subject, c Credential) (Attempt, error)
}

// Subject is the person whom Okta has let in, and whom the methods are about.
type Subject struct {
	ID       string        // the user id at Okta, in Org
	Org      string        // the org's URL, as okta.Client.OrgURL returns it
	Login    string        // as Okta spells it
	Name     string        // as the person typed it
	Alias    string        // of the identity; empty is Name
	Groups   []okta.Group  // that the person has in Okta
	Verified *okta.Factor  // that Okta's own challenge of this login verified; nil: none
	Earlier  []okta.Factor // that it verified before, where Okta wanted one after the other
	ByNumber bool          // Verified was a number challenge
	Bypassed bool          // Okta asked for a factor, and Policy.Bypass let the person in without one
	Excused  bool          // Okta asked for the enrollment of a factor, and the login skipped that by Policy.SkipEnrollment
	Caller   okta.Caller   // from where the person logs in
	Address  string        // the one IP address of the person; "" if it is not known

	// Attributes is what Flow.Attributes has read; nil if it has not.
	Attributes map[string]string
	// GroupsError is why Groups could not be read, where Flow.GroupsOptional has let the
	// login go on without them. Then nobody knows which groups the person has.
	GroupsError error

	// rang reports whether a phone has rung for this login; see Rang.
	rang func(phone string) bool
}

// Rang reports whether the phone of that factor has rung in this login: it must
// not ring again.
func (s Subject) Rang(org string, f okta.Factor) bool {
	return s.rang != nil && s.rang(phoneKey(org, f.ID))
}

// Credential is what the person gave for one method. The zero value means that they
// gave nothing.
type Credential struct {
	okta.Unprintable
	// PassCode is the passcode, or empty.
	PassCode string `json:"-"`
	// Kind is the kind of factor that the person chose. Empty means any.
	Kind Kind
	// Device is the phone that the person chose: its name, in any case, or its id.
	Device string
}

// Attempt is a prepared way to satisfy a method. Either Passed is true, or one of
// Verify and Ring is set.
type Attempt struct {
	// Passed says that nothing is left to do: the person has shown this factor, or
	// the method's service lets them in without one.
	Passed bool

	// Verify verifies a passcode, or has a code sent: nil lets the person pass. An
	// error for which NotSent is true says that nothing was sent.
	Verify func(ctx context.Context, x Exchange) error
	// Sends says that Verify has the code of Factor sent, which the next login
	// brings. The login calls Verify by permit of the guard, and not while the last
	// code is still good, unless Anew is true.
	Sends  bool
	Factor okta.Factor
	Anew   bool
	// By names the service that sends the code; empty is Okta.
	By string

	// Ring makes a phone ring, and returns the push as soon as it is on its way. An
	// error for which NotSent is true says that no phone rang. Ring may find out that the
	// service has sent a code instead, or wants a passcode, and fails with *CodeSentError
	// or ErrNeedsPassCode then. So may Poll.
	Ring func(ctx context.Context, x Exchange) (Push, error)
	// Rings names the person whom Ring, or a Verify that sends a code, disturbs. The
	// guard has to know a person by one name.
	Rings string
	// Phone names the phone that rings, by a name that no other phone has: it rings
	// once in a login.
	Phone string
	// Limit tells what is left of Okta's rate limit for polls. Where it is nil, that
	// is not known.
	Limit func() okta.RateLimit
}

// Exchange is what an Attempt needs to know of the login that it belongs to.
type Exchange struct {
	Clock Clock  // tells the time and sleeps
	Mount *Mount // of the login

	Life    context.Context // of the login: nothing of an attempt outlives it
	Until   time.Time       // when the wait for the push ends
	Numbers bool            // the number of a number challenge can be shown
	Shown   bool            // if not, that is because the client has been shown one
}

// Answered notes that the person has answered the code of the factor right.
func (x Exchange) Answered(person string, f okta.Factor) {
	x.Mount.sent.forget(person, f)
	x.Mount.guard.answered(person, f)
}

// Push is a push on its way to a phone. It is used by one goroutine at a time.
type Push interface {
	// Waiting describes the push. It asks nobody.
	Waiting() Waiting
	// Poll asks once how the push stands: true lets the person pass, and false says
	// that it still waits. An error is final, unless Okta limits the rate. The login
	// cancels the push then.
	Poll(ctx context.Context) (passed bool, err error)
	// Decided is closed once Poll returns the answer without asking anybody. It is
	// nil for a push that has to be polled.
	Decided() <-chan struct{}
	// Cancel takes back a push that has not been answered, where its service can do
	// that, and ends all that goes on for it.
	Cancel(ctx context.Context)
}

// Waiting is what there is to know about a push. Each field may be zero.
type Waiting struct {
	Device    string    // the name of the phone
	Number    *Number   // the right number of a number challenge
	ExpiresAt time.Time // when the service gives the push up
}

// These errors tell why a method denies a login. A method also fails with those of
// Okta's own factors: ErrRejected, ErrPushTimeout, ErrPassCodeReplayed and so on.
var (
	// ErrNeedsPassCode: the method needs a passcode, and the person gave none.
	ErrNeedsPassCode = errors.New("a passcode is needed")
	// ErrWrongPassCode: the passcode is wrong.
	ErrWrongPassCode = errors.New("the passcode is not right")
	// ErrUnknownPerson: the service of the method has no account of this name.
	ErrUnknownPerson = errors.New("no account has this name")
	// ErrSeveralPeople: the service has several accounts of this name.
	ErrSeveralPeople = errors.New("several accounts have this name")
	// ErrOtherPerson: the name is that of another account in the org of the login.
	ErrOtherPerson = errors.New("the account of this name is not the one that logs in")
	// ErrInactivePerson: the account at the service is not active.
	ErrInactivePerson = errors.New("the account is not active")
	// ErrNoKey: the mount has no TOTP key for the person.
	ErrNoKey = errors.New("the mount has no key for this person")
	// ErrNumberShown: the method must show a number, and the login has already shown one.
	ErrNumberShown = errors.New("this login has already shown a number")
	// ErrCodeUnshown: the service has the person type a code on their phone, which the login
	// cannot show them.
	ErrCodeUnshown = errors.New("the code to type on the phone cannot be shown")
	// ErrNoFactor: the person has no factor that the method accepts.
	ErrNoFactor = errors.New("the person has no factor that the method accepts")

	// ErrServiceTimeout: the service did not answer in time.
	ErrServiceTimeout = errors.New("the service did not answer in time")
	// ErrServiceUnreachable: the service could not be reached, or sent no whole answer.
	ErrServiceUnreachable = errors.New("the service could not be reached")
	// ErrServiceMalformed: the service sent an answer that cannot be one of its API's.
	ErrServiceMalformed = errors.New("the service's answer makes no sense")
)

// PassCodeNeededError is ErrNeedsPassCode for a method that knows which passcode it needs:
// What names it to the person, as in "the code of your hardware token".
type PassCodeNeededError struct{ What string }

func (e *PassCodeNeededError) Error() string { return ErrNeedsPassCode.Error() }

// Is reports whether target is ErrNeedsPassCode.
func (e *PassCodeNeededError) Is(target error) bool { return target == ErrNeedsPassCode }

// CredentialError says that the method cannot use what the person gave. Problem tells
// the person why, as a predicate of which the method is the subject: "takes no
// passcode".
type CredentialError struct{ Problem string }

// Error leaves out Problem, which may name the person's devices.
func (e *CredentialError) Error() string { return "the method cannot use this credential" }

// Only fails with *CredentialError where the person chose another kind of factor than
// the only one of the method.
func (c Credential) Only(kind Kind) error {
	if c.Kind != "" && c.Kind != kind {
		return &CredentialError{fmt.Sprintf("takes no factor of type %s", c.Kind)}
	}
	return nil
}

// DeniedError says that the service denies the login, and why, in the service's words.
type DeniedError struct{ Reason string }

// Error leaves out a reason with a link, which may let its reader enroll a device as the
// person.
func (e *DeniedError) Error() string {
	if strings.Contains(e.Reason, "://") {
		return "denied, with a link for the person"
	}
	return "denied: " + e.Reason
}

// ServiceError says that the service refuses the mount rather than the person, for
// example because of a wrong key.
type ServiceError struct {
	Status     int           // of HTTP
	Message    string        // in the service's words
	RetryAfter time.Duration // after which the service may be asked again; zero: it did not say
}

func (e *ServiceError) Error() string {
	return fmt.Sprintf("the service answers HTTP %d: %s", e.Status, e.Message)
}

// PassCodesBarredError says that the method checks no passcode for a while, because the
// person gave too many wrong ones.
type PassCodesBarredError struct{ Wait time.Duration }

func (e *PassCodesBarredError) Error() string { return "too many wrong passcodes" }

// notSentError marks an error before which no phone can have rung.
type notSentError struct{ error }

func (e *notSentError) Unwrap() error { return e.error }

// MarkNotSent marks err, so that NotSent is true for it. It returns nil for nil.
func MarkNotSent(err error) error {
	if err == nil {
		return nil
	}
	return &notSentError{err}
}

// NotSent reports whether a push failed before a phone can have rung.
func NotSent(err error) bool {
	_, ok := errors.AsType[*notSentError](err)
	return ok
}
