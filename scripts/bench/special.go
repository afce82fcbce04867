package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// special is what is measured in a way of its own, and told in single numbers.
type special struct {
	name    string
	quick   bool
	measure func(ctx context.Context, r *runner, quick bool) ([]figure, error)
}

// Names of the specials, and of their figures.
const (
	memoryName  = "memory after 5,000 logins"
	startName   = "start to the first login"
	pushesName  = "pushes that wait"
	storageName = "storage"
	heldName    = "entries in memory"

	memoryFigure     = "RSS after 5,000 logins"
	vaultGrowth      = "Vault's RSS grew in 5,000 logins by"
	startFigure      = "from enabling the method to the first login"
	pollsFigure      = "polls while %d pushes wait"
	pushMemoryFigure = "RSS while %d pushes wait"
	pushGrowth       = "Vault's RSS grew for %d pushes by"
)

// specials are in the order in which they run: memory first, while the plugins
// are new; all others after the rows.
func specials() []special {
	return []special{
		{memoryName, false, memory},
		{startName, true, starts},
		{storageName, true, storage},
		{heldName, false, held},
		{pushesName, true, pushes},
		{realPushName, true, realPush},
	}
}

// memory is what the processes of the methods hold after many logins.
func memory(ctx context.Context, r *runner, _ bool) (list []figure, err error) {
	const logins, workers = 5000, 16
	contestants, err := r.logins(ctx, mount{mappings: fewMappings}, plain, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range contestants[:len(contestants)-1] { // without the bare calls
		before, err := r.probe(c.subject)
		if err != nil {
			return nil, err
		}
		var left atomic.Int64
		left.Store(logins)
		errs := make(chan error, workers)
		for worker := range workers {
			go func() {
				var err error
				for err == nil && left.Add(-1) >= 0 {
					err = c.run(ctx, worker)
				}
				errs <- err
			}()
		}
		for range workers {
			err = firstError(err, <-errs)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.label, err)
		}
		after, err := r.probe(c.subject)
		if err != nil {
			return nil, err
		}
		if c.exe != "" {
			list = append(list, figure{Name: memoryFigure, Subject: c.label, Value: mebibytes(after.plugin.rss), Unit: "MiB"})
		}
		list = append(list, figure{
			Name: vaultGrowth, Subject: c.label, Value: mebibytes(after.vault.rss - before.vault.rss), Unit: "MiB",
		})
	}
	return list, nil
}

// starts is how long it takes until a method serves that did not run before: its
// process is started, told its configuration, and logs somebody in. The name
// that it is enabled by has no process yet.
func starts(ctx context.Context, r *runner, _ bool) ([]figure, error) {
	const rounds = 5
	each := map[*subject][]float64{}
	order := []*subject{r.builtin, r.plugin, r.toy}
	for range rounds {
		for _, of := range order {
			r.fresh++
			path := fmt.Sprintf("fresh-%d", r.fresh)
			began := time.Now()
			if err := r.enable(ctx, of, of.again, path); err != nil {
				return nil, err
			}
			if err := r.configure(ctx, mount{subject: of}, path); err != nil {
				return nil, err
			}
			if err := r.login(loginAs("auth/"+path, of.org.plain, nil))(ctx, 0); err != nil {
				return nil, err
			}
			each[of] = append(each[of], milliseconds(time.Since(began)))
			if _, err := r.do(ctx, http.MethodDelete, "sys/auth/"+path, nil); err != nil {
				return nil, err
			}
		}
	}
	var list []figure
	for _, of := range order {
		list = append(list, figure{
			Name: startFigure, Subject: of.name, Value: median(each[of]), Unit: "ms", Samples: each[of],
		})
	}
	return list, nil
}

// pushes is what logins cost that wait for their phones.
func pushes(ctx context.Context, r *runner, quick bool) (list []figure, err error) {
	count, watch := 500, 15*time.Second
	if quick {
		count, watch = 100, 8*time.Second
	}
	for _, of := range []*subject{r.builtin, r.plugin} {
		some, err := r.pushesOf(ctx, of, count, watch)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", of.name, err)
		}
		list = append(list, some...)
	}
	return list, nil
}

func (r *runner) pushesOf(ctx context.Context, of *subject, count int, watch time.Duration) ([]figure, error) {
	path, err := r.mount(ctx, mount{subject: of, mappings: fewMappings})
	if err != nil {
		return nil, err
	}
	who, phones := of.org.phones(count)
	before, err := r.probe(of)
	if err != nil {
		return nil, err
	}
	run, errs := r.login(loginAs(path, who, nil)), make([]error, count)
	var logins sync.WaitGroup
	for worker := range count {
		logins.Go(func() { errs[worker] = run(ctx, worker) })
	}
	if err := phones.ring(ctx); err != nil {
		return nil, err
	}
	polls, began := phones.polls(), time.Now()
	select {
	case <-time.After(watch):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	rate := float64(phones.polls()-polls) / time.Since(began).Seconds()
	during, err := r.probe(of)
	if err != nil {
		return nil, err
	}
	for _, phone := range phones {
		phone.Approve()
	}
	logins.Wait()
	for _, e := range errs {
		err = firstError(err, e)
	}
	list := []figure{
		{Name: fmt.Sprintf(pollsFigure, count), Subject: of.name, Value: rate, Unit: "/s"},
		{Name: fmt.Sprintf(pushGrowth, count), Subject: of.name, Value: mebibytes(during.vault.rss - before.vault.rss), Unit: "MiB"},
	}
	if of.exe != "" {
		list = append(list, figure{Name: fmt.Sprintf(pushMemoryFigure, count), Subject: of.name, Value: mebibytes(during.plugin.rss), Unit: "MiB"})
	}
	return list, err
}
