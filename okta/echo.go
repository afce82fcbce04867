package okta

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// This file keeps what a request carried out of what is quoted of its answer. A server or
// a proxy may echo anything, and logs and errors have Okta's codes, ids and sentences.

// minEcho is the length in bytes from which a text counts as an echo. What is shorter
// stands in other texts by chance.
const minEcho = 4

// HideEcho returns text with a placeholder in place of each of the secrets that is at
// least 4 bytes long.
func HideEcho(text string, secrets ...string) string {
	if text == "" {
		return ""
	}
	// The longest ones first: a secret may be a part of another.
	secrets = slices.Clone(secrets)
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if len(secret) >= minEcho {
			text = strings.ReplaceAll(text, secret, placeholder)
		}
	}
	return text
}

// isEcho reports whether there is one of the secrets in text.
func isEcho(text string, secrets []string) bool { return HideEcho(text, secrets...) != text }

// sentIn returns the secrets that a request carries: the proofs in its header, and the
// texts in its body but for the name of the person.
func sentIn(req *http.Request) []string {
	secrets := proofsOf(req.Header)
	if req.GetBody == nil {
		return secrets
	}
	reader, err := req.GetBody()
	if err != nil { // that of a bytes.Reader has none
		return secrets
	}
	body, _ := io.ReadAll(reader)
	if json.Valid(body) {
		return append(secrets, textsIn(body)...)
	}
	form, _ := url.ParseQuery(string(body))
	return append(secrets, form.Get("client_assertion"))
}

// proofsOf returns the proofs in a request's header.
func proofsOf(header http.Header) (proofs []string) {
	for _, name := range []string{"Authorization", "DPoP"} {
		if value := header.Get(name); value != "" {
			_, credential, _ := strings.Cut(value, " ")
			proofs = append(proofs, value, credential)
		}
	}
	return proofs
}

// minProof is the length in bytes from which a proof counts. Okta's are longer.
const minProof = 16

// repeats reports whether an answer has a proof in it. Then nothing in it can be believed
// to be what it is called: a status is quoted, and so is the name of a device.
func repeats(body []byte, proofs []string) bool {
	return slices.ContainsFunc(proofs, func(proof string) bool {
		return len(proof) >= minProof && bytes.Contains(body, []byte(proof))
	})
}

// textsIn returns the texts in the JSON document of a request, but for the name of the
// person.
func textsIn(body []byte) []string {
	var document map[string]any
	_ = json.Unmarshal(body, &document) // anything else has no texts
	delete(document, "username")
	return textsOf(document)
}

// textsOf returns the texts in a JSON document. No request has a list.
func textsOf(document any) (texts []string) {
	switch document := document.(type) {
	case string:
		return []string{document}
	case map[string]any:
		for _, value := range document {
			texts = append(texts, textsOf(value)...)
		}
	}
	return texts
}

// repeatsAsStatus reports whether a secret of the request is in a status of the answer,
// which is quoted where nobody knows it. Okta's own words stay, whatever somebody's
// password is.
func repeatsAsStatus(status Status, result FactorResult, in any) bool {
	if slices.Contains(statuses, status) && slices.Contains(results, result) {
		return false
	}
	sent, err := json.Marshal(in)
	return err != nil || isEcho(string(status)+" "+string(result), textsIn(sent))
}

// These are Okta's own words.
var (
	statuses = []Status{
		"", StatusSuccess, StatusPasswordWarn, StatusPasswordExpired, StatusPasswordReset, StatusRecovery, StatusRecoveryChallenge, StatusLockedOut,
		StatusMFAEnroll, StatusMFAEnrollActivate, StatusMFARequired, StatusMFAChallenge, StatusUnauthenticated, StatusFactorRequired,
		StatusFactorChallenge, StatusFactorEnroll, StatusFactorEnrollActivate, StatusProfileRequired, StatusConsentRequired,
		StatusAdminConsentRequired, StatusDeviceActivate, StatusPoll,
	}
	results = []FactorResult{
		"", ResultWaiting, ResultChallenge, ResultSuccess, ResultRejected, ResultTimeout, ResultCancelled, ResultCanceled, ResultError,
		ResultFailed, ResultExpired, ResultPassCodeReplayed, ResultTimeWindowExceeded,
	}
)

// hideHeaders takes the headers away in which a secret is repeated, of those that are
// quoted. The media type of a document of Okta's stays, whatever somebody's password is.
func hideHeaders(resp *http.Response, echoed []string) {
	for _, quoted := range []string{requestIDHeader, "WWW-Authenticate"} {
		if isEcho(resp.Header.Get(quoted), echoed) {
			resp.Header.Del(quoted)
		}
	}
	// Errors quote this one in lower case.
	quoted := mediaType(resp)
	if quoted != jsonType && (isEcho(quoted, echoed) || isEcho(resp.Header.Get("Content-Type"), echoed)) {
		resp.Header.Del("Content-Type")
	}
}

// oktaCode is the form of Okta's own codes. Such a code stays, although a wrong password
// may be a part of it: what an answer means must not depend on what was sent.
var oktaCode = regexp.MustCompile(`^E\d{7}$`)

// hide takes what the request carried out of what is quoted of the answer. A code or an id
// with an echo in it is none.
func (d *errorDocument) hide(echoed []string) {
	for _, id := range []*string{&d.Code, &d.OAuth, &d.ID} {
		if isEcho(*id, echoed) && !oktaCode.MatchString(*id) {
			*id = ""
		}
	}
	d.Summary, d.Description = HideEcho(d.Summary, echoed...), HideEcho(d.Description, echoed...)
	for i := range d.Causes {
		d.Causes[i].Summary = HideEcho(d.Causes[i].Summary, echoed...)
	}
}
