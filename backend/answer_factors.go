package backend

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file holds the words for factors and for what an MFA method asks for. They
// name the field provider wherever it will do: the command line tool can send no other
// that chooses a factor.

// needs lists the MFA methods that ask for a passcode, and says how to give it.
func needs(e *needError) string {
	wants := make([]string, len(e.Methods))
	for i, m := range e.Methods {
		var ways []string
		for _, way := range m.Ways() {
			ways = append(ways, fmt.Sprintf("%s (%s, as mfa=%s:<passcode>)", way.Name, cmp.Or(way.Wants, passCodeOf(way.Type)), way.Name))
		}
		wants[i] = strings.Join(ways, " or ")
	}
	text := strings.Join(wants, ", ") + `. Add -mfa=<name>:<passcode> for each to the login command, or send the list "mfa" with the login`
	text = strings.Join(append([]string{text}, e.hints()...), ". ")
	if !e.header {
		// Not how: a command that tunes one header takes the others away.
		text += ". If that changes nothing, tell your Vault administrator that this mount does not receive the header " + mfaHeader
	}
	return text
}

// hints say what is wrong with what the login gave.
func (e *needError) hints() (all []string) {
	if e.nearest != "" {
		all = append(all, misnamed(e.nearest))
	}
	if e.unused {
		all = append(all, "Okta has asked for no factor, so your totp was not used: give it as mfa=<name>:<passcode> if it is for one of these")
	}
	return all
}

// misnamed says that a credential is for none of the methods, and which one may be meant.
// It does not repeat the name: people put passcodes there.
func misnamed(nearest string) string {
	return "Did you mean " + nearest + "? You gave a credential under another name"
}

// passCodeOf says which passcode a method of that type takes.
func passCodeOf(methodType string) string {
	switch methodType {
	case totpMethodType.name:
		return "the passcode of your authenticator app"
	case duoMethodType.name:
		return "a passcode of Duo"
	case pingIDMethodType.name:
		return "a passcode of PingID"
	}
	return "a passcode of one of your factors in Okta"
}

// asksFactor matches a question of Okta's for a factor that is not answered for that reason.
func asksFactor(reason string) func(error) bool {
	return func(err error) bool {
		e := find[*mfa.NoFactorError](err)
		return e != nil && reason == whyNoFactor(e)
	}
}

const (
	noneUsable   = "none of the factors can be used"
	noneMatches  = "the passcode is that of none"
	noneAsChosen = "the choice leaves none"
	noneChosen   = "none was chosen"
)

func whyNoFactor(e *mfa.NoFactorError) string {
	switch {
	case len(e.Policy.Accepted(e.Offered)) == 0:
		return noneUsable
	case e.Given:
		return noneMatches
	case len(e.Chosen()) == 0:
		return noneAsChosen
	}
	return noneChosen
}

// factorChoice lists what the person can give where Okta asks for a factor, and what not.
// They have shown that they know the password.
func factorChoice(e *mfa.NoFactorError, who, login string) (text string) {
	var usable, useless []string
	before := map[mfa.Kind]bool{}
	accepted := e.Policy.Accepted(e.Offered)
	for _, f := range e.Offered {
		if why := uselessBecause(e.Policy, f); why != "" {
			useless = append(useless, factorName(f)+" ("+why+")")
			continue
		}
		switch kind := mfa.KindOf(f); {
		case kind != mfa.KindPush:
			usable = append(usable, factorName(f)+" ("+howTo(f, before[kind])+")")
			before[kind] = true
		case !before[kind]: // one line for all phones
			usable = append(usable, pushTo(accepted))
			before[kind] = true
		}
	}
	if len(usable) > 0 {
		text += ". You can use: " + strings.Join(unique(usable), ", ")
		if strings.Contains(text, "device=") {
			text += ". The command that sends device is okta-login -device=<device> " + who + "; the HTTP API takes it at /v1/" + login
		}
	}
	if len(useless) > 0 {
		text += ". You cannot use: " + strings.Join(unique(useless), ", ")
	}
	if shut := shutOut(e); len(usable) == 0 && len(shut) > 0 {
		text += fmt.Sprintf(". Enroll a factor of type %s in Okta, or ask your Vault administrator to name %s in mfa_factors of the mount's config",
			enumerate("or", texts(e.Policy.Factors)), enumerate("or", shut))
	}
	return text
}

// pushTo names the phones among the factors, and says which fields have a push sent to one.
func pushTo(factors []okta.Factor) string {
	var phones []string
	for _, f := range factors {
		if mfa.KindOf(f) == mfa.KindPush {
			phones = append(phones, cmp.Or(quoted(f.DeviceName), okta.Clip(f.ID, 64)))
		}
	}
	text := "a push " + enumerate("or", unique(phones))
	if len(phones) == 1 {
		return text + " (provider=push)"
	}
	return text + " (provider=push, or device=<one of these>)"
}

// triedOn says which factors a wrong passcode was tried on.
func triedOn(err error) string {
	e := find[*mfa.WrongPassCodeError](err)
	if e == nil {
		return ""
	}
	names := make([]string, len(e.Factors))
	for i, f := range e.Factors {
		names[i] = strings.TrimSuffix(factorName(f), "'s passcode")
	}
	text := ". It was tried on " + enumerate("and", unique(names))
	if slices.ContainsFunc(e.Factors, makesPassCodes) {
		text += ". Try again with the next passcode"
	}
	return text
}

// makesPassCodes reports whether the factor shows a new passcode by itself.
func makesPassCodes(f okta.Factor) bool {
	return slices.Contains([]mfa.Kind{mfa.KindTOTP, mfa.KindToken}, mfa.KindOf(f))
}

// formsOf says what the passcode would have to be, where it cannot be one.
func formsOf(e *mfa.NoFactorError) string {
	if len(e.Forms) == 0 {
		return ""
	}
	return ": " + enumerate("or", e.Forms) + " are expected"
}

// shutOut returns the types of the factors that only the mount's configuration keeps
// the person from using.
func shutOut(e *mfa.NoFactorError) []string {
	var kinds []string
	for _, f := range e.Offered {
		if mfa.Usable(f) && len(e.Policy.Accepted([]okta.Factor{f})) == 0 {
			kinds = append(kinds, string(mfa.KindOf(f)))
		}
	}
	return unique(kinds)
}

// uselessBecause says why this mount cannot use a factor; "" means that it can.
func uselessBecause(policy mfa.Policy, f okta.Factor) string {
	switch {
	case len(policy.Accepted([]okta.Factor{f})) > 0:
		return ""
	case mfa.NeedsBrowser(f):
		return "it needs a browser"
	case mfa.KindOf(f) == "":
		return "the plugin does not know it"
	case !mfa.Usable(f):
		return "it is not active"
	}
	return "this mount does not accept it"
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
		return vendor(f, "custom TOTP token")
	case okta.FactorWebAuthn:
		return "WebAuthn security key or passkey"
	case okta.FactorU2F:
		return "U2F security key"
	case okta.FactorSignedNonce:
		return "Okta FastPass"
	case okta.FactorWeb:
		return okta.Clip(string(f.Provider), 32) + " web"
	case okta.FactorClaimsProvider, okta.FactorSAML, okta.FactorOIDC:
		return vendor(f, "identity provider")
	case okta.FactorToken:
		return vendor(f, okta.Clip(string(f.Provider), 32)+" token")
	}
	return okta.Clip(fmt.Sprintf("%s of %s", f.Type, f.Provider), 64)
}

// vendor is the name that an administrator gave to a product that is not Okta's, or
// otherwise where they gave it none.
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

// howTo says which fields of a login choose and answer a factor other than a push; another says that one
// of the same type comes before it, to which the type alone would lead.
func howTo(f okta.Factor, another bool) string {
	switch kind := mfa.KindOf(f); kind {
	case mfa.KindSMS, mfa.KindCall, mfa.KindEmail:
		if another { // the type alone leads to the first
			return "device=" + okta.Clip(f.ID, 64) + ", then totp=<the code>"
		}
		return "provider=" + string(kind) + ", then totp=<the code>"
	case mfa.KindQuestion:
		return "totp=<the answer> provider=question"
	case mfa.KindTOTP:
		return "totp=<its 6 digits> provider=" + string(f.Provider)
	default:
		return "totp=<its passcode> provider=" + string(f.Provider)
	}
}

// sentBy says how a code was sent, and where to.
func sentBy(f okta.Factor) string {
	way := map[mfa.Kind]string{mfa.KindSMS: "by SMS", mfa.KindCall: "by a telephone call", mfa.KindEmail: "by e-mail"}[mfa.KindOf(f)]
	if f.SentTo == "" {
		return way
	}
	return way + " to " + f.SentTo
}

// describeFactor makes the part of an answer that is about a factor: the fields that
// choose it, and what the person knows it by.
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
