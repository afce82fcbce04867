package main

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// row is one kind of load.
type row struct {
	name      string
	workers   int
	latencies map[string]time.Duration // of Okta's answers, by oktatest's names of what is asked
	quick     bool                     // it is a part of -quick
	build     func(ctx context.Context, s *stage, r row) ([]contestant, error)
}

// contestant is a subject in a row.
type contestant struct {
	*subject
	label string // the subject's name, and what else tells it apart
	run   operation
}

// fewMappings is the number of mapped groups where a row is not about it.
const fewMappings = 10

// Names of rows whose results appear elsewhere, too.
const (
	passcodeRow = "passcode, 16 at once"
	noTokenRow  = "no API token, 16 at once"
	mappingsRow = "1 group, 10 or 10,000 mapped"
	renewalRow  = "renewal, 16 at once"
	configRow   = "config read, 16 at once"
)

func passwordRow(workers int, latency time.Duration) string {
	name := fmt.Sprintf("password, %d at once", workers)
	if latency > 0 {
		name += fmt.Sprintf(", Okta takes %s", latency)
	}
	return name
}

func groupsRow(groups, mappings int) string {
	return fmt.Sprintf("%d groups, %d mapped", groups, mappings)
}

// slowOkta is the latency of an Okta that is not next door.
const slowOkta = 50 * time.Millisecond

// concurrencies are the numbers of workers of the password rows.
var concurrencies = []int{1, 16, 64}

// mappingCounts are the numbers of mapped groups of the group rows.
var mappingCounts = []int{fewMappings, 500, 10_000}

func rows() []row {
	var list []row
	for _, latency := range []time.Duration{0, slowOkta} {
		for _, workers := range concurrencies {
			list = append(list, row{
				name: passwordRow(workers, latency), workers: workers, latencies: same(latency),
				quick: latency == 0 && workers <= 16, build: passwords,
			})
		}
	}
	list = append(list,
		row{name: passcodeRow, workers: 16, quick: true, build: passcodes},
		row{name: noTokenRow, workers: 16, build: withoutToken},
	)
	for _, mappings := range mappingCounts {
		for _, groups := range groupCounts[1:] {
			list = append(list, row{
				name: groupsRow(groups, mappings), workers: membersEach,
				quick: groups == 200 && mappings == fewMappings, build: inGroups(groups, mappings),
			})
		}
	}
	list = append(list,
		row{name: mappingsRow, workers: membersEach, build: fewAndMany},
		row{name: renewalRow, workers: 16, build: renewals},
		row{name: configRow, workers: 16, build: configReads},
	)
	return append(list, realRows()...)
}

// people chooses who of an org logs in.
type people func(o *org) []*oktatest.User

func plain(o *org) []*oktatest.User { return o.plain }

// methods are the Okta methods, each with what it does at a mount of its own.
func (s *stage) methods(ctx context.Context, like mount, do func(*subject, string) (operation, error)) ([]contestant, error) {
	var list []contestant
	for _, of := range []*subject{s.builtin, s.plugin, s.toy} {
		like.subject = of
		path, err := s.mount(ctx, like)
		if err != nil {
			return nil, err
		}
		run, err := do(of, path)
		if err != nil {
			return nil, err
		}
		list = append(list, contestant{subject: of, label: of.name, run: run})
	}
	return list, nil
}

// logins are logins by all methods, and the bare calls at last.
func (s *stage) logins(ctx context.Context, like mount, who people, fields object) ([]contestant, error) {
	list, err := s.methods(ctx, like, func(of *subject, path string) (operation, error) {
		return s.login(loginAs(path, who(of.org), fields)), nil
	})
	bare := contestant{subject: s.bare, label: s.bare.name, run: bareLogin(s.bare.org, who(s.bare.org))}
	return append(list, bare), err
}

func passwords(ctx context.Context, s *stage, r row) ([]contestant, error) {
	list, err := s.logins(ctx, mount{mappings: fewMappings}, plain, nil)
	if len(r.latencies) > 0 {
		return list, err // the others call nobody
	}
	list = append(list, contestant{subject: s.approle, label: s.approle.name, run: s.login(loginByRole())})
	if r.workers == 1 { // it is bcrypt, whatever else runs
		list = append(list, contestant{subject: s.users, label: s.users.name, run: s.login(loginByPassword())})
	}
	return list, err
}

func passcodes(ctx context.Context, s *stage, _ row) ([]contestant, error) {
	coded := func(o *org) []*oktatest.User { return o.coded }
	return s.logins(ctx, mount{mappings: fewMappings}, coded, object{"totp": passCode})
}

func withoutToken(ctx context.Context, s *stage, _ row) ([]contestant, error) {
	return s.methods(ctx, mount{mappings: fewMappings, noToken: true}, func(of *subject, path string) (operation, error) {
		return s.login(loginAs(path, of.org.plain, nil)), nil
	})
}

func inGroups(groups, mappings int) func(context.Context, *stage, row) ([]contestant, error) {
	return func(ctx context.Context, s *stage, _ row) ([]contestant, error) {
		members := func(o *org) []*oktatest.User { return o.members[groups] }
		return s.logins(ctx, mount{mappings: mappings}, members, nil)
	}
}

// manyMappings ends the label of a mount with very many mappings.
const manyMappings = " 10,000"

// fewAndMany has each method twice, so that the two may be compared.
func fewAndMany(ctx context.Context, s *stage, _ row) ([]contestant, error) {
	one := func(o *org) []*oktatest.User { return o.members[1] }
	few, err := s.logins(ctx, mount{mappings: fewMappings}, one, nil)
	if err != nil {
		return nil, err
	}
	many, err := s.methods(ctx, mount{mappings: 10_000}, func(of *subject, path string) (operation, error) {
		return s.login(loginAs(path, one(of.org), nil)), nil
	})
	for i := range many {
		many[i].label += manyMappings
	}
	return append(few, many...), err
}

func renewals(ctx context.Context, s *stage, r row) ([]contestant, error) {
	list, err := s.methods(ctx, mount{mappings: fewMappings}, func(of *subject, path string) (operation, error) {
		return s.renewal(ctx, r.workers, loginAs(path, of.org.plain, nil))
	})
	if err != nil {
		return nil, err
	}
	run, err := s.renewal(ctx, r.workers, loginByRole())
	return append(list, contestant{subject: s.approle, label: s.approle.name, run: run}), err
}

func configReads(ctx context.Context, s *stage, _ row) ([]contestant, error) {
	return s.methods(ctx, mount{mappings: fewMappings}, func(_ *subject, path string) (operation, error) {
		return s.configRead(path), nil
	})
}
