package okta_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	require.NoError(t, err)
	return raw
}

// The people and things of testdata.
var (
	mia     = okta.User{ID: "00u1miaito", Login: "mia.ito@acme.test"}
	phone   = okta.Factor{ID: "opf7push01", Type: okta.FactorPush, Provider: okta.ProviderOkta, VendorName: "OKTA", DeviceName: "Mia phone"}
	verify  = okta.Factor{ID: "ost3totp01", Type: okta.FactorTOTP, Provider: okta.ProviderOkta, VendorName: "OKTA"}
	google  = okta.Factor{ID: "uft8goog01", Type: okta.FactorTOTP, Provider: okta.ProviderGoogle, VendorName: "GOOGLE"}
	sms     = okta.Factor{ID: "sms2phon01", Type: okta.FactorSMS, Provider: okta.ProviderOkta, VendorName: "OKTA", SentTo: "+1 XXX-XXX-4821"}
	voice   = okta.Factor{ID: "clf1phon01", Type: okta.FactorCall, Provider: okta.ProviderOkta, VendorName: "OKTA", SentTo: "+1 XXX-XXX-7730"}
	email   = okta.Factor{ID: "emf5mail01", Type: okta.FactorEmail, Provider: okta.ProviderOkta, VendorName: "OKTA", SentTo: "m...o@acme.test"}
	dislike = okta.Factor{ID: "ufs4ques01", Type: okta.FactorQuestion, Provider: okta.ProviderOkta, VendorName: "OKTA",
		Question: "Which dish did you always refuse to eat?"}
	webauthn = okta.Factor{ID: "fwf6auth01", Type: okta.FactorWebAuthn, Provider: okta.ProviderFIDO, VendorName: "FIDO"}
	factors  = []okta.Factor{
		phone,
		verify,
		google,
		sms,
		dislike,
		webauthn,
		{ID: "cvf5onpr01", Type: okta.FactorToken, Provider: okta.ProviderRSA, VendorName: "Acme On-Prem MFA", Status: "INACTIVE"},
	}
	everyFactor = []okta.Factor{
		phone,
		verify,
		google,
		{ID: "cap9push01", Type: okta.FactorPush, Provider: okta.ProviderCustom, VendorName: "Acme App", DeviceName: "Mia tablet"},
		{ID: "ykf1yubi01", Type: okta.FactorHardware, Provider: okta.ProviderYubico, VendorName: "YUBICO"},
		{ID: "cvf5onpr01", Type: okta.FactorToken, Provider: okta.ProviderRSA, VendorName: "Acme On-Prem MFA"},
		{ID: "vip2syma01", Type: okta.FactorToken, Provider: okta.ProviderSymantec, VendorName: "SYMANTEC"},
		{ID: "chf3hotp01", Type: okta.FactorHOTP, Provider: okta.ProviderCustom, VendorName: "Acme Fobs"},
		sms,
		voice,
		email,
		dislike,
		{ID: "dsf6duow01", Type: okta.FactorWeb, Provider: okta.ProviderDuo, VendorName: "DUO"},
		{ID: "fuf7keys01", Type: okta.FactorU2F, Provider: okta.ProviderFIDO, VendorName: "FIDO"},
		webauthn,
		{ID: "cpf8saml01", Type: okta.FactorClaimsProvider, Provider: okta.ProviderCustom, VendorName: "Acme IdP"},
		{ID: "snf9fast01", Type: okta.FactorSignedNonce, Provider: okta.ProviderOkta, VendorName: "OKTA", DeviceName: "Mia laptop"},
	}
	// strangeFactors show what fits, and nothing that belongs to another factor.
	strangeFactors = []okta.Factor{
		{ID: "sms1", Type: okta.FactorSMS, Provider: okta.ProviderOkta, VendorName: "OKTA"},
		{ID: "sms2", Type: okta.FactorSMS, Provider: okta.ProviderOkta, VendorName: "OKTA"},
		{ID: "sms3", Type: okta.FactorSMS, Provider: okta.ProviderOkta, VendorName: "OKTA"},
		{ID: "clf1", Type: okta.FactorCall, Provider: okta.ProviderOkta, VendorName: "OKTA", SentTo: "+1 XXX-XXX-7730"},
		{ID: "emf1", Type: okta.FactorEmail, Provider: okta.ProviderOkta, VendorName: "OKTA", SentTo: "m.[31m.....o@acme.test"},
		{ID: "emf2", Type: okta.FactorEmail, Provider: okta.ProviderOkta, VendorName: "OKTA", SentTo: strings.Repeat("m", 64) + "…"},
		{ID: "ufs1", Type: okta.FactorQuestion, Provider: okta.ProviderOkta, VendorName: "OKTA", Question: strings.Repeat("w", 128) + "…"},
		{ID: "ufs2", Type: okta.FactorQuestion, Provider: okta.ProviderOkta, VendorName: "OKTA"},
		{ID: "opf1", Type: okta.FactorPush, Provider: okta.ProviderOkta, VendorName: "OKTA", DeviceName: "Mia phone"},
	}
	expires       = time.Date(2026, 3, 2, 10, 5, 0, 0, time.UTC)
	expiresLater  = time.Date(2026, 3, 2, 10, 6, 40, 0, time.UTC)
	transactionOf = map[string]okta.Transaction{
		"success":          {Status: okta.StatusSuccess, ExpiresAt: expires, User: mia},
		"password_warn":    skippable(okta.Transaction{Status: okta.StatusPasswordWarn, StateToken: state, ExpiresAt: expires, User: mia}),
		"password_expired": {Status: okta.StatusPasswordExpired, StateToken: state, ExpiresAt: expires, User: mia},
		"password_reset":   {Status: okta.StatusPasswordReset, StateToken: state, ExpiresAt: expires, User: mia},
		"locked_out":       {Status: okta.StatusLockedOut},
		"mfa_required": {Status: okta.StatusMFARequired, StateToken: state, ExpiresAt: expires, User: mia,
			Factors: factors},
		"mfa_required_under_factor": {Status: okta.StatusMFARequired, StateToken: state, ExpiresAt: expires, User: mia,
			Factors: factors},
		"mfa_required_every_factor": {Status: okta.StatusMFARequired, StateToken: state, ExpiresAt: expires, User: mia,
			Factors: everyFactor},
		"mfa_required_strange_profiles": {Status: okta.StatusMFARequired, StateToken: state, ExpiresAt: expires, User: mia,
			Factors: strangeFactors},
		"mfa_required_empty_profile": {Status: okta.StatusMFARequired, StateToken: state, ExpiresAt: expires,
			User:    okta.User{ID: "00u1miaito"},
			Factors: []okta.Factor{{ID: "opf7push01", Type: okta.FactorPush, Provider: okta.ProviderOkta, VendorName: "OKTA"}}},
		"mfa_enroll": {Status: okta.StatusMFAEnroll, StateToken: state, ExpiresAt: expires, User: mia,
			Factors: []okta.Factor{
				{Type: okta.FactorTOTP, Provider: okta.ProviderOkta, VendorName: "OKTA", Status: "NOT_SETUP"},
				{Type: okta.FactorSMS, Provider: okta.ProviderOkta, VendorName: "OKTA", Status: "NOT_SETUP"},
			}},
		"mfa_enroll_activate": {Status: okta.StatusMFAEnrollActivate, FactorResult: okta.ResultWaiting, StateToken: state,
			ExpiresAt: expires, User: mia,
			Factors: []okta.Factor{{ID: "opf7push01", Type: okta.FactorPush, Provider: okta.ProviderOkta, VendorName: "OKTA"}}},
		"mfa_challenge_waiting":                  resendable(challenged(okta.ResultWaiting, phone)),
		"mfa_challenge_waiting_number":           numbered(47),
		"mfa_challenge_waiting_number_zero":      numbered(0),
		"mfa_challenge_waiting_number_null":      resendable(challenged(okta.ResultWaiting, phone)),
		"mfa_challenge_rejected":                 resendable(challenged(okta.ResultRejected, phone)),
		"mfa_challenge_upgrade_required":         resendable(challenged(okta.ResultUpgradeRequired, phone)),
		"mfa_challenge_timeout":                  resendable(challenged(okta.ResultTimeout, phone)),
		"mfa_challenge_cancelled":                resendable(challenged(okta.ResultCancelled, phone)),
		"mfa_challenge_error":                    resendable(challenged(okta.ResultError, phone)),
		"mfa_challenge_passcode_replayed":        challenged(okta.ResultPassCodeReplayed, verify),
		"mfa_challenge_time_window_exceeded":     challenged(okta.ResultTimeWindowExceeded, verify),
		"mfa_challenge_sms":                      resendable(challenged("", sms)),
		"mfa_challenge_sms_result":               resendable(challenged(okta.ResultChallenge, sms)),
		"mfa_challenge_sms_no_resend":            challenged(okta.ResultChallenge, sms),
		"mfa_challenge_call":                     resendable(challenged(okta.ResultChallenge, voice)),
		"mfa_challenge_call_no_result_no_resend": challenged("", voice),
		"mfa_challenge_email":                    resendable(challenged(okta.ResultChallenge, email)),
		"mfa_challenge_email_no_result":          resendable(challenged("", email)),
		"mfa_challenge_email_no_resend":          challenged(okta.ResultChallenge, email),
		"mfa_challenge_webauthn": {Status: okta.StatusMFAChallenge, FactorResult: okta.ResultChallenge, StateToken: state,
			ExpiresAt: expires, User: mia, Factor: &webauthn},
		"mfa_challenge_factors_object_waiting":  challenged(okta.ResultWaiting, phone),
		"mfa_challenge_factors_object_number":   withNumber(challenged(okta.ResultWaiting, phone), 47),
		"mfa_challenge_factors_object_rejected": challenged(okta.ResultRejected, phone),
		"mfa_challenge_factors_list_timeout":    challenged(okta.ResultTimeout, phone),
		"mfa_challenge_factor_list_waiting":     challenged(okta.ResultWaiting, phone),
		"mfa_challenge_factor_and_factors":      among(challenged(okta.ResultWaiting, phone), phone, sms),
		"mfa_challenge_several_factors": {Status: okta.StatusMFAChallenge, FactorResult: okta.ResultWaiting, StateToken: state,
			ExpiresAt: expiresLater, User: mia, Factors: []okta.Factor{phone, sms}},
		"mfa_required_factors_object": required(phone),
		"mfa_required_factor_object":  required(phone),
		"mfa_required_on_prem": required(okta.Factor{ID: "rsa4onpr01", Type: okta.FactorToken, Provider: okta.ProviderOnPrem,
			VendorName: "Acme Fob Server"}),
		"mfa_required_two_phones": required(
			sms,
			okta.Factor{ID: "sms7phon02", Type: okta.FactorSMS, Provider: okta.ProviderOkta, VendorName: "OKTA", SentTo: "+1 XXX-XXX-3306"},
			voice,
			okta.Factor{ID: "clf6phon02", Type: okta.FactorCall, Provider: okta.ProviderOkta, VendorName: "OKTA", SentTo: "+1 XXX-XXX-7730", DeviceName: "Desk"}),
		"mfa_required_browser_only": required(
			okta.Factor{ID: "sml3saml01", Type: okta.FactorSAML, Provider: okta.ProviderGenericSAML, VendorName: "Acme SAML"},
			okta.Factor{ID: "oid5oidc01", Type: okta.FactorOIDC, Provider: okta.ProviderGenericOIDC, VendorName: "Acme OIDC"},
			okta.Factor{ID: "cpf8saml01", Type: okta.FactorClaimsProvider, Provider: okta.ProviderCustom, VendorName: "Acme IdP"}),
		"mfa_required_factor_types": byType(required(
			verify,
			okta.Factor{ID: "ost4totp02", Type: okta.FactorTOTP, Provider: okta.ProviderOkta, VendorName: "OKTA"}), okta.FactorTOTP),
		"mfa_enroll_skip": skippable(okta.Transaction{Status: okta.StatusMFAEnroll, StateToken: state, ExpiresAt: expires, User: mia,
			Factors: []okta.Factor{{Type: okta.FactorPush, Provider: okta.ProviderOkta, VendorName: "OKTA", Status: "NOT_SETUP"}}}),
		"mfa_challenge_without_factor": {Status: okta.StatusMFAChallenge, FactorResult: okta.ResultWaiting, StateToken: state,
			ExpiresAt: expires, User: mia},
		"unauthenticated": {Status: okta.StatusUnauthenticated, StateToken: state, ExpiresAt: expires},
		"unknown_status":  {Status: "PASSKEY_REQUIRED", StateToken: state, ExpiresAt: expires, User: mia},
	}
)

func challenged(result okta.FactorResult, f okta.Factor) okta.Transaction {
	return okta.Transaction{
		Status: okta.StatusMFAChallenge, FactorResult: result, StateToken: state,
		ExpiresAt: expiresLater, User: mia, Factor: &f,
	}
}

func resendable(tx okta.Transaction) okta.Transaction { tx.CanResend = true; return tx }

func skippable(tx okta.Transaction) okta.Transaction { tx.CanSkip = true; return tx }

func byType(tx okta.Transaction, types ...okta.FactorType) okta.Transaction {
	tx.FactorTypes = types
	return tx
}

func among(tx okta.Transaction, all ...okta.Factor) okta.Transaction { tx.Factors = all; return tx }

func required(all ...okta.Factor) okta.Transaction {
	return okta.Transaction{Status: okta.StatusMFARequired, StateToken: state, ExpiresAt: expires, User: mia, Factors: all}
}

func numbered(n int) okta.Transaction {
	return withNumber(resendable(challenged(okta.ResultWaiting, phone)), n)
}

func withNumber(tx okta.Transaction, n int) okta.Transaction {
	tx.Challenge = &okta.Challenge{CorrectAnswer: n}
	return tx
}

var errorOf = map[string]struct {
	status int
	want   okta.Error
}{
	"error_authentication_failed": {401, okta.Error{Code: okta.CodeAuthenticationFailed, Summary: "Sign-in refused"}},
	"error_invalid_token":         {401, okta.Error{Code: okta.CodeInvalidToken, Summary: "The token is not good"}},
	"error_access_denied": {403, okta.Error{Code: okta.CodeAccessDenied,
		Summary: "The token may not do that"}},
	"error_invalid_passcode": {403, okta.Error{Code: okta.CodeInvalidPassCode, Summary: "Wrong code or answer",
		Causes: []string{"Another code was expected."}}},
	"error_user_locked": {403, okta.Error{Code: okta.CodeUserLocked, Summary: "The account is locked now", Causes: []string{"Too many wrong codes."}}},
	"error_passcode_replayed": {403, okta.Error{Code: okta.CodePassCodeReplayed,
		Summary: "This code was used before."}},
	"error_passcode_time_window": {403, okta.Error{Code: okta.CodePassCodeTimeWindow, Summary: "The code belongs to another time."}},
	"error_policy_denied": {403, okta.Error{Code: okta.CodePolicyDenied,
		Summary: "A policy shuts this account out for now."}},
	"error_wrong_state": {403, okta.Error{Code: okta.CodeWrongState,
		Summary: "The login is in another state."}},
	"error_next_passcode": {409, okta.Error{Code: okta.CodeNextPassCode,
		Words: okta.NewSecret("Your token has to show one more code.")}},
	"error_new_pin_of_the_server": {409, okta.Error{Code: okta.CodeNextPassCode,
		Words: okta.NewSecret("Ihre neue PIN ist 5086. .[31mZum Übernehmen erneut eingeben:")}},
	"error_no_connected_agents": {503, okta.Error{Code: "E0000240", Summary: "No agent is connected to the org.",
		Words: okta.NewSecret("No agent is connected to the org.")}},
	"error_internal": {500, okta.Error{Code: okta.CodeInternal, Summary: "Internal Server Error"}},
	"error_factor_timeout": {504, okta.Error{Code: "E0000067", Summary: "The service of the factor is slow",
		Words: okta.NewSecret("The service of the factor is slow")}},
	"error_factor_rejected": {403, okta.Error{Code: okta.CodeFactorRejected, Summary: "The person said no."}},
	"error_factor_service":  {400, okta.Error{Code: okta.CodeFactorService, Summary: "The service of the factor failed"}},
	"error_telephony": {503, okta.Error{Code: "E0000139", Summary: "The telephone company failed.",
		Words: okta.NewSecret("The telephone company failed.")}},
	"error_resend_sms": {429, okta.Error{Code: okta.CodeResendSMS, RetryAfter: 30 * time.Second,
		Summary: "The last SMS is younger than 30 seconds."}},
	"error_resend_email": {429, okta.Error{Code: okta.CodeResendEmail, RetryAfter: 5 * time.Second,
		Summary: "The last e-mail is younger than 5 seconds."}},
	"error_resend_call": {429, okta.Error{Code: okta.CodeResendCall, RetryAfter: 30 * time.Second,
		Summary: "The last call is younger than 30 seconds."}},
	"error_sms_quota":  {429, okta.Error{Code: okta.CodeSMSQuota, Summary: "The org has used up its SMS."}},
	"error_call_quota": {429, okta.Error{Code: okta.CodeCallQuota, Summary: "The org has used up its calls."}},
	"error_free_sms_quota": {429, okta.Error{Code: okta.CodeFreeSMSQuota,
		Summary: "The free org has used up its SMS."}},
	"error_user_sms_limit":    {429, okta.Error{Code: okta.CodeUserSMSLimit, Summary: "The person has used up their SMS."}},
	"error_user_call_limit":   {429, okta.Error{Code: okta.CodeUserCallLimit, Summary: "The person has used up their calls."}},
	"error_user_sms_refused":  {403, okta.Error{Code: okta.CodeUserSMSRefused, Summary: "The person has used up their SMS."}},
	"error_user_call_refused": {403, okta.Error{Code: okta.CodeUserCallRefused, Summary: "The person has used up their calls."}},
	"error_rate_limit":        {429, okta.Error{Code: "E0000047", Summary: "Too much was asked in too short a time."}},
	"error_waiting_for_ack":   {202, okta.Error{Code: "E0000070", Summary: "Nobody has answered yet"}},
	"error_validation": {400, okta.Error{Code: "E0000001", Summary: "The request is not valid: username", Causes: []string{
		// Eight of eleven, and nothing in them that a terminal or a log obeys.
		"username: .[31mhas to be filled in..Injected: line",
		"cause 2", "cause 3", "cause 4", "cause 5", "cause 6", "cause 7", "cause 8"}}},
}
