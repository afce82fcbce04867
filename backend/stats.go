package backend

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// stats are the numbers of one mount on this node, since it began there. A login adds to
// them without a lock.
type stats struct {
	since  time.Time
	logins *counters // by kind of attempt and event
	calls  *counters // by endpoint and result
	times  map[string]*histogram
}

func newStats(now time.Time) *stats {
	s := &stats{since: now, logins: newCounters(attemptKinds, labels(loginEvents)), times: map[string]*histogram{}}
	endpoints := append(labels(okta.Endpoints), otherEndpoint)
	s.calls = newCounters(endpoints, labels(okta.CallResults))
	for _, endpoint := range endpoints {
		s.times[endpoint] = new(histogram)
	}
	return s
}

// otherEndpoint stands for a path that has no endpoint.
const otherEndpoint = "other"

func endpointLabel(e okta.Endpoint) string {
	if e == "" {
		return otherEndpoint
	}
	return string(e)
}

// observe counts a request to Okta. Only those have a time that Okta answered, or did not
// answer in time.
func (s *stats) observe(call okta.Call) {
	endpoint := endpointLabel(call.Endpoint)
	s.calls.add(endpoint, string(call.Result))
	switch call.Result {
	case okta.CallUnreachable, okta.CallCanceled, okta.CallBusy, okta.CallDown:
	default:
		s.times[endpoint].add(call.Duration)
	}
}

func labels[T ~string](list []T) []string {
	all := make([]string, len(list))
	for i, one := range list {
		all[i] = string(one)
	}
	return all
}

// counters count by two labels, each of which is one of a list.
type counters struct {
	rows, columns []string
	n             []atomic.Int64
}

func newCounters(rows, columns []string) *counters {
	return &counters{rows, columns, make([]atomic.Int64, len(rows)*len(columns))}
}

// add adds one. The labels have to be in the lists.
func (c *counters) add(row, column string) {
	c.n[slices.Index(c.rows, row)*len(c.columns)+slices.Index(c.columns, column)].Add(1)
}

// each calls f for each pair of labels, in the order of the lists.
func (c *counters) each(f func(row, column string, n int64)) {
	for i := range c.n {
		f(c.rows[i/len(c.columns)], c.columns[i%len(c.columns)], c.n[i].Load())
	}
}

// bounds are the upper ends of a histogram's buckets. A request to Okta ends after
// okta.DefaultTimeout at the latest.
var bounds = []time.Duration{
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 150 * time.Millisecond,
	200 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond,
	time.Second, 1500 * time.Millisecond, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 15 * time.Second,
}

// histogram counts durations in buckets, the last of which has no upper end. The zero
// value is ready.
type histogram struct {
	buckets [16]atomic.Int64
	sum     atomic.Int64 // nanoseconds
}

func (h *histogram) add(d time.Duration) {
	i, _ := slices.BinarySearch(bounds, d)
	h.buckets[i].Add(1)
	h.sum.Add(int64(d))
}

// times is what a histogram has counted at one moment.
type times struct {
	buckets []int64
	count   int64
	sum     time.Duration
}

func (h *histogram) read() times {
	t := times{buckets: make([]int64, len(h.buckets)), sum: time.Duration(h.sum.Load())}
	for i := range h.buckets {
		t.buckets[i] = h.buckets[i].Load()
		t.count += t.buckets[i]
	}
	return t
}

// quantile estimates the duration below which that part of the durations is, as if those
// of a bucket were spread evenly. It is no more than the last bound.
func (t times) quantile(part float64) time.Duration {
	rank := part * float64(t.count)
	var below int64
	for i, n := range t.buckets[:len(bounds)] {
		if n > 0 && float64(below+n) >= rank {
			var from time.Duration
			if i > 0 {
				from = bounds[i-1]
			}
			return from + time.Duration(float64(bounds[i]-from)*(rank-float64(below))/float64(n))
		}
		below += n
	}
	if t.count == 0 {
		return 0
	}
	return bounds[len(bounds)-1]
}
