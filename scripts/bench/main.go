package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	rows     *regexp.Regexp
	rounds   int
	duration time.Duration
	quick    bool
	markdown bool
	out      string
	plots    string
	version  string
	commit   string
}

func main() {
	o := options{rows: regexp.MustCompile("")}
	flag.Func("rows", "measure the rows whose names match this `expression`", func(s string) (err error) {
		o.rows, err = regexp.Compile(s)
		return err
	})
	flag.IntVar(&o.rounds, "rounds", 0, "rounds of each row (5; 3 with -quick)")
	flag.DurationVar(&o.duration, "duration", 0, "how long a round lasts for each subject (2s; 1s with -quick)")
	flag.BoolVar(&o.quick, "quick", false, "measure a few of the rows, in about four minutes")
	flag.BoolVar(&o.markdown, "markdown", false, "print tables as Markdown")
	flag.StringVar(&o.out, "out", "", "write all numbers to this `file`, as JSON")
	flag.StringVar(&o.plots, "plots", "", "draw plots into this `directory`, as SVG")
	flag.StringVar(&o.version, "version", "v0.0.0-bench", "version to build the plugin with")
	flag.StringVar(&o.commit, "commit", "unknown", "commit that the plugin is built from")
	flag.Parse()

	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // it is under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	// The orgs and the clients share the machine with what is measured: let them
	// collect garbage seldom.
	debug.SetGCPercent(400)
	if err := run(ctx, o.withDefaults(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o options) withDefaults() options {
	rounds, duration := 5, 2*time.Second
	if o.quick {
		rounds, duration = 3, time.Second
	}
	if o.rounds <= 0 {
		o.rounds = rounds
	}
	if o.duration <= 0 {
		o.duration = duration
	}
	return o
}

func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp("", "okta-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	s, err := newStage(ctx, dir, o.version)
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Fprintf(stderr, "up after %.0f s\n", time.Since(began).Seconds())

	budget := 90 * time.Second
	if o.quick {
		budget = 20 * time.Second
	}
	out := &result{Machine: thisMachine(s, o)}
	r := &runner{stage: s, rounds: o.rounds, duration: o.duration, budget: budget, log: stderr}
	if err := r.all(ctx, o, out); err != nil {
		return err
	}
	out.Machine.LoadEnd = loadAverage()
	fmt.Fprintf(stderr, "measured in %.0f s\n", time.Since(began).Seconds())
	if err := write(o, out); err != nil {
		return err
	}
	_, err = io.WriteString(stdout, out.tables(o.markdown))
	return err
}

// all measures what is asked for. What fails is noted, and the rest goes on.
func (r *runner) all(ctx context.Context, o options, out *result) error {
	wanted := func(name string, quick bool) bool { return o.rows.MatchString(name) && (quick || !o.quick) }
	note := func(name string, err error) error {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			out.Notes = append(out.Notes, fmt.Sprintf("%s: %v", name, err))
			fmt.Fprintf(r.log, "  %v\n", err)
		}
		return nil
	}
	measure := func(list ...special) error {
		for _, special := range list {
			if !wanted(special.name, special.quick) {
				continue
			}
			fmt.Fprintln(r.log, special.name)
			figures, err := special.measure(ctx, r, o.quick)
			out.Figures = append(out.Figures, figures...)
			if err := note(special.name, err); err != nil {
				return err
			}
		}
		return nil
	}
	if err := measure(specials()[0]); err != nil {
		return err
	}
	for _, row := range rows() {
		if !wanted(row.name, row.quick) {
			continue
		}
		began := time.Now()
		measured, err := r.measure(ctx, row)
		if err == nil {
			out.Rows = append(out.Rows, measured)
		}
		measuredIn := time.Since(began)
		err = errors.Join(err, r.forget(ctx))
		fmt.Fprintf(r.log, "%s (%.0f s, and %.0f s to revoke the tokens)\n",
			row.name, measuredIn.Seconds(), (time.Since(began) - measuredIn).Seconds())
		if err := note(row.name, err); err != nil {
			return err
		}
	}
	return measure(specials()[1:]...)
}

// write writes the files that were asked for.
func write(o options, out *result) error {
	if o.out != "" {
		raw, err := json.MarshalIndent(out, "", " ")
		if err == nil {
			err = os.MkdirAll(filepath.Dir(o.out), 0o755)
		}
		if err == nil {
			err = os.WriteFile(o.out, append(raw, '\n'), 0o644)
		}
		if err != nil {
			return err
		}
	}
	if o.plots == "" {
		return nil
	}
	return out.plot(o.plots)
}
