package backend

import (
	"fmt"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file holds the words for factors: how people are told which they have,
// and what to give for each. "provider" is named wherever it will do, because
// the command line tool can send nothing else.

// describeNoFactor says what the person could give instead. The password was
// right by then.
func describeNoFactor(e *mfa.NoFactorError) string {
	var ways, useless []string
	for _, f := range e.Offered {
		if why := uselessBecause(e.Policy, f); why != "" {
			useless = append(useless, factorName(f)+" ("+why+")")
		} else {
			ways = append(ways, factorName(f)+" ("+howTo(f)+")")
		}
	}
	text := "Okta asks for a factor"
	switch {
	case len(ways) == 0:
		text += ", and you have enrolled none that can be used here"
	case e.Given:
		text += ", and none of yours goes with what you gave"
	case len(e.Chosen()) == 0:
		text += ", and none of yours is the one you chose"
	default:
		text += ": say which one, with what it needs"
	}
	if len(ways) > 0 {
		text += "; you have " + strings.Join(unique(ways), ", ")
	}
	if len(useless) > 0 {
		text += "; not usable here: " + strings.Join(unique(useless), ", ")
	}
	return text
}

// uselessBecause says why a factor cannot be used, "" if it can.
func uselessBecause(policy mfa.Policy, f okta.Factor) string {
	switch {
	case len(policy.Accepted([]okta.Factor{f})) > 0:
		return ""
	case mfa.NeedsBrowser(f):
		return "needs a browser"
	case mfa.KindOf(f) == "":
		return "not known to this method"
	case !mfa.Usable(f):
		return "not active"
	}
	return "not accepted by this mount"
}

// factorName is what people call a factor.
func factorName(f okta.Factor) string {
	switch f.Type {
	case okta.FactorPush:
		return strings.TrimSpace("a push " + quoted(f.DeviceName))
	case okta.FactorTOTP:
		if f.Provider == okta.ProviderGoogle {
			return "Google Authenticator"
		}
		return "Okta Verify's passcode"
	case okta.FactorSMS:
		return strings.TrimSpace("SMS " + f.SentTo)
	case okta.FactorCall:
		return strings.TrimSpace("call " + f.SentTo)
	case okta.FactorEmail:
		return strings.TrimSpace("e-mail " + f.SentTo)
	case okta.FactorQuestion:
		return strings.TrimSpace("security question " + quoted(f.Question))
	case okta.FactorHardware:
		return "YubiKey"
	case okta.FactorHOTP:
		return vendor(f, "counting token")
	case okta.FactorWebAuthn:
		return "WebAuthn security key or passkey"
	case okta.FactorU2F:
		return "U2F security key"
	case okta.FactorSignedNonce:
		return "Okta FastPass"
	case okta.FactorWeb:
		return okta.Clip(string(f.Provider), 32) + " web"
	case okta.FactorClaimsProvider:
		return "identity provider"
	case okta.FactorToken:
		return vendor(f, okta.Clip(string(f.Provider), 32)+" token")
	}
	return okta.Clip(fmt.Sprintf("%s of %s", f.Type, f.Provider), 64)
}

// vendor is the name that an administrator gave to a product that is not Okta's,
// if they gave it one.
func vendor(f okta.Factor, otherwise string) string {
	if f.VendorName == "" || f.VendorName == string(f.Provider) {
		return otherwise
	}
	return okta.Clip(f.VendorName, 64)
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return `"` + s + `"`
}

// howTo tells the parameters that choose and answer a factor.
func howTo(f okta.Factor) string {
	switch kind := mfa.KindOf(f); kind {
	case mfa.KindPush:
		if f.DeviceName != "" {
			return fmt.Sprintf("provider=push, or by the API device=%q", f.DeviceName)
		}
		return "provider=push, or by the API device=" + okta.Clip(f.ID, 64)
	case mfa.KindSMS, mfa.KindCall, mfa.KindEmail:
		return "provider=" + string(kind) + ", then totp=<the code>"
	case mfa.KindQuestion:
		return "totp=<the answer> provider=question"
	case mfa.KindTOTP:
		return "totp=<its 6 digits> provider=" + string(f.Provider)
	default:
		return "totp=<its passcode> provider=" + string(f.Provider)
	}
}

// describeCodeSent says where a code went, and how to go on.
func describeCodeSent(e *mfa.CodeSentError) string {
	if e.Again {
		return fmt.Sprintf("a code was sent %s before and is still good: log in again with totp=<code>, or have another one sent with resend=true (by the API; vault login cannot send that)", sentBy(e.Factor))
	}
	return fmt.Sprintf("Okta has sent a code %s: log in again in the same way, with totp=<code> added", sentBy(e.Factor))
}

// sentBy tells how a code was sent, and where to.
func sentBy(f okta.Factor) string {
	way := map[mfa.Kind]string{mfa.KindSMS: "by SMS", mfa.KindCall: "by a telephone call", mfa.KindEmail: "by e-mail"}[mfa.KindOf(f)]
	if f.SentTo == "" {
		return way
	}
	return way + " to " + f.SentTo
}

// describeFactor names a factor by the parameters that choose it, and tells what
// a person knows it by.
func describeFactor(f okta.Factor) map[string]any {
	data := map[string]any{}
	for field, value := range map[string]string{
		"factor": string(mfa.KindOf(f)), "provider": string(f.Provider),
		"device": f.DeviceName, "sent_to": f.SentTo, "question": f.Question,
	} {
		if value != "" {
			data[field] = value
		}
	}
	return data
}
