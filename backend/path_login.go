package backend

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/cidrutil"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	maxPassword = 4096 // bytes
	maxPassCode = 256  // bytes
	maxDevice   = 256  // bytes

	// loginTimeout bounds a request to log in or to renew a token, all of it. It ends before
	// Vault gives a request up (max_request_duration, 90 s by default) and answers
	// 500 by itself, which its clients repeat: that would be a second push. Vault
	// does not tell a plugin how long it will wait.
	loginTimeout = 85 * time.Second
)

func (b *backend) pathLogin() *framework.Path {
	return &framework.Path{
		Pattern: "login/(?P<username>.+)",
		Fields:  loginFields(),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.pathLoginUpdate,
				Summary:  "Log in with an Okta username, password and, where Okta asks for it, factor.",
				Responses: told(heldFields(), http.StatusBadRequest, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError,
					http.StatusBadGateway, http.StatusGatewayTimeout),
			},
			logical.AliasLookaheadOperation: &framework.PathOperation{
				Callback: b.pathLoginAlias,
				Summary:  "Return the alias that a login would have.",
			},
		},
		HelpSynopsis:    "Log in with an Okta username, password and factor.",
		HelpDescription: loginHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: "login"},
	}
}

func loginFields() fieldSchemas {
	return grouped("Login", fieldSchemas{
		"username": {
			Type:         framework.TypeString,
			Required:     true,
			Description:  "Okta username: the full login, or the part before the @ where that is unambiguous.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Username"},
		},
		"password": {
			Type:         framework.TypeString,
			Description:  "Okta password. Required, unless there is a transaction_id.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Password", Sensitive: true},
		},
		"totp": {
			Type: framework.TypeString,
			Description: "Passcode of a generator or a hardware token, a code that was sent, or the answer to a security " +
				"question. Without it, a push or a code is sent where Okta asks for a factor.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Passcode", Sensitive: true},
		},
		"passcode": {Type: framework.TypeString, Description: "Another name of totp.", DisplayAttrs: &framework.DisplayAttributes{Name: "Passcode (other name)", Sensitive: true}},
		"nonce": {
			Type: framework.TypeString,
			Description: "A random string, new for each login. Where a push shows numbers on the phone, the right one " +
				"can be read at verify/<nonce> while the login waits. A client that repeats its request with the same nonce, " +
				"while its first login waits for a push, takes that login's place. Without one, no number can be read.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Nonce"},
		},
		"provider": {
			Type: framework.TypeString,
			Description: "Provider of the factor, in any case: OKTA, GOOGLE, YUBICO, RSA, SYMANTEC, DEL_OATH or CUSTOM; or, as factor, " +
				"its type. Whichever the person has, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Provider"},
		},
		"factor": {
			Type: framework.TypeString,
			Description: "Type of the factor, in any case: push, totp, sms, call, email, token or question. Whichever the person has, " +
				"when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Factor"},
		},
		"device": {
			Type: framework.TypeString,
			Description: "Name or factor id of the one device that is to get the push or the code. Those that push_devices of config " +
				"says, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Device"},
		},
		"device_token": {
			Type: framework.TypeString,
			Description: "A random string of this device, of up to 32 characters, by which Okta may remember it: see " +
				"remember_device of config. It is not remembered, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Device Token", Sensitive: true},
		},
		"resend": {
			Type:         framework.TypeBool,
			Description:  "Ask Okta to send another code although the last one is still good. False when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Resend"},
		},
		"mfa": {
			Type: framework.TypeStringSlice,
			Description: "Credentials for the MFA methods of the mount, each as name, name:<passcode>, name:<type of factor>, " +
				"name:<type of factor>=<passcode>, name:passcode=<passcode> or name:device=<phone>; the header X-Vault-MFA does the same. " +
				"A method that sends a push needs none. The name okta stands for the factor that Okta asks for, as totp, factor and device do.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "MFA Credentials", Sensitive: true},
		},
		"wait": {
			Type:    framework.TypeBool,
			Default: true,
			Description: "With false, the login answers at once. Where the person has to do something first, the answer has the " +
				"transaction_id that continues the login. True when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Wait"},
		},
		"transaction_id": {
			Type:         framework.TypeString,
			Description:  "Continue the login that a request with wait=false began, without the password. A new login, when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Transaction ID", Sensitive: true},
		},
		"cancel": {
			Type:         framework.TypeBool,
			Description:  "With transaction_id: end that login. False when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Cancel"},
		},
	})
}

// heldFields are the data of an answer to a login with wait=false that is not at its end:
// see describeState. The answer to a login that has succeeded has "auth" and no data.
func heldFields() fieldSchemas {
	return fieldSchemas{
		"transaction_id":    {Type: framework.TypeString, Description: "With wait=false: the id that continues the login."},
		"state":             {Type: framework.TypeString, Description: "What it waits for: factor_required, passcode_required, waiting or mfa_required; or cancelled."},
		"expires_at":        {Type: framework.TypeTime, Description: "When it ends."},
		"factor":            {Type: framework.TypeString, Description: "Type of the factor that it waits for."},
		"provider":          {Type: framework.TypeString, Description: "Provider of that factor."},
		"device":            {Type: framework.TypeString, Description: "Device that got a push or a code."},
		"sent_to":           {Type: framework.TypeString, Description: "Where a code is sent: a number or an address, masked by Okta."},
		"question":          {Type: framework.TypeString, Description: "The security question to answer."},
		"factors":           {Type: framework.TypeSlice, Description: "The other factors of the person, each with its id."},
		"correct_answer":    {Type: framework.TypeInt, Description: "The number to choose on the phone."},
		"verification_code": {Type: framework.TypeString, Description: "The same number, where it has to be typed into Duo Mobile."},
		"mfa_method":        {Type: framework.TypeString, Description: "The MFA method of the mount that it waits for."},
		"mfa_type":          {Type: framework.TypeString, Description: "Type of that method."},
		"mfa_methods":       {Type: framework.TypeSlice, Description: "The MFA methods that are to be satisfied, each with its name and type."},
	}
}

// pathLoginAlias tells the alias that a login would have, as far as that can be known
// without Okta. It works on every node: a lookahead is not forwarded.
func (b *backend) pathLoginAlias(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	username := d.Get("username").(string)
	if err := checkName("username", username); err != nil {
		return logical.ErrorResponse(err.Error()), nil
	}
	cfg, err := b.config(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	alias := username
	if cfg != nil {
		alias = b.expectAlias(cfg, username)
	}
	return &logical.Response{Auth: &logical.Auth{Alias: &logical.Alias{Name: alias}}}, nil
}

func (b *backend) pathLoginUpdate(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	in, err := parseLogin(req, d)
	if err != nil {
		return b.answer(ctx, err, false)
	}
	cfg, err := b.requireConfig(ctx, req.Storage)
	if err != nil {
		return b.answer(ctx, err, false)
	}
	if err := checkCIDR(cfg, req.Connection); err != nil {
		return b.answer(ctx, err, false)
	}
	if in.transactionID == "" && in.password == "" {
		return b.answer(ctx, invalid("password", "is required"), false)
	}
	if in, err = b.forOkta(ctx, req.Storage, in); err != nil {
		return b.answer(ctx, err, false)
	}
	b.listAhead(ctx, req.Storage)
	login, err := b.newLogin(ctx, req, cfg, in.split(cfg.PasscodeSeparator))
	switch {
	case err != nil:
		return b.answer(ctx, err, false)
	case in.transactionID != "":
		return login.proceed(ctx)
	case !in.wait:
		return login.hold(ctx)
	}
	session, err := login.run(ctx)
	if err == nil {
		login, err = login.stillGood(ctx, session)
	}
	if err != nil {
		return login.fail(ctx, session, err)
	}
	return login.token(session), nil
}

// listAhead begins to list what a login looks up after Okta has answered: the first login
// after a start would wait for Okta and then for storage.
func (b *backend) listAhead(ctx context.Context, s logical.Storage) {
	b.users.ListAhead(ctx, s)
	b.mappings.ListAhead(ctx, s)
	b.userNotes.ListAhead(ctx, s)
	b.groupNotes.ListAhead(ctx, s)
}

// loginInput is what a person gave.
type loginInput struct {
	okta.Unprintable
	username      string
	password      string
	nonce         string
	want          mfa.Want
	mfa           credentials
	wait          bool
	transactionID string
	cancel        bool
	device        okta.Secret // of which Okta is told; zero for none
	unattended    bool        // a renewal
}

// given is what answers factors and methods.
func (in loginInput) given() mfa.Input {
	return mfa.Input{Want: in.want, Given: mfa.Given(in.mfa)}
}

// parseLogin reads the fields and refuses what Okta need not be asked about.
func parseLogin(req *logical.Request, d *framework.FieldData) (loginInput, error) {
	in := loginInput{
		username:      d.Get("username").(string),
		password:      d.Get("password").(string),
		nonce:         d.Get("nonce").(string),
		wait:          flag(d, "wait", true),
		transactionID: d.Get("transaction_id").(string),
		cancel:        flag(d, "cancel", false),
	}
	if err := checkName("username", in.username); err != nil {
		return loginInput{}, err
	}
	if len(in.password) > maxPassword {
		return loginInput{}, invalid("password", fmt.Sprintf("must not be longer than %d bytes", maxPassword))
	}
	if in.cancel && in.transactionID == "" {
		return loginInput{}, invalid("cancel", "needs the transaction_id of the login to end")
	}
	if err := checkNonce(in.nonce); err != nil {
		return loginInput{}, err
	}
	var err error
	if token := d.Get("device_token").(string); token != "" {
		if in.device, err = okta.ParseDeviceToken(token); err != nil {
			return loginInput{}, invalid("device_token", err.Error())
		}
	}
	if in.mfa, err = parseCredentials(req, d); err != nil {
		return loginInput{}, err
	}
	in.want, err = parseWant(d)
	return in, err
}

// parseWant reads the fields that choose and answer a factor.
func parseWant(d *framework.FieldData) (want mfa.Want, err error) {
	if want.PassCode, err = parsePassCode(d); err != nil {
		return mfa.Want{}, err
	}
	if want.Provider, want.Kind, err = mfa.ParseProvider(d.Get("provider").(string)); err != nil {
		return mfa.Want{}, invalid("provider", err.Error())
	}
	if factor := d.Get("factor").(string); factor != "" {
		kind, err := mfa.ParseKind(factor)
		switch {
		case err != nil:
			return mfa.Want{}, invalid("factor", err.Error())
		case want.Kind != "" && want.Kind != kind:
			return mfa.Want{}, invalid("factor", "must not name another type than provider does")
		}
		want.Kind = kind
	}
	want.Device = strings.TrimSpace(d.Get("device").(string))
	want.Resend = flag(d, "resend", false)
	if len(want.Device) > maxDevice {
		return mfa.Want{}, invalid("device", fmt.Sprintf("must not be longer than %d bytes", maxDevice))
	}
	return want, checkWant(want)
}

// parsePassCode reads the passcode, which has two names.
func parsePassCode(d *framework.FieldData) (string, error) {
	var given string
	for _, field := range []string{"totp", "passcode"} {
		raw := d.Get(field).(string)
		passCode := mfa.CleanPassCode(raw)
		switch {
		case len(raw) > maxPassCode:
			return "", invalid(field, fmt.Sprintf("must not be longer than %d bytes", maxPassCode))
		case raw != "" && passCode == "":
			return "", invalid(field, "must not be blank: leave it out where there is no passcode")
		case given != "" && passCode != "" && passCode != given:
			return "", invalid(field, "must not differ from totp: it is another name of it")
		}
		given = cmp.Or(given, passCode)
	}
	return given, nil
}

// checkWant refuses choices that contradict themselves.
func checkWant(want mfa.Want) error {
	switch {
	case want.Device != "" && slices.Contains([]mfa.Kind{mfa.KindTOTP, mfa.KindToken, mfa.KindQuestion}, want.Kind):
		return invalid("device", "must name a device that gets a push or a code: leave it out, or use factor=push, sms, call or email")
	case want.Kind == mfa.KindPush && want.PassCode != "":
		return invalid("totp", "must be left out where a push is asked for: a push takes no passcode")
	case want.Resend && want.PassCode != "":
		return invalid("resend", "must be left out where a passcode is given")
	}
	return nil
}

// flag reads a field that is true or false. What is null or empty is not given:
// some clients send such for every field that they know.
func flag(d *framework.FieldData, field string, otherwise bool) bool {
	if raw := d.Raw[field]; raw == nil || raw == "" {
		return otherwise
	}
	return d.Get(field).(bool)
}

// split takes the passcode, or the word for a type of factor, from the end of the
// password, for forms that have no field of its own for it. What is given by itself
// counts alone.
func (in loginInput) split(separator string) loginInput {
	if in.want.PassCode != "" {
		return in
	}
	if password, kind, ok := mfa.SplitKind(in.password, separator); ok && password != "" && in.want.Kind == "" && in.want.Provider == "" {
		in.password, in.want.Kind = password, kind
		return in
	}
	password, passCode, ok := mfa.SplitPassCode(in.password, separator)
	if split := in.want; ok && password != "" {
		split.PassCode = mfa.CleanPassCode(passCode)
		if checkWant(split) == nil {
			in.password, in.want = password, split
		}
	}
	return in
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

const loginHelp = `
Okta verifies the password. Where Okta asks for a factor, "totp" answers it: the
passcode of Okta Verify, Google Authenticator or a hardware token, a code that Okta
sent, or the answer to a security question. Without "totp", Okta sends a push, and the
login waits for the answer. Where the person has nothing else, Okta sends a code by SMS,
call or e-mail: repeat the login with the code as "totp". "provider" or "factor" says
which factor you mean, "device" which phone.

Where the phone shows numbers to choose from, the login needs a "nonce": a random
string, new for each login. While the login waits, verify/<nonce> shows the right
number without a token. While a push waits, Okta sends no other to the same person,
unless a client repeats its own login with the same nonce.

Where the mount requires MFA methods of its own, "mfa" answers them, with one
credential for each: "my_totp:123456". A method that sends a push needs none.

With "wait" false the login does not wait: it answers with a "transaction_id". Post
that again to see the state of the login, to answer with a "totp", or to choose another
"factor". The last answer has the token.
`
