package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func document(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(content)
}

// TestModulesAreKept: the static analyser, the check of go.sum and dependabot know each
// module. The Vault of scripts/vault is pinned by hand.
func TestModulesAreKept(t *testing.T) {
	t.Parallel()
	var modules []string
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == filepath.Join(root, "bin") || entry.Name() == ".git" || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.Name() == "go.mod":
			directory, err := filepath.Rel(root, filepath.Dir(path))
			modules = append(modules, directory)
			return err
		}
		return nil
	}))
	require.Greater(t, len(modules), 3)

	tidied := regexp.MustCompile(`(?m)^for module in (.*); do$`).FindStringSubmatch(document(t, ".ci/run"))
	require.NotNil(t, tidied)
	assert.ElementsMatch(t, modules, strings.Fields(tidied[1]), ".ci/run")

	var bot struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directories []string
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(document(t, ".github/dependabot.yml")), &bot))
	var watched []string
	for _, update := range bot.Updates {
		if update.Ecosystem == "gomod" {
			watched = append(watched, update.Directories...)
		}
	}
	for _, module := range modules {
		assert.Equal(t, module != "scripts/vault", slices.Contains(watched, filepath.Join("/", module)), "%s in dependabot.yml", module)
	}

	vetted := regexp.MustCompile(`(?m)^MODULES := (.*)$`).FindStringSubmatch(document(t, "Makefile"))
	require.NotNil(t, vetted)
	assert.ElementsMatch(t, slices.DeleteFunc(modules, func(m string) bool { return m == "scripts/vault" || m == "scripts/lint" }),
		strings.Fields(vetted[1]), "the Makefile")
}

// TestDecisionsAreShort: each is on the list, and a screen long at most.
func TestDecisionsAreShort(t *testing.T) {
	t.Parallel()
	const dir = "docs/decisions"
	list := document(t, dir+"/README.md")
	entries, err := os.ReadDir(filepath.Join(root, dir))
	require.NoError(t, err)
	require.Greater(t, len(entries), 5)
	for _, entry := range entries {
		page := document(t, dir+"/"+entry.Name())
		assert.LessOrEqual(t, strings.Count(page, "\n"), 30, entry.Name())
		title, _, _ := strings.Cut(strings.TrimPrefix(page, "# "), "\n")
		if entry.Name() != "README.md" {
			assert.Contains(t, list, "- ["+title+"]("+entry.Name()+")\n")
		}
	}
}

// TestContributingNamesATest that exists, and targets that do.
func TestContributingNamesATest(t *testing.T) {
	t.Parallel()
	page := document(t, "CONTRIBUTING.md")
	named := regexp.MustCompile(`-run '\^(Test\w+)\$'`).FindStringSubmatch(page)
	require.NotNil(t, named)
	sources, err := filepath.Glob(filepath.Join(root, "scripts/e2e/*_test.go"))
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(sources, func(path string) bool {
		source, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(source), "\nfunc "+named[1]+"(t *testing.T) {")
	}), named[1])
	targets := regexp.MustCompile(`\bmake ([a-z-]+)\b`).FindAllStringSubmatch(page, -1)
	require.NotEmpty(t, targets)
	for _, target := range targets {
		assert.Regexp(t, `(?m)^`+target[1]+`: .*## `, document(t, "Makefile"))
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(page, -1) {
		assert.FileExists(t, filepath.Join(root, link[1]))
	}
}
