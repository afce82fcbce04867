package backend

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/tokenutil"
	"github.com/hashicorp/vault/sdk/logical"
)

func configFields() fieldSchemas {
	fields := grouped("Connection", fieldSchemas{
		"org_name": {
			Type:        framework.TypeString,
			Description: `Name of the Okta org, the first label of its host: "acme" of acme.okta.com. Required.`,
			Required:    true,
			DisplayAttrs: &framework.DisplayAttributes{
				Name: "Organization Name",
			},
		},
		"organization": {
			Type:         framework.TypeString,
			Description:  tokenutil.DeprecationText("org_name"),
			Deprecated:   true,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Organization Name (old)"},
		},
		"api_token": {
			Type: framework.TypeString,
			Description: "Okta API token, used to read people's groups. Without it, and without client_id, only the groups that are " +
				"configured under users/ count. The mount uses it once a week, so that it does not expire.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "API Token", Sensitive: true},
		},
		"token": {
			Type:         framework.TypeString,
			Description:  tokenutil.DeprecationText("api_token"),
			Deprecated:   true,
			DisplayAttrs: &framework.DisplayAttributes{Name: "API Token (old)", Sensitive: true},
		},
		"base_url": {
			Type:    framework.TypeString,
			Default: productionHost,
			Description: `The rest of the org's host, "okta.com" when empty; others are "oktapreview.com" and ` +
				`"okta-emea.com". A full URL, "https://login.acme.com", is taken for the org's URL by itself.`,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Base URL"},
		},
		"production": {
			Type:         framework.TypeBool,
			Description:  `Use base_url instead. False means "oktapreview.com" where base_url is empty.`,
			Deprecated:   true,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Production (old)"},
		},
		"bypass_okta_mfa": {
			Type: framework.TypeBool,
			Description: "Let people in whom Okta asks for a factor, without one. For mounts whose MFA is " +
				"Vault's own; it also hides other states, such as PASSWORD_EXPIRED. False when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Bypass Okta MFA"},
		},
		"prefetch_groups": prefetchField(),
		"ttl": {
			Type:         framework.TypeDurationSecond,
			Description:  tokenutil.DeprecationText("token_ttl"),
			Deprecated:   true,
			DisplayAttrs: &framework.DisplayAttributes{Name: "TTL (old)"},
		},
		"max_ttl": {
			Type:         framework.TypeDurationSecond,
			Description:  tokenutil.DeprecationText("token_max_ttl"),
			Deprecated:   true,
			DisplayAttrs: &framework.DisplayAttributes{Name: "Maximum TTL (old)"},
		},
	})
	maps.Copy(fields, grouped("Factors", factorFields()))
	maps.Copy(fields, grouped("Identity", identityFields()))
	maps.Copy(fields, grouped("Wrong Passwords", attemptFields()))
	maps.Copy(fields, grouped("Service App", serviceAppFields()))
	maps.Copy(fields, grouped("Groups", groupSettingFields()))
	maps.Copy(fields, grouped("Renewal", renewalFields()))
	maps.Copy(fields, grouped("Metadata", fieldSchemas{"metadata_fields": metadataField()}))
	maps.Copy(fields, grouped("MFA Methods", fieldSchemas{"mfa_methods": mfaMethodsField("everybody")}))
	maps.Copy(fields, grouped("Proxies", fieldSchemas{"trusted_proxies": trustedProxiesField()}))
	maps.Copy(fields, grouped("Reading", fieldSchemas{"defaults": defaultsField()}))
	maps.Copy(fields, grouped("Tokens", tokenFields()))
	return fields
}

func (b *backend) pathConfig() *framework.Path {
	return &framework.Path{
		Pattern: "config",
		Fields:  configFields(),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback:     b.pathConfigRead,
				Summary:      "Read the configuration, without its secrets.",
				DisplayAttrs: &framework.DisplayAttributes{OperationSuffix: "configuration"},
				Responses:    told(readable(configFields()), http.StatusNotFound),
			},
			logical.CreateOperation: &framework.PathOperation{
				Callback:     b.pathConfigWrite,
				Summary:      "Configure the connection to Okta and the tokens.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "configure"},
				Responses:    written(),
			},
			logical.UpdateOperation: &framework.PathOperation{
				Callback:     b.pathConfigWrite,
				Summary:      "Change only the fields of the configuration that the request names.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "configure"},
				Responses:    written(),
			},
			logical.PatchOperation: &framework.PathOperation{
				Callback:     b.pathConfigWrite,
				Summary:      "Change only the fields of the configuration that the request names; null means the default.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "patch", OperationSuffix: "configuration"},
				Responses:    patched(),
			},
			logical.DeleteOperation: &framework.PathOperation{
				Callback:     b.pathConfigDelete,
				Summary:      "Delete the configuration. Nobody can log in until it is written again.",
				DisplayAttrs: &framework.DisplayAttributes{OperationSuffix: "configuration"},
				Responses:    written(),
			},
		},
		ExistenceCheck:  b.pathConfigExists,
		HelpSynopsis:    "Configure the connection to Okta and the tokens that logins get.",
		HelpDescription: configHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, Action: "Configure"},
	}
}

func (b *backend) pathConfigExists(ctx context.Context, req *logical.Request, _ *framework.FieldData) (bool, error) {
	cfg, err := b.config(ctx, req.Storage)
	lost, err := unreadable(err)
	return cfg != nil || lost != nil, err
}

func (b *backend) pathConfigRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	cfg, err := b.config(ctx, req.Storage)
	if err != nil || cfg == nil {
		return nil, err
	}
	data := map[string]any{
		"org_name":        cfg.Organization,
		"organization":    cfg.Organization,
		"bypass_okta_mfa": cfg.BypassOktaMFA,
	}
	cfg.PopulateTokenData(data)
	delete(data, "alias_metadata") // which not every version of the builtin method has; see settings
	show(data, d, cfg.settings())
	if cfg.BaseURL != "" {
		data["base_url"] = cfg.BaseURL
	}
	if cfg.Production != nil {
		data["production"] = *cfg.Production
	}
	if cfg.TTL > 0 {
		data["ttl"] = int64(cfg.TTL / time.Second)
	}
	if cfg.MaxTTL > 0 {
		data["max_ttl"] = int64(cfg.MaxTTL / time.Second)
	}
	return cfg.warned(req, &logical.Response{Data: data}), nil
}

// pathConfigWrite changes the fields that the request names and stores the
// result only if all of it is sound.
func (b *backend) pathConfigWrite(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	unlock, err := b.lockEntry(ctx, configKey, d) // two updates of different fields keep both
	if err != nil {
		return nil, err
	}
	defer unlock()
	stored, err := b.configs.Stored(ctx, req.Storage, configKey)
	lost, err := unreadable(err)
	switch {
	case err != nil:
		return nil, err
	case lost != nil && isPatch(req):
		return nil, errUnpatchable(lost)
	}
	cfg := &configEntry{}
	if stored != nil {
		*cfg = *stored // which is compared with the result
	}
	before, _ := cfg.orgURL() // none, where what is stored is not sound
	if isPatch(req) {
		if stored == nil {
			return nil, errNothingToPatch("the configuration")
		}
		if cfg, d, err = cfg.patched(d); err != nil {
			return answerInput(err)
		}
	}
	unsound, refusal, err := b.change(ctx, req, d, cfg, stored == nil)
	if refusal != nil || err != nil {
		return refusal, err
	}
	moved := cfg.movedByOldName(stored, d)
	deleted := cfg.deleteForeignToken(before, d)
	requires, err := b.updateMethods(ctx, req.Storage, d, &cfg.MFAMethods)
	if err != nil {
		return answerInput(err)
	}
	if err := b.configs.Write(ctx, req.Storage, configKey, cfg); err != nil {
		return nil, err
	}
	resp := cfg.warned(req, &logical.Response{Warnings: unsound})
	if moved {
		resp.AddWarning(fmt.Sprintf(movedWarning, stored.Organization, cfg.Organization))
	}
	switch {
	case deleted:
		resp.AddWarning(deletedTokenWarning)
	case !cfg.readsOkta():
		resp.AddWarning(noTokenWarning)
	}
	if requires {
		resp.AddWarning(requiredWarning)
	}
	cfg.warnOfGroupSettings(resp, d)
	if names(d, "base_url") && strings.Contains(cfg.BaseURL, "://") {
		resp.AddWarning(fullURLWarning)
	}
	cfg.warnOfRenewal(d, resp)
	cfg.warnOfMetadata(d, resp)
	replaced(lost).addTo(resp)
	cfg.warnOfUpkeep(d, resp)
	cfg.warnOfLost(resp, d)
	if len(resp.Warnings) == 0 {
		return nil, nil // 204, as the builtin method answers
	}
	return resp, nil
}

// change changes the fields of cfg that the request names, and returns warnings of what
// was stored before and is not sound. Where a value of the request is wrong, it returns
// the answer. It stores nothing.
func (b *backend) change(ctx context.Context, req *logical.Request, d *framework.FieldData, cfg *configEntry, first bool) (unsound []string, refusal *logical.Response, err error) {
	if err := cfg.update(req, d); err != nil {
		return nil, logical.ErrorResponse(err.Error()), nil
	}
	for _, update := range []func() error{
		func() error { return cfg.updateAttempts(d) },
		func() error { return cfg.updateIdentity(d, first) },
		func() error { return cfg.updateGroupSettings(d) },
		func() error { return cfg.updateMetadata(d) },
		func() error { return cfg.updateServiceApp(d) },
		func() error { return b.checkServiceApp(ctx, req.Storage, cfg, d) },
		func() error { return cfg.updateRenewal(d) },
	} {
		if err := update(); err != nil {
			refusal, err = answerInput(err)
			return nil, refusal, err
		}
	}
	unsound, err = judge(d, first, slices.Concat(cfg.connectionProblems(), cfg.tokenProblems(), cfg.renewalProblems(), cfg.metadataProblems()))
	if err != nil {
		refusal, err = answerInput(err)
	}
	return unsound, refusal, err
}

// update changes the fields that the request names. It returns an error for a value that
// cannot be read; see judge for the others.
func (cfg *configEntry) update(req *logical.Request, d *framework.FieldData) error {
	if v, ok := newest[string](d, "org_name", "organization"); ok {
		cfg.Organization = v
	}
	if v, ok := newest[string](d, "api_token", "token"); ok {
		cfg.Token = strings.TrimSpace(v) // a token read from a file ends with a line end
	}
	if v, ok := newest[string](d, "base_url"); ok {
		cfg.BaseURL = v
	}
	if v, ok := newest[bool](d, "production"); ok {
		cfg.Production = &v
	}
	if cfg.BaseURL != "" {
		cfg.Production = nil
	}
	if v, ok := newest[bool](d, "bypass_okta_mfa"); ok {
		cfg.BypassOktaMFA = v
	}
	if err := cfg.updatePrefetch(d); err != nil {
		return err
	}
	if err := cfg.updateFactors(d); err != nil {
		return err
	}
	if err := cfg.updateProxies(d); err != nil {
		return err
	}
	return cfg.updateToken(req, d)
}

const bypassWarning = "bypass_okta_mfa is on: a factor that Okta asks for is not verified, and what Okta " +
	"says only after a factor, such as PASSWORD_EXPIRED, or instead of one, such as MFA_ENROLL, goes unnoticed. " +
	"Use it only where something else, such as Vault's own login MFA, asks for the factor."

const skipWarning = "skip_enrollment is on: where Okta lets somebody skip the enrollment of a factor, they may log in with " +
	"the password alone. Use it only as long as Okta's grace period lasts."

const noTokenWarning = "there is no api_token: people's groups in Okta are not read, so a login gets only what this mount gives by " +
	"name, and it says so. Write an api_token: to go without one is deprecated."

// warned adds the warnings about the configuration to resp.
func (cfg *configEntry) warned(req *logical.Request, resp *logical.Response) *logical.Response {
	if cfg.BypassOktaMFA {
		resp.AddWarning(bypassWarning)
	}
	if cfg.SkipEnrollment {
		resp.AddWarning(skipWarning)
	}
	cfg.warnOfIdentity(resp)
	cfg.warnOfServiceApp(resp)
	if ignored := cfg.TrustedProxies.ignored(req); ignored != "" {
		resp.AddWarning(ignored)
	}
	return resp
}

// configKey is where the configuration is stored. The builtin method uses it, too.
const configKey = "config"

const configHelp = `
org_name and base_url make the org's host: "acme" and "okta.com" are acme.okta.com. A
base_url that is a full URL is the org's by itself.

With client_id, or with api_token, the mount reads people's groups in Okta and maps
them to policies. Without either, only the groups under users/ count.

Okta decides whether a login needs a factor. mfa_factors says which types the mount
accepts; where it is empty, these are push, totp and token. push_devices says which
phones ring. After max_push_failures rejected or unanswered pushes and codes within
push_failure_window, the mount sends that person no more of them for a while.

alias_source says how the mount knows people. max_login_failures,
login_failure_window and login_lockout_duration keep strangers from locking people's
accounts at Okta by wrong passwords.

renewal says what renews a token: a login with the password, which Vault keeps for
that; the status of the account at Okta, for which Vault keeps no password; or nothing.

Okta has no API that replaces an API token, so there is no rotate-root. Make a new
token in Okta's admin console and write it as api_token. Or make the mount a service
app (client_id): key_rotation_period replaces its key from time to time. Okta expires
a token that nobody uses for 30 days: the mount uses it once a week.

The mount believes X-Forwarded-For only from trusted_proxies.

A read returns the fields that Vault's builtin method has, and of the others those
that an operator has set. With defaults=true it returns all values in force.

A write changes only the fields it names, with one exception: it deletes the
api_token if it changes the org's host and gives no new api_token. A read never
returns a secret.
`
