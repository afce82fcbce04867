package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of CPU time in /proc: USER_HZ is 100 on Linux.
const tick = 10 * time.Millisecond

// process is what /proc/PID/stat says of a process.
type process struct {
	parent int
	cpu    time.Duration // user and system time
	rss    int64         // bytes
}

var errStat = errors.New("not the form of /proc/PID/stat")

// parseStat reads /proc/PID/stat, see proc_pid_stat(5). The name of the command
// is in parentheses and may hold anything, these included.
func parseStat(raw []byte) (process, error) {
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	// The first of these is field 3 there.
	const parent, utime, stime, rss = 4 - 3, 14 - 3, 15 - 3, 24 - 3
	if len(fields) <= rss {
		return process{}, errStat
	}
	var values [rss + 1]int64
	for _, i := range []int{parent, utime, stime, rss} {
		v, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return process{}, fmt.Errorf("%w: field %d: %w", errStat, i+3, err)
		}
		values[i] = v
	}
	return process{
		parent: int(values[parent]),
		cpu:    time.Duration(values[utime]+values[stime]) * tick,
		rss:    values[rss] * int64(os.Getpagesize()),
	}, nil
}

func readProcess(pid int) (process, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	return parseStat(raw)
}

// children are the processes that parent has started by the command exe. It is their
// command line that is looked at: the link exe of the plugin's process can be read by root
// only, because the process is not dumpable.
func children(parent int, exe string) (map[int]process, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	found := map[int]process{}
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if command, _, _ := strings.Cut(string(line), "\x00"); err != nil || command != exe {
			continue // another's, or gone meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		if p, err := readProcess(pid); err == nil && p.parent == parent {
			found[pid] = p
		}
	}
	return found, nil
}

// ownCPU is the CPU time of this process.
func ownCPU() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
