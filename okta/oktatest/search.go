package oktatest

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// maxUsers is the number of users on a page, and the most that a request can
// ask for.
const maxUsers = 200

// listUsers answers GET /api/v1/users with a search or a filter, which compare the
// login or the e-mail address. A search ignores case and may join several comparisons.
// A filter does neither. The list ends with its first page.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/#tag/User/operation/listUsers
func (o *Org) listUsers(c *call) answer {
	query := c.request.URL.Query()
	wanted, valid := userCriteria(query)
	if !valid {
		return oktaError("E0000031")
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > maxUsers {
		limit = maxUsers
	}
	list := []object{}
	for _, u := range o.users {
		if len(list) < limit && wanted(u) {
			list = append(list, u.resource(c))
		}
	}
	a := ok(list)
	a.header = http.Header{"Link": {"<" + c.base + c.request.URL.RequestURI() + `>; rel="self"`}}
	return a
}

// userCriteria reads which users the query is for: those of the criteria, or, with the
// filter for active users, any of these. Without criteria Okta lists all
// users. Here that is an error, so that a test notices a client that lost its criteria.
func userCriteria(query url.Values) (wanted func(*User) bool, valid bool) {
	search, filter := query.Get("search"), query.Get("filter")
	if filter == `status eq "ACTIVE"` && search == "" && !query.Has("q") {
		return func(u *User) bool { return u.lifecycle() == "ACTIVE" }, true
	}
	if query.Has("q") || (search == "") == (filter == "") {
		return nil, false
	}
	comparisons, valid := parseComparisons(search + filter)
	if !valid || filter != "" && len(comparisons) > 1 {
		return nil, false
	}
	return func(u *User) bool {
		for _, cmp := range comparisons {
			got := u.profile()[cmp.attribute].(string)
			if got == cmp.value || search != "" && strings.EqualFold(got, cmp.value) {
				return true
			}
		}
		return false
	}, true
}

// comparison is an expression such as profile.login eq "mia.ito@acme.test".
type comparison struct{ attribute, value string }

var (
	comparisonForm = regexp.MustCompile(`^profile\.(login|email) eq "((?:[^"\\]|\\["\\])*)"`)
	unescaper      = strings.NewReplacer(`\"`, `"`, `\\`, `\`)
)

// parseComparisons reads comparisons that are joined by "or".
func parseComparisons(expression string) (list []comparison, valid bool) {
	for {
		found := comparisonForm.FindStringSubmatch(expression)
		if found == nil {
			return nil, false
		}
		list = append(list, comparison{found[1], unescaper.Replace(found[2])})
		expression = expression[len(found[0]):]
		if expression == "" {
			return list, true
		}
		if expression, valid = strings.CutPrefix(expression, " or "); !valid {
			return nil, false
		}
	}
}
