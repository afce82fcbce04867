package backend

import (
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/tokenutil"
	"github.com/hashicorp/vault/sdk/logical"
)

// This file holds the token_* fields of config, and the old ttl and max_ttl.

// tokenFields are the SDK's, with what they mean where they are not set.
func tokenFields() fieldSchemas {
	fields := tokenutil.TokenFields()
	fields["token_policies"].Description = "Policies of every token of this mount, beside those of the person's groups: " +
		"a list or a comma-separated string"
	for name, unset := range map[string]string{
		"alias_metadata":          "None, when empty.",
		"token_bound_cidrs":       "Any address, when empty.",
		"token_explicit_max_ttl":  "0 when not set: no such limit.",
		"token_max_ttl":           "0 when not set: that of the mount.",
		"token_no_default_policy": "False when not set.",
		"token_num_uses":          "0 when not set.",
		"token_period":            "0 when not set: tokens are not periodic.",
		"token_policies":          "None, when empty.",
		"token_ttl":               "0 when not set: that of the mount.",
		"token_type":              `"default" when not set: that of the mount.`,
	} {
		fields[name].Description = strings.TrimRight(fields[name].Description, ". ") + ". " + unset
	}
	fields["token_type"].Default = logical.TokenTypeDefault.String()
	return fields
}

// updateToken changes the token_* fields and the old ttl and max_ttl.
func (cfg *configEntry) updateToken(req *logical.Request, d *framework.FieldData) error {
	if cidrs, ok := d.GetOk("token_bound_cidrs"); ok {
		// The SDK takes what is no address for the path of a socket, which no caller has, and
		// looks the name of a host up.
		if _, err := parseNetworks("token_bound_cidrs", cidrs.([]string)); err != nil {
			return err
		}
	}
	if err := cfg.parseTokenFields(req, d); err != nil {
		return err
	}
	if err := tokenutil.UpgradeValue(d, "ttl", "token_ttl", &cfg.TTL, &cfg.TokenTTL); err != nil {
		return err
	}
	return tokenutil.UpgradeValue(d, "max_ttl", "token_max_ttl", &cfg.MaxTTL, &cfg.TokenMaxTTL)
}

// parseTokenFields changes the token_* fields. The SDK checks those that the request does
// not name, too, and empties alias_metadata where the request does not name it: whatever
// is not named is put back.
func (cfg *configEntry) parseTokenFields(req *logical.Request, d *framework.FieldData) error {
	stored := cfg.TokenParams
	times, kind := names(d, "token_ttl", "token_max_ttl"), names(d, "token_type", "token_period", "token_num_uses")
	if !times {
		cfg.TokenTTL, cfg.TokenMaxTTL = 0, 0
	}
	if !kind {
		cfg.TokenType, cfg.TokenPeriod, cfg.TokenNumUses = 0, 0, 0
	}
	if err := cfg.ParseTokenFields(req, d); err != nil {
		return err
	}
	if !times {
		cfg.TokenTTL, cfg.TokenMaxTTL = stored.TokenTTL, stored.TokenMaxTTL
	}
	if !kind {
		cfg.TokenType, cfg.TokenPeriod, cfg.TokenNumUses = stored.TokenType, stored.TokenPeriod, stored.TokenNumUses
	}
	if _, named := d.Raw["alias_metadata"]; !named {
		cfg.AliasMetadata = stored.AliasMetadata
	}
	return nil
}

// tokenProblems returns what is wrong with the token_* fields together.
func (cfg *configEntry) tokenProblems() (problems []problem) {
	// The SDK has compared them before the old names were read.
	if cfg.TokenMaxTTL > 0 && cfg.TokenTTL > cfg.TokenMaxTTL {
		err := invalid("token_ttl", "must not be greater than token_max_ttl")
		problems = append(problems, wrong(err, "token_ttl", "token_max_ttl", "ttl", "max_ttl"))
	}
	isBatch := cfg.TokenType == logical.TokenTypeBatch || cfg.TokenType == logical.TokenTypeDefaultBatch
	if isBatch && (cfg.TokenPeriod != 0 || cfg.TokenNumUses != 0) {
		err := invalid("token_type", "must not be batch with token_period or token_num_uses")
		problems = append(problems, wrong(err, "token_type", "token_period", "token_num_uses"))
	}
	return problems
}
