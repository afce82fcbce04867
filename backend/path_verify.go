package backend

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

func (b *backend) pathVerify() *framework.Path {
	return &framework.Path{
		Pattern: "verify/(?P<nonce>.+)",
		Fields: grouped("Login", fieldSchemas{
			"nonce": {
				Type:         framework.TypeString,
				Required:     true,
				Description:  "The nonce that the login was begun with.",
				DisplayAttrs: &framework.DisplayAttributes{Name: "Nonce"},
			},
		}),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.pathVerifyRead,
				Summary:  "Read the right number of a login's number challenge.",
				Responses: told(fieldSchemas{
					"correct_answer": {
						Type:        framework.TypeInt,
						Description: "The number to choose on the phone.",
						Required:    true,
					},
					"verification_code": {
						Type:        framework.TypeString,
						Description: "The same number, digit by digit, where it has to be typed into Duo Mobile.",
					},
					"device": {
						Type:        framework.TypeString,
						Description: "Name of the phone that shows the numbers, where Okta says so.",
					},
					"expires_in": {
						Type:        framework.TypeInt,
						Description: "Seconds until the challenge ends, where Okta says so.",
					},
				}, http.StatusNotFound),
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
	return &logical.Response{Data: numberData(number, b.now())}, nil
}

// numberData counts expires_in down from read to read: a client need not have a
// clock that agrees with this one.
func numberData(number mfa.Number, now time.Time) map[string]any {
	data := map[string]any{"correct_answer": number.Answer}
	if number.Code != "" {
		data["verification_code"] = number.Code
	}
	if number.Device != "" {
		data["device"] = number.Device
	}
	if !number.ExpiresAt.IsZero() {
		data["expires_in"] = int64(max(0, number.ExpiresAt.Sub(now)) / time.Second)
	}
	return data
}

const verifyHelp = `
A login with a nonce waits for a push. Once the phone shows numbers to choose from, this
path shows the right one, with the name of the phone and the seconds that are left,
where Okta says them. Before that, and after the login has ended, the answer is 404.
`
