package mfa

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Kind is a type of factor by the name that people use for it here. Okta's own
// types are finer: a KindToken may be one of three.
type Kind string

const (
	KindPush     Kind = "push"     // a notification in Okta Verify, to be approved
	KindTOTP     Kind = "totp"     // the changing passcode of Okta Verify or Google Authenticator
	KindSMS      Kind = "sms"      // a code sent to a phone
	KindCall     Kind = "call"     // a code told by telephone
	KindEmail    Kind = "email"    // a code sent by e-mail
	KindToken    Kind = "token"    // a YubiKey, an RSA, On-Prem MFA or Symantec token, Okta's custom TOTP
	KindQuestion Kind = "question" // the answer to a security question
)

// Kinds are all kinds that can be verified here.
var Kinds = []Kind{KindPush, KindTOTP, KindSMS, KindCall, KindEmail, KindToken, KindQuestion}

// ParseKind reads the name of a kind, in any case.
func ParseKind(s string) (Kind, error) {
	for _, k := range Kinds {
		if strings.EqualFold(s, string(k)) {
			return k, nil
		}
	}
	return "", fmt.Errorf("must be one of %s", join(Kinds))
}

// sends reports whether Okta sends the passcodes of this kind, as codes.
func (k Kind) sends() bool { return k == KindSMS || k == KindCall || k == KindEmail }

// shape is what a passcode of a factor looks like.
type shape int

const (
	sixDigits  shape = iota + 1
	someDigits       // of codes that are sent and of custom TOTP: 4 to 10
	modhex           // what a YubiKey types: 44 characters
	pinAndCode       // of an RSA token: letters and digits, 4 to 32
	anything         // the answer to a question
)

// verifiable are the factors that can be verified here, by Okta's type and
// provider. https://developer.okta.com/docs/reference/api/factors/#supported-factors-for-providers
// lists them, but for three. The push of CUSTOM, an org's own app, is in no document of
// the Authentication API. DEL_OATH is in the sign-in widget. The HOTP of CUSTOM is what
// Okta's Factors API calls custom TOTP. A table in docs/mfa.md has them all.
var verifiable = map[okta.FactorType]map[okta.Provider]traits{
	okta.FactorPush:     {okta.ProviderOkta: {kind: KindPush}, okta.ProviderCustom: {kind: KindPush}},
	okta.FactorTOTP:     {okta.ProviderOkta: {KindTOTP, sixDigits}, okta.ProviderGoogle: {KindTOTP, sixDigits}},
	okta.FactorSMS:      {okta.ProviderOkta: {KindSMS, someDigits}},
	okta.FactorCall:     {okta.ProviderOkta: {KindCall, someDigits}},
	okta.FactorEmail:    {okta.ProviderOkta: {KindEmail, someDigits}},
	okta.FactorHardware: {okta.ProviderYubico: {KindToken, modhex}},
	okta.FactorToken:    {okta.ProviderRSA: {KindToken, pinAndCode}, okta.ProviderSymantec: {KindToken, sixDigits}, okta.ProviderOnPrem: {KindToken, pinAndCode}},
	okta.FactorHOTP:     {okta.ProviderCustom: {KindToken, someDigits}},
	okta.FactorQuestion: {okta.ProviderOkta: {KindQuestion, anything}},
}

// traits are what this package knows of a type of factor.
type traits struct {
	kind  Kind
	shape shape // of its passcodes
}

// KindOf returns the kind of a factor, or "" where it cannot be verified here.
func KindOf(f okta.Factor) Kind { return verifiable[f.Type][f.Provider].kind }

// NeedsBrowser reports whether the factor is of a type that only a browser can
// answer.
func NeedsBrowser(f okta.Factor) bool {
	return f.Type.NeedsBrowser()
}

// Usable reports whether the factor is active and of a kind that can be verified
// here. Okta names the status of a factor only where the factor is not active.
func Usable(f okta.Factor) bool {
	return f.ID != "" && (f.Status == "" || f.Status == okta.FactorActive) && KindOf(f) != ""
}

// looksLike reports whether passCode looks like one of the factor's.
func looksLike(f okta.Factor, passCode string) bool {
	switch verifiable[f.Type][f.Provider].shape {
	case sixDigits:
		return len(passCode) == 6 && digits(passCode)
	case someDigits:
		return len(passCode) >= 4 && len(passCode) <= 10 && digits(passCode)
	case modhex:
		return isModhex(passCode)
	case pinAndCode:
		return len(passCode) >= 4 && len(passCode) <= 32 && madeOf(passCode, alphanumeric)
	case anything:
		// A question's answer may be a number, too; see Choose.
		return !digits(passCode) && !isModhex(passCode)
	}
	return false
}

// missedForms are the forms of the factors' passcodes; none where passCode is of one.
func missedForms(factors []okta.Factor, passCode string) (forms []string) {
	for _, f := range factors {
		if looksLike(f, passCode) {
			return nil
		}
		form := formOf[verifiable[f.Type][f.Provider].shape]
		if form != "" && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// formOf describes a shape to people.
var formOf = map[shape]string{
	sixDigits:  "6 digits",
	someDigits: "4 to 10 digits",
	modhex:     "the 44 letters that a YubiKey types",
	pinAndCode: "4 to 32 letters and digits",
}

const (
	decimal      = "0123456789"
	alphanumeric = decimal + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	// https://developers.yubico.com/OTP/Modhex_Converter.html
	modhexDigits = "cbdefghijklnrtuv"
	modhexLength = 44
)

func digits(s string) bool { return madeOf(s, decimal) }

func isModhex(s string) bool {
	return len(s) == modhexLength && madeOf(strings.ToLower(s), modhexDigits)
}

// madeOf reports whether s is made of the characters of set, and of one at least.
func madeOf(s, set string) bool {
	return s != "" && strings.Trim(s, set) == ""
}

// CleanPassCode removes what people and devices add to a passcode: space around it,
// the gap in the middle of "123 456", and the capitals of a YubiKey that types with
// caps lock on.
func CleanPassCode(s string) string {
	s = strings.TrimSpace(s)
	if joined := strings.ReplaceAll(s, " ", ""); digits(joined) {
		return joined
	}
	if isModhex(s) {
		return strings.ToLower(s)
	}
	return s
}

// SplitPassCode splits "password,123456" at the last separator. It reports false,
// and changes nothing, where what follows does not look like a passcode: 5 to
// 16 digits, a PIN before them included, or what a YubiKey types.
func SplitPassCode(s, separator string) (password, passCode string, ok bool) {
	at := -1
	if separator != "" {
		at = strings.LastIndex(s, separator)
	}
	if at < 0 {
		return s, "", false
	}
	passCode = s[at+len(separator):]
	if n := len(passCode); !(n >= 5 && n <= 16 && digits(passCode)) && !isModhex(passCode) {
		return s, "", false
	}
	return s[:at], passCode, true
}

// spokenKinds are the kinds that a word in the password field may choose.
var spokenKinds = []Kind{KindPush, KindSMS, KindCall, KindEmail}

// SplitKind splits "password,push" at the last separator. It reports false, and changes
// nothing, where what follows is none of the words push, sms, call and email, in any
// case: all else belongs to the password.
func SplitKind(s, separator string) (password string, kind Kind, ok bool) {
	at := -1
	if separator != "" {
		at = strings.LastIndex(s, separator)
	}
	for _, k := range spokenKinds {
		if at >= 0 && strings.EqualFold(s[at+len(separator):], string(k)) {
			return s[:at], k, true
		}
	}
	return s, "", false
}

func join[S ~string](names []S) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}
