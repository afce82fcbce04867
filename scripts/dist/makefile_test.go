package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// make runs the Makefile with nothing in PATH but these tools and a go that prints a
// version; "" is no go. It returns what make printed.
func makeWith(t *testing.T, goVersion, target string) (string, error) {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"make", "sh", "awk", "git"} {
		require.NoError(t, os.Symlink(tool(t, name), filepath.Join(bin, name)))
	}
	if goVersion != "" {
		script := "#!/bin/sh\ncase $* in 'env GOVERSION') echo " + goVersion + ";; esac\n"
		require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755))
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "make"), "-C", root, target)
	cmd.Env = []string{"PATH=" + bin}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestMakeSaysWhichGo: without Go, or with one that is too old, make says which is needed.
func TestMakeSaysWhichGo(t *testing.T) {
	t.Parallel()
	for version, found := range map[string]string{"": "none", "go1.9": "go1.9", "go1.25.8": "go1.25.8"} {
		out, err := makeWith(t, version, "lint")
		assert.Error(t, err)
		assert.Contains(t, out, "Go 1.26 or newer is needed (found: "+found+")")
		out, err = makeWith(t, version, "help")
		assert.NoError(t, err, out)
		assert.Contains(t, out, "list the targets")
	}
	for _, version := range []string{"go1.26.0", "go1.27rc1", "go2.0"} {
		out, err := makeWith(t, version, "help")
		assert.NoError(t, err, out)
		out, _ = makeWith(t, version, "acceptance")
		assert.NotContains(t, out, "is needed (found")
	}
}

// TestMakeAcceptanceSaysWhatItLacks: before anything is built.
func TestMakeAcceptanceSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join(root, "scripts/e2e/acceptance_test.go"))
	require.NoError(t, err)
	call := regexp.MustCompile(`requireEnv\(t, (.*)\)`).Find(source)
	names := regexp.MustCompile(`OKTA_[A-Z_]+`).FindAllString(string(call), -1)
	require.Len(t, names, 5)
	out, err := makeWith(t, "go1.26.0", "acceptance")
	require.Error(t, err)
	for _, name := range names {
		assert.Contains(t, out, name)
	}
}

// TestCIRunsCheck: CI and contributors run the same.
func TestCIRunsCheck(t *testing.T) {
	t.Parallel()
	workflow, err := os.ReadFile(filepath.Join(root, ".github/workflows/ci.yml"))
	require.NoError(t, err)
	assert.Contains(t, string(workflow), "- run: make check\n")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^check: ## .*\n\t\.ci/run$`, string(makefile))
}
