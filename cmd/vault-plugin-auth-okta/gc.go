package main

import (
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
)

// The garbage collector's pace. A login makes much garbage and leaves little alive.
// To collect early saves memory while many logins wait for a push, and costs processor
// time otherwise. So the pace depends on what is alive: where that is little, twice as
// much is little, too.
const (
	smallHeap = 6 << 20 // bytes alive
	lazily    = 100     // per cent, Go's own
	eagerly   = 20
	gcReview  = time.Second

	aliveMetric = "/gc/heap/live:bytes"
)

// paceGC sets the garbage collector's pace for as long as the process lives. It
// returns only where it panics, and the logins go on without it.
func paceGC() (err error) {
	defer panics.Recover(&err)
	alive := []metrics.Sample{{Name: aliveMetric}}
	percent := lazily
	for range time.Tick(gcReview) {
		metrics.Read(alive)
		if p := gcPercent(alive[0].Value); p != percent {
			percent = p
			debug.SetGCPercent(percent)
		}
	}
	return nil
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
