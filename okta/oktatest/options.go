package oktatest

import "time"

// DefaultToken is the API token of an organization whose [Options] name no
// other.
const DefaultToken = "00oktatest-api-token"

// LinkStyle says how the pages of a user's groups point to each other.
type LinkStyle int

// The ways of writing the Link header.
const (
	// LinkSeparate sends one header line per link, as Okta does.
	LinkSeparate LinkStyle = iota
	// LinkJoined joins the links with a comma in one line, as proxies may.
	LinkJoined
	// LinkForeign points next to Options.ForeignBase. A client that follows
	// it gives its API token away.
	LinkForeign
	// LinkLoop points next to the page itself, for ever.
	LinkLoop
)

// Options changes how an organization answers. The zero value is an Okta
// organization with its defaults.
type Options struct {
	// Now is the organization's clock; nil means time.Now. See [Clock].
	Now func() time.Time
	// Token is the SSWS API token, DefaultToken when empty.
	Token string
	// OrgID is the organization's id. When it is empty, New makes one up. Servers
	// with the same id are one organization at several URLs.
	OrgID string
	// Hosts are further names and addresses for the server's certificate.
	Hosts []string
	// CertUntil is when the server's certificate ends; zero means in a year.
	CertUntil time.Time
	// Engine is the pipeline that the organization names: "v1", which is the Classic
	// Engine and the default, or "idx", the Identity Engine. It changes nothing else.
	Engine string
	// HTTP1Only keeps the server from offering HTTP/2.
	HTTP1Only bool

	// CountOnly records no requests, for measurements over very many logins.
	// [Org.Received] still counts them. Requests, Count, StateTokens and Secrets know
	// nothing of what happens while it is set.
	CountOnly bool

	// PageSize is the number of groups on a page, and the most that a
	// request can ask for with limit=. Zero means 200.
	PageSize int
	// GroupLinkStyle says how pages of groups are linked.
	GroupLinkStyle LinkStyle
	// ForeignBase is where LinkForeign points to, such as
	// "https://foreign.example", which is also its default.
	ForeignBase string

	// FactorArrayUnderFactor publishes the list of factors as
	// _embedded.factor, as a page of Okta's reference prints it.
	FactorArrayUnderFactor bool
	// FactorsAsObject publishes a single factor as an object where Okta's reference
	// has a list of one, and the factor of a challenge as _embedded.factors.
	FactorsAsObject bool
	// VerifyByType lets people who have several factors of one type verify a passcode
	// by the type, and publishes that as _embedded.factorTypes.
	VerifyByType bool
	// EmptyVerifyProfile leaves the profile of Okta Verify factors empty, as
	// Okta may do before the user has authenticated.
	EmptyVerifyProfile bool
	// ExtraFields adds unknown fields to every JSON object answered.
	ExtraFields bool
	// OmitFactorResult leaves factorResult out of the answer that says that
	// a code was sent, as Okta's SMS sample does.
	OmitFactorResult bool
	// OmitResend leaves the resend link out of challenges. Those of calls
	// never have one.
	OmitResend bool
	// CodesStayInTransaction makes a code sent by sms, call or email good only in
	// the transaction that it was sent for, or in the Factors API if it was sent
	// there. By default a code is good anywhere. Okta documents neither.
	CodesStayInTransaction bool

	// AutoFactors adds an email and a question, which the user never enrolled, to the
	// Factors API's list of a user's factors, as Identity Engine does. See
	// [User.AutoFactors].
	AutoFactors bool

	// SignInCode is the error of a login that is refused, whatever the reason: E0000207,
	// or E0000004 when empty.
	SignInCode string
	// MaxFailures is the number of wrong passcodes that locks a user. Zero
	// means 5.
	MaxFailures int
	// MaxPasswordFailures is the number of wrong passwords that locks a
	// user. Zero means that none does.
	MaxPasswordFailures int
	// ChallengeLife is how long a push or a code sent stays good. Zero means
	// 5 minutes.
	ChallengeLife time.Duration
	// StateTokenLife is how long a state token lives after its last use.
	// Zero means 5 minutes.
	StateTokenLife time.Duration

	// RateLimit is the number of authentication requests a minute. Zero
	// reports 600 and enforces nothing.
	RateLimit int
	// OtherRateLimit is the number of requests a minute that the answers of all other
	// endpoints report, each for itself. Zero reports 600. It is not enforced.
	OtherRateLimit int
	// EnforcePerUserRate allows 4 password logins a second for a username.
	EnforcePerUserRate bool
	// EnforceTokenRate allows 10 requests in 5 seconds for a state token, as
	// Identity Engine does.
	EnforceTokenRate bool
	// EnforceUserRate allows 20 requests in 5 seconds for a user, logins and
	// state tokens together, as Identity Engine does.
	EnforceUserRate bool
}

// withDefaults replaces zero values by the defaults.
func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Token == "" {
		o.Token = DefaultToken
	}
	if o.Engine == "" {
		o.Engine = "v1"
	}
	if o.PageSize <= 0 {
		o.PageSize = 200
	}
	if o.ForeignBase == "" {
		o.ForeignBase = "https://foreign.example"
	}
	if o.SignInCode == "" {
		o.SignInCode = "E0000004"
	}
	if o.MaxFailures <= 0 {
		o.MaxFailures = 5
	}
	if o.ChallengeLife <= 0 {
		o.ChallengeLife = 5 * time.Minute
	}
	if o.StateTokenLife <= 0 {
		o.StateTokenLife = 5 * time.Minute
	}
	return o
}
