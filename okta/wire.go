package okta

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"time"
)

// These are the wire forms. Okta adds fields at any time, so unknown ones are ignored.
type (
	wireTransaction struct {
		Unprintable
		Status        Status          `json:"status"`
		FactorResult  FactorResult    `json:"factorResult"`
		ResultMessage lenient[string] `json:"factorResultMessage"`
		StateToken    string          `json:"stateToken"`
		ExpiresAt     time.Time       `json:"expiresAt"`
		Embedded      struct {
			User struct {
				ID      string `json:"id"`
				Profile struct {
					Login string `json:"login"`
				} `json:"profile"`
			} `json:"user"`
			// Okta's reference prints an object under "factor" for MFA_CHALLENGE and a
			// list under either name for the other states. Orgs were observed to send
			// an object or a list under either name in any state.
			Factors     oneOrMany[wireFactor]              `json:"factors"`
			Factor      oneOrMany[wireFactor]              `json:"factor"`
			FactorTypes lenient[oneOrMany[wireFactorType]] `json:"factorTypes"`
		} `json:"_embedded"`
		Links lenient[struct {
			// All answers that were observed have an array here.
			// https://developer.okta.com/docs/reference/api/authn/#links-object
			Resend wireLinks `json:"resend"`
			Skip   wireLinks `json:"skip"`
		}] `json:"_links"`
	}
	wireFactor struct {
		ID         string     `json:"id"`
		Type       FactorType `json:"factorType"`
		Provider   Provider   `json:"provider"`
		VendorName string     `json:"vendorName"`
		Status     string     `json:"status"`
		// A profile is only shown, so a broken one must not end a login.
		Profile lenient[struct {
			Name         string `json:"name"`
			PhoneNumber  string `json:"phoneNumber"`
			Email        string `json:"email"`
			QuestionText string `json:"questionText"`
		}] `json:"profile"`
		Embedded struct {
			Challenge struct {
				CorrectAnswer *int `json:"correctAnswer"`
			} `json:"challenge"`
		} `json:"_embedded"`
	}
	// wireFactorType is in no page of the reference. Okta's sign-in widget reads it.
	wireFactorType struct {
		Type  FactorType `json:"factorType"`
		Links lenient[struct {
			Next wireLinks `json:"next"`
		}] `json:"_links"`
	}
	// wireLinks takes a link that makes no sense for none.
	wireLinks = lenient[oneOrMany[struct {
		Href string `json:"href"`
	}]]
)

// lenient decodes what it can: fields of another type stay empty.
type lenient[T any] struct{ is T }

func (l *lenient[T]) UnmarshalJSON(b []byte) error {
	_ = json.Unmarshal(b, &l.is)
	return nil
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

// UnmarshalJSON decodes Okta's form of a transaction. What depends on the org's own
// URL stays empty: CanSkip and FactorTypes.
func (t *Transaction) UnmarshalJSON(b []byte) error {
	var w wireTransaction
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*t = w.transaction("")
	return nil
}

// transaction returns the transaction as an answer of the org with that URL.
func (w wireTransaction) transaction(orgURL string) Transaction {
	t := Transaction{
		Status:       w.Status,
		FactorResult: w.FactorResult.withMessage(w.ResultMessage.is),
		StateToken:   NewSecret(w.StateToken),
		ExpiresAt:    w.ExpiresAt,
		User:         User{ID: w.Embedded.User.ID, Login: w.Embedded.User.Profile.Login},
		CanResend:    slices.ContainsFunc(hrefs(w.Links.is.Resend), func(href string) bool { return href != "" }),
		CanSkip:      leads(w.Links.is.Skip, orgURL, skipPath),
	}
	challenged, others := w.Embedded.Factor, w.Embedded.Factors
	if len(challenged) == 0 {
		challenged, others = others, nil
	}
	if w.Status == StatusMFAChallenge && len(challenged) == 1 {
		f := challenged[0].factor()
		t.Factor = &f
		if n := challenged[0].Embedded.Challenge.CorrectAnswer; n != nil {
			t.Challenge = &Challenge{CorrectAnswer: *n}
		}
		challenged = nil
	}
	for _, f := range slices.Concat(others, challenged) {
		t.Factors = append(t.Factors, f.factor())
	}
	for _, offer := range w.Embedded.FactorTypes.is {
		path, err := verifyPath(string(offer.Type))
		if err == nil && leads(offer.Links.is.Next, orgURL, path) {
			t.FactorTypes = append(t.FactorTypes, offer.Type)
		}
	}
	return t
}

func hrefs(links wireLinks) []string {
	var list []string
	for _, link := range links.is {
		list = append(list, link.Href)
	}
	return list
}

// leads reports whether one of the links leads to exactly that path of the org. The
// request then goes to the path of the configured org and not to the link. But Okta
// also publishes links of these names to pages of others, which mean something else.
func leads(links wireLinks, orgURL, path string) bool {
	return slices.ContainsFunc(hrefs(links), func(href string) bool {
		u, err := url.Parse(href)
		if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.EscapedPath() != path {
			return false
		}
		own, err := ParseOrgURL(u.Scheme + "://" + u.Host)
		return err == nil && own.String() == orgURL
	})
}

func (w wireFactor) factor() Factor {
	return Factor{
		ID:         w.ID,
		Type:       w.Type,
		Provider:   w.Provider,
		VendorName: Clip(w.VendorName, 64),
		Status:     w.Status,
		DeviceName: Clip(w.Profile.is.Name, 64),
		SentTo:     Clip(w.sentTo(), 64),
		Question:   Clip(w.question(), 128),
	}
}

func (w wireFactor) sentTo() string {
	switch w.Type {
	case FactorSMS, FactorCall:
		return w.Profile.is.PhoneNumber
	case FactorEmail:
		return w.Profile.is.Email
	}
	return ""
}

func (w wireFactor) question() string {
	if w.Type != FactorQuestion {
		return ""
	}
	return w.Profile.is.QuestionText
}
