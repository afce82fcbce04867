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
	// a passcode and c has none, and with *CredentialError where the method cannot use
	// c. Every other error denies the login: one of the errors below, or, where the
	// service of the method failed, ErrServiceTimeout, ErrServiceUnreachable,
	// ErrServiceMalformed or *ServiceError. A method that asks Okta fails with the
	// errors of package okta instead.
	Prepare(ctx context.Context, who Subject, c Credential) (Attempt, error)
}

// Subject is the person who logs in, after Okta has accepted them.
type Subject struct {
	// ID is the person's user id at Okta, in Org.
	ID string
	// Org is the URL of the org, as okta.Client.OrgURL returns it.
	Org string
	// Login is the person's login, as Okta spells it.
	Login string
	// Name is the username that the person typed.
	Name string
	// Verified is the factor that the person has verified in Okta's own challenge of
	// this login. It is nil where Okta has not asked for one.
	Verified *okta.Factor
	// ByNumber is true where Verified was a push with a number challenge.
	ByNumber bool
	// Caller is the client that logs in, for requests to Okta.
	Caller okta.Caller
	// Address is the client's IP address, for other services. It is empty where the
	// address is not known.
	Address string
}

// Credential is what the person gave for one method. The zero value means that they
// gave nothing.
type Credential struct {
	// PassCode is the passcode, or empty.
	PassCode string
	// Kind is the kind of factor that the person chose. Empty means any.
	Kind Kind
	// Device is the phone that the person chose: its name, in any case, or its id.
	Device string
}

// Attempt is a prepared way to satisfy a method. It tells all that Verify will do to
// the person's devices, so that the caller can ask Guard first.
type Attempt struct {
	// Passed is true where nothing is left to do, because the person has verified
	// this factor already or the service lets them in without one. Verify is nil then.
	Passed bool

	// Rings identifies the person whose phone Verify rings. Guard counts by it, so that
	// it must be the same for all spellings of a name. It is empty where no phone rings.
	Rings string

	// Phone identifies the phone that Verify rings, among all phones of all methods: a
	// login rings each phone once.
	Phone string

	// Sends is true where Verify has a code sent, which the next login gives back.
	Sends bool

	// Verify satisfies the method, and returns nil where the person may pass. It ends
	// with ctx and withdraws what it began, as far as the service can. After x.Until it
	// fails with ErrPushTimeout. NotSent is true for an error before a phone rang.
	Verify func(ctx context.Context, x Exchange) error
}

// Exchange is what an Attempt needs while it waits for the person.
type Exchange struct {
	// Clock tells the time and sleeps.
	Clock Clock
	// Until is when the wait for a push ends.
	Until time.Time
	// Pace spreads the questions of the mount's logins to Okta. It may be nil.
	Pace *Pace

	// Waiting must be called once a push is on its way, with the name of the phone and
	// the time at which the push expires. Either may be zero.
	Waiting func(device string, expires time.Time)

	// Show shows the right number of a number challenge to the person. It may be called
	// before or after Waiting. It is nil where no number can be shown.
	Show func(Number)
	// Shown is true where Show is nil because this login has already shown a number.
	Shown bool
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
	// ErrNoFactor: the person has no factor that the method accepts.
	ErrNoFactor = errors.New("the person has no factor that the method accepts")

	// ErrServiceTimeout: the service did not answer in time.
	ErrServiceTimeout = errors.New("the service did not answer in time")
	// ErrServiceUnreachable: the service could not be reached, or sent no whole answer.
	ErrServiceUnreachable = errors.New("the service could not be reached")
	// ErrServiceMalformed: the service sent an answer that cannot be one of its API's.
	ErrServiceMalformed = errors.New("the service's answer makes no sense")
)

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
	Status  int    // of HTTP
	Message string // in the service's words
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
