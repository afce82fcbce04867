package okta

import (
	"context"
	"errors"
	"net/url"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"
)

// This file holds calls that find out what the client may do. Their results are of no
// other use.

// AnyAccount returns an active account of the org, whichever Okta lists first. ok is false where
// it shows none. It fails with ErrNoAPIToken on a client without an API token.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/#tag/User/operation/listUsers
func (c *Client) AnyAccount(ctx context.Context) (_ Account, ok bool, err error) {
	if err := c.manages(); err != nil {
		return Account{}, false, err
	}
	var found []*sdk.User
	header, err := c.getTyped(ctx, usersPath+"?"+anyAccount.Encode(), &found)
	switch {
	case err != nil:
		return Account{}, false, err
	case found == nil:
		return Account{}, false, malformedHeader("no list of users", header)
	case len(found) == 0:
		return Account{}, false, nil
	}
	account, err := accountOf(found[0], header)
	return account, err == nil, err
}

var anyAccount = url.Values{"filter": {`status eq "ACTIVE"`}, "limit": {"1"}}

// TryGroups reads one group of a user.
func (c *Client) TryGroups(ctx context.Context, userID string) error {
	if err := c.manages(); err != nil {
		return err
	}
	user, err := pathSegment(userID)
	if err != nil {
		return err
	}
	_, _, err = c.groupPage(ctx, usersPath+"/"+user+groupsPath, url.Values{"limit": {"1"}})
	return err
}

// noFactor has the form of an id of a factor, and is nobody's.
const noFactor = "opf00000000000000000"

// TryVerify finds out whether the client may verify a user's factors. It asks for a
// factor that does not exist, so that nothing is sent to anybody and nothing counts
// against the user: an org that lets the client verify answers that it does not find the
// factor. Okta documents no other way, and not in which order it checks the two.
func (c *Client) TryVerify(ctx context.Context, userID string) error {
	_, err := c.factorTransaction(ctx, userID, Factor{ID: noFactor}, nil)
	if said, ok := errors.AsType[*Error](err); ok && said.Code == CodeNotFound {
		return nil
	}
	return err
}
