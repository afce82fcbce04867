package backend

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file serves config/check, which tries a configuration at Okta before people log in
// by it. The rows of its answer are in check.go.

const (
	// checkTimeout bounds a check, and checkStep each request of it. No request is sent
	// twice, but for one that Okta asks to prove anew.
	checkTimeout = time.Minute
	checkStep    = 10 * time.Second
)

// checkPath is the pattern of the path.
const checkPath = "config/check"

func (b *backend) pathConfigCheck() *framework.Path {
	fields := configFields()
	delete(fields, "defaults")
	return &framework.Path{
		Pattern: checkPath,
		Fields:  fields,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback:     b.pathConfigCheckRun,
				Summary:      "Try the stored configuration at Okta.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "check", OperationSuffix: "configuration"},
				Responses:    told(checkedFields(), http.StatusBadRequest),
			},
			logical.UpdateOperation: &framework.PathOperation{
				Callback:     b.pathConfigCheckRun,
				Summary:      "Try the configuration at Okta with the fields of the request, and store nothing.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "check", OperationSuffix: "proposed-configuration"},
				Responses:    told(checkedFields(), http.StatusBadRequest),
			},
		},
		HelpSynopsis:    "Try the stored configuration, or a proposed one, at Okta, and store nothing.",
		HelpDescription: checkHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix},
	}
}

// checkedFields are what an answer has.
func checkedFields() fieldSchemas {
	return fieldSchemas{
		"org_url": {Type: framework.TypeString, Description: "URL of the org."},
		"result":  {Type: framework.TypeString, Description: "The worst result of the checks: ok, warn or fail."},
		"checks":  {Type: framework.TypeSlice, Description: "Each check, its result, what it has found and, unless that is ok, what to do."},
	}
}

func (b *backend) pathConfigCheckRun(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for _, field := range slices.Sorted(maps.Keys(d.Raw)) {
		if req.Operation == logical.ReadOperation && d.Schema[field] != nil {
			return answerInput(invalid(field, "must be given by a write of config/check: a read checks what is stored"))
		}
	}
	stored, err := b.configs.Stored(ctx, req.Storage, configKey)
	if err != nil {
		return nil, err
	}
	if stored == nil && !names(d, slices.Collect(maps.Keys(d.Raw))...) {
		return b.answer(ctx, errNotConfigured, false)
	}
	cfg := &configEntry{}
	if stored != nil {
		*cfg = *stored
	}
	before, _ := cfg.orgURL() // none, where what is stored is not sound
	unsound, refusal, err := b.change(ctx, req, d, cfg, stored == nil)
	if refusal != nil || err != nil {
		return refusal, err
	}
	cfg.deleteForeignToken(before, d)
	if _, err := b.updateMethods(ctx, req.Storage, d, &cfg.MFAMethods); err != nil {
		return answerInput(err)
	}
	c := &check{backend: b, req: req, cfg: cfg, given: mayBeSent(cfg, before, d)}
	if err := c.run(ctx, unsound); err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"org_url": c.orgURL, "result": c.worst(), "checks": c.data()}}, nil
}

// mayBeSent reports whether the credentials of cfg may be sent to its org: to another one
// than before only those that the request itself gives. Otherwise whoever may check a
// configuration could have the stored ones sent to a host of their own.
func mayBeSent(cfg *configEntry, before string, d *framework.FieldData) bool {
	now, _ := cfg.orgURL() // which the check tells
	if now == before {
		return true
	}
	if cfg.ClientID != "" {
		return names(d, "client_id")
	}
	return names(d, "api_token", "token")
}

// check is the work on one answer.
type check struct {
	*backend
	req    *logical.Request
	cfg    *configEntry
	given  bool // the credentials may be sent to the org
	orgURL string
	app    *okta.ServiceApp // nil: none
	heads  []okta.Answer
	rows   []finding
}
