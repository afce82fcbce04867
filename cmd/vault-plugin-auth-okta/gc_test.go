package main

import (
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The collector's pace is that of the heap that the runtime itself tells, under the
// name that it has for it.
func TestGCPercent(t *testing.T) {
	t.Parallel()
	alive := []metrics.Sample{{Name: aliveMetric}}
	metrics.Read(alive)
	assert.Equal(t, metrics.KindUint64, alive[0].Value.Kind(), "the runtime knows it")
	assert.Equal(t, lazily, gcPercent(metrics.Value{}), "what it does not know is small")
	assert.Equal(t, lazily, percentOf(smallHeap))
	assert.Equal(t, eagerly, percentOf(smallHeap+1))
}
