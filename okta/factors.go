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
// It proves one factor. It proves neither a password nor that the account may log in.
//
// Result may be empty. The caller has to refuse such an answer, but may need it to
// cancel the push.
type FactorTransaction struct {
	Result    FactorResult
	ExpiresAt time.Time  // by this machine's clock; zero where the answer has none that makes sense
	Challenge *Challenge // nil unless the push was begun with a number

	poll, cancel Secret // paths, which name the transaction
}

// Factors lists the factors that the user with that id has enrolled, whatever their
// status. Okta leaves out those that the org's enrollment policy does not offer at the
// caller's address. Factors fails with ErrNoAPIToken on a client without an API token.
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
		f.SentTo = mask(f.SentTo) // the Authentication API masks it by itself
		factors = append(factors, f)
	}
	return factors, nil
}

// ChallengeFactor begins a push, or has a code sent. With number set, the person has
// to choose the right one of several numbers on the phone, and the Challenge of the
// answer says which that is. Other factors than a push ignore number.
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

// PollFactor polls a push that ChallengeFactor began, and sends nothing to the phone.
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

// CancelFactor cancels a push, so that the person can no longer approve it.
func (c *Client) CancelFactor(ctx context.Context, t FactorTransaction) error {
	if t.cancel.IsZero() {
		return nil
	}
	_, err := c.do(ctx, http.MethodDelete, t.cancel.Reveal(), nil, nil)
	return err
}

func (c *Client) factorsPath(userID string) (string, error) {
	if err := c.manages(); err != nil {
		return "", err
	}
	user, err := pathSegment(userID)
	return usersPath + "/" + user + "/factors", err
}

// factorTransaction calls the verify operation of a factor.
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

// factorAnswer sends one request of the Factors API. It reads the links of a push from
// the answer and fails where they lead to anything but paths below transactions. Where
// transactions is empty, it reads no links.
func (c *Client) factorAnswer(ctx context.Context, method, path string, in any, transactions string) (FactorTransaction, error) {
	type link struct {
		Href string `json:"href"`
	}
	var w struct {
		Result    FactorResult    `json:"factorResult"`
		Message   lenient[string] `json:"factorResultMessage"`
		ExpiresAt time.Time       `json:"expiresAt"`
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
	if repeatsAsStatus("", w.Result, in) {
		return FactorTransaction{}, malformedHeader("a result that repeats what was sent", header)
	}
	t := FactorTransaction{Result: w.Result.withMessage(w.Message.is), ExpiresAt: c.localTime(w.ExpiresAt, header)}
	if n := w.Embedded.Challenge.CorrectAnswer; n != nil {
		t.Challenge = &Challenge{CorrectAnswer: *n}
	}
	if transactions == "" {
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
// prefix, and "" where there is no link. It ignores the host, because the request goes
// to the configured one: an org with a custom domain may name either of its two.
func pathBelow(href, prefix string) (path string, ok bool) {
	if href == "" {
		return "", true
	}
	u, err := url.Parse(href)
	if err != nil {
		return "", false
	}
	id, below := strings.CutPrefix(u.EscapedPath(), prefix)
	// A server may decode the path before it resolves the dots in it.
	plain, err := url.PathUnescape(id)
	if !below || err != nil || plain == "" || plain == "." || plain == ".." || strings.ContainsAny(plain, `/\`) {
		return "", false
	}
	if u.RawQuery != "" {
		id += "?" + u.RawQuery
	}
	return prefix + id, true
}

// mask hides most of an e-mail address or a telephone number, as the Authentication
// API does for people who have not logged in yet.
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

// shownDigits is how many digits of a telephone number mask shows.
const shownDigits = 4
