package main

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"
)

func thisMachine(s *stage, o options) machine {
	return machine{
		Time:      time.Now().UTC().Truncate(time.Second),
		Cores:     runtime.NumCPU(),
		CPU:       processor(),
		Go:        runtime.Version(),
		Vault:     s.vaultVersion,
		Plugin:    o.version,
		Commit:    o.commit,
		Proxy:     s.plugin.org.proxied(),
		LoadStart: loadAverage(),
		Rounds:    o.rounds,
		Duration:  o.duration.String(),
	}
}

var modelName = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)

// processor is the name of the CPU, if Linux tells it.
func processor() string {
	raw, _ := os.ReadFile("/proc/cpuinfo") // an empty one tells nothing, either
	if m := modelName.FindSubmatch(raw); m != nil {
		return string(m[1])
	}
	return runtime.GOARCH
}

// loadAverage is that of the last minute, to tell whether others used the
// machine.
func loadAverage() string {
	raw, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}
