package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// warmUp is how long each subject runs before the rounds of a row.
const warmUp = 300 * time.Millisecond

// runner measures rows.
type runner struct {
	*stage
	rounds   int
	duration time.Duration // of a round; logins that have begun are waited for
	budget   time.Duration // of a row: no round begins after it
	log      io.Writer
}

// measure runs a row. An error of ctx ends all; another one is about this row.
func (r *runner) measure(ctx context.Context, row row) (rowResult, error) {
	out := rowResult{Name: row.name, Workers: row.workers}
	for _, o := range r.orgs() {
		o.setLatencies(row.latencies)
		defer o.setLatencies(nil) // what follows the rows is measured without
	}
	contestants, err := row.build(ctx, r.stage, row)
	if err != nil {
		return out, err
	}
	for _, c := range contestants {
		first, _, err := r.round(ctx, c, row.workers, warmUp)
		if err != nil {
			return out, fmt.Errorf("%s: %w", c.label, err)
		}
		if first.Failed > 0 {
			return out, fmt.Errorf("%s: %d of %d logins failed in the warm-up", c.label, first.Failed, first.Logins)
		}
		out.Subjects = append(out.Subjects, subjectResult{Name: c.label, Method: c.org != nil, InVault: !c.outside})
	}
	all := make([][]time.Duration, len(contestants))
	for n, began := 0, time.Now(); n < r.rounds && (n == 0 || time.Since(began) < r.budget); n++ {
		for position := range contestants {
			i := (position + n) % len(contestants)
			one, each, err := r.round(ctx, contestants[i], row.workers, r.duration)
			if err != nil {
				return out, fmt.Errorf("%s: %w", contestants[i].label, err)
			}
			one.Round, one.Position = n, position
			out.Subjects[i].Rounds = append(out.Subjects[i].Rounds, one)
			all[i] = append(all[i], each...)
		}
	}
	for i := range out.Subjects {
		out.Subjects[i].All = summarize(all[i])
	}
	return out, nil
}

// round lets the workers of one subject run for a time. It returns the
// latencies of what succeeded, and an error if nothing did.
func (r *runner) round(ctx context.Context, c contestant, workers int, duration time.Duration) (round, []time.Duration, error) {
	before, err := r.probe(c.subject)
	if err != nil {
		return round{}, nil, err
	}
	var (
		group   sync.WaitGroup
		each    = make([][]time.Duration, workers)
		failed  = make([]int, workers)
		problem = make([]error, workers)
		began   = time.Now()
	)
	for worker := range workers {
		group.Go(func() {
			for now := began; ctx.Err() == nil; {
				err := c.run(ctx, worker)
				after := time.Now()
				if err != nil {
					failed[worker]++
					problem[worker] = err
				} else {
					each[worker] = append(each[worker], after.Sub(now))
				}
				if now = after; after.Sub(began) >= duration {
					return
				}
			}
		})
	}
	group.Wait()
	seconds := time.Since(began).Seconds()
	after, err := r.probe(c.subject)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return round{}, nil, err
	}
	all := slices.Concat(each...)
	out := round{Logins: len(all), Seconds: seconds, latencies: summarize(all)}
	for worker := range workers {
		out.Failed += failed[worker]
		err = firstError(err, problem[worker])
	}
	if out.Failed > 0 {
		fmt.Fprintf(r.log, "  %s: %d failed, such as: %v\n", c.label, out.Failed, err)
	}
	if len(all) == 0 {
		return round{}, nil, err
	}
	after.since(before, &out)
	return out, all, nil
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// probe is how much has been used so far.
type probe struct {
	vault     process
	plugin    process // all processes of the subject together
	bench     time.Duration
	requests  int
	connected int
}

func (r *runner) probe(of *subject) (p probe, err error) {
	p.bench = ownCPU()
	if of.org != nil {
		p.requests, p.connected = of.org.Received(), of.org.Connections()
	}
	if of.outside {
		return p, nil
	}
	if p.vault, err = readProcess(r.vault.Process().PID()); err != nil {
		return p, err
	}
	p.plugin, err = r.processes(of)
	return p, err
}

// processes adds up the processes of a subject; zero, if it has none.
func (r *runner) processes(of *subject) (sum process, err error) {
	if of.exe == "" {
		return sum, nil
	}
	found, err := children(r.vault.Process().PID(), of.exe)
	for _, p := range found {
		sum.cpu += p.cpu
		sum.rss += p.rss
	}
	return sum, err
}

// since notes what was used since before.
func (p probe) since(before probe, out *round) {
	out.VaultCPU = (p.vault.cpu - before.vault.cpu).Seconds()
	out.PluginCPU = (p.plugin.cpu - before.plugin.cpu).Seconds()
	out.BenchCPU = (p.bench - before.bench).Seconds()
	out.VaultRSS, out.PluginRSS = mebibytes(p.vault.rss), mebibytes(p.plugin.rss)
	out.Requests = p.requests - before.requests
	out.Connected = p.connected - before.connected
}
