package main

import "fmt"

// target is what a measured value should not exceed. Values are told by where
// they come from; one that was not measured is left out.
type target struct {
	what  string
	limit float64
	value func(*result) (float64, bool)
}

// toBuiltin is the p50 of a row by that of the builtin method.
func toBuiltin(row string, limit float64) target {
	return target{row + ": p50 by the builtin method's", limit, func(r *result) (float64, bool) {
		list := r.row(row).ratio("plugin", "builtin")
		return median(list), len(list) > 0
	}}
}

// ofPlugin is a value of the plugin in a row.
func ofPlugin(row, what string, limit float64, value func(*rowResult, *subjectResult) (float64, bool)) target {
	return target{row + ": " + what, limit, func(r *result) (float64, bool) {
		found := r.row(row)
		plugin := found.subject("plugin")
		if plugin == nil {
			return 0, false
		}
		return value(found, plugin)
	}}
}

func single(name, unit string, limit float64) target {
	return target{name + ", " + unit, limit, func(r *result) (float64, bool) { return r.figure(name, "plugin") }}
}

func targets() []target {
	list := []target{
		toBuiltin(passwordRow(1, 0), 1.2),
		toBuiltin(passwordRow(16, 0), 0.9),
		toBuiltin(passwordRow(64, 0), 0.85),
		toBuiltin(passwordRow(1, slowOkta), 1.01),
		toBuiltin(passwordRow(16, slowOkta), 1.03),
		toBuiltin(passwordRow(64, slowOkta), 1.03),
		toBuiltin(passcodeRow, 0.8),
		toBuiltin(noTokenRow, 0.5),
		toBuiltin(groupsRow(50, 10), 0.6),
		toBuiltin(groupsRow(200, 10), 0.5),
		toBuiltin(groupsRow(1000, 10), 0.4),
		toBuiltin(groupsRow(50, 500), 0.4),
		toBuiltin(groupsRow(200, 500), 0.2),
		toBuiltin(groupsRow(1000, 500), 0.2),
		ofPlugin(mappingsRow, "p50 with 10,000 by that with 10", 1.05, func(row *rowResult, _ *subjectResult) (float64, bool) {
			list := row.ratio("plugin"+manyMappings, "plugin")
			return median(list), len(list) > 0
		}),
		single(fmt.Sprintf(pollsFigure, 500), "/s", 250),
		single(memoryFigure, "MiB", 40),
		single(fmt.Sprintf(pushMemoryFigure, 500), "MiB", 60),
	}
	for _, workers := range concurrencies {
		list = append(list,
			ofPlugin(passwordRow(workers, 0), "TLS connections", 0, func(_ *rowResult, s *subjectResult) (float64, bool) {
				return s.sum(func(r round) float64 { return float64(r.Connected) }), true
			}),
			ofPlugin(passwordRow(workers, 0), "CPU per login by the toy's", 1.15, func(row *rowResult, s *subjectResult) (float64, bool) {
				toy := row.subject("toy")
				if toy == nil {
					return 0, false
				}
				plugin, _ := s.cpu()
				least, _ := toy.cpu()
				return plugin / least, least > 0
			}))
	}
	return list
}

// verdicts compares what was measured with the targets.
func (r *result) verdicts() table {
	t := table{title: "Targets, and what was reached."}
	t.add("what", "limit", "measured", "reached")
	for _, target := range targets() {
		v, measured := target.value(r)
		if !measured {
			continue
		}
		reached := "yes"
		if v > target.limit {
			reached = "NO"
		}
		t.add(target.what, number(target.limit), number(v), reached)
	}
	return t
}
