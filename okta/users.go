package okta

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"
)

// AccountActive is the only status of an account whose owner may log in.
const AccountActive = "ACTIVE"

// Account is a user of the org, as the users API shows one.
type Account struct {
	ID     string // "00u…", never reused
	Login  string // as Okta spells it
	Email  string // the primary one; may be empty
	Status string // AccountActive, "SUSPENDED", "DEPROVISIONED", "LOCKED_OUT", …
}

// accountOf fails where a field is missing that logins are authorized by.
func accountOf(user *sdk.User, header http.Header) (Account, error) {
	if user == nil {
		return Account{}, malformedHeader("no user", header)
	}
	login, loginErr := attribute(user, "login")
	email, emailErr := attribute(user, "email")
	switch {
	case loginErr != nil || emailErr != nil:
		return Account{}, malformedHeader("a user with a login or an e-mail address that is no text", header)
	case user.Id == "":
		return Account{}, malformedHeader("a user without an id", header)
	case login == "":
		return Account{}, malformedHeader("a user without a login", header)
	case user.Status == "":
		return Account{}, malformedHeader("a user without a status", header)
	}
	return Account{ID: user.Id, Login: login, Email: email, Status: user.Status}, nil
}

// attribute is one of the profile, "" where it is missing. It fails where it is no text.
func attribute(user *sdk.User, name string) (string, error) {
	if user == nil || user.Profile == nil {
		return "", nil
	}
	switch value := (*user.Profile)[name].(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	}
	return "", ErrMalformed
}

// Account finds an account by its id, by its login, or by its short name, which is the
// part of the login before the @ and has to be unambiguous. Okta ignores case and
// diacritics in names, and takes "me" for whoever has made the API token, so the caller
// has to compare the Login or the ID of the answer with the one that it means. Where
// nobody is found, the error is an *Error with CodeNotFound. Account fails with ErrNoAPIToken on a client without an API token.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/#tag/User/operation/getUser
func (c *Client) Account(ctx context.Context, name string) (Account, error) {
	if err := c.manages(); err != nil {
		return Account{}, err
	}
	segment, err := pathSegment(name)
	if err != nil {
		return Account{}, err
	}
	var user *sdk.User
	header, err := c.getTyped(ctx, usersPath+"/"+segment, &user)
	if err != nil {
		return Account{}, err
	}
	return accountOf(user, header)
}

// maxAccounts bounds a search. Callers want one account, and whether there are more.
const maxAccounts = "10"

// AccountsByEmail finds the accounts with that primary e-mail address, in any case, and
// returns ten at most. Okta's index lags behind by seconds, so an account may have
// changed since. AccountsByEmail fails with ErrNoAPIToken on a client without an API
// token.
// https://developer.okta.com/docs/reference/user-query/#search-users
func (c *Client) AccountsByEmail(ctx context.Context, email string) ([]Account, error) {
	if err := c.manages(); err != nil {
		return nil, err
	}
	query := url.Values{"search": {`profile.email eq "` + searchEscapes.Replace(email) + `"`}, "limit": {maxAccounts}}
	var found []*sdk.User
	header, err := c.getTyped(ctx, usersPath+"?"+query.Encode(), &found)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, malformedHeader("no list of users", header)
	}
	var accounts []Account
	for _, user := range found {
		if has, err := attribute(user, "email"); err == nil && !strings.EqualFold(has, email) {
			continue // the index may be behind
		}
		account, err := accountOf(user, header)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, account)
	}
	return accounts, nil
}

// searchEscapes escapes a value that stands in quotes in a search expression.
var searchEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// UseAPIToken makes one small request with the API token, also on a client that is a
// service app: a token expires after 30 days without a request, and an answer shows that
// Okta still takes it. UseAPIToken fails with ErrNoAPIToken on a client without one.
// https://developer.okta.com/docs/guides/create-an-api-token/main/#token-expiration
func (c *Client) UseAPIToken(ctx context.Context) error {
	if c.token.token.IsZero() {
		return ErrNoAPIToken
	}
	own := c.For(Caller{})
	own.manager = c.token
	_, err := own.Account(ctx, tokenOwner)
	return err
}

// tokenOwner is Okta's name for whoever has made the API token of a request.
const tokenOwner = "me"
