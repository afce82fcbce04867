package mfa

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Method is a second factor that a mount demands by itself, after Okta is
// satisfied. One is made from its configuration and kept: its methods may be
// called from several goroutines at once.
type Method interface {
	// Prepare finds the way in which c answers the method for who. It bothers
	// nobody: it sends no push and no code and uses no passcode up, so that a login
	// with several methods can find out that one of them cannot be satisfied before
	// a phone rings for another.
	//
	// It fails with ErrNeedsPassCode where c has none and there is no way without,
	// and with *CredentialError where c is nothing that the method takes. Every
	// other error denies, too; those of denials are named below, and what became of
	// the method's service is ErrServiceTimeout, ErrServiceUnreachable,
	// ErrServiceMalformed or *ServiceError (for a method of Okta's: the errors of
	// package okta).
	Prepare(ctx context.Context, who Subject, c Credential) (Attempt, error)
}

// Subject is a person whom Okta has let in, and whom the methods are about.
type Subject struct {
	ID       string       // Okta's, in Org
	Org      string       // the org's URL, as okta.Client.OrgURL tells it
	Login    string       // as Okta spells it
	Name     string       // as it was typed
	Verified *okta.Factor // what Okta's own challenge of this login verified; nil: nothing
	ByNumber bool         // and that was a number challenge
	Caller   okta.Caller  // from where they log in
	Address  string       // their one IP address, "" if it is not known
}

// Credential is what a person gave for one method. The zero value is nothing.
type Credential struct {
	PassCode string
	Kind     Kind   // narrows the choice of a factor; empty means any
	Device   string // the name, in any case, or id of the phone to ring
}

// Attempt is a way to satisfy a method that has not been gone yet.
type Attempt struct {
	// Passed says that nothing is left to do: the person has shown this factor, or
	// the method's service lets them in without.
	Passed bool

	// Rings names the person whose phone Verify makes ring, for Guard, which must
	// know a person by one name; it is empty where no phone rings.
	Rings string

	// Phone names the phone that Verify makes ring, by a name that no other has: it
	// rings once in a login.
	Phone string

	// Sends says that Verify has a code sent, for the next login to bring.
	Sends bool

	// Verify goes the way to its end: nil lets the person pass. It stops with ctx
	// and takes back what it has begun. Where x.Until passes it fails with
	// ErrPushTimeout. An error for which NotSent is true says that no phone rang.
	Verify func(ctx context.Context, x Exchange) error
}

// Exchange is how an Attempt speaks with the person.
type Exchange struct {
	Clock Clock
	Until time.Time // when the wait for a push ends
	Pace  *Pace     // of the mount; may be nil

	// Waiting is to be called once a push is on its way, with the name of the phone
	// and the time at which the push ends; either may be zero.
	Waiting func(device string, expires time.Time)

	// Show tells the person the right number of a number challenge, before Waiting is
	// called or after; it is nil where there is no way to do so.
	Show func(Number)
	// Shown says that there is none because the client has been shown a number.
	Shown bool
}

// Why a method denies. What Okta's factors are denied for (ErrRejected,
// ErrPushTimeout, ErrPassCodeReplayed and so on) is the same here.
var (
	// ErrNeedsPassCode: the method takes a passcode and the person gave none.
	ErrNeedsPassCode = errors.New("a passcode is needed")
	// ErrWrongPassCode: the passcode is not right.
	ErrWrongPassCode = errors.New("the passcode is not right")
	// ErrUnknownPerson: the method's service knows nobody of that name.
	ErrUnknownPerson = errors.New("there is nobody of that name")
	// ErrSeveralPeople: it knows more than one.
	ErrSeveralPeople = errors.New("there are several people of that name")
	// ErrOtherPerson: the org of the login knows somebody else by that name.
	ErrOtherPerson = errors.New("the name is that of somebody else")
	// ErrInactivePerson: the account there is not active.
	ErrInactivePerson = errors.New("the account is not active")
	// ErrNoKey: the mount holds no TOTP key of the person.
	ErrNoKey = errors.New("there is no key of the person")
	// ErrNumberShown: a number would have to be shown, and the client has been shown one.
	ErrNumberShown = errors.New("the client has been shown a number before")
	// ErrNoFactor: the person has no factor that the method accepts.
	ErrNoFactor = errors.New("there is no factor that the method accepts")

	// ErrServiceTimeout: the method's service was too slow.
	ErrServiceTimeout = errors.New("the service did not answer in time")
	// ErrServiceUnreachable: no answer came.
	ErrServiceUnreachable = errors.New("the service could not be reached")
	// ErrServiceMalformed: an answer came that makes no sense.
	ErrServiceMalformed = errors.New("the service's answer makes no sense")
)

// CredentialError says that what a person gave is nothing that the method takes.
// Problem is a predicate for the person: "takes no passcode".
type CredentialError struct{ Problem string }

// Error leaves the problem out: it may name the person's devices.
func (e *CredentialError) Error() string { return "the credential is nothing that the method takes" }

// Only refuses a credential that names another kind of factor than the one that
// the method has.
func (c Credential) Only(kind Kind) error {
	if c.Kind != "" && c.Kind != kind {
		return &CredentialError{fmt.Sprintf("takes no factor of type %s", c.Kind)}
	}
	return nil
}

// DeniedError says that the method's service denies, and why, in its own words.
type DeniedError struct{ Reason string }

// Error leaves out a reason with a link: it may be one to enrol by, for the person
// alone.
func (e *DeniedError) Error() string {
	if strings.Contains(e.Reason, "://") {
		return "denied, with a link for the person"
	}
	return "denied: " + e.Reason
}

// ServiceError says that the method's service refuses the mount itself: a wrong
// key, for example. Status is the HTTP status of the answer.
type ServiceError struct {
	Status  int
	Message string // the service's own words
}

func (e *ServiceError) Error() string {
	return fmt.Sprintf("the service answers HTTP %d: %s", e.Status, e.Message)
}

// PassCodesBarredError says that no passcode is looked at for a while, after too
// many wrong ones.
type PassCodesBarredError struct{ Wait time.Duration }

func (e *PassCodesBarredError) Error() string { return "too many wrong passcodes" }

// notSentError marks an error before which no phone can have rung.
type notSentError struct{ error }

func (e *notSentError) Unwrap() error { return e.error }

// MarkNotSent marks err, unless it is nil, as one for which NotSent is true.
func MarkNotSent(err error) error {
	if err == nil {
		return nil
	}
	return &notSentError{err}
}

// NotSent reports whether a push failed before it can have reached a phone.
func NotSent(err error) bool {
	var e *notSentError
	return errors.As(err, &e)
}
