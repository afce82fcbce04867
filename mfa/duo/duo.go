// Package duo is the method of Duo Security: a push to a phone, a call, or a passcode, by
// version 2 of the Auth API (https://duo.com/docs/authapi).
//
//	method, err := duo.New(duo.Config{IntegrationKey: key, SecretKey: okta.NewSecret(secret), APIHostname: host})
//
// Duo's own library signs the requests, and a client of package service sends them.
package duo

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	duoapi "github.com/duosecurity/duo_api_golang"
	"github.com/duosecurity/duo_api_golang/authapi"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Method asks for a push to a phone, a call, or a passcode.
type Method struct {
	api         func() duoapi.DuoApi // returns a copy; fmt prints fields but calls no function
	client      *service.Client
	clock       mfa.Clock
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
	api := duoapi.NewDuoApi(c.IntegrationKey, c.SecretKey.Reveal(), c.APIHostname, c.UserAgent)
	m := &Method{
		api:         func() duoapi.DuoApi { return *api },
		client:      service.New(c.roots(), c.Timeout, c.Dial),
		clock:       c.Clock,
		host:        strings.ToLower(c.APIHostname),
		pushInfo:    c.PushInfo,
		usePassCode: c.UsePassCode,
		format:      c.Format,
	}
	if m.clock == nil {
		m.clock = mfa.SystemClock()
	}
	return m, nil
}

// CloseIdleConnections closes the connections that no request is using. Call it when the
// method is replaced.
func (m *Method) CloseIdleConnections() { m.client.Transport.CloseIdleConnections() }

// String returns a placeholder, never the keys.
func (m *Method) String() string { return "[duo]" }

// GoString returns a placeholder, never the keys.
func (m *Method) GoString() string { return m.String() }

// Prepare asks Duo about the person, whom Duo does not disturb. It fails with
// *mfa.DeniedError where Duo bars the person or wants them to enroll first, with
// mfa.ErrNeedsPassCode where they have no phone that can ring but something that makes
// passcodes, with mfa.ErrNoFactor where they have neither, and with *mfa.CredentialError
// where they have nothing of what they chose.
//
// It does not ask for Duo's check of keys and clock (/check): the request about the
// person is signed, too, and fails with the same errors.
func (m *Method) Prepare(ctx context.Context, who mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	want, err := wishOf(c)
	if err != nil {
		return mfa.Attempt{}, err
	}
	l := &login{method: m, name: m.format.Name(who), address: who.Address}
	switch {
	case m.usePassCode && want.passCode == "":
		return mfa.Attempt{}, mfa.ErrNeedsPassCode
	case l.name == "":
		return mfa.Attempt{}, mfa.ErrUnknownPerson
	}
	said, err := l.preauth(ctx)
	switch {
	case err != nil:
		return mfa.Attempt{}, err
	case said.allowed:
		return mfa.Attempt{Passed: true}, nil
	case want.passCode != "":
		return mfa.Attempt{Verify: func(ctx context.Context, _ mfa.Exchange) error { return l.passCode(ctx, want.passCode) }}, nil
	}
	chosen, err := want.choose(said.devices)
	if err != nil {
		return mfa.Attempt{}, err
	}
	// Duo may know the person by several spellings of a name; Okta has one id for them.
	person := "duo " + m.host + " " + who.Org + " " + who.ID
	r := &ring{login: l, choice: chosen, said: said}
	return mfa.Attempt{Rings: person, Phone: person + " " + chosen.device.ID, Ring: func(ctx context.Context, x mfa.Exchange) (mfa.Push, error) {
		return service.Ring(ctx, x, func(ctx context.Context, sent func(mfa.Waiting)) error { return r.run(ctx, x, sent) })
	}}, nil
}

// login is one person's login.
type login struct {
	method  *Method
	name    string // at Duo
	address string // of the client; may be empty
}

// These are Duo's results, and statuses of a denial. https://duo.com/docs/authapi
const (
	resultAllow   = "allow"
	resultDeny    = "deny"
	resultEnroll  = "enroll"
	resultAuth    = "auth"
	resultWaiting = "waiting"

	statusTimeout = "timeout"
	statusFraud   = "fraud"
)

// passCode has Duo verify a passcode.
func (l *login) passCode(ctx context.Context, code string) error {
	result, err := l.auth(ctx, "passcode", authapi.AuthPasscode(code))
	if err != nil {
		return meaning(err)
	}
	switch answer := result.Response; {
	case answer.Result == resultAllow:
		return nil
	case answer.Result == resultDeny && answer.Status == resultDeny:
		return mfa.ErrWrongPassCode
	case answer.Result == resultDeny:
		return service.Denied(okta.HideEcho(cmp.Or(answer.Status_Msg, answer.Status), code))
	default:
		return unknownResult(okta.HideEcho(answer.Result, code))
	}
}

// auth has Duo verify a factor, or begin to. The error is one of the library's.
func (l *login) auth(ctx context.Context, factor string, more ...func(*url.Values)) (result *authapi.AuthResult, err error) {
	options := append([]func(*url.Values){authapi.AuthUsername(l.name)}, more...)
	if l.address != "" {
		options = append(options, authapi.AuthIpAddr(l.address))
	}
	err = l.heed(ctx, func() error {
		result, err = l.api(ctx, l.method.client.Timeout).Auth(factor, options...)
		return err
	})
	return result, err
}
