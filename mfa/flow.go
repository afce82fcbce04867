package mfa

import (
	"context"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Authn is what a Session needs of Okta's Authentication API; *okta.Client has it.
// Each method sends one request and stops with its context.
type Authn interface {
	// Verify answers or starts the challenge of a factor, or polls an open one.
	Verify(ctx context.Context, t okta.Transaction, f okta.Factor, passCode string) (okta.Transaction, error)
	// VerifyByType tries a passcode on all factors of a type that the transaction offers
	// for that.
	VerifyByType(ctx context.Context, t okta.Transaction, typ okta.FactorType, passCode string) (okta.Transaction, error)
	// Resend has the code of an open challenge sent again.
	Resend(ctx context.Context, t okta.Transaction, f okta.Factor) (okta.Transaction, error)
	// Previous goes back from a challenge to the choice of a factor.
	Previous(ctx context.Context, t okta.Transaction) (okta.Transaction, error)
	// Skip skips a warning.
	Skip(ctx context.Context, t okta.Transaction) (okta.Transaction, error)
	// State reads where the transaction stands, and changes nothing.
	State(ctx context.Context, t okta.Transaction) (okta.Transaction, error)
	// Cancel ends the transaction.
	Cancel(ctx context.Context, t okta.Transaction) error
}

// Flow says how one login goes. Okta and Mount are required; the zero value of
// every other field is useful.
type Flow struct {
	okta.Unprintable
	// Okta sends requests on behalf of the person who logs in.
	Okta Authn
	// Org is the org's URL, as okta.Client.OrgURL returns it.
	Org string
	// Mount is shared by all logins of one mount.
	Mount *Mount
	// Policy says which factors the mount accepts.
	Policy Policy

	// Name is the user name as the person typed it, Caller and Address are where
	// they log in from. The methods get them in their Subject.
	Name    string
	Caller  okta.Caller
	Address string

	// Alias returns the name of the identity alias of somebody whom Okta let in. Where it
	// is nil, that is the name as the person typed it.
	Alias func(who Subject) string

	// Nonce is what the client calls this login. A login of the same person with the
	// same nonce takes its place, because a client that repeats a request sends the
	// same one. No login takes the place of one whose Nonce is empty. A nonce is random
	// and the client's secret; an address is neither.
	Nonce string
	// Unattended marks a login that nobody began and nobody watches, such as the
	// renewal of a token. It takes nobody's place, and what nobody answers of it
	// counts against other logins of its kind only.
	Unattended bool

	// Groups reads the groups of a user. Where it is nil, nobody has groups.
	Groups func(ctx context.Context, userID string) ([]okta.Group, error)
	// Attributes reads what the mount wants to know of the profile of a user, at the same
	// time as Groups, by the names of the attributes. Where it fails, Groups counts as
	// failed. Where it or Groups is nil, nothing is read.
	Attributes func(ctx context.Context, userID string) (map[string]string, error)
	// GroupsOptional reports whether the login goes on although Groups has failed with err.
	// The Subject has err then, and no groups. Nil: it never does.
	GroupsOptional func(err error) bool
	// Begun is a read of the groups that began before the login. It may be nil.
	Begun *GroupRead
	// Active says why the account of a user may not log in by now. A Session asks where
	// Okta's last word about the account is older than MaxAge. Nil means that nobody
	// can tell.
	Active func(ctx context.Context, userID string) error
	// Admit says why a person may not log in, before Okta asks them for a factor. A
	// Session does not ask where it does not know their groups by then, so Require has
	// to decide again. Nil admits everybody.
	Admit func(ctx context.Context, who Subject) error
	// Require returns the methods that a person has to satisfy after Okta is
	// satisfied. A Session calls it in each call, so that a change meanwhile counts.
	// Where it is nil, no method is required.
	Require func(ctx context.Context, who Subject) ([]Required, error)

	// Limit tells what is left of Okta's rate limit. Where it is nil, that is not
	// known.
	Limit func() okta.RateLimit
	// Again verifies the password once more, for a transaction of its own for each
	// further phone. Where it is nil, only the first phone rings.
	Again func(ctx context.Context) (okta.Transaction, error)

	// Hold marks a login that further calls of Continue bring to its end, which read
	// its State. Any other login is brought to its end by Run.
	Hold bool
	// Show is called with the right number of a number challenge each time a service
	// tells it. Where it is nil, and the login is not held, no number can be shown.
	Show func(Number)
	// Later does, after the answer, what the login need not wait for: it cancels what is
	// open at Okta and at the methods' services. Where it is nil, that is done at once.
	Later func(farewell func())
	// Clock tells the time and sleeps. It is the system's where it is nil.
	Clock Clock
}

// Input is what a person gave in one request.
type Input struct {
	okta.Unprintable
	Want  Want  // chooses and answers a factor of Okta's own challenge
	Given Given // answers the methods of the mount
}

// Phase is what a Session waits for.
type Phase int

const (
	// PhaseFactor: the person has to choose a factor.
	PhaseFactor Phase = iota + 1
	// PhasePassCode: the person has to give a passcode.
	PhasePassCode
	// PhaseWaiting: the person has to approve a push.
	PhaseWaiting
	// PhaseMethods: the person has to give credentials for methods of the mount.
	PhaseMethods
	// PhaseDone: the login has succeeded.
	PhaseDone
)

// State is where a Session stands.
type State struct {
	Phase     Phase
	Factor    okta.Factor   // of Okta's challenge; zero where that is not what is open
	Method    *Required     // whose push waits; nil where Okta's own challenge is open
	Device    string        // the phone that the method's push went to; may be empty
	Number    *Number       // of the push that waits, once it is known
	ExpiresAt time.Time     // when the session ends unless somebody continues it
	Others    []okta.Factor // what else could answer Okta's challenge
	Missing   []Required    // in PhaseMethods: the methods that want a credential
}
