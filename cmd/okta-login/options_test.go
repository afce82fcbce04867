package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettings(t *testing.T) {
	for name, row := range map[string]struct {
		env     environ
		args    []string
		address string
		openBao bool
	}{
		"default": {nil, nil, "https://127.0.0.1:8200", false},
		"Vault":   {environ{"VAULT_ADDR": "https://v.test"}, nil, "https://v.test", false},
		"OpenBao": {environ{"BAO_ADDR": "https://b.test"}, nil, "https://b.test", true},
		"both":    {environ{"VAULT_ADDR": "https://v.test", "BAO_ADDR": "https://b.test"}, nil, "https://v.test", false},
		"flag":    {environ{"VAULT_ADDR": "https://v.test"}, []string{"mia", "-address", "https://f.test"}, "https://f.test", false},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parse(row.args, row.env)
			require.NoError(t, err)
			require.Equal(t, row.address, o.address)
			require.Equal(t, row.openBao, o.openBao)
		})
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"}, {"mia", "pia"}, {"-mount", "/"}, {"-format", "yaml"}, {"-completion", "tcsh"}, {"-address", "nowhere"},
		{"-ca-cert", "/does/not/exist", "mia"},
	} {
		var stdout, read bytes.Buffer
		code := run(context.Background(), args, environ{}, &screen{out: &read}, &stdout)
		require.Equal(t, exitUsage, code, "%q: %s", args, read.String())
	}
}

func TestTokenHelper(t *testing.T) {
	home := t.TempDir()
	helper, kept := filepath.Join(home, "helper"), filepath.Join(home, "kept")
	require.NoError(t, os.WriteFile(helper, []byte("#!/bin/sh\n[ \"$1\" = store ] && cat > "+kept+"\n"), 0o700))
	for config, want := range map[string]string{
		`token_helper = "` + helper + `"`:        helper,
		"# token_helper = \"/bin/false\"\n":      "",
		`{"token_helper": "` + helper + `"}`:     helper,
		"other = 1\n  token_helper = \"/x y\"\n": "/x y",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(home, ".bao"), []byte(config), 0o600))
		got, err := tokenHelper(environ{"HOME": home}, &options{openBao: true})
		require.NoError(t, err)
		require.Equal(t, want, got, config)
	}
	require.NoError(t, os.WriteFile(filepath.Join(home, ".vault"), []byte(`token_helper = "`+helper+`"`), 0o600))
	_, err := storeToken(context.Background(), environ{"HOME": home}, &options{}, "hvs.made-up")
	require.NoError(t, err)
	stored, err := os.ReadFile(kept)
	require.NoError(t, err)
	require.Equal(t, "hvs.made-up", string(stored))
	require.NoFileExists(t, filepath.Join(home, ".vault-token"))
}

func TestDeviceTokenIsKept(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	one := deviceToken(&options{mount: "okta"})
	require.Regexp(t, deviceTokenPattern, one)
	require.Equal(t, one, deviceToken(&options{mount: "okta"}))
	require.NotEqual(t, one, deviceToken(&options{mount: "other"}), "each mount has its own")
}

// Every flag stands in the man page, in the guide, and in each shell's completion.
func TestFlagsAreDocumented(t *testing.T) {
	documents := map[string]string{}
	for _, file := range []string{"../../docs/okta-login.1", "../../docs/okta-login.md"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		documents[file] = string(text)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var b bytes.Buffer
		require.NoError(t, printCompletion(&b, shell))
		documents[shell] = b.String()
	}
	flagSet(&options{}).VisitAll(func(f *flag.Flag) {
		for where, text := range documents {
			require.Contains(t, text, f.Name, where)
		}
	})
}
