package backend

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file reads the credentials that people give for the MFA methods of the mount and
// for Okta's own factor: name[:key[=value]], in the field mfa or in the header
// X-Vault-MFA.

// mfaHeader is what the flag -mfa of the command line tools sends. The host hands it on
// where the mount is tuned to pass it through.
const mfaHeader = "X-Vault-MFA"

// oktaName is the name in a credential that stands for the factor that Okta itself asks
// for. OpenBao's login command has no field totp, and can send the header.
const oktaName = "okta"

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
		if strings.TrimSpace(text) == "" { // clients send that for what is not set
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

// forOkta moves the credential for Okta's own factor to what answers Okta. On a mount with
// a method of that name, which an earlier version let people create, the credential is the
// method's, as it was.
func (b *backend) forOkta(ctx context.Context, s logical.Storage, in loginInput) (loginInput, error) {
	given, ok := in.mfa[oktaName]
	if !ok {
		return in, nil
	}
	methods, _, err := b.methods.All(ctx, s) // of one that cannot be read, nobody knows the name
	if err != nil {
		return in, err
	}
	if m, _ := (methodList{methods: methods}).find(oktaName); m != nil {
		return in, nil
	}
	in.mfa = maps.Clone(in.mfa)
	delete(in.mfa, oktaName)
	differs := func(a, b string) bool { return a != "" && b != "" && a != b }
	switch want := &in.want; {
	case differs(want.PassCode, given.PassCode):
		err = invalid("totp", "must not differ from the passcode that mfa or "+mfaHeader+" has for okta: give one of the two")
	case differs(string(want.Kind), string(given.Kind)):
		err = invalid("factor", "and provider must not name another type than mfa or "+mfaHeader+" has for okta: give one of the two")
	case differs(want.Device, given.Device):
		err = invalid("device", "must not differ from the one that mfa or "+mfaHeader+" has for okta: give one of the two")
	default:
		want.PassCode = cmp.Or(want.PassCode, given.PassCode)
		want.Kind = cmp.Or(want.Kind, given.Kind)
		want.Device = cmp.Or(want.Device, given.Device)
		if unfit := checkWant(*want); unfit != nil {
			err = invalid("mfa", "must fit the other fields in what it has for okta: "+unfit.Error())
		}
	}
	return in, err
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
