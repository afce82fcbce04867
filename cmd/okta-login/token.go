package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/vault/api/cliconfig"
	"github.com/hashicorp/vault/api/tokenhelper"
)

// tokenHelper is what keeps the token for the command line tool of the server: the
// program that its configuration names, or else the file that both tools share.
// https://developer.hashicorp.com/vault/docs/commands/token-helper
// https://openbao.org/docs/commands/token-helper
func tokenHelper(o *options) (tokenhelper.TokenHelper, error) {
	if _, err := os.UserHomeDir(); err != nil {
		return nil, fmt.Errorf("the token cannot be kept: %w (use -no-store or -format=token): %w", err, errUsage)
	}
	helper, err := cliconfig.DefaultTokenHelper()
	if err != nil {
		return nil, fmt.Errorf("token helper: %w (-no-store and -format=token need none): %w", err, errUsage)
	}
	if external, ok := helper.(*tokenhelper.ExternalTokenHelper); ok {
		external.Env = append(os.Environ(), "VAULT_ADDR="+o.address, "BAO_ADDR="+o.address)
	}
	return helper, nil
}

// storeToken gives the token to the helper and says where it is kept.
func storeToken(ctx context.Context, helper tokenhelper.TokenHelper, token string) (where string, err error) {
	stored := make(chan error, 1)
	go func() { stored <- helper.Store(token) }()
	select {
	case err = <-stored:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if err != nil { // a program that fails may have printed what it was given
		return "", errors.New(strings.ReplaceAll(err.Error(), token, "…"))
	}
	if external, ok := helper.(*tokenhelper.ExternalTokenHelper); ok {
		return "by " + external.BinaryPath, nil
	}
	return "in ~/" + filepath.Base(helper.Path()), nil
}
