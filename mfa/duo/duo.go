// Package duo is the method of Duo Security: a push to a phone, or a passcode, by
// version 2 of the Auth API (https://duo.com/docs/authapi).
//
//	method, err := duo.New(duo.Config{IntegrationKey: key, SecretKey: secret, APIHostname: host})
//
// Duo's own library signs the requests, and a client of package service sends them.
package duo

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	duoapi "github.com/duosecurity/duo_api_golang"
	"github.com/duosecurity/duo_api_golang/authapi"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
)

// Method asks for a push to a phone, or for a passcode.
type Method struct {
	api         func() duoapi.DuoApi // returns a copy; fmt prints fields but calls no function
	client      *service.Client
	host        string
	pushInfo    string
	usePassCode bool
	format      mfa.Format
}

// New fails as Validate does.
func New(c Config) (*Method, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	api := duoapi.NewDuoApi(c.IntegrationKey, c.SecretKey, c.APIHostname, c.UserAgent)
	return &Method{
		api:         func() duoapi.DuoApi { return *api },
		client:      service.New(c.roots(), c.Timeout),
		host:        strings.ToLower(c.APIHostname),
		pushInfo:    c.PushInfo,
		usePassCode: c.UsePassCode,
		format:      c.Format,
	}, nil
}

// String returns a placeholder, never the keys.
func (m *Method) String() string { return "[duo]" }

// GoString returns a placeholder, never the keys.
func (m *Method) GoString() string { return m.String() }

// Prepare asks Duo about the person, whom Duo does not disturb. It fails with
// *mfa.DeniedError where Duo bars the person or wants them to enroll first, with
// mfa.ErrNeedsPassCode where they have no phone for a push but something that makes
// passcodes, and with mfa.ErrNoFactor where they have neither.
//
// It does not ask for Duo's check of keys and clock (/check): the request about the
// person is signed, too, and fails with the same errors.
func (m *Method) Prepare(ctx context.Context, who mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	if err := c.Only(mfa.KindPush); err != nil {
		return mfa.Attempt{}, err
	}
	l := &login{method: m, name: m.format.Name(who), address: who.Address}
	switch {
	case c.Device != "":
		return mfa.Attempt{}, &mfa.CredentialError{Problem: "takes no device: Duo chooses the phone"}
	case m.usePassCode && c.PassCode == "":
		return mfa.Attempt{}, mfa.ErrNeedsPassCode
	case l.name == "":
		return mfa.Attempt{}, mfa.ErrUnknownPerson
	}
	passed, err := l.preauth(ctx, c.PassCode != "")
	switch {
	case err != nil:
		return mfa.Attempt{}, err
	case passed:
		return mfa.Attempt{Passed: true}, nil
	case c.PassCode != "":
		return mfa.Attempt{Verify: func(ctx context.Context, _ mfa.Exchange) error { return l.passCode(ctx, c.PassCode) }}, nil
	}
	// Duo may know the person by several spellings of a name; Okta has one id for them.
	person := "duo " + m.host + " " + who.Org + " " + who.ID
	return mfa.Attempt{Rings: person, Phone: person, Ring: func(ctx context.Context, x mfa.Exchange) (mfa.Push, error) {
		return service.Ring(ctx, x, func(ctx context.Context, sent func(mfa.Waiting)) error { return l.push(ctx, x, sent) })
	}}, nil
}

// login is one person's login.
type login struct {
	method  *Method
	name    string // at Duo
	address string // of the client; may be empty
}

// These are Duo's results, statuses, capabilities of a device and types of one.
// https://duo.com/docs/authapi
const (
	resultAllow   = "allow"
	resultDeny    = "deny"
	resultEnroll  = "enroll"
	resultAuth    = "auth"
	resultWaiting = "waiting"

	statusTimeout = "timeout"
	statusFraud   = "fraud"

	canPush   = "push"
	canCode   = "mobile_otp"
	typeToken = "token"
)

// preauth reports whether Duo lets the person in without a factor. It fails where the
// person cannot satisfy Duo in this login.
func (l *login) preauth(ctx context.Context, passCode bool) (passed bool, err error) {
	options := []func(*url.Values){authapi.PreauthUsername(l.name)}
	if l.address != "" {
		options = append(options, authapi.PreauthIpAddr(l.address))
	}
	result, err := l.api(ctx, l.method.client.Timeout).Preauth(options...)
	if err != nil {
		return false, meaning(err)
	}
	answer := result.Response
	switch answer.Result {
	case resultAllow:
		return true, nil
	case resultDeny:
		return false, service.Denied(answer.Status_Msg)
	case resultEnroll:
		return false, service.Denied(answer.Status_Msg, answer.Enroll_Portal_Url)
	case resultAuth:
	default:
		return false, unknownResult(answer.Result)
	}
	if passCode {
		return false, nil
	}
	codes := false
	for _, device := range answer.Devices {
		if slices.Contains(device.Capabilities, canPush) {
			return false, nil
		}
		codes = codes || device.Type == typeToken || slices.Contains(device.Capabilities, canCode)
	}
	if codes {
		return false, mfa.ErrNeedsPassCode
	}
	return false, mfa.ErrNoFactor
}

// passCode has Duo verify a passcode.
func (l *login) passCode(ctx context.Context, code string) error {
	result, err := l.api(ctx, l.method.client.Timeout).Auth("passcode", l.options(authapi.AuthPasscode(code))...)
	if err != nil {
		return meaning(err)
	}
	switch answer := result.Response; {
	case answer.Result == resultAllow:
		return nil
	case answer.Result == resultDeny && answer.Status == resultDeny:
		return mfa.ErrWrongPassCode
	case answer.Result == resultDeny:
		return service.Denied(cmp.Or(answer.Status_Msg, answer.Status))
	default:
		return unknownResult(answer.Result)
	}
}

// push makes the person's phone ring, once, and waits for their answer. Duo has
// no way to take a push back: where ctx ends, nobody asks for the answer any more.
func (l *login) push(ctx context.Context, x mfa.Exchange, sent func(mfa.Waiting)) error {
	options := l.options(authapi.AuthDevice("auto"), authapi.AuthAsync())
	if l.method.pushInfo != "" {
		options = append(options, authapi.AuthPushinfo(l.method.pushInfo))
	}
	result, err := l.api(ctx, l.method.client.Timeout).Auth("push", options...)
	switch {
	case refused(err):
		return mfa.MarkNotSent(meaning(err))
	case err != nil:
		return meaning(err)
	case result.Response.Txid == "":
		return fmt.Errorf("%w: a push without a transaction", mfa.ErrServiceMalformed)
	}
	sent(mfa.Waiting{})
	return l.await(ctx, x, result.Response.Txid)
}

// pause is the time between two polls of a push. Duo answers a poll when it has news;
// the pause limits the polls of a service that answers at once.
const pause = 500 * time.Millisecond

// await polls a push until the person has answered it.
func (l *login) await(ctx context.Context, x mfa.Exchange, txid string) error {
	for x.Clock.Now().Before(x.Until) {
		result, err := l.api(ctx, 0).AuthStatus(txid)
		if err != nil {
			return meaning(err)
		}
		answer := result.Response
		switch answer.Result {
		case resultAllow:
			return nil
		case resultDeny:
			return pushDenied(answer.Status, answer.Status_Msg)
		case resultWaiting:
		default:
			return unknownResult(answer.Result)
		}
		if err := x.Clock.Sleep(ctx, pause); err != nil {
			return err
		}
	}
	return mfa.ErrPushTimeout
}

// pushDenied makes an error of a push that was not approved.
func pushDenied(status, message string) error {
	switch status {
	case statusTimeout:
		return mfa.ErrPushTimeout
	case resultDeny, statusFraud:
		return mfa.ErrRejected
	}
	return service.Denied(cmp.Or(message, status))
}

// options returns the parameters that every factor needs, and more.
func (l *login) options(more ...func(*url.Values)) []func(*url.Values) {
	options := append([]func(*url.Values){authapi.AuthUsername(l.name)}, more...)
	if l.address != "" {
		options = append(options, authapi.AuthIpAddr(l.address))
	}
	return options
}
