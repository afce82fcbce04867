package backend

import (
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// oktaMethodEntry is a stored method of type okta. A method that has no org of its own
// uses the connection of the configuration.
type oktaMethodEntry struct {
	okta.Unprintable
	OrgName      string     `json:"org_name,omitempty"`
	APIToken     string     `json:"api_token,omitempty"`
	BaseURL      string     `json:"base_url,omitempty"`
	PrimaryEmail bool       `json:"primary_email,omitempty"`
	Factors      []mfa.Kind `json:"factors,omitempty"`
	NumberOnly   bool       `json:"require_number_challenge,omitempty"`
}

// connection returns the method's own connection, nil if it has none.
func (o *oktaMethodEntry) connection() *configEntry {
	if o.OrgName == "" {
		return nil
	}
	return &configEntry{Organization: o.OrgName, Token: o.APIToken, BaseURL: o.BaseURL}
}

// kinds returns the kinds of factor that the method accepts.
func (o *oktaMethodEntry) kinds() []mfa.Kind {
	if len(o.Factors) == 0 {
		return mfa.DefaultKinds
	}
	return o.Factors
}

var oktaMethodType = &methodType{
	name:     "okta",
	title:    "okta",
	fields:   oktaMethodFields,
	update:   updateOktaMethod,
	check:    checkOktaMethod,
	describe: describeOktaMethod,
	make:     makeOktaMethod,
	help:     oktaMethodHelp,
}

func oktaMethodFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"username_format": usernameFormatField(),
		"org_name": {
			Type: framework.TypeString,
			Description: `Name of the method's own Okta org, the first label of its host: "acme" of acme.okta.com. Without it ` +
				"and api_token the mount's connection is used.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Organization Name"},
		},
		"api_token": {
			Type: framework.TypeString,
			Description: "Okta API token for that org, of an administrator who may verify people's factors. Give it " +
				"again where org_name or base_url change. Without it and org_name the mount's connection is used.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "API Token", Sensitive: true},
		},
		"base_url": {
			Type:         framework.TypeString,
			Default:      productionHost,
			Description:  `The rest of that org's host, "okta.com" when empty; or a full URL, as in config.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Base URL"},
		},
		"primary_email": {
			Type: framework.TypeBool,
			Description: "Find the account by its primary e-mail address, which only one account may have, and not by " +
				"its login. False when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Primary E-Mail"},
		},
		"factors": {
			Type:    framework.TypeCommaStringSlice,
			Default: texts(mfa.DefaultKinds),
			Description: "Types of factor that the mount accepts: a list or a comma-separated string of " + kindNames() +
				". " + emptyMeans["factors"] + ", when empty.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Accepted Factors"},
		},
		"require_number_challenge": {
			Type:    framework.TypeBool,
			Default: true,
			Description: "Accept a push only with a number challenge; true for a method that is created without the field. " +
				"Otherwise a client that has no way to show the number gets a push without one.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Require Number Challenge"},
		},
	}
}

func updateOktaMethod(d *framework.FieldData, entry *methodEntry) error {
	o := oktaMethodEntry{NumberOnly: true} // of a new method
	if entry.Okta != nil {
		o = *entry.Okta
	}
	before := o
	if v, ok := newest[string](d, "org_name"); ok {
		o.OrgName = v
	}
	if v, ok := newest[string](d, "base_url"); ok {
		o.BaseURL = v
	}
	token, named := newest[string](d, "api_token")
	if named {
		o.APIToken = strings.TrimSpace(token)
	}
	if v, ok := newest[bool](d, "primary_email"); ok {
		o.PrimaryEmail = v
	}
	// A null counts as not given: it must not accept what was shut out.
	o.NumberOnly = flag(d, "require_number_challenge", o.NumberOnly)
	if list, ok := newest[[]string](d, "factors"); ok && d.Raw["factors"] != nil {
		kinds, err := parseKinds("factors", list)
		if err != nil {
			return err
		}
		o.Factors = kinds
	}
	// A connection that is not sound has no host: nothing is sent there.
	if host := o.host(); before.APIToken != "" && o.APIToken != "" && !named && host != "" && host != before.host() {
		return invalid("api_token", "must be given again where org_name or base_url change: it is sent to that host")
	}
	entry.Okta = &o
	return nil
}

// checkOktaMethod returns what is wrong with the connection.
func checkOktaMethod(entry *methodEntry) []problem {
	o := entry.Okta
	together := func(field, with string) []problem {
		err := invalid(field, "must be given with "+with+"; without both the mount's connection is used")
		return []problem{wrong(err, field, "org_name", "base_url", "api_token")}
	}
	switch {
	case o.OrgName == "" && o.APIToken != "":
		return together("org_name", "api_token")
	case o.OrgName == "" && o.BaseURL != "":
		return together("org_name", "base_url")
	case o.OrgName == "":
		return nil
	case o.APIToken == "":
		return together("api_token", "org_name")
	}
	return o.connection().connectionProblems()
}

// host returns the URL that the method sends its API token to.
func (o *oktaMethodEntry) host() string {
	own := o.connection()
	if own == nil {
		return ""
	}
	url, _ := own.orgURL()
	return url
}

func describeOktaMethod(entry *methodEntry, data map[string]any) {
	data["org_name"] = entry.Okta.OrgName
	data["base_url"] = entry.Okta.BaseURL
	data["primary_email"] = entry.Okta.PrimaryEmail
	data["factors"] = texts(entry.Okta.kinds())
	data["require_number_challenge"] = entry.Okta.NumberOnly
}

func makeOktaMethod(ctx context.Context, b *backend, req *logical.Request, cfg *configEntry, entry *methodEntry) (mfa.Method, error) {
	format, err := entry.format(req.MountAccessor)
	if err != nil {
		return nil, err
	}
	client, err := b.client(ctx, req.Storage, cfg)
	if err != nil {
		return nil, err
	}
	org, unproven := client.OrgURL(), false
	if own := entry.Okta.connection(); own != nil {
		mounts := client
		if client, err = b.clientOf(entry.ID, made{from: entry}, own); err != nil {
			return nil, err
		}
		switch same, known := okta.SameOrg(ctx, mounts, client); {
		case !known:
			org, unproven = client.OrgURL(), true
		case !same:
			org = client.OrgURL()
		}
	}
	return &mfa.OktaMethod{
		For:          func(caller okta.Caller) mfa.FactorsAPI { return client.For(caller) },
		Org:          org,
		Unproven:     unproven,
		Format:       format,
		PrimaryEmail: entry.Okta.PrimaryEmail,
		Kinds:        entry.Okta.kinds(),
		NumberOnly:   entry.Okta.NumberOnly,
		Limit:        client.PushLimit,
	}, nil
}

const oktaMethodHelp = `
A method of type okta asks for a factor that the person has in Okta, by Okta's
Factors API, whatever the org's sign-on policy says. A push needs nothing but a
phone; a passcode answers any other factor.

The API token has to be that of an administrator who may verify people's factors.
The method skips a factor that Okta has verified in the same login.
`
