package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"
)

// pressInterval is how often the command looks whether the person has pressed Enter.
const pressInterval = 100 * time.Millisecond

// screen is the person: what they read and what they type.
type screen struct {
	out io.Writer
	in  *bufio.Reader // where there is no terminal

	terminal *term.Terminal // nil where there is none
	fd       int            // of the terminal

	person bool // somebody can answer a question again
	wrote  bool // the current line has a countdown
}

// terminal is the person at a terminal, or a program at the other end of a pipe, which
// gives the password as the first line and what is asked then as the next ones.
func terminal(in *os.File, out io.Writer) *screen {
	s := &screen{out: out, in: bufio.NewReader(in), fd: int(in.Fd())}
	if term.IsTerminal(s.fd) {
		s.person = true
		s.terminal = term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{in, out}, "")
	}
	return s
}

// say prints a line.
func (s *screen) say(format string, args ...any) {
	s.endCountDown()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// ask prints a prompt and returns what is typed.
func (s *screen) ask(ctx context.Context, prompt string) (string, error) {
	return s.read(ctx, prompt, func(t *term.Terminal) (string, error) {
		t.SetPrompt(prompt)
		return t.ReadLine()
	})
}

// askSecret is ask for what nobody should see.
func (s *screen) askSecret(ctx context.Context, prompt string) (string, error) {
	return s.read(ctx, prompt, func(t *term.Terminal) (string, error) { return t.ReadPassword(prompt) })
}

// read reads a line. At a terminal it ends the echo before the prompt is there, so that
// nothing is shown of what is typed at once.
func (s *screen) read(ctx context.Context, prompt string, typed func(*term.Terminal) (string, error)) (string, error) {
	s.endCountDown()
	if s.terminal == nil {
		if s.person {
			fmt.Fprint(s.out, prompt)
		}
		line, err := s.await(ctx, s.readLine)
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%q was asked, and nothing came: %w", strings.TrimRight(prompt, ": "), errNoTerminal)
		}
		return line, err
	}
	before, err := term.MakeRaw(s.fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(s.fd, before) }()
	line, err := s.await(ctx, func() (string, error) { return typed(s.terminal) })
	switch {
	case errors.Is(err, term.ErrPasteIndicator): // the line is whole
		err = nil
	case errors.Is(err, io.EOF): // Ctrl-C or Ctrl-D
		err = errInterrupted
	}
	if err != nil {
		fmt.Fprint(s.out, "\r\n") // the prompt's line is still open
	}
	return line, err
}

// await reads in the background, because a read cannot be ended, and the command may be
// told to end.
func (s *screen) await(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		typed string
		err   error
	}
	done := make(chan result, 1)
	go func() {
		typed, err := read()
		done <- result{typed, err}
	}()
	select {
	case r := <-done:
		return r.typed, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (s *screen) readLine() (string, error) {
	line, err := s.in.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

// choose lets the person choose one of several, by its number.
func (s *screen) choose(ctx context.Context, question string, names []string) (int, error) {
	if !s.person {
		return 0, fmt.Errorf("there are several (%s): %w", strings.Join(names, "; "), errNoTerminal)
	}
	s.say("%s", question)
	for i, name := range names {
		s.say("  %d  %s", i+1, name)
	}
	for {
		typed, err := s.ask(ctx, fmt.Sprintf("1 to %d [1]: ", len(names)))
		if err != nil {
			return 0, err
		}
		if typed == "" {
			return 0, nil
		}
		if n, err := strconv.Atoi(strings.TrimSpace(typed)); err == nil && n >= 1 && n <= len(names) {
			return n - 1, nil
		}
	}
}

// canPress reports whether countDown can tell that the person presses Enter.
func (s *screen) canPress() bool { return s.terminal != nil && canPoll(s.fd) }

// countDown waits, and shows at a terminal how much time is left. It ends early if the
// person presses Enter there.
func (s *screen) countDown(ctx context.Context, wait time.Duration, until *time.Time) (pressed bool, err error) {
	if s.person && until != nil {
		if left := time.Until(*until); left > 0 {
			fmt.Fprintf(s.out, "\r%-18s", duration(left)+" left") // over what it said before
			s.wrote = true
		}
	}
	end := time.Now().Add(wait)
	for time.Now().Before(end) && !pressed {
		select {
		case <-time.After(pressInterval):
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if pressed = s.canPress() && typedLine(s.fd); pressed {
			s.wrote = false // Enter has begun a new line
		}
	}
	return pressed, nil
}

func (s *screen) endCountDown() {
	if s.wrote {
		fmt.Fprintln(s.out)
		s.wrote = false
	}
}

// clean makes a text of the server fit for a terminal: control characters could move
// the cursor or change what the person reads.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
