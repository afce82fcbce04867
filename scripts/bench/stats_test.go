package main

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, row := range []struct {
		name   string
		sorted []time.Duration
		p      float64
		want   time.Duration
	}{
		{"none", nil, 50, 0},
		{"one", []time.Duration{7}, 99, 7},
		{"the middle of three", []time.Duration{1, 2, 9}, 50, 2},
		{"the lower middle of four", []time.Duration{1, 2, 9, 10}, 50, 2},
		{"least", hundred, 0, 1},
		{"half", hundred, 50, 50},
		{"95", hundred, 95, 95},
		{"99", hundred, 99, 99},
		{"most", hundred, 100, 100},
		{"99 of a few", []time.Duration{1, 2, 3}, 99, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, percentile(row.sorted, row.p))
		})
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	require.True(t, math.IsNaN(median(nil)))
	require.InDelta(t, 3.0, median([]float64{3}), 0)
	require.InDelta(t, 2.5, median([]float64{4, 1, 2, 3}), 0)
	values := []float64{9, 1, 5}
	require.InDelta(t, 5.0, median(values), 0)
	require.Equal(t, []float64{9, 1, 5}, values, "left as they were")
}

// A slow spell of the machine that hits one round of both leaves the median
// alone.
func TestRatios(t *testing.T) {
	t.Parallel()
	got := ratios([]float64{1, 30, 2}, []float64{2, 50, 4})
	require.Equal(t, []float64{0.5, 0.6, 0.5}, got)
	require.InDelta(t, 0.5, median(got), 0)
	require.Equal(t, []float64{2}, ratios([]float64{1, 4, 5}, []float64{0, 2}), "rounds without both are left out")
	require.Empty(t, ratios(nil, []float64{1}))
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	require.Equal(t, latencies{}, summarize(nil))
	got := summarize([]time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond})
	require.Equal(t, latencies{Mean: 2, P50: 2, P95: 3, P99: 3}, got)
}
