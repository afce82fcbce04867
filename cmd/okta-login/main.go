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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], environment(), terminal(os.Stdin, os.Stderr), os.Stdout))
}

// run runs the command and returns its exit code. What people read goes to the
// screen, and the result to stdout.
func run(ctx context.Context, args []string, env environ, screen *screen, stdout io.Writer) int {
	opts, err := parse(args, env)
	if err == nil {
		err = perform(ctx, opts, env, screen, stdout)
	}
	if ctx.Err() != nil && err != nil {
		err = errInterrupted
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(screen.out, "okta-login: %v\n", err)
	return exitCode(err)
}

// The kinds of errors that have an exit code of their own.
var (
	errInterrupted = errors.New("interrupted: the login was cancelled")
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
func perform(ctx context.Context, opts *options, env environ, screen *screen, stdout io.Writer) error {
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
	login := &login{server: server, screen: screen, opts: opts}
	if !opts.noDeviceToken {
		login.deviceToken = deviceToken(opts)
	}
	auth, err := login.run(ctx)
	if err != nil {
		return err
	}
	screen.endCountDown()
	if err := printResult(stdout, opts, auth); err != nil {
		return err
	}
	if !opts.stores() {
		return nil
	}
	where, err := storeToken(ctx, env, opts, auth.ClientToken)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotStored, err)
	}
	if opts.format == "" {
		fmt.Fprintf(stdout, "The token is kept %s.\n", where)
	}
	return nil
}
