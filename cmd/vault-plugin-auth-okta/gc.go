package main

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector's pace. A login leaves little behind and much garbage: to
// collect early saves memory when many wait for a push, and costs processor time
// otherwise. So it depends on what is alive: where that is little, twice as much is
// little, too.
const (
	smallHeap = 6 << 20 // bytes alive
	lazily    = 100     // per cent, Go's own
	eagerly   = 20
	gcReview  = time.Second

	aliveMetric = "/gc/heap/live:bytes"
)

// paceGC sets the garbage collector's pace for as long as the process lives.
func paceGC() {
	alive := []metrics.Sample{{Name: aliveMetric}}
	percent := lazily
	for range time.Tick(gcReview) {
		metrics.Read(alive)
		if p := gcPercent(alive[0].Value); p != percent {
			percent = p
			debug.SetGCPercent(percent)
		}
	}
}

// gcPercent is the pace for what is alive, as the runtime tells it.
func gcPercent(alive metrics.Value) int {
	if alive.Kind() != metrics.KindUint64 {
		return lazily
	}
	return percentOf(alive.Uint64())
}

func percentOf(alive uint64) int {
	if alive > smallHeap {
		return eagerly
	}
	return lazily
}
