package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/creack/pty"
)

// CLI runs the vault command line tool against a server, as one user.
type CLI struct {
	Bin   string
	Addr  string
	Home  string // home directory: the tool keeps its token there
	Token string // VAULT_TOKEN, unless empty
}

// CLI returns a command line user of v with the given home directory.
func (v *Vault) CLI(home, token string) CLI {
	return CLI{Bin: v.config.Bin, Addr: v.Addr, Home: home, Token: token}
}

// CLIResult is how a command ended.
type CLIResult struct {
	Stdout, Stderr string
	Code           int
}

// Run runs one command to its end, with no terminal and nothing to read.
func (c CLI) Run(ctx context.Context, args ...string) (CLIResult, error) {
	return c.RunWith(ctx, nil, args...)
}

// RunWith is Run with something to read.
func (c CLI) RunWith(ctx context.Context, stdin io.Reader, args ...string) (CLIResult, error) {
	cmd := c.command(ctx, args)
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	result := CLIResult{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil // a failed command is a result
	}
	return result, err
}

func (c CLI) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Bin, args...)
	cmd.Env = append(withoutVaultSettings(os.Environ()), "VAULT_ADDR="+c.Addr, "HOME="+c.Home)
	if c.Token != "" {
		cmd.Env = append(cmd.Env, "VAULT_TOKEN="+c.Token)
	}
	return cmd
}

// withoutVaultSettings drops what the caller has set for a Vault or OpenBao of their own.
func withoutVaultSettings(env []string) []string {
	return slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "VAULT_") || strings.HasPrefix(kv, "BAO_") })
}

// Terminal is a command that runs on a terminal of its own.
type Terminal struct {
	cmd   *exec.Cmd
	tty   *os.File
	ended chan struct{} // closed when the screen will not change any more

	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever the screen changes
	screen  bytes.Buffer
}

// OnTerminal starts a command on a terminal. The caller waits for its end with
// Wait; ending ctx ends it.
func (c CLI) OnTerminal(ctx context.Context, args ...string) (*Terminal, error) {
	t := &Terminal{cmd: c.command(ctx, args), ended: make(chan struct{}), changed: make(chan struct{})}
	tty, err := pty.Start(t.cmd)
	if err != nil {
		return nil, err
	}
	t.tty = tty
	go t.read()
	return t, nil
}

func (t *Terminal) read() {
	defer close(t.ended)
	b := make([]byte, 4096)
	for {
		n, err := t.tty.Read(b)
		t.mu.Lock()
		t.screen.Write(b[:n])
		close(t.changed)
		t.changed = make(chan struct{})
		t.mu.Unlock()
		if err != nil { // the command has closed its side
			return
		}
	}
}

// Screen is all that the command has written.
func (t *Terminal) Screen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.screen.String()
}

// WaitFor waits until the screen matches, and returns the match with its
// groups.
func (t *Terminal) WaitFor(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	for {
		t.mu.Lock()
		changed, match := t.changed, pattern.FindStringSubmatch(t.screen.String())
		t.mu.Unlock()
		if match != nil {
			return match, nil
		}
		select {
		case <-changed:
		case <-t.ended:
			if match := pattern.FindStringSubmatch(t.Screen()); match != nil {
				return match, nil
			}
			return nil, fmt.Errorf("the command ended without %q; its screen:\n%s", pattern, t.Screen())
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for %q: %w; the screen:\n%s", pattern, ctx.Err(), t.Screen())
		}
	}
}

// Type types a line.
func (t *Terminal) Type(line string) error {
	_, err := t.tty.WriteString(line + "\n")
	return err
}

// Interrupt types Ctrl-C.
func (t *Terminal) Interrupt() error {
	_, err := t.tty.WriteString("\x03")
	return err
}

// Kill ends the command without asking it.
func (t *Terminal) Kill() error { return t.cmd.Process.Kill() }

// Wait waits for the end of the command and returns its exit code.
func (t *Terminal) Wait() int {
	<-t.ended
	_ = t.cmd.Wait() // the exit code says it
	t.tty.Close()
	return t.cmd.ProcessState.ExitCode()
}
