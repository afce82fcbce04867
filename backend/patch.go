package backend

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// This file holds what PATCH requests have in common. They are JSON merge patches
// (RFC 7396): what they do not name stays, and a null takes a field back to its default.
// For any other write a null counts as not given, because some clients send it for
// whatever is not set.

// isPatch reports whether the request is a merge patch.
func isPatch(req *logical.Request) bool { return req.Operation == logical.PatchOperation }

// takeNulls returns the fields of a patch that are null, and the patch without them.
func takeNulls(d *framework.FieldData) (nulls []string, others *framework.FieldData) {
	raw := maps.Clone(d.Raw)
	for field, value := range raw {
		if value == nil {
			nulls = append(nulls, field)
			delete(raw, field)
		}
	}
	slices.Sort(nulls)
	return nulls, &framework.FieldData{Raw: raw, Schema: d.Schema}
}

// emptiedBy returns a patch of an entry of users or groups with the default for each null:
// nothing, in strings and lists, and false.
func emptiedBy(d *framework.FieldData) *framework.FieldData {
	nulls, others := takeNulls(d)
	for _, field := range nulls {
		if schema := d.Schema[field]; schema != nil {
			others.Raw[field] = schema.Type.Zero()
		}
	}
	return others
}

// storedAs are the names that the fields of config have in storage where these differ.
// The old durations go with the new ones, which an entry takes from them.
var storedAs = map[string][]string{
	"org_name":      {"organization"},
	"api_token":     {"token"},
	"production":    {"is_production"},
	"token_ttl":     {"token_ttl", "ttl"},
	"ttl":           {"token_ttl", "ttl"},
	"token_max_ttl": {"token_max_ttl", "max_ttl"},
	"max_ttl":       {"token_max_ttl", "max_ttl"},
}

// reset returns a copy of the configuration whose fields of those names are as in a new
// one.
func (cfg *configEntry) reset(fields []string) (*configEntry, error) {
	text, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	var stored map[string]json.RawMessage
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, err
	}
	for _, field := range fields {
		names, ok := storedAs[field]
		if !ok {
			names = []string{field}
		}
		for _, name := range names {
			delete(stored, name)
		}
	}
	if text, err = json.Marshal(stored); err != nil {
		return nil, err
	}
	without := &configEntry{}
	if err := json.Unmarshal(text, without); err != nil {
		return nil, err
	}
	_ = without.compileFilter() // which was compiled before
	if slices.Contains(fields, "alias_source") {
		without.AliasSource = sourceLogin
	}
	return without, nil
}

// patched returns the configuration with its defaults where the patch has null, and the
// patch with what is left to do.
func (cfg *configEntry) patched(d *framework.FieldData) (*configEntry, *framework.FieldData, error) {
	nulls, others := takeNulls(d)
	if slices.Contains(nulls, "org_name") || slices.Contains(nulls, "organization") {
		return nil, nil, invalid("org_name", "must not be null: there is no default. To delete the configuration, delete config")
	}
	for field, stored := range map[string]map[string]string{"alias_metadata": cfg.AliasMetadata, "metadata_fields": cfg.MetadataFields} {
		if _, named := others.Raw[field]; !named {
			continue
		}
		if _, _, err := others.GetOkErr(field); err != nil {
			return nil, nil, invalid(field, "must be a map of strings")
		}
		others.Raw[field] = merged(stored, others, field)
	}
	if len(nulls) == 0 {
		return cfg, others, nil
	}
	cfg, err := cfg.reset(nulls)
	return cfg, others, err
}

// errNothingToPatch is the answer to a patch of what does not exist, which a write creates.
func errNothingToPatch(what string) error {
	return logical.CodedError(http.StatusNotFound, what+" does not exist, so it cannot be patched: write it first")
}

// merged returns a field that is a map after a patch, which may name single keys: a null
// removes one.
func merged(stored map[string]string, d *framework.FieldData, field string) map[string]string {
	all := maps.Clone(mapped(stored))
	given, _ := newest[map[string]string](d, field)
	maps.Copy(all, given)
	if raw, ok := d.Raw[field].(map[string]any); ok {
		maps.DeleteFunc(all, func(key string, _ string) bool {
			value, named := raw[key]
			return named && value == nil
		})
	}
	return all
}

const deletedConfigWarning = "the mount has no configuration now: nobody can log in or renew a token until config is written again"

// forgottenTypedWarning is for a mount whose identity a new configuration would change.
const forgottenTypedWarning = `alias_source was "typed", and a new configuration begins with "login": write alias_source=typed with it ` +
	`to keep people's aliases`

// pathConfigDelete deletes the configuration, also one that cannot be read. Entries of
// users, groups and MFA methods stay.
func (b *backend) pathConfigDelete(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	unlock, err := b.lockEntry(ctx, configKey, d)
	if err != nil {
		return nil, err
	}
	defer unlock()
	cfg, err := b.configs.Stored(ctx, req.Storage, configKey)
	lost, err := unreadable(err)
	if err != nil {
		return nil, err
	}
	if err := b.configs.Remove(ctx, req.Storage, configKey); err != nil {
		return nil, err
	}
	b.clients.forget("")
	there := cfg != nil || lost != nil
	if cfg == nil {
		cfg = &configEntry{AliasSource: sourceLogin}
	}
	return warned(warning{there, deletedConfigWarning}, warning{cfg.source() == sourceTyped, forgottenTypedWarning},
		released(cfg.MFAMethods), replaced(lost)), nil
}
