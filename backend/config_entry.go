package backend

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/helper/tokenutil"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// configEntry is the stored configuration, in the builtin method's form. Fields that
// the builtin method does not know are stored only while they are set. Callers read
// them by policy, which adds the defaults.
type configEntry struct {
	okta.Unprintable
	tokenutil.TokenParams

	Organization  string        `json:"organization"`
	Token         string        `json:"token"`
	BaseURL       string        `json:"base_url"`
	Production    *bool         `json:"is_production,omitempty"`
	TTL           time.Duration `json:"ttl"`
	MaxTTL        time.Duration `json:"max_ttl"`
	BypassOktaMFA bool          `json:"bypass_okta_mfa"`

	MFAFactors        []mfa.Kind    `json:"mfa_factors,omitempty"`
	PushDevices       string        `json:"push_devices,omitempty"`
	MaxPushFailures   int           `json:"max_push_failures,omitempty"`
	PushFailureWindow time.Duration `json:"push_failure_window,omitempty"`
	PushTimeout       time.Duration `json:"push_timeout,omitempty"`
	PasscodeSeparator string        `json:"passcode_separator,omitempty"`
	SkipEnrollment    bool          `json:"skip_enrollment,omitempty"`
	RememberDevice    bool          `json:"remember_device,omitempty"`
	MFAMethods        []string      `json:"mfa_methods,omitempty"`
	PrefetchGroups    prefetch      `json:"prefetch_groups,omitempty"`
	AliasSource       string        `json:"alias_source,omitempty"`
	LoginDomain       string        `json:"login_domain,omitempty"`
	TrustedProxies    proxies       `json:"trusted_proxies,omitempty"`

	RequiredGroups []string `json:"required_groups,omitempty"`
	GroupTypes     []string `json:"group_types,omitempty"`
	GroupFilter    string   `json:"group_filter,omitempty"`
	GroupsOnError  string   `json:"groups_on_error,omitempty"`

	MetadataFields map[string]string `json:"metadata_fields,omitempty"`

	filter *regexp.Regexp // of GroupFilter

	ClientID string   `json:"client_id,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`

	KeyRotationPeriod time.Duration `json:"key_rotation_period,omitempty"`
	TrustedApp        *bool         `json:"trusted_app,omitempty"` // see trustedApp

	MaxLoginFailures   *int          `json:"max_login_failures,omitempty"`
	LoginFailureWindow time.Duration `json:"login_failure_window,omitempty"`
	LoginLockout       time.Duration `json:"login_lockout_duration,omitempty"`

	Renewal      string        `json:"renewal,omitempty"`
	RenewalGrace time.Duration `json:"renewal_grace,omitempty"`
}

// config returns the configuration, nil if the mount has none. Callers must not change
// it.
func (b *backend) config(ctx context.Context, s logical.Storage) (*configEntry, error) {
	return b.configs.Get(ctx, s, configKey)
}

// ready checks and completes an entry that was read from storage.
func (cfg *configEntry) ready(string) error {
	if err := cfg.checkWords(); err != nil {
		return err
	}
	// The builtin method keeps the line end of the file that a token came from.
	cfg.Token = strings.TrimSpace(cfg.Token)
	_ = cfg.compileFilter() // which a write has checked
	// Entries from before the token_* fields have only the old names.
	if cfg.TokenTTL == 0 && cfg.TTL > 0 {
		cfg.TokenTTL = cfg.TTL
	}
	if cfg.TokenMaxTTL == 0 && cfg.MaxTTL > 0 {
		cfg.TokenMaxTTL = cfg.MaxTTL
	}
	return nil
}

// checkWords refuses an entry with a word that its field does not have, such as one of a
// later version: nobody knows what it stands for, and the default may let in more people.
func (cfg *configEntry) checkWords() error {
	schema := configFields()
	for _, stored := range []struct{ field, word string }{
		{"alias_source", cfg.AliasSource}, {"renewal", cfg.Renewal}, {"push_devices", cfg.PushDevices},
		{"groups_on_error", cfg.GroupsOnError}, {"prefetch_groups", string(cfg.PrefetchGroups)},
	} {
		if stored.word != "" && !slices.Contains(schema[stored.field].AllowedValues, any(stored.word)) {
			return fmt.Errorf("its field %q has a value that this version of the plugin does not know", stored.field)
		}
	}
	return nil
}
