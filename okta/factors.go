package okta

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

const usersPath = "/api/v1/users"

// FactorTransaction is the answer of the Factors API to a challenge or a passcode.
// It proves a factor and nothing else: no password, and not that the account may
// log in.
//
// An answer without a Result is passed on: its caller has to refuse it, and may
// want to cancel the push that it belongs to.
type FactorTransaction struct {
	Result    FactorResult
	ExpiresAt time.Time  // by this machine's clock; zero where the answer has none
	Challenge *Challenge // of a push that was begun with a number

	poll, cancel Secret // paths, which name the transaction
}

// Factors lists the factors that the user with that id has enrolled, and that the
// org's enrolment policy offers at the address of the caller, whatever their
// status. It fails with ErrNoAPIToken on a client without an API token.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserFactor/#tag/UserFactor/operation/listFactors
func (c *Client) Factors(ctx context.Context, userID string) ([]Factor, error) {
	path, err := c.factorsPath(userID)
	if err != nil {
		return nil, err
	}
	var list []wireFactor
	header, err := c.do(ctx, http.MethodGet, path, nil, &list)
	if err != nil {
		return nil, err
	}
	if list == nil {
		return nil, malformedHeader("no list of factors", header)
	}
	factors := make([]Factor, 0, len(list))
	for _, w := range list {
		if w.ID == "" || w.Type == "" || w.Status == "" {
			return nil, malformedHeader("a factor without an id, a type or a status", header)
		}
		f := w.factor()
		f.SentTo = mask(f.SentTo) // the Authentication API does so itself
		factors = append(factors, f)
	}
	return factors, nil
}

// ChallengeFactor begins a push, or has a code sent. With number, the person has
// to choose the right one of several numbers, which is in the Challenge of the
// answer; it has no meaning but for a push.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserFactor/#tag/UserFactor/operation/verifyFactor
func (c *Client) ChallengeFactor(ctx context.Context, userID string, f Factor, number bool) (FactorTransaction, error) {
	var in any
	if number && f.Type == FactorPush {
		in = map[string]bool{"useNumberMatchingChallenge": true}
	}
	return c.factorTransaction(ctx, userID, f, in)
}

// AnswerFactor tries a passcode, or the answer to a question. A wrong one is an
// *Error with CodeInvalidPassCode, as in Verify.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserFactor/#tag/UserFactor/operation/verifyFactor
func (c *Client) AnswerFactor(ctx context.Context, userID string, f Factor, passCode string) (FactorTransaction, error) {
	field := "passCode"
	if f.Type == FactorQuestion {
		field = "answer"
	}
	return c.factorTransaction(ctx, userID, f, map[string]string{field: passCode})
}

// PollFactor asks how a push stands, and sends nothing to the phone.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserFactor/#tag/UserFactor/operation/getFactorTransactionStatus
func (c *Client) PollFactor(ctx context.Context, t FactorTransaction) (FactorTransaction, error) {
	if t.poll.IsZero() {
		return FactorTransaction{}, fmt.Errorf("%w: a push without a link to ask at", ErrMalformed)
	}
	next, err := c.factorAnswer(ctx, http.MethodGet, t.poll.Reveal(), nil, "")
	if err != nil {
		return FactorTransaction{}, err
	}
	next.poll, next.cancel = t.poll, t.cancel
	if next.ExpiresAt.IsZero() {
		next.ExpiresAt = t.ExpiresAt
	}
	return next, nil
}

// CancelFactor takes a push back.
func (c *Client) CancelFactor(ctx context.Context, t FactorTransaction) error {
	if t.cancel.IsZero() {
		return nil
	}
	_, err := c.do(ctx, http.MethodDelete, t.cancel.Reveal(), nil, nil)
	return err
}

func (c *Client) factorsPath(userID string) (string, error) {
	if c.apiToken.IsZero() {
		return "", ErrNoAPIToken
	}
	user, err := pathSegment(userID)
	return usersPath + "/" + user + "/factors", err
}

// factorTransaction posts to the verify operation of a factor.
func (c *Client) factorTransaction(ctx context.Context, userID string, f Factor, in any) (FactorTransaction, error) {
	path, err := c.factorsPath(userID)
	if err != nil {
		return FactorTransaction{}, err
	}
	factor, err := pathSegment(f.ID)
	if err != nil {
		return FactorTransaction{}, err
	}
	path += "/" + factor
	return c.factorAnswer(ctx, http.MethodPost, path+"/verify", in, path+"/transactions/")
}

// factorAnswer sends one request of the Factors API. Links in the answer that do
// not begin with transactions make it one that makes no sense.
func (c *Client) factorAnswer(ctx context.Context, method, path string, in any, transactions string) (FactorTransaction, error) {
	type link struct {
		Href string `json:"href"`
	}
	var w struct {
		Result    FactorResult `json:"factorResult"`
		ExpiresAt time.Time    `json:"expiresAt"`
		Embedded  struct {
			Challenge struct {
				CorrectAnswer *int `json:"correctAnswer"`
			} `json:"challenge"`
		} `json:"_embedded"`
		Links struct {
			Poll   link `json:"poll"`
			Cancel link `json:"cancel"`
		} `json:"_links"`
	}
	header, err := c.do(ctx, method, path, in, &w)
	if err != nil {
		return FactorTransaction{}, err
	}
	t := FactorTransaction{Result: w.Result, ExpiresAt: c.localTime(w.ExpiresAt, header)}
	if n := w.Embedded.Challenge.CorrectAnswer; n != nil {
		t.Challenge = &Challenge{CorrectAnswer: *n}
	}
	if transactions == "" { // a poll: the links are those of the push
		return t, nil
	}
	poll, ownPoll := pathBelow(w.Links.Poll.Href, transactions)
	cancel, ownCancel := pathBelow(w.Links.Cancel.Href, transactions)
	if !ownPoll || !ownCancel {
		return FactorTransaction{}, malformedHeader("a link that leads elsewhere", header)
	}
	t.poll, t.cancel = NewSecret(poll), NewSecret(cancel)
	return t, nil
}

// pathBelow returns the path and query of a link whose path is one segment below
// prefix, and "" for no link. The host is not looked at: the request goes to the
// configured one. (An org with a domain of its own may name either of its two.)
func pathBelow(href, prefix string) (path string, ok bool) {
	if href == "" {
		return "", true
	}
	u, err := url.Parse(href)
	if err != nil {
		return "", false
	}
	id, below := strings.CutPrefix(u.EscapedPath(), prefix)
	// Who resolves the path may decode it first.
	plain, err := url.PathUnescape(id)
	if !below || err != nil || plain == "" || plain == "." || plain == ".." || strings.ContainsAny(plain, `/\`) {
		return "", false
	}
	if u.RawQuery != "" {
		id += "?" + u.RawQuery
	}
	return prefix + id, true
}

// mask hides most of an address or a telephone number, as Okta does where people
// see them before they have logged in.
func mask(sentTo string) string {
	if local, domain, isEmail := strings.Cut(sentTo, "@"); isEmail {
		first, _ := utf8.DecodeRuneInString(local)
		if local == "" {
			return "…@" + domain
		}
		return string(first) + "…@" + domain
	}
	if len(sentTo) <= shownDigits || strings.Contains(sentTo, "X") {
		return sentTo
	}
	return "…" + sentTo[len(sentTo)-shownDigits:]
}

// shownDigits are those of a telephone number that are shown.
const shownDigits = 4
