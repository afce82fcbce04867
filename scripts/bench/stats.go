package main

import (
	"math"
	"slices"
	"time"
)

// percentile is the smallest of the sorted values that p percent of them do not
// exceed; zero for none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median is the middle of the values, or the mean of the middle two; NaN for
// none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratios divides each value of a by that of b in the same round. A round that
// one of them lacks, or that b has nothing in, is left out.
func ratios(a, b []float64) []float64 {
	var list []float64
	for i := range min(len(a), len(b)) {
		if b[i] > 0 {
			list = append(list, a[i]/b[i])
		}
	}
	return list
}

// latencies are the percentiles of a set of latencies, in milliseconds.
type latencies struct {
	Mean float64 `json:"mean_ms"`
	P50  float64 `json:"p50_ms"`
	P95  float64 `json:"p95_ms"`
	P99  float64 `json:"p99_ms"`
}

func summarize(all []time.Duration) latencies {
	if len(all) == 0 {
		return latencies{}
	}
	sorted := slices.Sorted(slices.Values(all))
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	return latencies{
		Mean: milliseconds(sum) / float64(len(sorted)),
		P50:  milliseconds(percentile(sorted, 50)),
		P95:  milliseconds(percentile(sorted, 95)),
		P99:  milliseconds(percentile(sorted, 99)),
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
