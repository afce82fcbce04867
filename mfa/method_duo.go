package mfa

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	duoapi "github.com/duosecurity/duo_api_golang"
	"github.com/duosecurity/duo_api_golang/authapi"
)

// DuoConfig says which application of a Duo account lets people in.
type DuoConfig struct {
	IntegrationKey string
	SecretKey      string
	APIHostname    string // "api-12345678.duosecurity.com", with a port or without
	PushInfo       string // what the phone shows, as URL-encoded pairs; may be empty
	UsePassCode    bool   // a login without a passcode is not sent a push
	Format         Format // of the user names at Duo
	UserAgent      string // is put before the library's
	// RootCAs are trusted for a host that is not of Duo's own domains; nil: the
	// system's. For those domains the roots are pinned that Duo's library knows.
	RootCAs *x509.CertPool
	Timeout time.Duration // of a request that waits for nobody; zero: 15 s
}

// String returns a placeholder, never the keys.
func (DuoConfig) String() string { return "[duo config]" }

// GoString returns a placeholder, never the keys.
func (c DuoConfig) GoString() string { return c.String() }

// maxPushInfo is Duo's own bound, in bytes.
// https://duo.com/docs/authapi#/auth
const maxPushInfo = 20_000

// Validate says which field is wrong, by its name in the HTTP API, and what would
// be right. It quotes no value.
func (c DuoConfig) Validate() error {
	switch {
	case c.IntegrationKey == "":
		return errors.New("integration_key is required")
	case c.SecretKey == "":
		return errors.New("secret_key is required")
	case c.APIHostname == "":
		return errors.New("api_hostname is required")
	case !isHost(c.APIHostname):
		return errors.New("api_hostname must be the bare name of a host, such as api-12345678.duosecurity.com")
	case len(c.PushInfo) >= maxPushInfo:
		return fmt.Errorf("push_info must be shorter than %d bytes", maxPushInfo)
	case !isPairs(c.PushInfo):
		return errors.New("push_info must be URL-encoded pairs, such as from=login%20portal&domain=example.com")
	}
	return nil
}

// isHost reports whether s is a host, with a port or without, and nothing else.
// Names end without a dot, so that Duo's domains are known by their spelling.
func isHost(s string) bool {
	u, err := url.Parse("https://" + s)
	if err != nil || u.Host != s || strings.HasSuffix(s, ":") {
		return false
	}
	if net.ParseIP(u.Hostname()) != nil {
		return true
	}
	for label := range strings.SplitSeq(u.Hostname(), ".") {
		if label == "" || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(u.Hostname()) <= 253
}

func isPairs(s string) bool {
	if s == "" {
		return true
	}
	for pair := range strings.SplitSeq(s, "&") {
		if name, _, found := strings.Cut(pair, "="); !found || name == "" {
			return false
		}
	}
	_, err := url.ParseQuery(s)
	return err == nil
}

// Duo is the method of Duo Security: a push to a phone, or a passcode, by the Auth
// API, version 2 (https://duo.com/docs/authapi).
type Duo struct {
	api         func() duoapi.DuoApi // a copy; fmt, which prints every field, calls nothing
	service     *service
	host        string
	pushInfo    string
	usePassCode bool
	format      Format
}

// NewDuo fails as Validate does.
func NewDuo(c DuoConfig) (*Duo, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	api := duoapi.NewDuoApi(c.IntegrationKey, c.SecretKey, c.APIHostname, c.UserAgent)
	return &Duo{
		api:         func() duoapi.DuoApi { return *api },
		service:     newService(c.roots(), c.Timeout),
		host:        strings.ToLower(c.APIHostname),
		pushInfo:    c.PushInfo,
		usePassCode: c.UsePassCode,
		format:      c.Format,
	}, nil
}

// String returns a placeholder, never the keys.
func (d *Duo) String() string { return "[duo]" }

// GoString returns a placeholder, never the keys.
func (d *Duo) GoString() string { return d.String() }

// Prepare asks Duo about the person, which nobody notices. It fails with
// *DeniedError where Duo bars them or wants them to enrol first, and with
// ErrNoFactor where they have no phone that can be sent a push, nor anything else
// that makes passcodes.
//
// It leaves Duo's check of the keys and the clock out: the question about the
// person is signed as well, and fails by the same words.
func (d *Duo) Prepare(ctx context.Context, who Subject, c Credential) (Attempt, error) {
	if err := c.only(KindPush); err != nil {
		return Attempt{}, err
	}
	l := &duoLogin{duo: d, name: d.format.Name(who), address: who.Address}
	switch {
	case c.Device != "":
		return Attempt{}, &CredentialError{"takes no device: Duo chooses the phone"}
	case d.usePassCode && c.PassCode == "":
		return Attempt{}, ErrNeedsPassCode
	case l.name == "":
		return Attempt{}, ErrUnknownPerson
	}
	passed, err := l.preauth(ctx, c.PassCode != "")
	switch {
	case err != nil:
		return Attempt{}, err
	case passed:
		return Attempt{Passed: true}, nil
	case c.PassCode != "":
		return Attempt{Verify: func(ctx context.Context, _ Exchange) error { return l.passCode(ctx, c.PassCode) }}, nil
	}
	// Duo may know a name by several spellings; the guard has to do with one.
	person := "duo " + d.host + " " + strings.ToLower(l.name)
	return Attempt{Rings: person, Phone: person, Verify: l.push}, nil
}

// duoLogin is one person's login.
type duoLogin struct {
	duo     *Duo
	name    string
	address string
}

// What Duo says of a login, of a push and of a passcode.
// https://duo.com/docs/authapi
const (
	duoAllow   = "allow"
	duoDeny    = "deny"
	duoEnroll  = "enroll"
	duoAuth    = "auth"
	duoWaiting = "waiting"

	duoTimeout = "timeout"
	duoFraud   = "fraud"

	duoCanPush = "push"
	duoCanCode = "mobile_otp"
	duoToken   = "token"
)

// preauth reports whether Duo lets the person in without a factor, and fails
// where there is no way to go on.
func (l *duoLogin) preauth(ctx context.Context, passCode bool) (passed bool, err error) {
	options := []func(*url.Values){authapi.PreauthUsername(l.name)}
	if l.address != "" {
		options = append(options, authapi.PreauthIpAddr(l.address))
	}
	result, err := l.api(ctx, l.duo.service.timeout).Preauth(options...)
	if err != nil {
		return false, duoError(err)
	}
	answer := result.Response
	switch answer.Result {
	case duoAllow:
		return true, nil
	case duoDeny:
		return false, denied(answer.Status_Msg)
	case duoEnroll:
		return false, denied(answer.Status_Msg, answer.Enroll_Portal_Url)
	case duoAuth:
	default:
		return false, unknownResult(answer.Result)
	}
	if passCode {
		return false, nil
	}
	codes := false
	for _, device := range answer.Devices {
		if slices.Contains(device.Capabilities, duoCanPush) {
			return false, nil
		}
		codes = codes || device.Type == duoToken || slices.Contains(device.Capabilities, duoCanCode)
	}
	if codes {
		return false, ErrNeedsPassCode
	}
	return false, ErrNoFactor
}

// passCode has Duo look at a passcode.
func (l *duoLogin) passCode(ctx context.Context, code string) error {
	result, err := l.api(ctx, l.duo.service.timeout).Auth("passcode", l.options(authapi.AuthPasscode(code))...)
	if err != nil {
		return duoError(err)
	}
	switch answer := result.Response; {
	case answer.Result == duoAllow:
		return nil
	case answer.Result == duoDeny && answer.Status == duoDeny:
		return ErrWrongPassCode
	case answer.Result == duoDeny:
		return denied(cmp.Or(answer.Status_Msg, answer.Status))
	default:
		return unknownResult(answer.Result)
	}
}

// push makes the person's phone ring, once, and waits for their answer. Duo has
// no way to take a push back: where ctx ends, nobody asks for the answer any more.
func (l *duoLogin) push(ctx context.Context, x Exchange) error {
	ctx, cancel := x.bound(ctx)
	defer cancel()
	options := l.options(authapi.AuthDevice("auto"), authapi.AuthAsync())
	if l.duo.pushInfo != "" {
		options = append(options, authapi.AuthPushinfo(l.duo.pushInfo))
	}
	result, err := l.api(ctx, l.duo.service.timeout).Auth("push", options...)
	switch {
	case refusedByDuo(err):
		return notSent(duoError(err))
	case err != nil:
		return pushError(ctx, duoError(err))
	case result.Response.Txid == "":
		return fmt.Errorf("%w: a push without a transaction", ErrServiceMalformed)
	}
	x.Waiting("", x.Until)
	return pushError(ctx, l.await(ctx, x, result.Response.Txid))
}

// duoPause is the time between two questions about a push. Duo itself holds a
// question until there is news; without a pause, a service that does not would be
// asked without end.
const duoPause = 500 * time.Millisecond

// await asks what becomes of a push.
func (l *duoLogin) await(ctx context.Context, x Exchange, txid string) error {
	for x.Clock.Now().Before(x.Until) {
		result, err := l.api(ctx, 0).AuthStatus(txid)
		if err != nil {
			return duoError(err)
		}
		answer := result.Response
		switch answer.Result {
		case duoAllow:
			return nil
		case duoDeny:
			return pushDenied(answer.Status, answer.Status_Msg)
		case duoWaiting:
		default:
			return unknownResult(answer.Result)
		}
		if err := x.Clock.Sleep(ctx, duoPause); err != nil {
			return err
		}
	}
	return ErrPushTimeout
}

// pushDenied is why a push lets nobody in.
func pushDenied(status, message string) error {
	switch status {
	case duoTimeout:
		return ErrPushTimeout
	case duoDeny, duoFraud:
		return ErrRejected
	}
	return denied(cmp.Or(message, status))
}

// options are the person's, and more.
func (l *duoLogin) options(more ...func(*url.Values)) []func(*url.Values) {
	options := append([]func(*url.Values){authapi.AuthUsername(l.name)}, more...)
	if l.address != "" {
		options = append(options, authapi.AuthIpAddr(l.address))
	}
	return options
}
