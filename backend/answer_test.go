package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Each fault at each of Okta's endpoints: the status, in bounded time, with the
// password delivered once.
func TestOktaFaults(t *testing.T) {
	elsewhere := oktatest.NewServer(t)
	tests := []answeredFault{
		{"closed connection", oktatest.CloseConnection(), 502, "could not be reached"},
		{"redirect 302", oktatest.Redirect(302, elsewhere.URL+"/api/v1/authn"), 502, "makes no sense"},
		{"redirect 307", oktatest.Redirect(307, elsewhere.URL+"/api/v1/authn"), 502, "makes no sense"},
		{"HTML with 200", oktatest.HTML(200), 502, "makes no sense"},
		{"HTML with 403", oktatest.HTML(403), 502, "base_url"},
		{"HTML with 502", oktatest.HTML(502), 502, "HTTP 502"},
		{"truncated JSON", oktatest.TruncatedJSON(), 502, ""},
		{"5 MB body", oktatest.HugeBody(5 << 20), 502, "makes no sense"},
		{"endless body", oktatest.EndlessBody(), 502, ""},
		{"500", oktatest.Status(500, "E0000009", "Internal Server Error"), 502, "(E0000009)"},
		{"503", oktatest.Status(503, "E0000010", "Read only"), 502, "(E0000010)"},
		{"504", oktatest.Status(504, "E0000067", "The service of the factor is slow"), 504, "(E0000067)"},
		{"202 with an error", oktatest.Accepted202(), 502, "(E0000070)"},
		{"429", oktatest.RateLimited(0, 23*time.Second), 429, "23 seconds"},
		{"429 of concurrency", oktatest.RateLimitedConcurrency(), 429, "seconds"},
		{"429 without headers", oktatest.RateLimitedBare(), 429, "60 seconds"},
		{"403", oktatest.Status(403, "E0000085", "You do not have permission"), 400, "(E0000085)"},
		{"empty object", oktatest.Body(200, "application/json", `{}`), 502, "makes no sense"},
		{"empty answer", oktatest.Body(200, "application/json", ``), 502, "makes no sense"},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.answersFaults(t, tests)
		assert.Empty(t, elsewhere.Requests(), "nothing follows a redirect")
	})
}

func TestOktaHangs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, m *mount) {
		m.answersFaults(t, []answeredFault{
			{"hanging body", oktatest.HangBody(), 504, "in time"},
			{"no answer", oktatest.Hang(), 504, "in time"},
		})
	})
}

// answeredFault is a fault of Okta's with the status and the words of a login that meets it.
type answeredFault struct {
	name   string
	fault  oktatest.Fault
	status int
	says   string
}

func (m *mount) answersFaults(t *testing.T, tests []answeredFault) {
	m.configure(fields{"max_login_failures": 0})
	totp := m.addUser("Everyone").AddTOTP("GOOGLE")
	for _, endpoint := range []string{"authn", "verify", "groups"} {
		for _, test := range tests {
			name := endpoint + ": " + test.name
			m.okta.Reset()
			m.okta.ClearFaults()
			m.okta.Fail(endpoint, test.fault)
			resp, status, text := m.login(fields{"totp": m.nextCode(totp)})
			assert.Equal(t, test.status, status, "%s: %s", name, text)
			assert.Contains(t, text, test.says, name)
			assert.True(t, resp == nil || resp.Auth == nil, name)
			assert.Equal(t, 1, m.authnCalls(), name)
			assert.LessOrEqual(t, len(m.okta.Requests()), 5, name)
		}
	}
	m.okta.ClearFaults()
	m.mustLogin(fields{"totp": m.nextCode(totp)})
}

// Once a push was sent every failure is 400: Vault's Go client repeats a request
// on 429 and 5xx by itself, and the phone would ring again.
func TestFailuresAfterThePush(t *testing.T) {
	faults := map[string]oktatest.Fault{
		"closed connection": oktatest.CloseConnection(),
		"500":               oktatest.Status(500, "E0000009", "Internal Server Error"),
		"429":               oktatest.RateLimited(0, 23*time.Second),
		"HTML":              oktatest.HTML(200),
	}
	fail := func(t *testing.T, m *mount, faults map[string]oktatest.Fault) {
		m.configure(fields{"max_push_failures": 100})
		push := m.addUser("Everyone").AddPush("WAITING", "WAITING", "SUCCESS")
		for name, fault := range faults {
			for _, at := range []struct {
				endpoint string
				after    int
			}{{"verify", 0}, {"verify", 1}, {"verify", 2}, {"groups", 0}} {
				if name == "429" && at.endpoint == "verify" && at.after == 0 {
					continue // nothing was sent: see TestPushRefusedByOkta
				}
				if name == "closed connection" && at.endpoint == "groups" {
					continue // it is the connection of the push, too
				}
				m.okta.ClearFaults()
				m.okta.Fail(at.endpoint, fault.Delivered().After(at.after))
				before := push.Pushes()
				_, status, text := m.login(nil)
				assert.Equal(t, http.StatusBadRequest, status, "%s at %v: %s", name, at, text)
				assert.Contains(t, text, "push", "%s at %v", name, at)
				assert.Equal(t, before+1, push.Pushes(), "%s at %v", name, at)
			}
		}
	}
	bothWays(t, func(t *testing.T, m *mount) { fail(t, m, faults) })
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, m *mount) { fail(t, m, map[string]oktatest.Fault{"no answer": oktatest.Hang()}) })
	})
}

// Limits of Okta's that no short wait helps against: a client that repeats 429 by
// itself must not be asked to.
func TestQuotas(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		m.addUser("Everyone").AddFactor("sms", "OKTA")
		for code, says := range map[string]string{
			"E0000146": "no more SMS", "E0000186": "no more SMS", "E0000204": "no more SMS", "E0000150": "no more SMS",
			"E0000147": "no more calls", "E0000205": "no more calls", "E0000151": "no more calls",
		} {
			status := http.StatusTooManyRequests
			if code == "E0000150" || code == "E0000151" {
				status = http.StatusForbidden
			}
			m.okta.Fail("verify", oktatest.Status(status, code, "quota").Times(1))
			text := m.refused(nil)
			assert.Contains(t, text, says, code)
			assert.Contains(t, text, "use another factor ("+code+")")
		}
	})
}

// examples are errors of all kinds that a login can fail by.
func examples() []error {
	phone := okta.Factor{Type: okta.FactorSMS, Provider: okta.ProviderOkta, SentTo: "+1 XXX-XXX-4821", ID: "sms1", Status: okta.FactorActive}
	bySMS := mfa.Policy{Factors: []mfa.Kind{mfa.KindSMS}}
	method := func(err error) error { return &mfa.MethodError{Method: mfa.Required{Name: "second"}, Err: err} }
	said := func(status int, code string) error {
		return fmt.Errorf("logging in: %w", &okta.Error{HTTPStatus: status, Code: code, Summary: "Summary of Okta's"})
	}
	all := []error{
		invalid("totp", "must not be blank"), errTooManyLogins, logical.ErrPermissionDenied, &panics.Error{What: "x"}, errors.New("storage is down"),
		fmt.Errorf("%w: %q", errMethodGone, "x"), &store.UnreadableError{Key: configKey}, errMountGone, errNotConfigured, errNoTransaction, errNotRenewable, attempts.ErrStale, errNoPush, errNumberUnseen, errRenewalOff,
		errNoAccount, errStatusUnknown, errAccountGone, errRenamed, errPoliciesChanged, errOtherPerson, errMethodsChanged, errNoRequiredGroup, errNobody,
		&needError{MissingError: &mfa.MissingError{Methods: []mfa.Required{{Name: "second", Type: "totp"}}}},
		&mfa.NoFactorError{Offered: []okta.Factor{phone}, Policy: mfa.Policy{Factors: []mfa.Kind{mfa.KindPush}}},
		&mfa.NoFactorError{Offered: []okta.Factor{phone}, Policy: bySMS},
		&mfa.NoFactorError{Offered: []okta.Factor{phone}, Policy: bySMS, Given: true},
		&mfa.NoFactorError{Offered: []okta.Factor{phone}, Policy: bySMS, Want: mfa.Want{Kind: mfa.KindCall}}, &mfa.UnexpectedError{Status: "NEW", Why: "an unknown status"},
		errFactorRefused,
		&mfa.ChallengeRefusedError{Wait: time.Minute, Waiting: true}, &mfa.ChallengeRefusedError{Wait: time.Minute},
		method(&mfa.CredentialError{Problem: "takes no device"}), method(&mfa.DeniedError{Reason: "Locked out."}),
		method(&mfa.PassCodesBarredError{Wait: time.Minute}), method(okta.ErrNoAPIToken), method(&okta.Error{HTTPStatus: 403, Code: okta.CodeAccessDenied, Endpoint: okta.EndpointFactors}),
		method(&mfa.ServiceError{Status: 429}), method(&mfa.ServiceError{Status: 503}), method(&mfa.ServiceError{Status: 401}), method(&mfa.ServiceError{Status: 400}), method(mfa.ErrCodeUnshown),
		fmt.Errorf("%w: %w", errAPIToken, said(401, okta.CodeInvalidToken)), fmt.Errorf("%w: %w", errServiceApp, said(401, "invalid_client")),
		&attempts.BlockedError{Wait: time.Minute}, &attempts.BusyError{Wait: time.Second}, okta.ErrBusy, store.ErrTimeout,
		mfa.ErrEnrollmentMaySkip, mfa.ErrAdminConsent, fmt.Errorf("%w: %w", mfa.ErrSignInPage, &mfa.UnexpectedError{Status: okta.StatusDeviceActivate}),
		&okta.Error{HTTPStatus: 409, Code: okta.CodeNextPassCode, Words: okta.NewSecret("Wait for the code to change.")},
		&okta.Error{HTTPStatus: 500, Code: "E0000240", Words: okta.NewSecret("No agent is connected to the org.")},
		&okta.UnreachableError{Reason: okta.UnreachableRefused},
		okta.ErrTimeout, context.Canceled, okta.ErrUnreachable, okta.ErrMalformed,
		said(429, "E0000047"), said(504, "E0000067"), said(500, "E0000009"), said(202, "E0000070"), said(403, ""), said(400, "E0000001"),
	}
	for _, again := range []bool{true, false} {
		sent := &mfa.CodeSentError{Factor: phone, Again: again}
		all = append(all, sent, method(sent))
	}
	for _, code := range []string{
		okta.CodeAuthenticationFailed, okta.CodeSignInFailed, okta.CodeInvalidToken, okta.CodePolicyDenied, okta.CodeInvalidPassCode, okta.CodeUserLocked,
		okta.CodePassCodeReplayed, okta.CodePassCodeTimeWindow, okta.CodeNextPassCode, okta.CodeFactorRejected, okta.CodeFactorService,
		okta.CodeResendSMS, okta.CodeResendEmail, okta.CodeResendCall, okta.CodeSMSQuota, okta.CodeCallQuota,
	} {
		all = append(all, said(403, code))
	}
	for _, err := range []error{
		mfa.ErrNotActive, mfa.ErrLockedOut, mfa.ErrPasswordExpired, mfa.ErrRecovery, mfa.ErrEnrollment, mfa.ErrRejected, mfa.ErrAppTooOld, mfa.ErrPushTimeout, mfa.ErrCancelled,
		mfa.ErrFactorFailed, mfa.ErrPassCodeReplayed, mfa.ErrPassCodeTimeWindow, mfa.ErrReplaced, mfa.ErrRungBefore, mfa.ErrNoTime,
		mfa.ErrOver, mfa.ErrNumberChallenge, mfa.ErrWrongPassCode, mfa.ErrUnknownPerson, mfa.ErrSeveralPeople, mfa.ErrOtherPerson,
		mfa.ErrInactivePerson, mfa.ErrNoKey, mfa.ErrNumberShown, mfa.ErrNoFactor, mfa.ErrServiceTimeout, mfa.ErrServiceUnreachable,
		mfa.ErrServiceMalformed, &okta.DownError{},
	} {
		all = append(all, err, method(err))
	}
	return all
}

// Each row of the table is reached by some error, and its words can be made.
func TestAnswerTable(t *testing.T) {
	t.Parallel()
	reached := map[int]bool{}
	for _, err := range examples() {
		reached[slices.IndexFunc(table, func(r row) bool { return r.match(err) })] = true
		assert.NotRegexp(t, `[{}]|%!|  |: :`, replyTo(err).text)
	}
	for i, r := range table {
		assert.True(t, reached[i], "no error reaches: %s", r.text)
		assert.Regexp(t, `^([a-z{]|Okta).*[^.]$`, r.text, "a sentence begins in lower case and has no full stop")
		assert.NotContains(t, r.text, "operator", "people know an administrator")
		assert.Contains(t, []int{400, 403, 429, 500, 502, 504}, r.status, r.text)
		assert.Equal(t, r.status == 429, strings.Contains(r.text, "{wait}"), "a client that may try again learns when: %s", r.text)
	}
}

// What differs from one error to the next is in the sentence.
func TestAnswerParts(t *testing.T) {
	t.Parallel()
	second := func(err error) error { return &mfa.MethodError{Method: mfa.Required{Name: "second"}, Err: err} }
	for want, err := range map[reply]error{
		{429, "too many logins are waiting on this mount: try again in 5 seconds"}:                                                                                   errTooManyLogins,
		{429, "Okta limits the rate of requests: try again in 60 seconds"}:                                                                                           &okta.Error{HTTPStatus: 429},
		{429, "Okta limits the rate of requests (E0000047): try again in 1 second"}:                                                                                  &okta.Error{HTTPStatus: 429, Code: "E0000047", RetryAfter: time.Second},
		{429, "MFA method second: its service limits the rate of requests: try again in 60 seconds"}:                                                                 second(&mfa.ServiceError{Status: 429}),
		{429, "MFA method second: its service limits the rate of requests: try again in 7 seconds"}:                                                                  second(&mfa.ServiceError{Status: 429, RetryAfter: 7 * time.Second}),
		{429, "MFA method second: too many wrong passcodes: try again in 15 minutes"}:                                                                                second(&mfa.PassCodesBarredError{Wait: 15 * time.Minute}),
		{502, "MFA method second: its service failed with HTTP 503: try again later"}:                                                                                second(&mfa.ServiceError{Status: 503}),
		{400, "MFA method second: its service does not let you in: Locked out."}:                                                                                     second(&mfa.DeniedError{Reason: "Locked out."}),
		{400, "MFA method second: takes no device"}:                                                                                                                  second(&mfa.CredentialError{Problem: "takes no device"}),
		{400, "totp must not be blank"}:                                                                                                                              invalid("totp", "must not be blank"),
		{400, "Okta refused the login: {code} of Okta's (E0000001): show this to your Okta administrator"}:                                                           &okta.Error{HTTPStatus: 400, Code: "E0000001", Summary: "{code} of Okta's"},
		{400, `Okta's answer does not let you in: an unknown status (status "NEW", factor result ""): show this to your Okta administrator`}:                         &mfa.UnexpectedError{Status: "NEW", Why: "an unknown status"},
		{400, "MFA method second: Okta refused its API token (E0000006): tell your Vault administrator to configure a valid api_token"}:                              second(&okta.Error{HTTPStatus: 403, Code: okta.CodeAccessDenied, Endpoint: okta.EndpointFactors}),
		{400, `Okta says "Enter {code}" (E0000113): log in again with that as totp`}:                                                                                 &okta.Error{HTTPStatus: 409, Code: okta.CodeNextPassCode, Words: okta.NewSecret("Enter {code}")},
		{502, `Okta failed with HTTP 500, and says "No agent is connected to the org." (E0000240): try again later, or show this to your Okta administrator`}:        &okta.Error{HTTPStatus: 500, Code: "E0000240", Words: okta.NewSecret("No agent is connected to the org.")},
		{502, "Okta could not be reached, because the connection was refused: tell your Vault administrator to look up the details in Vault's log"}:                  &okta.UnreachableError{Reason: okta.UnreachableRefused},
		{400, "Okta wants something of you that only its sign-in page can ask for (status DEVICE_ACTIVATE): sign in to Okta with a browser once, then log in again"}: fmt.Errorf("%w: %w", mfa.ErrSignInPage, &mfa.UnexpectedError{Status: okta.StatusDeviceActivate}),
	} {
		assert.Equal(t, want, replyTo(err))
	}
}

func TestInWords(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]string{
		-time.Second: "1 second", 0: "1 second", time.Millisecond: "1 second", time.Second: "1 second",
		1001 * time.Millisecond: "2 seconds", time.Minute: "60 seconds", 119 * time.Second: "119 seconds",
		119*time.Second + 1: "2 minutes", 2 * time.Minute: "2 minutes", 2*time.Minute + 1: "3 minutes", time.Hour: "60 minutes",
	} {
		assert.Equal(t, want, inWords(wait), wait)
	}
}

// What the log says is what was answered, and who must look at it is warned.
func TestLogLevels(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone").AddPush("WAITING", "SUCCESS")
		m.okta.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error"))
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, m.logs.String(), "[WARN]  login failed: event=okta_error status=400 ")
		assert.Contains(t, m.logs.String(), " okta_status=500 okta_code=E0000009 ")
		_, _, _ = m.login(fields{"password": "wrong"})
		assert.Contains(t, m.logs.String(), "[DEBUG] login denied: event=login_denied status=400 ")
		assert.Contains(t, m.logs.String(), " okta_status=401 okta_code=E0000004 ")
	})
}

func TestWrongCredentials(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		_, status, wrong := m.login(fields{"password": "guess"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, wrong, "(E0000004)")
		_, status, unknown := m.do(logical.UpdateOperation, "login/nobody", fields{"password": "guess"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, wrong, unknown, "nothing tells whether an account exists")
	})
}

func TestBadAPIToken(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"api_token": "00revoked"})
		m.addUser("Everyone")
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "api_token")
		assert.Contains(t, text, "(E0000011)")

		m.configure(nil)
		m.okta.Fail("groups", oktatest.Status(403, "E0000006", "You do not have permission"))
		_, status, text = m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "api_token")
		assert.Contains(t, text, "(E0000006)")

		m.okta.ClearFaults()
		m.configure(fields{"api_token": ""})
		m.okta.Fail("authn", oktatest.Status(401, "E0000011", "The token is not good"))
		_, status, text = m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.NotContains(t, text, "api_token", "there is none to blame")
	})
}

func TestUnreachable(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"base_url": "https://127.0.0.1:1"})
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status)
		assert.Contains(t, text, "could not be reached")
		assert.Contains(t, m.logs.String(), "refused", "the log tells the operator why")
	})
}

func TestLoginStorageFails(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.start() // a node that has read nothing yet
		m.storage.fail(true, false)
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.Empty(t, m.okta.Requests())
		m.storage.fail(false, false)
		m.mustLogin(nil)
		m.storage.fail(true, true)
		m.mustLogin(nil) // which needs no storage any more
	})
}
