// Okta-login logs a person in to Vault or OpenBao through the Okta auth method, and
// keeps the token where the command line tool of either expects it.
//
// It asks for what the login needs, one thing after the other: the password, which
// factor, a passcode. docs/okta-login.md tells how to use it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/tokenhelper"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/cores"
)

// The exit codes.
const (
	exitRefused     = 1   // the login was refused, or a factor was
	exitUsage       = 2   // the command line makes no sense
	exitNoTerminal  = 3   // something has to be asked, and nobody is there
	exitUnavailable = 4   // the server cannot be reached, or fails
	exitNotStored   = 5   // logged in, but the token could not be stored
	exitInterrupted = 130 // Ctrl-C, as a shell tells it
)

// version is set by the build.
var version = "dev"

func main() {
	_ = cores.Disable() // the login goes on where the system refuses that
	// A window that is closed sends SIGHUP, and Ctrl-\ SIGQUIT: no push may stay then, either.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	bao := asVault(os.Environ())
	for name, value := range bao {
		_ = os.Setenv(name, value) // fails for no name and no value that come from the environment
	}
	os.Exit(run(ctx, os.Args[1:], bao != nil, terminal(os.Stdin, os.Stderr), os.Stdout))
}

// run runs the command and returns its exit code. What people read goes to the
// screen, and the result to stdout. Of what servers say, nothing can move the cursor.
func run(ctx context.Context, args []string, openBao bool, screen *screen, stdout io.Writer) int {
	opts, err := parse(args, openBao)
	if err == nil {
		err = perform(ctx, opts, screen, stdout)
	}
	if ctx.Err() != nil && err != nil && !errors.Is(err, errNotStored) { // which says what has become of the token
		err = errInterrupted
	}
	if err == nil {
		return 0
	}
	screen.say("okta-login: %s", clean(err.Error()))
	return exitCode(err)
}

// The kinds of errors that have an exit code of their own.
var (
	errInterrupted = errors.New("interrupted")
	errUsage       = errors.New("see okta-login -help")
	errNoTerminal  = errors.New("this is no terminal")
	errUnavailable = errors.New("the server could not be reached")
	errNotStored   = errors.New("the token was not stored")
)

func exitCode(err error) int {
	for _, row := range []struct {
		kind error
		code int
	}{
		{errInterrupted, exitInterrupted}, {errUsage, exitUsage}, {errNoTerminal, exitNoTerminal},
		{errUnavailable, exitUnavailable}, {errNotStored, exitNotStored},
	} {
		if errors.Is(err, row.kind) {
			return row.code
		}
	}
	return exitRefused
}

// perform does what the options say.
func perform(ctx context.Context, opts *options, screen *screen, stdout io.Writer) error {
	switch {
	case opts.help:
		printHelp(stdout)
		return nil
	case opts.version:
		fmt.Fprintln(stdout, "okta-login "+version)
		return nil
	case opts.completion != "":
		return printCompletion(stdout, opts.completion)
	}
	server, err := newServer(opts)
	if err != nil {
		return err
	}
	var helper tokenhelper.TokenHelper
	if opts.stores() { // what is wrong with it is said before the person has typed anything
		if helper, err = tokenHelper(opts); err != nil {
			return err
		}
	}
	if server.isPlain() {
		screen.say("Warning: http:// sends the password to %s for everybody on the way to read.", clean(opts.address))
	}
	login := &login{server: server, screen: screen, opts: opts}
	if !opts.noDeviceToken {
		login.deviceToken = deviceToken(opts)
	}
	answer, err := login.run(ctx)
	if err != nil {
		return err
	}
	screen.endCountDown()
	if helper == nil {
		return printResult(stdout, opts, answer)
	}
	where, err := storeToken(ctx, helper, answer.Auth.ClientToken)
	if err != nil {
		if revokeErr := server.revoke(answer.Auth.ClientToken); revokeErr != nil {
			return fmt.Errorf("%w, and is still valid: %w", errNotStored, err)
		}
		return fmt.Errorf("%w, and has been revoked: %w", errNotStored, err)
	}
	if err := printResult(stdout, opts, answer); err != nil || opts.format != "" {
		return err
	}
	fmt.Fprintf(stdout, "The token is kept %s.\n", clean(where))
	for _, variable := range []string{opts.variable("TOKEN"), api.EnvVaultToken} {
		if os.Getenv(variable) != "" {
			screen.say("Warning: %s is set, and commands use it instead: unset it.", variable)
			break
		}
	}
	return nil
}
