package backend

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAPIReferenceIsWhole: docs/api.md has each path with its operations, each field of
// its requests and each field of its answers, and has none that does not exist.
func TestAPIReferenceIsWhole(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../docs/api.md")
	require.NoError(t, err)
	paths := newBackend(settings{}).Paths
	require.Empty(t, compareAPI(string(document), paths))

	for _, change := range []struct {
		old, replacement string
		problems         []string
	}{
		{"`/auth/okta/jwks`", "`/auth/okta/keys`", []string{"/auth/okta/jwks is missing", "/auth/okta/keys does not exist"}},
		{"| `POST`, `PATCH`, `GET`, `DELETE` | `/auth/okta/users", "| `POST`, `GET`, `LIST` | `/auth/okta/users",
			[]string{"DELETE /auth/okta/users/:name is missing", "LIST /auth/okta/users/:name does not exist", "PATCH /auth/okta/users/:name is missing"}},
		{"\n| `trusted_app` |", "\n| `trusted_apps` |",
			[]string{"trusted_app of /auth/okta/config is missing", "trusted_app of /auth/okta/config/check is missing",
				"trusted_apps of write-the-configuration does not exist"}},
		{"\n| `digits` |", "\n| `digit` |", []string{"digit of /auth/okta/mfa/method/totp does not exist",
			"digit of /auth/okta/mfa/method/totp/:method_id does not exist", "digit of create-a-method does not exist",
			"digits of /auth/okta/mfa/method/totp is missing", "digits of /auth/okta/mfa/method/totp/:method_id is missing"}},
		{"\n| `username_format` | string; not `totp` |", "\n| `username_format` | string |",
			[]string{"username_format of /auth/okta/mfa/method/totp does not exist", "username_format of /auth/okta/mfa/method/totp/:method_id does not exist"}},
		{"\n| `expires_in` | number |", "\n| `ends_in` | number |",
			[]string{"ends_in of read-the-number-of-a-challenge does not exist", "expires_in of /auth/okta/verify/:nonce is not told"}},
		{"\n| `limit` | integer", "\n| `limits` | integer", []string{"limit of LIST is missing", "limits of LIST does not exist"}},
	} {
		changed := strings.Replace(string(document), change.old, change.replacement, 1)
		require.NotEqual(t, string(document), changed, change.old)
		assert.Equal(t, change.problems, compareAPI(changed, paths), change.old)
	}
}

var (
	apiRow   = regexp.MustCompile("(?m)^\\| (`[A-Z]+`(?:, `[A-Z]+`)*) \\| `(/auth/okta/[^`]*)`[^|\n]*\\|(.*)$")
	apiLink  = regexp.MustCompile(`\]\(#([^)]+)\)`)
	apiTable = regexp.MustCompile(`(?m)^(.*)\n\n\| (?:field|parameter) \| type \| meaning \|\n\| --- \| --- \| --- \|\n((?:\|.*\n)+)`)

	patternName = regexp.MustCompile(`\(\?P<(\w+)>[^)]*\)`)
	httpMethods = map[logical.Operation]string{
		logical.CreateOperation: http.MethodPost, logical.UpdateOperation: http.MethodPost, logical.PatchOperation: http.MethodPatch,
		logical.ReadOperation: http.MethodGet, logical.ListOperation: "LIST", logical.DeleteOperation: http.MethodDelete,
	}
)

// apiPath is what the reference says about a path: its methods, and the anchors of the
// sections about it, which its row links to, or in which the row stands.
type apiPath struct{ methods, sections []string }

// apiField is a field in a table of the reference.
type apiField struct {
	name     string
	types    []string // of MFA methods; nil is any
	isAnswer bool
}

// compareAPI returns what the document lacks of the paths, and what it has beside them.
func compareAPI(document string, paths []*framework.Path) (problems []string) {
	sections := sectionsOf(document)
	documented := pathsOf(sections)
	compare := func(format string, exist, told []string) {
		problems = append(problems, lacking(format+" is missing", exist, told)...)
		problems = append(problems, lacking(format+" does not exist", told, exist)...)
	}
	inSection := map[string][]string{} // what the paths of a section have
	for _, p := range paths {
		name := "/auth/okta/" + strings.TrimRight(patternName.ReplaceAllString(p.Pattern, ":$1"), "/?$")
		row := documented[name]
		if row == nil {
			problems = append(problems, name+" is missing")
			continue
		}
		delete(documented, name)
		operations, answers := operationsOf(p)
		compare("% "+name, operations, row.methods)

		told, text := []string(nil), ""
		for _, anchor := range row.sections {
			text += sections[anchor]
			inSection[anchor] = append(append(inSection[anchor], requestFields(p)...), answers...)
			for _, m := range captured.FindAllStringSubmatch(p.Pattern, -1) {
				inSection[anchor] = append(inSection[anchor], m[1])
			}
			for _, field := range fieldsIn(sections[anchor]) {
				isOf := field.types == nil || slices.Contains(field.types, strings.Split(name+"///", "/")[5])
				if isOf && !field.isAnswer && !strings.Contains(name, ":"+field.name) {
					told = append(told, field.name)
				}
			}
		}
		problems = append(problems, lacking("% of "+name+" is missing", requestFields(p), told)...)
		if strings.Contains(name, "/mfa/method/") { // the fields of one type are no other's
			problems = append(problems, lacking("% of "+name+" does not exist", told, requestFields(p))...)
		}
		for _, answer := range answers {
			if !strings.Contains(text, "`"+answer+"`") && !strings.Contains(text, `"`+answer+`"`) {
				problems = append(problems, answer+" of "+name+" is not told")
			}
		}
	}
	for name := range documented {
		problems = append(problems, name+" does not exist")
	}
	for anchor, exist := range inSection {
		for _, field := range fieldsIn(sections[anchor]) {
			problems = append(problems, lacking("% of "+anchor+" does not exist", []string{field.name}, exist)...)
		}
	}
	lists := []string{}
	for _, field := range fieldsIn(sections["http-api"]) {
		lists = append(lists, field.name)
	}
	compare("% of LIST", slices.Collect(maps.Keys(pageFields)), lists)
	slices.Sort(problems)
	return slices.Compact(problems)
}

// lacking returns the names that others do not have, each in place of % in the format.
func lacking(format string, names, others []string) (lines []string) {
	for _, name := range names {
		if !slices.Contains(others, name) {
			lines = append(lines, strings.Replace(format, "%", name, 1))
		}
	}
	return lines
}

// requestFields are the fields of a path beside those of all lists.
func requestFields(p *framework.Path) (names []string) {
	for name := range p.Fields {
		if pageFields[name] == nil && !strings.Contains(p.Pattern, "(?P<"+name+">") {
			names = append(names, name)
		}
	}
	return names
}

// operationsOf are the HTTP methods of a path, and the fields of its answers.
func operationsOf(p *framework.Path) (methods, answers []string) {
	for op, handler := range p.Operations {
		if httpMethods[op] == "" { // one that Vault's core asks for
			continue
		}
		methods = append(methods, httpMethods[op])
		for _, response := range handler.Properties().Responses[http.StatusOK] {
			answers = slices.AppendSeq(answers, maps.Keys(response.Fields))
		}
	}
	return methods, answers
}

// sectionsOf are the parts of a document between its headings, by their anchors. Text in
// fences is no heading.
func sectionsOf(document string) map[string]string {
	all, anchor, fenced := map[string]string{}, "", false
	for line := range strings.Lines(document) {
		fenced = fenced != strings.HasPrefix(line, "```")
		if !fenced && heading.MatchString(line) {
			for name := range anchors(line) {
				anchor = name
			}
		}
		all[anchor] += line
	}
	return all
}

// pathsOf are those of the tables of paths; :type stands for each type of MFA method.
func pathsOf(sections map[string]string) map[string]*apiPath {
	all := map[string]*apiPath{}
	for anchor, text := range sections {
		for _, m := range apiRow.FindAllStringSubmatch(text, -1) {
			names := []string{m[2]}
			if strings.Contains(m[2], ":type") {
				names = nil
				for _, typ := range methodTypes {
					names = append(names, strings.Replace(m[2], ":type", typ.name, 1))
				}
			}
			about := []string{}
			for _, link := range apiLink.FindAllStringSubmatch(m[3], -1) {
				about = append(about, link[1])
			}
			if len(about) == 0 {
				about = []string{anchor}
			}
			for _, name := range names {
				if all[name] == nil {
					all[name] = &apiPath{}
				}
				all[name].sections = append(all[name].sections, about...)
				for _, method := range codeSpan.FindAllString(m[1], -1) {
					all[name].methods = append(all[name].methods, strings.Trim(method, "`"))
				}
			}
		}
	}
	return all
}

// fieldsIn are those of the tables of a section. The line before a table says whose
// fields they are: those of an answer, or of a type of MFA method.
func fieldsIn(section string) (all []apiField) {
	for _, table := range apiTable.FindAllStringSubmatch(section, -1) {
		for row := range strings.Lines(table[2]) {
			cells := strings.Split(row, " | ")
			for _, span := range codeSpan.FindAllString(cells[0], -1) {
				field := apiField{name: strings.Trim(span, "`"), isAnswer: strings.HasPrefix(table[1], "The answer")}
				for _, typ := range methodTypes {
					if table[1] == "`"+typ.name+"`:" || strings.Contains(cells[1], "not `") && !strings.Contains(cells[1], "not `"+typ.name+"`") {
						field.types = append(field.types, typ.name)
					}
				}
				all = append(all, field)
			}
		}
	}
	return all
}
