package backend

import (
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// pingIDMethodEntry is a stored method of type pingid.
type pingIDMethodEntry struct {
	okta.Unprintable
	SettingsFile string `json:"settings_file_base64"`
	// Start is false where the method was stored before the field existed: its pushes go on
	// as they did.
	Start bool `json:"start_authentication,omitempty"`
}

var pingIDMethodType = &methodType{
	name:     "pingid",
	title:    "pingid",
	fields:   pingIDMethodFields,
	update:   updatePingIDMethod,
	check:    checkPingIDMethod,
	describe: describePingIDMethod,
	make:     makePingIDMethod,
	help:     pingIDMethodHelp,
	alsoTold: fieldSchemas{
		"use_signature":     {Type: framework.TypeBool, Description: "Of the settings file: whether requests are signed."},
		"idp_url":           {Type: framework.TypeString, Description: "Of the settings file: the URL of the service."},
		"org_alias":         {Type: framework.TypeString, Description: "Of the settings file: the organization."},
		"admin_url":         {Type: framework.TypeString, Description: "Of the settings file: the URL of the admin console."},
		"authenticator_url": {Type: framework.TypeString, Description: "Of the settings file: the URL of the authenticator."},
	},
}

func pingIDMethodFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"username_format": usernameFormatField(),
		"settings_file_base64": {
			Type:         framework.TypeString,
			Description:  "The file pingid.properties of PingID's admin console, in base64. Required.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Settings File", Sensitive: true, EditType: "file"},
		},
		"start_authentication": {
			Type: framework.TypeBool,
			Description: "Send pushes by PingID's operation startauthentication, with number matching, and take them back where " +
				"the login ends; true for a method that is created without the field. Otherwise pushes are sent by authonline, " +
				"which Ping has deprecated.",
			Default:      true,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Start Authentication"},
		},
	}
}

func updatePingIDMethod(d *framework.FieldData, entry *methodEntry) error {
	ping := pingIDMethodEntry{Start: true} // of a new method
	if entry.PingID != nil {
		ping = *entry.PingID
	}
	if v, ok := newest[string](d, "settings_file_base64"); ok {
		ping.SettingsFile = strings.TrimSpace(v)
	}
	ping.Start = flag(d, "start_authentication", ping.Start)
	entry.PingID = &ping
	return nil
}

func checkPingIDMethod(entry *methodEntry) []problem {
	const field, file = "settings_file_base64", "the file pingid.properties of PingID's admin console, in base64"
	if entry.PingID.SettingsFile == "" {
		return []problem{wrong(invalid(field, "is required: "+file), field)}
	}
	if _, err := pingid.ParseSettings(entry.PingID.SettingsFile); err != nil {
		return []problem{wrong(invalid(field, "must be "+file+": "+err.Error()), field)}
	}
	return nil
}

func describePingIDMethod(entry *methodEntry, data map[string]any) {
	if !entry.PingID.Start { // otherwise it is at its default
		data["start_authentication"] = false
	}
	settings, err := pingid.ParseSettings(entry.PingID.SettingsFile)
	if err != nil {
		return // it was stored by something else
	}
	data["use_signature"] = settings.UseSignature
	data["idp_url"] = settings.IDPURL
	data["org_alias"] = settings.OrgAlias
	data["admin_url"] = settings.AdminURL
	data["authenticator_url"] = settings.AuthenticatorURL
}

func makePingIDMethod(_ context.Context, b *backend, req *logical.Request, _ *configEntry, entry *methodEntry) (mfa.Method, error) {
	return b.kept(entry, req.MountAccessor, func(format mfa.Format) (mfa.Method, error) {
		settings, err := pingid.ParseSettings(entry.PingID.SettingsFile)
		if err != nil {
			return nil, err
		}
		return pingid.New(pingid.Config{
			Settings: settings, Start: entry.PingID.Start, Format: format, UserAgent: b.userAgent(), RootCAs: b.rootCAs, Timeout: b.timeout, Dial: b.dial, Now: b.now,
		})
	})
}

const pingIDMethodHelp = `
A method of type pingid asks for a push of PingID, or for a passcode where the person's
device takes no push. PingID's admin console gives you the file pingid.properties,
which describes the service.
`
