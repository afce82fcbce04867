package okta

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Error is Okta's error document, or what is known of an answer that should have
// carried one. Only an answer of the server makes one: an error of another type is
// this package's own.
// https://developer.okta.com/docs/reference/error-codes/
type Error struct {
	HTTPStatus int      // of the answer; Okta sends one error with status 202
	Endpoint   Endpoint // that was called
	Code       string   // "E0000004", or OAuth's "invalid_client"; empty when the answer held no error document
	Summary    string   // Okta's sentence, which may quote what the person typed
	Causes     []string // details, which may quote it, too
	ID         string   // Okta's errorId, for Okta's support
	RequestID  string   // X-Okta-Request-Id, for Okta's system log

	// Words are Okta's own sentence for the person, where no fixed one can say as much:
	// what the server of an on-premises token asks for, or what is wrong with a service
	// behind Okta. They are short and printable. They may hold a new PIN, so no log may
	// print them. Where they may, Summary and Causes are empty.
	Words Secret

	// RetryAfter is how long Okta asks to wait. It is set on a 429 only, and zero
	// where Okta does not say; otherwise it is between a second and maxRetryAfter.
	RetryAfter time.Duration

	nonce string // that a proof needs, where Okta asks for one
}

// These are the codes of Okta's that this project acts upon.
// https://developer.okta.com/docs/reference/error-codes/
const (
	CodeAuthenticationFailed = "E0000004" // 401: wrong password, unknown user, hidden lock-out
	CodeSignInFailed         = "E0000207" // 401: the same, by a newer code
	CodeAccessDenied         = "E0000006" // 403: the API token's role is too weak
	CodeNotFound             = "E0000007" // 404: of a user, a factor or a transaction
	CodeInvalidToken         = "E0000011" // 401: of a state token or of the API token
	CodePolicyDenied         = "E0000085" // 403: the sign-on policy does not let this person in now
	CodeWrongState           = "E0000079" // 403: the transaction is not where this operation applies

	CodeInvalidPassCode    = "E0000068" // 403: or a wrong answer to a question
	CodeUserLocked         = "E0000069" // 403: too many wrong passcodes, this one included
	CodePassCodeReplayed   = "E0000082" // 403: used once already
	CodePassCodeTimeWindow = "E0000083" // 403: right, but of another time
	CodeNextPassCode       = "E0000113" // 409: the token's server asks for one more entry; see Error.Words

	CodeWaitingForACK = "E0000070" // 202: the push waits; see Pending
	CodeInternal      = "E0000009" // 500: Okta says no more than that it failed

	CodeFactorRejected = "E0000073" // 403: the person rejected it at the factor's own service
	CodeFactorService  = "E0000074" // 400: the factor's own service failed

	CodeResendSMS   = "E0000109" // 429: a message went to this phone less than 30 s ago
	CodeResendEmail = "E0000118" // 429: an email went out less than 5 s ago
	CodeResendCall  = "E0000133" // 429: this phone was called less than 30 s ago

	CodeSMSQuota        = "E0000146" // 429: the org has used up its messages
	CodeCallQuota       = "E0000147" // 429: the org has used up its calls
	CodeFreeSMSQuota    = "E0000186" // 429: the org has used up the messages of a free edition
	CodeUserSMSLimit    = "E0000204" // 429: this person has had too many messages
	CodeUserCallLimit   = "E0000205" // 429: this person has had too many calls
	CodeUserSMSRefused  = "E0000150" // 403: CodeUserSMSLimit by another name
	CodeUserCallRefused = "E0000151" // 403: CodeUserCallLimit by another name
)

// codeWait lists the codes of a 429 that are not about the rate limit in the answer's
// headers, with the wait that Okta documents for them. It is zero where Okta does not
// say when the limit ends.
// https://developer.okta.com/docs/reference/error-codes/
var codeWait = map[string]time.Duration{
	CodeResendSMS:     30 * time.Second,
	CodeResendCall:    30 * time.Second,
	CodeResendEmail:   5 * time.Second,
	CodeSMSQuota:      0,
	CodeCallQuota:     0,
	CodeFreeSMSQuota:  0,
	CodeUserSMSLimit:  0,
	CodeUserCallLimit: 0,
}

// maxRetryAfter is the longest wait that is believed. The longest that Okta documents
// is a minute.
const maxRetryAfter = time.Hour

// Error returns a text for logs: Okta documents what the code means, and the id leads
// to the entry in Okta's own log. The text leaves out Summary and Causes, which may
// quote what a person typed.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "okta: HTTP %d", e.HTTPStatus)
	if e.Code != "" {
		fmt.Fprintf(&b, " %s", e.Code)
	}
	if e.ID != "" {
		fmt.Fprintf(&b, " (error id %s)", e.ID)
	}
	return b.String()
}

// errorDocument is the wire form of Error.
type errorDocument struct {
	Code    string `json:"errorCode"`
	Summary string `json:"errorSummary"`
	ID      string `json:"errorId"`

	// OAuth 2.0 has a form of its own.
	OAuth       string `json:"error"`
	Description string `json:"error_description"`

	Causes []struct {
		Summary string `json:"errorSummary"`
	} `json:"errorCauses"`
}

// words returns the summary as a person may read it.
func (d errorDocument) words() Secret {
	return NewSecret(Clip(strings.Join(strings.Fields(d.Summary), " "), 256))
}

// parseError returns nil for a 2xx answer without an error code in it and an
// *Error for everything else, which quotes no text of echoed. Okta sends E0000070 with
// status 202.
func parseError(resp *http.Response, body []byte, echoed ...string) error {
	ok := resp.StatusCode >= 200 && resp.StatusCode < 300
	var doc errorDocument
	// Nearly all answers are no errors, and need not be decoded twice.
	if mayBeError := !ok || bytes.Contains(body, []byte(`errorCode`)); mayBeError && isObject(body) && mediaType(resp) == jsonType {
		if err := json.Unmarshal(body, &doc); err != nil {
			// The part that is missing may hold the code of an error.
			if ok {
				return malformed("broken JSON", resp)
			}
			doc = errorDocument{}
		}
	}
	if ok && doc.Code == "" {
		return nil
	}
	doc.hide(echoed)
	if doc.Code == "" {
		doc.Code, doc.Summary = cmp.Or(doc.OAuth, challengeError(resp.Header)), cmp.Or(doc.Summary, doc.Description)
	}
	e := &Error{
		nonce:      Clip(resp.Header.Get("DPoP-Nonce"), maxNonce),
		HTTPStatus: resp.StatusCode,
		Code:       Clip(doc.Code, 32),
		Summary:    Clip(doc.Summary, 256),
		ID:         Clip(doc.ID, 64),
		RequestID:  requestID(resp.Header),
	}
	switch {
	case doc.Code == CodeNextPassCode: // whose sentence is the other server's, and may be a PIN
		e.Words, e.Summary, doc.Causes = doc.words(), "", nil
	case resp.StatusCode >= 500 && doc.Code != "" && doc.Code != CodeInternal:
		e.Words = doc.words()
	}
	for _, cause := range doc.Causes {
		if len(e.Causes) == 8 {
			break
		}
		e.Causes = append(e.Causes, Clip(cause.Summary, 256))
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		e.RetryAfter = retryAfter(doc.Code, resp.Header)
	}
	return e
}

// challengeError returns the error that a challenge of OAuth names, "" where there is
// none. Such an answer has no body (observed).
// https://www.rfc-editor.org/rfc/rfc6750#section-3
func challengeError(h http.Header) string {
	found := namedError.FindStringSubmatch(h.Get("WWW-Authenticate"))
	if found == nil {
		return ""
	}
	return found[1]
}

var namedError = regexp.MustCompile(`\berror="([a-z_]{1,32})"`)

// retryAfter reads how long a 429 with that code asks to wait: from
// X-Rate-Limit-Reset, or from Retry-After where the code is one of codeWait or the
// reset is missing. The reset is counted from the answer's own Date, so that the clock
// of this machine does not matter.
// https://developer.okta.com/docs/reference/rl-best-practices/
func retryAfter(code string, h http.Header) time.Duration {
	wait, known := codeWait[code]
	if reset, err := strconv.ParseInt(h.Get("X-Rate-Limit-Reset"), 10, 64); err == nil && !known {
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			return boundWait(reset - date.Unix())
		}
	}
	if seconds, err := strconv.ParseInt(h.Get("Retry-After"), 10, 64); err == nil {
		return boundWait(seconds)
	}
	return wait
}

func boundWait(seconds int64) time.Duration {
	return time.Duration(min(max(seconds, 1), int64(maxRetryAfter/time.Second))) * time.Second
}

func isObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
}

const jsonType = "application/json"

// mediaType returns the answer's media type without parameters, in lower case, or
// "unknown" where it is none. The parameters do not matter, and some proxies break
// them: they add a second charset, or repeat the header.
func mediaType(resp *http.Response) string {
	t := resp.Header.Get("Content-Type")
	if end := strings.IndexAny(t, ";,"); end >= 0 {
		t = t[:end]
	}
	t = strings.ToLower(strings.TrimSpace(t))
	if len(t) > maxMediaType || !strings.Contains(t, "/") || strings.Trim(t, "abcdefghijklmnopqrstuvwxyz0123456789/.+-") != "" {
		return "unknown"
	}
	return t
}

// maxMediaType is the longest media type that an error quotes.
const maxMediaType = 64

// Clip makes a stranger's text fit for a log line and a terminal: it cuts the text
// after n runes and replaces control characters.
func Clip(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if n == 0 {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = '.'
		}
		b.WriteRune(r)
		n--
	}
	return b.String()
}
