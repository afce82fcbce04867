package okta

import (
	"context"
	"fmt"
	"net/url"
	"slices"
)

const (
	authnPath    = "/api/v1/authn"
	previousPath = authnPath + "/previous"
	skipPath     = authnPath + "/skip"
	cancelPath   = authnPath + "/cancel"
)

// Authenticate begins a transaction with a username and a password. The
// username may be the full login or, where it is unambiguous, the part before
// the @. A wrong password, an unknown user and a hidden lock-out are one and the
// same *Error; see RefusesPassword.
// https://developer.okta.com/docs/reference/api/authn/#primary-authentication
func (c *Client) Authenticate(ctx context.Context, username, password string) (Transaction, error) {
	type options struct {
		// Without it Okta never says PASSWORD_WARN.
		WarnBeforePasswordExpired bool `json:"warnBeforePasswordExpired"`
	}
	type device struct {
		DeviceToken string `json:"deviceToken"`
	}
	in := struct {
		Username string  `json:"username"`
		Password string  `json:"password"`
		Options  options `json:"options"`
		Context  *device `json:"context,omitempty"`
	}{username, password, options{WarnBeforePasswordExpired: true}, nil}
	if !c.device.Token.IsZero() {
		in.Context = &device{c.device.Token.Reveal()}
	}
	return c.transact(withPassword(ctx), authnPath, in)
}

// Verify answers a factor with passCode. Where passCode is empty it starts the
// factor's challenge: a push, or a code by sms, call or email.
//
// While a push waits, Verify without a passCode polls it, and sends nothing to the
// phone. After a push was rejected or has timed out, the same call sends a new one,
// so poll on ResultWaiting only.
// https://developer.okta.com/docs/reference/api/authn/#verify-factor
func (c *Client) Verify(ctx context.Context, t Transaction, f Factor, passCode string) (Transaction, error) {
	path, err := verifyPath(f.ID)
	if err != nil {
		return Transaction{}, err
	}
	return c.proceed(ctx, t, path+c.device.rememberQuery(), answerTo(t, f.Type, passCode))
}

// VerifyByType tries passCode on all of the person's factors of one type, and counts
// as one try. It fails with ErrMalformed where t.FactorTypes does not name the type.
//
// No page of Okta's reference describes it for passcodes. Okta's sign-in widget calls
// it where the answer publishes the link.
func (c *Client) VerifyByType(ctx context.Context, t Transaction, typ FactorType, passCode string) (Transaction, error) {
	if passCode == "" || !slices.Contains(t.FactorTypes, typ) {
		return Transaction{}, fmt.Errorf("%w: it offers no verification by this type", ErrMalformed)
	}
	path, err := verifyPath(string(typ))
	if err != nil {
		return Transaction{}, err
	}
	return c.proceed(ctx, t, path+c.device.rememberQuery(), answerTo(t, typ, passCode))
}

// Resend sends the code, or the push, of the open challenge once more. Okta refuses
// it with CodeResendSMS, CodeResendCall or CodeResendEmail when the last code was
// sent a moment ago. Transaction.CanResend says whether Okta offers it at all.
// https://developer.okta.com/docs/reference/api/authn/#verify-factor
func (c *Client) Resend(ctx context.Context, t Transaction, f Factor) (Transaction, error) {
	path, err := verifyPath(f.ID)
	if err != nil {
		return Transaction{}, err
	}
	return c.proceed(ctx, t, path+"/resend", stateRequest{StateToken: t.StateToken.Reveal()})
}

// Previous leaves an open challenge and goes back to the choice of a factor.
// https://developer.okta.com/docs/reference/api/authn/#previous-transaction-state
func (c *Client) Previous(ctx context.Context, t Transaction) (Transaction, error) {
	return c.proceed(ctx, t, previousPath, stateRequest{StateToken: t.StateToken.Reveal()})
}

// Skip passes over the warning of StatusPasswordWarn, or puts an enrollment off. Okta
// refuses it unless Transaction.CanSkip. A skipped enrollment may end in a success on
// the password alone.
// https://developer.okta.com/docs/reference/api/authn/#skip-transaction-state
func (c *Client) Skip(ctx context.Context, t Transaction) (Transaction, error) {
	return c.proceed(ctx, t, skipPath, stateRequest{StateToken: t.StateToken.Reveal()})
}

// State reads where a transaction stands. It changes nothing and sends nothing to a
// phone, so it is the question to ask where the answer to another one was lost.
// https://developer.okta.com/docs/reference/api/authn/#get-transaction-state
func (c *Client) State(ctx context.Context, t Transaction) (Transaction, error) {
	return c.proceed(ctx, t, authnPath, stateRequest{StateToken: t.StateToken.Reveal()})
}

// Cancel ends a transaction and revokes its state token.
// https://developer.okta.com/docs/reference/api/authn/#cancel-transaction
func (c *Client) Cancel(ctx context.Context, t Transaction) error {
	// Okta does not document the content of the answer, so only its status counts.
	if _, err := c.post(ctx, cancelPath, stateRequest{StateToken: t.StateToken.Reveal()}, nil); err != nil {
		return fmt.Errorf("cancelling the transaction: %w", err)
	}
	return nil
}

type (
	stateRequest struct {
		Unprintable
		StateToken string `json:"stateToken"`
	}
	// verifyRequest leaves an empty passCode out, which Okta could count as a wrong one.
	verifyRequest struct {
		Unprintable
		StateToken string `json:"stateToken"`
		PassCode   string `json:"passCode,omitempty"`
		// A question takes this field in place of passCode.
		// https://developer.okta.com/docs/reference/api/authn/#verify-security-question-factor
		Answer string `json:"answer,omitempty"`
	}
)

func answerTo(t Transaction, typ FactorType, passCode string) verifyRequest {
	in := verifyRequest{StateToken: t.StateToken.Reveal(), PassCode: passCode}
	if typ == FactorQuestion {
		in.PassCode, in.Answer = "", passCode
	}
	return in
}

// proceed continues the transaction t. The user stays where the answer names none,
// which a success always does.
func (c *Client) proceed(ctx context.Context, t Transaction, path string, in any) (Transaction, error) {
	next, err := c.transact(ctx, path, in)
	if err == nil && next.User == (User{}) {
		next.User = t.User
	}
	return next, err
}

func (c *Client) transact(ctx context.Context, path string, in any) (Transaction, error) {
	var w wireTransaction
	header, err := c.post(ctx, path, in, &w)
	if err != nil {
		return Transaction{}, err
	}
	if repeatsAsStatus(w.Status, w.FactorResult, in) {
		return Transaction{}, malformedHeader("a status that repeats what was sent", header)
	}
	t := w.transaction(c.orgURL)
	if missing := t.missing(); missing != "" {
		return Transaction{}, malformedHeader(missing, header)
	}
	t.ExpiresAt = c.localTime(t.ExpiresAt, header)
	return t, nil
}

// verifyPath takes the id of a factor, or a type.
func verifyPath(idOrType string) (string, error) {
	factor, err := pathSegment(idOrType)
	return authnPath + "/factors/" + factor + "/verify", err
}

// pathSegment escapes an id of Okta's for a path. It refuses the names that lead to
// another path and that escaping leaves as they are.
func pathSegment(id string) (string, error) {
	switch id {
	case "", ".", "..":
		return "", fmt.Errorf("%w: the id %q cannot stand in a path", ErrMalformed, id)
	}
	return url.PathEscape(id), nil
}
