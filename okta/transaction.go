package okta

import (
	"bytes"
	"encoding/json"
	"time"
)

// Status is the state of an authentication transaction.
// https://developer.okta.com/docs/reference/api/authn/#transaction-state
type Status string

const (
	StatusSuccess           Status = "SUCCESS"
	StatusPasswordWarn      Status = "PASSWORD_WARN"
	StatusPasswordExpired   Status = "PASSWORD_EXPIRED"
	StatusPasswordReset     Status = "PASSWORD_RESET"
	StatusRecovery          Status = "RECOVERY"
	StatusRecoveryChallenge Status = "RECOVERY_CHALLENGE"
	StatusLockedOut         Status = "LOCKED_OUT"
	StatusMFAEnroll         Status = "MFA_ENROLL"
	StatusMFAEnrollActivate Status = "MFA_ENROLL_ACTIVATE"
	StatusMFARequired       Status = "MFA_REQUIRED"
	StatusMFAChallenge      Status = "MFA_CHALLENGE"
	StatusUnauthenticated   Status = "UNAUTHENTICATED"
)

// FactorResult is the state of a challenge within StatusMFAChallenge.
// https://developer.okta.com/docs/reference/api/authn/#factor-result
type FactorResult string

const (
	ResultWaiting            FactorResult = "WAITING"
	ResultChallenge          FactorResult = "CHALLENGE"
	ResultSuccess            FactorResult = "SUCCESS"
	ResultRejected           FactorResult = "REJECTED"
	ResultTimeout            FactorResult = "TIMEOUT"
	ResultCancelled          FactorResult = "CANCELLED"
	ResultCanceled           FactorResult = "CANCELED" // Okta spells it both ways
	ResultError              FactorResult = "ERROR"
	ResultFailed             FactorResult = "FAILED"
	ResultExpired            FactorResult = "EXPIRED"
	ResultPassCodeReplayed   FactorResult = "PASSCODE_REPLAYED"
	ResultTimeWindowExceeded FactorResult = "TIME_WINDOW_EXCEEDED"
)

// Transaction is one answer of the Authentication API. Fields that the answer did not
// carry are zero, but Status never is, and a success always has a User. The session
// token of a success is not decoded: no caller needs it, and it opens a web session.
type Transaction struct {
	Status       Status
	FactorResult FactorResult
	StateToken   Secret    // whoever has it can continue the transaction
	ExpiresAt    time.Time // when StateToken expires, by this machine's clock; each answer extends it
	User         User
	Factors      []Factor   // the person may choose one of them; in Okta's order
	Factor       *Factor    // the factor of an open challenge
	Challenge    *Challenge // what the person has to see to answer it
	CanResend    bool       // the answer published a link for Resend
}

// User is the person a transaction is about, once the password was right.
type User struct {
	ID    string // "00u…", never reused
	Login string // as Okta spells it, which may differ from what was typed
}

// Challenge is the number challenge of a push. Okta adds it to the answer to a poll
// while the person's app shows the numbers.
type Challenge struct {
	CorrectAnswer int // 0 is a number like any other
}

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
	FactorSignedNonce    FactorType = "signed_nonce"
)

// Provider is who runs a factor.
// https://developer.okta.com/docs/reference/api/factors/#provider-type
type Provider string

const (
	ProviderOkta     Provider = "OKTA"
	ProviderGoogle   Provider = "GOOGLE"
	ProviderYubico   Provider = "YUBICO"
	ProviderRSA      Provider = "RSA"
	ProviderSymantec Provider = "SYMANTEC"
	ProviderCustom   Provider = "CUSTOM"
	ProviderDuo      Provider = "DUO"
	ProviderFIDO     Provider = "FIDO"
)

// FactorActive is the only status in which a factor can be verified. The factors of a
// transaction usually have no status.
const FactorActive = "ACTIVE"

// Factor is one enrolled factor.
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

// These are the wire forms. Okta adds fields at any time, so unknown ones are ignored.
type (
	wireTransaction struct {
		Status       Status       `json:"status"`
		FactorResult FactorResult `json:"factorResult"`
		StateToken   string       `json:"stateToken"`
		ExpiresAt    time.Time    `json:"expiresAt"`
		Embedded     struct {
			User struct {
				ID      string `json:"id"`
				Profile struct {
					Login string `json:"login"`
				} `json:"profile"`
			} `json:"user"`
			Factors []wireFactor `json:"factors"`
			// MFA_CHALLENGE has one object here. Okta's reference also prints the list
			// of MFA_REQUIRED under this name, which orgs send under "factors".
			Factor oneOrMany[wireFactor] `json:"factor"`
		} `json:"_embedded"`
		Links wireLinks `json:"_links"`
	}
	wireFactor struct {
		ID         string      `json:"id"`
		Type       FactorType  `json:"factorType"`
		Provider   Provider    `json:"provider"`
		VendorName string      `json:"vendorName"`
		Status     string      `json:"status"`
		Profile    wireProfile `json:"profile"`
		Embedded   struct {
			Challenge struct {
				CorrectAnswer *int `json:"correctAnswer"`
			} `json:"challenge"`
		} `json:"_embedded"`
	}
	wireProfile struct {
		Name         string `json:"name"`
		PhoneNumber  string `json:"phoneNumber"`
		Email        string `json:"email"`
		QuestionText string `json:"questionText"`
	}
	wireLinks struct {
		// All answers that were observed have an array here.
		// https://developer.okta.com/docs/reference/api/authn/#links-object
		Resend oneOrMany[struct {
			Href string `json:"href"`
		}] `json:"resend"`
	}
)

// UnmarshalJSON decodes what it can. A profile is only shown, so a broken one must not
// end a login.
func (p *wireProfile) UnmarshalJSON(b []byte) error {
	type plain wireProfile
	_ = json.Unmarshal(b, (*plain)(p)) // fields of another type stay empty
	return nil
}

// UnmarshalJSON decodes what it can: a link that makes no sense is taken for none.
func (l *wireLinks) UnmarshalJSON(b []byte) error {
	type plain wireLinks
	_ = json.Unmarshal(b, (*plain)(l))
	return nil
}

func (l wireLinks) canResend() bool {
	for _, link := range l.Resend {
		if link.Href != "" {
			return true
		}
	}
	return false
}

// oneOrMany decodes an object or an array of objects.
type oneOrMany[T any] []T

func (m *oneOrMany[T]) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*[]T)(m))
	}
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	var one T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*m = oneOrMany[T]{one}
	return nil
}

// UnmarshalJSON decodes Okta's form of a transaction.
func (t *Transaction) UnmarshalJSON(b []byte) error {
	var w wireTransaction
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*t = Transaction{
		Status:       w.Status,
		FactorResult: w.FactorResult,
		StateToken:   NewSecret(w.StateToken),
		ExpiresAt:    w.ExpiresAt,
		User:         User{ID: w.Embedded.User.ID, Login: w.Embedded.User.Profile.Login},
		CanResend:    w.Links.canResend(),
	}
	for _, f := range w.Embedded.Factors {
		t.Factors = append(t.Factors, f.factor())
	}
	if w.Status == StatusMFAChallenge {
		if len(w.Embedded.Factor) == 1 {
			f := w.Embedded.Factor[0]
			challenged := f.factor()
			t.Factor = &challenged
			if n := f.Embedded.Challenge.CorrectAnswer; n != nil {
				t.Challenge = &Challenge{CorrectAnswer: *n}
			}
		}
		return nil
	}
	for _, f := range w.Embedded.Factor {
		t.Factors = append(t.Factors, f.factor())
	}
	return nil
}

// missing names what the answer lacks although logins are authorized by it. Only a
// success has to have a user, because Okta may leave the profile out of the answers
// before it.
func (t Transaction) missing() string {
	switch {
	case t.Status == "":
		return "a transaction without a status"
	case t.Status != StatusSuccess:
		return ""
	case t.User.ID == "":
		return "a success without the id of a user"
	case t.User.Login == "":
		return "a success without the login of its user"
	}
	return ""
}

func (w wireFactor) factor() Factor {
	return Factor{
		ID:         w.ID,
		Type:       w.Type,
		Provider:   w.Provider,
		VendorName: w.VendorName,
		Status:     w.Status,
		DeviceName: Clip(w.Profile.Name, 64),
		SentTo:     Clip(w.sentTo(), 64),
		Question:   Clip(w.question(), 128),
	}
}

func (w wireFactor) sentTo() string {
	switch w.Type {
	case FactorSMS, FactorCall:
		return w.Profile.PhoneNumber
	case FactorEmail:
		return w.Profile.Email
	}
	return ""
}

func (w wireFactor) question() string {
	if w.Type != FactorQuestion {
		return ""
	}
	return w.Profile.QuestionText
}
