package backend

import (
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// duoMethodEntry is a stored method of type duo.
type duoMethodEntry struct {
	okta.Unprintable
	IntegrationKey string `json:"integration_key"`
	SecretKey      string `json:"secret_key"`
	APIHostname    string `json:"api_hostname"`
	PushInfo       string `json:"push_info,omitempty"`
	UsePassCode    bool   `json:"use_passcode,omitempty"`
}

var duoMethodType = &methodType{
	name:     "duo",
	title:    "duo",
	fields:   duoMethodFields,
	update:   updateDuoMethod,
	check:    checkDuoMethod,
	describe: describeDuoMethod,
	make:     makeDuoMethod,
	help:     duoMethodHelp,
}

func duoMethodFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"username_format": usernameFormatField(),
		"integration_key": {
			Type:         framework.TypeString,
			Description:  "Integration key (client id) of an Auth API application in Duo. Required.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Integration Key"},
		},
		"secret_key": {
			Type:         framework.TypeString,
			Description:  "Secret key of that application. Required.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Secret Key", Sensitive: true},
		},
		"api_hostname": {
			Type:         framework.TypeString,
			Description:  `API hostname of that application, such as "api-12345678.duosecurity.com". Required.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "API Hostname"},
		},
		"push_info": {
			Type:         framework.TypeString,
			Description:  `What the phone shows with a push, as URL-encoded pairs: "from=vault&domain=acme.com". Nothing more, when empty.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Push Info"},
		},
		"use_passcode": {
			Type:         framework.TypeBool,
			Description:  "Ask for a passcode, and neither send a push to nor call who gives none. False when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Use Passcode"},
		},
	}
}

func updateDuoMethod(d *framework.FieldData, entry *methodEntry) error {
	own := duoMethodEntry{}
	if entry.Duo != nil {
		own = *entry.Duo
	}
	for field, into := range map[string]*string{
		"integration_key": &own.IntegrationKey, "secret_key": &own.SecretKey, "api_hostname": &own.APIHostname, "push_info": &own.PushInfo,
	} {
		if v, ok := newest[string](d, field); ok {
			*into = strings.TrimSpace(v)
		}
	}
	if v, ok := newest[bool](d, "use_passcode"); ok {
		own.UsePassCode = v
	}
	entry.Duo = &own
	return nil
}

func checkDuoMethod(entry *methodEntry) (problems []problem) {
	for _, err := range entry.Duo.config().Problems() {
		field, predicate, _ := strings.Cut(err.Error(), " ")
		problems = append(problems, wrong(invalid(field, predicate), field))
	}
	return problems
}

func (e *duoMethodEntry) config() duo.Config {
	return duo.Config{
		IntegrationKey: e.IntegrationKey, SecretKey: okta.NewSecret(e.SecretKey), APIHostname: e.APIHostname,
		PushInfo: e.PushInfo, UsePassCode: e.UsePassCode,
	}
}

func describeDuoMethod(entry *methodEntry, data map[string]any) {
	data["integration_key"] = entry.Duo.IntegrationKey
	data["api_hostname"] = entry.Duo.APIHostname
	data["push_info"] = entry.Duo.PushInfo
	data["use_passcode"] = entry.Duo.UsePassCode
}

func makeDuoMethod(_ context.Context, b *backend, req *logical.Request, _ *configEntry, entry *methodEntry) (mfa.Method, error) {
	return b.kept(entry, req.MountAccessor, func(format mfa.Format) (mfa.Method, error) {
		config := entry.Duo.config()
		config.Format, config.UserAgent, config.RootCAs, config.Timeout, config.Dial = format, b.userAgent(), b.rootCAs, b.timeout, b.dial
		config.Clock = b.clock
		return duo.New(config)
	})
}

// kept returns the method that was made of the same entry before, or makes a new one.
func (b *backend) kept(entry *methodEntry, accessor string, make func(mfa.Format) (mfa.Method, error)) (mfa.Method, error) {
	return b.built.get(entry, accessor, func() (mfa.Method, error) {
		format, err := entry.format(accessor)
		if err != nil {
			return nil, err
		}
		return make(format)
	})
}

const duoMethodHelp = `
A method of type duo asks for a push, a call or a passcode of Duo. In Duo it is an
application of the type "Auth API". Use it with bypass_okta_mfa for Okta orgs that
leave the second factor to Duo.
`
