package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// snippets are the blocks of docs/install.md in a language.
func snippets(t *testing.T, language string) [][]byte {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/install.md"))
	require.NoError(t, err)
	var all [][]byte
	for _, block := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(page, -1) {
		all = append(all, block[1])
	}
	require.NotEmpty(t, all, "docs/install.md has nothing in %s", language)
	return all
}

// tool finds a program, or skips the test and says so.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not in PATH: its snippet in docs/install.md is not checked", name)
	}
	return path
}

func succeeds(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s: %s", cmd, out)
}

// TestInstallTerraform: Terraform can read its snippet, and that for OpenBao, which is in
// the same language; and it would write them as they are.
func TestInstallTerraform(t *testing.T) {
	t.Parallel()
	terraform := tool(t, "terraform")
	for _, snippet := range append(snippets(t, "terraform"), snippets(t, "hcl")...) {
		cmd := exec.CommandContext(t.Context(), terraform, "fmt", "-check", "-diff", "-")
		cmd.Dir, cmd.Stdin = t.TempDir(), bytes.NewReader(snippet)
		succeeds(t, cmd)
	}
}

// TestInstallSystemd: the snippet fits to a unit.
func TestInstallSystemd(t *testing.T) {
	t.Parallel()
	analyze, dir := tool(t, "systemd-analyze"), t.TempDir()
	unit := append([]byte("[Service]\nExecStart=/bin/true\n"), snippets(t, "ini")[0]...)
	path := filepath.Join(dir, "vault.service")
	require.NoError(t, os.WriteFile(path, unit, 0o644))
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.NotContains(t, string(out), path, "what systemd does not know it only warns of")
}

// TestInstallHelm: the values are YAML, and what the init container runs is a script that
// takes what has the checksum and nothing else.
func TestInstallHelm(t *testing.T) {
	t.Parallel()
	var values struct {
		Server struct {
			ExtraInitContainers []struct {
				Command, Args []string
				VolumeMounts  []struct{ Name string }
			} `yaml:"extraInitContainers"`
			Volumes      []struct{ Name string }
			VolumeMounts []struct{ Name string } `yaml:"volumeMounts"`
		}
	}
	require.NoError(t, yaml.Unmarshal(snippets(t, "yaml")[0], &values))
	server := values.Server
	require.Len(t, server.ExtraInitContainers, 1)
	require.Len(t, server.Volumes, 1)
	require.Len(t, server.VolumeMounts, 1)
	assert.Equal(t, server.Volumes[0].Name, server.VolumeMounts[0].Name)
	container := server.ExtraInitContainers[0]
	require.Equal(t, []string{"sh", "-ec"}, container.Command)
	require.Len(t, container.Args, 1)

	for checksum, want := range map[string]bool{digest([]byte("binary"))[len("sha256:"):]: true, digest([]byte("another"))[len("sha256:"):]: false} {
		dir, bin := t.TempDir(), t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(bin, "wget"), []byte("#!/bin/sh\nprintf binary > \"$3\"\n"), 0o755))
		script := regexp.MustCompile(`(?m)^cd /plugins$`).ReplaceAllLiteralString(container.Args[0], "cd "+dir)
		require.NotEqual(t, container.Args[0], script)
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "SHA256="+checksum)
		err := cmd.Run()
		assert.Equal(t, want, err == nil)
		_, err = os.Stat(filepath.Join(dir, plugin))
		assert.Equal(t, want, err == nil, "the plugin is there")
	}
}

// TestInstallCompose: Docker can read the demo.
func TestInstallCompose(t *testing.T) {
	t.Parallel()
	snippet := snippets(t, "yaml")[1]
	var demo map[string]any
	require.NoError(t, yaml.Unmarshal(snippet, &demo))
	docker := tool(t, "docker")
	if err := exec.CommandContext(t.Context(), docker, "compose", "version").Run(); err != nil {
		t.Skip("docker has no compose: the snippet in docs/install.md is checked as YAML only")
	}
	cmd := exec.CommandContext(t.Context(), docker, "compose", "-f", "-", "config", "--quiet")
	cmd.Dir, cmd.Stdin = t.TempDir(), bytes.NewReader(snippet)
	succeeds(t, cmd)
}
