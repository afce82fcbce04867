package okta

// FactorType is how a factor works.
// https://developer.okta.com/docs/reference/api/factors/#factor-type
type FactorType string

const (
	FactorPush           FactorType = "push"
	FactorTOTP           FactorType = "token:software:totp"
	FactorHardware       FactorType = "token:hardware"
	FactorToken          FactorType = "token"
	FactorHOTP           FactorType = "token:hotp"
	FactorSMS            FactorType = "sms"
	FactorCall           FactorType = "call"
	FactorEmail          FactorType = "email"
	FactorQuestion       FactorType = "question"
	FactorWeb            FactorType = "web"
	FactorU2F            FactorType = "u2f"
	FactorWebAuthn       FactorType = "webauthn"
	FactorClaimsProvider FactorType = "claims_provider"
	FactorSAML           FactorType = "assertion:saml2"
	FactorOIDC           FactorType = "assertion:oidc"
	FactorSignedNonce    FactorType = "signed_nonce"
)

// NeedsBrowser reports whether only a browser, or a program of Okta's, can verify the
// factor.
func (t FactorType) NeedsBrowser() bool {
	switch t {
	case FactorWeb, FactorU2F, FactorWebAuthn, FactorClaimsProvider, FactorSAML, FactorOIDC, FactorSignedNonce:
		return true
	}
	return false
}

// Provider is who runs a factor.
// https://developer.okta.com/docs/reference/api/factors/#provider-type
type Provider string

const (
	ProviderOkta        Provider = "OKTA"
	ProviderGoogle      Provider = "GOOGLE"
	ProviderYubico      Provider = "YUBICO"
	ProviderRSA         Provider = "RSA"
	ProviderOnPrem      Provider = "DEL_OATH" // Okta's On-Prem MFA; the org chooses the name that people see
	ProviderSymantec    Provider = "SYMANTEC"
	ProviderCustom      Provider = "CUSTOM"
	ProviderDuo         Provider = "DUO"
	ProviderFIDO        Provider = "FIDO"
	ProviderGenericSAML Provider = "GENERIC_SAML"
	ProviderGenericOIDC Provider = "GENERIC_OIDC"
)

// FactorActive is the only status in which a factor can be verified. The factors of a
// transaction usually have no status.
const FactorActive = "ACTIVE"

// Factor is one enrolled factor. A person who has several phones can tell them apart
// by DeviceName, by SentTo and, where those are missing or equal, by ID.
type Factor struct {
	ID         string
	Type       FactorType
	Provider   Provider
	VendorName string // an administrator's own name for an on-premises provider
	Status     string // empty where the answer has none
	DeviceName string // names the phone of a push, "Mia's phone"; may be empty
	SentTo     string // where a code goes by sms, call or email, masked; may be empty
	Question   string // the text of a question; may be empty
}
