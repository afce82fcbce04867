package backend

import (
	"fmt"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file reads the credentials that people give for the MFA methods of the
// mount: name[:key[=value]], in the field mfa or in the header X-Vault-MFA.

// mfaHeader is what vault login -mfa sends. Vault hands it on where the mount is
// tuned to pass it through.
const mfaHeader = "X-Vault-MFA"

const (
	maxCredentials = 32
	maxCredential  = 512 // bytes

	credentialSyntax = "must be given as name, name:<passcode>, name:<type of factor>, name:<type of factor>=<passcode>, " +
		"name:passcode=<passcode> or name:device=<phone>"
)

// credentials are what a login has for each method that it names, by that name.
type credentials map[string]mfa.Credential

// parseCredentials reads them from both places. An error quotes none of them.
func parseCredentials(req *logical.Request, d *framework.FieldData) (credentials, error) {
	given, _ := d.Get("mfa").([]string)
	given = append(given, header(req, mfaHeader)...)
	if len(given) > maxCredentials {
		return nil, invalid("mfa", fmt.Sprintf("must not hold more than %d credentials", maxCredentials))
	}
	all := credentials{}
	for _, text := range given {
		if text == "" { // clients send that for what is not set
			continue
		}
		name, credential, err := parseCredential(text)
		if err != nil {
			return nil, err
		}
		if other, twice := all[name]; twice && other != credential {
			return nil, invalid("mfa", fmt.Sprintf("must not name the method %q twice", name))
		}
		all[name] = credential
	}
	return all, nil
}

// parseCredential reads one.
func parseCredential(text string) (name string, c mfa.Credential, err error) {
	if len(text) > maxCredential {
		return "", c, invalid("mfa", fmt.Sprintf("must not hold a credential of more than %d bytes", maxCredential))
	}
	name, value, _ := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	if checkMethodName(name) != nil {
		return "", c, invalid("mfa", credentialSyntax)
	}
	key, named, hasKey := strings.Cut(value, "=")
	key, named = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(named)
	kind, notKind := mfa.ParseKind(key)
	switch {
	case hasKey && named == "", len(value) > maxPassCode+len("passcode="):
		return "", c, invalid("mfa", credentialSyntax)
	case strings.TrimSpace(value) == "": // a push, or whatever there is without a passcode
	case !hasKey && notKind == nil:
		c.Kind = kind
	case !hasKey:
		c.PassCode = mfa.CleanPassCode(value)
	case key == "passcode":
		c.PassCode = mfa.CleanPassCode(named)
	case key == "device":
		c.Device = named
	case notKind == nil && kind != mfa.KindPush:
		c.Kind, c.PassCode = kind, mfa.CleanPassCode(named)
	default:
		return "", c, invalid("mfa", credentialSyntax)
	}
	return name, c, nil
}
