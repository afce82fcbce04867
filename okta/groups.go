package okta

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// groupPageSize is the number of groups on the largest page that Okta offers.
	groupPageSize = 200
	// maxGroupPages bounds one user's groups to 20,000.
	maxGroupPages = 100
)

// groupsPath follows the path of a user.
const groupsPath = "/groups"

// Group is one group of a user.
type Group struct {
	ID   string
	Name string
	Type string // "OKTA_GROUP", "APP_GROUP", "BUILT_IN"
}

// wireGroup is the wire form, as far as it is read.
type wireGroup struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Profile struct {
		Name string `json:"name"`
	} `json:"profile"`
}

// Groups returns all groups of the user with that id, in Okta's order. Where one page
// fails, all fails: a part of the groups is never returned. Groups fails with
// ErrNoAPIToken on a client without an API token.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserResources/#tag/UserResources/operation/listUserGroups
func (c *Client) Groups(ctx context.Context, userID string) ([]Group, error) {
	if err := c.manages(); err != nil {
		return nil, err
	}
	c = c.For(Caller{}) // the program asks for itself
	var groups []Group
	user, err := pathSegment(userID)
	if err != nil {
		return nil, err
	}
	path := usersPath + "/" + user + groupsPath
	query := url.Values{"limit": {strconv.Itoa(groupPageSize)}}
	seen := map[string]bool{}
	for page := 1; ; page++ {
		some, next, err := c.groupPage(ctx, path, query)
		if err != nil {
			return nil, fmt.Errorf("page %d of the user's groups: %w", page, err)
		}
		groups = append(groups, some...)
		switch {
		case next == "":
			return groups, nil
		case seen[next]:
			return nil, fmt.Errorf("%w: page %d of the user's groups leads back to an earlier one", ErrMalformed, page)
		case page == maxGroupPages:
			return nil, fmt.Errorf("%w: more than %d pages of groups", ErrMalformed, maxGroupPages)
		}
		seen[next] = true
		query.Set("after", next)
	}
}

// groupPage fetches one page and returns the cursor of the next one, or "".
func (c *Client) groupPage(ctx context.Context, path string, query url.Values) ([]Group, string, error) {
	var page []*wireGroup
	header, err := c.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page)
	if err != nil {
		return nil, "", err
	}
	if page == nil {
		return nil, "", malformedHeader("no list of groups", header)
	}
	groups := make([]Group, 0, len(page))
	for _, g := range page {
		if g == nil || g.ID == "" || g.Profile.Name == "" {
			return nil, "", malformedHeader("a group without an id or a name", header)
		}
		groups = append(groups, Group{ID: g.ID, Name: g.Profile.Name, Type: g.Type})
	}
	next, err := nextCursor(header["Link"])
	return groups, next, err
}

// nextCursor returns the "after" parameter of the link whose relation is next, or ""
// where there is none. Link headers may stand alone or be joined with commas (RFC
// 8288). Only the cursor of the link counts: the request for the next page goes to the
// configured host and the same path.
func nextCursor(headers []string) (string, error) {
	for rest := strings.Join(headers, ","); ; {
		start := strings.IndexByte(rest, '<')
		if start < 0 {
			return "", nil
		}
		target, after, ok := strings.Cut(rest[start+1:], ">")
		if !ok {
			return "", fmt.Errorf("%w: a Link header that does not end", ErrMalformed)
		}
		params, following, more := cutUnquoted(after, ',')
		if slices.Contains(relations(params), "next") {
			u, err := url.Parse(target)
			if err != nil || u.Query().Get("after") == "" {
				return "", fmt.Errorf("%w: a next page without a cursor", ErrMalformed)
			}
			return u.Query().Get("after"), nil
		}
		if !more {
			return "", nil
		}
		rest = following
	}
}

// cutUnquoted is strings.Cut that ignores separators within double quotes.
func cutUnquoted(s string, sep byte) (before, after string, found bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// relations returns the rel parameter of a link, which may name several, in
// lower case.
func relations(params string) []string {
	for more := true; more; {
		var param string
		param, params, more = cutUnquoted(params, ';')
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			return strings.Fields(strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`)))
		}
	}
	return nil
}
