package backend

import (
	"context"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

func (b *backend) pathVerify() *framework.Path {
	return &framework.Path{
		Pattern: "verify/(?P<nonce>.+)",
		Fields: map[string]*framework.FieldSchema{
			"nonce": {
				Type:        framework.TypeString,
				Description: "The nonce that the login was begun with.",
			},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.pathVerifyRead,
				Summary:  "Read the right number of a login's number challenge.",
				Responses: map[int][]framework.Response{http.StatusOK: {{
					Description: http.StatusText(http.StatusOK),
					Fields: map[string]*framework.FieldSchema{
						"correct_answer": {
							Type:        framework.TypeInt,
							Description: "The number to choose on the phone.",
							Required:    true,
						},
					},
				}}},
				// The number is in the memory of the node that runs the login, which is
				// marked alike.
				ForwardPerformanceStandby: true,
			},
		},
		HelpSynopsis:    "Read the right number of a login's number challenge.",
		HelpDescription: verifyHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: "verify"},
	}
}

// pathVerifyRead answers 404 for a nonce that no login uses and for a login that
// has no number yet, alike: clients take 404 for "ask again", and the CLI takes
// any other answer for one that holds a number.
func (b *backend) pathVerifyRead(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	number, ok := b.numbers.read(d.Get("nonce").(string))
	if !ok {
		return nil, nil
	}
	return &logical.Response{Data: map[string]any{"correct_answer": number}}, nil
}

const verifyHelp = `
While a login with a nonce waits for a push, and once the phone shows numbers to
choose from, this path tells the right one. Before that, and after the login has
ended, there is nothing here (404).
`
