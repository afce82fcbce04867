package backend

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// documented are the factors in the table of docs/mfa.md, each with what the table says
// becomes of it and by which kind it is named.
func documented(t *testing.T) map[okta.Factor][2]string {
	t.Helper()
	text, err := os.ReadFile("../docs/mfa.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n### Every type and provider\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n#")
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\| ([^|]*) \\| ([^|]*) \\| (?:`([^`]+)`)? ?\\|")
	table := map[okta.Factor][2]string{}
	for _, m := range row.FindAllStringSubmatch(section, -1) {
		f := okta.Factor{ID: "x", Type: okta.FactorType(m[1]), Provider: okta.Provider(m[2])}
		assert.NotContains(t, table, f, "a row twice")
		table[f] = [2]string{m[4], m[5]}
	}
	assert.GreaterOrEqual(t, len(table), 20)
	return table
}

// TestFactorsAreDocumented: the table of docs/mfa.md has each factor that can be verified
// here and each type for browsers, says of each what the code does, and has no more.
func TestFactorsAreDocumented(t *testing.T) {
	t.Parallel()
	table := documented(t)
	for f, says := range table {
		name := string(f.Type) + " of " + string(f.Provider)
		assert.Equal(t, string(mfa.KindOf(f)), says[1], name)
		assert.Equal(t, mfa.NeedsBrowser(f), strings.Contains(says[0], "needs a "), name)
		assert.NotEqual(t, mfa.NeedsBrowser(f), mfa.Usable(f), "%s is in the table, and the code knows it", name)
	}
	for _, f := range everyFactor() {
		if mfa.KindOf(f) != "" {
			assert.Contains(t, table, f)
		}
	}
	for _, kind := range mfa.Kinds {
		assert.True(t, inTable(table, func(f okta.Factor) bool { return mfa.KindOf(f) == kind }), "%s", kind)
	}
	for _, typ := range everyType {
		assert.True(t, inTable(table, func(f okta.Factor) bool { return f.Type == typ }), "%s", typ)
	}
}

func inTable(table map[okta.Factor][2]string, match func(okta.Factor) bool) bool {
	for f := range table {
		if match(f) {
			return true
		}
	}
	return false
}

var (
	everyType     = constants[okta.FactorType]("FactorType")
	everyProvider = constants[okta.Provider]("Provider")
)

// everyFactor pairs each type with each provider that package okta has a name for.
func everyFactor() []okta.Factor {
	var all []okta.Factor
	for _, typ := range everyType {
		for _, provider := range everyProvider {
			all = append(all, okta.Factor{ID: "x", Type: typ, Provider: provider})
		}
	}
	return all
}

// constants are those of a type of package okta, by its source: a new one is in the
// tests above without a word here.
func constants[T ~string](name string) []T {
	source, err := os.ReadFile("../okta/factor.go")
	if err != nil {
		panic(err)
	}
	var all []T
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ +`+name+` += "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, T(m[1]))
	}
	if len(all) < 10 {
		panic("no constants of okta." + name)
	}
	return all
}

// TestDependenciesHaveAReason: docs/design.md says of each direct dependency what it is
// for, and names no other.
func TestDependenciesHaveAReason(t *testing.T) {
	t.Parallel()
	read := func(path string, line *regexp.Regexp) (modules []string) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		_, section, _ := strings.Cut(string(text), "\n## Dependencies\n")
		if section == "" {
			section = string(text)
		}
		for _, m := range line.FindAllStringSubmatch(section, -1) {
			modules = append(modules, m[1])
		}
		return modules
	}
	required := read("../go.mod", regexp.MustCompile(`(?m)^\t(\S+) v\S+$`))
	require.NotEmpty(t, required)
	require.Equal(t, required, read("../docs/design.md", regexp.MustCompile("(?m)^\\| `(\\S+)` \\| [^|]{5,} \\|$")))
}

// TestThreatModelNamesTests: each row of the threat model in docs/security.md names what
// shows it, each test that the document names exists in one of the modules, and each fuzz
// target is named.
func TestThreatModelNamesTests(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../docs/security.md")
	require.NoError(t, err)
	document, _, found := strings.Cut(string(raw), faultsBegin)
	require.True(t, found)
	written := testsOfAllModules(t)
	assert.Empty(t, missingTests(document, written))
	for name := range written {
		if strings.HasPrefix(name, "Fuzz") {
			assert.Contains(t, document, "`"+name+"`", "the fuzz targets")
		}
	}
	assert.Equal(t, []string{"TestOfNothing"}, missingTests("`TestOfNothing`, `TestFaultMatrix`", written))

	_, model, found := strings.Cut(document, "\n## The threat model\n")
	require.True(t, found)
	model, _, _ = strings.Cut(model, "\n## ")
	sections := strings.Split(model, "\n### ")[1:]
	assert.Len(t, sections, 8)
	for _, section := range sections {
		title, text, _ := strings.Cut(section, "\n")
		rows := 0
		for line := range strings.Lines(text) {
			if cells := strings.Split(strings.TrimSpace(line), " | "); len(cells) == 3 && !strings.HasPrefix(line, "| --") && cells[2] != "the tests |" {
				rows++
				assert.NotEmpty(t, namedTests(cells[2]), "%s: %s", title, line)
			}
		}
		assert.GreaterOrEqual(t, rows, 3, title)
		assert.Contains(t, text, "\n**What remains:**", title)
	}
}

// namedTests are the tests that a text names, in code quotes.
func namedTests(text string) (names []string) {
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`").FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

func missingTests(text string, written map[string]bool) (missing []string) {
	for _, name := range namedTests(text) {
		if !written[name] {
			missing = append(missing, name)
		}
	}
	return missing
}

// testsOfAllModules are the tests and fuzz tests of the repository, whatever their build
// tags.
func testsOfAllModules(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return cmp.Or(err, filepath.SkipDir)
		}
		if entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declared := range file.Decls {
			if f, isFunc := declared.(*ast.FuncDecl); isFunc && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
		return nil
	}))
	return names
}
