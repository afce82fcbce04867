package okta

import "time"

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

// These are the statuses of flows that a browser begins or ends. Okta's reference does
// not list them; its sign-in widget knows them.
const (
	StatusFactorRequired       Status = "FACTOR_REQUIRED"
	StatusFactorChallenge      Status = "FACTOR_CHALLENGE"
	StatusFactorEnroll         Status = "FACTOR_ENROLL"
	StatusFactorEnrollActivate Status = "FACTOR_ENROLL_ACTIVATE"
	StatusProfileRequired      Status = "PROFILE_REQUIRED"
	StatusConsentRequired      Status = "CONSENT_REQUIRED"
	StatusAdminConsentRequired Status = "ADMIN_CONSENT_REQUIRED"
	StatusDeviceActivate       Status = "DEVICE_ACTIVATE"
	StatusPoll                 Status = "POLL"
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

	// ResultUpgradeRequired stands for ResultRejected with this factorResultMessage: the
	// person has not said no. Their Okta Verify app is too old to show the push. No page
	// of the reference has it; Okta's sign-in widget reads it.
	ResultUpgradeRequired FactorResult = "OKTA_VERIFY_UPGRADE_REQUIRED"
)

// withMessage is the result of an answer that has this factorResultMessage. It compares
// the message, and keeps nothing of it.
func (r FactorResult) withMessage(message string) FactorResult {
	if r == ResultRejected && message == string(ResultUpgradeRequired) {
		return ResultUpgradeRequired
	}
	return r
}

// Transaction is one answer of the Authentication API. Fields that the answer did not
// carry are zero, but Status never is, and a success always has a User. The session
// token of a success is not decoded: no caller needs it, and it opens a web session.
type Transaction struct {
	Status       Status
	FactorResult FactorResult
	StateToken   Secret    // whoever has it can continue the transaction
	ExpiresAt    time.Time // when StateToken expires, by this machine's clock, zero where that is not known; each answer extends it
	User         User
	Factors      []Factor   // the person may choose one of them; in Okta's order
	Factor       *Factor    // the factor of an open challenge
	Challenge    *Challenge // what the person has to see to answer it
	CanResend    bool       // the answer published a link for Resend
	CanSkip      bool       // the answer published a link for Skip, of the org itself

	// FactorTypes are the types by which VerifyByType may be called. Okta offers that
	// where a person has several factors of one type.
	FactorTypes []FactorType
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
