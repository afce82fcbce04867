package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// tables are all results, to be read.
func (r *result) tables(markdown bool) string {
	m := r.Machine
	var b strings.Builder
	fmt.Fprintf(&b, "Plugin %s (%s) and the builtin method of Vault %s, on %d cores (%s), built by %s, at %s.\n"+
		"%d rounds of %s for each subject; load of the machine %s before and %s after.\n",
		m.Plugin, m.Commit, m.Vault, m.Cores, m.CPU, m.Go, m.Time.Format("2006-01-02 15:04 MST"),
		m.Rounds, m.Duration, m.LoadStart, m.LoadEnd)
	if m.Proxy {
		b.WriteString("The orgs could not have port 443: a proxy is on the way to them, and takes its part.\n")
	}
	for _, t := range []table{r.rowTable(), r.figureTable()} {
		if len(t.rows) > 1 {
			b.WriteString(t.text(markdown))
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\nNot measured: %s\n", note)
	}
	return b.String()
}

// none stands for a missing value.
const none = "–"

func (r *result) rowTable() table {
	t := table{title: "Latency in ms. The ratio is that of p50 to the builtin method's in the same round, its median (least to " +
		"most); that of 10,000 mappings is to the same method's with 10.\nCPU time in seconds per 1000 logins: Vault's and " +
		"the plugin's process, and the latter alone. RSS is the plugin's process, or else Vault."}
	t.add("row", "subject", "per s", "p50", "p95", "p99", "ratio", "CPU", "plugin", "RSS MiB", "calls", "TLS", "rounds", "failed")
	for i := range r.Rows {
		row := &r.Rows[i]
		name := row.Name
		for n := range row.Subjects {
			s := &row.Subjects[n]
			t.add(append([]string{name, s.Name}, row.cells(s)...)...)
			name = ""
		}
	}
	return t
}

// cells tell of one subject of a row.
func (r *rowResult) cells(s *subjectResult) []string {
	cpu, own, rss := none, none, none
	if s.InVault {
		all, plugin := s.cpu()
		cpu, rss = number(all), number(s.last(func(r round) float64 { return r.VaultRSS }))
		if memory := s.last(func(r round) float64 { return r.PluginRSS }); memory > 0 {
			own, rss = number(plugin), number(memory)
		}
	}
	calls, connections := none, none
	if s.Method {
		calls = number(s.perLogin(func(r round) float64 { return float64(r.Requests) }))
		connections = number(s.perLogin(func(r round) float64 { return float64(r.Connected) }))
	}
	ratio := none
	if few, isMany := strings.CutSuffix(s.Name, manyMappings); isMany {
		ratio = spread(r.ratio(s.Name, few))
	} else if s.Method && s.InVault && s.Name != "builtin" {
		ratio = spread(r.ratio(s.Name, "builtin"))
	}
	return []string{
		number(s.rate()), number(s.All.P50), number(s.All.P95), number(s.All.P99), ratio,
		cpu, own, rss, calls, connections,
		fmt.Sprint(len(s.Rounds)), number(s.sum(func(r round) float64 { return float64(r.Failed) })),
	}
}

// spread is the median of ratios with the least and the most of them.
func spread(list []float64) string {
	if len(list) == 0 {
		return none
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(list), slices.Min(list), slices.Max(list))
}

// number shows three digits or so.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return none
	case a >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a < 0.01:
		return fmt.Sprintf("%.4f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// figureTable has a row for each name and a column for each subject.
func (r *result) figureTable() table {
	t := table{title: "Single numbers. What Vault's memory grew by is the tokens', mostly."}
	subjects := []string{"builtin", "plugin", "toy"}
	t.add(append([]string{"what"}, subjects...)...)
	seen := map[string]bool{}
	for _, f := range r.Figures {
		if seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		name := f.Name
		if f.Unit != "" {
			name += ", " + f.Unit
		}
		line := []string{name}
		for _, subject := range subjects {
			cell := none
			if v, found := r.figure(f.Name, subject); found {
				cell = number(v)
			}
			line = append(line, cell)
		}
		t.add(line...)
	}
	return t
}
