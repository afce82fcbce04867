package backend

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestErrorsAreInTroubleshooting: each text of an error that reaches a person stands in a
// table of docs/troubleshooting.md, and each text that stands there is in the code.
//
// The texts are those of answer_table.go and of the errors that its parts in braces put
// into them; those of errors about a field; and those that a path answers with by itself.
// A part of a text that is not constant can be any text.
func TestErrorsAreInTroubleshooting(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../docs/troubleshooting.md")
	require.NoError(t, err)
	code, quotes := errorTexts(t, ".."), quotedMessages(string(document))
	require.Greater(t, len(code), 200)
	missing, unknown := compareMessages(code, quotes)
	assert.Empty(t, missing, "errors of the code that docs/troubleshooting.md does not have")
	assert.Empty(t, unknown, "messages of docs/troubleshooting.md that the code does not have")
}

// TestMissingMessagesAreFound: the test above sees a text that one of the two sides lacks.
func TestMissingMessagesAreFound(t *testing.T) {
	t.Parallel()
	page := "| message | what to do |\n| --- | --- |\n" +
		"| `no such door: …`, `name must be 1 to 9 bytes` | knock |\n| `limit reached: try again in …` | `vault read x` |\n\n" +
		"| reason | cause |\n| --- | --- |\n| `not ours` | |\n"
	quotes := quotedMessages(page)
	require.Equal(t, []string{"no such door: …", "name must be 1 to 9 bytes", "limit reached: try again in …"}, quotes)
	code := []string{"no such door: ask at the gate", "name must be \x001 to \x00 bytes", "limit reached: try again in \x00"}
	missing, unknown := compareMessages(code, quotes)
	assert.Empty(t, missing)
	assert.Empty(t, unknown)

	missing, unknown = compareMessages(append(code, "no such wall: \x00"), append(quotes, "no such roof: …", "no such…", "… door"))
	assert.Equal(t, []string{"no such wall: …"}, missing)
	assert.Equal(t, []string{"no such roof: …", "no such…", "… door"}, unknown)
}

// anything stands in a text for a part that is not constant.
const anything = "\x00"

var (
	// clauses end where a message may be cut off by an ellipsis.
	clauses = regexp.MustCompile(`[:,.;?] `)
	verb    = regexp.MustCompile(`%[+#]?[a-zA-Z]`)
)

// compareMessages returns the texts of the code that no message quotes, and the messages
// that quote none. A message has an ellipsis for what is not constant, and for the rest
// after a clause.
func compareMessages(code, quotes []string) (missing, unknown []string) {
	known := map[string]bool{}
	for _, text := range code {
		forms := []string{text}
		for _, at := range clauses.FindAllStringIndex(text, -1) {
			forms = append(forms, text[:at[1]]+"…")
		}
		form := strings.ReplaceAll(regexp.QuoteMeta(strings.Join(forms, "\n")), anything, ".*")
		matches := regexp.MustCompile("^(?:" + strings.ReplaceAll(form, "\n", "|") + ")$").MatchString
		found := false
		for _, quote := range quotes {
			if matches(quote) {
				found, known[quote] = true, true
			}
		}
		if !found {
			missing = append(missing, strings.ReplaceAll(text, anything, "…"))
		}
	}
	return missing, slices.DeleteFunc(slices.Clone(quotes), func(quote string) bool { return known[quote] })
}

// quotedMessages are the code spans in the first column of the tables about messages.
func quotedMessages(document string) (quotes []string) {
	in := false
	for line := range strings.Lines(document) {
		cell, _, isRow := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		switch {
		case !isRow || !strings.HasPrefix(line, "| "):
			in = false
		case cell == "message":
			in = true
		case in:
			for _, span := range codeSpan.FindAllString(cell, -1) {
				quotes = append(quotes, strings.ReplaceAll(strings.Trim(span, "`"), `\|`, "|"))
			}
		}
	}
	return quotes
}

// sources are the packages of the plugin, by the last part of their names.
type sources struct {
	t      *testing.T
	decls  []declaration
	values map[string]ast.Expr        // of constants and variables, by "package.name"
	funcs  map[string][]*ast.FuncDecl // likewise; methods by their name alone
	parts  map[string][]string        // of answer_table.go: the texts for a part in braces
}

// declaration is one of a package, or a function of it.
type declaration struct {
	pkg  string
	node ast.Decl
}

// errorTexts are the texts of the errors in the sources below root, with anything for the
// parts that are not constant.
func errorTexts(t *testing.T, root string) []string {
	t.Helper()
	s := &sources{t: t, values: map[string]ast.Expr{}, funcs: map[string][]*ast.FuncDecl{}, parts: map[string][]string{}}
	for _, dir := range []string{"okta", "mfa", "mfa/duo", "mfa/pingid", "mfa/service", "backend", "backend/attempts", "backend/store"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		require.NoError(t, err)
		for _, path := range files {
			if !strings.HasSuffix(path, "_test.go") {
				file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
				require.NoError(t, err)
				s.add(filepath.Base(dir), file)
			}
		}
	}
	all := map[string]bool{}
	for _, d := range s.decls {
		ast.Inspect(d.node, func(n ast.Node) bool {
			for _, text := range s.errorsOf(d, n) {
				all[text] = true
			}
			return true
		})
	}
	// Errors that begin with the name of the field, and one that is answered as it is.
	for _, name := range []string{"duo.Problems", "store.UnreadableError.Error"} {
		for _, text := range s.errorsOfFunction(name) {
			all[text] = true
		}
	}
	rows := s.rows()
	require.Greater(t, len(rows), 90)
	for _, text := range rows {
		all[text] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func (s *sources) add(pkg string, file *ast.File) {
	for _, node := range file.Decls {
		s.decls = append(s.decls, declaration{pkg, node})
		switch d := node.(type) {
		case *ast.FuncDecl:
			name := pkg + "."
			if d.Recv != nil && d.Name.Name == "Error" {
				if star, is := d.Recv.List[0].Type.(*ast.StarExpr); is {
					name += nameOf(star.X) + "."
				}
			}
			s.funcs[name+d.Name.Name] = append(s.funcs[name+d.Name.Name], d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				v, isValue := spec.(*ast.ValueSpec)
				if !isValue || len(v.Names) != len(v.Values) {
					continue
				}
				for i, name := range v.Names {
					s.values[pkg+"."+name.Name] = v.Values[i]
				}
			}
		}
	}
}

// errorsOf are the texts of the error that a node makes. Those of the types that a part of
// answer_table.go stands for are kept for that.
func (s *sources) errorsOf(d declaration, n ast.Node) []string {
	switch n := n.(type) {
	case *ast.CallExpr:
		switch name := nameOf(n.Fun); {
		case name == "invalid":
			return s.ofField(d, n.Args[0], n.Args[1])
		case name == "ErrorResponse" && !handsOn(n.Args[0]):
			return s.telling(d, n.Args[0])
		case name == "CodedError" && !handsOn(n.Args[1]):
			return s.telling(d, n.Args[1])
		case name == "Denied" && d.pkg == "pingid":
			return s.telling(d, n.Args[0])
		case name == "incapable": // of Duo's devices
			return s.texts(d, &ast.BinaryExpr{X: n.Args[0], Y: n.Args[1]})
		}
	case *ast.ValueSpec:
		if nameOf(n.Type) == "UnreachableReason" && len(n.Values) > 0 {
			s.parts["{unreachable}"] = append(s.parts["{unreachable}"], s.texts(d, n.Values[0])...)
		}
	case *ast.CompositeLit:
		if len(n.Elts) == 0 {
			return nil
		}
		switch name := nameOf(n.Type); name {
		case "inputError":
			return s.ofField(d, n.Elts[0], n.Elts[1])
		case "CredentialError":
			return s.telling(d, n.Elts[0])
		case "accountError", "changedError", "busyError":
			part := map[string]string{"accountError": "{account}", "changedError": "{changed}", "busyError": "{limit}"}[name]
			s.parts[part] = append(s.parts[part], s.texts(d, n.Elts[0])...)
		case "":
			return s.ofPingID(d, n)
		}
	}
	return nil
}

// handsOn reports whether the text of an error is that of another error, or one of
// answer_table.go.
func handsOn(e ast.Expr) bool {
	call, isCall := e.(*ast.CallExpr)
	selector, isSelector := e.(*ast.SelectorExpr)
	return isCall && nameOf(call.Fun) == "Error" || isSelector && selector.Sel.Name == "text"
}

// telling are the texts of an expression, those without words left out: they frame others.
func (s *sources) telling(d declaration, e ast.Expr) []string {
	return slices.DeleteFunc(s.texts(d, e), func(text string) bool {
		return len(strings.ReplaceAll(text, anything, "")) < len("(): delete it")
	})
}

// ofField are the texts of an error about a field. A predicate that is the text of another
// error is that of the function which has returned it.
func (s *sources) ofField(d declaration, field, predicate ast.Expr) (all []string) {
	if f, isFunc := d.node.(*ast.FuncDecl); isFunc && slices.Contains([]string{"invalid", "checkDuoMethod"}, f.Name.Name) {
		return nil // which get the texts from others: see duo.Problems
	}
	predicates := s.texts(d, predicate)
	if call, isCall := predicate.(*ast.CallExpr); isCall && nameOf(call.Fun) == "Error" {
		f := d.node.(*ast.FuncDecl)
		predicates = s.errorsOfFunction(returnedBy(f, call))
		require.NotEmpty(s.t, predicates, "%s in %s: whose text it is", nameOf(call.Fun), f.Name.Name)
	}
	for _, name := range s.texts(d, field) {
		for _, says := range predicates {
			require.NotEqual(s.t, anything, says, "%v: an error about a field that has no text here", name)
			all = append(all, name+" "+says)
		}
	}
	return all
}

// returnedBy names the function whose error a call of Error is about: the last one before
// it that is assigned to the variable.
func returnedBy(f *ast.FuncDecl, call *ast.CallExpr) (name string) {
	variable := nameOf(call.Fun.(*ast.SelectorExpr).X)
	ast.Inspect(f, func(n ast.Node) bool {
		assign, is := n.(*ast.AssignStmt)
		if !is || assign.Pos() > call.Pos() || nameOf(assign.Lhs[len(assign.Lhs)-1]) != variable {
			return true
		}
		if made, isCall := assign.Rhs[len(assign.Rhs)-1].(*ast.CallExpr); isCall {
			if at, isSelector := made.Fun.(*ast.SelectorExpr); isSelector {
				name = nameOf(at.X) + "." + at.Sel.Name
			}
		}
		return true
	})
	return name
}

// errorsOfFunction are the texts of the errors that a function makes, and those of the
// methods that it calls in its package.
func (s *sources) errorsOfFunction(name string) (all []string) {
	pkg, _, _ := strings.Cut(name, ".")
	for _, f := range s.funcs[name] {
		ast.Inspect(f, func(n ast.Node) bool {
			call, isCall := n.(*ast.CallExpr)
			if !isCall {
				return true
			}
			of, isSelector := call.Fun.(*ast.SelectorExpr)
			switch {
			case isSelector && (nameOf(of.X) == "errors" || nameOf(of.X) == "fmt"):
				all = append(all, s.texts(declaration{pkg, f}, call)...)
			case isSelector && nameOf(of.X) == "f": // a method
				all = append(all, s.errorsOfFunction(pkg+"."+of.Sel.Name)...)
			}
			return true
		})
	}
	return all
}

// ofPingID are the words for an id by which PingID denies a login.
func (s *sources) ofPingID(d declaration, meaning *ast.CompositeLit) []string {
	fields := map[string]ast.Expr{}
	for _, e := range meaning.Elts {
		if pair, is := e.(*ast.KeyValueExpr); is {
			fields[nameOf(pair.Key)] = pair.Value
		}
	}
	if d.pkg != "pingid" || nameOf(fields["step"]) != "stepFail" || fields["words"] == nil || fields["mount"] != nil {
		return nil
	}
	return s.texts(d, fields["words"])
}

// rows are the texts of answer_table.go, with the texts for their parts in braces.
func (s *sources) rows() (all []string) {
	table, is := s.values["backend.table"].(*ast.CompositeLit)
	require.True(s.t, is)
	for _, row := range table.Elts {
		for _, text := range s.texts(declaration{"backend", nil}, row.(*ast.CompositeLit).Elts[2]) {
			forms := []string{text}
			for part, words := range s.parts {
				if strings.Contains(text, part) {
					forms = nil
					for _, w := range words {
						forms = append(forms, strings.ReplaceAll(text, part, w))
					}
				}
			}
			for _, form := range forms {
				if form = placeholder.ReplaceAllString(form, anything); form != anything {
					all = append(all, form)
				}
			}
		}
	}
	return all
}

// nameOf is the last part of the name that an expression is, or "".
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// texts are the values that an expression may have.
func (s *sources) texts(d declaration, e ast.Expr) (all []string) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return []string{text}
		}
	case *ast.KeyValueExpr:
		return s.texts(d, e.Value)
	case *ast.BinaryExpr:
		for _, left := range s.texts(d, e.X) {
			for _, right := range s.texts(d, e.Y) {
				all = append(all, left+right)
			}
		}
		return all
	case *ast.CallExpr:
		return s.called(d, e)
	case *ast.SelectorExpr:
		if value := s.values[nameOf(e.X)+"."+e.Sel.Name]; value != nil {
			return s.texts(declaration{nameOf(e.X), nil}, value)
		}
	case *ast.IndexExpr:
		if values, is := s.values[d.pkg+"."+nameOf(e.X)].(*ast.CompositeLit); is {
			for _, value := range values.Elts {
				all = append(all, s.texts(d, value)...)
			}
			return all
		}
	case *ast.Ident:
		if all = s.assigned(d, e.Name); all != nil {
			return all
		}
		if value := s.values[d.pkg+"."+e.Name]; value != nil {
			return s.texts(declaration{d.pkg, nil}, value)
		}
	}
	return []string{anything}
}

// called are the texts that a call returns: a format, the text of an error, or what a
// function with one return returns.
func (s *sources) called(d declaration, call *ast.CallExpr) (all []string) {
	switch name := nameOf(call.Fun); {
	case name == "Sprintf", name == "Errorf", name == "New" && len(call.Args) == 1:
		for _, format := range s.texts(d, call.Args[0]) {
			all = append(all, verb.ReplaceAllString(format, anything))
		}
		return all
	case name == "CodedError":
		return s.texts(d, call.Args[1])
	case name == "Error":
		if at, is := call.Fun.(*ast.SelectorExpr).X.(*ast.SelectorExpr); is {
			return s.texts(d, at)
		}
	}
	named := s.funcs[d.pkg+"."+nameOf(call.Fun)]
	if _, isLocal := call.Fun.(*ast.Ident); !isLocal || len(named) != 1 {
		return []string{anything}
	}
	f := named[0]
	ast.Inspect(f, func(n ast.Node) bool {
		if result, is := n.(*ast.ReturnStmt); is && len(result.Results) == 1 {
			all = append(all, s.texts(declaration{d.pkg, f}, result.Results[0])...)
		}
		return true
	})
	if len(all) != 1 {
		return []string{anything}
	}
	return all
}

// assigned are the texts that a function assigns to a variable of its own. What it adds
// to one may be anything.
func (s *sources) assigned(d declaration, name string) (all []string) {
	f, isFunc := d.node.(*ast.FuncDecl)
	if !isFunc {
		return nil
	}
	rest, outside := "", declaration{d.pkg, nil}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i := range n.Lhs {
				switch {
				case nameOf(n.Lhs[i]) != name:
				case n.Tok == token.ADD_ASSIGN:
					rest = anything
				case len(n.Lhs) == len(n.Rhs):
					all = append(all, s.texts(outside, n.Rhs[i])...)
				case i == 0:
					all = append(all, s.texts(outside, n.Rhs[0])...)
				}
			}
		case *ast.ValueSpec:
			for i := range n.Values {
				if n.Names[i].Name == name {
					all = append(all, s.texts(outside, n.Values[i])...)
				}
			}
		}
		return true
	})
	for i := range all {
		all[i] += rest
	}
	return all
}
