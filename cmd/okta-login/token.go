package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// tokenFile is where both tools keep the token, below the home directory.
const tokenFile = ".vault-token"

// storeToken keeps the token where the command line tool of the server looks for it:
// with the token helper that its configuration names, or in the file that both tools
// share. It says where that is.
// https://developer.hashicorp.com/vault/docs/commands/token-helper
// https://openbao.org/docs/commands/token-helper
func storeToken(ctx context.Context, env environ, o *options, token string) (where string, err error) {
	helper, err := tokenHelper(env, o)
	if err != nil {
		return "", err
	}
	if helper != "" {
		return "by " + helper, runHelper(ctx, helper, o, token)
	}
	if env.home() == "" {
		return "", errors.New("HOME is not set: use -no-store or -format=token")
	}
	return "in ~/" + tokenFile, writePrivate(filepath.Join(env.home(), tokenFile), token)
}

// helperPattern finds the setting in a configuration in HCL or JSON.
var helperPattern = regexp.MustCompile(`(?m)^[\s{]*"?token_helper"?\s*[=:]\s*("(?:[^"\\]|\\.)*")`)

// tokenHelper is the program that the configuration of the command line tool names, or
// empty.
func tokenHelper(env environ, o *options) (string, error) {
	variable, file := "VAULT_CONFIG_PATH", ".vault"
	if o.openBao {
		variable, file = "BAO_CONFIG_PATH", ".bao"
	}
	path := env[variable]
	if path == "" {
		if env.home() == "" {
			return "", nil
		}
		path = filepath.Join(env.home(), file)
	}
	config, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	found := helperPattern.FindSubmatch(config)
	if found == nil {
		return "", nil
	}
	helper, err := strconv.Unquote(string(found[1]))
	if err != nil {
		return "", fmt.Errorf("token_helper in %s is not a string", path)
	}
	return helper, nil
}

func runHelper(ctx context.Context, helper string, o *options, token string) error {
	cmd := exec.CommandContext(ctx, helper, "store")
	cmd.Stdin = strings.NewReader(token)
	cmd.Env = append(os.Environ(), "VAULT_ADDR="+o.address, "BAO_ADDR="+o.address)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the token helper %s: %w: %s", helper, err, clean(strings.TrimSpace(stderr.String())))
	}
	return nil
}

// writePrivate writes a file that only its owner can read, whole or not at all.
func writePrivate(path, content string) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails once it has its name
	_, err = temp.WriteString(content)
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path) // CreateTemp gives it to the owner alone
}
