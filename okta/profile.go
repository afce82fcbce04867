package okta

import (
	"context"
	"encoding/json"
	"net/http"
)

// Profile returns the attributes of the account with that user id which are text, numbers
// or booleans, by their names, as text. Any other attribute is left out, and so is one that
// Okta does not show to the API token. Profile fails with ErrNoAPIToken on a client without
// an API token, and with ErrMalformed where the answer is about another account.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/#tag/User/operation/getUser
func (c *Client) Profile(ctx context.Context, userID string) (map[string]string, error) {
	if err := c.manages(); err != nil {
		return nil, err
	}
	c = c.For(Caller{}) // the program asks for itself
	segment, err := pathSegment(userID)
	if err != nil {
		return nil, err
	}
	var w struct {
		ID      string                     `json:"id"`
		Profile map[string]json.RawMessage `json:"profile"`
	}
	header, err := c.do(ctx, http.MethodGet, usersPath+"/"+segment, nil, &w)
	if err != nil {
		return nil, err
	}
	if w.ID != userID {
		return nil, malformedHeader("another user than the one asked for", header)
	}
	profile := map[string]string{}
	for name, raw := range w.Profile {
		if value, ok := scalar(raw); ok {
			profile[name] = value
		}
	}
	return profile, nil
}

// scalar returns a text, a number or a boolean of JSON as text. A number stays as Okta
// writes it.
func scalar(raw json.RawMessage) (value string, ok bool) {
	switch raw[0] {
	case '"':
		err := json.Unmarshal(raw, &value)
		return value, err == nil
	case '{', '[', 'n': // null
		return "", false
	}
	return string(raw), true
}
