//go:build unix

package main

import "golang.org/x/sys/unix"

const canPoll = true

// typedLine reports whether a line has been typed at the terminal, and takes it.
func typedLine(fd int) bool {
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(ready, 0); err != nil || n == 0 || ready[0].Revents&unix.POLLIN == 0 {
		return false
	}
	n, err := unix.Read(fd, make([]byte, 4096)) // a terminal gives one line at most
	return err == nil && n > 0
}
