package backend

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file holds the field of config that makes alias metadata of attributes of people's
// profiles in Okta.

const (
	maxMetadataFields = 16
	maxMetadataValue  = 512 // bytes, as for Vault's own metadata of entities
)

var (
	// metadataKey is what a template can name, within Vault's limit for keys of metadata.
	metadataKey = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)
	// profileAttribute is the form of Okta's variable names of attributes.
	profileAttribute = regexp.MustCompile(`^[A-Za-z_][0-9A-Za-z_]{0,127}$`)
)

func metadataField() *framework.FieldSchema {
	return &framework.FieldSchema{
		Type: framework.TypeKVPairs,
		Description: "Attributes of people's profiles in Okta that become metadata of the identity alias, which templates of policies " +
			"read: a map of keys of the metadata to names of attributes, or key=attribute pairs. 16 at most. An attribute " +
			"that is missing, that is no text, number or boolean, or that is longer than 512 bytes is left out, and so is one that holds " +
			"a wildcard of a policy's path. None, when empty.",
		DisplayAttrs: &framework.DisplayAttributes{Name: "Metadata Fields",
			Description: "Keys of the alias's metadata, and the attributes of people's profiles in Okta that they get."},
	}
}

// updateMetadata changes the field metadata_fields. A null counts as not given.
func (cfg *configEntry) updateMetadata(d *framework.FieldData) error {
	given, ok := newest[map[string]string](d, "metadata_fields")
	if !ok || d.Raw["metadata_fields"] == nil {
		return nil
	}
	fields := map[string]string{}
	for key, attribute := range given {
		// The tool's a=b,c=d is one pair to the framework.
		for pair := range strings.SplitSeq(key+"="+attribute, ",") {
			key, attribute, _ := strings.Cut(pair, "=")
			key, attribute = strings.TrimSpace(key), strings.TrimSpace(attribute)
			switch {
			case !metadataKey.MatchString(key):
				return invalid("metadata_fields", "must have keys of letters, digits, _ and -, of 128 characters at most, such as cost_center=costCenter")
			case !profileAttribute.MatchString(attribute):
				return invalid("metadata_fields", fmt.Sprintf("must name an attribute of Okta's profiles for %q, by its variable name, such as costCenter", key))
			}
			fields[key] = attribute
		}
	}
	if len(fields) > maxMetadataFields {
		return invalid("metadata_fields", fmt.Sprintf("must not have more than %d keys", maxMetadataFields))
	}
	cfg.MetadataFields = fields
	return nil
}

// metadataProblems returns what is wrong with metadata_fields and others together.
func (cfg *configEntry) metadataProblems() (problems []problem) {
	for _, key := range slices.Sorted(maps.Keys(cfg.MetadataFields)) {
		if _, taken := cfg.AliasMetadata[key]; taken {
			err := invalid("metadata_fields", fmt.Sprintf("must not have the key %q, which alias_metadata has", key))
			problems = append(problems, wrong(err, "metadata_fields", "alias_metadata"))
		}
	}
	if len(cfg.MetadataFields) > 0 && !cfg.readsOkta() {
		err := invalid("metadata_fields", "must not be set without an api_token or a client_id, with which Okta is asked about people")
		problems = append(problems, wrong(err, "metadata_fields", "api_token", "token", "client_id"))
	}
	return problems
}

const metadataWarning = "metadata_fields is obeyed by this plugin only: Vault's builtin okta method, should the mount be switched back " +
	"to it, does not know the field, gives aliases no such metadata, and drops the field when it writes the configuration. Do not " +
	"name attributes that people may edit themselves in Okta."

// attributes reads those attributes of a person that metadata_fields names. It returns
// none where Okta does not show the person to the mount.
func (l *loginRequest) attributes(ctx context.Context, userID string) (map[string]string, error) {
	profile, err := l.client.Profile(l.told.in(ctx), userID)
	if okta.RefusesMount(err) || isCode(err, okta.CodeNotFound) {
		l.Logger().Debug("no metadata_fields: Okta does not show the profile", "event", eventProfileUnseen, "okta_user_id", okta.Clip(userID, 64), "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the profile: %w", err)
	}
	named := slices.Collect(maps.Values(l.cfg.MetadataFields))
	maps.DeleteFunc(profile, func(name, value string) bool { return !slices.Contains(named, name) || !isMetadata(value) })
	return profile, nil
}

// aliasMetadata is the metadata of the alias of a person.
func (cfg *configEntry) aliasMetadata(who mfa.Subject) map[string]string {
	metadata := maps.Clone(cfg.AliasMetadata)
	for key, attribute := range cfg.MetadataFields {
		value, has := who.Attributes[attribute]
		if _, taken := cfg.AliasMetadata[key]; has && !taken {
			if metadata == nil {
				metadata = map[string]string{}
			}
			metadata[key] = value
		}
	}
	return metadata
}

// isMetadata reports whether a value may become metadata. Templates put it into paths of
// policies, where a star, and a segment that is a plus, stand for other text.
func isMetadata(value string) bool {
	return value != "" && len(value) <= maxMetadataValue && !strings.Contains(value, "*") && !strings.ContainsFunc(value, unicode.IsControl) &&
		!slices.ContainsFunc(strings.Split(value, "/"), func(segment string) bool { return segment == "+" || segment == ".." })
}

// warnOfMetadata adds a warning to the answer to a write that sets metadata_fields.
func (cfg *configEntry) warnOfMetadata(d *framework.FieldData, resp *logical.Response) {
	if d.Raw["metadata_fields"] != nil && len(cfg.MetadataFields) > 0 {
		resp.AddWarning(metadataWarning)
	}
}
