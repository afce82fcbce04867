package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// The latencies of the internet, by what Okta is asked for.
const (
	passwordLatency = 250 * time.Millisecond
	factorLatency   = 150 * time.Millisecond
	pageLatency     = 120 * time.Millisecond
)

// realLatencies are those of an Okta that is reached over the internet.
func realLatencies() map[string]time.Duration {
	return map[string]time.Duration{
		"authn": passwordLatency, "verify": factorLatency, "groups": pageLatency,
		"users": pageLatency, "listfactors": pageLatency,
		"verifyfactor": factorLatency, "transaction": factorLatency,
	}
}

// Names of the rows and figures at these latencies.
const (
	realPushName    = "real-push"
	approvalFigure  = "real-push, %d at once: from the approval to the token"
	approvalRatio   = "real-push, %d at once: that by the builtin method's"
	approvalCalls   = "real-push, %d at once: requests to Okta for a login"
	approvalLeast   = 2 * time.Second // after the push
	approvalMost    = 6 * time.Second // likewise
	approvalTimeout = time.Minute
)

func realRow(kind string, workers int) string {
	return fmt.Sprintf("real-%s, %d at once", kind, workers)
}

// realConcurrencies are the numbers of workers of these rows.
var realConcurrencies = []int{1, 16}

func realRows() (list []row) {
	for _, workers := range realConcurrencies {
		for _, r := range []row{
			{name: realRow("password", workers), build: passwords},
			{name: realRow("passcode", workers), build: passcodes},
			{name: realRow("method", workers), build: withMethod},
		} {
			r.workers, r.latencies, r.quick = workers, realLatencies(), workers > 1
			list = append(list, r)
		}
	}
	return list
}

// withMethod are logins at a mount that requires a passcode by the Factors API. Only the
// plugin can.
func withMethod(ctx context.Context, s *stage, _ row) ([]contestant, error) {
	path, err := s.mount(ctx, mount{subject: s.plugin, mappings: fewMappings, method: true})
	if err != nil {
		return nil, err
	}
	run := s.login(loginAs(path, s.plugin.org.enrolled, object{"mfa": methodName + ":" + passCode}))
	return []contestant{{subject: s.plugin, label: s.plugin.name, run: run}}, nil
}

// realPush measures how long people wait for their token once they have approved a push,
// between approvalLeast and approvalMost after it was sent. The subjects log in side by
// side, each at an org of its own, so that they have the same machine.
func realPush(ctx context.Context, r *runner, quick bool) (list []figure, err error) {
	for _, workers := range realConcurrencies {
		if quick && workers == 1 {
			continue
		}
		some, err := r.approvals(ctx, workers, quick)
		if err != nil {
			return nil, fmt.Errorf("%d at once: %w", workers, err)
		}
		list = append(list, some...)
	}
	return list, nil
}

func (r *runner) approvals(ctx context.Context, workers int, quick bool) (list []figure, err error) {
	each := 20 // logins of a worker
	switch {
	case quick:
		each = 4
	case workers > 1:
		each = 6
	}
	subjects := []*subject{r.builtin, r.plugin}
	took, calls, errs := make([][]time.Duration, len(subjects)), make([]float64, len(subjects)), make([]error, len(subjects))
	var all sync.WaitGroup
	for i, of := range subjects {
		path, err := r.mount(ctx, mount{subject: of, mappings: fewMappings})
		if err != nil {
			return nil, err
		}
		of.org.setLatencies(realLatencies())
		defer of.org.setLatencies(nil)
		all.Go(func() { took[i], calls[i], errs[i] = r.approve(ctx, of, path, workers, each) })
	}
	all.Wait()
	var p50 []float64
	for i, of := range subjects {
		if errs[i] != nil {
			return nil, fmt.Errorf("%s: %w", of.name, errs[i])
		}
		p50 = append(p50, summarize(took[i]).P50)
		list = append(list,
			figure{Name: fmt.Sprintf(approvalFigure, workers), Subject: of.name, Value: p50[i], Unit: "ms"},
			figure{Name: fmt.Sprintf(approvalCalls, workers), Subject: of.name, Value: calls[i]})
	}
	return append(list, figure{Name: fmt.Sprintf(approvalRatio, workers), Subject: r.plugin.name, Value: p50[1] / p50[0]}), nil
}

// approve has each worker log in so many times, and returns how long each login took
// after its approval, and the requests to Okta for one. The times of the approvals are
// the same for every subject, and evenly spread.
func (r *runner) approve(ctx context.Context, of *subject, path string, workers, each int) ([]time.Duration, float64, error) {
	who, phones := of.org.phones(workers)
	run := r.login(loginAs(path, who, nil))
	took, errs := make([][]time.Duration, workers), make([]error, workers)
	before := of.org.Received()
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for n := range each {
				step := (approvalMost - approvalLeast) / time.Duration(workers*each)
				after := approvalLeast + step/2 + step*time.Duration(n*workers+worker)
				one, err := approved(ctx, run, worker, phones[worker], n, after)
				if err != nil {
					errs[worker] = err
					return
				}
				took[worker] = append(took[worker], one)
			}
		})
	}
	all.Wait()
	logins := float64(workers * each)
	err := errs[0]
	for _, e := range errs {
		err = firstError(err, e)
	}
	return slices.Concat(took...), float64(of.org.Received()-before) / logins, err
}

// approved logs in, approves the push that time after it was sent, and returns how long
// the login took from then on.
func approved(ctx context.Context, run operation, worker int, phone *oktatest.Factor, before int, after time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, approvalTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(ctx, worker) }()
	for phone.Pushes() == before {
		select {
		case <-time.After(5 * time.Millisecond):
		case err := <-done:
			return 0, firstError(err, fmt.Errorf("the login ended without a push"))
		}
	}
	select {
	case <-time.After(after):
	case err := <-done:
		return 0, firstError(err, fmt.Errorf("the login ended without an approval"))
	}
	began := time.Now()
	phone.Approve()
	err := <-done
	return time.Since(began), err
}
