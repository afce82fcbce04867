package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/cidrutil"
	"github.com/hashicorp/vault/sdk/helper/policyutil"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// passwordKey is where the password is kept for renewals, in the internal
	// data of the token's lease. The builtin method uses the same key.
	passwordKey = "password"
	usernameKey = "username" // in the token's metadata

	maxPassword = 4096 // bytes
	maxPassCode = 256  // bytes

	// loginTimeout bounds a login, from the password to the groups. It ends before
	// Vault gives a request up (max_request_duration, 90 s by default) and answers
	// 500 by itself, which its clients repeat: that would be a second push. Vault
	// does not tell a plugin how long it will wait.
	loginTimeout = 85 * time.Second
)

func (b *backend) pathLogin() *framework.Path {
	return &framework.Path{
		Pattern: "login/(?P<username>.+)",
		Fields: map[string]*framework.FieldSchema{
			"username": {
				Type:        framework.TypeString,
				Description: "Okta username: the full login, or the part before the @ where that is unambiguous.",
			},
			"password": {
				Type:         framework.TypeString,
				Description:  "Okta password.",
				DisplayAttrs: &framework.DisplayAttributes{Sensitive: true},
			},
			"totp": {
				Type: framework.TypeString,
				Description: "Current passcode of Okta Verify or Google Authenticator. Without it, a push is sent where " +
					"Okta asks for a factor.",
				DisplayAttrs: &framework.DisplayAttributes{Sensitive: true},
			},
			"nonce": {
				Type: framework.TypeString,
				Description: "A random string, new for each login. Where a push shows numbers on the phone, the right one " +
					"can be read at verify/<nonce> while the login waits.",
			},
			"provider": {
				Type:        framework.TypeString,
				Description: "Provider of the factor, OKTA or GOOGLE, in any case.",
			},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback:  b.pathLoginUpdate,
				Summary:   "Log in with an Okta username, password and, where Okta asks for it, factor.",
				Responses: okResponse(),
				// A node that cannot write would run the login, factor included, and
				// then have it run again elsewhere: two pushes for one login. (Not so a
				// performance secondary, which issues tokens of its own; one of the
				// primary's would be none there.)
				ForwardPerformanceStandby: true,
			},
			logical.AliasLookaheadOperation: &framework.PathOperation{
				Callback: b.pathLoginAlias,
				Summary:  "Tell the alias that a login would have.",
			},
		},
		HelpSynopsis:    "Log in with an Okta username, password and factor.",
		HelpDescription: loginHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: "login"},
	}
}

func (b *backend) pathLoginAlias(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	username := d.Get("username").(string)
	if err := checkName("username", username); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	return &logical.Response{Auth: &logical.Auth{Alias: &logical.Alias{Name: username}}}, nil
}

func (b *backend) pathLoginUpdate(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	in, err := parseLogin(d)
	if err != nil {
		return b.answer(err, false)
	}
	cfg, err := b.requireConfig(ctx, req.Storage)
	if err != nil {
		return b.answer(err, false)
	}
	if err := checkCIDR(cfg, req.Connection); err != nil {
		return b.answer(err, false)
	}
	who, err := b.login(ctx, req, cfg, in)
	if err != nil {
		return b.answer(err, who.ChallengeSent)
	}
	auth := &logical.Auth{
		Metadata: map[string]string{
			usernameKey: in.username,
			"policies":  strings.Join(who.policies, ","),
		},
		InternalData: map[string]any{passwordKey: in.password},
		DisplayName:  in.username,
		Alias:        &logical.Alias{Name: in.username},
		GroupAliases: groupAliases(who.groups),
	}
	cfg.PopulateTokenAuth(auth) // replaces the policies: first
	auth.Policies = tokenPolicies(cfg, who)
	return &logical.Response{Auth: auth, Warnings: who.warnings}, nil
}

// pathLoginRenew repeats the login of a token, the builtin method's included,
// with the password kept for that and without a passcode: where Okta asks for a
// factor, a push comes again.
func (b *backend) pathLoginRenew(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	if req.Auth == nil {
		return nil, errors.New("renewal of no token")
	}
	password, _ := req.Auth.InternalData[passwordKey].(string)
	in := loginInput{username: req.Auth.Metadata[usernameKey], password: password}
	if in.username == "" || in.password == "" {
		return b.answer(errNotRenewable, false)
	}
	cfg, err := b.requireConfig(ctx, req.Storage)
	if err != nil {
		return b.answer(err, false)
	}
	who, err := b.login(ctx, req, cfg, in)
	if err != nil {
		return b.answer(err, who.ChallengeSent)
	}
	if !policyutil.EquivalentPolicies(tokenPolicies(cfg, who), req.Auth.TokenPolicies) {
		return b.answer(errPoliciesChanged, who.ChallengeSent)
	}
	auth := *req.Auth
	auth.Period = cfg.TokenPeriod
	auth.TTL = cfg.TokenTTL
	auth.MaxTTL = cfg.TokenMaxTTL
	auth.GroupAliases = groupAliases(who.groups)
	return &logical.Response{Auth: &auth, Warnings: who.warnings}, nil
}

// loginInput is what a person gave.
type loginInput struct {
	username string
	password string
	nonce    string
	want     mfa.Want
}

// parseLogin reads the fields and refuses what Okta need not be asked about.
func parseLogin(d *framework.FieldData) (loginInput, error) {
	in := loginInput{
		username: d.Get("username").(string),
		password: d.Get("password").(string),
		nonce:    d.Get("nonce").(string),
		want:     mfa.Want{PassCode: strings.TrimSpace(d.Get("totp").(string))},
	}
	if err := checkName("username", in.username); err != nil {
		return loginInput{}, err
	}
	switch {
	case in.password == "":
		return loginInput{}, invalid("password", "is required")
	case len(in.password) > maxPassword:
		return loginInput{}, invalid("password", fmt.Sprintf("must not be longer than %d bytes", maxPassword))
	case len(in.want.PassCode) > maxPassCode:
		return loginInput{}, invalid("totp", fmt.Sprintf("must not be longer than %d bytes", maxPassCode))
	}
	if err := checkNonce(in.nonce); err != nil {
		return loginInput{}, err
	}
	var err error
	if in.want.Provider, err = mfa.ParseProvider(d.Get("provider").(string)); err != nil {
		return loginInput{}, invalid("provider", err.Error())
	}
	return in, nil
}

func (b *backend) requireConfig(ctx context.Context, s logical.Storage) (*configEntry, error) {
	cfg, err := b.config(ctx, s)
	if err == nil && cfg == nil {
		err = errNotConfigured
	}
	return cfg, err
}

func checkCIDR(cfg *configEntry, conn *logical.Connection) error {
	if len(cfg.TokenBoundCIDRs) == 0 {
		return nil
	}
	if conn == nil || !cidrutil.RemoteAddrIsOk(conn.RemoteAddr, cfg.TokenBoundCIDRs) {
		return logical.ErrPermissionDenied
	}
	return nil
}

// person is somebody whom Okta let in, and what the mount gives them.
type person struct {
	mfa.Outcome
	groups   []string // Okta's, then the mount's own, each once
	policies []string // of the groups, then the person's own, each once
	warnings []string
}

// login runs one login at Okta. The person returned with an error tells no more
// than whether a challenge was sent.
func (b *backend) login(ctx context.Context, req *logical.Request, cfg *configEntry, in loginInput) (who person, err error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	client, err := b.client(cfg)
	if err != nil {
		return person{}, err
	}
	flow := mfa.Login{Want: in.want, Bypass: cfg.BypassOktaMFA, Poll: b.poll}
	if in.nonce != "" {
		show, end, err := b.numbers.open(in.nonce)
		if err != nil {
			return person{}, err
		}
		defer end()
		flow.ShowNumber = show
	}

	authn := client.For(caller(req.Connection))
	tx, err := authn.Authenticate(ctx, in.username, in.password)
	if err != nil {
		return person{}, apiTokenRefused(cfg, err)
	}
	flow.Okta = authn
	if who.Outcome, err = flow.Complete(ctx, tx); err != nil {
		return person{Outcome: who.Outcome}, err
	}
	if who.PasswordWarning {
		who.warnings = append(who.warnings, passwordWarning)
	}
	if err := b.resolve(ctx, req.Storage, cfg, client, in.username, &who); err != nil {
		return person{Outcome: who.Outcome}, err
	}
	return who, nil
}

// resolve fills in groups and policies.
func (b *backend) resolve(ctx context.Context, s logical.Storage, cfg *configEntry, client *okta.Client, username string, who *person) error {
	if cfg.Token != "" {
		groups, err := client.Groups(ctx, who.User.ID)
		if err != nil {
			return apiTokenRefused(cfg, err)
		}
		for _, g := range groups {
			who.groups = append(who.groups, g.Name)
		}
		if len(groups) == 0 {
			who.warnings = append(who.warnings, noGroupsWarning)
		}
	}
	user, err := b.user(ctx, s, username)
	if err != nil {
		return err
	}
	who.groups = unique(append(who.groups, user.Groups...))
	policies, err := b.policiesOf(ctx, s, who.groups)
	if err != nil {
		return err
	}
	who.policies = unique(append(policies, user.Policies...))
	return nil
}

// caller names the person's address to Okta, where it is an IP address: over a
// Unix socket there is none.
func caller(conn *logical.Connection) okta.Caller {
	if conn == nil {
		return okta.Caller{}
	}
	address, err := netip.ParseAddr(conn.RemoteAddr)
	if err != nil {
		return okta.Caller{}
	}
	return okta.Caller{Address: address.Unmap().WithZone("").String()}
}

func tokenPolicies(cfg *configEntry, who person) []string {
	return slices.Concat(cfg.TokenPolicies, who.policies)
}

func groupAliases(groups []string) []*logical.Alias {
	aliases := make([]*logical.Alias, 0, len(groups))
	for _, name := range groups {
		aliases = append(aliases, &logical.Alias{Name: name})
	}
	return aliases
}

// unique returns the names without empty ones and without repetitions, in their
// order.
func unique(names []string) []string {
	seen := make(map[string]bool, len(names))
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen[name] || name == ""
		seen[name] = true
		return again
	})
}

const loginHelp = `
The password is verified with Okta. Where Okta asks for a factor, "totp" answers
it with the passcode of Okta Verify or Google Authenticator; without "totp", a
push is sent to Okta Verify and the login waits until it is answered.

Where the push shows numbers to choose from, the login needs a "nonce": a random
string, new for each login. While the login waits, the right number can be read at
verify/<nonce>, without a token.
`
