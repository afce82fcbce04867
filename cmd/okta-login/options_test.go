package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettings(t *testing.T) {
	t.Setenv("VAULT_ADDR", "https://v.test")
	t.Setenv("VAULT_NAMESPACE", "of-the-environment")
	o, err := parse(nil, false)
	require.NoError(t, err)
	require.Equal(t, "https://v.test", o.address)
	require.Equal(t, "of-the-environment", o.namespace)
	t.Setenv("VAULT_AGENT_ADDR", "https://agent.test")
	o, err = parse(nil, false)
	require.NoError(t, err)
	s, err := newServer(&options{address: o.address})
	require.NoError(t, err)
	require.Equal(t, "https://agent.test", s.client.Address(), "as for vault")
	o, err = parse([]string{"mia", "-address", "https://f.test", "-namespace", "of-the-flag"}, false)
	require.NoError(t, err)
	s, err = newServer(&options{address: o.address})
	require.NoError(t, err)
	require.Equal(t, "https://f.test", s.client.Address(), "a flag stands above the variables")
	require.Equal(t, "of-the-flag", o.namespace)
	require.Equal(t, "mia", o.username)
}

// What is meant for OpenBao counts as it does for bao, and what is left from a Vault does
// not make a login less safe.
func TestVariablesOfOpenBao(t *testing.T) {
	for name, row := range map[string]struct {
		environ []string
		want    map[string]string
	}{
		"none":  {nil, nil},
		"Vault": {[]string{"VAULT_ADDR=https://v.test"}, nil},
		"both":  {[]string{"VAULT_ADDR=https://v.test", "BAO_ADDR=https://b.test", "BAO_SKIP_VERIFY=1"}, nil},
		"OpenBao without an address": {[]string{"BAO_NAMESPACE=b", "VAULT_NAMESPACE=v"},
			map[string]string{"VAULT_NAMESPACE": "b", "VAULT_CONFIG_PATH": "~/.bao"}},
		"OpenBao": {[]string{"BAO_ADDR=https://b.test", "VAULT_AGENT_ADDR=https://v.test", "VAULT_SKIP_VERIFY=1", "BAO_SKIP_VERIFY=false", "VAULT_NAMESPACE=v", "BAO_NAMESPACE="},
			map[string]string{"VAULT_ADDR": "https://b.test", "VAULT_AGENT_ADDR": "", "VAULT_SKIP_VERIFY": "false", "VAULT_NAMESPACE": "", "VAULT_CONFIG_PATH": "~/.bao"}},
		"with a configuration": {[]string{"BAO_ADDR=https://b.test", "BAO_CONFIG_PATH=/etc/bao"},
			map[string]string{"VAULT_ADDR": "https://b.test", "VAULT_AGENT_ADDR": "", "VAULT_CONFIG_PATH": "/etc/bao"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, asVault(row.environ)) })
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"}, {"mia", "pia"}, {"-mount", "/"}, {"-format", "yaml"}, {"-completion", "tcsh"}, {"-address", "nowhere"},
		{"-address", "ftp://vault.test"}, {"-ca-cert", "/does/not/exist", "mia"}, {"-client-cert", "/does/not/exist", "mia"},
	} {
		var stdout, read bytes.Buffer
		code := run(t.Context(), args, false, &screen{out: &read}, &stdout)
		require.Equal(t, exitUsage, code, "%q: %s", args, read.String())
	}
	for variable, value := range map[string]string{"VAULT_SKIP_VERIFY": "perhaps", "VAULT_CLIENT_TIMEOUT": "soon"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			var stdout, read bytes.Buffer
			require.Equal(t, exitUsage, run(t.Context(), []string{"mia"}, false, &screen{out: &read}, &stdout))
			require.Contains(t, read.String(), variable)
		})
	}
	// The password does not go to another path than the login's.
	for _, args := range [][]string{{".."}, {"mia/"}, {"-mount", "a//b", "mia"}, {"-mount", "../sys", "mia"}} {
		o := runAs(t, true, script(t).URL, "pw\n", append(args, "-no-device-token")...)
		require.Equal(t, exitUsage, o.code, "%q: %s", args, o.read)
	}
}

func TestTokenHelper(t *testing.T) {
	dir := t.TempDir()
	helper, kept := filepath.Join(dir, "helper"), filepath.Join(dir, "kept")
	require.NoError(t, os.WriteFile(helper, []byte("#!/bin/sh\n[ \"$1\" = store ] && { cat; echo \" for $VAULT_ADDR\"; } > "+kept+"\n"), 0o700))
	for name, config := range map[string]string{
		"HCL": "# token_helper = \"/bin/false\"\ntoken_helper = \"" + helper + "\"\n", "JSON": `{"token_helper": "` + helper + `"}`,
		"none": "/* token_helper = \"/bin/false\" */\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(filepath.Join(home, "config"), []byte(config), 0o600))
			t.Setenv("VAULT_CONFIG_PATH", "~/config")
			require.NoError(t, os.RemoveAll(kept))
			server := script(t, reply{body: tokenBody})
			o := performAs(t, true, server.URL, "pw\n")
			require.Zero(t, o.code, o.read)
			if name == "none" {
				require.Equal(t, "hvs.made-up", o.kept)
				return
			}
			require.Contains(t, o.stdout, "The token is kept by "+helper)
			stored, err := os.ReadFile(kept)
			require.NoError(t, err)
			require.Equal(t, "hvs.made-up for "+server.URL+"\n", string(stored))
			require.Empty(t, o.kept)
		})
	}
}

func TestDeviceTokenIsKept(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	one := deviceToken(&options{mount: "okta"})
	require.Regexp(t, deviceTokenPattern, one)
	require.Equal(t, one, deviceToken(&options{mount: "okta"}))
	require.NotEqual(t, one, deviceToken(&options{mount: "other"}), "each mount has its own")
}

// The man page, the guide and each shell's completion name the flags that there are, and
// no others.
func TestFlagsAreDocumented(t *testing.T) {
	var want []string
	flagSet(&options{}).VisitAll(func(f *flag.Flag) { want = append(want, f.Name) })
	documents := map[string][]string{
		"man page": matches(t, "../../docs/okta-login.1", `(?m)^\.BI? \\-([a-z-]+)`),
		"guide":    nil,
	}
	for _, row := range matches(t, "../../docs/okta-login.md", `(?m)^\| (`+"`-[^|]+`"+`) \|`) {
		for _, name := range strings.Split(row, ", ") {
			documents["guide"] = append(documents["guide"], strings.Trim(name, "`-"))
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var b bytes.Buffer
		require.NoError(t, printCompletion(&b, shell))
		for _, found := range regexp.MustCompile(`(?:[ ('"]-(?:o )?|^-)([a-z][a-z-]+)`).FindAllStringSubmatch(flagsOf(shell, b.String()), -1) {
			documents[shell] = append(documents[shell], found[1])
		}
	}
	for where, got := range documents {
		require.ElementsMatch(t, want, got, where)
	}
}

// flagsOf is the part of a completion that lists flags.
func flagsOf(shell, text string) string {
	switch shell {
	case "bash":
		_, text, _ = strings.Cut(text, "-W ")
	case "zsh":
		_, text, _ = strings.Cut(text, "flag:")
	case "fish":
		text = strings.ReplaceAll(text, "complete -c okta-login", "")
	}
	return text
}

func TestExitCodesAreDocumented(t *testing.T) {
	var want []string
	for _, code := range []int{0, exitRefused, exitUsage, exitNoTerminal, exitUnavailable, exitNotStored, exitInterrupted} {
		want = append(want, strconv.Itoa(code))
	}
	require.Equal(t, want, matches(t, "../../docs/okta-login.md", `(?m)^\| (\d+) \|`))
	require.Equal(t, want, matches(t, "../../docs/okta-login.1", `(?m)^\.B (\d+)$`))
}

// matches are the first groups of all matches in a file.
func matches(t *testing.T, file, pattern string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		found = append(found, m[1])
	}
	return found
}
