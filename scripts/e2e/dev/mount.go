package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// setUp registers the plugin and configures a mount at okta/ with a policy for
// a user and one for a group of theirs.
func setUp(ctx context.Context, v *harness.Vault, plugin harness.Plugin, sim *simulator, u user) error {
	if err := v.RegisterPlugin(ctx, plugin); err != nil {
		return err
	}
	for _, step := range []struct {
		path string
		body map[string]any
	}{
		{"sys/auth/okta", map[string]any{"type": "okta", "config": map[string]any{"plugin_version": plugin.Version}}},
		{"auth/okta/config", map[string]any{
			"org_name": "acme", "base_url": sim.URL, "api_token": sim.APIToken,
			"mfa_factors": "push,totp,sms,call,email,token,question", // the simulated people have all of them
		}},
		{"auth/okta/groups/" + u.group(), map[string]any{"policies": "group-policy"}},
		{"auth/okta/users/" + u.Login, map[string]any{"policies": "user-policy"}},
	} {
		a, err := v.Do(ctx, harness.Request{
			Method: http.MethodPost, Path: step.path, Token: v.RootToken, Body: step.body,
		})
		if err == nil {
			err = a.Err()
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", step.path, err)
		}
	}
	return nil
}

// firstLogins logs in with the real command line tool, by password and by
// passcode: what the guide says works.
func firstLogins(ctx context.Context, v *harness.Vault, sim *simulator, who cast, dir string) error {
	cli := v.CLI(filepath.Join(dir, "home"), "")
	if err := os.Mkdir(cli.Home, 0o700); err != nil {
		return err
	}
	if err := login(ctx, cli, who.Plain); err != nil {
		return err
	}
	// Not the code that the guide asks for: a passcode works once.
	code, err := sim.passcode(ctx, who.Push.Login)
	if err != nil {
		return err
	}
	return login(ctx, cli, who.Push, "totp="+code)
}

func login(ctx context.Context, cli harness.CLI, u user, more ...string) error {
	args := append([]string{"login", "-method=okta", "username=" + u.Login, "password=" + u.Password}, more...)
	result, err := cli.Run(ctx, args...)
	if err != nil {
		return err
	}
	if result.Code != 0 {
		return fmt.Errorf("vault login ended with status %d: %s", result.Code, result.Stderr)
	}
	fmt.Fprintln(os.Stderr, "logged in as", u.Login)
	return nil
}
